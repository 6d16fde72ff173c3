"""The door for programs: one router per audience; a route parses, calls one flow, and shapes the answer."""
