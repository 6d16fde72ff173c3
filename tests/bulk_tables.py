"""Tables of usage of every kind, right and wrong, rated both ways: together by a query, and row by row."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import duckdb

from planner.core.claim import Segment
from planner.core.event import Event, Role
from planner.core.price import Band, Rate, RateTable, UnitPrice, When
from planner.core.units import Unit
from planner.flows import rating_in_place
from planner.flows.rating_in_place import Rating, Rows
from planner.flows.survey import Summary, survey, survey_by_query
from planner.ledger import formats, reading
from planner.ledger.bulk_file import opened_for_queries
from planner.ledger.format import Given, Refused
from planner.store.engine import Store
from planner.store.streams import Stream
from tests import make
from tests.bulk_books import NEW, contract, who
from tests.ledger_books import DAY, NOON, OFFER, SEPTEMBER, SINCE, claim, listed
from tests.make import rates

LEDGER = Stream("log", Role.LEDGER, in_place=True)


def parquet(path: Path, rows: Sequence[Mapping[str, object]], kinds: Mapping[str, str]) -> Path:
    """Write a Parquet file with columns of these types."""
    with duckdb.connect() as engine:
        engine.execute("SET TimeZone = 'UTC'")
        columns = [f'unnest(CAST(? AS {kind}[])) AS "{name}"' for name, kind in kinds.items()]
        values = [[one.get(name) for one in rows] for name in kinds]
        engine.execute(f"CREATE TABLE told AS SELECT {', '.join(columns)}", values)
        engine.execute(f"COPY told TO '{path}' (FORMAT parquet)")
    return path


def counted(
    store: Store, path: Path, mapping: Mapping[str, Any], *, by_query: bool, **more: Any
) -> tuple[Rating, list[Refused]]:
    """Rate a file one way or the other, and say which rows were refused."""
    refused: list[Refused] = []
    rows = Rows(
        path=path, format="mapping", given=Given(source="log", mapping=mapping), stream=LEDGER,
        containments=more.get("containments", {}), at=more.get("at", NOON),
    )  # fmt: skip
    with store.read() as connection:
        counting = rating_in_place._Counting(connection, rows, refused.append)
        if by_query:
            with opened_for_queries(path, rows.format, rows.given) as file:
                return rating_in_place._by_query(connection, rows, counting, file), refused
        opened = reading.open_file(path)
        return rating_in_place._row_by_row(connection, rows, counting, opened), refused


def same(store: Store, path: Path, mapping: Mapping[str, Any], **more: Any) -> Rating:
    """Rate a file both ways, hold the two against each other, and return what they found."""
    one, refused = counted(store, path, mapping, by_query=False, **more)
    other, others = counted(store, path, mapping, by_query=True, **more)
    assert other.sums.facts == one.sums.facts
    assert other.sums.units == one.sums.units
    assert (other.rows, other.outcomes, others) == (one.rows, one.outcomes, refused)
    assert other.unserved == one.unserved
    return other


def looked(path: Path, mapping: Mapping[str, Any], **words: Any) -> Summary:
    """Look at a file as a whole both ways, hold the two against each other, and return what they found."""
    form, given, found = formats.named("mapping"), Given(source="log", mapping=mapping, **words), list[Summary]()
    for by_query in (False, True):
        summary = Summary("f", "mapping", "", "log", "ledger", dry_run=False, strict=False, in_place=True)
        if by_query:
            with opened_for_queries(path, form.name, given) as file:
                survey_by_query(file, form, given, summary)
        else:
            survey(reading.open_file(path), form, given, summary)
        found.append(summary)
    one, other = found
    assert (other.rows, other.refused_rows, other.containment) == (one.rows, one.refused_rows, one.containment)
    assert sorted(other.refused) == sorted(one.refused)
    assert {key(event): set(days) for event, days in other.told} == {key(event): set(days) for event, days in one.told}
    return other


def key(event: Event) -> tuple[str | None, ...]:
    """Return how a row names who served it."""
    return event.offer, event.channel, event.provider, event.model


WIDE_COUNTS = {
    "input_tokens": "input", "cache_read_tokens": "read", "cache_write_tokens": "written",
    "cache_write_1h_tokens": "hour", "output_tokens": "output", "reasoning_tokens": "thought",
    "web_searches": "searches", "requests": "requests",
}  # fmt: skip
TEXTS = ("offer", "provider", "model", "service_tier", "region", "customer", "plan", "request")
KINDS = {
    "id": "VARCHAR", "at": "TIMESTAMPTZ", **dict.fromkeys(TEXTS, "VARCHAR"),
    **dict.fromkeys(WIDE_COUNTS.values(), "BIGINT"), "cost": "DECIMAL(18, 9)",
}  # fmt: skip
WIDE = {
    "kind": "usage", "id": "id", "at": "at", "request_id": "request", "stated_usd": "cost",
    **{name: name for name in TEXTS if name != "request"}, "counts": WIDE_COUNTS,
    "constants": {"stated_by": "provider"},
}  # fmt: skip


def banded(base: str, *bands: tuple[When, str]) -> UnitPrice:
    """Make a price in USD per million, with others under conditions."""
    return UnitPrice(make.rate(base), tuple(Band(when, make.rate(usd)) for when, usd in bands))


# Long prompts, nights across midnight, weekends, tiers, a region; a rate finer than 1e-12, and one that never ends.
LONG = RateTable({
    Unit.INPUT: banded("2.5", (When(input_tokens_gt=272_000), "5")),
    Unit.CACHE_READ: banded("0.25", (When(input_tokens_gt=272_000), "0.5")),
    Unit.OUTPUT: banded("15", (When(input_tokens_gte=272_000, service_tier="batch"), "9")),
})  # fmt: skip
NIGHTS = RateTable({
    Unit.INPUT: banded("0.27", (When(utc_start=990, utc_end=30), "0.135"), (When(weekdays=frozenset({6, 7})), "0.1")),
    Unit.OUTPUT: UnitPrice(Rate(Decimal("0.000000075000000000000001"))),
    Unit.CACHE_WRITE_5M: banded("3.75"),
    Unit.REASONING: UnitPrice(Rate(Decimal(1), 3_600)),
})  # fmt: skip
TIERS = RateTable({
    Unit.INPUT: banded("1", (When(service_tier="batch"), "0.5"), (When(region="eu"), "1.1")),
    Unit.OUTPUT: banded("4", (When(service_tier="batch"), "2")),
    Unit.CACHE_WRITE_5M: banded("1.25"), Unit.CACHE_WRITE_1H: banded("2"),
    Unit.REQUEST: UnitPrice(Rate(Decimal("0.005"))), Unit.WEB_SEARCH: UnitPrice(Rate(Decimal("0.01"))),
})  # fmt: skip
OFFERS = (OFFER, "direct:acme/nights", "direct:bolt/tiers@eu", "broker:acme/small", "direct:acme/once", NEW, "")


def priced(store: Store) -> Store:
    """Let the list know all of them, two under other prices from the tenth of September on, and one only until then."""
    tenth = SEPTEMBER + 9 * DAY
    listed(
        store,
        claim(OFFER, Segment(SINCE, tenth, rates("3", "15", cache_read="0.3")), Segment(tenth, None, LONG)),
        claim("direct:acme/nights", NIGHTS),
        claim("direct:bolt/tiers@eu", TIERS),
        claim("broker:acme/small", Segment(SINCE, tenth, rates("3.3", "16.5")), Segment(tenth, None, LONG)),
        claim("direct:acme/once", Segment(SINCE, tenth, rates("7", "7"))),
        at=NOON,
    )  # fmt: skip
    store.tell(contract)
    store.tell(who("u1"))
    return store


def told(dice: Random, number: int) -> dict[str, object]:
    """Make a row of any kind, right or wrong."""
    offer = dice.choice(OFFERS)
    served: dict[str, object] = (
        {"offer": offer} if offer else {"provider": "acme", "model": dice.choice(("small", "x"))}
    )
    length = dice.choice((0, 5, 1_000, 271_999, 272_000, 272_001, 600_000))
    odd = dice.random()
    found: dict[str, object] = {
        "id": f"r{number}", "at": SEPTEMBER + dice.random() * 20 * DAY, **served,
        "service_tier": dice.choice((None, "", "standard", "batch", "flex")), "region": dice.choice((None, "eu", "us")),
        "customer": dice.choice((None, "u1", "u2", "ü")), "plan": dice.choice((None, None, "pro")),
        "input": length, "read": dice.choice((None, 0, length // 3)), "output": dice.choice((0, 17, 2_000)),
        "request": dice.choice((None, f"q{number}")), "requests": dice.choice((None, 1, 3)),
        "cost": dice.choice((None, Decimal(0), Decimal("0.000000123"), Decimal("1.5"))),
    }  # fmt: skip
    extra = dice.choice(("written", "hour", "thought", "searches", None, None))
    if extra is not None:
        found[extra] = dice.choice((0, 3, length // 4))
    if odd < 0.02:
        found |= {"id": f"r{dice.randrange(number + 1)}"}
    elif odd < 0.04:
        found |= {"request": f"q{dice.randrange(number + 1)}"}
    elif odd < 0.07:
        found |= dice.choice(
            ({"id": None}, {"id": "ä"}, {"input": -1}, {"input": 10**15}, {"output": 10**13}, {"read": length + 1})
        )
    elif odd < 0.1:
        found |= dice.choice((
            {"service_tier": "huge"}, {"customer": "a\nb"}, {"at": NOON + 3 * DAY},
            {"at": datetime(1999, 1, 1, tzinfo=UTC)}, {"cost": Decimal(-1)},
            dict.fromkeys(WIDE_COUNTS.values()), dict.fromkeys(WIDE_COUNTS.values(), 0),
        ))  # fmt: skip
    return found
