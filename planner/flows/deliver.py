"""The second walk: alerts that are on record are handed to everybody who wants them, at least once."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from planner import notify
from planner.core.errors import InvalidInput
from planner.notify import Mail, NotDelivered
from planner.store import alerts, holds, status
from planner.store.alerts import Target
from planner.store.engine import Connection, Store
from planner.store.tables import source_states

log = structlog.get_logger()

LEASE = timedelta(minutes=2)
BATCH = 20
REMIND_EVERY = timedelta(hours=24)

Log = Callable[[str, int, list[dict[str, Any]]], None]
"""Called with (kind, how many, the alerts)."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How planner may tell: by mail, where it is set up, to hosts that are trusted besides public ones, to the log."""

    log: Log
    mail: Mail | None = None
    trusted: tuple[str, ...] = ()


def log_alerts(kind: str, count: int, told: list[dict[str, Any]]) -> None:
    """Write alerts to the log, one line per message."""
    subjects = [alert["subject"] for alert in told[:5]]
    log.warning("alert", kind=kind, count=count, subjects=json.dumps(subjects), revision=told[0]["revision"])


def deliver(store: Store, ways: Ways, at: datetime) -> int:
    """Hand out what is due, and return how many messages were delivered.

    A message is taken with a lease, sent outside of any transaction, and marked afterwards: a crash in between sends
    it again, never not at all.
    """
    with store.read() as connection:
        hooks = {row["id"]: row for row in alerts.receivers(connection)}
    targets = [Target("log"), *(Target(f"email:{who}") for who in (() if ways.mail is None else ways.mail.recipients))]
    targets += [
        Target(f"webhook:{id_}", None if row["kinds"] is None else frozenset(row["kinds"]))
        for id_, row in hooks.items()
    ]
    store.tell(lambda connection: alerts.fan_out(connection, targets, at))
    sent = 0
    while True:
        due = store.tell(lambda connection: alerts.claim(connection, at, LEASE, BATCH))
        for message in due:
            with store.read() as connection:
                told = alerts.by_ids(connection, message["alerts"])
            error = _attempt(message, told, hooks, ways, at)
            store.tell(lambda connection, m=message, e=error: alerts.settle(connection, m["id"], m["attempts"], e, at))  # type: ignore[misc]  # bound per message
            sent += error is None
        if len(due) < BATCH:
            return sent


def _attempt(
    message: dict[str, Any], told: list[dict[str, Any]], hooks: dict[int, dict[str, Any]], ways: Ways, at: datetime
) -> str | None:
    """Try once, and return why it failed, or None."""
    target, kind = message["target"], message["kind"]
    try:
        if target == "log":
            ways.log(kind, len(told), told)
        elif target.startswith("email:"):
            recipient = target.partition(":")[2]
            if ways.mail is None or recipient not in ways.mail.recipients:
                return "no mail is sent to this address any more"
            subject = f"planner: {kind.replace('_', ' ')} ({len(told)})"
            notify.mail(ways.mail, recipient, f"planner-{message['id']}", subject, _text(told), at)
        else:
            hook = hooks.get(int(target.partition(":")[2]))
            if hook is None:
                return "the receiver was disabled"
            notify.post(
                hook["url"], hook["secret"], f"msg_{message['id']}", int(at.timestamp()), body_of(message, told, at),
                ways.trusted,
            )  # fmt: skip
    except NotDelivered as error:
        return str(error)
    except Exception as error:
        # An address nobody thought of must not stop the other messages, nor be tried for ever without being counted.
        log.exception("an alert could not be sent", target=target, kind=kind)
        return type(error).__name__
    return None


def body_of(message: dict[str, Any], told: Sequence[dict[str, Any]], at: datetime) -> bytes:
    """Write a webhook's body. It names what to look at and says no price: who reads it may not be who was meant."""
    document = {
        "type": f"planner.{message['kind']}",
        "timestamp": at.isoformat().replace("+00:00", "Z"),
        "data": {
            "count": len(told),
            "revision": told[0]["revision"] if told else None,
            "alerts": [{"id": alert["id"], "subject": alert["subject"]} for alert in told],
        },
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _text(told: Sequence[dict[str, Any]]) -> str:
    lines = []
    for alert in told:
        lines.append(f"{alert['at']:%Y-%m-%d %H:%M} UTC  {alert['kind']}  {ascii(alert['subject'])[1:-1]}")
        lines += [f"    {name}: {json.dumps(value)}" for name, value in alert["facts"].items()]
    return "\n".join(lines) + "\n"


def remind(store: Store, at: datetime) -> int:
    """Write alerts that no change causes: prices that still wait, sources that fell silent, and plans that moved.

    A plan moves without a publication when a dated price, a contract or evidence begins or ends. Returns how many.
    """
    return store.tell(lambda connection: _remind(connection, at))


def _remind(connection: Connection, at: datetime) -> int:
    # Compiling the catalogue needs numpy, which the commands that share this module need not wait for.
    from planner.flows import plans  # noqa: PLC0415

    waiting = holds.overdue(connection, REMIND_EVERY, at)
    for row in waiting:
        kind = "feed_held" if row["offer_id"] is None else "hold_waiting"
        facts = {"hold": row["id"], "source": row["source"], "since": row["opened_at"].isoformat()}
        alerts.add(connection, at, kind, row["offer_id"] or row["source"], facts, None)
    count = len(waiting) + plans.review(connection, at)
    for source in status.source_states_of(connection):
        state = source.state(at)
        if state in ("stale", "frozen") and source.told_stale_at is None:
            last = source.last_success_at
            facts = {"state": state, "last_success_at": None if last is None else last.isoformat()}
            alerts.add(connection, at, "source_stale", source.source, facts, None)
            connection.execute(
                source_states.update().where(source_states.c.source == source.source).values(told_stale_at=at)
            )
            count += 1
    return count


def add_webhook(
    connection: Connection, url: str, kinds: Sequence[str] | None, trusted: Sequence[str], *, at: datetime, actor: str
) -> dict[str, Any]:
    """Register a receiver, and return its number and its signing secret, which is shown this once.

    Raises:
        InvalidInput: an address planner will not call, or a kind it does not have.
    """
    notify.check_url(url, trusted)
    unknown = sorted(set(kinds or ()) - set(alerts.KINDS))
    if unknown:
        raise InvalidInput("kinds", f"planner knows {', '.join(alerts.KINDS)}")
    secret = notify.new_secret()
    id_ = alerts.add_webhook(connection, url, secret, kinds, at=at, actor=actor)
    return {"id": id_, "url": url, "kinds": None if kinds is None else list(kinds), "secret": secret}
