"""A request told by several streams counts once, by whichever row is left to count for it, and has a cost."""

from decimal import Decimal

import pytest

from planner.core.errors import Conflict
from planner.core.event import Role, StatedBy
from planner.core.money import pico_text
from planner.flows import ingest
from planner.store import periods
from planner.store.engine import Store
from planner.store.streams import Stream
from tests.ingesting import check_sums
from tests.ledger_books import (
    HOUR,
    NOON,
    OFFER,
    SEPTEMBER,
    by_month,
    catch_up,
    choose,
    claim,
    close,
    deltas,
    event,
    listed,
    statuses,
    take,
    total,
)
from tests.make import MTOK, rates

UNLISTED, UNKNOWN = "direct:acme/unlisted", "direct:bolt/unknown"


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
    choose(store, source, role)
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


def test_a_row_that_is_corrected_while_its_stream_becomes_evidence_leaves_its_request_to_the_other(
    books: Store,
) -> None:
    """The correction comes before what was booked of the stream is booked back."""
    told(books, "export")
    told(books, "b", input_tokens=2 * MTOK)
    choose(books, "export", Role.EVIDENCE)
    assert told(books, "export", input_tokens=3 * MTOK) == ["evidence"]
    catch_up(books)
    assert counted(books) == (1, "6")


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


# --- of a row without a cost, and one with ----------------------------------------------------------------------


def priced(store: Store, offer: str) -> None:
    """Let it become known what an offer costs: a million tokens 5 dollars."""
    listed(store, claim(offer, rates("5", "15")), at=NOON)
    catch_up(store)


@pytest.mark.parametrize("order", ["abc", "bac", "acb"])
def test_whoever_knows_what_a_request_cost_is_believed_in_any_order(books: Store, order: str) -> None:
    """Two streams spell the model as nobody knows it; the one that counts is the third, and nothing is lost with it."""
    offers = {"a": UNLISTED, "b": OFFER, "c": UNKNOWN}
    for source in order:
        told(books, source, offer=offers[source])
        catch_up(books)
    assert counted(books) == (1, "3")
    turned(books, "b", Role.EVIDENCE)
    assert counted(books) == (1, "0")
    turned(books, "b", Role.LEDGER)
    assert counted(books) == (1, "3")
    with books.read() as connection:
        check_sums(connection)


def test_whoever_comes_second_with_a_cost_is_told_that_it_counts(books: Store) -> None:
    """Each answer says which row stands for the request; what the first one was booked at is taken back."""
    assert told(books, "a", offer=UNLISTED) == ["stored"]
    (said,) = take(books, event("1", source="b", request_id="R"), stream=Stream("b", Role.LEDGER))
    assert (said.status, said.detail) == ("stored", "counts in place of a 1, which has no cost")
    assert said.posting is not None
    assert pico_text(said.posting.measures.cost) == "3"
    assert deltas(books) == [("superseded", "1", "2026-09", None)]
    assert (told(books, "a", offer=UNLISTED), told(books, "c")) == (["duplicate"], ["same_request"])
    assert counted(books) == (1, "3")


def test_of_two_rows_in_one_batch_the_one_with_a_cost_counts(books: Store) -> None:
    """Whichever stands first in it."""
    for name, offers in (("R", (UNLISTED, OFFER)), ("S", (OFFER, UNLISTED))):
        said = take(books, *(event(f"{name}{n}", request_id=name, offer=offer) for n, offer in enumerate(offers)))
        assert statuses(said) == ["stored" if offer == OFFER else "same_request" for offer in offers]
    assert counted(books) == (2, "6")


def test_a_cost_that_who_bills_it_reports_is_one_and_a_guess_is_none(books: Store) -> None:
    """The estimate waits beside the row without a cost; the report counts."""
    told(books, "a", offer=UNLISTED)
    for source, by, status in (("b", StatedBy.ESTIMATE, "same_request"), ("c", StatedBy.GATEWAY, "stored")):
        assert told(books, source, offer=UNLISTED, stated_usd=Decimal(2), stated_by=by) == [status]
    sums = total(books)
    assert (sums.rows, sums.cost, pico_text(sums.stated)) == (1, 0, "2")


def test_what_counts_does_not_go_back_and_forth(books: Store) -> None:
    """A first row that gets its price late stays second; it counts once the other is gone."""
    told(books, "a", offer=UNLISTED)
    told(books, "b")
    priced(books, UNLISTED)
    assert counted(books) == (1, "3")
    voided(books, "b")
    assert counted(books) == (1, "5")


def test_a_row_that_waits_counts_once_it_has_a_price_and_the_first_has_none(books: Store) -> None:
    """Which of the two the catalogue learns of is all the same."""
    told(books, "a", offer=UNLISTED)
    told(books, "b", offer=UNKNOWN)
    assert counted(books) == (1, "0")
    priced(books, UNKNOWN)
    assert counted(books) == (1, "5")
    priced(books, UNLISTED)
    assert counted(books) == (1, "5")


def test_a_row_that_loses_its_cost_gives_way(books: Store) -> None:
    """An export corrects itself to what nobody can price; the other stream knew the cost all along."""
    told(books, "export")
    told(books, "b", input_tokens=2 * MTOK)
    assert told(books, "export", offer=UNLISTED) == ["same_request"]
    assert counted(books) == (1, "6")
    assert told(books, "export") == ["same_request"]


def test_a_row_that_would_count_is_refused_as_if_it_had_come_first(books: Store) -> None:
    """Another stream tells of its provider and day without naming requests."""
    told(books, "a", offer=UNKNOWN)
    told(books, "log", request=None)
    with pytest.raises(Conflict, match="log tells of the same provider and day"):
        told(books, "b")
    assert counted(books) == (2, "3")


def test_a_closed_month_keeps_the_row_without_a_cost(books: Store) -> None:
    """Who knows the cost comes late: it is booked, and the other one booked back, in the first open month."""
    told(books, "a", offer=UNLISTED)
    close(books, "2026-09")
    told(books, "b")
    assert [line[0::2] for line in deltas(books)] == [("superseded", "2026-10"), ("late", "2026-10")]
    assert by_month(books) == {"2026-09": "0", "2026-10": "3"}
