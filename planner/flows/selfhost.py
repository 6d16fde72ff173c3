"""Finance asks whether to rent machines: the demand of a task, on machines of one's own and by the API it is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from planner.core.ask import Ask
from planner.core.errors import InvalidInput, NothingCompliant
from planner.core.hosting_verdict import Case, Reason, decide
from planner.core.plan import MONTHS
from planner.core.selfhost import BreakEven, Fleet, Hosting, Mix, Point, break_even, curve, fleet
from planner.core.tier import MTOK
from planner.flows.answer import Question, ask_of
from planner.flows.blended import Blended, blended, mix_of
from planner.flows.current import View

# Where no volumes are named, the demand is shown smaller and larger than it is.
SHARES = (Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(2), Fraction(4))


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """How many customers send the task's requests, per which period, and how far the peak lies above the mean.

    Of a stored plan, ``customers`` None are its subscribers, and the period is its own.
    """

    customers: int | None = None
    period: str | None = None
    peak_to_mean: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighing:
    """The question: what is asked of an offer, the demand, the machines, and which of the three reasons hold.

    ``hosting`` says what a replica is for requests of a mix: how fast it is may depend on it. ``volumes_tokens`` are
    monthly volumes to show besides.
    """

    question: Question
    demand: Demand
    hosting: Callable[[Mix], Hosting]
    privacy_required: bool = False
    fine_tuned_model: bool = False
    fixed_workload: bool = False
    volumes_tokens: Sequence[Fraction] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """The answer. ``api`` None: no offer is compliant. ``break_even`` None: there is none."""

    ask: Ask
    api: Blended | None
    mix: Mix
    hosting: Hosting
    customers: int
    period: str
    peak_to_mean: Fraction
    tokens_per_month: Fraction
    fleet: Fleet
    break_even: BreakEven | None
    curve: tuple[Point, ...]
    verdict: str
    reasons: tuple[Reason, ...]

    @property
    def api_usd_per_mtok(self) -> Fraction | None:
        """The API's price per million tokens at the same mix."""
        return None if self.api is None else self.api.usd_per_token * MTOK

    @property
    def usd_per_mtok(self) -> Fraction | None:
        """What a million tokens cost here at the demand's own utilisation, everything included; None of no demand."""
        return self.fleet.usd_per_month / self.tokens_per_month * MTOK if self.tokens_per_month else None

    @property
    def rent_usd_per_mtok(self) -> Fraction | None:
        """The rent alone per million tokens, at the demand's own utilisation; None of no demand."""
        variable = self.tokens_per_month * self.hosting.variable_usd_per_mtok / MTOK
        rent = self.fleet.usd_per_month - self.hosting.ops_usd_per_month - variable
        return rent / self.tokens_per_month * MTOK if self.tokens_per_month else None

    @property
    def usd_per_mtok_at_utilisation_max(self) -> Fraction:
        """What a million tokens would cost here were the same replicas always as busy as they may be."""
        served = self.fleet.capacity_tokens * self.hosting.utilisation_max
        variable = self.hosting.variable_usd_per_mtok
        fixed = self.fleet.usd_per_month - self.tokens_per_month * variable / MTOK
        return fixed / served * MTOK + variable


def weigh(view: View, asked: Weighing, default_policy: str, now: datetime) -> Weighed:
    """Compare machines of one's own with the offer that is recommended for the same question.

    Raises:
        InvalidInput: the demand is not stated, or a figure does not fit.
        NoAnswer: what is asked of an offer has no answer for another reason than that nothing is compliant.
    """
    ask = ask_of(view.catalogue, asked.question, default_policy, now)
    customers, period = _demanded(view, asked)
    try:
        api = blended(view, ask)
    except NothingCompliant:
        api = None
    mix = mix_of(ask.workload) if api is None else api.mix
    hosting, peak = asked.hosting(mix), asked.demand.peak_to_mean
    tokens = ask.workload.requests_per_period * customers / MONTHS[period] * mix.tokens
    chosen = fleet(hosting, tokens, peak)
    price = None if api is None else api.usd_per_token * MTOK
    even = None if price is None else break_even(hosting, price, peak)
    case = Case(
        fleet=chosen,
        api_usd_per_month=None if price is None else price * tokens / MTOK,
        break_even=even,
        peak_to_mean=peak,
        utilisation_max=hosting.utilisation_max,
        privacy_required=asked.privacy_required,
        fine_tuned_model=asked.fine_tuned_model,
        fixed_workload=asked.fixed_workload,
    )
    verdict, reasons = decide(case)
    if api is not None and not api.margin_kept:
        says = "no offer keeps the margin; the API's side is what would be told if none were asked"
        reasons = (*reasons, Reason("margin_unreachable", says))
    volumes = asked.volumes_tokens or [share * tokens for share in SHARES]
    return Weighed(
        ask=ask, api=api, mix=mix, hosting=hosting, customers=customers, period=period, peak_to_mean=peak,
        tokens_per_month=tokens, fleet=chosen, break_even=even, curve=curve(hosting, price, volumes, peak),
        verdict=verdict, reasons=reasons,
    )  # fmt: skip


def _demanded(view: View, asked: Weighing) -> tuple[int, str]:
    demand, plan_id = asked.demand, asked.question.plan
    if plan_id is None:
        if demand.customers is None:
            raise InvalidInput("demand.customers", "how many customers send these requests is needed")
        return demand.customers, demand.period or "month"
    plan = view.catalogue.plans[plan_id]
    if demand.period is not None:
        raise InvalidInput("demand.period", "a stored plan brings its own period")
    customers = plan.subscribers if demand.customers is None else demand.customers
    if customers is None:
        raise InvalidInput("demand.customers", "the plan does not say how many subscribers it has")
    return customers, plan.period
