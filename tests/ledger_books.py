"""Small books for tests: a few listed prices, streams that send rows, and what is booked for them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import sqlalchemy as sa

from planner.core.claim import Claim, Reading, Segment
from planner.core.doubt import Bounds
from planner.core.event import Event, Role
from planner.core.money import pico_text
from planner.core.offer import OfferFacts
from planner.core.periods import windows, zone_of
from planner.core.posting import Measures
from planner.core.price import RateTable
from planner.flows import rebook, roles
from planner.flows.ingest import Result, ingest
from planner.flows.second import By
from planner.store import periods, report_sums
from planner.store import tables as t
from planner.store.engine import Connection, Store
from planner.store.publish import publish
from planner.store.report_sums import BOOKED, Asked, Place
from planner.store.streams import Stream
from planner.store.usage import Wanted, lines
from tests.make import MTOK

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
SEPTEMBER = datetime(2026, 9, 1, tzinfo=UTC)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
"""When everything is recorded, unless a test says otherwise."""

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OFFER, BROKERED = "direct:acme/small", "broker:acme/small"
BACKEND = Stream("backend", Role.LEDGER, own=True)
# Prices may fall as far as a test likes.
LAX = Bounds(fall_share_max=Fraction(1), spread_max=10**9)


def know(store: Store) -> Store:
    """Let a database with nothing but the schema know a list, two channels and two providers."""
    with store.write() as connection:
        connection.execute(
            sa.insert(t.sources).values(name="list", title="t", url="u", licence="l", rank=1, interval_minutes=60)
        )
        connection.execute(sa.insert(t.channels), [{"id": id_, "name": id_} for id_ in ("direct", "broker")])
        rows = [{"id": id_, "name": id_, "kind": "provider", "creator_of": "[]"} for id_ in ("acme", "bolt")]
        connection.execute(sa.insert(t.providers), rows)
    return store


def claim(offer: str, *segments: Segment | RateTable) -> Claim:
    """Claim prices of an offer; rates alone hold since January."""
    channel, _, rest = offer.partition(":")
    provider, _, spelling = rest.partition("/")
    model, _, region = spelling.partition("@")
    facts = OfferFacts(model_spelling=model, provider=provider, channel=channel, region=region or None)
    stretches = [one if isinstance(one, Segment) else Segment(SINCE, None, one) for one in segments]
    return Claim(offer_id=offer, facts=facts, segments=tuple(stretches), unpriced=None if segments else "missing_price")


def listed(store: Store, *claims: Claim, at: datetime = SINCE) -> None:
    """Publish what the list claims of some offers."""
    reading = Reading(
        source="list", source_url="https://list.test", observed_at=at, rows_read=len(claims), claims=claims, whole=False
    )
    store.tell(lambda connection: publish(connection, [reading], at=at, actor="test", reason="test", bounds=LAX))


def event(id_: str = "1", at: datetime = SEPTEMBER, /, **facts: Any) -> Event:
    """Make a row of a million tokens in, of the one offer, unless it says something else."""
    fields = {name: facts.pop(name) for name in tuple(facts) if name in Event.__slots__}
    counts = facts or {"input_tokens": MTOK}
    if not {"offer", "provider", "model"} & fields.keys():
        fields["offer"] = OFFER
    return Event(**{"source": "backend", "id": id_, "at": at, "counts": counts, **fields})


def take(
    store: Store, *events: Event, stream: Stream | None = None, at: datetime = NOON, **more: Any
) -> list[Result]:  # fmt: skip
    """Take rows of one stream in, in one transaction."""
    own = BACKEND._replace(source=events[0].source) if stream is None else stream
    return store.tell(lambda connection: ingest(connection, own, events, at=at, by="test", **more))


def statuses(results: Sequence[Result]) -> list[str]:
    """Return what became of rows."""
    return [result.status for result in results]


def catch_up(store: Store, at: datetime = NOON) -> rebook.Rebooked:
    """Book anew whatever waits for it."""
    return rebook.catch_up(store, lambda: at)


def close(store: Store, period: str, at: datetime = NOON) -> None:
    """Close a period, whatever is still open before it."""
    store.tell(lambda connection: periods.turn(connection, period, "closed", at, "ada", "done", None))


def choose(store: Store, source: str, role: Role, at: datetime = NOON) -> None:
    """Put a stream in a role; what follows from it waits."""
    by = By(actor="ada", at=at, reason="told")
    store.tell(lambda connection: roles.choose(connection, source, role, by))


def asked(
    heads: tuple[str, ...] = (), *, since: date = date(2026, 1, 1), until: date = date(2027, 1, 1), by: str = "month",
    zone: str = "UTC", basis: str = BOOKED, **more: Any,
) -> Asked:  # fmt: skip
    """Ask for sums of the year, by month of UTC unless told otherwise."""
    return Asked(windows=windows(since, until, by, zone_of(zone)), heads=heads, basis=basis, **more)


def facts(store: Store, question: Asked) -> dict[tuple[str, tuple[Any, ...]], Measures]:
    """Return sums by the name of their window and their heads."""
    with store.read() as connection:
        return _named(question, report_sums.facts(connection, question))


def _named(question: Asked, found: dict[Place, Measures]) -> dict[tuple[str, tuple[Any, ...]], Measures]:
    return {(question.windows[number].label, heads): measures for (number, heads), measures in found.items()}


def by_month(store: Store, **more: Any) -> dict[str, str]:
    """Return what each month cost, USD."""
    return {label: pico_text(found.cost) for (label, _heads), found in facts(store, asked(**more)).items()}


def total(store: Store, **more: Any) -> Measures:
    """Return the sum of everything in the year."""
    return sum(facts(store, asked(**more)).values(), Measures())


def booked(store: Store, **wanted: Any) -> list[tuple[Any, ...]]:
    """Return the lines that were recorded: kind, row, month they are booked in, dollars, cards before and after."""
    with store.read() as connection:
        return [
            (row.kind, row.event_id, row.booked_in, row.delta_usd, row.price_version_old, row.price_version_new)
            for row in lines(connection, Wanted(**wanted), 100_000)
        ]


def deltas(store: Store) -> list[tuple[Any, ...]]:
    """Return the lines that changed what was booked before: kind, row, month, dollars."""
    return [line[:4] for line in booked(store, deltas=True)]


def cards(connection: Connection, offer: str = OFFER) -> Iterator[str]:
    """Yield the ids of an offer's cards on record, in time order."""
    c = t.price_cards.c
    query = sa.select(c.id).where(c.offer_id == offer, c.recorded_to.is_(None)).order_by(c.valid_from)
    yield from map(str, connection.execute(query).scalars())
