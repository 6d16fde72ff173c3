"""Traces of OpenTelemetry: every span that is one inference and contains no other is one request.

Times, names and counts are read, and nothing else: prompts, answers, tool calls and events stay at the door.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from planner.core.errors import InvalidInput
from planner.core.event import Event, Outcome, Role
from planner.ledger import cells
from planner.ledger import otel_words as words
from planner.ledger.format import File, Format, Given, Read, Refused, Skipped
from planner.ledger.otel_metrics import OtelMetrics
from planner.ledger.otlp_message import SPANS, attributes, decode, leaves, moment

__all__ = ["FORMATS", "OtelTraces", "decode", "spans"]

_TRACE_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_SPAN_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)
_ERROR = (2, "STATUS_CODE_ERROR")
_MEDIA = ("input_audio_tokens", "input_image_tokens", "input_video_tokens")
_STATED = frozenset(name for names in words.SPAN_COUNTS.values() for name in names)


class _Span(NamedTuple):
    """A span, its name within all traces, and that of the span around it."""

    place: str
    resource: Mapping[str, object]
    attributes: Mapping[str, object]
    node: Mapping[str, Any]
    id: str
    around: str | None

    @property
    def operation(self) -> str | None:
        """What it says it does."""
        said = self.attributes.get(words.OPERATION)
        return said if isinstance(said, str) else None

    @property
    def inferred(self) -> bool:
        """Whether a model was asked, and what it used is stated."""
        return self.operation not in words.NOT_INFERENCE and not _STATED.isdisjoint(self.attributes)


def spans(
    message: Mapping[str, Any], given: Given, *, place: str = "", around: Container[str] = frozenset()
) -> Iterator[Read | Refused | Skipped]:
    """Yield every span of a message in the JSON form of OTLP: read where it is a request, skipped where it is none.

    A span around another inference, however deep, is skipped, since both state the same tokens: a framework around a
    client, a client around a gateway. That shows within one message only, unless ``around`` names such spans.

    A prompt is declared to contain its cached part, as the convention has it. An instrumentation that does otherwise is
    found out by `planner.core.event.Judge`.

    Source: open-telemetry/semantic-conventions-genai, docs/gen-ai/gen-ai-spans.md.
    """
    found = list(_spans(message, place))
    here = _around(found)
    for span in found:
        if isinstance(span, Refused):
            yield span
            continue
        reason = _left_out(span, contains=span.id in here or span.id in around)
        if reason is not None:
            yield Skipped(span.place, reason)
            continue
        try:
            yield Read(span.place, _event(span, given))
        except InvalidInput as error:
            yield Refused(span.place, f"{error.field}: {error.problem}")


def _spans(message: Mapping[str, Any], place: str) -> Iterator[_Span | Refused]:
    for leaf in leaves(message, SPANS, place):
        if isinstance(leaf, Refused):
            yield leaf
            continue
        trace, own, parent = (str(leaf.node.get(name) or "").lower() for name in ("traceId", "spanId", "parentSpanId"))
        around = f"{trace}/{parent}" if parent not in ("", own) else None
        yield _Span(leaf.place, leaf.resource, attributes(leaf.node), leaf.node, f"{trace}/{own}", around)


def _around(found: Iterable[_Span | Refused]) -> set[str]:
    """Return which spans are around an inference; also one that is not among these is named by what it contains."""
    known = [span for span in found if isinstance(span, _Span)]
    parents = {span.id: span.around for span in known}
    around: set[str] = set()
    for span in known:
        outer = span.around if span.inferred else None
        while outer is not None and outer not in around:
            around.add(outer)
            outer = parents.get(outer)
    return around


def _left_out(span: _Span, *, contains: bool) -> str | None:
    if span.operation in words.NOT_INFERENCE:
        return f"{span.operation}: no inference; those that belong to it have spans of their own"
    if not span.inferred:
        return "no inference: it states no tokens"
    return "it contains the span of another inference, which counts" if contains else None


def _event(span: _Span, given: Given) -> Event:
    trace, _, own = span.id.partition("/")
    if not _TRACE_ID.fullmatch(trace):
        raise InvalidInput("traceId", "32 hexadecimal digits are needed")
    if not _SPAN_ID.fullmatch(own):
        raise InvalidInput("spanId", "16 hexadecimal digits are needed")
    at = moment(span.node, "startTimeUnixNano")
    if at is None:
        raise InvalidInput("startTimeUnixNano", "a moment is needed, in nanoseconds since 1970")
    said = {**span.resource, **span.attributes}
    status = span.node.get("status")
    failed = isinstance(status, dict) and status.get("code") in _ERROR
    counts, rateable = _counts(span.attributes)
    return Event(
        source=given.source,
        id=span.id,
        at=at,
        request_id=words.first(said, words.RESPONSE_ID),
        counts=counts,
        includes_cached=True if given.includes_cached is None else given.includes_cached,
        total_tokens=_stated(span.attributes, words.TOTALS),
        channel=given.channel or "direct",
        provider=words.provider(said) or given.provider,
        model=words.model(said),
        service_tier=words.tier(said),
        plan=words.first(said, ("planner.plan",)) or given.plan,
        customer=words.customer(said) or given.customer,
        task=words.first(said, ("planner.task",)) or given.task,
        project=words.first(said, ("service.name",)),
        tags=words.tags(said),
        outcome=Outcome.FAILED if failed else Outcome.OK,
        rateable=rateable,
    )


def _counts(said: Mapping[str, object]) -> tuple[dict[str, int], bool]:
    """Return the counts, and whether a cost follows from them.

    Nobody says which part of the audio or the pictures was read from the cache. Where they do not fit beside the
    cached part some of them were, and neither is priced as the other.
    """
    counts = {"requests": 1}
    for name, aliases in words.SPAN_COUNTS.items():
        stated = _stated(said, aliases)
        if stated is not None:
            counts[name] = stated
    media = sum(counts.get(name, 0) for name in _MEDIA)
    cached = counts.get("cache_read_tokens", 0) + counts.get("cache_write_tokens", 0)
    if not media or media + cached <= counts.get("input_tokens", 0):
        return counts, True
    return {name: quantity for name, quantity in counts.items() if name not in _MEDIA}, False


def _stated(said: Mapping[str, object], aliases: Iterable[str]) -> int | None:
    for alias in aliases:
        if alias in said:
            return cells.count(said, alias)
    return None


class OtelTraces:
    """Traces as the collector's file exporter and the SDKs write them: one message as the document, or one a line."""

    name = "otel_traces"
    title = "OpenTelemetry traces (OTLP as JSON)"
    role = Role.LEDGER
    mutable = False

    def knows(self, file: File) -> str | None:
        """Tell by the name of the list that every message of traces has."""
        return "it has resourceSpans, as traces of OTLP have" if SPANS[0] in file.columns else None

    def read(self, file: File, given: Given) -> Iterator[Read | Refused | Skipped]:
        """Yield every span. The file is read twice: an inner span may be sent before the one around it."""
        around: set[str] = set()
        for row in file.rows():
            if not isinstance(row, Refused):
                around |= _around(_spans(row.values, row.place))
        for row in file.rows():
            if isinstance(row, Refused):
                yield row
            elif SPANS[0] not in row.values:
                yield Skipped(row.place, "no traces: it has no resourceSpans")
            else:
                yield from spans(row.values, given, place=row.place, around=around)


FORMATS: tuple[Format, ...] = (OtelTraces(), OtelMetrics())
