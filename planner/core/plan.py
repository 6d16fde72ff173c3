"""What a plan can afford: the token budget that a price, its fees and a target margin leave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction

from planner.core.errors import InvalidInput
from planner.core.fx import FxRate, to_usd
from planner.core.margin import Margin, price_floor_usd
from planner.core.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Economics:
    """What one customer pays per period and what of it is gone before tokens are paid; amounts in USD.

    ``payment_fee_percent`` is of the revenue, ``payment_fee_fixed_usd`` per charge. ``margin`` is the
    target gross margin as a ratio below 1, after payment fees and other costs; None sets no target.
    """

    revenue_usd: Decimal
    payment_fee_percent: Decimal = Decimal(0)
    payment_fee_fixed_usd: Decimal = Decimal(0)
    charges_per_period: int = 1
    other_costs_usd: Decimal = Decimal(0)
    margin: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse amounts no plan can have, and a margin target without revenue to take it from."""
        for name in ("revenue_usd", "payment_fee_percent", "payment_fee_fixed_usd", "other_costs_usd"):
            value: Decimal = getattr(self, name)
            if value < 0:
                raise InvalidInput(name, "must not be negative")
        if self.charges_per_period < 0:
            raise InvalidInput("charges_per_period", "must not be negative")
        if self.margin is not None and not -100 <= self.margin < 1:  # noqa: PLR2004  # a margin of 1 leaves no cost at all
            raise InvalidInput("margin", "a ratio below 1 is needed, such as 0.70")
        if self.margin is not None and self.revenue_usd == 0:
            raise InvalidInput("margin", "a margin target needs revenue above 0")

    @property
    def fees_usd(self) -> Fraction:
        """Payment fees per period."""
        percent = Fraction(self.payment_fee_percent) / 100
        return percent * Fraction(self.revenue_usd) + Fraction(self.payment_fee_fixed_usd) * self.charges_per_period

    @property
    def budget_usd(self) -> Fraction | None:
        """Return the token budget per period that keeps the target margin, or None without a target."""
        if self.margin is None:
            return None
        kept = Fraction(self.revenue_usd) * (1 - Fraction(self.margin))
        return kept - self.fees_usd - Fraction(self.other_costs_usd)

    def margin_at(self, cost_usd_per_period: Fraction) -> Fraction | None:
        """Return the margin at a token cost per period; None without revenue."""
        revenue = Fraction(self.revenue_usd)
        if not revenue:
            return None
        return (revenue - self.fees_usd - Fraction(self.other_costs_usd) - cost_usd_per_period) / revenue

    def minimum_price_usd(self, cost_usd_per_period: Fraction) -> Fraction | None:
        """Return the lowest price per period that reaches the target at this token cost; None where none does."""
        if self.margin is None:
            return None
        fixed = Fraction(self.payment_fee_fixed_usd) * self.charges_per_period + Fraction(self.other_costs_usd)
        return price_floor_usd(cost_usd_per_period + fixed, Margin(Fraction(self.margin)), self.payment_fee_percent)

    def overage_usd(self, cost_usd: Fraction) -> Fraction | None:
        """Return the least to charge for what costs so much beyond a quota; None without a target, or where none does.

        Fixed fees and other costs are not in it: the price of the plan has paid for them.
        """
        if self.margin is None:
            return None
        return price_floor_usd(cost_usd, Margin(Fraction(self.margin)), self.payment_fee_percent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a task needs of an offer. ``None`` and empty ask nothing; an unknown that is asked for refuses.

    ``models`` are canonical ids; ``tiers`` are labels 1 to 3; ``quality_min`` is a score on
    ``quality_index``, which without a minimum only says by which scores an objective decides; ``ttft_ms_max`` in
    milliseconds, ``throughput_tps_min`` in tokens per second; ``service_tiers`` in order of preference.
    """

    kind: str = "chat"
    output_modalities: tuple[str, ...] = ("text",)
    input_modalities: tuple[str, ...] = ()
    service_tiers: tuple[str, ...] = ("standard",)
    capabilities: tuple[str, ...] = ()
    context_tokens: int | None = None
    models: tuple[str, ...] | None = None
    tiers: tuple[int, ...] | None = None
    quality_index: str | None = None
    quality_min: Decimal | None = None
    ttft_ms_max: int | None = None
    throughput_tps_min: Decimal | None = None
    regions: tuple[str, ...] | None = None


OBJECTIVES = ("cheapest", "best_quality", "fastest", "balanced")
STAGES = ("prototype", "internal", "production")
MONTHS: Mapping[str, Fraction] = {
    "day": Fraction(12, 365), "week": Fraction(84, 365), "month": Fraction(1), "quarter": Fraction(3),
    "year": Fraction(12),
}  # fmt: skip
"""Months in each billing period, of a year of 365 days."""

PERIODS = tuple(MONTHS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A workload profile of a plan, with its needs, and policies of its own besides those of the plan.

    ``stage`` says how far the product is: a prototype wants one key for everything, production wants no single
    provider that can take it down.
    """

    id: str
    workload: Workload
    needs: Needs = field(default_factory=Needs)
    objective: str = "cheapest"
    fallbacks: int = 2
    policies: tuple[str, ...] = ()
    stage: str = "production"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What customers buy: its price, its policies, all of which must pass, and its tasks by id.

    ``price`` is in ``currency`` per ``period``; `economics` says what that is in USD. ``customer_budget_usd`` is what
    one customer may use up in a period where it is not what the margin leaves. ``subscribers`` None is not known.
    ``tax_inclusive_rate`` is the tax within the price, 0.19 where 119 are paid for 100; None: nobody said.
    ``allow_tier1`` False keeps the dearest tier from the plan. ``version`` counts what was written over HTTP
    or by hand; ``demo`` marks the bundled examples.
    """

    id: str
    name: str
    price: Decimal
    policies: tuple[str, ...]
    tasks: tuple[Task, ...] = ()
    currency: str = "USD"
    period: str = "month"
    margin: Decimal | None = None
    payment_fee_percent: Decimal = Decimal(0)
    payment_fee_fixed_usd: Decimal = Decimal(0)
    charges_per_period: int = 1
    other_costs_usd: Decimal = Decimal(0)
    customer_budget_usd: Decimal | None = None
    tax_inclusive_rate: Decimal | None = None
    subscribers: int | None = None
    allow_tier1: bool = True
    demo: bool = False
    version: int = 1

    def __post_init__(self) -> None:
        """Refuse amounts no plan can have, in whatever currency."""
        Economics(
            revenue_usd=self.price,
            payment_fee_percent=self.payment_fee_percent,
            payment_fee_fixed_usd=self.payment_fee_fixed_usd,
            charges_per_period=self.charges_per_period,
            other_costs_usd=self.other_costs_usd,
            margin=self.margin,
        )
        for name in ("customer_budget_usd", "tax_inclusive_rate"):
            value: Decimal | None = getattr(self, name)
            if value is not None and value < 0:
                raise InvalidInput(name, "must not be negative")

    def economics(self, day: date, rates: Sequence[FxRate] = ()) -> Economics:
        """Return what a customer of the plan pays and costs in USD, at the exchange rate of a day.

        Raises:
            NotFound: the price is in a currency without a rate for that day.
        """
        return Economics(
            revenue_usd=to_usd(self.price, self.currency, day, rates),
            payment_fee_percent=self.payment_fee_percent,
            payment_fee_fixed_usd=self.payment_fee_fixed_usd,
            charges_per_period=self.charges_per_period,
            other_costs_usd=self.other_costs_usd,
            margin=self.margin,
        )

    def budget_usd(self, day: date, rates: Sequence[FxRate] = ()) -> Fraction | None:
        """Return what one customer may use up in a period, in USD: as stated, else what the margin leaves, if any."""
        if self.customer_budget_usd is not None:
            return Fraction(self.customer_budget_usd)
        return self.economics(day, rates).budget_usd

    def task(self, task_id: str) -> Task | None:
        """Return a task of this plan by id."""
        return next((task for task in self.tasks if task.id == task_id), None)
