"""The description says what is asked for, by whom, and what is answered."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.app import build
from planner.settings import Settings
from planner.store import alerts
from planner.store.engine import Store
from tests.api.test_contract import ADMIN, problem


@pytest.fixture(scope="module")
def client(installed: Store) -> Iterator[TestClient]:
    """A client with the admin key, over the installed catalogue."""
    settings = Settings(admin_key=SecretStr(ADMIN), key_pepper=SecretStr("pepper"))
    with TestClient(build(settings, installed), headers={"Authorization": f"Bearer {ADMIN}"}) as made:
        yield made


@pytest.fixture(scope="module")
def described(client: TestClient) -> dict[str, Any]:
    """The description."""
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def test_every_operation_says_how_one_is_known_and_who_may(described: dict[str, Any]) -> None:
    """A key or a session, and the roles; the health and the way in need neither."""
    assert set(described["components"]["securitySchemes"]) == {"key", "session"}
    opened = set()
    for path, operations in described["paths"].items():
        for operation in operations.values():
            if "security" not in operation:
                opened.add(path)
                continue
            assert operation["security"] == [{"key": []}, {"session": []}]
            assert "admin" in operation["x-roles"]
    assert opened == {"/live", "/ready", "/v1/sessions", "/v1/sessions/oidc", "/v1/sessions/oidc/callback"}
    assert described["paths"]["/v1/fees"]["get"]["x-roles"] == ["admin", "finance"]


def test_what_writes_takes_a_state_and_a_key_to_repeat_it_by(described: dict[str, Any]) -> None:
    """`If-Match` and `Idempotency-Key` stand in the description of what reads them, and of nothing else."""
    taking = {
        (method, path)
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
        if {"If-Match", "Idempotency-Key"} <= {parameter["name"] for parameter in operation.get("parameters", ())}
    }
    assert {("post", "/v1/fees"), ("put", "/v1/policies/{name}/draft"), ("post", "/v1/people")} <= taking
    assert not {("get", "/v1/fees"), ("post", "/v1/costs"), ("post", "/v1/sources/{name}/refresh")} & taking


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/live", "GET"),
        ("/openapi.json", "GET"),
        ("/v1/fees", "GET, POST"),
        ("/v1/sessions/current", "DELETE, GET"),
        ("/v1/policies/no-training/draft", "GET, PUT"),
        ("/v1/offers/direct:openai/gpt-5/terms", "GET, POST"),
        ("/v1/holds/1/approve", "POST"),
    ],
)
def test_a_method_nobody_answers_is_refused_with_those_that_are(client: TestClient, path: str, methods: str) -> None:
    """405 names the methods of every route at the address, of those that take any id as well."""
    for method in ("TRACE", "OPTIONS", "PATCH", "HEAD"):
        answer = client.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)
    problem(client.patch(path), 405, "method_not_allowed")


@pytest.mark.parametrize(
    ("path", "formats"),
    [
        ("/v1/policies/export", ("csv", "toml")),
        ("/v1/terms/export", ("csv", "toml")),
        ("/v1/audit/export", ("csv", "jsonl")),
    ],
)
def test_files_are_described_as_what_they_are(
    client: TestClient, described: dict[str, Any], path: str, formats: tuple[str, ...]
) -> None:
    """Their own media types, and not JSON."""
    answers = [client.get(path, params={"format": name}) for name in formats]
    given = {answer.headers["content-type"].partition(";")[0] for answer in answers}
    assert set(described["paths"][path]["get"]["responses"]["200"]["content"]) == given


def test_every_refusal_is_described_as_a_problem(described: dict[str, Any]) -> None:
    """No operation keeps the framework's own form of a wrong parameter."""
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                if status >= "400":
                    assert set(response["content"]) == {"application/problem+json"}, (method, path, status)


def test_the_kinds_a_webhook_may_name_are_listed(client: TestClient, described: dict[str, Any]) -> None:
    """What is described is taken, and what is not described is refused."""
    content = described["paths"]["/v1/webhooks"]["post"]["requestBody"]["content"]["application/json"]
    choices, _null = content["schema"]["properties"]["kinds"]["anyOf"]
    assert choices["items"]["enum"] == list(alerts.KINDS)
    body = {**content["example"], "kinds": ["price_rize"]}
    problem(client.post("/v1/webhooks", json=body), 422, "invalid")
