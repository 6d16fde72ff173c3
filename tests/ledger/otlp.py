"""Messages of OTLP traces for tests, as JSON and as protobuf."""

import json
from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from planner.core import strict_json

TRACE = "0af7651916cd43dd8448eb211c80319c"
STARTED = 1_795_392_000_000_000_000  # 23 November 2026
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4.1",
    "gen_ai.response.model": "gpt-4.1-2025-04-14",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.input_tokens": 811,
    "gen_ai.usage.cache_read.input_tokens": 640,
    "gen_ai.usage.output_tokens": 92,
    "gen_ai.usage.reasoning.output_tokens": 40,
}
SECRET = "the prompt itself"


def attributes(said: Mapping[str, object]) -> list[dict[str, Any]]:
    """Write attributes as OTLP does; integers are texts there."""
    kinds = {str: "stringValue", int: "intValue", bool: "boolValue", float: "doubleValue", list: "arrayValue"}
    return [
        {"key": key, "value": {kinds[type(value)]: str(value) if type(value) is int else value}}
        for key, value in said.items()
    ]


def span(
    number: int = 1, said: Mapping[str, object] = CHAT, parent: int | None = None, **fields: Any
) -> dict[str, Any]:
    """Make a span; its number is its id."""
    made = {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "name": SECRET,
        "startTimeUnixNano": str(STARTED),
        "endTimeUnixNano": str(STARTED + 10**9),
        "attributes": attributes({**said, "gen_ai.input.messages": SECRET}),
        "events": [{"name": SECRET, "attributes": attributes({"gen_ai.prompt": SECRET})}],
        "status": {},
    }
    return {**made, **({} if parent is None else {"parentSpanId": f"{parent:016x}"}), **fields}


def message(*made: object, **resource: object) -> dict[str, Any]:
    """Make a message of one resource."""
    known = {"service.name": "shop", "deployment.environment.name": "prod", **resource}
    return {
        "resourceSpans": [
            {"resource": {"attributes": attributes(known)}, "scopeSpans": [{"scope": {"name": "x"}, "spans": [*made]}]}
        ]
    }


def strict(value: object) -> Any:
    """Read a document as a file of it would be."""
    return strict_json.read(json.dumps(value).encode())


def protobuf(value: Mapping[str, Any]) -> bytes:
    """Write a message as protobuf."""
    sent = ExportTraceServiceRequest()
    for group in value["resourceSpans"]:
        into = sent.resource_spans.add()
        _protobuf_attributes(into.resource.attributes, group["resource"]["attributes"])
        for scope in group["scopeSpans"]:
            scoped = into.scope_spans.add()
            for one in scope["spans"]:
                made = scoped.spans.add(
                    trace_id=bytes.fromhex(one["traceId"]),
                    span_id=bytes.fromhex(one["spanId"]),
                    parent_span_id=bytes.fromhex(one.get("parentSpanId", "")),
                    name=one["name"],
                    start_time_unix_nano=int(one["startTimeUnixNano"]),
                )
                made.status.code = one["status"].get("code", 0)
                _protobuf_attributes(made.attributes, one["attributes"])
    return bytes(sent.SerializeToString())


def _protobuf_attributes(into: Any, listed: list[dict[str, Any]]) -> None:
    for item in listed:
        value = into.add(key=item["key"]).value
        ((kind, said),) = item["value"].items()
        match kind:
            case "stringValue":
                value.string_value = said
            case "intValue":
                value.int_value = int(said)
            case "doubleValue":
                value.double_value = said
            case "boolValue":
                value.bool_value = said
            case _:
                value.array_value.values.add(string_value="x")
