"""How many tokens a plan may include, over HTTP: every rule's quota for a stored plan, and what would come of it."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field

from planner.api.affording import FLOOR_PLACES
from planner.api.agreements import Day
from planner.api.asked import Moment
from planner.api.body import Count, DecimalText, Name, Sent, UsdText, body_of, described
from planner.api.figures import least, ratio, usd
from planner.api.guard import GuardedRoute, known_view
from planner.api.questions import REFUSALS
from planner.api.shapes import Shape, evidence_shape, policy_shape, standing_shape
from planner.core.errors import InvalidInput
from planner.core.money import budget_text, plain, ratio_text, usd_text
from planner.core.spread import Lognormal, Observed, Pareto, Spread
from planner.core.tier import MTOK
from planner.flows import distribution
from planner.flows.current import View
from planner.flows.distribution import Measured
from planner.flows.quota import Outcome, Simulated, Simulation, simulate
from planner.store.engine import Store
from planner.store.json_text import time_text

router = APIRouter(prefix="/v1", tags=["finance"], route_class=GuardedRoute)

USERS_MAX = 9_000
BEHAVIOUR = (
    "people behave differently once a cap moves: a quota that is seen is used up by some who would not have, so"
    " measure again after a change"
)
FEW = (
    "few customers were observed: nine of ten samples like this one put the quota between the ends of sampled, the"
    " recommendation is the low one, and a tail nobody has shown yet is in neither"
)
_PlanName = Annotated[str, Path(max_length=400, description="id of a plan")]

# Which figures state which kind of spread.
_FIGURES = {
    "lognormal": ("median_tokens", "sigma"),
    "pareto": ("minimum_tokens", "exponent"),
    "observed": ("tokens_per_user",),
    "measured": ("since", "until"),
}
_SENT = {"since": "from", "until": "to"}


class SpreadIn(Sent):
    """How many tokens customers use in a billing period.

    ``lognormal``: ``median_tokens`` and ``sigma``, the standard deviation of the logarithm. ``pareto``: everybody uses
    ``minimum_tokens``, and the share above x falls as x to the -``exponent``. ``observed``: ``tokens_per_user``, one
    count per customer. ``measured``: what the ledger has of the plan's own customers, in its billing periods that lie
    between ``from`` and ``to``.
    """

    kind: Literal["lognormal", "pareto", "observed", "measured"]
    since: Day | None = Field(default=None, alias="from")
    until: Day | None = Field(default=None, alias="to")
    median_tokens: Count | None = None
    sigma: DecimalText | None = None
    minimum_tokens: Count | None = None
    exponent: DecimalText | None = None
    tokens_per_user: Annotated[list[Count], Field(min_length=1, max_length=USERS_MAX)] | None = None

    def spread(self, measured: Measured | None = None) -> Spread:
        """Return the spread in core terms.

        Raises:
            InvalidInput: a figure is missing, belongs to another kind, or is out of bounds.
        """
        wanted = _FIGURES[self.kind]
        for name in (name for names in _FIGURES.values() for name in names):
            if (getattr(self, name) is None) == (name in wanted):
                problem = "is needed" if name in wanted else "belongs to another kind"
                takes = " and ".join(_SENT.get(one, one) for one in wanted)
                raise InvalidInput(f"distribution.{_SENT.get(name, name)}", f"{problem}; {self.kind} takes {takes}")
        try:
            if self.kind == "lognormal":
                return Lognormal(self.median_tokens or 0, float(self.sigma or 0))
            if self.kind == "pareto":
                return Pareto(self.minimum_tokens or 0, float(self.exponent or 0))
            if measured is None:
                return Observed(tuple(self.tokens_per_user or ()))
            return Observed(tuple(tokens for observed in measured.customers for tokens in observed))
        except InvalidInput as error:
            raise InvalidInput(f"distribution.{error.field}", error.problem) from None


class SimulationIn(Sent):
    """A quota for one task of a stored plan.

    ``subscribers`` are the plan's own unless given, and so is ``margin``. ``alpha`` is the share of periods that may
    miss the target margin, ``sigma_g`` the standard deviation of the factor of mean 1 that moves all customers at
    once. ``tail_budget_usd`` bounds what the heaviest share ``alpha`` of customers may cost on average.
    """

    task: Name
    distribution: SpreadIn
    subscribers: Count | None = None
    alpha: DecimalText = Decimal("0.05")
    sigma_g: DecimalText = Decimal("0.20")
    margin: DecimalText | None = None
    tail_budget_usd: UsdText | None = None
    at: Moment | None = None
    known_at: Moment | None = None

    def simulation(self, plan: str, measured: Measured | None = None) -> Simulation:
        """Return the question in core terms; ``measured`` is what the plan's customers used, if that is asked for.

        What they used is also how many they are, what a token costs, and how far all of them move together, unless
        these are said.

        Raises:
            InvalidInput: the distribution is none, or nothing was used.
        """
        asked = Simulation(
            plan=plan, task=self.task, spread=self.distribution.spread(measured), subscribers=self.subscribers,
            alpha=float(self.alpha), sigma_g=float(self.sigma_g), margin=self.margin,
            tail_budget_usd=self.tail_budget_usd, at=self.at,
        )  # fmt: skip
        if measured is None:
            return asked
        return replace(
            asked, usd_per_token=measured.usd_per_token, customers=measured.customers,
            subscribers=measured.customers_now if self.subscribers is None else self.subscribers,
            sigma_g=asked.sigma_g if "sigma_g" in self.model_fields_set else measured.sigma_g or asked.sigma_g,
        )  # fmt: skip


_EXAMPLE = {
    "task": "chat", "distribution": {"kind": "lognormal", "median_tokens": 500000, "sigma": "2.3"},
    "subscribers": 10000, "alpha": "0.05", "sigma_g": "0.20",
}  # fmt: skip


@router.post("/plans/{plan}/simulations", responses=REFUSALS, openapi_extra=described(SimulationIn, _EXAMPLE))
def post_simulation(
    request: Request, plan: _PlanName, body: Annotated[SimulationIn, Depends(body_of(SimulationIn))]
) -> dict[str, Any]:
    """Return the quota of every rule for a stored plan's task, with its margin, its risk and what stays unused."""
    view, now = known_view(request, body.known_at)
    return simulation_answer(request.app.state.store, view, plan, body, now)


def simulation_answer(store: Store, view: View, plan: str, body: SimulationIn, now: datetime) -> Shape:
    """Answer from one view, in the written form."""
    measured = None
    if body.distribution.since is not None and body.distribution.until is not None:
        asked = distribution.Question(plan=plan, since=body.distribution.since, until=body.distribution.until)
        with store.read() as connection:
            measured = distribution.measure(connection, asked, now)
    asking = body.simulation(plan, measured)
    found = simulate(view, asking, now)
    return {
        "plan": plan,
        "task": body.task,
        **simulated_shape(found),
        **measured_shape(measured),
        "alpha": plain(body.alpha),
        "sigma_g": plain(body.sigma_g)
        if asking.sigma_g == float(body.sigma_g)
        else ratio_text(Fraction(asking.sigma_g)),
        **policy_shape(found.api.ask.policy),
        "at": time_text(found.api.ask.at),
        **standing_shape(view, now, found.api.ask.at, [found.api.pick.card]),
    }


def measured_shape(measured: Measured | None) -> Shape:
    """Write what the distribution rests on, where it was measured."""
    if measured is None:
        return {"measured": None}
    sums = measured.everything
    return {
        "measured": {
            "customers": len(measured.customers),
            "observations": measured.tokens.count,
            "periods": sum(not period.partial for period in measured.periods),
            "coverage": ratio_text(sums.coverage),
            "bounds": sums.bounds(paid_for=False),
            "sigma_g": None if measured.sigma_g is None else ratio_text(Fraction(measured.sigma_g)),
        }
    }


def simulated_shape(found: Simulated) -> Shape:
    """Write every rule's quota, in tokens per customer and period, and what it rests on."""
    api, economics = found.api, found.economics
    recommended = found.recommended_tokens
    overage = None if found.overage_usd_per_token is None else found.overage_usd_per_token * MTOK
    return {
        "recommended_quota_tokens": recommended,
        "recommended_quota_requests": None if recommended is None else floor(recommended / api.mix.tokens),
        "items": [outcome_shape(outcome) for outcome in found.outcomes],
        "sampled": None if found.sampled is None else found.sampled._asdict(),
        "overage_usd_per_mtok": least(overage, FLOOR_PLACES),
        "budget_usd": budget_text(found.budget_usd),
        "target_margin": None if economics.margin is None else plain(economics.margin),
        "subscribers": found.portfolio.subscribers,
        "usd_per_mtok": usd_text(found.usd_per_token * MTOK),
        "offer": api.pick.offer.id,
        "price_version": api.pick.card.id,
        "evidence": evidence_shape(api.pick.card),
        "uncapped_cost_usd": usd(found.uncapped_usd),
        "notes": notes(found),
    }


def outcome_shape(outcome: Outcome) -> Shape:
    """Write one rule; a quota of null needs no cap, or has none."""
    return {
        "rule": outcome.rule,
        "quota_tokens": outcome.quota_tokens,
        "expected_cost_usd": _about_usd(outcome.expected_cost_usd),
        "expected_margin": ratio(outcome.expected_margin),
        "margin_at_risk": ratio(outcome.margin_at_risk),
        "miss_probability": ratio_text(Fraction(outcome.miss_probability)),
        "reached_share": ratio_text(Fraction(outcome.reached_share)),
        "breakage": None if outcome.breakage is None else ratio_text(Fraction(outcome.breakage)),
        "tail_cost_usd": _about_usd(outcome.tail_usd),
    }


def _about_usd(amount: Fraction | None) -> str | None:
    # Estimates in floats: a millionth of a dollar is more than they know.
    return None if amount is None else ratio_text(amount, 6)


def notes(found: Simulated) -> list[str]:
    """Say in sentences what the figures take for granted, and what they cannot know."""
    said = [
        BEHAVIOUR,
        "the load of a period over all subscribers is taken as normal; few subscribers with a heavy tail miss more",
        "tokens are priced at the mix of the task, on the recommended offer; other offers and mixes move the quota",
    ]
    if found.portfolio.sigma_g:
        said.append("subscribers are not independent: portfolio counts on a factor that moves all of them at once")
    if not found.api.margin_kept:
        said.append("no offer keeps the margin at the task's stored requests; the price is that without a margin")
    if found.sampled is not None:
        said.append(FEW)
    return said
