"""A message of OTLP, JSON or protobuf, taken apart into spans or metrics with nothing in them that people wrote."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # its types are another package's
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

from planner.core.errors import InvalidInput
from planner.ledger import cells
from planner.ledger.format import Refused, Row
from planner.ledger.otel_words import KEPT

_NANOSECONDS = 1_000_000_000
_KINDS = ("stringValue", "intValue", "doubleValue", "boolValue")
SPANS = ("resourceSpans", "scopeSpans", "spans")
METRICS = ("resourceMetrics", "scopeMetrics", "metrics")


class Leaf(NamedTuple):
    """A span or a metric as it was sent: where it stands, what it belongs to, and itself."""

    place: str
    resource: Mapping[str, object]
    owner: tuple[object, object]
    """Its resource and its scope as they were sent, which together say whose series a metric is."""
    node: Mapping[str, Any]


def leaves(message: Mapping[str, Any], names: tuple[str, str, str], place: str = "") -> Iterator[Leaf | Refused]:
    """Yield the spans or the metrics of a message, as `SPANS` and `METRICS` lead to them; what is missing is empty."""
    groups, scopes, ends = names
    before = place and f"{place} "
    for group in _objects(message, groups, f"{before}{groups}"):
        if isinstance(group, Refused):
            yield group
            continue
        resource = group.values.get("resource")
        known = attributes(resource)
        for scope in _objects(group.values, scopes, f"{group.place}.{scopes}"):
            if isinstance(scope, Refused):
                yield scope
                continue
            for end in _objects(scope.values, ends, f"{scope.place}.{ends}"):
                owner = (resource, scope.values.get("scope"))
                yield end if isinstance(end, Refused) else Leaf(end.place, known, owner, end.values)


def _objects(node: Mapping[str, Any], name: str, place: str) -> Iterator[Row | Refused]:
    listed = node.get(name, [])
    if not isinstance(listed, list):
        yield Refused(place, "a list is needed")
        return
    for number, found in enumerate(listed):
        inside = f"{place}[{number}]"
        yield Row(inside, found) if isinstance(found, dict) else Refused(inside, "not an object")


def attributes(node: object) -> dict[str, object]:
    """Return the attributes of a span, a resource or a point that planner reads; the others are not even looked at."""
    listed = node.get("attributes") if isinstance(node, dict) else None
    found: dict[str, object] = {}
    for item in listed if isinstance(listed, list) else []:
        key = item.get("key") if isinstance(item, dict) else None
        value = item.get("value") if isinstance(item, dict) else None
        if isinstance(key, str) and key in KEPT and isinstance(value, dict):
            # A list or an object is neither a name nor a count, and neither is False.
            found[key] = next((value[kind] for kind in _KINDS if kind in value), False)
    return found


def moment(node: Mapping[str, Any], name: str) -> datetime | None:
    """Return a moment that is stated in nanoseconds since 1970, to the microsecond; None where it is not, or is 0.

    Raises:
        InvalidInput: no whole number, or no moment of this century.
    """
    return cells.epoch(node, name, _NANOSECONDS) if cells.count(node, name) else None


def decode(body: bytes) -> Mapping[str, Any]:
    """Read a protobuf ``ExportTraceServiceRequest`` into the shape it has as JSON, with what planner reads and no more.

    Raises:
        InvalidInput: it is none.

    Source: opentelemetry-proto, docs/specification.md, "JSON Protobuf Encoding": ids are hexadecimal digits there.
    """
    try:
        message = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        raise InvalidInput("body", "not an ExportTraceServiceRequest of OTLP") from None
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes(group.resource.attributes)},
                "scopeSpans": [{"spans": [_span(span) for span in scope.spans]} for scope in group.scope_spans],
            }
            for group in message.resource_spans
        ]
    }


def _span(span: ProtoSpan) -> dict[str, Any]:
    return {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "parentSpanId": span.parent_span_id.hex(),
        "startTimeUnixNano": span.start_time_unix_nano,
        "attributes": _attributes(span.attributes),
        "status": {"code": span.status.code},
    }


def _attributes(listed: Iterable[KeyValue]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for item in listed:
        if item.key not in KEPT:
            continue
        value = item.value
        kind = value.WhichOneof("value")
        if kind == "string_value":
            said: dict[str, object] = {"stringValue": value.string_value}
        elif kind == "int_value":
            said = {"intValue": value.int_value}
        elif kind == "double_value":
            said = {"doubleValue": Decimal(value.double_value)}
        else:
            said = {}
        found.append({"key": item.key, "value": said})
    return found


def answer(refused: int, reason: str) -> bytes:
    """Write what an exporter is told in protobuf: how many spans were refused, and why."""
    response = ExportTraceServiceResponse()
    if refused:
        response.partial_success.rejected_spans = refused
        response.partial_success.error_message = reason
    written: bytes = response.SerializeToString()
    return written
