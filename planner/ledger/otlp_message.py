"""A message of OTLP, JSON or protobuf, taken apart into spans or metrics with nothing in them that people wrote."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

from planner.core.errors import InvalidInput
from planner.ledger._cells import count
from planner.ledger.apart import within
from planner.ledger.format import Refused
from planner.ledger.otel_words import KEPT

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
    """Yield the spans or metrics of a message; what is missing is empty, as in protobuf."""
    groups, scopes, ends = names
    for at, group in _items(message, groups, place):
        if group is None:
            yield Refused(at, "a list of objects is needed")
            continue
        resource = group.get("resource")
        known = attributes(resource)
        for inside, scope in _items(group, scopes, at):
            if scope is None:
                yield Refused(inside, "a list of objects is needed")
                continue
            for end, node in _items(scope, ends, inside):
                if node is None:
                    yield Refused(end, "a list of objects is needed")
                else:
                    yield Leaf(end, known, (resource, scope.get("scope")), node)


def _items(node: Mapping[str, Any], name: str, place: str) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    """Yield the objects of a list with their places; None for what is no object, or no list."""
    inside = f"{place}.{name}" if "[" in place else within(place, name)
    found = node.get(name, [])
    if not isinstance(found, list):
        yield inside, None
        return
    for number, item in enumerate(found):
        yield f"{inside}[{number}]", item if isinstance(item, dict) else None


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
    """Return a moment that is stated in nanoseconds since 1970, cut to microseconds; None where it is not, or is 0.

    Raises:
        InvalidInput: not an integer from 0 to 2**63 - 1.
    """
    nanoseconds = count(node, name)
    return _EPOCH + timedelta(microseconds=nanoseconds // 1_000) if nanoseconds else None


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
