"""The figures of one line of a report: revenue, costs and what is left, and how much of it is known."""

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from planner.core.margin import Margin, Markup
from planner.core.money import PICO, pico_text, plain, ratio_text
from planner.core.posting import RATED, REPORTED, Measures


class Takings(NamedTuple):
    """What came in, in 1e-12 USD: revenue net of tax, refunds, payment fees, tax, and what else the customer cost."""

    revenue: int = 0
    refund: int = 0
    fee: int = 0
    tax: int = 0
    other: int = 0

    def plus(self, other: "Takings", sign: int = 1) -> "Takings":
        """Return the sum with others, or with -1 the difference."""
        return Takings(*(one + sign * two for one, two in zip(self, other, strict=True)))


@dataclass(slots=True)
class Statement:
    """Sums of usage and takings under one combination of heads; amounts in 1e-12 USD.

    ``low`` and ``high`` bound the token cost of the rows that have one, by whichever figure was asked for; what has
    none is counted in ``unpriced_rows`` and ``unpriced_tokens`` and never as 0 dollars. ``free_burn`` is the part of
    ``low`` that plans without a price used. ``tax_unknown`` is the revenue of which nobody said how much is tax,
    ``unconverted`` what could not be turned into dollars; ``paid``: something came in,
    or was worth nothing, as a trial is. ``assumed`` are the payment fees that nobody stated, as plans say.
    ``committed`` is what commitments cost beside ``low``, and ``committed_high`` beside ``high``: below 0 they saved.
    """

    measures: Measures = Measures()  # noqa: RUF009  # immutable
    low: int = 0
    high: int = 0
    reported: int = 0
    unpriced_rows: int = 0
    unpriced_tokens: int = 0
    free_burn: int = 0
    takings: Takings = Takings()  # noqa: RUF009  # immutable
    tax_unknown: int = 0
    assumed: int = 0
    unconverted: dict[str, Decimal] = field(default_factory=dict)
    paid: bool = False
    committed: int = 0
    committed_high: int = 0

    def use(self, measures: Measures, basis: str | None, *, reported: bool, free: bool) -> None:
        """Add usage whose cost is that of ``basis``; None: it has none. ``reported``: who bills it stated its cost."""
        self.measures += measures
        self.reported += measures.stated if reported else 0
        low = high = 0
        if basis == RATED:
            low, high = measures.cost, measures.high
        elif basis == REPORTED:
            low = high = measures.stated
        else:
            self.unpriced_rows += measures.rows
            self.unpriced_tokens += measures.input_tokens + measures.output_tokens
        self.low, self.high = self.low + low, self.high + high
        self.free_burn += low if free else 0

    def take(
        self, takings: Takings, *, tax_unknown: bool, unconverted: str, lines: int = 1, assumed: bool = False
    ) -> None:
        """Add what came in: so many lines, each of which left an amount such as ``EUR 46.85`` in its own currency.

        ``assumed``: a plan says so, and no source.
        """
        self.paid = True
        self.assumed += takings.fee if assumed else 0
        self.takings = self.takings.plus(takings)
        self.tax_unknown += takings.revenue if tax_unknown else 0
        if unconverted:
            currency, _, amount = unconverted.partition(" ")
            # What is taken back elsewhere leaves nothing that is not in dollars.
            left = self.unconverted.pop(currency, Decimal(0)) + Decimal(amount) * lines
            self.unconverted |= {currency: left} if left else {}

    def commit(self, low: int, high: int) -> None:
        """Add what commitments cost beside the token cost at its least, and at its most."""
        self.committed, self.committed_high = self.committed + low, self.committed_high + high

    @property
    def empty(self) -> bool:
        """Whether there is nothing to say."""
        return not (any(self.measures) or self.paid or self.committed or self.committed_high)

    @property
    def net(self) -> int:
        """Revenue after refunds."""
        return self.takings.revenue - self.takings.refund

    @property
    def costs(self) -> int:
        """All costs, with what tokens cost at least."""
        return self.least + self.takings.fee + self.takings.other

    @property
    def least(self) -> int:
        """What usage and the commitments for it cost at least."""
        return self.low + self.committed

    @property
    def most(self) -> int:
        """What they may cost at most, of what is known."""
        return self.high + self.committed_high

    @property
    def gross_profit(self) -> int:
        """What is left after all costs."""
        return self.net - self.costs

    @property
    def contribution(self) -> int:
        """What is left after tokens and payment fees."""
        return self.gross_profit + self.takings.other

    @property
    def tokens(self) -> int:
        """All tokens, in and out."""
        return self.measures.input_tokens + self.measures.output_tokens

    @property
    def coverage(self) -> Fraction:
        """The share of tokens whose cost is known; all of none."""
        return Fraction(self.tokens - self.unpriced_tokens, self.tokens) if self.tokens else self.coverage_rows

    @property
    def coverage_rows(self) -> Fraction:
        """The share of rows whose cost is known."""
        rows = self.measures.rows
        return Fraction(rows - self.unpriced_rows, rows) if rows else Fraction(1)

    def margin(self, usage_cost: int, *, contribution: bool = False) -> Margin | None:
        """Return the margin at a cost of usage: after payment fees alone, or after everything. None without revenue."""
        costs = usage_cost + self.takings.fee + (0 if contribution else self.takings.other)
        # Fees that were given back can be more than all others: there is no such share then.
        if self.net <= 0 or costs < 0:
            return None
        return Margin.of(Fraction(self.net, PICO), Fraction(costs, PICO))

    def bounds(self, *, paid_for: bool = True) -> str | None:
        """Return why figures are bounds: ``tax_unknown, unpriced``; None where they are exact.

        With ``tax_unknown`` revenue and what is left of it are at most what is said, with ``unpriced`` costs at least,
        ``cost_bounds`` are costs that are known between two figures, ``unconverted`` is revenue that is not in dollars.
        """
        reasons = {
            "tax_unknown": paid_for and self.tax_unknown,
            "unpriced": self.unpriced_rows,
            "cost_bounds": self.least != self.most,
            "unconverted": paid_for and self.unconverted,
        }
        return ", ".join(name for name, so in reasons.items() if so) or None

    def shape(self, *, paid_for: bool = True, commitments: bool = False) -> dict[str, Any]:
        """Return the figures as texts, null where nobody knows.

        A margin is known where every cost is: no row is unpriced, none has bounds only, and all revenue is in dollars.
        Otherwise ``margin_max`` is what it is at most, and ``margin_min`` at least, where costs have an upper bound.
        Where nobody said how much of the revenue is tax, it is at most what stands there. ``bounds`` names what keeps
        figures from being exact; null where nothing does.

        Args:
            paid_for: whether revenue is earned by what the line is about; a model or a task earns none by itself.
            commitments: whether any commitment was known: only then is what they cost a figure of the line.
        """
        complete = not self.unpriced_rows
        exact = complete and self.least == self.most and not self.unconverted
        takings = self.takings
        most, least = self.margin(self.least), self.margin(self.most)
        known = paid_for and exact
        bounded = paid_for and not exact and not self.unconverted
        return {
            "revenue_usd": pico_text(self.net) if paid_for else None,
            "gross_revenue_usd": pico_text(takings.revenue + takings.tax) if paid_for else None,
            "refunds_usd": pico_text(takings.refund) if paid_for else None,
            "tax_usd": pico_text(takings.tax) if paid_for else None,
            "tax_unknown_usd": pico_text(self.tax_unknown) if paid_for else None,
            "unconverted": {name: plain(amount) for name, amount in sorted(self.unconverted.items())}
            if paid_for
            else None,
            "token_cost_usd": pico_text(self.low),
            "token_cost_max_usd": pico_text(self.high) if complete else None,
            **({"commitments_usd": pico_text(self.committed)} if commitments else {}),
            "list_cost_usd": pico_text(self.measures.list),
            "reported_cost_usd": pico_text(self.reported),
            "payment_fees_usd": pico_text(takings.fee) if paid_for else None,
            "payment_fees_assumed_usd": pico_text(self.assumed) if paid_for else None,
            "other_costs_usd": pico_text(takings.other) if paid_for else None,
            "gross_profit_usd": pico_text(self.gross_profit) if known else None,
            "margin": _ratio(most) if known else None,
            "margin_max": _ratio(most) if bounded else None,
            "margin_min": _ratio(least) if bounded and complete and not self.tax_unknown else None,
            "bounds": self.bounds(paid_for=paid_for),
            "markup": _markup(self.net, self.costs) if known else None,
            "contribution_usd": pico_text(self.contribution) if known else None,
            "contribution_margin": _ratio(self.margin(self.least, contribution=True)) if known else None,
            "coverage": ratio_text(self.coverage),
            "coverage_rows": ratio_text(self.coverage_rows),
            "rows": self.measures.rows,
            "requests": self.measures.requests,
            "input_tokens": self.measures.input_tokens,
            "output_tokens": self.measures.output_tokens,
            "unpriced_rows": self.unpriced_rows,
            "unpriced_tokens": self.unpriced_tokens,
            "free_burn_usd": pico_text(self.free_burn),
        }


def _ratio(margin: Margin | None) -> str | None:
    return None if margin is None else ratio_text(margin.ratio)


def _markup(net: int, costs: int) -> str | None:
    """Return what is left as a share of the costs; None where there are none, or less came in than went back."""
    return ratio_text(Markup(Fraction(net - costs, costs)).ratio) if costs > 0 and net >= 0 else None
