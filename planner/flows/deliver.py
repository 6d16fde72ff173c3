"""The second walk: alerts that are on record are handed to everybody who wants them, at least once."""

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog

from planner import notify
from planner.core.errors import InvalidInput, NotFound
from planner.flows import budget, expiry
from planner.notify import Mail, NotDelivered
from planner.store import alerts, holds, pulls, status
from planner.store.alerts import Target
from planner.store.engine import Connection, Store
from planner.store.tables import source_states

log = structlog.get_logger()

# Longer than any attempt may take: while one lasts, nobody else begins another.
LEASE = timedelta(seconds=3 * notify.DEADLINE_SECONDS)
REMIND_EVERY = timedelta(hours=24)

Clock = Callable[[Connection], datetime]
"""The present moment; `Store.clock` is the one that all workers share."""

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


class _Taken(NamedTuple):
    """A message to send: what it tells, to which webhook, if to one, and when it was taken."""

    message: dict[str, Any]
    told: list[dict[str, Any]]
    hook: dict[str, Any] | None
    at: datetime


def deliver(store: Store, ways: Ways, clock: Clock) -> int:
    """Hand out what is due, and return how many messages were delivered.

    A message is taken with a lease, sent outside of any transaction, and marked afterwards: a crash in between sends
    it again, never not at all. Who fails once is passed over until the next walk, so that nobody waits for a receiver
    that does not answer.
    """
    store.tell(lambda connection: alerts.fan_out(connection, _targets(connection, ways), clock(connection)))
    sent = 0
    failed: set[str] = set()
    while (taken := store.tell(lambda connection: _take(connection, failed, clock(connection)))) is not None:
        error = _attempt(taken, ways)
        store.tell(lambda connection, taken=taken, error=error: _settle(connection, taken, error, clock(connection)))  # type: ignore[misc]  # bound per message
        if error is None:
            sent += 1
        else:
            failed.add(taken.message["target"])
    return sent


def _targets(connection: Connection, ways: Ways) -> list[Target]:
    hooks = alerts.receivers(connection)
    return [
        Target("log"),
        *(Target(f"email:{who}") for who in (() if ways.mail is None else ways.mail.recipients)),
        *(Target(f"webhook:{row['id']}", None if row["kinds"] is None else frozenset(row["kinds"])) for row in hooks),
    ]


def _take(connection: Connection, failed: set[str], at: datetime) -> _Taken | None:
    message = alerts.claim(connection, at, LEASE, failed)
    if message is None:
        return None
    told = alerts.by_ids(connection, message["alerts"])
    return _Taken(message, told, alerts.receiver(connection, message["target"]), at)


def _settle(connection: Connection, taken: _Taken, error: NotDelivered | None, at: datetime) -> None:
    message = taken.message
    alerts.settle(connection, message["id"], message["attempts"], None if error is None else str(error), at)
    if error is not None and error.gone and taken.hook is not None:
        with contextlib.suppress(NotFound):  # disabled meanwhile
            alerts.disable_webhook(connection, taken.hook["id"], at=at, actor="receiver", reason=str(error))


def _attempt(taken: _Taken, ways: Ways) -> NotDelivered | None:
    """Try once, and return why it failed, or None."""
    message, told, hook, at = taken
    target, kind = message["target"], message["kind"]
    try:
        if target == "log":
            ways.log(kind, len(told), told)
        elif target.startswith("email:"):
            recipient = target.partition(":")[2]
            if ways.mail is None or recipient not in ways.mail.recipients:
                return NotDelivered("no mail is sent to this address any more")
            subject = f"planner: {kind.replace('_', ' ')} ({len(told)})"
            notify.mail(ways.mail, recipient, f"planner-{message['id']}", subject, _text(told), at)
        elif hook is None:
            return NotDelivered("the receiver was disabled")
        else:
            notify.post(
                hook["url"], hook["secret"], f"msg_{message['id']}", int(at.timestamp()), body_of(message, told, at),
                ways.trusted,
            )  # fmt: skip
    except NotDelivered as error:
        return error
    except Exception as error:
        # An address nobody thought of must not stop the other messages, nor be tried for ever without being counted.
        log.exception("an alert could not be sent", target=target, kind=kind)
        return NotDelivered(type(error).__name__)
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


def remind(connection: Connection, at: datetime) -> int:
    """Write alerts that no change causes: prices that still wait, evidence that ends, silent sources, plans that moved.

    Reports of vendors that cannot be pulled for long, and budgets that are used up or will be, are among them. A plan
    moves without a publication when a dated price, a contract or evidence begins or ends. Returns how many.
    """
    # Compiling the catalogue needs numpy, which the commands that share this module need not wait for.
    from planner.flows import plans  # noqa: PLC0415

    waiting = holds.overdue(connection, REMIND_EVERY, at)
    for row in waiting:
        kind = "feed_held" if row["offer_id"] is None else "hold_waiting"
        facts = {"hold": row["id"], "source": row["source"], "since": row["opened_at"].isoformat()}
        alerts.add(connection, at, kind, row["offer_id"] or row["source"], facts, None)
    count = len(waiting) + expiry.remind(connection, at) + plans.review(connection, at) + pulls.remind(connection, at)
    count += budget.check(connection, at)
    for source in status.source_states_of(connection):
        silence = source.silence(at)
        # Told once for every time it begins, also while the source goes on being read without saying anything new.
        if silence is None or (source.told_stale_at is not None and source.told_stale_at >= silence.since):
            continue
        last = source.last_success_at
        facts = {"state": silence.state, "last_success_at": None if last is None else last.isoformat()}
        alerts.add(connection, at, "source_stale", source.source, facts, None)
        connection.execute(
            source_states.update().where(source_states.c.source == source.source).values(told_stale_at=at)
        )
        count += 1
    return count


def add_webhook(
    connection: Connection, url: str, kinds: Sequence[str] | None, trusted: Sequence[str], *, at: datetime, actor: str,
    reason: str,
) -> dict[str, Any]:  # fmt: skip
    """Register a receiver, and return its number and its signing secret, which is shown this once.

    Raises:
        InvalidInput: an address planner will not call, or a kind it does not have.
    """
    notify.check_url(url, trusted)
    unknown = sorted(set(kinds or ()) - set(alerts.KINDS))
    if unknown or kinds == []:
        raise InvalidInput("kinds", f"planner knows {', '.join(alerts.KINDS)}")
    secret = notify.new_secret()
    id_ = alerts.add_webhook(connection, url, secret, kinds, at=at, actor=actor, reason=reason)
    return {"id": id_, "url": url, "kinds": None if kinds is None else list(kinds), "secret": secret}
