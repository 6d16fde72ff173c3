"""Whose turn it is: a scheduled moment is claimed by one worker, and written about by nobody else."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.core.errors import Overtaken
from planner.store.tables import slots

RUNNING, DONE, FAILED = "running", "done", "failed"
KEPT_FOR = timedelta(days=30)


class Turn(NamedTuple):
    """A claimed moment of a job. ``token`` outranks every earlier one: a worker that slept is told apart by it."""

    job: str
    slot_start: datetime
    token: int


def slot_of(at: datetime, interval: timedelta) -> datetime:
    """Return the beginning of the slot a moment falls into; slots are counted from the year 1970 in UTC."""
    epoch = datetime.fromtimestamp(0, at.tzinfo)
    return epoch + (at - epoch) // interval * interval


def claim(
    connection: sa.Connection, job: str, slot_start: datetime, owner: str, *, at: datetime, lease: timedelta
) -> Turn | None:
    """Claim a slot, or take it over where its lease ran out; None where it is somebody else's, or done.

    A turn that failed is taken again when its lease has run out, not at once.
    """
    same = slots.c.job == job, slots.c.slot_start == slot_start
    row = connection.execute(sa.select(slots.c.state, slots.c.lease_until, slots.c.token).where(*same)).first()
    token = 1 + (connection.execute(sa.select(sa.func.max(slots.c.token)).where(slots.c.job == job)).scalar() or 0)
    values = {"owner": owner, "token": token, "lease_until": at + lease, "state": RUNNING}
    if row is None:
        connection.execute(sa.insert(slots).values(job=job, slot_start=slot_start, **values))
        connection.execute(sa.delete(slots).where(slots.c.job == job, slots.c.slot_start < slot_start - KEPT_FOR))
        return Turn(job, slot_start, token)
    if row.state == DONE or row.lease_until > at:
        return None
    connection.execute(sa.update(slots).where(*same).values(values))
    return Turn(job, slot_start, token)


def finish(connection: sa.Connection, turn: Turn, at: datetime, state: str = DONE) -> None:
    """End a turn, in the transaction of what was done in it.

    Raises:
        Overtaken: another worker has taken the turn over, a later turn was done meanwhile, or it was ended.
    """
    later = slots.alias()
    # Whoever slept past his slot holds an older answer than the turn that was done since.
    outranked = sa.exists().where(later.c.job == turn.job, later.c.token > turn.token, later.c.state == DONE)
    done = connection.execute(
        sa.update(slots)
        .where(
            slots.c.job == turn.job,
            slots.c.slot_start == turn.slot_start,
            slots.c.token == turn.token,
            slots.c.state == RUNNING,
            ~outranked,
        )
        .values(state=state, finished_at=at)
    )
    if not done.rowcount:
        raise Overtaken(
            "turn", f"{turn.job} {turn.slot_start.isoformat()}", "its lease ran out, or a later turn was done"
        )


def held(connection: sa.Connection, turn: Turn) -> None:
    """Make sure that a turn is still whose it was, before something is done in it.

    Raises:
        Overtaken: another worker has taken it over.
    """
    query = sa.select(slots.c.token).where(slots.c.job == turn.job, slots.c.slot_start == turn.slot_start)
    if connection.scalar(query.where(slots.c.state == RUNNING)) != turn.token:
        raise Overtaken("turn", f"{turn.job} {turn.slot_start.isoformat()}", "its lease ran out")


def release(connection: sa.Connection, owner: str, at: datetime) -> None:
    """Give up what a worker that stops has not ended, so that nobody has to wait for its leases."""
    mine = slots.c.owner == owner, slots.c.state == RUNNING
    connection.execute(sa.update(slots).where(*mine).values(lease_until=at))


def latest(connection: sa.Connection) -> list[dict[str, Any]]:
    """Return the newest slot of every job."""
    newest = (
        sa.select(slots.c.job, sa.func.max(slots.c.slot_start).label("slot_start")).group_by(slots.c.job).subquery()
    )
    query = (
        sa.select(slots)
        .join(newest, sa.and_(slots.c.job == newest.c.job, slots.c.slot_start == newest.c.slot_start))
        .order_by(slots.c.job)
    )
    return [dict(row) for row in connection.execute(query).mappings()]
