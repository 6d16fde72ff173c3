"""What-if over HTTP: real usage replayed under a scenario, or set against another period, told cause by cause."""

import threading
from collections.abc import Callable
from fractions import Fraction
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import Field, model_validator

from planner.api.agreements import Day
from planner.api.asked import RATES_MAX, Moment
from planner.api.body import Count, DecimalText, Name, Sent, UsdText, body_of, described
from planner.api.guard import GuardedRoute
from planner.api.problem import documented
from planner.core import errors
from planner.core.errors import InvalidInput, TooManyRequests
from planner.core.rate_form import read_rates
from planner.core.scenario import (
    Caching,
    ChannelFee,
    Currency,
    Discount,
    Intensity,
    PlanChange,
    Repricing,
    Scenario,
    Swap,
    Where,
)
from planner.core.units import Unit
from planner.flows.supposing import Question
from planner.flows.what_if import Progress, rows_to_read, states_of, what_if
from planner.flows.why_changed import Comparison, why_changed
from planner.store.engine import Connection

router = APIRouter(prefix="/v1", tags=["finance"], route_class=GuardedRoute, responses=documented())

ROWS_MAX = 100_000
PRICES_MAX = 1_000_000
"""How many rows are replayed at most, and how many times all of them are priced together."""

RULES_MAX = 100
_Few = Field(max_length=RULES_MAX)
_BUSY_SECONDS = 5
# Pricing rows again is work for a whole processor: one at a time leaves the other answers theirs.
_turn = threading.Lock()


class WhereIn(Sent):
    """Of which rows something holds: all that is said, byte for byte; nothing said is all rows."""

    plan: Name | None = None
    task: Name | None = None
    customer: Name | None = None
    model: Name | None = None
    provider: Name | None = None
    offer: Name | None = None
    channel: Name | None = None

    def where(self) -> Where:
        """Return it in core terms."""
        return Where(**self.model_dump())


class OffersIn(Sent):
    """Of which offers something holds, whoever uses them; nothing said is all offers."""

    model: Name | None = None
    provider: Name | None = None
    offer: Name | None = None
    channel: Name | None = None

    def where(self) -> Where:
        """Return it in core terms."""
        return Where(**self.model_dump())


class IntensityIn(Sent):
    """Rows that take other counts: factors of text, and whole over visible output of a model that reasons."""

    where: WhereIn = WhereIn()
    input_token_factor: DecimalText | None = None
    output_token_factor: DecimalText | None = None
    reasoning_multiplier: DecimalText | None = None

    def intensity(self) -> Intensity | None:
        """Return it in core terms; None where nothing is said."""
        inward, outward, reasons = self.input_token_factor, self.output_token_factor, self.reasoning_multiplier
        if inward is None and outward is None and reasons is None:
            return None
        return Intensity(
            where=self.where.where(),
            input_factor=Fraction(1) if inward is None else Fraction(inward),
            output_factor=Fraction(1) if outward is None else Fraction(outward),
            reasoning_multiplier=None if reasons is None else Fraction(reasons),
        )


class SwapIn(IntensityIn):
    """Rows that another offer serves, and how its counts differ."""

    to: Name


class CacheIn(Sent):
    """Shares of the prompt's text that are read from a cache and written to one, from 0 to 1."""

    where: WhereIn = WhereIn()
    hit_share: DecimalText
    write_share: DecimalText | None = None
    write_lifetime: Literal["5m", "1h"] = "5m"


class PriceIn(Sent):
    """List prices of offers: so many percent higher, of all units or of some, or ``rates`` in place of their own."""

    where: OffersIn = OffersIn()
    percent: DecimalText | None = None
    units: Annotated[list[Literal[tuple(unit.value for unit in Unit)]], Field(max_length=RULES_MAX)] = Field(  # type: ignore[valid-type]  # the words of the registry
        default_factory=list
    )
    rates: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=RATES_MAX)] | None = None


class DiscountIn(Sent):
    """What was negotiated off the list price, in percent, in place of what was."""

    where: OffersIn = OffersIn()
    percent: DecimalText


class FeeIn(Sent):
    """What a channel takes on top of what is paid, or of the list price whatever is paid, in percent."""

    channel: Name
    percent: DecimalText
    of_list_price: bool = False


class PlanIn(Sent):
    """A plan at another price, in its own currency and per its own period, or with another number of subscribers."""

    plan: Name
    price: UsdText | None = None
    subscribers: Count | None = None


class CurrencyIn(Sent):
    """What one unit of a currency is worth, USD."""

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    usd_per_unit: UsdText


class ScenarioIn(Sent):
    """What is supposed to be otherwise. Of several rules of one kind the first that holds counts; price changes add up.

    ``volume`` is how many times as many requests; ``prices_at`` the moment whose prices hold for all rows.
    """

    volume: DecimalText | None = None
    swaps: Annotated[list[SwapIn], _Few] = Field(default_factory=list)
    token_intensity: Annotated[list[IntensityIn], _Few] = Field(default_factory=list)
    cache: Annotated[list[CacheIn], _Few] = Field(default_factory=list)
    prices_at: Moment | None = None
    prices: Annotated[list[PriceIn], _Few] = Field(default_factory=list)
    discounts: Annotated[list[DiscountIn], _Few] = Field(default_factory=list)
    fees: Annotated[list[FeeIn], _Few] = Field(default_factory=list)
    plans: Annotated[list[PlanIn], _Few] = Field(default_factory=list)
    fx: CurrencyIn | None = None

    def scenario(self) -> Scenario:
        """Return it in core terms.

        Raises:
            InvalidInput: something is out of bounds.
        """
        return Scenario(
            volume=None if self.volume is None else Fraction(self.volume),
            swaps=tuple(Swap(where=one.where.where(), to=one.to, intensity=one.intensity()) for one in self.swaps),
            intensities=tuple(filter(None, (one.intensity() for one in self.token_intensity))),
            caches=tuple(
                Caching(
                    where=one.where.where(), hit_share=Fraction(one.hit_share),
                    write_share=Fraction(one.write_share or 0), for_an_hour=one.write_lifetime == "1h",
                )
                for one in self.cache
            ),
            prices_at=self.prices_at,
            prices=tuple(
                Repricing(
                    where=one.where.where(), percent=one.percent, units=frozenset(map(Unit, one.units)),
                    rates=None if one.rates is None else read_rates(one.rates),
                )
                for one in self.prices
            ),
            discounts=tuple(
                Discount(where=one.where.where(), share=Fraction(one.percent) / 100) for one in self.discounts
            ),
            fees=tuple(
                ChannelFee(channel=one.channel, share=Fraction(one.percent) / 100, of_list=one.of_list_price)
                for one in self.fees
            ),
            plans=tuple(PlanChange(plan=one.plan, price=one.price, subscribers=one.subscribers) for one in self.plans),
            fx=None if self.fx is None else Currency(self.fx.currency, self.fx.usd_per_unit),
        )  # fmt: skip


class PeriodIn(Sent):
    """Days: the first one, and the day after the last one."""

    since: Day = Field(alias="from")
    until: Day = Field(alias="to")


Names = Annotated[list[Name], Field(min_length=1, max_length=RULES_MAX)]


class RowsIn(Sent):
    """Which usage is meant: values of its heads, as it is booked."""

    plan: Names | None = None
    task: Names | None = None
    customer: Names | None = None
    model: Names | None = None
    provider: Names | None = None
    offer: Names | None = None

    def where(self) -> dict[str, frozenset[str]]:
        """Return the values of each head that is named."""
        return {name: frozenset(values) for name, values in self.model_dump(exclude_none=True).items()}


class WhatIfIn(Sent):
    """The usage of some days, and either a ``scenario`` it is replayed under or a period to ``compare`` it with.

    ``by`` are heads of rows beside the total: plan, task, customer, model, provider, offer. ``method`` ``shapley``
    averages each term over all orders of the changes.
    """

    since: Day = Field(alias="from")
    until: Day = Field(alias="to")
    tz: Annotated[str, Field(max_length=100)] = "UTC"
    where: RowsIn = RowsIn()
    by: Annotated[list[Name], Field(max_length=6)] = Field(default_factory=list)
    scenario: ScenarioIn | None = None
    compare: PeriodIn | None = None
    method: Literal["sequential", "shapley"] = "sequential"
    reporting_currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "USD"

    @model_validator(mode="after")
    def _one_of_both(self) -> "WhatIfIn":
        if (self.scenario is None) == (self.compare is None):
            raise ValueError("either a scenario or a period to compare with is needed")
        if self.compare is not None and (self.method, self.reporting_currency) != ("sequential", "USD"):
            raise ValueError("periods are compared in dollars, cause by cause in the fixed order")
        return self


_EXAMPLE = {
    "from": "2026-11-01", "to": "2026-12-01", "where": {"plan": ["pro"]}, "by": ["task"],
    "scenario": {
        "swaps": [{"where": {"task": "chat"}, "to": "direct:openai/gpt-5.4-mini", "output_token_factor": "1.1"}],
        "cache": [{"hit_share": "0.50"}], "discounts": [{"where": {"provider": "openai"}, "percent": "12.5"}],
    },
}  # fmt: skip
_REFUSALS = documented(
    errors.NotFound, errors.Conflict, errors.RowsUnavailable, errors.TooLarge, errors.EncodedBody
)  # fmt: skip


@router.post("/what-if", responses=_REFUSALS, openapi_extra=described(WhatIfIn, _EXAMPLE))
def post_what_if(request: Request, body: Annotated[WhatIfIn, Depends(body_of(WhatIfIn))]) -> dict[str, Any]:
    """Return what real usage would have cost under a scenario, or why it cost otherwise than in another period."""
    if not _turn.acquire(timeout=_BUSY_SECONDS):
        raise TooManyRequests(_BUSY_SECONDS)
    try:
        with request.app.state.store.read() as connection:
            return answered(connection, body, bounded)
    finally:
        _turn.release()


def bounded(connection: Connection, asked: Question) -> None:
    """Refuse what takes longer than a caller waits.

    Raises:
        InvalidInput: too many rows, or rows are priced too often.
    """
    rows = rows_to_read(connection, asked)
    if rows > ROWS_MAX:
        raise InvalidInput(
            "from", f"{rows} rows would be replayed, {ROWS_MAX} are at most: ask for fewer days, or planner what-if"
        )
    if rows * states_of(asked) > PRICES_MAX:
        raise InvalidInput(
            "method", f"{rows} rows are {PRICES_MAX} prices at most: ask for fewer days, or planner what-if"
        )


def answered(
    connection: Connection,
    body: WhatIfIn,
    check: Callable[[Connection, Question], None] = lambda _connection, _asked: None,
    progress: Progress = lambda _done, _of: None,
) -> dict[str, Any]:
    """Answer from one consistent read."""
    if body.compare is not None:
        return why_changed(
            connection,
            Comparison(
                since=body.since, until=body.until, before_since=body.compare.since, before_until=body.compare.until,
                tz=body.tz, where=body.where.where(), by=tuple(body.by),
            ),
        )  # fmt: skip
    scenario = Scenario() if body.scenario is None else body.scenario.scenario()
    asked = Question(
        since=body.since, until=body.until, tz=body.tz, scenario=scenario, where=body.where.where(),
        by=tuple(body.by), method=body.method, reporting_currency=body.reporting_currency,
    )  # fmt: skip
    check(connection, asked)
    return what_if(connection, asked, progress)
