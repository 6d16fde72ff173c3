"""Alerts and their way out: rows of the transaction that caused them, messages to targets, and what became of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from planner.core.errors import Conflict, NotFound
from planner.store import audit, json_text
from planner.store.revision import bump
from planner.store.tables import alerts, deliveries, webhooks

KINDS = (
    "price_rise",
    "price_fall",
    "offer_gone",
    "price_gone",
    "hold_waiting",
    "feed_held",
    "source_stale",
    "pull_stale",
    "cheaper_offer",
    "plan_moved",
    "plan_under_margin",
    "plan_without_offer",
    "terms_expiring",
    "terms_expired",
    "budget_reached",
    "budget_forecast",
)
ALERTS_PER_MESSAGE = 100
FAN_OUT_MAX = 20_000
# After the first attempt: a minute, then longer and longer; a receiver that is down over a night still hears of it.
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360, 720, 1_440))
DUE, DELIVERED, DEAD = STATES = "due", "delivered", "dead"


@dataclass(frozen=True, slots=True)
class Target:
    """Who is told: ``name`` is ``log``, ``email:<recipient>`` or ``webhook:<id>``; ``kinds`` None is everything."""

    name: str
    kinds: frozenset[str] | None = None

    def hears(self, kind: str) -> bool:
        """Tell whether this target wants alerts of a kind."""
        return self.kinds is None or kind in self.kinds


def add(
    connection: sa.Connection, at: datetime, kind: str, subject: str, facts: Mapping[str, Any], revision: int | None
) -> None:
    """Write one alert, in the transaction of its cause."""
    values = {"at": at, "kind": kind, "subject": subject, "facts": json_text.dump(dict(facts)), "revision": revision}
    connection.execute(sa.insert(alerts).values(values))


def fan_out(connection: sa.Connection, targets: Sequence[Target], at: datetime) -> int:
    """Turn new alerts into messages: one per target, kind and revision, a hundred alerts at most. Returns how many."""
    query = (
        sa.select(alerts.c.id, alerts.c.kind, alerts.c.revision)
        .where(alerts.c.delivered_at.is_(None))
        .order_by(alerts.c.id)
        .limit(FAN_OUT_MAX)
    )
    groups: dict[tuple[str, int | None], list[int]] = {}
    for id_, kind, revision in connection.execute(query):
        groups.setdefault((kind, revision), []).append(id_)
    rows = [
        {
            "target": target.name, "kind": kind, "alerts": json_text.dump(ids[start : start + ALERTS_PER_MESSAGE]),
            "state": DUE, "attempts": 0, "next_attempt_at": at, "created_at": at,
        }
        for (kind, _revision), ids in groups.items()
        for target in targets
        if target.hears(kind)
        for start in range(0, len(ids), ALERTS_PER_MESSAGE)
    ]  # fmt: skip
    if rows:
        connection.execute(sa.insert(deliveries), rows)
    done = [{"b_id": id_} for ids in groups.values() for id_ in ids]
    if done:
        connection.execute(sa.update(alerts).where(alerts.c.id == sa.bindparam("b_id")).values(delivered_at=at), done)
    return len(rows)


def claim(
    connection: sa.Connection, at: datetime, lease: timedelta, passing_over: Iterable[str] = ()
) -> dict[str, Any] | None:
    """Take the oldest due message to send, of another target than these; nobody is given the same within the lease.

    A message that was taken once too often, and never settled, is dead: whoever sent it stopped every time.
    """
    due = deliveries.c.state == DUE, deliveries.c.next_attempt_at <= at
    spent = {"state": DEAD, "finished_at": at, "error": "sent again and again, and nobody knows whether it arrived"}
    connection.execute(sa.update(deliveries).where(*due, deliveries.c.attempts > len(PAUSES)).values(spent))
    query = sa.select(deliveries).where(*due, deliveries.c.target.not_in(list(passing_over)))
    row = connection.execute(query.order_by(deliveries.c.id).limit(1)).mappings().first()
    if row is None:
        return None
    taken = {"attempts": row["attempts"] + 1, "next_attempt_at": at + lease}
    connection.execute(sa.update(deliveries).where(deliveries.c.id == row["id"]).values(taken))
    return {**row, **taken, "alerts": json_text.load(row["alerts"])}


def settle(connection: sa.Connection, id_: int, attempts: int, error: str | None, at: datetime) -> None:
    """Record how an attempt ended: delivered, due again later, or dead, which waits for a person."""
    if error is None:
        values: dict[str, Any] = {"state": DELIVERED, "finished_at": at, "error": None}
    elif attempts > len(PAUSES):
        values = {"state": DEAD, "finished_at": at, "error": error[:500]}
    else:
        values = {"next_attempt_at": at + PAUSES[attempts - 1], "error": error[:500]}
    # Only while the message is still this attempt's: somebody else may have delivered it since.
    mine = deliveries.c.id == id_, deliveries.c.state == DUE, deliveries.c.attempts == attempts
    connection.execute(sa.update(deliveries).where(*mine).values(values))


def retry(connection: sa.Connection, id_: int, *, at: datetime, actor: str, reason: str) -> None:
    """Make a dead message due again.

    Raises:
        NotFound: there is no such message.
        Conflict: it is not dead, or its receiver is disabled.
    """
    columns = deliveries.c.state, deliveries.c.target, deliveries.c.attempts
    row = connection.execute(sa.select(*columns).where(deliveries.c.id == id_)).first()
    if row is None:
        raise NotFound("delivery", str(id_))
    if row.state != DEAD:
        raise Conflict("delivery", str(id_), f"it is {row.state}, not dead")
    if row.target.startswith("webhook:") and receiver(connection, row.target) is None:
        raise Conflict("delivery", str(id_), "its receiver is disabled; enable it first")
    values = {"state": DUE, "attempts": 0, "next_attempt_at": at, "finished_at": None}
    connection.execute(sa.update(deliveries).where(deliveries.c.id == id_).values(values))
    audit.record(
        connection, at=at, actor=actor, action="delivery.retry", subject=f"delivery {id_}", reason=reason,
        before={"target": row.target, "state": row.state, "attempts": row.attempts},
        after={"target": row.target, "state": DUE, "attempts": 0},
    )  # fmt: skip


def by_ids(connection: sa.Connection, ids: Iterable[int]) -> list[dict[str, Any]]:
    """Return alerts by their numbers."""
    query = sa.select(alerts).where(alerts.c.id.in_(list(ids))).order_by(alerts.c.id)
    return [_read(dict(row)) for row in connection.execute(query).mappings()]


def listed(
    connection: sa.Connection,
    *,
    kind: str | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Return alerts, newest first."""
    query = sa.select(alerts).order_by(alerts.c.id.desc()).limit(limit)
    if kind is not None:
        query = query.where(alerts.c.kind == kind)
    if subject is not None:
        query = query.where(alerts.c.subject == subject)
    if since is not None:
        query = query.where(alerts.c.at > since)
    if before is not None:
        query = query.where(alerts.c.id < before)
    return [_read(dict(row)) for row in connection.execute(query).mappings()]


def facts_of(connection: sa.Connection, kind: str, since: datetime | None = None) -> list[dict[str, Any]]:
    """Return the facts of every alert of one kind, or of those from a moment on, for what is told only once."""
    query = sa.select(alerts.c.facts).where(alerts.c.kind == kind)
    if since is not None:
        query = query.where(alerts.c.at >= since)
    return [json_text.load(facts) for facts in connection.execute(query).scalars()]


def _read(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "facts": json_text.load(row["facts"])}


def messages(
    connection: sa.Connection, *, state: str | None = None, before: int | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """Return messages, newest first; with ``dead`` those that wait for a person."""
    query = sa.select(deliveries).order_by(deliveries.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(deliveries.c.state == state)
    if before is not None:
        query = query.where(deliveries.c.id < before)
    return [{**row, "alerts": json_text.load(row["alerts"])} for row in connection.execute(query).mappings()]


def add_webhook(
    connection: sa.Connection, url: str, secret: str, kinds: Sequence[str] | None, *, at: datetime, actor: str,
    reason: str,
) -> int:  # fmt: skip
    """Register a receiver and return its number. The secret is never shown again, and not written into the audit."""
    done = connection.execute(
        sa.insert(webhooks).values(
            url=url, secret=secret, kinds=None if kinds is None else json_text.dump(list(kinds)), created_at=at,
            created_by=actor,
        )
    )  # fmt: skip
    key = done.inserted_primary_key
    if key is None:
        raise AssertionError("an inserted row has a key")
    audit.record(
        connection, at=at, actor=actor, action="webhook.add", subject=f"webhook {key[0]}", reason=reason, before=None,
        after={"url": url, "kinds": None if kinds is None else list(kinds), "told": True},
    )  # fmt: skip
    bump(connection, policy=True)
    return int(key[0])


def disable_webhook(connection: sa.Connection, id_: int, *, at: datetime, actor: str, reason: str) -> None:
    """Stop telling a receiver; what was due to it is dropped.

    Raises:
        NotFound: there is no such receiver, or it was disabled before.
    """
    done = connection.execute(
        sa.update(webhooks).where(webhooks.c.id == id_, webhooks.c.disabled_at.is_(None)).values(disabled_at=at)
    )
    if not done.rowcount:
        raise NotFound("webhook", str(id_))
    dropped = connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.target == f"webhook:{id_}", deliveries.c.state == DUE)
        .values(state=DEAD, finished_at=at, error="the receiver was disabled")
    ).rowcount
    audit.record(
        connection, at=at, actor=actor, action="webhook.disable", subject=f"webhook {id_}", reason=reason,
        before={"told": True, "due": dropped}, after={"told": False, "due": 0},
    )  # fmt: skip
    bump(connection, policy=True)


def enable_webhook(connection: sa.Connection, id_: int, *, at: datetime, actor: str, reason: str) -> None:
    """Tell a receiver again; what died meanwhile waits for a retry.

    Raises:
        NotFound: there is no such receiver.
        Conflict: it is told already.
    """
    row = connection.execute(sa.select(webhooks.c.disabled_at).where(webhooks.c.id == id_)).first()
    if row is None:
        raise NotFound("webhook", str(id_))
    if row.disabled_at is None:
        raise Conflict("webhook", str(id_), "it is not disabled")
    connection.execute(sa.update(webhooks).where(webhooks.c.id == id_).values(disabled_at=None))
    audit.record(
        connection, at=at, actor=actor, action="webhook.enable", subject=f"webhook {id_}", reason=reason,
        before={"told": False}, after={"told": True},
    )  # fmt: skip
    bump(connection, policy=True)


def receiver(connection: sa.Connection, target: str) -> dict[str, Any] | None:
    """Return the webhook of a target ``webhook:<id>``, with its secret; None where it is not told any more."""
    id_ = target.removeprefix("webhook:")
    return next((row for row in receivers(connection) if str(row["id"]) == id_), None)


def receivers(connection: sa.Connection, *, live: bool = True) -> list[dict[str, Any]]:
    """Return receivers with their secrets, for sending; the doors show them without."""
    query = sa.select(webhooks).order_by(webhooks.c.id)
    if live:
        query = query.where(webhooks.c.disabled_at.is_(None))
    rows = connection.execute(query).mappings()
    return [{**row, "kinds": None if row["kinds"] is None else json_text.load(row["kinds"])} for row in rows]
