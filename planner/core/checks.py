"""Every check one offer goes through before its margin is looked at, in the fixed order, each with its code.

A refused offer is counted once, under its first code: unpriced, half-priced, alias, router, retired, the
policy's codes, the needs' codes, the tier, the margin.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from planner.core.ask import Ask
from planner.core.catalogue import DEFAULT_QUALITY_INDEX, Catalogue
from planner.core.claim import Score
from planner.core.offer import Kind, Offer, Route
from planner.core.plan import Needs
from planner.core.price import Context, RateTable
from planner.core.tier import ModelTier
from planner.core.units import Unit
from planner.core.usage import Usage

ASSUMED_CONTEXT_TOKENS = 8_192
"""A prompt up to here fits a window nobody states: the smallest that chat models have had for years."""
_CHATS = frozenset({Kind.CHAT.value, Kind.COMPLETION.value})


class Longest(NamedTuple):
    """The longest prompt and the longest completion of a workload on an offer, in tokens."""

    input_tokens: int = 0
    output_tokens: int = 0

    @classmethod
    def of(cls, usages: tuple[Usage, ...]) -> "Longest":
        """Return the longest of some requests."""
        return cls(max(usage.input_tokens for usage in usages), max(usage.output_tokens for usage in usages))


def half_priced(kind: Kind, rates: RateTable) -> bool:
    """Tell whether exactly one of input and output is zero or missing where both are billed.

    A feed that lost one of two prices looks like the bargain of the year.
    """
    if kind not in (Kind.CHAT, Kind.COMPLETION):
        return False
    paid = [unit in rates and rates[unit].base.usd > 0 for unit in (Unit.INPUT, Unit.OUTPUT)]
    return paid[0] != paid[1]


def standing_codes(offer: Offer, at: datetime) -> Iterator[str]:
    """Yield why an offer is never a candidate, whatever is asked."""
    facts = offer.facts
    if facts.route is Route.ALIAS:
        yield "alias"
    if facts.route is Route.ROUTER:
        yield "router"
    if facts.retires_at is not None and facts.retires_at <= at:
        yield "retired"


def policy_codes(offer: Offer, catalogue: Catalogue, ask: Ask) -> tuple[str, ...]:
    """Return the policy's refusals of one offer, on the terms known on the day of the decision."""
    return catalogue.refusals_by(ask.policy, offer, ask.decided_at)


def served_tier(offer: Offer, rates: RateTable, wanted: tuple[str, ...]) -> str | None:
    """Return the first wanted service tier this offer serves.

    An offer that is itself a tier variant (``…@flex``) serves only that tier. A standard offer serves
    standard and every tier its card has bands for.
    """
    own = offer.facts.service_tier
    return next((tier for tier in wanted if tier == own or (own == "standard" and tier in rates.service_tiers)), None)


def context_of(offer: Offer, tier: str | None, region: str | None = None) -> Context:
    """Return the circumstances in which to price a request; without a tier or a region, the offer's own.

    A variant's own rates are already those of its tier.
    """
    own = tier is None or tier == offer.facts.service_tier
    return Context("standard" if own or tier is None else tier, region or offer.facts.region)


def needs_codes(  # noqa: C901, PLR0912  # one branch per need, in their order
    offer: Offer, needs: Needs, longest: Longest, quality: Score | None, tier: str | None
) -> Iterator[str]:
    """Yield every need one offer does not meet; an unknown that was asked for is not met."""
    facts = offer.facts
    if facts.kind.value != needs.kind:
        yield "needs:kind"
    yield from _modality_codes("output_modalities", needs.output_modalities, facts.output_modalities)
    # Whoever chats sends text; a model that is known to take none is no answer, also where nobody asked.
    sent = needs.input_modalities or (("text",) if needs.kind in _CHATS else ())
    yield from _modality_codes("input_modalities", sent, facts.input_modalities)
    if tier is None:
        yield "needs:service_tier"
    if needs.regions is not None:
        if facts.region is None:
            yield "needs:region:unknown"
        elif facts.region not in needs.regions:
            yield "needs:region"
    yield from _limit_codes(offer, needs, longest)
    for word in needs.capabilities:
        has = facts.capabilities.get(word)
        if has is None:
            yield f"needs:{word}:unknown"
        elif not has:
            yield f"needs:{word}"
    if needs.quality_min is not None:
        yield from _at_least("quality", None if quality is None else quality.score, needs.quality_min)
    if needs.ttft_ms_max is not None:
        if facts.ttft_ms is None:
            yield "needs:ttft:unknown"
        elif facts.ttft_ms > needs.ttft_ms_max:
            yield "needs:ttft"
    if needs.throughput_tps_min is not None:
        yield from _at_least("throughput", facts.throughput_tps, needs.throughput_tps_min)


def _modality_codes(name: str, asked: tuple[str, ...], has: frozenset[str] | None) -> Iterator[str]:
    if not asked or (has is None and asked == ("text",)):
        # Every chat row speaks text; most lists do not bother to say so.
        return
    if has is None:
        yield f"needs:{name}:unknown"
    elif not set(asked) <= has:
        yield f"needs:{name}"


def _limit_codes(offer: Offer, needs: Needs, longest: Longest) -> Iterator[str]:
    limit = offer.facts.context_tokens
    if limit is None and (needs.context_tokens is not None or longest.input_tokens > ASSUMED_CONTEXT_TOKENS):
        yield "needs:context:unknown"
    elif limit is not None and limit < max(needs.context_tokens or 0, longest.input_tokens):
        yield "needs:context"
    if offer.facts.max_output_tokens is not None and offer.facts.max_output_tokens < longest.output_tokens:
        yield "needs:max_output"


def _at_least(name: str, value: Decimal | None, minimum: Decimal) -> Iterator[str]:
    if value is None:
        yield f"needs:{name}:unknown"
    elif value < minimum:
        yield f"needs:{name}"


def tier_codes(needs: Needs, label: ModelTier | None) -> Iterator[str]:
    """Yield the refusal of an offer whose model has another tier than asked, or none."""
    if needs.tiers is not None:
        if label is None:
            yield "tier:unknown"
        elif label.tier not in needs.tiers:
            yield "tier"


def quality_of(offer: Offer, catalogue: Catalogue, needs: Needs) -> Score | None:
    """Return an offer's score on the index asked for, or on the default one."""
    return catalogue.score(offer.model, index_of(needs))


def index_of(needs: Needs) -> str:
    """Return the index whose scores count for a question: the one it names, or the default one."""
    return needs.quality_index or DEFAULT_QUALITY_INDEX
