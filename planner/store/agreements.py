"""Fees, contracts, ways of paying and exchange rates as rows: entered with a day and a person, ended, never edited."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from planner.core.errors import Conflict, NotFound
from planner.store import audit, json_text
from planner.store.revision import bump
from planner.store.tables import channel_payments, channels, contracts, fees, fx_rates

Row = Mapping[str, Any]


def check_channel(connection: sa.Connection, channel: str) -> None:
    """Refuse a channel nobody registered.

    Raises:
        NotFound: no channel has exactly this id.
    """
    if connection.execute(sa.select(channels.c.id).where(channels.c.id == channel)).first() is None:
        raise NotFound("channel", channel)


def add_contract(connection: sa.Connection, row: Row, *, at: datetime, actor: str, reason: str) -> int:
    """Record a contract and return its number."""
    check_channel(connection, row["channel_id"])
    return _add(connection, contracts, {**row, "recorded_by": actor}, "contract", at=at, actor=actor, reason=reason)


def add_fee(connection: sa.Connection, row: Row, *, at: datetime, actor: str, reason: str) -> int:
    """Record a channel's fee and return its number."""
    check_channel(connection, row["channel_id"])
    number = (connection.execute(sa.select(sa.func.max(fees.c.id))).scalar() or 0) + 1
    # Numbers below a thousand are those of the seeds, which may grow.
    return _add(connection, fees, {**row, "id": max(number, 1_001)}, "fee", at=at, actor=actor, reason=reason)


def _add(
    connection: sa.Connection, table: sa.Table, row: Row, word: str, *, at: datetime, actor: str, reason: str
) -> int:
    done = connection.execute(sa.insert(table).values(**row, recorded_from=at))
    key = done.inserted_primary_key
    if key is None:
        raise AssertionError("an inserted row has a key")
    id_ = int(key[0])
    audit.record(
        connection, at=at, actor=actor, action=f"{word}.add", subject=f"{word} {id_}", after=_plain(row), reason=reason
    )
    bump(connection, policy=True)
    return id_


def end(connection: sa.Connection, word: str, id_: int, *, at: datetime, actor: str, reason: str) -> None:
    """Take a contract or a fee off the record; what was believed under it stays readable.

    Raises:
        NotFound: there is none with this number.
        Conflict: it was ended before.
    """
    table = {"contract": contracts, "fee": fees}[word]
    row = connection.execute(sa.select(table.c.recorded_to).where(table.c.id == id_)).first()
    if row is None:
        raise NotFound(word, str(id_))
    if row.recorded_to is not None:
        raise Conflict(word, str(id_), "ended before")
    connection.execute(sa.update(table).where(table.c.id == id_).values(recorded_to=at))
    audit.record(connection, at=at, actor=actor, action=f"{word}.end", subject=f"{word} {id_}", reason=reason)
    bump(connection, policy=True)


def pay(
    connection: sa.Connection, channel: str, payment: str, list_usd_per_month: str | None, *, at: datetime, actor: str
) -> None:
    """Say how a channel is paid here, and how much list-price usage a month is expected."""
    check_channel(connection, channel)
    before = connection.execute(sa.select(channel_payments).where(channel_payments.c.channel_id == channel)).first()
    connection.execute(sa.delete(channel_payments).where(channel_payments.c.channel_id == channel))
    values = {"payment": payment, "list_usd_per_month": list_usd_per_month, "changed_at": at, "changed_by": actor}
    connection.execute(sa.insert(channel_payments).values(channel_id=channel, **values))
    audit.record(
        connection, at=at, actor=actor, action="channel.pay", subject=channel,
        before=None if before is None else [before.payment, before.list_usd_per_month],
        after=[payment, list_usd_per_month],
    )  # fmt: skip
    bump(connection, policy=True)


def set_fx(connection: sa.Connection, row: Row, *, at: datetime, actor: str, reason: str) -> None:
    """Record the rate of a day; a rate that is there is replaced, and the audit trail keeps the one before."""
    same = fx_rates.c.currency == row["currency"], fx_rates.c.day == row["day"]
    before = connection.execute(sa.select(fx_rates.c.usd).where(*same)).scalar()
    connection.execute(sa.delete(fx_rates).where(*same))
    connection.execute(sa.insert(fx_rates).values(**row, recorded_at=at, recorded_by=actor))
    audit.record(
        connection, at=at, actor=actor, action="fx.set", subject=f"{row['currency']} {row['day']}", before=before,
        after=row["usd"], reason=reason,
    )  # fmt: skip


def fx(connection: sa.Connection, currency: str | None = None, day: date | None = None) -> list[dict[str, Any]]:
    """Return exchange rates, newest first; with a currency and a day, the one that holds then, if any."""
    query = sa.select(fx_rates).order_by(fx_rates.c.day.desc(), fx_rates.c.currency)
    if currency is not None:
        query = query.where(fx_rates.c.currency == currency)
    if day is not None:
        query = query.where(fx_rates.c.day <= day).limit(1)
    return [dict(row) for row in connection.execute(query).mappings()]


def payments(connection: sa.Connection) -> list[dict[str, Any]]:
    """Return how each channel is paid here, where somebody said so."""
    query = sa.select(channel_payments).order_by(channel_payments.c.channel_id)
    return [dict(row) for row in connection.execute(query).mappings()]


def _plain(row: Row) -> dict[str, Any]:
    written = {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}
    json_text.dump(written)
    return written
