"""Who is paid is known by another name later: days that were told before are held against it all the same."""

import pytest
import sqlalchemy as sa

from planner.core.errors import Conflict
from planner.core.event import Role
from planner.store import tables as t
from planner.store.engine import Store
from planner.store.streams import Stream
from tests.ledger_books import DAY, NOON, SEPTEMBER, catch_up, claim, event, listed, statuses, take, total
from tests.make import rates

LOG, GATEWAY = Stream("log", Role.LEDGER, feed="log"), Stream("gateway", Role.LEDGER)


def settled(store: Store) -> None:
    """Let somebody say what the log calls the provider, and let something else be published."""
    with store.write() as connection:
        row = {"feed": "log", "spelling": "ACME Inc", "provider_id": "acme", "channel_id": "direct"}
        connection.execute(sa.insert(t.provider_spellings).values(**row))
    listed(store, claim("direct:bolt/other", rates("1", "1")), at=NOON)
    catch_up(store)


def test_a_day_that_was_told_in_other_words_is_told(books: Store) -> None:
    """Once the spelling is settled, a second stream of that provider and day is refused as if it had been all along."""
    take(books, event("1", source="log", provider="ACME Inc", model="small"), stream=LOG)
    settled(books)
    with pytest.raises(Conflict, match="log tells of the same provider and day"):
        take(books, event("1", source="gateway"), stream=GATEWAY)
    assert statuses(take(books, event("2", SEPTEMBER + DAY, source="gateway"), stream=GATEWAY)) == ["stored"]
    assert total(books).rows == 2


def test_an_offer_that_becomes_known_says_who_was_paid(books: Store) -> None:
    """Until then nobody could tell that both streams tell of one provider."""
    take(books, event("1", source="log", offer="direct:acme/new"), stream=LOG)
    listed(books, claim("direct:acme/new", rates("1", "1")), at=NOON)
    catch_up(books)
    with pytest.raises(Conflict, match="log tells of the same provider and day"):
        take(books, event("1", source="gateway"), stream=GATEWAY)
