"""Rows rated together by a query come to what they come to one by one, to the last digit; odd ones are odd alone."""

import contextlib
import gzip
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from planner.core.event import Containment
from planner.ledger.bulk_columns import NotPlain
from planner.ledger.bulk_file import opened_for_queries
from planner.ledger.format import Given
from planner.store.engine import Store, open_store
from tests.bulk_books import COLUMNS, MAPPING, contract, usual, who, written
from tests.bulk_tables import KINDS, WIDE, looked, parquet, priced, same, told
from tests.ledger_books import OFFER, SEPTEMBER, claim, know, listed
from tests.make import rates


@pytest.fixture
def desk(schema: Path, tmp_path: Path) -> Iterator[Store]:
    """Books in which a million tokens in cost 3 dollars: which database keeps them makes no difference to a query."""
    store = know(open_store(f"sqlite:///{shutil.copy(schema, tmp_path / 'desk.sqlite3')}"))
    listed(store, claim(OFFER, rates("3", "15")))
    yield store
    store.close()


def test_usual_rows_of_a_csv(books: Store, tmp_path: Path) -> None:
    """Of plans and customers, long and short, served by who is known and who is not; under a contract, a plan late."""
    books.tell(contract)
    books.tell(who("u1"))
    found = same(books, written(tmp_path / "log.csv", usual()), MAPPING)
    assert found.outcomes == {"rated": 120}
    assert looked(tmp_path / "log.csv", MAPPING).rows == 120
    assert {dims.plan for _slot, _booked, dims in found.sums.facts} >= {"pro", "free", "team", ""}


# --- every kind of price ----------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(("id_", "odd"), [
    ("req-1", 0), ("it's \"quoted\"", 0), ("back\\slash", 0), ("~ !", 0), ("i" * 800, 0), ("i" * 801, 1), ("", 1),
    ("é", 1), ("tab\t", 1), ("del\x7f", 1), ("line\n", 1), ("\xa0", 1),
])  # fmt: skip
def test_ids_whose_characters_can_be_seen_are_plain(desk: Store, tmp_path: Path, id_: str, odd: int) -> None:
    """All others are looked at one by one, which refuses some and takes others."""
    rows = [{"id": one, "offer": OFFER, "at": "2026-09-01T10:00:00Z", "input": 5} for one in (id_, "other")]
    path = parquet(tmp_path / "log.parquet", rows, dict.fromkeys(COLUMNS, "VARCHAR"))
    same(desk, path, MAPPING)
    with opened_for_queries(path, "mapping", Given(source="log", mapping=MAPPING)) as file:
        file.survey()
        assert len(list(file.odd().rows())) == odd


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
    '"1" ,{at},5\n', '1,{at}, "5"\n', "\r1,{at},5\n", '1,{at},5\n2,"{at}" ,6\n', '1,{at},"5" \n', "1,{at},5,\r",
    '"1" ,{at},\n', ' "1",{at},5\n', ' "",{at},5\n',
])  # fmt: skip
def test_a_csv_is_read_the_same_or_row_by_row(desk: Store, tmp_path: Path, text: str) -> None:
    """Blank lines, blanks around quotes, other line ends, too few cells: what a query reads otherwise, it leaves."""
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
