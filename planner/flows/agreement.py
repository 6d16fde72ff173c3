"""What was agreed beyond the list: fees, contracts, ways of paying, exchange rates, read and entered."""

from datetime import date, datetime
from typing import Any

from planner.core.agreement import Contract, Fee
from planner.core.errors import InvalidInput
from planner.core.fx import FxRate
from planner.core.money import parse_decimal
from planner.flows import plans
from planner.store import agreements, work
from planner.store.engine import Connection, Store
from planner.store.load import load_contracts, load_fees


def fees(store: Store, known_at: datetime | None = None) -> tuple[Fee, ...]:
    """Return every channel fee on record, those of ways of paying that are not ours included."""
    with store.read() as connection:
        return load_fees(connection, known_at)


def contracts(store: Store, known_at: datetime | None = None) -> tuple[Contract, ...]:
    """Return every contract on record."""
    with store.read() as connection:
        return load_contracts(connection, known_at)


def payments(store: Store, known_at: datetime | None = None) -> list[dict[str, Any]]:
    """Return how each channel is paid here, and since when."""
    with store.read() as connection:
        return agreements.payments(connection, known_at)


def fx_rates(store: Store, currency: str | None = None, known_at: datetime | None = None) -> list[FxRate]:
    """Return exchange rates, newest first."""
    with store.read() as connection:
        return fx_known(connection, currency, known_at=known_at)


def fx_known(
    connection: Connection, currency: str | None, day: date | None = None, known_at: datetime | None = None
) -> list[FxRate]:
    """Return exchange rates, newest first; with a day, the one that holds then, if any."""
    rows = agreements.fx(connection, currency, day, known_at)
    return [FxRate(row["currency"], row["day"], parse_decimal(row["usd"]), row["source"]) for row in rows]


def add_contract(connection: Connection, row: agreements.Row, *, at: datetime, actor: str, reason: str) -> int:
    """Record a contract, ask every plan anew, and return its number.

    Raises:
        NotFound: there is no such channel, provider or model.
        InvalidInput: a commitment without its period, or a period without a commitment.
        Conflict: another contract about the same holds for a part of its time.
    """
    id_ = agreements.add_contract(connection, row, at=at, actor=actor, reason=reason)
    plans.review(connection, at)
    return id_


def add_fee(connection: Connection, row: agreements.Row, *, at: datetime, actor: str, reason: str) -> int:
    """Record a channel's fee, ask every plan anew, and return its number.

    Raises:
        NotFound: there is no such channel.
        InvalidInput: it ends before it begins.
        Conflict: another fee of the same kind holds for a part of its time.
    """
    id_ = agreements.add_fee(connection, row, at=at, actor=actor, reason=reason)
    plans.review(connection, at)
    return id_


def pay(
    connection: Connection, channel: str, payment: str, volume: str | None, valid_from: datetime, *, at: datetime,
    actor: str, reason: str,
) -> dict[str, Any]:  # fmt: skip
    """Say how a channel is paid here from a moment on, and ask every plan anew.

    Raises:
        NotFound: there is no such channel.
        InvalidInput: less than nothing a month.
    """
    if volume is not None and parse_decimal(volume, field="list_usd_per_month") < 0:
        raise InvalidInput("list_usd_per_month", "at least 0 is needed")
    agreements.pay(connection, channel, payment, volume, valid_from, at=at, actor=actor, reason=reason)
    plans.review(connection, at)
    return {
        "channel": channel, "payment": payment, "list_usd_per_month": volume,
        "valid_from": valid_from.isoformat().replace("+00:00", "Z"),
    }  # fmt: skip


def end(
    connection: Connection, word: str, id_: int, ends: datetime, *, at: datetime, actor: str, reason: str
) -> dict[str, Any]:
    """Let a fee or a contract end at a moment, and ask every plan anew. Until then it goes on under a new number.

    Raises:
        NotFound: there is none with this number.
        Conflict: it is off the record, or ends before that anyway.
    """
    number = agreements.end(connection, word, id_, ends, at=at, actor=actor, reason=reason)
    plans.review(connection, at)
    return {word: id_, "goes_on_as": number, "ended_at": ends.isoformat().replace("+00:00", "Z")}


def void(connection: Connection, word: str, id_: int, *, at: datetime, actor: str, reason: str) -> dict[str, Any]:
    """Take a fee or a contract off the record as if it had never been, and ask every plan anew.

    Raises:
        NotFound: there is none with this number.
        Conflict: it is off the record.
    """
    agreements.void(connection, word, id_, at=at, actor=actor, reason=reason)
    plans.review(connection, at)
    return {word: id_, "voided_at": at.isoformat().replace("+00:00", "Z")}


def set_fx(connection: Connection, row: agreements.Row, *, at: datetime, actor: str, reason: str) -> None:
    """Record the exchange rate of a day, let revenue be booked by it, and ask every plan anew.

    Raises:
        InvalidInput: not a rate above 0, or one of the dollar itself.
    """
    agreements.set_fx(connection, row, at=at, actor=actor, reason=reason)
    # Revenue of that currency may have waited for it.
    work.add(connection, "revenue", {"everybody": True}, at)
    plans.review(connection, at)
