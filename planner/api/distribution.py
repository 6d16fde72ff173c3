"""How unevenly the customers of a plan use it, over HTTP: percentiles, Gini, and what the heaviest of them use."""

from collections.abc import Callable
from fractions import Fraction
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from planner.api.figures import budget
from planner.api.guard import GuardedRoute, now_of
from planner.api.problem import documented
from planner.api.reports import From, To, Zone
from planner.api.shapes import Shape
from planner.core import errors
from planner.core.distribution import Distribution
from planner.core.money import PICO, pico_text, ratio_text, usd_text
from planner.core.tier import MTOK
from planner.flows.distribution import Measured, Period, Question, measure, summed

router = APIRouter(prefix="/v1", tags=["finance"], route_class=GuardedRoute, responses=documented())

PERCENTILES = (50, 90, 95, 99)
HEAVIEST = (1, 5, 10)
_PlanName = Annotated[str, Path(max_length=400, description="id of a plan")]
_Parts = Annotated[bool, Query(description="count periods that are not whole, and customers who joined within one")]


@router.get("/plans/{plan}/usage-distribution", responses=documented(errors.NotFound))
def get_distribution(
    request: Request, plan: _PlanName, since: From, until: To, tz: Zone = "UTC", parts: _Parts = False
) -> dict[str, Any]:
    """Return how tokens and costs are spread over the customers of a plan, by the time of use."""
    asked = Question(plan=plan, since=since, until=until, tz=tz, parts=parts)
    with request.app.state.store.read() as connection:
        return distribution_shape(measure(connection, asked, now_of(request)))


def distribution_shape(found: Measured) -> Shape:
    """Write what was measured. Percentiles are nearest ranks: figures that somebody really used."""
    sums, bound = found.everything, found.budget_usd
    above = None if bound is None else found.costs.share_above(bound * PICO)
    per_token, asked = found.usd_per_token, found.asked
    return {
        "plan": found.plan.id,
        "from": asked.since.isoformat(),
        "to": asked.until.isoformat(),
        "tz": asked.tz,
        "period": found.plan.period,
        "observations": found.tokens.count,
        "tokens": _spread(found.tokens, int),
        "cost_usd": _spread(found.costs, pico_text),
        "budget_usd": None if bound is None else budget(bound),
        "share_above_budget": _ratio(above),
        "usd_per_mtok": None if per_token is None else usd_text(per_token * MTOK),
        "sigma_g": None if found.sigma_g is None else ratio_text(Fraction(found.sigma_g)),
        "coverage": ratio_text(sums.coverage),
        "bounds": sums.bounds(paid_for=False),
        "periods": [_period(period) for period in found.periods],
    }


def _spread(found: Distribution, written: Callable[[int], Any]) -> Shape:
    figures: dict[str, int | None] = {f"p{p}": found.percentile(Fraction(p, 100)) for p in PERCENTILES}
    figures |= {"mean": None if found.mean is None else round(found.mean), "max": found.largest}
    return {
        **{name: None if value is None else written(value) for name, value in figures.items()},
        "gini": _ratio(found.gini),
        **{f"top_{percent}_percent_share": _ratio(found.top_share(Fraction(percent, 100))) for percent in HEAVIEST},
    }


def _ratio(share: Fraction | None) -> str | None:
    return None if share is None else ratio_text(share)


def _period(period: Period) -> Shape:
    everything = summed(period.everything)
    return {
        "period": period.window.label,
        "partial": period.partial,
        "customers": len(period.whole),
        "joined_or_left": len(period.joined),
        "strangers": len(period.strangers),
        "unnamed_tokens": period.unnamed.tokens,
        "tokens": everything.tokens,
        "cost_usd": pico_text(everything.low),
        "coverage": ratio_text(everything.coverage),
    }
