"""The queue of prices that wait for a person: opened with reasons, seen again, decided, or overtaken."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.core.claim import Segment
from planner.core.claim_form import read_claim
from planner.core.doubt import Reason
from planner.core.errors import Conflict, FeedRefused, NotFound
from planner.core.guards import about_as_bad
from planner.core.moves import Move
from planner.core.price import Rate
from planner.core.rate_form import write_rates, write_when
from planner.core.units import Unit
from planner.store import json_text
from planner.store.recall import BATCH, of_offers
from planner.store.tables import holds, quotes

REOPENED = "rejected_before"
"""The reason of a price that was rejected once and that nothing else speaks against any more."""
WAITING, APPROVED, REJECTED, RELEASED = "waiting", "approved", "rejected", "released"
USED = "used"
"""An approval of a whole feed that has let its one reading through."""
STATES = (WAITING, APPROVED, USED, REJECTED, RELEASED)
# An approval of a whole feed opens the door for one reading, and not for long.
FEED_PASS = timedelta(hours=24)
# The hold of a newer answer that says something else, until somebody decides about that answer.
_newer = holds.alias("newer")
_CONTESTED = (
    sa.select(_newer.c.id).where(_newer.c.id == holds.c.contested_by, _newer.c.state == WAITING).scalar_subquery()
)
_COLUMNS = (*(column for column in holds.c if column.name != "contested_by"), _CONTESTED.label("contested_by"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where one price of one source stands: its hold, its state, since when, why, and the quote it was last seen in.

    An approval is of one quote: the same price said again after another one was believed is decided anew.
    """

    id: int
    state: str
    opened_at: datetime
    decided_at: datetime | None
    quote: int | None
    codes: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One price that waits, as found by a publication."""

    offer: str
    source: str
    quote: int
    digest: str
    reasons: tuple[Reason, ...]
    moves: tuple[Move, ...]
    fresh: tuple[tuple[Unit, Rate], ...] = ()
    """Units that had no price until now, with the one that waits."""


Key = tuple[str, str, str]
"""(offer, source, digest of the rates)."""


def digest_of(segments: Sequence[Segment]) -> str:
    """Return the digest of what a claim says about prices: the same prices are the same hold."""
    said = [
        [
            None if segment.valid_from is None else segment.valid_from.isoformat(),
            None if segment.valid_to is None else segment.valid_to.isoformat(),
            write_rates(segment.rates),
        ]
        for segment in segments
    ]
    return json_text.digest(json_text.dump(said))


def said_since(connection: sa.Connection, offer: str, source: str, digest: str) -> datetime:
    """Return since when a source says these prices of an offer without a break."""
    q = quotes.c
    query = sa.select(q.claim, q.observed_at).where(q.offer_id == offer, q.source == source).order_by(q.id.desc())
    said = itertools.takewhile(
        lambda row: digest_of(read_claim(json_text.load(row.claim)).segments) == digest, connection.execute(query)
    )
    moments: list[datetime] = [row.observed_at for row in said]
    return min(moments)


def verdicts(connection: sa.Connection, offers: Sequence[str]) -> dict[Key, Verdict]:
    """Return the newest verdict on every price of these offers that ever waited."""
    h = holds.c
    columns = h.id, h.offer_id, h.source, h.digest, h.state, h.opened_at, h.decided_at, h.quote_id, h.reasons
    rows = sorted(of_offers(connection, columns, h.offer_id, offers), key=lambda row: int(row.id))
    return {(row.offer_id, row.source, row.digest): _verdict(row) for row in rows}


def _verdict(row: sa.Row[Any]) -> Verdict:
    codes = frozenset(reason["code"] for reason in json_text.load(row.reasons))
    return Verdict(row.id, row.state, row.opened_at, row.decided_at, row.quote_id, codes)


def note_repeated(connection: sa.Connection, repeated: Sequence[tuple[int, int]], at: datetime) -> None:
    """Record that sources go on claiming what was rejected, as (hold, quote): a person may still change their mind."""
    for id_, quote in repeated:
        connection.execute(sa.update(holds).where(holds.c.id == id_).values(last_seen_at=at, quote_id=quote))


def note(
    connection: sa.Connection,
    found: Sequence[Waiting],
    known: Mapping[Key, Verdict],
    at: datetime,
) -> tuple[list[Waiting], int]:
    """Record what waits after a publication decided some offers anew.

    Returns:
        The prices that wait for the first time, and how many waited until now and do so no longer.
    """
    fresh = []
    seen: set[int] = set()
    for waiting in found:
        verdict = known.get((waiting.offer, waiting.source, waiting.digest))
        if verdict is not None and verdict.state == WAITING:
            seen.add(verdict.id)
            connection.execute(
                sa.update(holds)
                .where(holds.c.id == verdict.id)
                .values(last_seen_at=at, quote_id=waiting.quote, reasons=_reasons(waiting.reasons))
            )
        else:
            fresh.append(waiting)
    if fresh:
        feeds = _waiting_feeds(connection)
        connection.execute(
            sa.insert(holds), [{**_row(waiting, at), "contested_by": feeds.get(waiting.source)} for waiting in fresh]
        )
    gone = [verdict.id for verdict in known.values() if verdict.state == WAITING and verdict.id not in seen]
    for id_ in gone:
        end = {"state": RELEASED, "decided_at": at, "decision": "the source says something else now"}
        connection.execute(sa.update(holds).where(holds.c.id == id_).values(end))
    return fresh, len(gone)


def _waiting_feeds(connection: sa.Connection) -> dict[str, int]:
    """Return the hold in which the newest answer of a source waits as a whole, by source."""
    query = sa.select(holds.c.source, holds.c.id).where(holds.c.offer_id.is_(None), holds.c.state == WAITING)
    return {row.source: row.id for row in connection.execute(query.order_by(holds.c.id))}


def _row(waiting: Waiting, at: datetime) -> dict[str, Any]:
    return {
        "source": waiting.source,
        "offer_id": waiting.offer,
        "quote_id": waiting.quote,
        "digest": waiting.digest,
        "reasons": _reasons(waiting.reasons),
        "diff": json_text.dump(
            [*map(move_shape, waiting.moves), *(_fresh_shape(unit, rate) for unit, rate in waiting.fresh)]
        ),
        "state": WAITING,
        "opened_at": at,
        "last_seen_at": at,
        "announced_at": at,
    }


def _reasons(reasons: Sequence[Reason]) -> str:
    return json_text.dump([{"code": reason.code, **reason.facts} for reason in reasons])


def move_shape(move: Move) -> dict[str, Any]:
    """Write how one rate moved."""
    return {
        "unit": move.unit.value,
        "when": None if move.when is None else write_when(move.when),
        "before_usd_per_mtok": move.before.usd_per_mtok(),
        "after_usd_per_mtok": move.after.usd_per_mtok(),
    }


def _fresh_shape(unit: Unit, rate: Rate) -> dict[str, Any]:
    stated = {"unit": unit.value, "when": None, "before_usd_per_mtok": None}
    return {**stated, "after_usd_per_mtok": rate.usd_per_mtok()}


class FeedHold(NamedTuple):
    """The hold of a whole reading: it waits there, or was rejected there; and whether that is news."""

    id: int
    state: str
    news: bool


def hold_feed(connection: sa.Connection, source: str, refusals: Sequence[FeedRefused], at: datetime) -> FeedHold:
    """Record that a whole reading of a source waits, with everything that speaks against it.

    It is no news while a reading that was about as bad waits already; after a person rejected one, it does not wait
    either.
    """
    h = holds.c
    rows = connection.execute(
        sa.select(h.id, h.state, h.reasons).where(h.source == source, h.offer_id.is_(None)).order_by(h.id.desc())
    ).all()
    reasons = [{"code": each.reason, "detail": each.detail, "figure": each.figure} for each in refusals]
    again = next((row for row in rows if row.state == WAITING), rows[0] if rows else None)
    if again is not None and again.state in (WAITING, REJECTED):
        seen = _figures(again.reasons)
        if all(about_as_bad(each.reason, each.figure, seen.get(each.reason)) for each in refusals):
            # The figures stay those that were shown: a list that gets worse step by step is another one at last.
            connection.execute(sa.update(holds).where(h.id == again.id).values(last_seen_at=at))
            return FeedHold(again.id, again.state, news=False)
    _end(connection, source, WAITING, RELEASED, "another answer waits instead", at)
    made = connection.execute(
        sa.insert(holds).values(
            source=source, digest="+".join(each.reason for each in refusals), reasons=json_text.dump(reasons),
            diff="[]", state=WAITING, opened_at=at, last_seen_at=at, announced_at=at,
        )
    )  # fmt: skip
    return FeedHold(int(made.inserted_primary_key[0]), WAITING, news=True)  # type: ignore[index]  # one row has a key


def _figures(reasons: str) -> dict[str, str]:
    return {reason["code"]: str(reason.get("figure", "")) for reason in json_text.load(reasons)}


def contest(connection: sa.Connection, source: str, feed_hold: int, said: Mapping[str, Sequence[Segment]]) -> None:
    """Note which waiting prices of a source are not what its newest answer says, which itself waits as a whole."""
    h = holds.c
    own = h.source == source, h.offer_id.is_not(None), h.state == WAITING
    rows = connection.execute(sa.select(h.id, h.offer_id, h.digest).where(*own)).all()
    other = [row.id for row in rows if digest_of(said.get(row.offer_id, ())) != row.digest]
    connection.execute(sa.update(holds).where(*own).values(contested_by=None))
    for start in range(0, len(other), BATCH):
        connection.execute(
            sa.update(holds).where(h.id.in_(other[start : start + BATCH])).values(contested_by=feed_hold)
        )


def feed_passes(connection: sa.Connection, source: str, at: datetime) -> dict[str, str]:
    """Return what a person has waived lately of a source's readings, for one reading: reason -> the figure seen."""
    h = holds.c
    query = sa.select(h.reasons).where(
        h.source == source, h.offer_id.is_(None), h.state == APPROVED, h.decided_at > at - FEED_PASS
    ).order_by(h.id)  # fmt: skip
    return {code: figure for text in connection.scalars(query) for code, figure in _figures(text).items()}


def end_feed_holds(connection: sa.Connection, source: str, at: datetime, *, read: bool) -> None:
    """End what stood against a source's readings, because one was just accepted.

    Passes are used up where a new answer was ``read``; one that was accepted before needed none.
    """
    _end(connection, source, WAITING, RELEASED, "a reading was accepted", at)
    if not read:
        return
    h = holds.c
    passes = h.source == source, h.offer_id.is_(None), h.state == APPROVED
    connection.execute(sa.update(holds).where(*passes).values(state=USED, last_seen_at=at))


def _end(connection: sa.Connection, source: str, state: str, ended: str, why: str, at: datetime) -> None:
    h = holds.c
    connection.execute(
        sa.update(holds)
        .where(h.source == source, h.offer_id.is_(None), h.state == state)
        .values(state=ended, decided_at=at, decision=why, last_seen_at=at)
    )


def decide(connection: sa.Connection, id_: int, state: str, *, at: datetime, actor: str, reason: str) -> str | None:
    """Approve or reject what waits, and return its offer (None: a whole feed).

    Raises:
        NotFound: there is no such hold.
        Conflict: it does not wait any more, two people cannot both decide; or it would be approved although the
            source's newest answer, which waits as a whole, says something else.
    """
    newer = None if state != APPROVED else connection.scalar(
        sa.select(_CONTESTED).where(holds.c.id == id_, holds.c.state == WAITING)
    )  # fmt: skip
    if newer is not None:
        raise Conflict("hold", str(id_), f"the source's newest answer says something else; decide hold {newer} first")
    done = connection.execute(
        sa.update(holds)
        .where(holds.c.id == id_, holds.c.state == WAITING)
        .values(state=state, decided_at=at, decided_by=actor, decision=reason)
    )
    row = connection.execute(sa.select(holds.c.offer_id, holds.c.state).where(holds.c.id == id_)).first()
    if row is None:
        raise NotFound("hold", str(id_))
    if not done.rowcount:
        raise Conflict("hold", str(id_), f"already {row.state}")
    offer: str | None = row.offer_id
    return offer


def reopen(connection: sa.Connection, id_: int, *, at: datetime) -> str | None:
    """Make a rejected price, or a list that was approved and not let in yet, wait again; return its offer, if any.

    Raises:
        NotFound: there is no such hold.
        Conflict: there is nothing to take back, its source says something else now, or a newer hold is about the same.
    """
    h = holds.c
    said = sa.select(quotes.c.id).where(quotes.c.withdrawn_at.is_(None))
    newer = connection.scalar(sa.select(sa.func.max(h.id)).where(_same_question(id_)))
    row = connection.execute(
        sa.select(
            h.state, h.source, h.offer_id, sa.or_(h.quote_id.is_(None), h.quote_id.in_(said)).label("current")
        ).where(h.id == id_)
    ).first()
    if row is None:
        raise NotFound("hold", str(id_))
    if row.state != REJECTED and not (row.offer_id is None and row.state == APPROVED):
        raise Conflict("hold", str(id_), f"it is {row.state}, not rejected")
    if not row.current:
        raise Conflict("hold", str(id_), "the source says something else now")
    if newer is not None:
        raise Conflict("hold", str(id_), f"hold {newer} is about the same and newer")
    values: dict[str, Any] = {
        "state": WAITING,
        "decided_at": None,
        "decided_by": None,
        "decision": None,
        "announced_at": at,
    }
    if row.offer_id is not None:
        # What the newest answer says of it is not known here: whoever wants the price looks at that answer first.
        values["contested_by"] = _waiting_feeds(connection).get(row.source)
    connection.execute(sa.update(holds).where(h.id == id_).values(values))
    offer: str | None = row.offer_id
    return offer


def _same_question(id_: int) -> sa.ColumnElement[bool]:
    """Return the condition for later holds of the same price, or of the same source's whole answers."""
    h, old = holds.c, holds.alias("old")
    feed = sa.and_(h.offer_id.is_(None), old.c.offer_id.is_(None))
    price = sa.and_(h.offer_id == old.c.offer_id, h.digest == old.c.digest)
    same = old.c.id == id_, h.source == old.c.source, sa.or_(feed, price)
    return sa.and_(h.id > id_, sa.exists().where(*same))


def overdue(connection: sa.Connection, every: timedelta, at: datetime) -> list[dict[str, Any]]:
    """Return what still waits and was not announced for a while, and note that it is announced now."""
    due = holds.c.state == WAITING, holds.c.announced_at <= at - every
    rows = [dict(row) for row in connection.execute(sa.select(holds).where(*due)).mappings()]
    if rows:
        connection.execute(sa.update(holds).where(*due).values(announced_at=at))
    return rows


def listed(
    connection: sa.Connection, *, state: str | None = None, source: str | None = None, after: int = 0, limit: int = 100
) -> list[dict[str, Any]]:
    """Return holds in the order in which they were opened."""
    query = sa.select(*_COLUMNS).where(holds.c.id > after).order_by(holds.c.id).limit(limit)
    if state is not None:
        query = query.where(holds.c.state == state)
    if source is not None:
        query = query.where(holds.c.source == source)
    return [_read(dict(row)) for row in connection.execute(query).mappings()]


def one(connection: sa.Connection, id_: int) -> dict[str, Any]:
    """Return one hold.

    Raises:
        NotFound: there is no such hold.
    """
    row = connection.execute(sa.select(*_COLUMNS).where(holds.c.id == id_)).mappings().first()
    if row is None:
        raise NotFound("hold", str(id_))
    return _read(dict(row))


def _read(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "reasons": json_text.load(row["reasons"]), "diff": json_text.load(row["diff"])}


def waiting_on(connection: sa.Connection, offer: str, source: str) -> int | None:
    """Return the hold in which a source's price of an offer waits, if it does."""
    query = sa.select(holds.c.id).where(holds.c.offer_id == offer, holds.c.source == source, holds.c.state == WAITING)
    found: int | None = connection.execute(query.order_by(holds.c.id.desc()).limit(1)).scalar()
    return found


def waiting_by_source(connection: sa.Connection) -> dict[str, int]:
    """Return how many prices of each source wait."""
    query = sa.select(holds.c.source, sa.func.count().label("waiting")).where(holds.c.state == WAITING)
    return {row.source: row.waiting for row in connection.execute(query.group_by(holds.c.source))}
