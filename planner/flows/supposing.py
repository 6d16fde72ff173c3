"""What a what-if is asked, and the figures of its answer: costs, takings and margins before and after, term by term."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from planner.core.decompose import METHODS, SEQUENTIAL, terms
from planner.core.errors import InvalidInput, NotFound
from planner.core.money import half_even, pico_text, ratio_text, usd_text
from planner.core.periods import Window, windows, zone_of
from planner.core.plan import Plan
from planner.core.scenario import Dimension, Scenario
from planner.core.statement import Statement, Takings
from planner.core.supposed_revenue import Ratios
from planner.core.tally import UNPRICED, Tally
from planner.flows.cost_basis import usd_per_unit
from planner.store import plans, revenue
from planner.store.engine import Connection
from planner.store.load import load_fx

HEADS = ("plan", "task", "customer", "model", "provider", "offer")
PAID_FOR = frozenset({"plan", "customer"})
"""What somebody pays for; a model or a task earns nothing by itself."""

_SHOWN = (
    "revenue_usd", "token_cost_usd", "token_cost_max_usd", "payment_fees_usd", "other_costs_usd", "gross_profit_usd",
    "margin", "margin_max", "margin_min", "bounds", "coverage", "coverage_rows", "rows", "input_tokens",
    "output_tokens", "unpriced_rows", "unpriced_tokens",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which usage is replayed, under which scenario, and how the difference is told.

    ``until`` is the day after the last one, ``where`` are values that heads must have, ``by`` the heads of rows beside
    the total. ``method`` is one of `planner.core.decompose.METHODS`.
    """

    since: date
    until: date
    tz: str = "UTC"
    scenario: Scenario = field(default_factory=Scenario)
    where: Mapping[str, frozenset[str]] = field(default_factory=dict)
    by: tuple[str, ...] = ()
    method: str = SEQUENTIAL
    reporting_currency: str = "USD"

    def __post_init__(self) -> None:
        """Refuse what is no question.

        Raises:
            InvalidInput: an unknown head or method, or a currency that nothing is reported in.
        """
        for name in (*self.by, *self.where):
            if name not in HEADS:
                raise InvalidInput("by", f"of {', '.join(HEADS)} is needed")
        if len(set(self.by)) < len(self.by):
            raise InvalidInput("by", "each head once")
        if self.method not in METHODS:
            raise InvalidInput("method", f"one of {', '.join(METHODS)} is needed")

    @property
    def window(self) -> Window:
        """The time that is replayed.

        Raises:
            InvalidInput: no range of days, or no such zone.
        """
        months = windows(self.since, self.until, "month", zone_of(self.tz))
        return Window("", months[0].start, months[-1].end)

    @property
    def changed(self) -> tuple[Dimension, ...]:
        """What is supposed to be otherwise, in the order in which it is put in place."""
        return self.scenario.changed

    @property
    def earns(self) -> bool:
        """Whether somebody paid for what is asked about; a model or a task earns nothing by itself."""
        return frozenset(self.where) <= PAID_FOR


@dataclass(frozen=True, slots=True)
class Plans:
    """Plans as they are on record, how they are supposed to be, and what currencies are worth on the last day."""

    asked: Question
    listed: Mapping[str, Plan]
    rate: Fraction
    """Dollars for one unit of the currency that is supposed to be worth something else, or that is reported in."""

    @classmethod
    def of(cls, connection: Connection, asked: Question) -> "Plans":
        """Read them.

        Raises:
            NotFound: no such plan, or no exchange rate is known.
            InvalidInput: what a plan is supposed to be cannot be set against what it is.
        """
        scenario, currency = asked.scenario, asked.reporting_currency
        if scenario.fx is not None and currency not in ("USD", scenario.fx.code):
            raise InvalidInput("reporting_currency", "the one that is supposed to be worth something else, or USD")
        code = currency if scenario.fx is None else scenario.fx.code
        listed = plans.load(connection)
        for change in scenario.plans:
            plan = listed.get(change.plan)
            if plan is None:
                raise NotFound("plan", change.plan)
            if change.price is not None and not plan.price:
                raise InvalidInput("plans.price", f"{plan.id} is free: nothing that came in can be scaled to a price")
            if change.subscribers is not None and not plan.subscribers:
                raise InvalidInput("plans.subscribers", f"nobody said how many {plan.id} has: planner plans set does")
        return cls(
            asked, listed, usd_per_unit(code, asked.window, load_fx(connection)) if code != "USD" else Fraction(1)
        )

    def volumes(self) -> dict[str, Fraction]:
        """Return how many times as many subscribers plans are supposed to have."""
        return {
            change.plan: Fraction(change.subscribers, self.listed[change.plan].subscribers or 1)
            for change in self.asked.scenario.plans
            if change.subscribers is not None
        }

    def target(self, plan_id: str) -> Fraction:
        """Return the margin a plan is to keep; one without a target is to lose nothing."""
        plan = self.listed.get(plan_id)
        return Fraction(0) if plan is None or plan.margin is None else Fraction(plan.margin)

    def ratios(self, plan_id: str) -> Ratios:
        """Return how many times what it was everything of a plan is supposed to be."""
        plan, fx = self.listed.get(plan_id), self.asked.scenario.fx
        if plan is None:
            return Ratios()
        price = next((one.price for one in self.asked.scenario.plans if one.plan == plan_id), None)
        return Ratios(
            volume=self.volumes().get(plan_id, Fraction(1)),
            price=Fraction(1) if price is None else Fraction(price) / Fraction(plan.price),
            fx=Fraction(fx.usd_per_unit) / self.rate if fx is not None and plan.currency == fx.code else Fraction(1),
            fee_share=Fraction(plan.payment_fee_percent) / 100,
        )

    def reporting(self, sums: "Sums") -> dict[str, Any] | None:
        """Write the cost in the reporting currency: until its own change each step at the rate on record."""
        asked = self.asked
        if asked.reporting_currency == "USD":
            return None
        fx = asked.scenario.fx
        after = self.rate if fx is None else Fraction(fx.usd_per_unit)
        place = asked.changed.index(Dimension.FX) if fx is not None else 0
        rates = [after if fx is not None and state >> place & 1 else self.rate for state in sums.states]
        tally = sums.tally
        # Rows that have no price in some state stay what they were, until the last step.
        constant = tally.apart[1] + tally.one_sided[1]
        values = [_converted(value + constant, rate) for value, rate in zip(tally.values, rates, strict=True)]
        ends = _converted(tally.after.low, rates[-1])
        found = dict(zip(asked.changed, terms(values, len(asked.changed), asked.method), strict=True))
        told = [{"term": name.value, "amount": pico_text(amount)} for name, amount in found.items()]
        if ends != values[-1]:
            told.append({"term": UNPRICED, "amount": pico_text(ends - values[-1])})
        return {
            "currency": asked.reporting_currency, "units_before": usd_text(self.rate), "units_after": usd_text(after),
            "token_cost_before": pico_text(values[0]), "token_cost_after": pico_text(ends),
            "difference": pico_text(ends - values[0]), "terms": told,
        }  # fmt: skip


def _converted(pico: int, rate: Fraction) -> int:
    return half_even(pico * rate.denominator, rate.numerator)


class Sums:
    """What some rows, and those who paid for them, come to in every state."""

    def __init__(self, asked: Question, known: Plans, states: Sequence[int]) -> None:
        """Begin with nothing."""
        self.states, self.tally = states, Tally([0] * len(states))
        self._asked, self._known = asked, known
        self._takings, self._kept = [Takings()] * len(states), [Fraction()] * len(states)
        self._earned = Statement()

    def earn(self, plan: str, earned: Statement) -> None:
        """Add what came in for a plan."""
        ratios, changed = self._known.ratios(plan), self._asked.changed
        for number, state in enumerate(self.states):
            happened = {one for place, one in enumerate(changed) if state >> place & 1}
            supposed = ratios.supposed(earned.takings, happened)
            self._takings[number] = self._takings[number].plus(supposed)
            self._kept[number] += self._known.target(plan) * (supposed.revenue - supposed.refund)
        self._earned.paid = True
        self._earned.tax_unknown += earned.tax_unknown
        for currency, amount in earned.unconverted.items():
            self._earned.unconverted[currency] = self._earned.unconverted.get(currency, 0) + amount

    def shape(self, *, paid_for: bool) -> dict[str, Any]:
        """Write both sides and every term; what nobody knows is null."""
        before, after = self._side(0), self._side(-1)
        cost = self.tally.terms(self._asked.changed, self._asked.method)
        return {
            "before": shown(before, paid_for=paid_for),
            "after": shown(after, paid_for=paid_for),
            "difference_usd": pico_text(after.low - before.low),
            "terms": written(cost),
            "profit": self._profit(before, after, cost) if paid_for else None,
        }

    def _side(self, place: int) -> Statement:
        side = self.tally.after if place else self.tally.before
        found = side.statement()
        found.paid, found.takings = self._earned.paid, self._takings[place]
        found.tax_unknown, found.unconverted = self._earned.tax_unknown, self._earned.unconverted
        return found

    def _profit(self, before: Statement, after: Statement, cost: Mapping[str, int]) -> dict[str, Any] | None:
        """Write what is left after all costs, term by term; None where a cost or a part of the revenue is not known."""
        if any(one.unpriced_rows or one.low != one.high or one.unconverted for one in (before, after)):
            return None
        left = [
            takings.revenue - takings.refund - takings.fee - takings.other - value
            for takings, value in zip(self._takings, self.tally.values, strict=True)
        ]
        changed = self._asked.changed
        found: dict[str, int] = dict(zip(changed, terms(left, len(changed), self._asked.method), strict=True))
        found |= {name: -amount for name, amount in cost.items() if name not in found}
        return {
            "before_usd": pico_text(before.gross_profit), "after_usd": pico_text(after.gross_profit),
            "difference_usd": pico_text(after.gross_profit - before.gross_profit), "terms": written(found),
            "break_even_rise_before": self._rise(before, 0), "break_even_rise_after": self._rise(after, -1),
        }  # fmt: skip

    def _rise(self, side: Statement, place: int) -> str | None:
        """Write by which share token prices may rise before plans miss their targets, below 0 where they do."""
        return ratio_text((side.gross_profit - self._kept[place]) / side.low) if side.low else None


def earned(
    connection: Connection, window: Window, where: Mapping[str, frozenset[str]], by: Sequence[str]
) -> dict[tuple[str, str], Statement]:
    """Return what plans, and customers where they are asked for, brought in; nothing where nobody pays for it."""
    found: dict[tuple[str, str], Statement] = {}
    if not frozenset(where) <= PAID_FOR:
        return found
    by_customer = "customer" in (*by, *where)
    taken = revenue.sums(connection, [window], by_customer=by_customer, booked=False, known_at=None)
    for place, (takings, lines) in taken.items():
        said = {"plan": place.plan, "customer": place.customer}
        if all(said[name] in values for name, values in where.items()):
            statement = found.setdefault((place.plan, place.customer), Statement())
            statement.take(takings, tax_unknown=place.tax_unknown, unconverted=place.unconverted, lines=lines)
    return found


def shown(statement: Statement, *, paid_for: bool) -> dict[str, Any]:
    """Write the figures of one side; what nobody knows is null."""
    figures = statement.shape(paid_for=paid_for)
    return {name: figures[name] for name in _SHOWN}


def written(found: Mapping[str, int]) -> list[dict[str, str]]:
    """Write terms in their order."""
    return [{"term": str(name), "usd": pico_text(amount)} for name, amount in found.items()]
