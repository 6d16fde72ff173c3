"""Deciding offer by offer whom to believe, and what waits for a person instead of being believed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from planner.core.claim import Segment
from planner.core.doubt import Bounds, Reason, Surroundings, doubts
from planner.core.identity import canonical_model
from planner.core.market import Listed, Market
from planner.core.moves import Move, moves
from planner.core.offer import OfferFacts
from planner.core.price import Rate, RateTable
from planner.core.reconcile import Belief, Ranking, Redating, Span, believe, correct, redate
from planner.core.units import Unit
from planner.store import holds, recall
from planner.store.ages import CLOCKS_DIFFER_MAX
from planner.store.holds import Waiting
from planner.store.load import aliases_of, free_offers
from planner.store.recall import Kept, Spoken

CORRECTION = "correction"
"""The source whose claims are stretches of the past a person corrected; they stand over every other source."""


@dataclass(slots=True)
class Change:
    """One offer to decide anew: since when, and what the sources that spoke anew say.

    ``late`` marks a decision about a price heard before: it holds from when it was first heard. ``named`` marks an
    offer whose model was settled just now: its price was believed without knowing what others ask for the model.
    """

    at: datetime
    claims: dict[str, Spoken] = field(default_factory=dict)
    withdrawn: set[str] = field(default_factory=set)
    late: bool = False
    named: bool = False


class Case(NamedTuple):
    """One offer with everything its decision rests on."""

    offer: str
    change: Change
    claims: dict[str, Spoken]
    corrections: Spoken | None
    spans: dict[Span, Kept]

    @property
    def segments(self) -> Sequence[Segment]:
        """The stretches of the past that a person corrected."""
        return () if self.corrections is None else self.corrections.claim.segments

    @property
    def open(self) -> Kept | None:
        """The rows behind the price that is believed until further notice."""
        return next((kept for span, kept in self.spans.items() if span.valid_to is None), None)

    @property
    def standing(self) -> list[Span]:
        """The record in time order, with what a person corrected laid over it."""
        if not self.segments:
            return list(self.spans)
        changes = self.stands()
        kept = [span for span in self.spans if span not in changes.close]
        return sorted([*kept, *changes.write], key=lambda span: span.valid_from)

    def stands(self) -> Redating:
        """Return what corrections alone change: the record stands as it is."""
        return correct(list(self.spans), self.segments)


class _Draft(NamedTuple):
    """What believing one claim would change."""

    belief: Belief
    redating: Redating
    fresh: tuple[Span, ...]
    """Spans that would say something else than the record, or than corrections do."""


@dataclass(slots=True)
class Doubted:
    """What was found doubtful: prices that wait, and those rejected before that the source goes on claiming."""

    waiting: list[Waiting] = field(default_factory=list)
    rejected: list[tuple[int, int]] = field(default_factory=list)
    """(hold, the quote that repeats it)."""


class Desk:
    """Decides offer by offer, with what all of them share."""

    def __init__(self, connection: sa.Connection, cases: Sequence[Case], at: datetime, bounds: Bounds) -> None:
        """Draft every case from its most trusted claim."""
        self._connection, self._at, self._bounds = connection, at, bounds
        self._ranking: Ranking = recall.ranking_of(connection)
        self._free = free_offers(connection)
        self._lost = recall.lost_sources(connection, at)
        self.verdicts = holds.verdicts(connection, [case.offer for case in cases])
        self._judged = {(offer, source) for offer, source, _digest in self.verdicts}
        self._aliases = aliases_of(connection)
        self._drafts = {case.offer: self._draft(case, case.claims) for case in cases if case.claims}
        self._market = self._make_market(named=any(case.change.named for case in cases))

    def decide(self, case: Case, doubted: Doubted) -> tuple[Belief, Redating]:
        """Return whom to believe, and what that changes; while a price waits, the record stands.

        Whoever is on record goes on speaking for himself while somebody more trusted waits: his rises are published.
        """
        draft = self._drafts[case.offer]
        if case.change.named and not self._waits(case.offer):
            return draft.belief, self._named(case, draft, doubted)
        facts, claims = draft.belief.facts, dict(case.claims)
        while self._doubtful(case, draft, doubted):
            del claims[draft.belief.source]
            if case.open is not None:
                claims = {source: said for source, said in claims.items() if source == case.open.source}
            if not claims:
                return replace(draft.belief, facts=facts), case.stands()
            draft = self._draft(case, claims)
        return replace(draft.belief, facts=facts), draft.redating

    def _named(self, case: Case, draft: _Draft, doubted: Doubted) -> Redating:
        """Return what it changes that an offer has a model now: a price that is doubtful beside others is given up.

        It waits for a person like one that was never believed.
        """
        stands = case.stands()
        if case.open is None or not draft.belief.segments:
            return stands
        rates, source = draft.belief.segments[-1].rates, draft.belief.source
        found = tuple(doubts((), rates, self._at, self._at, self._around(case, draft, rates), self._bounds))
        if not found:
            return stands
        fresh = tuple((unit, price.base) for unit, price in sorted(rates.items()))
        digest = holds.digest_of(draft.belief.segments)
        doubted.waiting.append(
            Waiting(
                offer=case.offer, source=source, quote=case.claims[source].quote, digest=digest, reasons=found,
                moves=(), fresh=fresh,
            )
        )  # fmt: skip
        return withdraw(case, self._at)

    def _waits(self, offer: str) -> bool:
        return any(about == offer and verdict.state == holds.WAITING for (about, *_), verdict in self.verdicts.items())

    def _doubtful(self, case: Case, draft: _Draft, doubted: Doubted) -> bool:
        """Tell whether a draft may not be published now, and note what has to be told of it."""
        if not draft.fresh:
            return False
        source = draft.belief.source
        reasons = self._reasons(case, draft)
        if not reasons and (case.offer, source) not in self._judged:
            return False
        quote, digest = case.claims[source].quote, holds.digest_of(draft.belief.segments)
        verdict = self.verdicts.get((case.offer, source, digest))
        if verdict is not None and verdict.state == holds.APPROVED and verdict.quote == quote:
            return False
        if verdict is not None and verdict.state == holds.REJECTED:
            if case.change.late:
                # What is only decided anew was not heard again.
                return True
            if reasons or holds.REOPENED in verdict.codes:
                doubted.rejected.append((verdict.id, quote))
                return True
        if verdict is not None and (verdict.state == holds.REJECTED or holds.REOPENED in verdict.codes):
            # Others say the same by now. That does not overrule a person, but the person should know.
            reasons = (*reasons, Reason(holds.REOPENED))
        if reasons:
            doubted.waiting.append(self._waiting(case, draft, reasons, digest))
        return bool(reasons)

    def _draft(self, case: Case, claims: Mapping[str, Spoken]) -> _Draft:
        said = [(source, spoken.claim) for source, spoken in claims.items()]
        belief = believe(said, self._ranking, free=case.offer in self._free)
        redating = _lay_out(case, belief.segments, self._moment(case, belief), self._at)
        standing = case.standing
        fresh = (span for span in redating.write if _is_new(span, standing, self._at))
        return _Draft(belief, redating, tuple(fresh))

    def _moment(self, case: Case, belief: Belief) -> datetime:
        if case.change.late:
            digest = holds.digest_of(belief.segments)
            verdict = self.verdicts.get((case.offer, belief.source, digest))
            if verdict is None:
                return case.change.at
            # Said, left and said again, it holds from when it was said again.
            return max(verdict.opened_at, holds.said_since(self._connection, case.offer, belief.source, digest))
        heard = case.change.claims.get(belief.source)
        return case.change.at if heard is None else heard.observed_at

    def _make_market(self, *, named: bool) -> Market | None:
        if not (named or any(draft.fresh for draft in self._drafts.values())):
            return None
        claimed = {
            offer: self._listed(draft.belief.facts, draft.belief.segments[-1].rates)
            for offer, draft in self._drafts.items()
            if draft.belief.segments
        }
        return Market(
            recall.market_of(self._connection), claimed, recall.golden_of(self._connection),
            registered=recall.providers_of(self._connection), bounds=self._bounds,
        )  # fmt: skip

    def _listed(self, facts: OfferFacts, rates: RateTable) -> Listed:
        model = canonical_model(facts.channel, facts.provider, facts.model_spelling, self._aliases)
        return Listed(model, facts, rates, self._at)

    def _reasons(self, case: Case, draft: _Draft) -> tuple[Reason, ...]:
        around = self._around(case, draft, draft.fresh[-1].rates)
        found = (
            reason
            for span in draft.fresh
            for reason in doubts(self._earlier(case, span), span.rates, span.valid_from, self._at, around, self._bounds)
        )
        # Several stretches of one claim may be doubted for the same reason.
        return tuple({(reason.code, *sorted(reason.facts.items())): reason for reason in found}.values())

    def _around(self, case: Case, draft: _Draft, rates: RateTable) -> Surroundings:
        if self._market is None:
            raise AssertionError("a fresh price makes a market")
        own = self._listed(draft.belief.facts, rates)
        others = {
            source: claimed
            for source, spoken in case.claims.items()
            if source != draft.belief.source
            and source not in self._lost
            and not self._mistrusted(case.offer, source, spoken)
            and (claimed := spoken.claim.rates_at(self._at)) is not None
        }
        return self._market.around(case.offer, own, others)

    def _mistrusted(self, offer: str, source: str, spoken: Spoken) -> bool:
        """Tell whether what another source says waits itself, or was rejected: that vouches for nobody."""
        if (offer, source) not in self._judged:
            return False
        verdict = self.verdicts.get((offer, source, holds.digest_of(spoken.claim.segments)))
        return verdict is not None and verdict.state in (holds.WAITING, holds.REJECTED)

    def _earlier(self, case: Case, span: Span) -> list[RateTable]:
        """Return what was believed for the time a span covers, and, where it goes on, what was believed lately.

        Lately is not longer than since a person last approved a price of this offer.
        """
        standing = case.standing
        before = _before(standing, span)
        found = [] if before is None else [before]
        found += [known.rates for known in standing if overlap(known, span)]
        if span.valid_to is None:
            since = max([self._at - self._bounds.fall_over, *self._approvals(case.offer)])
            found += [known.rates for known in standing if known.valid_to is None or known.valid_to > since]
        return [rates for rates in found if rates != span.rates]

    def _approvals(self, offer: str) -> Iterator[datetime]:
        for (about, _source, _digest), verdict in self.verdicts.items():
            if about == offer and verdict.state == holds.APPROVED and verdict.decided_at is not None:
                yield verdict.decided_at

    def _waiting(self, case: Case, draft: _Draft, reasons: tuple[Reason, ...], digest: str) -> Waiting:
        changed: list[Move] = []
        fresh: list[tuple[Unit, Rate]] = []
        for span in draft.fresh:
            before = _before(case.standing, span) or RateTable({})
            moved = moves(before, span.rates)
            changed += moved
            known = {*before, *(move.unit for move in moved)}
            fresh += [(unit, price.base) for unit, price in sorted(span.rates.items()) if unit not in known]
        return Waiting(
            offer=case.offer,
            source=draft.belief.source,
            quote=case.claims[draft.belief.source].quote,
            digest=digest,
            reasons=reasons,
            moves=tuple(changed),
            fresh=tuple(fresh),
        )


def _is_new(span: Span, standing: Sequence[Span], at: datetime) -> bool:
    """Tell whether a span says anything else than what stands: another price, or one where there is none."""
    if _before(standing, span) != span.rates:
        return True
    covered = span.valid_from
    for known in standing:
        if not overlap(known, span):
            continue
        # What is planned and taken back before it began was nobody's price yet.
        if known.valid_from > covered or (known.rates != span.rates and known.valid_from <= at):
            return True
        if known.valid_to is None:
            return False
        covered = known.valid_to
    return span.valid_to is None or covered < span.valid_to


def _before(spans: Sequence[Span], fresh: Span) -> RateTable | None:
    """Return the recorded rates a span would replace at its beginning, the last ones before it, or the next after."""
    before = [span for span in spans if span.valid_from <= fresh.valid_from]
    if before:
        return before[-1].rates
    return next((span.rates for span in spans if overlap(span, fresh)), None)


def overlap(one: Span, other: Span) -> bool:
    """Tell whether two spans hold at some common moment."""
    return (one.valid_to is None or other.valid_from < one.valid_to) and (
        other.valid_to is None or one.valid_from < other.valid_to
    )


def _lay_out(case: Case, segments: Sequence[Segment], moment: datetime, at: datetime) -> Redating:
    """Return what a claim observed at ``moment`` changes on a record."""
    # Time does not run backwards: a claim observed before the span in force began speaks from that beginning. Where a
    # correction ends, nothing begins: what held before it goes on. What began long after a claim that was just heard
    # was dated by a clock that was wrong.
    until = at if case.change.late else min(at, moment + CLOCKS_DIFFER_MAX)
    said = [span for span, kept in case.spans.items() if kept.source != CORRECTION and span.valid_from <= until]
    starts = [span.valid_from for last, span in zip([None, *said], said, strict=False) if not _goes_on(last, span)]
    return redate(list(case.spans), segments, max([moment, *starts]), case.segments)


def _goes_on(last: Span | None, span: Span) -> bool:
    return last is not None and last.rates == span.rates


def withdraw(case: Case, at: datetime) -> Redating:
    """Return what it changes that nobody offers it any more."""
    return _lay_out(case, (), case.change.at, at)
