"""Finance asks how unevenly the customers of a plan use it: tokens and dollars of each, period by period."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cached_property

from planner.core.distribution import Distribution, at_one_level, sigma_of_common_factor
from planner.core.errors import NotFound
from planner.core.money import PICO
from planner.core.periods import Billing, Window, billing_periods, periods_between, zone_of
from planner.core.plan import Plan
from planner.core.statement import Statement
from planner.flows.cost_basis import use_of
from planner.store import customers, plans, report_sums, revenue
from planner.store.engine import Connection
from planner.store.load import load_fx
from planner.store.report_sums import USAGE, Asked

_HEADS = ("customer", "matched", "source", "cost_basis", "stated_by")
CUT, RUNNING = "cut", "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which plan, and from which day to before which, in which zone.

    Periods that are cut by the range or not over yet, and customers who joined or left within one, are counted apart;
    with ``parts`` they are observations like the others.
    """

    plan: str
    since: date
    until: date
    tz: str = "UTC"
    parts: bool = False


@dataclass(slots=True)
class Period:
    """One billing period: who was on the plan, and what each used.

    ``whole`` are customers who were on the plan all the time it reports, ``joined`` those who were not. Who used
    nothing stands there with nothing. ``strangers`` are ids nobody said the customer of, by source and spelling, and
    ``unnamed`` is use that names nobody. ``partial`` is None for a period that is over and whole.
    """

    window: Window
    partial: str | None
    whole: dict[str, Statement] = field(default_factory=dict)
    joined: dict[str, Statement] = field(default_factory=dict)
    strangers: dict[tuple[str, str], Statement] = field(default_factory=dict)
    unnamed: Statement = field(default_factory=Statement)

    def observed(self, *, parts: bool) -> Mapping[str, Statement]:
        """Return the customers who are observations of the period."""
        if parts:
            return {**self.whole, **self.joined}
        return {} if self.partial else self.whole

    @property
    def everything(self) -> list[Statement]:
        """What was used at all, whoever did."""
        return [*self.whole.values(), *self.joined.values(), *self.strangers.values(), self.unnamed]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What customers of a plan used. ``budget_usd`` is what one may cost per period; None: nothing bounds it."""

    plan: Plan
    asked: Question
    budget_usd: Fraction | None
    periods: Sequence[Period]

    @property
    def observations(self) -> list[tuple[str, Statement]]:
        """Each customer of each period that counts."""
        return [pair for period in self.periods for pair in period.observed(parts=self.asked.parts).items()]

    @property
    def tokens(self) -> Distribution:
        """How tokens are spread over customers and periods."""
        return Distribution(tuple(used.tokens for _customer, used in self.observations))

    @property
    def costs(self) -> Distribution:
        """How costs are, in 1e-12 USD; what has no price is in none of them, so they are at least these."""
        return Distribution(tuple(used.low for _customer, used in self.observations))

    @property
    def months(self) -> list[dict[str, int]]:
        """The tokens of each customer in each period that is whole, in time order."""
        return [
            {customer: used.tokens for customer, used in period.whole.items()}
            for period in self.periods
            if not period.partial
        ]

    @cached_property
    def customers(self) -> tuple[tuple[int, ...], ...]:
        """The tokens of each customer in its whole periods, with what moved all customers taken out of them."""
        return tuple(at_one_level(self.months).values())

    @property
    def sigma_g(self) -> float | None:
        """How far all customers moved together from period to period; None where that cannot be told."""
        return sigma_of_common_factor(self.months)

    @property
    def customers_now(self) -> int | None:
        """How many were on the plan in the last period that is over; None without any."""
        over = [period for period in self.periods if not period.partial]
        return len(over[-1].whole) + len(over[-1].joined) if over else None

    @property
    def everything(self) -> Statement:
        """All use of the plan in that time, of strangers too."""
        return summed(one for period in self.periods for one in period.everything)

    @property
    def usd_per_token(self) -> Fraction | None:
        """What a token cost at the mix that was used, of those whose cost is known; None where none is.

        A cost that is known between two bounds counts as the upper one: a quota is rounded down.
        """
        used = self.everything
        priced = used.tokens - used.unpriced_tokens
        return Fraction(used.high, PICO * priced) if priced else None


def summed(parts: Iterable[Statement]) -> Statement:
    """Return the sum of what was used; revenue is none of it."""
    total = Statement()
    for part in parts:
        total.measures += part.measures
        total.low, total.high = total.low + part.low, total.high + part.high
        total.unpriced_rows += part.unpriced_rows
        total.unpriced_tokens += part.unpriced_tokens
    return total


def measure(connection: Connection, asked: Question, now: datetime) -> Measured:
    """Return what the customers of a plan used, by the time of use.

    A customer counts as on the plan by its assignments; without any to this plan, in a period in which it paid for the
    plan or used it, and then for all of it.

    Raises:
        NotFound: no such plan; or no exchange rate of its price is known.
        InvalidInput: no range of days, or no such zone.
    """
    plan = plans.load(connection).get(asked.plan)
    if plan is None:
        raise NotFound("plan", asked.plan[:80])
    cut = billing_periods(asked.since, asked.until, plan.period, zone_of(asked.tz))
    cut = [one for one in cut if one.window.start <= now] or cut[:1]
    found = [Period(one.window, _partial(one, now)) for one in cut]
    _use(connection, plan.id, found)
    _join(connection, plan.id, found, now)
    day = min(now.date(), asked.until - timedelta(days=1))
    return Measured(plan=plan, asked=asked, budget_usd=plan.budget_usd(day, load_fx(connection)), periods=tuple(found))


def _partial(one: Billing, now: datetime) -> str | None:
    if one.window.end > now:
        return RUNNING
    return None if one.whole else CUT


def _use(connection: Connection, plan: str, found: Sequence[Period]) -> None:
    asked = Asked(
        windows=[period.window for period in found], heads=_HEADS, basis=USAGE, where=(("plan", (plan,)),)
    )  # fmt: skip
    for (number, values), measures in report_sums.facts(connection, asked).items():
        said = dict(zip(_HEADS, values, strict=True))
        use_of(_whose(found[number], said), measures, said["cost_basis"], said["stated_by"])


def _whose(period: Period, said: Mapping[str, str]) -> Statement:
    if not said["customer"]:
        return period.unnamed
    if not said["matched"]:
        return period.strangers.setdefault((said["source"], said["customer"]), Statement())
    return period.whole.setdefault(said["customer"], Statement())


def _join(connection: Connection, plan: str, found: Sequence[Period], now: datetime) -> None:
    """Add who used nothing, and tell those apart who were not on the plan all the time."""
    first, last = found[0].window.start, found[-1].window.end
    assigned = customers.on_plan(connection, plan)
    paid = revenue.payers(connection, plan, periods_between(first, last - timedelta(seconds=1)))
    for period in found:
        window = period.window
        months = set(periods_between(window.start, window.end - timedelta(seconds=1)))
        payers = {customer for month in months for customer in paid.get(month, ())}
        until = min(window.end, now)
        spans = {
            customer: [one for one in told if one[0] < until and (one[1] is None or one[1] > window.start)]
            for customer, told in assigned.items()
        }
        for customer in payers | {customer for customer, told in spans.items() if told}:
            period.whole.setdefault(customer, Statement())
        for customer in [one for one in period.whole if one in assigned]:
            if not _covered(spans[customer], window.start, until):
                period.joined[customer] = period.whole.pop(customer)


def _covered(spans: Sequence[tuple[datetime, datetime | None]], start: datetime, until: datetime) -> bool:
    """Tell whether spans in time order leave nothing of a time out."""
    for since, end in spans:
        if since > start:
            return False
        if end is None:
            return True
        start = max(start, end)
    return start >= until
