"""Usage over HTTP: every row is answered for, counted once, and taken back by a person with a reason."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.app import build
from planner.settings import Settings
from planner.store.engine import Store

KEY = "pk_adminkey_0123456789abcdefghijklmnopqrstuvwxyz"
OFFER = "direct:openai/gpt-5.4"


@pytest.fixture
def client(installed_copy: Store) -> Iterator[TestClient]:
    """A client with the admin key."""
    made = Settings(admin_key=SecretStr(KEY), key_pepper=SecretStr("pepper"))
    with TestClient(build(made, installed_copy), headers={"Authorization": f"Bearer {KEY}"}) as it:
        yield it


def event(id: str = "r1", **facts: Any) -> dict[str, Any]:
    """Make an event of 2,600 tokens in, 1,200 of them cached, and 450 out."""
    usage = {"input_tokens": 2_600, "cache_read_tokens": 1_200, "output_tokens": 450}
    made = {"id": id, "source": "backend", "at": "2026-11-23T12:00:00Z", "offer": OFFER, "usage": usage}
    return {**made, **facts}


def sent(client: TestClient, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """Send events, and return what became of each."""
    answer = client.post("/v1/usage", json={"events": list(events)})
    assert answer.status_code in (200, 207), answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_a_row_is_answered_with_its_cost_and_price_version(client: TestClient) -> None:
    """1,400 x $2.50 + 1,200 x $0.25 + 450 x $15 per million."""
    (row,) = sent(client, event(plan="pro"))
    assert (row["status"], row["cost_usd"], row["plan"]) == ("stored", "0.01055", "pro")
    assert row["price_version"] is not None


def test_the_same_row_again_changes_nothing(client: TestClient) -> None:
    """Who got no answer sends it again."""
    sent(client, event())
    assert [row["status"] for row in sent(client, event(), event("r2"))] == ["duplicate", "stored"]


def test_another_body_under_a_known_id_is_a_conflict(client: TestClient) -> None:
    """Alone it is a 409; beside good rows it is one row's conflict in a 207."""
    sent(client, event())
    other = event(usage={"input_tokens": 1})
    alone = client.post("/v1/usage", json={"events": [other]})
    assert (alone.status_code, alone.json()["code"]) == (409, "conflict")
    mixed = client.post("/v1/usage", json={"events": [other, event("r2")]})
    assert mixed.status_code == 207
    assert [row["status"] for row in mixed.json()["items"]] == ["conflict", "stored"]


def test_a_bad_row_is_named_and_the_others_are_stored(client: TestClient) -> None:
    """A part larger than its whole, an unknown field, a number where a text is needed."""
    impossible = event("r2", usage={"input_tokens": 1, "cache_read_tokens": 2})
    rows = sent(client, event(), impossible, event("r3", messages=[]), event("r4", at=5))
    assert [row["status"] for row in rows] == ["stored", "invalid", "invalid", "invalid"]
    assert rows[1]["code"] == "impossible_usage"
    assert sent(client, event())[0]["status"] == "duplicate"


def test_a_row_nobody_can_price_has_no_cost_and_is_counted(client: TestClient) -> None:
    """Never 0 dollars."""
    (row,) = sent(client, event(offer="direct:nobody/nothing"))
    assert (row["status"], row["cost_usd"], row["unpriced"]) == ("stored", None, "unknown_offer")


def test_a_request_counts_once_whatever_it_came_through(client: TestClient) -> None:
    """The provider's own id is the same in both streams."""
    sent(client, event(request_id="chatcmpl-1"))
    (row,) = sent(client, event("other", source="gateway", request_id="chatcmpl-1"))
    assert (row["status"], row["detail"]) == ("same_request", "backend r1")


def test_a_row_is_taken_back_once_and_its_id_stays_used(client: TestClient) -> None:
    """With a reason, which the audit trail keeps."""
    sent(client, event())
    taken = client.post("/v1/usage/backend/r1/void", json={"reason": "a test"})
    assert (taken.status_code, taken.json()["status"]) == (200, "voided")
    assert client.post("/v1/usage/backend/r1/void", json={"reason": "a test"}).status_code == 409
    assert sent(client, event())[0]["status"] == "duplicate"
    assert client.get("/v1/audit", params={"action": "usage.void"}).json()["items"][0]["reason"] == "a test"


def test_nothing_beside_events_is_taken(client: TestClient) -> None:
    """A misspelt field must not be lost in silence."""
    bodies: tuple[Any, ...] = ({}, {"events": []}, {"events": [event()], "more": 1}, {"events": {}}, [])
    for body in bodies:
        assert client.post("/v1/usage", json=body).status_code == 422


SPAN = {
    "traceId": "5b8efff798038103d269b633813fc60c",
    "spanId": "eee19b7ec3c1b174",
    "name": "chat",
    "startTimeUnixNano": "1795392000000000000",
    "endTimeUnixNano": "1795392001000000000",
    "attributes": [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.provider.name", "value": {"stringValue": "openai"}},
        {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-5.4"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "2600"}},
        {"key": "gen_ai.usage.cache_read.input_tokens", "value": {"intValue": "1200"}},
        {"key": "gen_ai.usage.output_tokens", "value": {"intValue": "450"}},
        {"key": "gen_ai.input.messages", "value": {"stringValue": "a secret question"}},
    ],
}
TRACES = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": [SPAN]}]}]}


def lines(client: TestClient) -> list[tuple[str, str]]:
    """Return what was booked: (kind, dollars)."""
    return [(line["kind"], line["delta_usd"]) for line in client.get("/v1/ledger/lines").json()["items"]]


def test_spans_come_in_as_json_plain_and_compressed_and_count_once(client: TestClient) -> None:
    """Collectors compress; the span is the same."""
    plain = json.dumps(TRACES).encode()
    for body, headers in ((plain, {}), (gzip.compress(plain), {"content-encoding": "gzip"})):
        answer = client.post(
            "/v1/otlp/v1/traces", content=body, headers={"content-type": "application/json", **headers}
        )
        assert (answer.status_code, answer.json()) == (200, {})
    assert lines(client) == [("usage", "0.01055")]


def test_spans_come_in_as_protobuf(client: TestClient) -> None:
    """The answer is a message too."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id = bytes.fromhex(SPAN["traceId"]), bytes.fromhex(SPAN["spanId"])  # type: ignore[arg-type]  # texts
    span.start_time_unix_nano = 1_795_392_000_000_000_000
    for attribute in SPAN["attributes"]:
        assert isinstance(attribute, dict)
        made = span.attributes.add(key=attribute["key"])
        for kind, value in attribute["value"].items():
            if kind == "intValue":
                made.value.int_value = int(value)
            else:
                made.value.string_value = value
    answer = client.post(
        "/v1/otlp/v1/traces", content=request.SerializeToString(), headers={"content-type": "application/x-protobuf"}
    )
    assert answer.status_code == 200
    assert ExportTraceServiceResponse.FromString(answer.content).partial_success.rejected_spans == 0
    assert lines(client) == [("usage", "0.01055")]


def test_what_people_wrote_is_dropped_at_the_door(client: TestClient, installed_copy: Store) -> None:
    """No table holds it."""
    client.post("/v1/otlp/v1/traces", json=TRACES)
    with installed_copy.read() as connection:
        stored = connection.exec_driver_sql("SELECT document FROM usage_events").scalars().all()
    assert len(stored) == 1
    assert "secret" not in stored[0]


@pytest.mark.parametrize("media", ["text/plain", ""])
def test_spans_of_another_media_type_are_refused(client: TestClient, media: str) -> None:
    """A guess could read anything."""
    answer = client.post("/v1/otlp/v1/traces", content=b"{}", headers={"content-type": media})
    assert answer.status_code == 422


def test_a_compressed_body_that_unpacks_without_end_is_refused(client: TestClient) -> None:
    """64 MiB is more than any collector sends at once."""
    bomb = gzip.compress(b" " * (80 << 20))
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert client.post("/v1/otlp/v1/traces", content=bomb, headers=headers).status_code == 422


def test_streams_that_may_tell_the_same_wait_for_a_person(client: TestClient) -> None:
    """The backend's events and the spans name no request of the provider's: one of them has to be chosen."""
    sent(client, event())
    refused = client.post("/v1/otlp/v1/traces", json=TRACES)
    assert (refused.status_code, refused.json()["kind"]) == (409, "stream_overlap")
    other = {
        **TRACES,
        "resourceSpans": [{"scopeSpans": [{"spans": [{**SPAN, "startTimeUnixNano": "1790000000000000000"}]}]}],
    }
    assert client.post("/v1/otlp/v1/traces", json=other).status_code == 200
    chosen = client.put("/v1/streams/otel", json={"role": "evidence", "reason": "the backend counts"})
    assert (chosen.status_code, chosen.json()["role"]) == (200, "evidence")
    assert client.post("/v1/otlp/v1/traces", json=TRACES).status_code == 200
    assert sorted(lines(client)) == [("unbooked", "-0.01055"), ("usage", "0.01055"), ("usage", "0.01055")]
