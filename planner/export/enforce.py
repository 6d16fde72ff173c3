"""The short form in every answer: what a request has to carry so that a gateway does what was recommended."""

from collections.abc import Mapping, Sequence

from planner.export import litellm, openrouter
from planner.export.document import LeftOut, Recommendation, Shape


def enforce(recommendation: Recommendation) -> Shape:
    """Return the block for each gateway, or null where no link can be said there; and what is in none, with why.

    ``openrouter`` is the body of a request; ``litellm`` are the arguments of a call, its fallbacks in order.
    """
    places = openrouter.places(recommendation)
    routed = [litellm.deployment(link, places[link.place]) for link in recommendation.links]
    pins = [each for each in places.values() if isinstance(each, openrouter.Pin)]
    made = [each for each in routed if isinstance(each, litellm.Deployment)]
    return {
        "openrouter": openrouter.bodies(recommendation, pins)[0][0] if pins else None,
        "litellm": _call(recommendation, made),
        "left_out": {"openrouter": _left_out(places), "litellm": _left_out(dict(enumerate(routed)))},
    }


def _call(recommendation: Recommendation, made: Sequence[litellm.Deployment]) -> Shape | None:
    if not made:
        return None
    first, *others = [litellm.call_of(recommendation, each) for each in made]
    return {**first, "fallbacks": others}


def _left_out(found: Mapping[int, object]) -> list[Shape]:
    return [{"offer": each.offer, "reason": each.reason} for each in found.values() if isinstance(each, LeftOut)]
