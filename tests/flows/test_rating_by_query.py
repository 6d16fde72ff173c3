"""Rows rated together by a query come to what they come to one by one, to the last digit; odd ones are odd alone."""

import contextlib
import gzip
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest

from planner.core.claim import Segment
from planner.core.event import Containment, Event, Role
from planner.core.price import Band, Rate, RateTable, UnitPrice, When
from planner.core.units import Unit
from planner.flows import rating_in_place
from planner.flows.rating_in_place import Rating, Rows
from planner.flows.survey import Summary, survey, survey_by_query
from planner.ledger import formats, reading
from planner.ledger.bulk_columns import NotPlain
from planner.ledger.bulk_file import opened_for_queries
from planner.ledger.format import Given, Refused
from planner.store.engine import Store, open_store
from planner.store.streams import Stream
from tests import make
from tests.bulk_books import COLUMNS, MAPPING, NEW, contract, usual, who, written
from tests.ledger_books import DAY, NOON, OFFER, SEPTEMBER, SINCE, claim, know, listed
from tests.make import rates

LEDGER = Stream("log", Role.LEDGER, in_place=True)


@pytest.fixture
def desk(schema: Path, tmp_path: Path) -> Iterator[Store]:
    """Books in which a million tokens in cost 3 dollars: which database keeps them makes no difference to a query."""
    store = know(open_store(f"sqlite:///{shutil.copy(schema, tmp_path / 'desk.sqlite3')}"))
    listed(store, claim(OFFER, rates("3", "15")))
    yield store
    store.close()


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


def test_usual_rows_of_a_csv(books: Store, tmp_path: Path) -> None:
    """Of plans and customers, long and short, served by who is known and who is not; under a contract, a plan late."""
    books.tell(contract)
    books.tell(who("u1"))
    found = same(books, written(tmp_path / "log.csv", usual()), MAPPING)
    assert found.outcomes == {"rated": 120}
    assert {dims.plan for _slot, _booked, dims in found.sums.facts} >= {"pro", "free", "team", ""}


# --- every kind of price ----------------------------------------------------------------------------------------------

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


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("more", [{"cache_stated": False}, {"includes_cached": True}, {"includes_cached": False}, {}])
def test_any_rows_of_a_table(desk: Store, tmp_path: Path, seed: int, more: dict[str, object]) -> None:
    """Right ones and wrong ones, told twice, too late or too large: every cell is the same, and what is refused too."""
    dice = Random(seed)
    rows = [told(dice, number) for number in range(400)]
    path = parquet(tmp_path / "log.parquet", rows, KINDS)
    settled = {"acme": Containment(includes_cached=bool(seed % 2), because="sums")}
    found = same(priced(desk), path, {**WIDE, **more}, containments=settled if "includes_cached" not in more else {})
    assert found.outcomes["rated"] > 200
    assert looked(path, {**WIDE, **more}).refused_rows > 10
    assert {dims.unpriced for _slot, _booked, dims in found.sums.facts} >= {"", "no_price", "no_tier_price"}


# --- tables as they are written ------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", [None, "UTC"])
@pytest.mark.parametrize("moment", [
    "2026-09-01T10:00:00Z", "2026-09-01t10:00:00.1z", "2026-09-01 10:00:00.123456789 UTC",
    "2026-09-01T23:59:59.9999999Z", "2026-09-01T10:00:00+02:00", "2026-09-01 00:30:00-05:30", "2026-09-01 10:00Z",
    "2026-09-01 10:00:00", "2026-09-01", "2026-02-30T00:00:00Z", "2026-09-01T24:00:00Z", "2026-09-01T10:60:00Z",
    "2026-09-01T10:00:60Z", "2026-09-01T10:00:00+24:00", "2026-09-01T10:00:00+02", "1999-12-31T23:59:59Z",
    "2100-01-01T00:00:00Z", "1756720800", "", " 2026-09-01T10:00:00Z", "\uff12026-09-01T10:00:00Z",
    "2026-09-01T10:00:00.Z",
])  # fmt: skip
def test_moments_are_read_as_strictly_as_one_by_one(
    desk: Store, tmp_path: Path, moment: str, zone: str | None
) -> None:  # fmt: skip
    """Cut off after microseconds, moved by their offset; what is no moment, or has no zone, is never taken for one."""
    mapping = {**MAPPING, **({} if zone is None else {"at_zone": zone})}
    rows = [{"id": 1, "offer": OFFER, "at": moment, "input": 5}, {"id": 2, "offer": OFFER, "at": moment, "input": 7}]
    path = parquet(tmp_path / "log.parquet", rows, dict.fromkeys(COLUMNS, "VARCHAR"))
    same(desk, path, mapping)
    looked(path, mapping)


@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S", "DATE"])
@pytest.mark.parametrize("shift", [0, -3])
def test_moments_of_every_type(desk: Store, tmp_path: Path, kind: str, shift: int) -> None:
    """In UTC, to the microsecond, moved by whole days where a mapping says so."""
    at = datetime(2026, 9, 2, 23, 59, 59, 999_999)  # noqa: DTZ001  # a column without a zone has none
    path = parquet(
        tmp_path / "log.parquet", [{"id": "1", "at": at, "input": 9}], {"id": "VARCHAR", "at": kind, "input": "UBIGINT"}
    )
    mapping = {
        "kind": "usage", "id": "id", "at": "at", "at_zone": "UTC", "counts": {"input_tokens": "input"},
        "at_shift_days": shift, "cache_stated": True, "constants": {"offer": OFFER},
    }  # fmt: skip
    assert same(desk, path, mapping).rows == 1


@pytest.mark.parametrize(("form", "ticks"), [("epoch_s", 1), ("epoch_ms", 1_000), ("epoch_ns", 10**9)])
@pytest.mark.parametrize("kind", ["BIGINT", "VARCHAR"])
def test_ticks(desk: Store, tmp_path: Path, form: str, ticks: int, kind: str) -> None:
    """Counted from 1970 or from elsewhere; ticks of another length are no moment of this century."""
    seconds = int(SEPTEMBER.timestamp())
    told_at = [seconds * ticks + 1, seconds * 10**9 + 5, seconds, 7, -1, 2**62]
    rows = [{"id": number, "at": at, "input": 5} for number, at in enumerate(told_at)]
    path = parquet(tmp_path / "log.parquet", rows, {"id": "INTEGER", "at": kind, "input": "DOUBLE"})
    mapping = {
        "kind": "usage", "id": "id", "at": "at", "at_format": form, "counts": {"input_tokens": "input"},
        "constants": {"offer": OFFER},
    }  # fmt: skip
    same(desk, path, mapping)
    same(desk, path, {**mapping, "at_start": "2001-01-01T00:00:00Z"})


@pytest.mark.parametrize("text", [
    "1,{at},5\n\n2,{at},6\n", "1,{at},5\r\n2,{at},6\r\n", "1,{at},5\r2,{at},6\r", '"1",{at},5\n"2","{at}",6',
    "1,{at},5\n2,{at}\n", '1,{at},"5\n2,{at},6\n', "1,{at},5,\n", '"1",{at},5,\n', "1,{at},5\n2,{at},x\n",
    "1,{at},5\n1,{at},6\n", '"a\nb",{at},5\n', '"a""b",{at},5\n', '"1",{at},\n', "1,{at}, 5\n", "1,{at},+5\n",
    "1,{at},5.0\n", "1,{at},1e3\n", "1,{at},\n", ",{at},5\n", "1,{at},5\n \n2,{at},5\n", "", "\ufeff1,{at},5\n",
    "1,{at},5\x00\n", "é,{at},5\n", "1,{at},5\n2,{at},5\r\n", "1,{at},'5'\n", '1,{at},5"\n',
])  # fmt: skip
def test_a_csv_is_read_the_same_or_row_by_row(desk: Store, tmp_path: Path, text: str) -> None:
    """Blank lines, quotes, other line ends, too few cells: what a query cannot read as strictly, it leaves alone."""
    path = tmp_path / "log.csv"
    path.write_bytes(f"id,at,input\n{text}".replace("{at}", "2026-09-01T10:00:00Z").encode())
    mapping = {
        "kind": "usage", "id": "id", "at": "at", "counts": {"input_tokens": "input"}, "constants": {"offer": OFFER},
    }  # fmt: skip
    with contextlib.suppress(NotPlain):
        same(desk, path, mapping)
    with contextlib.suppress(NotPlain):
        looked(path, mapping)


def test_a_table_of_another_kind_is_read_row_by_row(tmp_path: Path) -> None:
    """Aggregates, columns within columns, zones with summer time, and what is packed once more."""
    plain = {"id": "1", "at": SEPTEMBER, "input": 5, "until": SEPTEMBER}
    path = parquet(
        tmp_path / "log.parquet", [plain], {"id": "VARCHAR", "at": "TIMESTAMP", "input": "FLOAT", "until": "TIMESTAMP"}
    )
    mapping: dict[str, Any] = {
        "kind": "usage",
        "id": "id",
        "at": "at",
        "counts": {"input_tokens": "id"},
        "at_zone": "UTC",
    }
    for other in (
        {"until": "until"}, {"counts": {"input_tokens": "input"}}, {"at_zone": "Europe/Berlin"}, {"id": "at"},
        {"counts": {"input_tokens": "a.b"}},
    ):  # fmt: skip
        with (
            pytest.raises(NotPlain),
            opened_for_queries(path, "mapping", Given(source="log", mapping={**mapping, **other})),
        ):
            pass
    packed = tmp_path / "log.parquet.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for where, form in ((packed, "mapping"), (path, "litellm")):
        with pytest.raises(NotPlain), opened_for_queries(where, form, Given(source="log", mapping=mapping)):
            pass
