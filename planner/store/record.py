"""Laying what is believed now over the record: offers merged, cards closed and opened, doubtful prices held."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from planner.core.claim_form import write_facts
from planner.core.doubt import Bounds
from planner.core.moves import Move, moves
from planner.core.offer import OfferFacts
from planner.core.rate_form import write_rates
from planner.core.reconcile import Belief, Redating, Span
from planner.store import holds, json_text, recall
from planner.store import tables as t
from planner.store.decide import CORRECTION, Case, Change, Desk, Doubted, overlap, withdraw
from planner.store.holds import Verdict, Waiting
from planner.store.recall import Kept


@dataclass(slots=True)
class Published:
    """What one publication did. ``revision`` is None when nothing changed.

    By source, ``quotes`` counts claims that said something new, ``withdrawn`` those that ended without a new one,
    ``registered`` models, terms and scores.
    ``repriced`` are the published offers with a rate that moved, ``held`` those that began to wait, ``waiting``
    all that were found waiting, by source.
    """

    revision: int | None = None
    opened: int = 0
    closed: int = 0
    past_undated: int = 0
    alerts: int = 0
    quotes: dict[str, int] = field(default_factory=dict)
    withdrawn: dict[str, int] = field(default_factory=dict)
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
    desk = Desk(connection, cases, at, bounds)
    rows, doubted = _Rows(), Doubted()
    for case in cases:
        if not case.claims:
            rows.offers_gone.append({"b_id": case.offer, "at": at})
            rows.alerts += [_alert(done, at, "offer_gone", case.offer, {})] if announce and case.open else []
            _write_spans(case, None, withdraw(case, at), rows, done, at)
            continue
        belief, redating = desk.decide(case, doubted)
        _note_offer(case.offer, belief.facts, known.get(case.offer), case.change.at, rows)
        _write_spans(case, belief, redating, rows, done, at)
        moved = _moved(case.spans, redating.write)
        if any(move.repriced for move in moved):
            done.repriced.append(case.offer)
        if moved and announce:
            kind = "price_rise" if any(move.rises for move in moved) else "price_fall"
            facts = {"source": belief.source, "moves": [holds.move_shape(move) for move in moved]}
            rows.alerts.append(_alert(done, at, kind, case.offer, facts))
        if announce and belief.unpriced is not None and _ends(redating):
            facts = {"source": belief.source, "unpriced": belief.unpriced}
            rows.alerts.append(_alert(done, at, "price_gone", case.offer, facts))
    _write(connection, rows, quotes, done, at)
    holds.note_repeated(connection, doubted.rejected, at)
    _note_waiting(connection, doubted.waiting, desk.verdicts, done, at, announce=announce)


def _cases(connection: sa.Connection, changes: Mapping[str, Change]) -> list[Case]:
    said = recall.claims_of(connection, changes)
    record = recall.spans_of(connection, changes)
    cases = []
    for offer, change in changes.items():
        others = {source: spoken for source, spoken in said.get(offer, {}).items() if source not in change.withdrawn}
        claims = {**others, **change.claims}
        corrections = claims.pop(CORRECTION, None)
        cases.append(Case(offer, change, claims, corrections, record.get(offer, {})))
    return cases


def _write_spans(
    case: Case, belief: Belief | None, redating: Redating, rows: _Rows, done: Published, at: datetime
) -> None:
    done.past_undated += redating.past_undated
    rows.cards_closed += [{"b_id": case.spans[span].card, "at": at} for span in redating.close]
    begun = {(span.valid_from, span.rates): kept.quote for span, kept in case.spans.items()}
    corrected = [(span, kept.quote) for span, kept in case.spans.items() if kept.source == CORRECTION]
    entered = set() if case.corrections is None else {(one.valid_from, one.rates) for one in case.segments}
    of_rates = {span.rates: kept.quote for span, kept in case.spans.items()}
    for span in redating.write:
        believed = None if belief is None else case.claims[belief.source].quote
        # A span that was only cut, prolonged or corrected around still rests on the quote it was built from.
        quote = begun.get((span.valid_from, span.rates))
        if quote is None and (span.valid_from, span.rates) in entered:
            # A piece of an earlier correction keeps its evidence; the rest is what was entered now.
            pieces = (said for known, said in corrected if known.rates == span.rates and overlap(known, span))
            quote = next(pieces, None if case.corrections is None else case.corrections.quote)
        quote = quote or of_rates.get(span.rates) or believed
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


def _ends(redating: Redating) -> bool:
    """Tell whether the price that was believed until further notice ends, and none takes its place."""
    return any(span.valid_to is None for span in redating.close) and all(
        span.valid_to is not None for span in redating.write
    )


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
            (
                sa.update(offers)
                .where(offers.c.id == id_, offers.c.gone_at.is_(None))
                .values(gone_at=sa.bindparam("at")),
                rows.offers_gone,
            ),
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
