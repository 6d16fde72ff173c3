"""How an engine of queries reads the columns of a table that a mapping names: the plain cells, and which are not plain.

A cell is plain where its kind and its letters leave no doubt. Whatever is not plain is read by `planner.ledger.cells`
instead, one by one, which is strict and says why; so that both ways to read a file give the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from planner.ledger import cells
from planner.ledger.mapping import ROW, Clock, Layout

COUNT_MAX = 10**13
"""Beyond that a count is looked at one by one."""

_SIGNED = frozenset({"tinyint", "smallint", "integer", "bigint"})
_WHOLE = _SIGNED | {"utinyint", "usmallint", "uinteger", "ubigint", "hugeint", "uhugeint"}
_PRINTABLE = "[ -~]+"
_DIGITS = "[0-9]{1,14}"
_DOLLARS = r"[0-9]{1,6}(\.[0-9]{1,12})?"
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ]([01][0-9]|2[0-3]):[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?)?"
_OFFSET = r" ?(Z|z|UTC|[+-][0-9]{2}:[0-9]{2})"
_NAMES = ("offer", "channel", "provider", "model", "service_tier", "region")
_HEADS = ("plan", "customer", "task", "project", "key")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
EARLIEST_US, LATEST_US = ((bound - _EPOCH) // _MICRO for bound in (cells.EARLIEST, cells.LATEST))


class NotPlain(Exception):  # no error: another engine reads the file
    """The columns are not of kinds that a query reads as strictly as it has to."""


@dataclass(frozen=True, slots=True)
class Column:
    """An expression that is the field of a row, and the condition under which a cell of it is plain."""

    value: str
    plain: str


@dataclass(frozen=True, slots=True)
class Columns:
    """The fields of a table of usage. Those that rows do not have are left out.

    Moments are microseconds since 1970, counts whole numbers that are never NULL, a stated cost is in 1e-12 USD and -1
    where there is none, texts are empty where nothing was said.
    """

    us: Column
    counts: Mapping[str, Column]
    names: Mapping[str, Column]
    heads: Mapping[str, Column]
    id: Column | None
    request: Column | None
    stated: Column | None
    total: Column | None
    said: str
    """The condition under which a row says anything: a count, or a cost."""

    @property
    def plain(self) -> str:
        """The condition under which every cell of a row is plain."""
        more = (self.id, self.request, self.stated, self.total)
        listed = [*self.counts.values(), *self.names.values(), *self.heads.values(), *more]
        found = [column.plain for column in (self.us, *listed) if column is not None]
        return " AND ".join(f"({one})" for one in (*dict.fromkeys(found), self.said) if one != "TRUE") or "TRUE"


def quoted(name: str) -> str:
    """Return the name of a column as it stands in a query."""
    return '"' + name.replace('"', '""') + '"'


def columns(layout: Layout, kinds: Mapping[str, str]) -> Columns:
    """Return how the columns of a table are read.

    Args:
        layout: the mapping.
        kinds: the type of each column of the table, in lower case.

    Raises:
        NotPlain: a row may be an aggregate, a column is of another kind, or it lies within another.
    """
    if layout.kind != "usage" or layout.rows is not None or "until" in layout.columns:
        raise NotPlain
    where = {field: path for field, path in layout.columns.items() if not (field == "id" and path == ROW)}
    if any(path not in kinds for path in where.values()):
        raise NotPlain

    def read(field: str, reader: Callable[[str, str], Column]) -> Column | None:
        return None if field not in where else reader(quoted(where[field]), kinds[where[field]])

    def texts(fields: tuple[str, ...]) -> dict[str, Column]:
        found = {field: read(field, _label) for field in fields}
        return {field: column for field, column in found.items() if column is not None}

    counts = {
        name: _count(quoted(where[name]), kinds[where[name]], 1 if name == "requests" else 0) for name in layout.counts
    }
    said = [
        f"{quoted(where[name])} IS NOT NULL" if kinds[where[name]] != "varchar" else f"{quoted(where[name])} <> ''"
        for name in (*layout.counts, "stated_usd")
        if name in where
    ]
    return Columns(
        us=_moment(quoted(where["at"]), kinds[where["at"]], layout.clock),
        counts=counts,
        names=texts(_NAMES),
        heads=texts(_HEADS),
        id=read("id", _id),
        request=read("request_id", _request),
        stated=read("stated_usd", _dollars),
        total=read("total_tokens", lambda column, kind: _count(column, kind, -1)),
        said=f"coalesce({' OR '.join(said)}, FALSE)",
    )


def _label(column: str, kind: str) -> Column:
    """A text of which few are different: whether it is one is looked at once for each."""
    if kind != "varchar" and kind not in _WHOLE:
        raise NotPlain
    return Column(f"coalesce(CAST({column} AS VARCHAR), '')", "TRUE")


def _id(column: str, kind: str) -> Column:
    found = _label(column, kind)
    plain = f"{column} IS NOT NULL"
    return Column(
        found.value,
        plain
        if kind in _WHOLE
        else f"{plain} AND {column} <> '' AND strlen({column}) <= {cells.TEXT_MAX} AND {_seen(column)}",
    )


def _seen(column: str) -> str:
    """Return the condition under which every character of a text can be seen, and is one of ASCII.

    Bytes are written as the text they are unless one of them has to be escaped, which takes a tenth of the time of a
    pattern; the pattern says it of texts with quotes and backslashes.
    """
    as_bytes = f"CAST(encode({column}) AS VARCHAR) = {column}"
    return f"CASE WHEN {as_bytes} THEN TRUE ELSE regexp_full_match({column}, '{_PRINTABLE}') END"


def _request(column: str, kind: str) -> Column:
    found = _id(column, kind)
    nothing = f"{column} IS NULL" if kind in _WHOLE else f"coalesce({column}, '') = ''"
    return Column(found.value, f"{nothing} OR ({found.plain})")


def _count(column: str, kind: str, nothing: int) -> Column:
    """A count; ``nothing`` is what a row has that says none."""
    if kind in _WHOLE:
        number = column if kind in _SIGNED else f"TRY_CAST({column} AS BIGINT)"
    elif kind == "varchar":
        number = f"TRY_CAST(CASE WHEN regexp_full_match({column}, '{_DIGITS}') THEN {column} END AS BIGINT)"
    elif kind == "double":
        # Where some rows have none, tables of other tools keep whole numbers as doubles.
        whole = f"{column} BETWEEN 0 AND {COUNT_MAX} AND {column} = floor({column})"
        number = f"CASE WHEN {whole} THEN CAST({column} AS BIGINT) END"
    else:
        raise NotPlain
    value = f"coalesce({number}, {nothing})"
    unsaid = f"{column} IS NULL" if kind != "varchar" else f"coalesce({column}, '') = ''"
    return Column(value, f"{unsaid} OR coalesce({number} BETWEEN 0 AND {COUNT_MAX}, FALSE)")


def _dollars(column: str, kind: str) -> Column:
    if kind not in _WHOLE and kind not in ("varchar", "double") and not kind.startswith("decimal"):
        raise NotPlain
    text = column if kind == "varchar" else f"CAST({column} AS VARCHAR)"
    unsaid = f"coalesce({text}, '') = ''"
    shaped = f"regexp_full_match({text}, '{_DOLLARS}')"
    pico = f"CAST(CAST(CASE WHEN {shaped} THEN {text} END AS DECIMAL(38, 12)) * 1000000000000 AS HUGEINT)"
    return Column(f"coalesce({pico}, -1)", f"{unsaid} OR coalesce({shaped}, FALSE)")


def _moment(column: str, kind: str, clock: Clock) -> Column:
    if clock.ticks is None:
        micros = _written(column, kind, clock)
    else:
        number = column if kind in _SIGNED else None
        if kind == "varchar":
            number = f"TRY_CAST(CASE WHEN regexp_full_match({column}, '[0-9]{{1,18}}') THEN {column} END AS BIGINT)"
        if number is None:
            raise NotPlain
        each = 1_000_000 // clock.ticks if clock.ticks <= 1_000_000 else 0  # noqa: PLR2004  # microseconds in a second
        # 64 bits overflow where ticks are of another length than is said: such a moment is none of this century.
        wide = f"CAST({number} AS HUGEINT)"
        scaled = f"{wide} * {each}" if each else f"{wide} // {clock.ticks // 1_000_000}"
        start = (clock.start - _EPOCH) // _MICRO
        # Before the start, halves would be cut off the other way.
        micros = f"CASE WHEN {number} >= 0 THEN TRY_CAST({scaled} + {start} AS BIGINT) END"
    within = f"coalesce({micros} >= {EARLIEST_US} AND {micros} < {LATEST_US}, FALSE)"
    shift = clock.shift // _MICRO
    return Column(f"({micros} + {shift})" if shift else micros, within)


def _written(column: str, kind: str, clock: Clock) -> str:
    """Return microseconds of a moment that is written out, or of a column of moments; NULL where it is not plain."""
    if kind in ("timestamp with time zone", "timestamptz"):
        return f"CAST(epoch_us({column}) AS BIGINT)"
    if clock.zone is not UTC and kind != "varchar":
        raise NotPlain
    if kind in ("timestamp", "timestamp_s", "timestamp_ms", "date"):
        return f"CAST(epoch_us(CAST({column} AS TIMESTAMP)) AS BIGINT)"
    if kind == "timestamp_ns":
        return f"CAST(epoch_ns({column}) // 1000 AS BIGINT)"
    if kind != "varchar":
        raise NotPlain
    # Other zones have hours that clocks show twice or never; these are looked at one by one.
    offset = f"({_OFFSET})?" if clock.zone is UTC else _OFFSET
    shaped = f"regexp_full_match({column}, '{_MOMENT}{offset}')"
    # What is finer than a microsecond is cut off, and not rounded.
    cut = f"regexp_replace(upper({column}), '(\\.[0-9]{{6}})[0-9]+', '\\1')"
    bare = f"regexp_replace(regexp_replace({cut}, ' ?(Z|UTC|[+-][0-9]{{2}}:[0-9]{{2}})$', ''), 'T', ' ')"
    sign, hours, minutes = (
        f"regexp_extract({cut}, '([+-])([0-9]{{2}}):([0-9]{{2}})$', {group})" for group in (1, 2, 3)
    )
    hours, minutes = (f"coalesce(TRY_CAST({digits} AS BIGINT), 0)" for digits in (hours, minutes))
    away = f"CASE WHEN {sign} = '-' THEN -1 ELSE 1 END * ({hours} * 60 + {minutes}) * 60000000"
    local = f"epoch_us(TRY_CAST({bare} AS TIMESTAMP))"
    return f"CASE WHEN {shaped} AND {hours} < 24 AND {minutes} < 60 THEN CAST({local} - {away} AS BIGINT) END"
