"""Parquet: values come as JSON would have given them, in their order, in batches, and from no other place."""

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from planner.core.errors import InvalidInput
from planner.ledger import parquet
from planner.ledger.format import Refused, Row
from planner.ledger.reading import open_file
from tests.ledger.samples import opened, rows

VALUES = {
    "count": ("18446744073709551615::UBIGINT", 18_446_744_073_709_551_615),
    "price": ("12345678901234567890.123456::DECIMAL(38, 6)", Decimal("12345678901234567890.123456")),
    "double": ("0.1::DOUBLE", Decimal("0.1")),
    "small": ("0.1::FLOAT", Decimal("0.1")),
    "none": ("'NaN'::DOUBLE", "nan"),
    "text": ("'x''y'", "x'y"),
    "nothing": ("NULL::INTEGER", None),
    "yes": ("TRUE", True),
    "local": ("TIMESTAMP '2026-09-01 10:00:00.123456'", "2026-09-01 10:00:00.123456"),
    "fine": ("TIMESTAMP_NS '2026-09-01 10:00:00.123456789'", "2026-09-01 10:00:00.123456789"),
    "zoned": ("TIMESTAMPTZ '2026-09-01 10:00:00.5+02'", "2026-09-01 08:00:00.5+00"),
    "endless": ("TIMESTAMP 'infinity'", "infinity"),
    "day": ("DATE '2026-09-01'", "2026-09-01"),
    "map": ("MAP {'input': 7::UBIGINT, 'output': 8::UBIGINT}", {"input": 7, "output": 8}),
    "object": ("{'a': 0.5::DOUBLE, 'b': TRUE}", {"a": Decimal("0.5"), "b": True}),
    "list": ("[TIMESTAMP '2026-09-01 10:00:00']", ["2026-09-01T10:00:00"]),
    "bytes": ("'ab'::BLOB", "ab"),
    'a"b': ("'0e984725-c51c-4bf4-9960-e1c80e27aba0'::UUID", "0e984725-c51c-4bf4-9960-e1c80e27aba0"),
}


def written(path: Path, select: str) -> Path:
    """Write what a statement selects as Parquet."""
    with duckdb.connect(":memory:") as engine:
        engine.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
    return path


def everything(path: Path) -> Path:
    """Write one row with a value of every kind."""
    columns = ", ".join(f'{value} AS "{name.replace(chr(34), chr(34) * 2)}"' for name, (value, _told) in VALUES.items())
    return written(path, f"SELECT {columns}")


@pytest.mark.parametrize("packed", [False, True])
def test_every_kind_of_value_comes_as_from_json(packed: bool, tmp_path: Path) -> None:
    """Exact decimals, moments as text to the last digit, and a double by the fewest digits that mean it."""
    body = everything(tmp_path / "whole").read_bytes()
    file = opened(tmp_path, body, packed=packed)
    assert (file.layout, file.columns) == ("parquet", tuple(VALUES))
    assert rows(file) == rows(file) == [{name: told for name, (_value, told) in VALUES.items()}]


def test_a_name_is_no_pattern_and_a_folder_no_column(tmp_path: Path) -> None:
    """The engine would read many files for a star, and a column for a folder with an equals sign."""
    folder = tmp_path / "plan=pro"
    folder.mkdir()
    path = folder / "what[is]*this?.parquet"
    written(tmp_path / "plain", "SELECT 1 AS a").rename(path)
    written(tmp_path / "other", "SELECT 2 AS a").rename(folder / "what[is]-other-this-.parquet")
    file = open_file(path)
    assert file.columns == ("a",)
    assert list(file.rows()) == [Row("row 1", {"a": 1})]


def test_rows_come_in_their_order_and_progress_is_told(tmp_path: Path) -> None:
    """By the share of the rows, and in the end it is the whole file."""
    told: list[int] = []
    path = written(tmp_path / "file", "SELECT range AS n FROM range(3000)")
    file = open_file(path, told.append)
    assert [row.values["n"] for row in file.rows() if isinstance(row, Row)] == list(range(3_000))
    assert told == sorted(told)
    assert len(told) == 6
    assert told[-1] == path.stat().st_size


def test_what_is_no_parquet_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut short, all but its first bytes something else, too wide, or too long within a gzip."""
    body = written(tmp_path / "whole", "SELECT range AS n, 'secret' AS s FROM range(1000)").read_bytes()
    for wrong in (b"PAR1", b"PAR1" + b"secret" * 40 + b"PAR1", body[:-20]):
        with pytest.raises(InvalidInput) as refusal:
            opened(tmp_path, wrong)
        assert "secret" not in str(refusal.value)
    wide = ", ".join(f"{number} AS c{number}" for number in range(1_001))
    with pytest.raises(InvalidInput, match="1001 columns"):
        open_file(written(tmp_path / "wide", f"SELECT {wide}"))
    monkeypatch.setattr(parquet, "INFLATED_BYTES_MAX", 100)
    with pytest.raises(InvalidInput, match="more than 100 bytes"):
        opened(tmp_path, body, packed=True)


def test_damage_inside_refuses_the_rest(tmp_path: Path) -> None:
    """The columns can be read and the pages cannot: no row is made up."""
    body = bytearray(written(tmp_path / "whole", "SELECT md5(range::TEXT) AS s FROM range(5000)").read_bytes())
    body[2_000:9_000] = b"\xff" * 7_000
    *before, last = opened(tmp_path, bytes(body)).rows()
    assert isinstance(last, Refused)
    assert all(isinstance(row, Row) for row in before)
