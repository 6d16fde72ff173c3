"""The Python client: typed answers for backends that ask thousands of times a minute, and go on when planner cannot.

It needs httpx and nothing else of planner.

Example::

    from planner.client import MarginUnreachable, Planner

    with Planner("http://127.0.0.1:8321", key, poll_every=5) as planner:
        try:
            answer = planner.recommendation("pro", "chat")
        except MarginUnreachable as refusal:
            print(refusal.facts["feasible_price_usd"])
        else:
            for link in answer.links:
                print(link.offer, link.cost_usd)
"""

from planner.client.answers import (
    Chain,
    Check,
    Cost,
    Explanation,
    GatewayConfiguration,
    Line,
    Link,
    Ranked,
    Ranking,
    Recommendation,
    Status,
)
from planner.client.awaiting import AsyncPlanner
from planner.client.blocking import Planner
from planner.client.refusals import (
    AccessRefused,
    CallerMistake,
    InvalidQuestion,
    MarginUnreachable,
    NoAnswer,
    NotFound,
    NothingCompliant,
    PlannerError,
    Refusal,
    TooManyRequests,
    Unavailable,
    UnknownModel,
    UnknownPolicy,
    Unpriced,
    Unreachable,
    Unreadable,
)

__all__ = [
    "AccessRefused",
    "AsyncPlanner",
    "CallerMistake",
    "Chain",
    "Check",
    "Cost",
    "Explanation",
    "GatewayConfiguration",
    "InvalidQuestion",
    "Line",
    "Link",
    "MarginUnreachable",
    "NoAnswer",
    "NotFound",
    "NothingCompliant",
    "Planner",
    "PlannerError",
    "Ranked",
    "Ranking",
    "Recommendation",
    "Refusal",
    "Status",
    "TooManyRequests",
    "Unavailable",
    "UnknownModel",
    "UnknownPolicy",
    "Unpriced",
    "Unreachable",
    "Unreadable",
]
