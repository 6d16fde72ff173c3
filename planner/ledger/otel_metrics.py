"""Token metrics of OpenTelemetry: what was used in a while, for holding against requests, and never counted as such."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from planner.core.errors import InvalidInput
from planner.core.event import Event, Role
from planner.ledger import otel_words as words
from planner.ledger._cells import count
from planner.ledger.apart import digest, within
from planner.ledger.format import File, Given, Read, Refused, Skipped
from planner.ledger.otlp_message import METRICS, Leaf, attributes, leaves, moment

# Source: open-telemetry/semantic-conventions-genai, model/gen-ai/token-metrics.yaml. In some of its versions of 2026 the
# counters were ``detailed`` and the histograms had their names; semantic-conventions 1.27 to 1.41 had `_OLD` alone.
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
    series: str
    who: _Who
    family: tuple[bool, int]
    name: str
    cumulative: bool
    begins: datetime | None
    ends: datetime
    value: int


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
        """Yield one aggregate for each while of each provider, model and operation, to the second."""
        points: list[_Point] = []
        for found in _points(file):
            if isinstance(found, _Point):
                points.append(found)
            else:
                yield found
        best: dict[_Who, tuple[bool, int]] = {}
        for point in points:
            best[point.who] = min(point.family, best.get(point.who, point.family))
        counts: dict[tuple[_Who, datetime, datetime], dict[str, int]] = defaultdict(lambda: {"requests": 0})
        places: dict[tuple[_Who, datetime, datetime], str] = {}
        for _series, same in groupby(sorted(points, key=attrgetter("series", "ends")), attrgetter("series")):
            listed = list(same)
            if listed[0].family != best[listed[0].who]:
                yield Skipped(listed[0].place, "another instrument counts the same tokens")
                continue
            for point, begins, value in _increments(listed):
                if begins is None:
                    yield Skipped(point.place, "the first point of a series that does not say when it began")
                    continue
                at, until = begins.replace(microsecond=0), point.ends.replace(microsecond=0)
                key = point.who, at, max(until, at + _SECOND)
                places.setdefault(key, point.place)
                counts[key][point.name] = counts[key].get(point.name, 0) + value
        for key, used in counts.items():
            yield Read(places[key], _event(*key, used, given))


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
    figure = next((name for name in ("asInt", "asDouble", "sum") if name in node), None)
    if figure is None:
        raise InvalidInput("dataPoints", "a value is needed")
    return _Point(
        place=leaf.place,
        # All of it, also what is not read: points that differ anywhere are of two series.
        series=digest(_text(leaf.owner), leaf.node.get("name"), _text(node.get("attributes"))),
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
        value=count(node, figure),
    )


def _text(node: object) -> str:
    return json.dumps(node, sort_keys=True, default=str)


def _increments(points: Iterable[_Point]) -> Iterator[tuple[_Point, datetime | None, int]]:
    """Yield what each point of a series adds, and since when; points come in the order of their time."""
    before: _Point | None = None
    for point in points:
        if not point.cumulative or before is None:
            yield point, point.begins or (before.ends if before is not None else None), point.value
        elif point.ends > before.ends:
            anew = point.value < before.value or point.begins != before.begins
            begins = max(point.begins or before.ends, before.ends) if anew else before.ends
            yield point, begins, point.value if anew else point.value - before.value
        before = point


def _event(who: _Who, at: datetime, until: datetime, counts: Mapping[str, int], given: Given) -> Event:
    return Event(
        source=given.source,
        id=digest("otel_metrics", who, at.isoformat(), until.isoformat()),
        at=at,
        until=until,
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
