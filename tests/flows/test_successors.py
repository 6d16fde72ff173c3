"""A request told by several streams counts once, by whichever row is left to count for it."""

import pytest

from planner.core.errors import Conflict
from planner.core.event import Role
from planner.core.money import pico_text
from planner.flows import ingest, roles
from planner.flows.second import By
from planner.store import periods
from planner.store.engine import Store
from planner.store.streams import Stream
from tests.ledger_books import (
    HOUR,
    NOON,
    SEPTEMBER,
    by_month,
    catch_up,
    close,
    event,
    statuses,
    take,
    total,
)
from tests.make import MTOK

BY = By(actor="ada", at=NOON, reason="told")


def told(store: Store, source: str, id_: str = "1", request: str | None = "R", **facts: object) -> list[str]:
    """Take in a row of a dollar or more that names its request."""
    stream = Stream(source, Role.LEDGER, mutable=source == "export")
    row = event(id_, source=source, request_id=request, **{"input_tokens": MTOK, **facts})
    return statuses(take(store, row, stream=stream))


def counted(store: Store) -> tuple[int, str]:
    """Return how many rows count, and what they cost."""
    sums = total(store)
    return sums.rows, pico_text(sums.cost)


def turned(store: Store, source: str, role: Role) -> None:
    """Put a stream in a role, and book what follows from it."""
    store.tell(lambda connection: roles.choose(connection, source, role, BY))
    catch_up(store)


def voided(store: Store, source: str) -> None:
    """Take a stream's row back."""
    store.tell(lambda connection: ingest.void(connection, source, "1", at=NOON, by="ada"))


@pytest.fixture
def twice(books: Store) -> Store:
    """A request that two streams told."""
    assert (told(books, "a"), told(books, "b")) == (["stored"], ["same_request"])
    return books


def test_a_request_counts_by_the_other_stream_once_the_first_is_evidence(twice: Store) -> None:
    """And only once, whichever of them is turned and turned back."""
    turned(twice, "a", Role.EVIDENCE)
    assert counted(twice) == (1, "3")
    turned(twice, "a", Role.LEDGER)
    assert counted(twice) == (1, "3")
    turned(twice, "b", Role.EVIDENCE)
    assert counted(twice) == (1, "3")
    turned(twice, "a", Role.EVIDENCE)
    assert counted(twice) == (0, "0")


def test_a_row_counts_again_that_gave_way_to_one_that_is_gone(twice: Store) -> None:
    """Its stream was evidence when the other one was taken out."""
    turned(twice, "b", Role.EVIDENCE)
    turned(twice, "a", Role.EVIDENCE)
    turned(twice, "b", Role.LEDGER)
    assert counted(twice) == (1, "3")


def test_a_row_that_is_taken_back_leaves_its_request_to_the_other(twice: Store) -> None:
    """A row is taken back, and not the request; when no row of it is left, it is gone."""
    for source, rest in (("a", (1, "3")), ("b", (0, "0"))):
        voided(twice, source)
        assert counted(twice) == rest


def test_a_row_that_becomes_another_request_leaves_the_first_to_the_other(books: Store) -> None:
    """An export corrects which request a row is of: both requests count."""
    told(books, "export")
    told(books, "b", input_tokens=2 * MTOK)
    assert counted(books) == (1, "3")
    assert told(books, "export", request="S") == ["superseded"]
    assert counted(books) == (2, "9")


def test_a_stream_that_begins_to_count_is_seen_by_those_that_come_later(books: Store) -> None:
    """The days that it told are noted as if it had counted from the first."""
    take(books, event(source="a"), stream=Stream("a", Role.EVIDENCE))
    turned(books, "a", Role.LEDGER)
    with pytest.raises(Conflict, match="a tells of the same provider and day"):
        told(books, "c", request=None)


def test_what_was_booked_late_is_taken_back_where_it_stands(books: Store) -> None:
    """A month that was closed when a row came has nothing of it once it is opened again, and nothing less than that."""
    close(books, "2026-09")
    told(books, "a", at=SEPTEMBER + HOUR)
    assert by_month(books) == {"2026-10": "3"}
    books.tell(lambda connection: periods.turn(connection, "2026-09", "open", NOON, "ada", "late", None))
    voided(books, "a")
    assert by_month(books) == {}
