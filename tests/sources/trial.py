"""Publishing what a broken feed says, looking at what would be believed, and taking it back.

The judgement is written from what a price may be, not from the code that guards it: no figure that nobody charges,
no fall by more than half that no other source confirms, and nothing of a row that was not touched.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import TypeVar

import sqlalchemy as sa

from planner.core.price import RateTable
from planner.core.units import Unit
from planner.flows.refresh import RefreshSummary, refresh_from_file
from planner.flows.setup import know_layouts
from planner.sources.mapping import Mapped
from planner.store import recall, status
from planner.store.engine import Connection, Store
from planner.store.load import rates_of
from planner.store.tables import plan_versions, price_cards
from tests.databases import furnished
from tests.sources.golden import OBSERVED, ROWS, adapter, payload

Told = TypeVar("Told")

# The dearest thing of each kind anybody sells, in USD per single unit, with room above it.
DEAREST = {
    "token": Fraction(1, 1000),
    "second": Fraction(5),
    "pixel": Fraction(1, 100_000),
    "character": Fraction(1, 1000),
}
DEAREST_OTHER = Fraction(10)


@dataclass(frozen=True, slots=True)
class _Undone(Store):
    """A database in which every story is told to its end, looked at, and taken back."""

    look: Callable[[Connection, RefreshSummary], None]

    def tell(self, story: Callable[[Connection], Told]) -> Told:
        """Tell a story, look at the database as it would be, and roll back."""
        with self.engine.connect().execution_options(planner_write=True) as connection, connection.begin() as undone:
            told = story(connection)
            if isinstance(told, RefreshSummary):
                self.look(connection, told)
            undone.rollback()
            return told


class Trial:
    """A database that has read every feed once, on which broken feeds are tried."""

    def __init__(self, url: str) -> None:
        """Set the database up and publish every payload as it was recorded."""
        self._store = furnished(url, OBSERVED)
        mapped = adapter("mapped")
        know_layouts(self._store, [mapped.layout] if isinstance(mapped, Mapped) else [])
        for number, source in enumerate(ROWS):
            feed, at = adapter(source), OBSERVED + timedelta(minutes=number)
            done = refresh_from_file(self._store, source, feed, {feed.file_url: payload(source)}, at, actor="trial")
            if done.sources[0].outcome == "refused":
                raise AssertionError(f"{source}: {done.sources[0]}")
        with self._store.write() as connection:
            # What plans are told after a publication has tests of its own, and takes longer than the publication.
            connection.execute(sa.delete(plan_versions))
        with self._store.read() as connection:
            self._digest = recall.catalogue_digest(connection)
            self._believed = dict(_believed(connection))

    def publish(self, source: str, body: bytes, touched: frozenset[str]) -> str:
        """Try one payload and return its outcome.

        Args:
            source: whose it is.
            body: the payload.
            touched: the offers of which it says something else than the recorded one, or nothing any more.

        Raises:
            AssertionError: something would be believed that may not be.
        """

        def look(connection: Connection, done: RefreshSummary) -> None:
            (line,) = done.sources
            if line.outcome == "refused":
                check_refused(connection, source, line.error_code)
                assert recall.catalogue_digest(connection) == self._digest
            now = dict(_believed(connection))
            moved = {offer for offer in {*now, *self._believed} if now.get(offer) != self._believed.get(offer)}
            assert moved <= touched, f"{sorted(moved - touched)} moved"
            for offer in moved & set(now):
                self._check(connection, source, offer, now[offer])

        feed, later = adapter(source), OBSERVED + timedelta(days=1)
        store = _Undone(self._store.engine, self._store.url, look)
        return refresh_from_file(store, source, feed, {feed.file_url: body}, later, actor="trial").sources[0].outcome

    def _check(self, connection: Connection, source: str, offer: str, rates: RateTable) -> None:
        before = self._believed.get(offer)
        claims = recall.claims_of(connection, [offer])[offer]
        said = (spoken.claim.segments for name, spoken in claims.items() if name != source)
        others = [segments[-1].rates for segments in said if segments]
        for unit, price in rates.items():
            for _when, rate in price.stated():
                usd = Fraction(rate.usd) / rate.per
                dearest = DEAREST.get(unit.value.rpartition("_")[2] or unit.value, DEAREST_OTHER)
                assert 0 <= usd <= dearest, f"{offer} {unit.value}: {usd}"
            if before is not None and unit in before:
                usd, was = _base(rates, unit), _base(before, unit)
                confirmed = any(unit in other and abs(_base(other, unit) - usd) <= usd / 50 for other in others)
                assert usd * 2 >= was or confirmed, f"{offer} {unit.value} fell from {was} to {usd}"

    def close(self) -> None:
        """Close the database."""
        self._store.close()


def check_refused(connection: Connection, source: str, code: str | None) -> None:
    """Check that a refusal is on record, with a reason somebody thought of."""
    row = next(row for row in status.source_states_of(connection) if row.source == source)
    assert row.error_code == code
    assert code not in (None, "unforeseen"), f"{source}: {row.error_detail}"


def _base(rates: RateTable, unit: Unit) -> Fraction:
    rate = rates[unit].base
    return Fraction(rate.usd) / rate.per


def _believed(connection: Connection) -> Iterator[tuple[str, RateTable]]:
    columns = price_cards.c
    query = sa.select(columns.offer_id, columns.rates).where(columns.recorded_to.is_(None), columns.valid_to.is_(None))
    for offer, text in connection.execute(query):
        yield offer, rates_of(text)


@contextmanager
def trial(folder: str) -> Iterator[Trial]:
    """Set up a database in a folder."""
    made = Trial(f"sqlite:///{folder}/trial.sqlite3")
    try:
        yield made
    finally:
        made.close()
