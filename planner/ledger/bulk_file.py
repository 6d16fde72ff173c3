"""A file of usage is read by queries where it lies: what its rows show together, which are odd, and what they come to.

Memory does not grow with the rows: nothing of a row is kept but the number of an odd one. Rows are odd whose cells are
not plain (`planner.ledger.bulk_columns`), whose counts contradict each other, or which may have been told twice; they
are read one by one by whoever asks.
"""

import glob
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb

from planner.core.errors import InvalidInput
from planner.core.units import Unit
from planner.ledger import mapped, mapping, rating_sql, reading
from planner.ledger.bulk_columns import Column, Columns, NotPlain, columns, quoted
from planner.ledger.csv_file import CsvFile, count_rows
from planner.ledger.format import File, Given, Refused, Row
from planner.ledger.mapping import Layout
from planner.ledger.parquet import ParquetFile, values_of
from planner.ledger.rating_sql import Grain, Partition
from planner.ledger.rating_tables import MICROS, Shape
from planner.ledger.streams import ROW_BYTES_MAX

MEMORY = "512MB"
DISTINCT_MEMORY = "256MB"
"""What looking for ids that are there twice may take before it goes on on the disk."""
LAID_AT_ONCE, FETCHED_AT_ONCE = 10_000, 2_000
ODD_MAX = 200_000
"""More odd rows than these are no exception: then the file is read row by row."""
_ROW = "file_row_number"
_TICK_SECONDS = 0.2

Progress = Callable[[float], None]
"""Told, while a query runs, which share of it is done, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the plain rows of one way to name who served them show together: how many of them show what.

    ``inside``, ``beside``, ``larger`` and ``cached`` are what `planner.core.event.Judge` counts of rows with
    ``tokens``, ``beyond`` are others with a cached part; ``days`` are those of UTC since 1970. ``bare`` rows used
    nothing but a request, ``empty`` ones not even that. ``largest`` is the largest count of any.
    """

    names: Mapping[str, str]
    days: tuple[int, ...]
    rows: int
    tokens: bool
    inside: int
    beside: int
    larger: int
    cached: int
    beyond: int
    impossible_inside: int
    impossible_beside: int
    bare: int
    empty: int
    largest: int


@dataclass(slots=True)
class BulkFile:
    """A table of usage, opened for queries."""

    layout: Layout
    columns: Columns
    _engine: duckdb.DuckDBPyConnection
    _beside: duckdb.DuckDBPyConnection
    _pool: ThreadPoolExecutor
    _source: str
    _file: File
    _progress: Progress
    _looking: Future[None] | None = field(default=None)
    _odd: int = field(default=0)
    _known: tuple[int, list[Shown]] | None = field(default=None)

    # --- what its rows show -------------------------------------------------------------------------------

    def survey(self) -> list[Shown]:
        """Return what the plain rows show; the others are odd from now on.

        Raises:
            NotPlain: the rows are better read one by one.
        """
        if self._known is not None and self._known[0] == self._odd:
            return self._known[1]
        found = self._shown()
        if found is None:
            self._odd += self._mark(f"NOT coalesce({self.columns.plain}, FALSE)")
            found = self._shown()
        if found is None:
            raise NotPlain
        self._known = self._odd, found
        return found

    def _shown(self) -> list[Shown] | None:
        """Return what rows show, if all of them are plain that are not known to be odd."""
        inside, beside = (self._partition(inside=inside) for inside in (True, False))
        total, prompt = self._told_by(self.columns.total, "-1"), self._count("input_tokens")
        cached = f"({inside.read} + {inside.written})"
        output = self._count("output_tokens")
        tokens = f"({prompt} > 0 OR {output} > 0 OR {inside.read} > 0)"
        conditions = {
            "tokens": tokens,
            "inside": f"{tokens} AND {cached} > 0 AND {total} = {prompt} + {output}",
            "beside": f"{tokens} AND {cached} > 0 AND {total} = {prompt} + {cached} + {output}",
            "larger": f"{tokens} AND {cached} > {prompt}",
            "cached": f"{tokens} AND {cached} > 0",
            "beyond": f"NOT {tokens} AND {cached} > 0",
            "impossible_inside": rating_sql.impossible(inside),
            "impossible_beside": rating_sql.impossible(beside),
            "bare": rating_sql.nothing_used(inside),
            "empty": _empty(inside),
        }
        names = list(self.columns.names)
        counted = {
            "odd": "count(CASE WHEN NOT plain THEN 1 END)",
            "rows": "count(*)",
            **{name: f"count(CASE WHEN {text} THEN 1 END)" for name, text in conditions.items()},
        }
        keys = "".join(f"{name}, " for name in names)
        sums = ", ".join(f"{text} AS n_{name}" for name, text in counted.items())
        by_day = (
            f"SELECT {keys}us // {86_400 * MICROS} AS day, max(greatest({', '.join(self.columns.counts) or '0'}, 0)) AS"
            f" largest, {sums} FROM ({self._told(judged=True)}) GROUP BY {keys}day"
        )
        # Days are laid together by the engine: there are far more of them than of names.
        totals = ", ".join(f"CAST(sum(n_{name}) AS BIGINT)" for name in counted)
        grouped = f" GROUP BY {', '.join(names)}" if names else ""
        query = f"SELECT {keys}list(day), {totals}, max(largest) FROM ({by_day}){grouped} HAVING count(*) > 0"
        found = []
        for row in self._run(query):
            days, odd, rows, tokens, *rest = row[len(names) :]
            if odd:
                return None
            spelled = dict(zip(names, row, strict=False))
            found.append(Shown(spelled, tuple(sorted(days)), rows, bool(tokens), *rest))
        return found

    def mark_wrong(
        self, inside: str, count_max: int, odd_texts: Sequence[Mapping[str, str]], odd_time: str, *,
        impossible: bool = True,
    ) -> None:  # fmt: skip
        """Make rows odd whose counts contradict each other or are beyond a bound, or of which one says the rest.

        Args:
            inside: the condition under which a prompt contains its cached part, over the columns of names.
            count_max: the most of anything that a plain row counts.
            odd_texts: names, or heads, of rows that are looked at one by one.
            odd_time: the condition under which ``us`` is no moment of a row, or "".
            impossible: whether counts that contradict each other make a row odd, or rows that are not even requests.
        """
        parts = rating_sql.partition(tuple(self.columns.counts), inside)
        wrong = [rating_sql.impossible(parts), _empty(parts)] if impossible else []
        wrong += [odd_time] if odd_time else []
        wrong += [f"{name} > {count_max}" for name in self.columns.counts]
        wrong += [
            " AND ".join(f"{name} = {literal(text)}" for name, text in one.items()) or "TRUE" for one in odd_texts
        ]
        self._odd += self._mark(" OR ".join(f"({one})" for one in wrong), self._told())

    def look_for_repeated(self) -> Future[None]:
        """Begin to look for ids, and requests, that stand there twice, beside whatever is done meanwhile."""
        self._engine.execute(f"SET memory_limit = '{DISTINCT_MEMORY}'")
        self._looking = self._pool.submit(self._find_repeated)
        return self._looking

    def mark_repeated(self) -> None:
        """Make every row odd whose id, or whose request, another row may have as well, once it is known which."""
        self._wait(self._looking or self.look_for_repeated(), self._beside)
        self._looking = None
        self._engine.execute(f"SET memory_limit = '{MEMORY}'")
        if self._engine.execute("SELECT count(*) FROM again").fetchall() != [(0,)]:
            for value in self._ids():
                self._odd += self._mark(f"{value} <> '' AND hash({value}) IN (SELECT digest FROM again)")

    def _find_repeated(self) -> None:
        self._beside.execute("CREATE OR REPLACE TABLE again (digest UBIGINT)")
        for value in self._ids():
            # A hash that two ids share only makes rows odd that need not be.
            hashes = f"SELECT hash({value}) AS digest FROM {self._source} WHERE {value} <> ''"
            self._beside.execute(f"INSERT INTO again SELECT digest FROM ({hashes}) GROUP BY digest HAVING count(*) > 1")

    def _ids(self) -> list[str]:
        """Return what nothing may be told twice by: most files name a row for its request."""
        return list(dict.fromkeys(one.value for one in (self.columns.id, self.columns.request) if one is not None))

    def heads(self) -> list[tuple[str, ...]]:
        """Return the combinations of heads that rows have, in the order of `Columns.heads`."""
        if not self.columns.heads:
            return [()]
        named = ", ".join(column.value for column in self.columns.heads.values())
        return [tuple(row) for row in self._run(f"SELECT DISTINCT {named} FROM {self._source}")]

    # --- what they come to --------------------------------------------------------------------------------

    def lay(self, table: str, kinds: Sequence[tuple[str, str]], rows: Iterable[Sequence[object]]) -> None:
        """Lay a small table beside the file, to be joined."""
        stated = ", ".join(f"{quoted(name)} {kind}" for name, kind in kinds)
        self._engine.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({stated})")
        columns = ", ".join(f"unnest(CAST(? AS {kind}[]))" for _name, kind in kinds)
        waiting = iter(rows)
        while piece := list(islice(waiting, LAID_AT_ONCE)):
            self._engine.execute(
                f"INSERT INTO {table} SELECT {columns}", [list(column) for column in zip(*piece, strict=True)]
            )

    def rated(
        self, parts: Partition, shape: Shape, *, names_on: Sequence[str], heads_on: Sequence[str], grain: Grain
    ) -> Iterator[tuple[Any, ...]]:
        """Yield what the rows that are not odd come to, cell by cell; see `planner.ledger.rating_sql.rating`."""
        query = rating_sql.rating(
            self._told(), parts, shape, names_on=" AND ".join(names_on) or "TRUE",
            heads_on=" AND ".join(heads_on) or "TRUE", stated=self.columns.stated is not None, grain=grain,
        )  # fmt: skip
        self._run(query, fetch=False)
        while batch := self._engine.fetchmany(FETCHED_AT_ONCE):
            yield from batch

    def plain_rows(self) -> int:
        """Return how many rows are not odd."""
        ((rows,),) = self._engine.execute(f"SELECT count(*) FROM ({self._told()})").fetchall()
        return int(rows)

    def odd(self) -> File:
        """Return the odd rows as a file of their own, in their order, each at its place."""
        return _OddRows(self._file.name, self._file.columns, self._engine, self._source)

    @property
    def has_odd(self) -> bool:
        """Whether there are odd rows."""
        return self._odd > 0

    # --- the engine ---------------------------------------------------------------------------------------

    def _partition(self, *, inside: bool) -> Partition:
        return rating_sql.partition(tuple(self.columns.counts), "TRUE" if inside else "FALSE")

    def _count(self, name: str) -> str:
        return name if name in self.columns.counts else "0"

    def _told_by(self, column: Column | None, nothing: str) -> str:
        return nothing if column is None else "total"

    def _told(self, *, judged: bool = False) -> str:
        """Return the query of the rows that are not known to be odd, with whether they are ``plain``."""
        c = self.columns
        fields = {"us": c.us, **c.names, **c.heads, **c.counts, "stated": c.stated, "total": c.total}
        listed = ", ".join(f"{column.value} AS {name}" for name, column in fields.items() if column is not None)
        number = f", {_ROW}" if self._file.layout == "parquet" else ""
        plain = f", coalesce({c.plain}, FALSE) AS plain" if judged else ""
        without = f" WHERE {_ROW} NOT IN (SELECT {_ROW} FROM odd)" if self._odd else ""
        return f"SELECT {listed}{number}{plain} FROM {self._source}{without}"

    def _mark(self, condition: str, among: str | None = None) -> int:
        """Make rows odd, and return how many; a file whose rows have no numbers is read row by row instead."""
        told = f"({among})" if among else self._source
        if self._file.layout != "parquet":
            ((found,),) = self._run(f"SELECT count(*) FROM {told} WHERE {condition}")
            if found:
                raise NotPlain
            return 0
        before = self._engine.execute("SELECT count(*) FROM odd").fetchall()[0][0]
        some = f"SELECT {_ROW} FROM {told} WHERE {condition} LIMIT {ODD_MAX + 1}"
        self._run(f"INSERT INTO odd {some} ON CONFLICT DO NOTHING")
        after = self._engine.execute("SELECT count(*) FROM odd").fetchall()[0][0]
        if after > ODD_MAX:
            raise NotPlain
        return int(after - before)

    def _run(self, query: str, *, fetch: bool = True) -> list[Any]:
        """Run a query on a thread of its own, and tell how far it is."""
        self._wait(self._pool.submit(self._engine.execute, query), self._engine)
        return self._engine.fetchall() if fetch else []

    def _wait(self, running: Future[Any], engine: duckdb.DuckDBPyConnection) -> None:
        try:
            self._progress(0.0)
            while not wait([running], _TICK_SECONDS).done:
                self._progress(max(0.0, engine.query_progress()) / 100)
        except BaseException:
            engine.interrupt()
            raise
        running.result()


@dataclass(slots=True)
class _OddRows:
    """The odd rows of a Parquet file."""

    name: str
    columns: tuple[str, ...]
    _engine: duckdb.DuckDBPyConnection
    _source: str
    layout: str = field(default="parquet", init=False)

    def rows(self) -> Iterator[Row | Refused]:
        """Yield them."""
        picked = f"SELECT * FROM {self._source} WHERE {_ROW} IN (SELECT {_ROW} FROM odd)"
        for values in values_of(self._engine, picked, _ROW):
            number = values.pop(_ROW)
            yield Row(f"row {int(str(number)) + 1}", values)


def _empty(parts: Partition) -> str:
    """Return the condition under which a row is not even a request."""
    return f"{rating_sql.nothing_used(parts)} AND {parts.units[Unit.REQUEST]} = 0"


def literal(text: str) -> str:
    """Return a text as it stands in a query."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def opened_for_queries(
    path: Path, format_: str, given: Given, progress: Progress = lambda _: None
) -> Iterator[BulkFile]:
    """Open a table of usage for queries.

    Args:
        path: where it lies.
        format_: its format.
        given: what was said about it.
        progress: see `Progress`.

    Raises:
        NotPlain: it is no table, or one that is better read row by row; also within the block.
    """
    if format_ != mapped.Mapped.name:
        raise NotPlain
    file, layout = reading.open_file(path), mapping.layout(given.mapping)
    if not isinstance(file, CsvFile | ParquetFile) or (isinstance(file, ParquetFile) and _packed(path) != "none"):
        raise NotPlain
    with tempfile.TemporaryDirectory(prefix="planner-") as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY, "temp_directory": spill, "preserve_insertion_order": "false",
            "threads": str(os.cpu_count() or 1), "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }  # fmt: skip
        engine, pool = duckdb.connect(":memory:", config=config), ThreadPoolExecutor(2)
        beside = engine.cursor()
        try:
            for one in (engine, beside):
                # How far a query is can be asked only where a bar would be drawn.
                one.execute(
                    "SET TimeZone = 'UTC'; SET enable_progress_bar = true; SET enable_progress_bar_print = false"
                )
            source = _source(glob.escape(str(path.resolve())), file)
            described = engine.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
            kinds = {row[0]: str(row[1]).lower() for row in described}
            if isinstance(file, CsvFile):
                # The engine passes over rows in silence where it takes line ends for others, and over a cell too many.
                ((rows,),) = engine.execute(f"SELECT count(*) FROM {source}").fetchall()
                if rows != count_rows(file):
                    raise NotPlain
            engine.execute(f"CREATE TEMP TABLE odd ({_ROW} BIGINT PRIMARY KEY)")
            yield BulkFile(layout, columns(layout, kinds), engine, beside, pool, source, file, progress)
        except (duckdb.Error, RuntimeError, InvalidInput) as error:
            # Whatever a query cannot read is read row by row, where each row that is wrong is named.
            raise NotPlain from error
        finally:
            engine.interrupt()
            beside.interrupt()
            pool.shutdown(cancel_futures=True)
            beside.close()
            engine.close()


def _source(path: str, file: CsvFile | ParquetFile) -> str:
    if isinstance(file, ParquetFile):
        return f"read_parquet({literal(path)}, hive_partitioning = false, file_row_number = true)"
    named = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in file.columns)
    said = {
        "columns": f"{{{named}}}", "header": "true", "auto_detect": "false", "delim": "','", "quote": "'\"'",
        "escape": "'\"'", "strict_mode": "true", "null_padding": "false",
        "max_line_size": str(ROW_BYTES_MAX), "compression": f"'{_packed(file.source.path)}'",
    }  # fmt: skip
    return f"read_csv({literal(path)}, {', '.join(f'{name} = {value}' for name, value in said.items())})"


def _packed(path: Path) -> str:
    with path.open("rb") as stream:
        return "gzip" if stream.read(2) == b"\x1f\x8b" else "none"
