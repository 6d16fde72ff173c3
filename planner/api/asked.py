"""The bodies callers send: usage, costs, the main question; each turns itself into core values."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, create_model

from planner.api.body import Count, DecimalText, Name, Sent, UsdText, written_form
from planner.core.errors import InvalidInput
from planner.core.offer import CAPABILITIES, Kind
from planner.core.plan import Economics, Needs
from planner.core.plan_form import read_workload
from planner.core.price import Context, RateTable
from planner.core.rate_form import read_rates
from planner.core.units import SERVICE_TIERS
from planner.core.usage import COUNTS, Usage
from planner.core.workload import Workload
from planner.flows.answer import Question

RATES_MAX = 100
LIST_MAX = 200


def moment(value: object) -> datetime:
    """Read an RFC 3339 time with an offset, and give it in UTC.

    Raises:
        ValueError: not such a time.
    """
    if not isinstance(value, str) or len(value) > 40:  # noqa: PLR2004  # longer than any RFC 3339 time
        raise ValueError("a time such as 2026-11-23T12:00:00Z is needed")
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("a time such as 2026-11-23T12:00:00Z is needed") from None
    if read.tzinfo is None or "T" not in value.upper():
        raise ValueError("a time with an offset is needed, such as 2026-11-23T12:00:00Z")
    try:
        return read.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time between the years 1 and 9999 is needed") from None


Moment = Annotated[
    datetime,
    BeforeValidator(moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-23T12:00:00Z"]}),
]
Tier = Literal["standard", "batch", "flex", "priority", "fast", "ultrafast", "balanced", "scale"]


def _known(words: tuple[str, ...]) -> Callable[[str], str]:
    def check(word: str) -> str:
        if word not in words:
            raise ValueError(f"one of {', '.join(words)} is needed")
        return word

    return check


_KINDS = tuple(kind.value for kind in Kind)
Capability = Annotated[str, AfterValidator(_known(CAPABILITIES)), WithJsonSchema({"enum": list(CAPABILITIES)})]
KindName = Annotated[str, AfterValidator(_known(_KINDS)), WithJsonSchema({"enum": list(_KINDS)})]
Names = Annotated[list[Name], Field(max_length=LIST_MAX)]


# One field per canonical count, so that the contract's form is written once, in the core.
_Counts = create_model("_Counts", __base__=Sent, **dict.fromkeys(COUNTS, (Count | None, None)))  # type: ignore[call-overload]  # fields by name


class UsageIn(_Counts):  # type: ignore[misc, valid-type]  # a model made from the core's list of counts
    """Counts of one request in the canonical form; totals include their parts. Tokens, requests, seconds, pages."""

    def counts(self) -> dict[str, int]:
        """Return the counts that were sent."""
        return {name: value for name in COUNTS if (value := getattr(self, name)) is not None}

    def usage(self) -> Usage:
        """Return the usage in core terms."""
        return Usage.of(self.counts())


class KindIn(_Counts):  # type: ignore[misc, valid-type]  # a model made from the core's list of counts
    """One kind of request of a task, and its share of all requests, above 0; the shares add up to 1."""

    share: DecimalText


class DistributionIn(Sent):
    """Prompt lengths in tokens as a log-normal distribution: the median, and the spread of the logarithm."""

    median_input_tokens: Count
    sigma: DecimalText


class WorkloadIn(_Counts):  # type: ignore[misc, valid-type]  # a model made from the core's list of counts
    """The requests of a task, and how many of them a customer makes in a billing period.

    Either the counts of one request, or a ``mix`` of several kinds, or a ``distribution`` of prompt lengths beside
    ``output_tokens``. Shares are from 0 to 1: of the prompt's text read from a cache and written to one, of attempts
    that fail, and of a failed attempt's cost that is billed. ``reasoning_multiplier`` is whole over visible output.
    """

    requests_per_period: Count = 1
    mix: Annotated[list[KindIn], Field(min_length=1, max_length=LIST_MAX)] | None = None
    distribution: DistributionIn | None = None
    cache_hit_share: DecimalText | None = None
    cache_hit_observed: bool = False
    cache_write_share: DecimalText | None = None
    cache_write_lifetime: Literal["5m", "1h"] = "5m"
    reasoning_multiplier: DecimalText | None = None
    failed_share: DecimalText | None = None
    failed_billed_share: DecimalText | None = None

    def document(self) -> dict[str, Any]:
        """Return the workload in its written form."""
        return written_form(self)

    def workload(self) -> Workload:
        """Return the workload in core terms."""
        return read_workload(self.document())


class ContextIn(Sent):
    """The circumstances a price may depend on."""

    service_tier: Tier = "standard"
    region: Name | None = None

    def context(self) -> Context:
        """Return the context in core terms."""
        return Context(self.service_tier, self.region)


class CardIn(Sent):
    """A price card given inline: rates with their bands."""

    rates: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=RATES_MAX)]

    def table(self) -> RateTable:
        """Return the rates in core terms."""
        try:
            return read_rates(self.rates)
        except InvalidInput as error:
            raise InvalidInput(f"card.{error.field}", error.problem) from None


class CostIn(Sent):
    """Price one usage on one offer, or on a card given inline."""

    offer: Name | None = None
    card: CardIn | None = None
    usage: UsageIn
    at: Moment | None = None
    known_at: Moment | None = None
    context: ContextIn = ContextIn()


class QualityIn(Sent):
    """A minimum score on a named index; without it, only the index by whose scores an objective decides."""

    index: Name
    min: DecimalText | None = None


def _standard_only() -> list[Tier]:
    return ["standard"]


class NeedsIn(Sent):
    """What a task needs of an offer; an unknown that is asked for refuses."""

    capabilities: Annotated[list[Capability], Field(max_length=LIST_MAX)] = Field(default_factory=list)
    context_tokens: Count | None = None
    input_modalities: Names | None = None
    output_modalities: Names = Field(default_factory=lambda: ["text"])
    models: Names | None = None
    tiers: Annotated[list[Annotated[int, Field(ge=1, le=9)]], Field(max_length=9)] | None = None
    quality: QualityIn | None = None
    ttft_ms_max: Count | None = None
    throughput_tps_min: Count | DecimalText | None = None
    regions: Names | None = None
    kind: KindName = "chat"
    service_tiers: Annotated[list[Tier], Field(min_length=1, max_length=len(SERVICE_TIERS))] = Field(
        default_factory=_standard_only
    )

    def needs(self) -> Needs:
        """Return the needs in core terms."""
        speed = self.throughput_tps_min
        return Needs(
            kind=self.kind,
            output_modalities=tuple(self.output_modalities),
            input_modalities=tuple(self.input_modalities or ()),
            service_tiers=tuple(self.service_tiers),
            capabilities=tuple(self.capabilities),
            context_tokens=self.context_tokens,
            models=None if self.models is None else tuple(self.models),
            tiers=None if self.tiers is None else tuple(self.tiers),
            quality_index=None if self.quality is None else self.quality.index,
            quality_min=None if self.quality is None else self.quality.min,
            ttft_ms_max=self.ttft_ms_max,
            throughput_tps_min=None if speed is None else Decimal(speed),
            regions=None if self.regions is None else tuple(self.regions),
        )


class RankIn(Sent):
    """Price one usage on every offer that passes the policy and the needs."""

    usage: UsageIn
    policy: Name | None = None
    needs: NeedsIn = NeedsIn()
    at: Moment | None = None
    known_at: Moment | None = None


class QuestionIn(Sent):
    """What is asked about: a stored plan and task, or workload, revenue, margin and policy spelled out."""

    plan: Name | None = None
    task: Name | None = None
    workload: WorkloadIn | None = None
    revenue_usd: UsdText | None = None
    payment_fee_percent: UsdText | None = None
    payment_fee_fixed_usd: UsdText | None = None
    charges_per_period: Count | None = None
    other_costs_usd: UsdText | None = None
    margin: DecimalText | None = None
    policy: Name | None = None
    needs: NeedsIn | None = None
    at: Moment | None = None
    known_at: Moment | None = None

    def question(self) -> Question:
        """Return the question in core terms.

        Raises:
            InvalidInput: a margin or costs without the revenue they belong to.
        """
        if self.plan is not None and self.needs is not None:
            raise InvalidInput("needs", "a stored task brings its own needs")
        return Question(
            plan=self.plan,
            task=self.task,
            workload=None if self.workload is None else self.workload.workload(),
            economics=self._economics(),
            policy=self.policy,
            needs=(self.needs or NeedsIn()).needs(),
            at=self.at,
        )

    def _economics(self) -> Economics | None:
        costs = {
            name: value
            for name in (
                "payment_fee_percent",
                "payment_fee_fixed_usd",
                "charges_per_period",
                "other_costs_usd",
                "margin",
            )
            if (value := getattr(self, name)) is not None
        }
        if self.revenue_usd is None:
            if costs:
                raise InvalidInput(next(iter(costs)), "needs revenue_usd")
            return None
        return Economics(revenue_usd=self.revenue_usd, **costs)


class RecommendationIn(QuestionIn):
    """The main question: what is asked about, what goes first, and how long a chain is wanted."""

    objective: Literal["cheapest", "best_quality", "fastest", "balanced"] | None = None
    fallbacks: Annotated[int, Field(ge=0, le=10)] | None = None
    independent_upstreams: bool = True
    common_cause_share: DecimalText | None = None
    timeout_ms: Count | None = None

    def question(self) -> Question:
        """Return the question in core terms.

        Raises:
            InvalidInput: a margin or costs without the revenue they belong to.
        """
        return replace(
            super().question(),
            objective=self.objective,
            fallbacks=self.fallbacks,
            independent_upstreams=self.independent_upstreams,
            common_cause_share=None if self.common_cause_share is None else Fraction(self.common_cause_share),
            timeout_ms=self.timeout_ms,
        )


class ExplanationIn(RecommendationIn):
    """The main question, and the one offer to explain."""

    offer: Name
