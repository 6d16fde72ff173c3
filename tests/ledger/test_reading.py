"""Files: what they hold decides how they are read, every row has its place, and none of them is endless."""

import csv
import gzip
import io
import json
import tracemalloc
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.errors import InvalidInput
from planner.ledger import reading, streams
from planner.ledger.format import Refused, Row
from planner.ledger.reading import digest, open_file
from planner.ledger.streams import ROW_BYTES_MAX, lines
from tests.ledger.samples import opened, refused, rows

BOM = "\ufeff"
JSON_ROWS = '{"a": 1}\n{"a": 2.50}\n'


@pytest.mark.parametrize(
    ("body", "name", "layout"),
    [
        ("a,b\n1,2\n", "file.json", "csv"),
        (JSON_ROWS, "file.csv", "jsonl"),
        (f"\n  {JSON_ROWS}", "file", "jsonl"),
        ('{"a": 1}', "file", "json"),
        ('{"a": 1}\n', "file.jsonl", "jsonl"),
        ('{"a": 1}\n', "FILE.NDJSON.gz", "jsonl"),
        ('{\n "a": 1\n}\n', "file.jsonl", "json"),
        ('{"a": {"b": 1}\n, "c": 2}', "file", "json"),
        ('{"a": 1,\n "b": [\n{"c": 2}]}', "file.jsonl", "json"),
        ('{"broken":\n{"a": 1}\n', "file.jsonl", "jsonl"),
        ('[{"a": 1}]', "file.jsonl", "json"),
    ],
)
def test_what_a_file_holds_decides_and_not_its_name(body: str, name: str, layout: str, tmp_path: Path) -> None:
    """The name counts only where a single line could be a document as well as JSON Lines."""
    assert reading.open_file(_written(tmp_path, body, name)).layout == layout


def _written(folder: Path, body: str | bytes, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_the_same_rows_come_out_plain_and_packed(packed: bool, tmp_path: Path) -> None:
    """Texts from CSV, exact values from JSON, and the same again when a file is read once more."""
    table = opened(tmp_path, f"{BOM}a,b\r\n1,x\r\n", packed=packed)
    many = opened(tmp_path, JSON_ROWS, "many", packed=packed)
    one = opened(tmp_path, '{"data": [0.1]}', "one", packed=packed)
    assert rows(table) == rows(table) == [{"a": "1", "b": "x"}]
    assert rows(many) == rows(many) == [{"a": 1}, {"a": Decimal("2.50")}]
    assert rows(one) == rows(one) == [{"data": [Decimal("0.1")]}]
    assert (table.columns, many.columns, one.columns) == (("a", "b"), ("a",), ("data",))


def test_a_list_of_objects_is_as_many_rows(tmp_path: Path) -> None:
    """An export may be one list; what is no object in it is refused by its place."""
    file = opened(tmp_path, '[{"a": 1}, 2, {"b": 3}]')
    assert file.columns == ("a",)
    assert list(file.rows()) == [Row("[0]", {"a": 1}), Refused("[1]", "not an object"), Row("[2]", {"b": 3})]


def test_a_row_has_the_number_of_its_first_line(tmp_path: Path) -> None:
    """Line ends inside quotes count, and blank lines do too."""
    file = opened(tmp_path, 'a,b\r\n1,"two\r\nlines"\r\n\r\n2,x\n3\n4,"a ""b"""\n')
    assert list(file.rows()) == [
        Row("line 2", {"a": "1", "b": "two\r\nlines"}),
        Row("line 5", {"a": "2", "b": "x"}),
        Refused("line 6", "1 cells, where the heading has 2 columns"),
        Row("line 7", {"a": "4", "b": 'a "b"'}),
    ]


def test_a_bad_line_of_json_does_not_stop_the_others(tmp_path: Path) -> None:
    """NaN, a repeated key, a number without end, something else than an object: each is refused alone."""
    body = '{"a": 1}\n{"a": NaN}\n{"a": 1, "a": 2}\n{"a": 1e999}\n[1]\n{"a": \n\n{"a": 8}\n'
    found = list(opened(tmp_path, body).rows())
    assert [row.place for row in found if isinstance(row, Row)] == ["line 1", "line 8"]
    assert refused(found) == [
        ("line 2", "NaN and Infinity are not numbers"),
        ("line 3", "a key is repeated in one object"),
        ("line 4", "the exponent is out of bounds"),
        ("line 5", "not an object"),
        ("line 6", "not JSON"),
    ]


def test_the_first_object_gives_the_columns_of_json_lines(tmp_path: Path) -> None:
    """A bad line before it does not hide them; where there is none, there are no columns."""
    assert opened(tmp_path, '{"x": NaN}\n{"a": 1, "b": 2}\n').columns == ("a", "b")
    assert opened(tmp_path, '{"x": NaN}\n{"y": NaN}\n').columns == ()


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("", "empty"),
        (" \n\t\n", "empty"),
        (f"{BOM}\n", "empty"),
        ("\n" * 70_000 + "a,b\n", "blanks"),
        ("sep=;\na;b\n1;2\n", "sep="),
        (f"{BOM}SEP=,\na,b\n", "sep="),
        ("a;b\n1;2\n", "commas"),
        ("a\tb\n1\t2\n", "commas"),
        ("a,a\n1,2\n", "there twice"),
        ("a,\0\n1,2\n", "NUL"),
        (b"a,\xe4\n1,2\n", "not UTF-8"),
        (b"\xff\xfea\x00,\x00", "UTF-16"),
        ('a,"b\n1,2\n', "never closed"),
        ('a,"b"c\n', "not CSV"),
        ("a,b\r1,2\r", "not CSV"),
        (",".join(f"c{n}" for n in range(1_001)) + "\n", "1001 columns"),
        ("a," * ROW_BYTES_MAX, "longer than"),
        ('{"a": 1', "not JSON"),
        ("[" * 40 + "]" * 40, "nested deeper"),
        (b'[{"a": "\xe4"}]', "not UTF-8"),
        (f'{BOM}{{"a": 1}}', "byte order mark"),
        (b"\x1f\x8b\x08\x00broken", "gzip"),
        (b"\x1f\x8bxx", "gzip"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-9], "gzip"),
    ],
)
def test_what_cannot_be_opened_is_refused_with_its_reason(body: str | bytes, problem: str, tmp_path: Path) -> None:
    """Before any row, and never with what the file holds."""
    with pytest.raises(InvalidInput) as refusal:
        open_file(_written(tmp_path, body))
    assert problem in refusal.value.problem


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """And so is a folder; nobody meets an error of the operating system."""
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(InvalidInput, match="cannot be read"):
            open_file(path)
        with pytest.raises(InvalidInput, match="cannot be read"):
            digest(path)


def test_a_row_that_is_not_text_is_refused_alone(tmp_path: Path) -> None:
    """NUL and another encoding say nothing about where the next row begins."""
    file = opened(tmp_path, b"a,b\n1,\xe4\n2,\0\n3,x\n")
    found = list(file.rows())
    assert refused(found) == [("line 2", "not UTF-8"), ("line 3", "a NUL character")]
    assert found[-1] == Row("line 4", {"a": "3", "b": "x"})


def test_a_quote_that_is_never_closed_takes_the_rest_of_the_file(tmp_path: Path) -> None:
    """All of it could be one cell."""
    found = list(opened(tmp_path, 'a,b\n1,x\n2,"never\n3,y\n').rows())
    assert [row.place for row in found] == ["line 2", "line 3"]
    assert "never closed" in refused(found)[0][1]


def test_after_wrong_quotes_nothing_is_taken_for_a_row(tmp_path: Path) -> None:
    """A text inside a cell must not become a row because of a stray quote before it."""
    found = list(opened(tmp_path, 'a,b\n1,x\n2,5" tube\n3,"a text\n9,forged\n"\n').rows())
    assert [row.place for row in found] == ["line 2", "line 3"]
    assert "everything after it" in refused(found)[0][1]


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_row_that_is_too_long_is_passed_over(quote: str, tmp_path: Path) -> None:
    """Also one whose length lies in lines inside quotes; the next row is found again."""
    long = f"{quote}{'x' * 40}{quote and chr(10)}" * 30_000 if quote == "" else f'"{("x" * 40 + chr(10)) * 30_000}"'
    found = list(opened(tmp_path, f"a,b\n1,{long}\n2,y\n").rows())
    assert refused(found) == [("line 2", f"longer than {ROW_BYTES_MAX} bytes")]
    assert isinstance(found[-1], Row)
    assert found[-1].values == {"a": "2", "b": "y"}


def test_a_line_of_json_that_is_too_long_is_passed_over(tmp_path: Path) -> None:
    """It is refused alone, whatever it holds."""
    body = json.dumps({"a": "x" * ROW_BYTES_MAX}) + "\n" + '{"a": 2}\n'
    found = list(opened(tmp_path, '{"a": 1}\n' + body).rows())
    assert refused(found) == [("line 2", f"longer than {ROW_BYTES_MAX} bytes")]
    assert [row.place for row in found if isinstance(row, Row)] == ["line 1", "line 3"]


def test_a_gzip_cut_short_gives_its_rows_and_says_that_more_are_missing(tmp_path: Path) -> None:
    """What was inflated is read, and the rest is refused at once."""
    body = "".join(f"{n},{n * 7919}\n" for n in range(30_000))
    packed = gzip.compress(f"a,b\n{body}".encode())
    for name, whole in (("t", packed), ("j", gzip.compress(JSON_ROWS.encode() * 15_000))):
        found = list(open_file(_written(tmp_path, whole[: len(whole) // 2], name)).rows())
        assert isinstance(found[0], Row)
        assert isinstance(found[-1], Refused)
        assert "nothing after this line is read" in found[-1].reason


def test_a_json_document_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is held in memory, so its inflated length is bounded, and the number of its values too."""
    monkeypatch.setattr(reading, "JSON_BYTES_MAX", 1_000)
    monkeypatch.setattr(reading, "JSON_VALUES_MAX", 100)
    with pytest.raises(InvalidInput, match="JSON Lines"):
        opened(tmp_path, "[" + " " * 100_000 + "]", packed=True)
    with pytest.raises(InvalidInput, match="more than 100 values"):
        opened(tmp_path, "[" + "1," * 150 + "1]")


def test_progress_is_what_was_read_of_the_packed_file(tmp_path: Path) -> None:
    """It grows to the size of the file, each time the rows are read, and a look at the beginning counts for nothing."""
    told: list[int] = []
    body = "".join(f"{n},{sha256(str(n).encode()).hexdigest()}\n" for n in range(20_000))
    path = _written(tmp_path, gzip.compress(f"a,b\n{body}".encode()))
    file = open_file(path, told.append)
    assert told == []
    for _again in range(2):
        told.clear()
        assert sum(1 for _ in file.rows()) == 20_000
        assert told == sorted(set(told))
        assert len(told) > 2
        assert told[-1] == path.stat().st_size


@pytest.mark.parametrize("layout", ["csv", "jsonl", "csv-bomb"])
def test_memory_stays_flat(layout: str, tmp_path: Path) -> None:
    """Twenty megabytes go through in rows, and so does a gzip with one row of two hundred."""
    path = tmp_path / "file"
    with gzip.open(path, "wb", compresslevel=1) as packed:
        packed.write(b"a,b\n" if layout != "jsonl" else b"")
        for number in range(200):
            if layout == "csv-bomb":
                packed.write(b"x" * 1_000_000)
            elif layout == "csv":
                packed.write((b"1,%01000d\n" % number) * 100)
            else:
                packed.write((b'{"a": "%01000d"}\n' % number) * 100)
    file = open_file(path)
    tracemalloc.start()
    try:
        count = sum(1 for _ in file.rows())
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == {"csv": 20_000, "jsonl": 20_000, "csv-bomb": 1}[layout]
    assert peak < 4 * ROW_BYTES_MAX


def test_the_digest_is_of_the_bytes_as_they_lie_there(tmp_path: Path) -> None:
    """SHA-256, of the packed file where it is packed."""
    assert digest(_written(tmp_path, "abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(
    table=st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6), min_size=2, max_size=2),
        max_size=6,
    ),
    end=st.sampled_from(["\n", "\r\n"]),
    piece=st.integers(1, 7),
)
def test_any_table_is_read_as_it_was_written(table: list[list[str]], end: str, piece: int) -> None:
    """Whatever stands in its cells, line ends and quotes included, and in whatever pieces it is read."""
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator=end).writerows(table)
    body = written.getvalue().encode()
    before = streams._PIECE
    streams._PIECE = piece
    try:
        found = list(lines(io.BytesIO(body), quotes=True))
    finally:
        streams._PIECE = before
    cells = [next(csv.reader((line.text.decode(),), strict=True)) for line in found if line.text is not None]
    blank = [row for row in table if "".join(row).strip() == "" and "," not in body.decode()]
    assert cells == [row for row in table if row not in blank]
    assert [line.number for line in found] == sorted({line.number for line in found})
