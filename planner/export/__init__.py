"""A recommendation as the configuration of the gateway that executes it; planner itself is never in a request's way."""
