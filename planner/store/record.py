"""Laying what is believed now over the record: offers merged, cards closed and opened, doubtful prices held."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.core.claim import Segment
from planner.core.claim_form import write_facts
from planner.core.doubt import Bounds, Move, Reason, doubts, moves
from planner.core.identity import canonical_model
from planner.core.market import Listed, Market
from planner.core.offer import OfferFacts
from planner.core.price import RateTable
from planner.core.rate_form import write_rates
from planner.core.reconcile import Belief, Ranking, Redating, Span, believe, correct, redate
from planner.store import holds, json_text, recall
from planner.store import tables as t
from planner.store.holds import Verdict, Waiting
from planner.store.load import aliases_of
from planner.store.recall import Kept, Spoken

CORRECTION = "correction"
"""The source whose claims are stretches of the past a person corrected; they stand over every other source."""


@dataclass(slots=True)
class Change:
    """One offer to decide anew: since when, and what the sources that spoke anew say.

    ``late`` marks a decision about a price heard before: it holds from when it was first heard.
    """

    at: datetime
    claims: dict[str, Spoken] = field(default_factory=dict)
    withdrawn: set[str] = field(default_factory=set)
    late: bool = False


@dataclass(slots=True)
class Published:
    """What one publication did. ``revision`` is None when nothing changed.

    ``quotes`` counts claims that said something new, ``registered`` models, terms and scores, both by source.
    ``repriced`` are the published offers with a rate that moved, ``held`` those that began to wait, ``waiting``
    all that were found waiting, by source.
    """

    revision: int | None = None
    opened: int = 0
    closed: int = 0
    past_undated: int = 0
    alerts: int = 0
    quotes: dict[str, int] = field(default_factory=dict)
    registered: dict[str, int] = field(default_factory=dict)
    repriced: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    waiting: dict[str, int] = field(default_factory=dict)
    released: int = 0


@dataclass(slots=True)
class _Rows:
    """Rows to write, gathered first: a database likes few long statements better than many short ones."""

    offers_new: list[dict[str, Any]] = field(default_factory=list)
    offers_changed: list[dict[str, Any]] = field(default_factory=list)
    offers_gone: list[dict[str, Any]] = field(default_factory=list)
    cards_closed: list[dict[str, Any]] = field(default_factory=list)
    cards_new: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)


class _Case(NamedTuple):
    """One offer with everything its decision rests on."""

    offer: str
    change: Change
    claims: dict[str, Spoken]
    corrections: Spoken | None
    spans: dict[Span, Kept]

    @property
    def segments(self) -> Sequence[Segment]:
        return () if self.corrections is None else self.corrections.claim.segments


class _Draft(NamedTuple):
    """What believing one claim would change."""

    belief: Belief
    redating: Redating
    fresh: tuple[tuple[RateTable | None, Span], ...]
    """Spans whose rates differ from the record's, each with the rates in force before it."""


class _Desk:
    """Decides offer by offer, with what all of them share."""

    def __init__(self, connection: sa.Connection, cases: Sequence[_Case], at: datetime, bounds: Bounds) -> None:
        self._connection, self._at, self._bounds = connection, at, bounds
        self._ranking: Ranking = recall.ranking_of(connection)
        self._free = set(connection.execute(sa.select(t.free_offers.c.offer_id)).scalars())
        self.verdicts = holds.verdicts(connection, [case.offer for case in cases])
        self._aliases = aliases_of(connection)
        self._drafts = {case.offer: self._draft(case, case.claims) for case in cases if case.claims}
        self._market = self._make_market()

    def decide(self, case: _Case, rows: _Rows) -> tuple[Belief, Redating]:
        """Return whom to believe, and what that changes; while a price waits, the record stands as it is."""
        draft = self._drafts[case.offer]
        best, claims = draft.belief, dict(case.claims)
        while True:
            reasons = self._reasons(case, draft)
            source = draft.belief.source
            digest = holds.digest_of(draft.belief.segments) if reasons else ""
            verdict = self.verdicts.get((case.offer, source, digest))
            if not reasons or (verdict is not None and verdict.state == holds.APPROVED):
                return draft.belief, draft.redating
            if verdict is None or verdict.state != holds.REJECTED:
                rows.waiting.append(self._waiting(case, draft, reasons, digest))
            if any(span.valid_to is None for span in case.spans):
                return best, correct(list(case.spans), case.segments)
            # Nothing is believed of this offer yet, so the next source may be.
            del claims[source]
            if not claims:
                return best, Redating((), ())
            draft = self._draft(case, claims)

    def _draft(self, case: _Case, claims: Mapping[str, Spoken]) -> _Draft:
        said = [(source, spoken.claim) for source, spoken in claims.items()]
        belief = believe(said, self._ranking, free=case.offer in self._free)
        redating = lay_out(case.spans, belief.segments, self._moment(case, belief), self._at, case.segments)
        fresh = []
        for span in redating.write:
            before = _in_force(case.spans, span.valid_from)
            if before != span.rates and not _is_correction(span, case.segments):
                fresh.append((before, span))
        return _Draft(belief, redating, tuple(fresh))

    def _moment(self, case: _Case, belief: Belief) -> datetime:
        if case.change.late:
            verdict = self.verdicts.get((case.offer, belief.source, holds.digest_of(belief.segments)))
            return case.change.at if verdict is None else verdict.opened_at
        heard = case.change.claims.get(belief.source)
        return case.change.at if heard is None else heard.observed_at

    def _make_market(self) -> Market | None:
        if not any(draft.fresh for draft in self._drafts.values()):
            return None
        listed = recall.market_of(self._connection)
        for offer, draft in self._drafts.items():
            if draft.belief.segments and offer not in listed:
                listed[offer] = self._listed(draft.belief.facts, draft.belief.segments[-1].rates)
        return Market(listed, recall.golden_of(self._connection))

    def _listed(self, facts: OfferFacts, rates: RateTable) -> Listed:
        model = canonical_model(facts.channel, facts.provider, facts.model_spelling, self._aliases)
        return Listed(model, facts, rates)

    def _reasons(self, case: _Case, draft: _Draft) -> tuple[Reason, ...]:
        if not draft.fresh or self._market is None:
            return ()
        own = self._listed(draft.belief.facts, draft.fresh[-1][1].rates)
        others = {
            source: spoken.claim.segments[-1].rates
            for source, spoken in case.claims.items()
            if source != draft.belief.source and spoken.claim.segments
        }
        around = self._market.around(case.offer, own, others)
        found = (
            reason
            for before, span in draft.fresh
            for reason in doubts(before, span.rates, span.valid_from, self._at, around, self._bounds)
        )
        # Several stretches of one claim may be doubted for the same reason.
        return tuple({(reason.code, *sorted(reason.facts.items())): reason for reason in found}.values())

    def _waiting(self, case: _Case, draft: _Draft, reasons: tuple[Reason, ...], digest: str) -> Waiting:
        changed = [move for before, span in draft.fresh if before is not None for move in moves(before, span.rates)]
        return Waiting(
            offer=case.offer,
            source=draft.belief.source,
            quote=case.claims[draft.belief.source].quote,
            digest=digest,
            reasons=reasons,
            moves=tuple(changed),
        )


def _in_force(spans: Mapping[Span, Kept], at: datetime) -> RateTable | None:
    """Return the recorded rates at a moment, or the last ones before it."""
    before = [span for span in spans if span.valid_from <= at]
    return before[-1].rates if before else None


def _is_correction(span: Span, corrections: Sequence[Segment]) -> bool:
    return any(segment.valid_from == span.valid_from and segment.rates == span.rates for segment in corrections)


def lay_out(
    spans: Mapping[Span, Kept],
    segments: Sequence[Segment],
    moment: datetime,
    at: datetime,
    corrections: Sequence[Segment] = (),
) -> Redating:
    """Return what a claim observed at ``moment`` changes on a record."""
    # Time does not run backwards: a claim observed before the span in force began speaks from that beginning.
    starts = [span.valid_from for span in spans if span.valid_from <= at]
    return redate(list(spans), segments, max([moment, *starts]), corrections)


def lay(
    connection: sa.Connection,
    changes: Mapping[str, Change],
    quotes: tuple[Sequence[dict[str, Any]], Sequence[int]],
    done: Published,
    *,
    at: datetime,
    announce: bool,
    bounds: Bounds,
) -> None:
    """Decide every changed offer anew from all its current claims, and write what that changes.

    ``quotes`` are (rows to insert, ids to withdraw); ``done`` is completed with the counts.
    """
    cases = _cases(connection, changes)
    known = recall.facts_of(connection, changes)
    desk = _Desk(connection, cases, at, bounds)
    rows = _Rows()
    for case in cases:
        if not case.claims:
            rows.offers_gone.append({"b_id": case.offer, "at": at})
            rows.alerts += [_alert(done, at, "offer_gone", case.offer, {})] if announce and case.spans else []
            _write_spans(case, None, lay_out(case.spans, (), case.change.at, at, case.segments), rows, done, at)
            continue
        belief, redating = desk.decide(case, rows)
        _note_offer(case.offer, belief.facts, known.get(case.offer), case.change.at, rows)
        _write_spans(case, belief, redating, rows, done, at)
        moved = _moved(case.spans, redating.write)
        if any(move.repriced for move in moved):
            done.repriced.append(case.offer)
        if moved and announce:
            kind = "price_rise" if any(move.rises for move in moved) else "price_fall"
            facts = {"source": belief.source, "moves": [holds.move_shape(move) for move in moved]}
            rows.alerts.append(_alert(done, at, kind, case.offer, facts))
    _write(connection, rows, quotes, done, at)
    _note_waiting(connection, rows.waiting, desk.verdicts, done, at, announce=announce)


def _cases(connection: sa.Connection, changes: Mapping[str, Change]) -> list[_Case]:
    said = recall.claims_of(connection, changes)
    record = recall.spans_of(connection, changes)
    cases = []
    for offer, change in changes.items():
        others = {source: spoken for source, spoken in said.get(offer, {}).items() if source not in change.withdrawn}
        claims = {**others, **change.claims}
        corrections = claims.pop(CORRECTION, None)
        cases.append(_Case(offer, change, claims, corrections, record.get(offer, {})))
    return cases


def _write_spans(
    case: _Case, belief: Belief | None, redating: Redating, rows: _Rows, done: Published, at: datetime
) -> None:
    done.past_undated += redating.past_undated
    rows.cards_closed += [{"b_id": case.spans[span].card, "at": at} for span in redating.close]
    begun = {(span.valid_from, span.rates): kept.quote for span, kept in case.spans.items()}
    if case.corrections is not None:
        said = case.corrections.quote
        begun |= {(segment.valid_from, segment.rates): said for segment in case.segments if segment.valid_from}
    of_rates = {span.rates: kept.quote for span, kept in case.spans.items()}
    for span in redating.write:
        believed = None if belief is None else case.claims[belief.source].quote
        # A span that was only cut, prolonged or corrected around still rests on the quote it was built from.
        quote = begun.get((span.valid_from, span.rates)) or of_rates.get(span.rates) or believed
        if quote is None:
            raise AssertionError("a new span needs a claim")
        rows.cards_new.append(
            {
                "offer_id": case.offer,
                "quote_id": quote,
                "rates": json_text.dump(write_rates(span.rates)),
                "valid_from": span.valid_from,
                "valid_to": span.valid_to,
                "recorded_from": at,
                "revision": done.revision,
            }
        )


def _note_offer(offer: str, facts: OfferFacts, known: str | None, at: datetime, rows: _Rows) -> None:
    text = json_text.dump(write_facts(facts))
    if known is None:
        rows.offers_new.append(
            {
                "id": offer,
                "model_spelling": facts.model_spelling,
                "provider_id": facts.provider,
                "channel_id": facts.channel,
                "facts": text,
                "first_seen_at": at,
            }
        )
    else:
        rows.offers_changed.append({"b_id": offer, "text": text})


def _moved(spans: Mapping[Span, Kept], written: Sequence[Span]) -> tuple[Move, ...]:
    """Return how the price in force until further notice moved."""
    before = next((span for span in spans if span.valid_to is None), None)
    after = next((span for span in written if span.valid_to is None), None)
    return () if before is None or after is None else moves(before.rates, after.rates)


def _alert(done: Published, at: datetime, kind: str, subject: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {"at": at, "kind": kind, "subject": subject, "facts": json_text.dump(facts), "revision": done.revision}


def _note_waiting(
    connection: sa.Connection,
    found: Sequence[Waiting],
    verdicts: Mapping[holds.Key, Verdict],
    done: Published,
    at: datetime,
    *,
    announce: bool,
) -> None:
    fresh, done.released = holds.note(connection, found, verdicts, at)
    for waiting in found:
        done.waiting[waiting.source] = done.waiting.get(waiting.source, 0) + 1
    done.held += [waiting.offer for waiting in fresh]
    if announce and fresh:
        told = [
            _alert(done, at, "hold_waiting", waiting.offer, {
                "source": waiting.source, "reasons": sorted({reason.code for reason in waiting.reasons}),
            })
            for waiting in fresh
        ]  # fmt: skip
        connection.execute(sa.insert(t.alerts), told)
        done.alerts += len(told)


def _write(
    connection: sa.Connection,
    rows: _Rows,
    quotes: tuple[Sequence[dict[str, Any]], Sequence[int]],
    done: Published,
    at: datetime,
) -> None:
    fresh, withdrawn = quotes
    id_: sa.BindParameter[Any] = sa.bindparam("b_id")
    offers, cards = t.offers, t.price_cards
    statements: Iterator[tuple[sa.Executable, Sequence[dict[str, Any]]]] = iter(
        (
            (sa.insert(offers), rows.offers_new),
            (
                sa.update(offers).where(offers.c.id == id_).values(facts=sa.bindparam("text"), gone_at=None),
                rows.offers_changed,
            ),
            (sa.update(offers).where(offers.c.id == id_).values(gone_at=sa.bindparam("at")), rows.offers_gone),
            (
                sa.update(t.quotes).where(t.quotes.c.id == id_).values(withdrawn_at=sa.bindparam("at")),
                [{"b_id": quote, "at": at} for quote in withdrawn],
            ),
            (sa.insert(t.quotes), fresh),
            # Closed before opened: the index allows one open card per offer at any moment.
            (sa.update(cards).where(cards.c.id == id_).values(recorded_to=sa.bindparam("at")), rows.cards_closed),
        )
    )
    for statement, values in statements:
        if values:
            connection.execute(statement, values)
    next_id = (connection.execute(sa.select(sa.func.max(cards.c.id))).scalar() or 0) + 1
    made = [{**row, "id": number} for number, row in enumerate(rows.cards_new, next_id)]
    if made:
        connection.execute(sa.insert(cards), made)
    if rows.alerts:
        connection.execute(sa.insert(t.alerts), rows.alerts)
    done.opened += len(made)
    done.closed += len(rows.cards_closed)
    done.alerts += len(rows.alerts)
