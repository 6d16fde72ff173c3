"""A Parquet file is read in batches by DuckDB, with the kinds of values that JSON would have given."""

import glob
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from tempfile import NamedTemporaryFile

import duckdb

from planner.core.errors import InvalidInput
from planner.ledger.csv_file import COLUMNS_MAX
from planner.ledger.format import Refused, Row
from planner.ledger.streams import Bytes

MAGIC = b"PAR1"
INFLATED_BYTES_MAX = 1024 * 1024 * 1024
"""What a Parquet file inside a gzip may grow to. Parquet is packed by itself, and a gzip around it gains little."""

_BATCH = 500
_PIECE = 1024 * 1024
# One thread keeps the rows in their order; nothing is fetched from anywhere, and nothing is written to a disk.
_CONFIG = {
    "threads": "1",
    "memory_limit": "512MB",
    "temp_directory": "",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
# These become text inside the engine: a datetime of Python would lose nanoseconds and turn infinity into the year 9999,
# and a single-precision float would show the digits of a double.
_AS_TEXT = frozenset({"date", "float", "time", "time_ns", "timestamp", "timestamp_ms", "timestamp_ns", "timestamp_s"})
_WITH_ZONE = " with time zone"


@dataclass(slots=True)
class ParquetFile:
    """An opened Parquet file. A moment is a text such as ``2026-09-01 10:00:00.123``, with its zone if it has one."""

    name: str
    source: Bytes
    columns: tuple[str, ...]
    layout: str = field(default="parquet", init=False)

    def rows(self) -> Iterator[Row | Refused]:
        """Yield the rows in their order. Progress is an estimate: of the bytes of the file, the share of the rows."""
        number = 0
        try:
            with by_name(self.source) as path, _engine() as engine:
                ((total,),) = engine.execute("SELECT num_rows FROM parquet_file_metadata(?)", [path]).fetchall()
                for values in values_of(engine, f"SELECT * FROM {read_parquet(path)}"):
                    number += 1
                    yield Row(f"row {number}", values)
                    if self.source.progress is not None and number % _BATCH == 0:
                        self.source.progress(self.source.size * number // max(total, number))
        except InvalidInput as error:
            yield Refused(f"row {number + 1}", f"{error.problem}; nothing from here on is read")


def open_parquet(name: str, source: Bytes) -> ParquetFile:
    """Open a Parquet file.

    Raises:
        InvalidInput: it is damaged, or has more than 1,000 columns.
    """
    with by_name(source) as path, _engine() as engine:
        columns = tuple(engine.read_parquet(path, hive_partitioning=False).columns)
    if len(columns) > COLUMNS_MAX:
        raise InvalidInput("file", f"{len(columns)} columns, where {COLUMNS_MAX} are the most")
    return ParquetFile(name, source, columns)


@contextmanager
def by_name(source: Bytes) -> Iterator[str]:
    """Lend the file's name for the engine, which takes names for patterns; of a gzip, that of an inflated copy."""
    with source.path.open("rb") as stream:
        packed = stream.read(len(MAGIC)) != MAGIC
    if not packed:
        yield glob.escape(str(source.path.resolve()))
        return
    with NamedTemporaryFile() as copy:
        with Bytes(source.path).opened() as stream:
            size = 0
            while piece := stream.read(_PIECE):
                size += len(piece)
                if size > INFLATED_BYTES_MAX:
                    raise InvalidInput("file", f"the gzip holds more than {INFLATED_BYTES_MAX} bytes of Parquet")
                copy.write(piece)
        copy.flush()
        yield glob.escape(copy.name)


@contextmanager
def _engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """Lend an engine. What it says of a file it cannot read is not passed on: it may repeat what the file holds."""
    try:
        with closing(duckdb.connect(":memory:", config=dict(_CONFIG))) as engine:
            engine.execute("SET TimeZone = 'UTC'")
            yield engine
    except (duckdb.Error, RuntimeError, ValueError, OverflowError):
        raise InvalidInput("file", "the Parquet is damaged, or of a kind that cannot be read") from None


def read_parquet(path: str) -> str:
    """Return a Parquet file as it stands in a query, under the name that `by_name` lent."""
    named = path.replace("'", "''")
    return f"read_parquet('{named}', hive_partitioning = false)"


def values_of(engine: duckdb.DuckDBPyConnection, query: str, order: str = "") -> Iterator[dict[str, object]]:
    """Yield the rows of a query as JSON would have given them, in the order of a column."""
    found = engine.sql(query)
    kinds = {name: kind.id.lower() for name, kind in zip(found.columns, found.types, strict=True)}
    asked = []
    for name, kind in kinds.items():
        quoted = '"' + name.replace('"', '""') + '"'
        asked.append(f"{quoted}::VARCHAR" if kind in _AS_TEXT or kind.endswith(_WITH_ZONE) else quoted)
    numbers = frozenset(name for name, kind in kinds.items() if kind == "float")
    engine.execute(f"SELECT {', '.join(asked)} FROM ({query}){order and f' ORDER BY {order}'}")
    while batch := engine.fetchmany(_BATCH):
        for cells in batch:
            named = zip(kinds, cells, strict=True)
            yield {key: _number(cell) if key in numbers else _plain(cell) for key, cell in named}


def _plain(value: object) -> object:
    """Return a value as JSON would have given it: texts, whole numbers, decimals, booleans, None, lists and objects."""
    if value is None or isinstance(value, str | bool | int | Decimal):
        return value
    if isinstance(value, float):
        # The file itself holds a double; these are the fewest digits that mean it.
        return _number(repr(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.isoformat() if isinstance(value, date | datetime | time) else str(value)


def _number(text: str | None) -> Decimal | str | None:
    """Return a number, or its own word for none, which no reader of figures takes."""
    if text is None:
        return None
    number = Decimal(text)
    return number if number.is_finite() else text
