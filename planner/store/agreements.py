"""Fees, contracts, ways of paying and exchange rates as rows: entered with a day and a person, ended, never edited."""

from collections.abc import Mapping
from datetime import date, datetime
from fractions import Fraction
from typing import Any

import sqlalchemy as sa

from planner.core.errors import Conflict, InvalidInput, NotFound
from planner.store import audit, json_text, work
from planner.store.known import known
from planner.store.revision import bump
from planner.store.tables import channel_payments, channels, contracts, fees, fx_rates, models, providers

Row = Mapping[str, Any]


def check_channel(connection: sa.Connection, channel: str) -> None:
    """Refuse a channel nobody registered.

    Raises:
        NotFound: no channel has exactly this id.
    """
    if connection.execute(sa.select(channels.c.id).where(channels.c.id == channel)).first() is None:
        raise NotFound("channel", channel)


def add_contract(connection: sa.Connection, row: Row, *, at: datetime, actor: str, reason: str) -> int:
    """Record a contract and return its number. The one about the same that it follows ends on the day it begins.

    Raises:
        NotFound: there is no such channel, provider or model: it would never apply.
        InvalidInput: a commitment without its period, or a period without a commitment.
        Conflict: another contract about the same holds for a part of its time and does not simply come before it.
    """
    check_channel(connection, row["channel_id"])
    for word, table, id_ in (("provider", providers, row["provider_id"]), ("model", models, row["model_id"])):
        if id_ is not None and connection.execute(sa.select(table.c.id).where(table.c.id == id_)).first() is None:
            raise NotFound(word, id_)
    if (row["commitment_usd"] is None) != (row["commitment_period"] is None):
        raise InvalidInput("commitment_period", "a commitment and its period go together")
    c = contracts.c
    same = c.channel_id == row["channel_id"], c.provider_id == row["provider_id"], c.model_id == row["model_id"]
    _make_room(connection, contracts, same, "contract", row, at=at, actor=actor, reason=reason)
    return _add(connection, contracts, {**row, "recorded_by": actor}, "contract", at=at, actor=actor, reason=reason)


def add_fee(connection: sa.Connection, row: Row, *, at: datetime, actor: str, reason: str) -> int:
    """Record a channel's fee and return its number. The one it follows ends on the day it begins.

    Raises:
        NotFound: there is no such channel.
        InvalidInput: it ends before it begins.
        Conflict: another fee of the same kind holds for a part of its time and does not simply come before it.
    """
    check_channel(connection, row["channel_id"])
    if row["valid_to"] is not None and row["valid_to"] <= row["valid_from"]:
        raise InvalidInput("valid_to", "later than valid_from is needed")
    f = fees.c
    kind = f.channel_id == row["channel_id"], f.payment == row["payment"], f.basis == row["basis"]
    _make_room(connection, fees, kind, "fee", row, at=at, actor=actor, reason=reason)
    return _add(connection, fees, {**row, "id": _next_fee(connection)}, "fee", at=at, actor=actor, reason=reason)


def _make_room(
    connection: sa.Connection, table: sa.Table, same: tuple[sa.ColumnElement[bool], ...], word: str, row: Row, *,
    at: datetime, actor: str, reason: str,
) -> None:  # fmt: skip
    """End what a new agreement follows; refuse what it would overlap in another way."""
    begins, ends = row["valid_from"], row["valid_to"]
    live = sa.select(table.c.id, table.c.valid_from, table.c.valid_to).where(*same, table.c.recorded_to.is_(None))
    for other in connection.execute(live).all():
        if (other.valid_to is not None and other.valid_to <= begins) or (ends is not None and ends <= other.valid_from):
            continue
        if other.valid_to is not None or other.valid_from >= begins:
            raise Conflict(word, str(other.id), "it holds for a part of the same time; end or void it first")
        end(connection, word, other.id, begins, at=at, actor=actor, reason=reason)


def _next_fee(connection: sa.Connection) -> int:
    number = (connection.execute(sa.select(sa.func.max(fees.c.id))).scalar() or 0) + 1
    # Numbers below a thousand are those of the seeds, which may grow.
    return max(int(number), 1_001)


def _add(
    connection: sa.Connection, table: sa.Table, row: Row, word: str, *, at: datetime, actor: str, reason: str
) -> int:
    done = connection.execute(sa.insert(table).values(**row, recorded_from=at))
    key = done.inserted_primary_key
    if key is None:
        raise AssertionError("an inserted row has a key")
    id_ = int(key[0])
    audit.record(
        connection, at=at, actor=actor, action=f"{word}.add", subject=f"{word} {id_}", before=None,
        after=_plain(row), reason=reason,
    )  # fmt: skip
    bump(connection, policy=True)
    _book_anew(connection, row["channel_id"], row["valid_from"], at)
    return id_


def _book_anew(connection: sa.Connection, channel: str, since: datetime, at: datetime) -> None:
    """Say that what was served through a channel costs something else from a moment on; it may be past."""
    work.add(connection, "terms", {"channel": channel, "since": since.isoformat()}, at)


def end(
    connection: sa.Connection, word: str, id_: int, ends: datetime, *, at: datetime, actor: str, reason: str
) -> int | None:
    """Let a contract or a fee end at a moment; before it, it goes on holding, under the new number that is returned.

    None: it would have ended before it began, and is off the record.

    Raises:
        NotFound: there is none with this number.
        Conflict: it is off the record, or ends before that anyway.
    """
    table, row = _on_record(connection, word, id_)
    if row["valid_to"] is not None and row["valid_to"] <= ends:
        raise Conflict(word, str(id_), f"it ends at {row['valid_to'].isoformat()} already")
    connection.execute(sa.update(table).where(table.c.id == id_).values(recorded_to=at))
    made: int | None = None
    if ends > row["valid_from"]:
        number = {"id": _next_fee(connection)} if word == "fee" else {}
        kept = {name: value for name, value in row.items() if name != "id"}
        changed = {**kept, **number, "valid_to": ends, "recorded_from": at, "recorded_to": None}
        key = connection.execute(sa.insert(table).values(changed)).inserted_primary_key
        made = None if key is None else int(key[0])
    audit.record(
        connection, at=at, actor=actor, action=f"{word}.end", subject=f"{word} {id_}", before=_plain(row),
        after=None if made is None else {**_plain(row), "id": made, "valid_to": ends.isoformat()}, reason=reason,
    )  # fmt: skip
    bump(connection, policy=True)
    _book_anew(connection, row["channel_id"], max(ends, row["valid_from"]), at)
    return made


def void(connection: sa.Connection, word: str, id_: int, *, at: datetime, actor: str, reason: str) -> None:
    """Take a contract or a fee off the record as if it had never been; what was believed under it stays readable.

    Raises:
        NotFound: there is none with this number.
        Conflict: it is off the record.
    """
    table, row = _on_record(connection, word, id_)
    connection.execute(sa.update(table).where(table.c.id == id_).values(recorded_to=at))
    audit.record(
        connection, at=at, actor=actor, action=f"{word}.void", subject=f"{word} {id_}", before=_plain(row), after=None,
        reason=reason,
    )  # fmt: skip
    bump(connection, policy=True)
    _book_anew(connection, row["channel_id"], row["valid_from"], at)


def _on_record(connection: sa.Connection, word: str, id_: int) -> tuple[sa.Table, dict[str, Any]]:
    table = {"contract": contracts, "fee": fees}[word]
    row = connection.execute(sa.select(table).where(table.c.id == id_)).mappings().first()
    if row is None:
        raise NotFound(word, str(id_))
    if row["recorded_to"] is not None:
        raise Conflict(word, str(id_), "it is off the record")
    return table, dict(row)


def pay(
    connection: sa.Connection, channel: str, payment: str, list_usd_per_month: str | None, valid_from: datetime, *,
    at: datetime, actor: str, reason: str,
) -> None:  # fmt: skip
    """Say how a channel is paid here from a moment on, and how much list-price usage a month is expected."""
    check_channel(connection, channel)
    p = channel_payments.c
    live = p.channel_id == channel, p.recorded_to.is_(None)
    columns = p.payment, p.list_usd_per_month, p.valid_from
    found = connection.execute(sa.select(*columns).where(*live).order_by(p.valid_from)).mappings()
    before = [dict(row) for row in found]
    connection.execute(sa.update(channel_payments).where(*live, p.valid_from >= valid_from).values(recorded_to=at))
    values = {"payment": payment, "list_usd_per_month": list_usd_per_month, "valid_from": valid_from}
    connection.execute(
        sa.insert(channel_payments).values(channel_id=channel, **values, recorded_from=at, recorded_by=actor)
    )
    audit.record(
        connection, at=at, actor=actor, action="channel.pay", subject=channel, before=[_plain(row) for row in before],
        after=[*(_plain(row) for row in before if row["valid_from"] < valid_from), _plain(values)], reason=reason,
    )  # fmt: skip
    bump(connection, policy=True)
    _book_anew(connection, channel, valid_from, at)


def set_fx(connection: sa.Connection, row: Row, *, at: datetime, actor: str, reason: str) -> None:
    """Record the rate of a day. One that is there is closed, and goes on answering what was believed.

    Raises:
        InvalidInput: not a rate above 0, or one of the dollar itself.
    """
    if row["currency"] == "USD":
        raise InvalidInput("currency", "a dollar is a dollar")
    if Fraction(row["usd"]) <= 0:
        raise InvalidInput("usd", "a rate above 0 is needed")
    f = fx_rates.c
    same = f.currency == row["currency"], f.day == row["day"], f.recorded_to.is_(None)
    before = connection.execute(sa.select(f.usd).where(*same)).scalar()
    connection.execute(sa.update(fx_rates).where(*same).values(recorded_to=at))
    connection.execute(sa.insert(fx_rates).values(**row, recorded_from=at, recorded_by=actor))
    audit.record(
        connection, at=at, actor=actor, action="fx.set", subject=f"{row['currency']} {row['day']}", before=before,
        after=row["usd"], reason=reason,
    )  # fmt: skip
    bump(connection, policy=True)


def fx(
    connection: sa.Connection, currency: str | None = None, day: date | None = None, known_at: datetime | None = None
) -> list[dict[str, Any]]:
    """Return exchange rates, newest first; with a currency and a day, the one that holds then, if any."""
    query = sa.select(fx_rates).where(known(fx_rates, known_at))
    query = query.order_by(fx_rates.c.day.desc(), fx_rates.c.currency)
    if currency is not None:
        query = query.where(fx_rates.c.currency == currency)
    if day is not None:
        query = query.where(fx_rates.c.day <= day).limit(1)
    return [dict(row) for row in connection.execute(query).mappings()]


def payments(connection: sa.Connection, known_at: datetime | None = None) -> list[dict[str, Any]]:
    """Return how each channel is paid here and since when, where somebody said so, in order."""
    query = sa.select(channel_payments).where(known(channel_payments, known_at))
    query = query.order_by(channel_payments.c.channel_id, channel_payments.c.valid_from)
    return [dict(row) for row in connection.execute(query).mappings()]


def _plain(row: Row) -> dict[str, Any]:
    written = {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}
    json_text.dump(written)
    return written
