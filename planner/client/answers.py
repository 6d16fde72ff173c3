"""planner's answers as values: money is `Decimal`, times carry their offset, and ``raw`` keeps what came besides.

Fields that a newer planner adds are in ``raw`` and break nothing; fields this client needs and does not find make the
answer unreadable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from planner.client.fields import Fields

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One billed unit of a request: ``quantity`` of it at ``usd`` for every ``per``, which makes ``amount_usd``."""

    unit: str
    quantity: int
    usd: Decimal
    per: int
    amount_usd: Decimal
    raw: Raw

    @classmethod
    def read(cls, said: Fields) -> "Line":
        """Read one line."""
        return cls(
            unit=said.text("unit"), quantity=said.count("quantity"), usd=said.number("usd"), per=said.count("per"),
            amount_usd=said.number("amount_usd"), raw=said.raw,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link of a recommendation: the offer, and what it costs per request and per period, in USD.

    ``cost_usd`` is expected, with discounts and fees; ``list_cost_usd`` is at list price. ``model`` is None while
    nobody has settled which weights the offer serves; ``margin`` where the plan has no revenue.
    """

    offer: str
    model: str | None
    provider: str
    channel: str
    region: str | None
    service_tier: str
    tier: int | None
    quality_tier: int | None
    cost_usd: Decimal
    list_cost_usd: Decimal
    cost_usd_per_period: Decimal
    margin: Decimal | None
    lines: tuple[Line, ...]
    price_version: str
    raw: Raw

    @classmethod
    def read(cls, said: Fields) -> "Link":
        """Read one link."""
        return cls(
            offer=said.text("offer"),
            model=said.text_or_none("model"),
            provider=said.text("provider"),
            channel=said.text("channel"),
            region=said.text_or_none("region"),
            service_tier=said.text("service_tier"),
            tier=said.count_or_none("tier"),
            quality_tier=said.count_or_none("quality_tier"),
            cost_usd=said.number("cost_usd"),
            list_cost_usd=said.number("list_cost_usd"),
            cost_usd_per_period=said.number("cost_usd_per_period"),
            margin=said.number_or_none("margin"),
            lines=said.listed("lines", Line.read),
            price_version=said.text("price_version"),
            raw=said.raw,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What the choice and its fallbacks come to together, where planner says so."""

    availability: Decimal | None
    expected_cost_usd: Decimal | None
    expected_margin: Decimal | None
    raw: Raw

    @classmethod
    def read(cls, said: Fields) -> "Chain":
        """Read what is said of the chain."""
        return cls(
            availability=said.number_or_none("availability"),
            expected_cost_usd=said.number_or_none("expected_cost_usd"),
            expected_margin=said.number_or_none("expected_margin"),
            raw=said.raw,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """Which offer to use, what to fall back on, and how long that holds.

    ``enforce`` is what a gateway needs to hold the caller to it, or None. ``last_good`` marks an answer that planner
    could not confirm now; ``age_seconds`` is how long ago it did.
    """

    choice: Link
    fallbacks: tuple[Link, ...]
    fallbacks_missing: int
    chain: Chain | None
    budget_usd: Decimal | None
    considered: int
    eligible: int
    refused: Mapping[str, int]
    enforce: Mapping[str, Any] | None
    objective: str
    policy: str
    policy_version: int
    at: datetime
    revision: int
    stale: bool
    valid_until: datetime | None
    raw: Raw = field(repr=False)
    last_good: bool = False
    age_seconds: float = 0.0

    @property
    def links(self) -> tuple[Link, ...]:
        """The choice and its fallbacks, in the order to try them."""
        return (self.choice, *self.fallbacks)

    @classmethod
    def read(cls, document: object) -> "Recommendation":
        """Read the answer to the main question."""
        said = Fields(document)
        chained, enforced = said.raw.get("chain"), said.raw.get("enforce")
        return cls(
            choice=said.inner("choice", Link.read),
            fallbacks=said.listed("fallbacks", Link.read),
            fallbacks_missing=said.count_or_none("fallbacks_missing") or 0,
            chain=None if chained is None else said.inner("chain", Chain.read),
            budget_usd=said.number_or_none("budget_usd"),
            considered=said.count("considered"),
            eligible=said.count("eligible"),
            refused=said.counts("refused"),
            enforce=None if enforced is None else said.inner("enforce", lambda inner: inner.raw),
            objective=said.text("objective"),
            policy=said.text("policy"),
            policy_version=said.count("policy_version"),
            at=said.moment("at"),
            revision=said.count("revision"),
            stale=said.flag("stale"),
            valid_until=said.moment_or_none("valid_until"),
            raw=said.raw,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one usage costs in USD: its lines, their sums, and ``effective_usd`` after discounts and fees."""

    lines: tuple[Line, ...]
    input_usd: Decimal
    output_usd: Decimal
    other_usd: Decimal
    total_usd: Decimal
    effective_usd: Decimal | None
    offer: str | None
    price_version: str | None
    revision: int
    stale: bool
    raw: Raw = field(repr=False)

    @classmethod
    def read(cls, document: object) -> "Cost":
        """Read a bill."""
        said = Fields(document)
        return cls(
            lines=said.listed("lines", Line.read),
            input_usd=said.number("input_usd"),
            output_usd=said.number("output_usd"),
            other_usd=said.number("other_usd"),
            total_usd=said.number("total_usd"),
            effective_usd=said.number_or_none("effective_usd"),
            offer=said.text_or_none("offer"),
            price_version=said.text_or_none("price_version"),
            revision=said.count("revision"),
            stale=said.flag("stale"),
            raw=said.raw,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """An offer with what one request costs on it, in USD, with channel fees."""

    offer: str
    model: str | None
    provider: str
    channel: str
    total_usd: Decimal
    raw: Raw = field(repr=False)

    @classmethod
    def read(cls, said: Fields) -> "Ranked":
        """Read one row of a ranking."""
        return cls(
            offer=said.text("offer"), model=said.text_or_none("model"), provider=said.text("provider"),
            channel=said.text("channel"), total_usd=said.number("total_usd"), raw=said.raw,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Every offer that passes, cheapest first."""

    items: tuple[Ranked, ...]
    policy: str
    revision: int
    stale: bool
    raw: Raw = field(repr=False)

    @classmethod
    def read(cls, document: object) -> "Ranking":
        """Read a ranking."""
        said = Fields(document)
        return cls(
            items=said.listed("items", Ranked.read), policy=said.text("policy"), revision=said.count("revision"),
            stale=said.flag("stale"), raw=said.raw,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of an explanation, and the codes that refused."""

    check: str
    passed: bool
    codes: tuple[str, ...]

    @classmethod
    def read(cls, said: Fields) -> "Check":
        """Read one check."""
        return cls(check=said.text("check"), passed=said.text("outcome") == "pass", codes=said.texts("codes"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Every check of one offer, and what a request costs on it in USD, where it is priced."""

    offer: str
    eligible: bool
    checks: tuple[Check, ...]
    cost_usd: Decimal | None
    list_cost_usd: Decimal | None
    revision: int
    raw: Raw = field(repr=False)

    @classmethod
    def read(cls, document: object) -> "Explanation":
        """Read an explanation."""
        said = Fields(document)
        return cls(
            offer=said.text("offer"), eligible=said.flag("eligible"), checks=said.listed("checks", Check.read),
            cost_usd=said.number_or_none("cost_usd"), list_cost_usd=said.number_or_none("list_cost_usd"),
            revision=said.count("revision"), raw=said.raw,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The state of the catalogue; ``sources`` are as planner sends them."""

    revision: int
    sources: tuple[Raw, ...]
    raw: Raw = field(repr=False)

    @classmethod
    def read(cls, document: object) -> "Status":
        """Read the status."""
        said = Fields(document)
        return cls(
            revision=said.count("revision"), sources=said.listed("sources", lambda inner: inner.raw), raw=said.raw
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfiguration:
    """Configuration for a gateway, byte for byte as planner wrote it."""

    format: str
    media_type: str
    content: bytes = field(repr=False)
