"""Which of two eligible offers comes first: the four objectives, their rules in words, and whom they cannot compare."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

from planner.core.ask import Ask, Pick
from planner.core.checks import index_of

Order = Callable[[Pick], tuple[object, ...]]
_LOWEST = Decimal("-Infinity")


def order(ask: Ask) -> Order:
    """Return the sort key of an objective. Ties end at cost, quality descending, offer id bytes.

    Whoever lacks the figure an objective compares by goes last: what is unknown is neither good nor quick.
    """

    def cheapest(pick: Pick) -> tuple[object, ...]:
        return (pick.cost_usd, _or_lowest(pick.quality).copy_negate(), pick.offer.id.encode())

    def best_quality(pick: Pick) -> tuple[object, ...]:
        return (_or_lowest(pick.quality).copy_negate(), *cheapest(pick))

    def fastest(pick: Pick) -> tuple[object, ...]:
        latency_ms = pick.latency_ms
        return (latency_ms is None, latency_ms or Fraction(), *cheapest(pick))

    def balanced(pick: Pick) -> tuple[object, ...]:
        scored = pick.quality is not None and pick.quality > 0
        ratio = pick.cost_usd / Fraction(pick.quality) if scored and pick.quality is not None else Fraction()
        return (not scored, ratio, *cheapest(pick))

    return {"cheapest": cheapest, "best_quality": best_quality, "fastest": fastest, "balanced": balanced}[ask.objective]


def compares(ask: Ask, pick: Pick) -> bool:
    """Tell whether an offer has the figure its question's objective compares by."""
    if ask.objective == "best_quality":
        return pick.quality is not None
    if ask.objective == "balanced":
        return pick.quality is not None and pick.quality > 0
    return ask.objective == "cheapest" or pick.latency_ms is not None


def rule(ask: Ask) -> str:
    """Say by which figure a question's objective decides."""
    index = index_of(ask.needs)
    return {
        "cheapest": "the lowest expected cost of a request",
        "best_quality": f"the highest score on {index}; of equal scores the lowest cost",
        "fastest": "the fewest expected seconds to the last token: median time to the first token, then the output at "
        "median throughput",
        "balanced": f"the fewest dollars per quality point: expected cost of a request over the score on {index}",
    }[ask.objective]


def note(ask: Ask, compared: int, eligible: int) -> str | None:
    """Say what an objective could not compare, or None where it compared everybody.

    An answer that keeps policy and margin is better than none, so the question is answered all the same.
    """
    if compared == eligible:
        return None
    lacking = "known time to the first token and throughput"
    if ask.objective != "fastest":
        lacking = f"{'score above 0' if ask.objective == 'balanced' else 'score'} on {index_of(ask.needs)}"
    if not compared:
        return f"no eligible offer has a {lacking}: answered as cheapest"
    return f"{eligible - compared} of {eligible} eligible offers have no {lacking}, and come last"


def _or_lowest(quality: Decimal | None) -> Decimal:
    return _LOWEST if quality is None else quality
