"""Answers as JSON: the same shapes over HTTP and behind ``--json`` on the command line."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from planner.api.chains import chain_shape
from planner.api.figures import budget, ratio
from planner.core.ask import Answer, Ask, Pick
from planner.core.catalogue import Catalogue
from planner.core.checks import index_of
from planner.core.claim import Score
from planner.core.cost import Cost, Line
from planner.core.expected import Priced, list_usd
from planner.core.money import PICO, pico_text, plain, ratio_text, usd_text
from planner.core.moves import moves
from planner.core.objective import note, rule
from planner.core.offer import Offer
from planner.core.parties import PartyTerms, Stated
from planner.core.policy import Policy
from planner.core.price import PriceCard
from planner.core.rate_form import write_rates
from planner.core.terms import Terms
from planner.core.terms_form import FLAGS, SETS, URLS, WORDS
from planner.core.tier import MTOK, ModelTier
from planner.core.units import Direction, Unit
from planner.export.document import Recommendation
from planner.export.enforce import enforce
from planner.store.holds import move_shape

if TYPE_CHECKING:
    from planner.flows.current import View
    from planner.store.cards import PriceChange

from planner.store.json_text import time_text

SECONDS_PLACES = 3
Shape = dict[str, Any]


def line_shape(line: Line) -> Shape:
    """Write one priced unit."""
    return {
        "unit": line.unit.value,
        "quantity": line.quantity,
        "usd": plain(line.rate.usd),
        "per": line.rate.per,
        "amount_usd": pico_text(line.amount_pico),
    }


def cost_shape(cost: Cost) -> Shape:
    """Write a cost: its lines, the three sums and the total; the sums add up to the total by construction."""
    return {
        "lines": [line_shape(line) for line in cost.lines],
        "input_usd": pico_text(cost.direction_pico(Direction.INPUT)),
        "output_usd": pico_text(cost.direction_pico(Direction.OUTPUT)),
        "other_usd": pico_text(cost.direction_pico(Direction.OTHER)),
        "total_usd": pico_text(cost.total_pico),
    }


def list_text(kinds: Sequence[Priced]) -> str:
    """Write what one attempt costs at list price; of a single kind of request the total is the sum of its lines."""
    return pico_text(kinds[0].cost.total_pico) if len(kinds) == 1 else usd_text(list_usd(tuple(kinds)))


def lines_shape(kinds: Sequence[Priced]) -> list[Shape]:
    """Write the priced units of every kind of request; where there are several, each with its share of all requests."""
    if len(kinds) == 1:
        return [line_shape(line) for line in kinds[0].cost.lines]
    return [{**line_shape(line), "share": ratio_text(kind.share)} for kind in kinds for line in kind.cost.lines]


def evidence_shape(card: PriceCard) -> Shape:
    """Write where a price comes from."""
    return {
        "source": card.evidence.source,
        "source_url": card.evidence.source_url,
        "observed_at": time_text(card.evidence.observed_at),
        "valid_from": time_text(card.valid_from),
        "payload_digest": card.evidence.payload_digest,
    }


def pick_shape(pick: Pick, ask: Ask, catalogue: Catalogue, label: ModelTier | None) -> Shape:
    """Write one link of a chain."""
    facts = pick.offer.facts
    terms = catalogue.terms_of(pick.offer, ask.decided_at)
    seconds = pick.expected_seconds
    return {
        "offer": pick.offer.id,
        "model": pick.offer.model,
        "provider": facts.provider,
        "channel": facts.channel,
        "region": facts.region,
        "service_tier": pick.service_tier,
        "tier": pick.tier,
        "quality_tier": None if label is None else label.quality_tier,
        "quality": quality_shape(_score_of(pick, ask, catalogue, label)),
        "expected_seconds": None if seconds is None else ratio_text(seconds, SECONDS_PLACES),
        "cost_usd": usd_text(pick.cost_usd),
        "list_cost_usd": list_text(pick.kinds),
        "cost_usd_per_period": usd_text(ask.per_period_usd(pick.cost_usd)),
        "margin": ratio(ask.margin_at(pick.cost_usd)),
        "lines": lines_shape(pick.kinds),
        "price_version": pick.card.id,
        "evidence": evidence_shape(pick.card),
        "terms_evidence": [id_ for party in terms for id_ in party.evidence],
        "policy_version": ask.policy.version,
    }


def _score_of(pick: Pick, ask: Ask, catalogue: Catalogue, label: ModelTier | None) -> Score | None:
    """Return the score an objective goes by; where no index was named and there is none, the one behind the label."""
    score = catalogue.score(pick.offer.model, index_of(ask.needs))
    if score is None and ask.needs.quality_index is None and label is not None:
        return label.quality
    return score


def quality_shape(score: Score | None) -> Shape | None:
    """Write a score with its index, its true date and where it stands; null is unknown."""
    if score is None:
        return None
    return {
        "index": score.index,
        "score": plain(score.score),
        "as_of": score.as_of.isoformat(),
        "source": score.source,
        "source_url": score.source_url,
    }


def answer_shape(answer: Answer, ask: Ask, view: "View", labels: Mapping[str, ModelTier]) -> Shape:
    """Write the answer to the main question."""

    def link(pick: Pick) -> Shape:
        return pick_shape(pick, ask, view.catalogue, labels.get(pick.offer.model or ""))

    shape: Shape = {
        "choice": link(answer.choice),
        "fallbacks": [link(pick) for pick in answer.fallbacks],
    }
    if len(answer.fallbacks) < ask.fallbacks:
        shape["fallbacks_missing"] = ask.fallbacks - len(answer.fallbacks)
    used = {view.catalogue.upstream_of(pick.offer) for pick in (answer.choice, *answer.fallbacks)}
    return {
        **shape,
        "chain": chain_shape((answer.choice, *answer.fallbacks), ask, view.catalogue),
        "budget_usd": budget(ask.budget_usd),
        "considered": answer.considered,
        "eligible": answer.eligible,
        "refused": dict(answer.refused),
        "alternatives": [
            {
                "offer": pick.offer.id,
                "why_not": why_not(pick, answer.choice, ask, repeated=view.catalogue.upstream_of(pick.offer) in used),
            }
            for pick in answer.alternatives
        ],
        "enforce": enforce(Recommendation(ask, answer, view.catalogue, None)),
        "objective": ask.objective,
        "objective_rule": rule(ask),
        "objective_note": note(ask, answer.compared, answer.eligible),
        **policy_shape(ask.policy),
        "at": time_text(ask.at),
        **standing_shape(view, ask.decided_at, ask.at, [answer.choice.card]),
    }


def policy_shape(policy: Policy) -> Shape:
    """Write under what an answer was decided: the policy, its version, and the versions of all its parts."""
    return {
        "policy": policy.name,
        "policy_version": policy.version,
        # A joint policy has no rules of its own, and is not one that somebody published.
        "policies": [{"name": rules.name, "version": rules.version} for rules in policy.rules if "+" not in rules.name],
    }


def standing_shape(
    view: "View", now: datetime, at: datetime | None = None, cards: Iterable[PriceCard | None] = ()
) -> Shape:
    """Write what every answer that rests on the catalogue carries: stale where one of its prices is.

    An answer without prices is stale where everything is, and every answer of a worker without a database is. ``at``
    is the moment whose prices it shows, where it is not the present.
    """
    sources = {card.evidence.source for card in cards if card is not None}
    return {
        "revision": view.catalogue.revision,
        "stale": view.cut_off or view.catalogue.stale(now, *sources),
        "valid_until": time_text(view.valid_until(now if at is None else at, now)),
    }


def why_not(pick: Pick, choice: Pick, ask: Ask, *, repeated: bool) -> str:
    """Say why an eligible offer is not in the chain. ``repeated``: a link of the chain has the same upstream."""
    dearer = pick.cost_usd - choice.cost_usd
    if dearer > 0:
        reason = f"costs {usd_text(dearer)} more"
    elif dearer < 0:
        reason = f"costs {usd_text(-dearer)} less, but comes later by {ask.objective}"
    else:
        reason = "costs the same, and comes later by quality or id"
    if ask.independent_upstreams and repeated:
        return f"{reason}; same upstream as a link of the chain"
    return reason


def rates_summary(card: PriceCard | None) -> Shape:
    """Write the two rates people look for first, at base conditions."""

    def rate(unit: Unit) -> str | None:
        price = None if card is None else card.rates.get(unit)
        return None if price is None else price.base.usd_per_mtok()

    return {"input_usd_per_mtok": rate(Unit.INPUT), "output_usd_per_mtok": rate(Unit.OUTPUT)}


def card_shape(card: PriceCard) -> Shape:
    """Write a price card with its dates and evidence."""
    return {
        "price_version": card.id,
        "valid_from": time_text(card.valid_from),
        "valid_to": time_text(card.valid_to),
        "rates": write_rates(card.rates),
        "evidence": evidence_shape(card),
    }


def change_shape(found: "PriceChange") -> Shape:
    """Write a price that began, ended or was to: the card before, the card after, and how each rate moved."""
    change = found.change
    before, after = change.before, change.after
    moved = () if before is None or after is None else moves(before.rates, after.rates)
    return {
        "offer": next(card.offer for card in (after, before) if card is not None),
        "kind": change.kind,
        "at": time_text(change.at),
        "before": None if before is None else card_shape(before),
        "after": None if after is None else card_shape(after),
        "moves": [move_shape(move) for move in moved],
        "known_from": time_text(found.recorded_from),
    }


def effective_summary(card: PriceCard | None, factor: Fraction) -> Shape:
    """Write what the two rates come to after the contract's discount and with the channel's fees."""

    def rate(unit: Unit) -> str | None:
        price = None if card is None else card.rates.get(unit)
        if price is None:
            return None
        return usd_text(Fraction(price.base.pico, price.base.pico_per * PICO) * MTOK * factor)

    return {
        "effective_input_usd_per_mtok": rate(Unit.INPUT),
        "effective_output_usd_per_mtok": rate(Unit.OUTPUT),
        "effective_factor": usd_text(factor),
    }


def offer_shape(offer: Offer, card: PriceCard | None, label: ModelTier | None, factor: Fraction = Fraction(1)) -> Shape:
    """Write an offer with its price now, at list and after discounts and fees."""
    facts = offer.facts
    return {
        "offer": offer.id,
        "model": offer.model,
        "model_spelling": facts.model_spelling,
        "provider": facts.provider,
        "channel": facts.channel,
        "region": facts.region,
        "quantization": facts.quantization,
        "service_tier": facts.service_tier,
        "variant": facts.variant,
        "kind": facts.kind.value,
        "route": facts.route.value,
        "free": offer.free,
        "capabilities": dict(sorted(facts.capabilities.items())),
        "input_modalities": None if facts.input_modalities is None else sorted(facts.input_modalities),
        "output_modalities": None if facts.output_modalities is None else sorted(facts.output_modalities),
        "context_tokens": facts.context_tokens,
        "max_output_tokens": facts.max_output_tokens,
        "cacheable_tokens_min": facts.cacheable_tokens_min,
        "requests_per_minute_max": facts.requests_per_minute_max,
        "tokens_per_minute_max": facts.tokens_per_minute_max,
        "retires_at": time_text(facts.retires_at),
        "uptime": None if facts.uptime is None else plain(facts.uptime),
        "uptime_minutes": facts.uptime_minutes,
        "cache_hit_share": None if facts.cache_hit_share is None else plain(facts.cache_hit_share),
        "ttft_ms": facts.ttft_ms,
        "throughput_tps": None if facts.throughput_tps is None else plain(facts.throughput_tps),
        # Null: everything is as the feed claims it; else `measured` names the figures that were measured, not claimed.
        "measured_at": None if offer.measured is None else time_text(offer.measured.at),
        "measured": [] if offer.measured is None else sorted(offer.measured.names),
        "tier": None if label is None else label.tier,
        "priced": card is not None,
        **rates_summary(card),
        **effective_summary(card, factor),
        "price": None if card is None else card_shape(card),
    }


def tier_shape(label: ModelTier) -> Shape:
    """Write the label of one model and what it rests on."""
    return {
        "model": label.model,
        "offer": label.offer,
        "output_usd_per_mtok": mtok_text(label.output_usd_per_mtok),
        "quality_tier": label.quality_tier,
        "quality": quality_shape(label.quality),
        "bargain": label.bargain,
    }


def mtok_text(usd: Fraction) -> str:
    """Write dollars per million tokens."""
    return usd_text(usd)


def effective_terms_shape(parties: tuple[PartyTerms, ...]) -> Shape:
    """Write what is known of everybody who sees an offer's prompts; null is unknown.

    The flat facts are the strictest of all parties; beneath them each party by itself.
    """
    trains, retains, zdr, publishes = (
        _strictest([getattr(party, fact) for party in parties], strict=strict)
        for fact, strict in (
            ("trains_on_prompts", True), ("retains_prompts", True), ("zdr", False), ("may_publish", True)
        )
    )  # fmt: skip
    days = [party.retention_days for party in parties]
    return {
        "trains_on_prompts": trains,
        "retains_prompts": retains,
        "retention_days": None if None in days else max(day for day in days if day is not None),
        "zdr": zdr,
        "may_publish": publishes,
        "conflicts": sorted({fact for party in parties for fact in party.conflicts}),
        "evidence": [id_ for party in parties for id_ in party.evidence],
        "parties": [_party_shape(party) for party in parties],
    }


def _strictest(values: list[bool | None], *, strict: bool) -> bool | None:
    if strict in values:
        return strict
    return None if None in values else not strict


def _party_shape(party: PartyTerms) -> Shape:
    return {
        "party": party.party,
        "trains_on_prompts": party.trains_on_prompts,
        "retains_prompts": party.retains_prompts,
        "retention_days": party.retention_days,
        "zdr": party.zdr,
        "may_publish": party.may_publish,
        "headquarters": _stated_shape(party.headquarters),
        "data_countries": _stated_shape(party.data_countries),
        "serving_regions": _stated_shape(party.serving_regions),
        "certifications": None if party.certifications is None else sorted(party.certifications),
        "confidence": None if party.confidence is None else party.confidence.name.lower(),
        "evidence": list(party.evidence),
        "conflicts": list(party.conflicts),
    }


def _stated_shape(stated: Stated) -> Shape:
    return {"known": stated.known, "values": sorted(stated.values)}


def terms_shape(row: Terms) -> Shape:
    """Write one row of evidence; null is unknown."""
    sets = {name: None if (value := getattr(row, name)) is None else sorted(value) for name in SETS}
    return {
        "id": row.id,
        "subject_kind": row.subject_kind,
        "subject": row.subject,
        **{name: getattr(row, name) for name in (*FLAGS, "retention_days", *WORDS, *URLS)},
        **sets,
        "eu_resident": row.eu_resident,
        "source": row.source,
        "source_url": row.source_url,
        "observed_at": time_text(row.observed_at),
        "verified_by": row.verified_by,
        "verified_at": time_text(row.verified_at),
        "expires_at": time_text(row.expires_at),
        "confidence": row.confidence.name.lower(),
        "curated": row.curated,
        "contradictory": row.contradictory,
        "note": row.note,
    }
