"""Prices move: fetch every source at once, read, check, and publish what changed in one transaction."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from planner.core.claim import Reading
from planner.core.doubt import Bounds
from planner.core.errors import FeedRefused
from planner.core.guards import WAIVABLE, Standing, check_feed, not_waived
from planner.core.reconcile import unpriced_reason
from planner.sources.feed import Known, Payload, Source
from planner.store import alerts, fetches, holds, recall, status
from planner.store.engine import Connection, Store
from planner.store.fetches import Answer
from planner.store.load import free_offers
from planner.store.publish import believed_rates, current_rates, publish
from planner.store.registry import load_names

Sources = Mapping[str, tuple[Source, str]]
"""Source name -> its adapter and its base URL."""

Told = Callable[[str, int, int], None]
"""Called with (source, requests done, requests in total)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSummary:
    """What became of one source.

    ``outcome`` is published, unchanged, refused, or overtaken (a later refresh was quicker). ``rows_read`` = ``priced``
    + ``unpriced`` + ``refused`` + ``merged``; reasons are by code. ``held`` counts the offers whose new price waits for
    a person. ``refusals`` is why a source was refused: all of it, where a whole reading waits in ``hold``, or was
    rejected there.
    """

    source: str
    outcome: str
    rows_read: int = 0
    priced: int = 0
    unpriced: int = 0
    refused: int = 0
    merged: int = 0
    held: int = 0
    unpriced_reasons: Mapping[str, int] = field(default_factory=dict)
    refused_reasons: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)
    refusals: tuple[FeedRefused, ...] = ()
    hold: int | None = None
    hold_state: str | None = None

    @property
    def error_code(self) -> str | None:
        """Why the source was refused, first of all; None where it was not."""
        return self.refusals[0].reason if self.refusals else None

    @property
    def error_detail(self) -> str | None:
        """Everything that speaks against what the source sent, for people."""
        first, *others = self.refusals or (None,)
        told = [] if first is None else [first.detail, *(f"{each.reason}: {each.detail}" for each in others)]
        return "; ".join(told) if self.refusals else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshSummary:
    """What a refresh did: the revision it published (None: nothing changed), the cards, and a line per source.

    ``repriced`` are the offers whose published price moved, ``held`` those whose new price began to wait.
    """

    revision: int | None
    cards_opened: int
    cards_closed: int
    alerts: int
    repriced: tuple[str, ...]
    held: tuple[str, ...]
    sources: tuple[SourceSummary, ...]


Fetched = tuple[Payload, ...] | FeedRefused
Fence = Callable[[Connection], None]


def unfenced(_connection: Connection) -> None:
    """Let a refresh that a person asked for through."""


class _Terms(NamedTuple):
    """Under what a refresh is published: when, by whom, within which bounds, and whose turn it is."""

    at: datetime
    actor: str
    bounds: Bounds
    fence: Fence


def refresh(
    store: Store,
    sources: Sources,
    at: datetime,
    told: Told,
    *,
    actor: str = "refresh",
    bounds: Bounds = Bounds(),  # noqa: B008  # frozen
    fence: Fence = unfenced,
) -> RefreshSummary:
    """Refresh sources. One that fails is noted with its reason and changes nothing; the others go on.

    Args:
        store: the database.
        sources: what to refresh.
        at: when; claims are dated by it.
        told: hears about progress.
        actor: who asked, for the audit trail.
        bounds: how far a price may move before it waits for a person.
        fence: called in the writing transaction; raises when somebody else has taken this turn over.
    """
    with store.read() as connection:
        known = {name: _known(connection, name, at) for name in sources}
    fetched = asyncio.run(_fetch_all(sources, known, told))
    return _publish(store, sources, fetched, known, _Terms(at, actor, bounds, fence))


def refresh_from_file(
    store: Store,
    name: str,
    source: Source,
    urls: Mapping[str, bytes],
    at: datetime,
    *,
    actor: str,
    bounds: Bounds = Bounds(),  # noqa: B008  # frozen
) -> RefreshSummary:
    """Publish one source from bytes at hand, as if they had been fetched from ``urls``."""
    payloads_ = tuple(
        Payload(url, body, hashlib.sha256(body).hexdigest(), None, unchanged=False) for url, body in urls.items()
    )
    terms = _Terms(at, actor, bounds, unfenced)
    return _publish(store, {name: (source, "")}, {name: payloads_}, {name: {}}, terms)


async def _fetch_all(sources: Sources, known: Mapping[str, Mapping[str, Known]], told: Told) -> dict[str, Fetched]:
    async def one(name: str) -> Fetched:
        source, base_url = sources[name]
        try:
            return await source.fetch(base_url, known[name], lambda done, total: told(name, done, total))
        except FeedRefused as error:
            return error
        except Exception as error:  # noqa: BLE001  # an answer nobody thought of must not stop the other feeds
            return FeedRefused(name, "unforeseen", type(error).__name__)

    results = await asyncio.gather(*(one(name) for name in sources))
    return dict(zip(sources, results, strict=True))


def _publish(
    store: Store,
    sources: Sources,
    fetched: Mapping[str, Fetched],
    known: Mapping[str, Mapping[str, Known]],
    terms: _Terms,
) -> RefreshSummary:
    readings: dict[str, Reading] = {}
    summaries: dict[str, SourceSummary] = {}
    against: dict[str, tuple[FeedRefused, ...]] = {}
    for name, result in fetched.items():
        if isinstance(result, FeedRefused):
            summaries[name] = _refusal(name, result)
        elif _unchanged(result, known[name]):
            summaries[name] = SourceSummary(source=name, outcome="unchanged")
        else:
            try:
                readings[name], against[name] = _read(store, sources[name][0], result, terms.at)
            except FeedRefused as unreadable:
                summaries[name] = _refusal(name, unreadable)
            except Exception as unforeseen:  # noqa: BLE001  # a shape nobody thought of must not stop the other feeds
                summaries[name] = _refusal(name, FeedRefused(name, "unforeseen", type(unforeseen).__name__))

    def story(connection: Connection) -> RefreshSummary:
        terms.fence(connection)
        # What a person waived is waived for one reading: it is used up in the transaction that takes it.
        left = {
            name: not_waived(found, holds.feed_passes(connection, name, terms.at)) for name, found in against.items()
        }
        refused = {name: _refusal(name, *found) for name, found in left.items() if found}
        taken = {name: reading for name, reading in readings.items() if name not in refused}
        doubted = {name: readings[name] for name in refused}
        return _record(connection, taken, ({**summaries, **refused}, doubted), fetched, terms)

    return store.tell(story)


def _unchanged(result: Sequence[Payload], known: Mapping[str, Known]) -> bool:
    """Tell whether every payload is the one that was read last time."""
    return {p.url: p.digest for p in result} == {url: k.digest for url, k in known.items()}


def _digest(result: Sequence[Payload]) -> str:
    return hashlib.sha256("".join(sorted(payload.digest for payload in result)).encode()).hexdigest()


def _read(
    store: Store, source: Source, result: Sequence[Payload], at: datetime
) -> tuple[Reading, tuple[FeedRefused, ...]]:
    """Parse outside any transaction, and return what speaks against the reading, given what is known and believed."""
    with store.read() as connection:
        names = load_names(connection, source.name)
        standing = Standing(
            last=fetches.accepted(connection, source.name, at),
            said=current_rates(connection, source.name),
            believed=believed_rates(connection, source.name),
            golden=recall.golden_of(connection),
            free=free_offers(connection),
            repeats=_repeated(_digest(result), fetches.seen(connection, source.name)),
        )
    reading = source.parse({payload.url: payload.body for payload in result}, names, at)
    return reading, check_feed(reading, standing)


def _repeated(digest: str, seen: Mapping[str, datetime]) -> tuple[str, datetime] | None:
    """Return an older answer that comes again, byte for byte, after a newer one: somebody serves yesterday's file."""
    return (digest, seen[digest]) if digest in seen and seen[digest] < max(seen.values()) else None


def _known(connection: Connection, source: str, at: datetime) -> dict[str, Known]:
    return {url: Known(*kept) for url, kept in fetches.kept(connection, source, at).items()}


def _record(
    connection: Connection,
    readings: Mapping[str, Reading],
    refused: tuple[Mapping[str, SourceSummary], Mapping[str, Reading]],
    fetched: Mapping[str, Fetched],
    terms: _Terms,
) -> RefreshSummary:
    at = terms.at
    free = free_offers(connection)
    # Somebody who began later was quicker: his answer is newer.
    late = status.read_after(connection, fetched, at)
    readings = {name: reading for name, reading in readings.items() if name not in late}
    done = publish(
        connection, list(readings.values()), at=at, actor=terms.actor, reason=f"refresh by {terms.actor}",
        bounds=terms.bounds,
    )  # fmt: skip
    summaries = dict(refused[0])
    for name, reading in readings.items():
        moved = done.quotes.get(name) or done.withdrawn.get(name) or done.registered.get(name)
        result = () if isinstance(result := fetched[name], FeedRefused) else result
        kept = sum(payload.kept for payload in result)
        summaries[name] = _summary(
            reading, "published" if moved else "unchanged", free, done.waiting.get(name, 0), kept
        )
        fetches.keep(connection, name, [Answer(p.url, p.etag, p.digest, p.body, p.kept) for p in result], at)
        fetches.note_seen(connection, name, _digest(result), at)
    summaries |= {name: SourceSummary(source=name, outcome="overtaken") for name in late}
    for name, summary in summaries.items():
        if name in late:
            continue
        if summary.refusals:
            summaries[name] = _refuse(connection, name, summary, refused[1].get(name), at)
            continue
        published = done.revision if summary.outcome == "published" else None
        status.note_success(connection, name, at, published, _counts(summary) if name in readings else {})
        holds.end_feed_holds(connection, name, at, read=name in readings)
    moved_plans = 0 if done.revision is None else _review(connection, at)
    return RefreshSummary(
        revision=done.revision,
        cards_opened=done.opened,
        cards_closed=done.closed,
        alerts=done.alerts + moved_plans,
        repriced=tuple(done.repriced),
        held=tuple(done.held),
        sources=tuple(summaries[name] for name in fetched),
    )


def _refuse(
    connection: Connection, name: str, summary: SourceSummary, doubted: Reading | None, at: datetime
) -> SourceSummary:
    """Note why a source was not believed; a whole reading that a person may let through waits for one."""
    code, detail = summary.error_code or "", summary.error_detail or ""
    status.note_failure(connection, name, at, code, detail)
    if doubted is None or code not in WAIVABLE:
        return summary
    waits = holds.hold_feed(connection, name, summary.refusals, at)
    if waits.state == holds.WAITING:
        said = {claim.offer_id: claim.segments for claim in doubted.claims}
        holds.contest(connection, name, waits.id, said)
    if waits.news:
        alerts.add(connection, at, "feed_held", name, {"code": code, "detail": detail}, None)
    return replace(summary, hold=waits.id, hold_state=waits.state)


def _review(connection: Connection, at: datetime) -> int:
    # Compiling needs numpy, which takes longer to load than an unchanged refresh takes.
    from planner.flows import plans  # noqa: PLC0415

    return plans.review(connection, at)


def _summary(reading: Reading, outcome: str, free: frozenset[str], held: int, kept: int) -> SourceSummary:
    reasons = Counter(
        reason
        for claim in reading.claims
        if (reason := unpriced_reason(claim, free=claim.offer_id in free)) is not None
    )
    refused = Counter(row.code for row in reading.refused)
    return SourceSummary(
        source=reading.source,
        outcome=outcome,
        rows_read=reading.rows_read,
        priced=len(reading.claims) - reasons.total(),
        unpriced=reasons.total(),
        refused=refused.total(),
        merged=reading.merged,
        held=held,
        unpriced_reasons=dict(reasons.most_common()),
        refused_reasons=dict(refused.most_common()),
        notes={**reading.notes, **({"answers_missing": kept} if kept else {})},
    )


def _counts(summary: SourceSummary) -> dict[str, object]:
    return {
        "rows_read": summary.rows_read,
        "offers_priced": summary.priced,
        "offers_unpriced": summary.unpriced,
        "rows_refused": summary.refused,
        "merged": summary.merged,
        "held": summary.held,
        "unpriced_reasons": dict(summary.unpriced_reasons),
        "refused_reasons": dict(summary.refused_reasons),
        "notes": dict(summary.notes),
    }


def _refusal(name: str, *refusals: FeedRefused) -> SourceSummary:
    return SourceSummary(source=name, outcome="refused", refusals=refusals)
