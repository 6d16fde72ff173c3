"""Token metrics of OpenTelemetry: what was used in a while, for holding against requests, and never counted as such."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import NamedTuple

from planner.core.errors import InvalidInput
from planner.core.event import Event, Role
from planner.ledger import cells
from planner.ledger import otel_words as words
from planner.ledger.format import File, Given, Read, Refused, Skipped
from planner.ledger.ids import aggregate_id
from planner.ledger.otlp_message import METRICS, Leaf, attributes, leaves, moment

# In some versions of the conventions counters are ``detailed`` and histograms have their names; semantic-conventions
# 1.27 to 1.41 had `_OLD` alone. Source: semantic-conventions-genai, model/gen-ai/token-metrics.yaml.
_FAMILIES = (
    "gen_ai.client.inference.usage.",
    "gen_ai.client.inference.usage.detailed.",
    "gen_ai.client.inference.operation.",
)
_OLD = "gen_ai.client.token.usage"
_COUNTS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read.input_tokens": "cache_read_tokens",
    "cache_write.input_tokens": "cache_write_tokens",
    "reasoning.output_tokens": "reasoning_tokens",
}
_TYPES = {"input": "input_tokens", "output": "output_tokens", "completion": "output_tokens"}
_DATA = ("sum", "histogram", "exponentialHistogram")
_CUMULATIVE = (2, "AGGREGATION_TEMPORALITY_CUMULATIVE")
_DELTA = (1, "AGGREGATION_TEMPORALITY_DELTA")
_NO_VALUE = 1
_SECOND = timedelta(seconds=1)


class _Who(NamedTuple):
    """Whose tokens a point counts."""

    project: str | None
    provider: str | None
    model: str | None
    operation: str | None
    service_tier: str


class _Point(NamedTuple):
    """One point of one series. ``family`` is lowest for the instruments that count best."""

    place: str
    series: bytes
    who: _Who
    family: tuple[bool, int]
    name: str
    cumulative: bool
    begins: datetime | None
    ends: datetime
    value: int


class _While(NamedTuple):
    """What one aggregate is of."""

    at: datetime
    until: datetime
    who: _Who


class OtelMetrics:
    """Metrics as the collector's file exporter and the SDKs write them: one message as the document, or one a line.

    Several instruments state the same tokens. Of one provider, model and operation only the best of them are read:
    counters before histograms. Counters and histograms that only ever grow are differenced, point by point; one that
    began anew counts from 0, and the first point of a series counts since its beginning, so that a file should hold all
    points of its series.
    """

    name = "otel_metrics"
    title = "OpenTelemetry token metrics (OTLP as JSON)"
    role = Role.EVIDENCE
    mutable = True

    def knows(self, file: File) -> str | None:
        """Tell by the name of the list that every message of metrics has."""
        return "it has resourceMetrics, as metrics of OTLP have" if METRICS[0] in file.columns else None

    def read(self, file: File, given: Given) -> Iterator[Read | Refused | Skipped]:
        """Yield one aggregate for each while in which a provider, model and operation used something, to the second."""
        points: list[_Point] = []
        for found in _points(file):
            if isinstance(found, _Point):
                points.append(found)
            else:
                yield found
        whiles: dict[_While, tuple[str, dict[str, int]]] = {}
        for added in _added(points):
            if isinstance(added, Skipped):
                yield added
                continue
            point, begins, value = added
            at, until = begins.replace(microsecond=0), point.ends.replace(microsecond=0)
            key = _While(at, max(until, at + _SECOND), point.who)
            _place, counts = whiles.setdefault(key, (point.place, {"requests": 0}))
            counts[point.name] = counts.get(point.name, 0) + value
        for key, (place, counts) in sorted(whiles.items(), key=lambda item: (item[0].at, item[0].until)):
            yield Read(place, _event(key, counts, given))


def _points(file: File) -> Iterator[_Point | Refused | Skipped]:
    for row in file.rows():
        if isinstance(row, Refused):
            yield row
        elif METRICS[0] not in row.values:
            yield Skipped(row.place, "no metrics: it has no resourceMetrics")
        else:
            for leaf in leaves(row.values, METRICS, row.place):
                yield from [leaf] if isinstance(leaf, Refused) else _metric(leaf)


def _metric(leaf: Leaf) -> Iterator[_Point | Refused | Skipped]:
    name = leaf.node.get("name")
    kind = next((kind for kind in _DATA if isinstance(leaf.node.get(kind), dict)), None)
    family = _family(name) if isinstance(name, str) else None
    if family is None or kind is None:
        yield Skipped(leaf.place, "no count of tokens")
        return
    data = leaf.node[kind]
    temporality = data.get("aggregationTemporality")
    listed = data.get("dataPoints", [])
    if temporality not in (*_CUMULATIVE, *_DELTA) or not isinstance(listed, list):
        yield Refused(leaf.place, "aggregationTemporality and dataPoints: delta or cumulative, and a list, are needed")
        return
    for number, node in enumerate(listed):
        place = f"{leaf.place}.{kind}.dataPoints[{number}]"
        try:
            point = _point(leaf, node, kind, family, cumulative=temporality in _CUMULATIVE)
        except InvalidInput as error:
            yield Refused(place, f"{error.field}: {error.problem}")
            continue
        if point is not None:
            yield point._replace(place=place)


def _family(name: str) -> tuple[int, str | None] | None:
    """Return which instruments one belongs to, and what it counts: None where its points say that."""
    if name == _OLD:
        return len(_FAMILIES), None
    for number, prefix in enumerate(_FAMILIES):
        counted = _COUNTS.get(name.removeprefix(prefix))
        if name.startswith(prefix) and counted is not None:
            return number, counted
    return None


def _point(leaf: Leaf, node: object, kind: str, family: tuple[int, str | None], *, cumulative: bool) -> _Point | None:
    if not isinstance(node, dict):
        raise InvalidInput("dataPoints", "objects are needed")
    flags = node.get("flags", 0)
    if isinstance(flags, int) and flags & _NO_VALUE:
        return None
    known = {**leaf.resource, **attributes(node)}
    number, counted = family
    counted = counted or _TYPES.get(words.first(known, ("gen_ai.token.type",)) or "")
    if counted is None:
        raise InvalidInput("gen_ai.token.type", "input or output is needed")
    ends = moment(node, "timeUnixNano")
    if ends is None:
        raise InvalidInput("timeUnixNano", "a moment is needed, in nanoseconds since 1970")
    value = next((cells.count(node, name) for name in ("asInt", "asDouble", "sum") if name in node), None)
    if value is None:
        raise InvalidInput("dataPoints", "a value is needed")
    return _Point(
        place=leaf.place,
        series=_series(leaf, kind, node.get("attributes")),
        who=_Who(
            words.first(known, ("service.name",)),
            words.provider(known),
            words.model(known),
            words.first(known, (words.OPERATION,)),
            words.tier(known),
        ),
        family=(kind != "sum", number),
        name=counted,
        cumulative=cumulative,
        begins=moment(node, "startTimeUnixNano"),
        ends=ends,
        value=value,
    )


def _series(leaf: Leaf, kind: str, listed: object) -> bytes:
    """Return a name of the series of a point: all that belongs to it, also what is not read, in whatever order."""
    said = sorted(map(_text, listed)) if isinstance(listed, list) else []
    return hashlib.sha256(_text([*leaf.owner, kind, leaf.node.get("name"), said]).encode()).digest()


def _text(node: object) -> str:
    return json.dumps(node, sort_keys=True, default=str)


def _added(points: Sequence[_Point]) -> Iterator[tuple[_Point, datetime, int] | Skipped]:
    """Yield what every point of the best instruments adds, and since when."""
    best: dict[_Who, tuple[bool, int]] = {}
    together: dict[bytes, list[_Point]] = {}
    for point in points:
        best[point.who] = min(point.family, best.get(point.who, point.family))
        together.setdefault(point.series, []).append(point)
    for series in together.values():
        if series[0].family != best[series[0].who]:
            yield Skipped(series[0].place, "another instrument counts the same tokens")
            continue
        for point, begins, value in _increments(sorted(series, key=attrgetter("ends"))):
            if begins is None:
                yield Skipped(point.place, "the first point of a series that does not say when it began")
            elif value:
                yield point, begins, value


def _increments(series: Iterable[_Point]) -> Iterator[tuple[_Point, datetime | None, int]]:
    """Yield what each point of a series adds, and since when; points come in the order of their time."""
    before: _Point | None = None
    for point in series:
        if not point.cumulative or before is None:
            yield point, point.begins or (None if before is None else before.ends), point.value
        elif point.ends > before.ends:
            said = None not in (point.begins, before.begins) and point.begins != before.begins
            anew = said or point.value < before.value
            begins = max(point.begins or before.ends, before.ends) if anew else before.ends
            yield point, begins, point.value if anew else point.value - before.value
        before = point


def _event(key: _While, counts: Mapping[str, int], given: Given) -> Event:
    who = key.who
    return Event(
        source=given.source,
        id=aggregate_id("otel_metrics", key.at, key.until, who._asdict()),
        at=key.at,
        until=key.until,
        counts=counts,
        includes_cached=True if given.includes_cached is None else given.includes_cached,
        channel=given.channel or "direct",
        provider=who.provider or given.provider,
        model=who.model,
        service_tier=who.service_tier,
        plan=given.plan,
        customer=given.customer,
        task=given.task,
        project=who.project,
        tags={} if who.operation is None else {"operation": who.operation},
    )
