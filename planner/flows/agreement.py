"""What was agreed beyond the list: fees, contracts, ways of paying, exchange rates, read and entered."""

from datetime import datetime
from typing import Any

from planner.core.agreement import Contract, Fee
from planner.core.fx import FxRate
from planner.core.money import parse_decimal
from planner.store import agreements
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


def payments(store: Store) -> list[dict[str, Any]]:
    """Return how each channel is paid here."""
    with store.read() as connection:
        return agreements.payments(connection)


def fx_rates(store: Store, currency: str | None = None) -> list[FxRate]:
    """Return exchange rates, newest first."""
    with store.read() as connection:
        rows = agreements.fx(connection, currency)
    return [FxRate(row["currency"], row["day"], parse_decimal(row["usd"]), row["source"]) for row in rows]


def end(connection: Connection, word: str, id_: int, *, at: datetime, actor: str, reason: str) -> dict[str, Any]:
    """Take a fee or a contract off the record.

    Raises:
        NotFound: there is none with this number.
        Conflict: it was ended before.
    """
    agreements.end(connection, word, id_, at=at, actor=actor, reason=reason)
    return {word: id_, "ended_at": at.isoformat()}
