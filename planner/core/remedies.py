"""What to change where no offer keeps a margin: each change alone would make the question answerable."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import ceil

from planner.core.affordable import requests_affordable, trims
from planner.core.ask import Ask, Pick
from planner.core.money import ceiling_text, floor_text, usd_text
from planner.core.plan import Economics
from planner.core.trim import Trim

CENTS = 2
RATIO_PLACES = 4
# A refusal is answered to whoever asks, so its work is bounded; a trim of more kinds is asked for by itself.
KINDS_MAX = 20
_CUT_OFF = {"input": "prompt", "output": "completion", "both": "prompt and every completion"}

Remedy = Mapping[str, object]
"""A change: its kind under ``change``, figures with their units, and the same in words under ``says``."""


def remedies(ask: Ask, economics: Economics, cheapest: Pick, elsewhere: Pick | None) -> tuple[Remedy, ...]:
    """Return the changes that would let the cheapest compliant offer keep the margin, and another tier that does.

    Args:
        ask: the question that has no answer, with its economics.
        economics: what a customer pays.
        cheapest: the cheapest offer that only the margin refuses.
        elsewhere: the best answer once the tier is free, or None.
    """
    return tuple(_all(ask, economics, cheapest, elsewhere))


def _all(ask: Ask, economics: Economics, cheapest: Pick, elsewhere: Pick | None) -> Iterator[Remedy]:
    per_period = ask.per_period_usd(cheapest.cost_usd)
    budget = ask.budget_usd or Fraction()
    price = economics.minimum_price_usd(per_period)
    if price is not None:
        text = ceiling_text(price, CENTS)
        yield {"change": "price", "price_usd": text, "says": f"charge {text} USD a period"}
    if budget > 0:
        for cut in trims(ask, cheapest) if len(ask.workload.requests) <= KINDS_MAX else ():
            if cut.ratio is not None and cut.ratio < 1:
                yield _trim(cut, ask)
        requests = requests_affordable(cheapest, budget)
        if requests:
            says = f"allow {requests} requests a period instead of {ask.workload.requests_per_period}"
            yield {"change": "quota", "requests_per_period": requests, "says": says}
    if elsewhere is not None:
        cost = usd_text(ask.per_period_usd(elsewhere.cost_usd))
        # A model whose price has no label is in no tier.
        words = "ask for no tier" if elsewhere.tier is None else f"allow tier {elsewhere.tier}"
        yield {
            "change": "tier", "tier": elsewhere.tier, "offer": elsewhere.offer.id, "cost_usd_per_period": cost,
            "says": f"{words}: {elsewhere.offer.id} costs {cost} USD a period",
        }  # fmt: skip
    # A target is only asked of revenue, so there is a margin.
    text = floor_text(economics.margin_at(per_period) or Fraction(), RATIO_PLACES)
    yield {"change": "margin", "margin": text, "says": f"accept a margin of {text}"}


def _trim(cut: Trim, ask: Ask) -> Remedy:
    ratio = cut.ratio or Fraction()
    percent = ceiling_text(ratio * 100, CENTS)
    gone = {
        "input_tokens_cut": ceil(sum(loss.share * loss.input_tokens for loss in cut.losses)),
        "cached_tokens_cut": ceil(sum(loss.share * loss.cached_tokens for loss in cut.losses)),
        "output_tokens_cut": ceil(sum(loss.share * loss.output_tokens for loss in cut.losses)),
    }
    tokens = gone["input_tokens_cut"] + gone["output_tokens_cut"]
    return {
        "change": f"trim_{cut.cut}", "percent": percent, **gone,
        "cost_usd_per_period": usd_text(ask.per_period_usd(cut.cost_usd)),
        "says": f"cut every {_CUT_OFF[cut.cut]} by {percent} %, {tokens} tokens a request",
    }  # fmt: skip
