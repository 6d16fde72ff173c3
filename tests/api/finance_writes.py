"""What finance changes by hand, as requests that work: each has to leave its trace."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from starlette.testclient import TestClient

from planner.core.event import Role
from planner.flows.import_file import Import
from planner.flows.import_in_place import import_in_place
from planner.flows.rebook import catch_up
from planner.store.engine import Store
from tests.api.test_policies import WHY

EVENT = {
    "id": "m1", "source": "meter", "at": "2026-08-10T12:00:00Z", "offer": "self-hosted:gpus/a",
    "usage": {"input_tokens": 10}, "plan": "pro",
}  # fmt: skip
MAPPING = {"kind": "usage", "id": "id", "at": "at", "offer": "offer", "counts": {"input_tokens": "input"}}
CUSTOMER = {"name": "Acme", "external_ids": [{"source": "stripe", "id": "cus_1"}], **WHY}
COMMITMENT = {
    "name": "Frame", "kind": "prepaid", "provider": "openai", "amount": "500", "valid_from": "2026-01-01T00:00:00Z",
    "valid_to": "2027-01-01T00:00:00Z", "reference": "order 18", **WHY,
}  # fmt: skip
# What is told here is its own record: a stream of rows, each with who sent it and when.
TOLD = frozenset(
    {
        ("POST", "/v1/usage"),
        ("POST", "/v1/otlp/v1/traces"),
        ("POST", "/v1/imports"),
        ("POST", "/v1/revenue"),
        ("POST", "/v1/invoices"),
    }
)
BUDGET = {"amount_usd": "500", **WHY}
# Two bodies of one kind: a month that may be closed, and one that is.
CALLS: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("POST", "/v1/usage/{source}/{id:path}/void"): ("/v1/usage/meter/m1/void", WHY),
    ("PUT", "/v1/streams/{source}"): ("/v1/streams/meter", {"role": "evidence", **WHY}),
    ("POST", "/v1/periods/{id}/close"): ("/v1/periods/2026-07/close", WHY),
    ("POST", "/v1/periods/{id}/reopen"): ("/v1/periods/2026-08/reopen", WHY),
    ("POST", "/v1/imports/{id}/rerate"): ("/v1/imports/1/rerate", WHY),
    ("POST", "/v1/contracts/commitments"): ("/v1/contracts/commitments", COMMITMENT),
    ("POST", "/v1/contracts/commitments/{id}/void"): ("/v1/contracts/commitments/1/void", WHY),
    ("PUT", "/v1/budgets/{plan}"): ("/v1/budgets/_all", BUDGET),
    ("DELETE", "/v1/budgets/{plan}"): ("/v1/budgets/pro", WHY),
    ("POST", "/v1/price-plans"): ("/v1/price-plans", {"source": "stripe", "price": "price_pro", "plan": "pro", **WHY}),
    ("PUT", "/v1/customers/{id}"): ("/v1/customers/fresh", CUSTOMER),
    ("POST", "/v1/customers/{id}/plans"): (
        "/v1/customers/known/plans", {"plan": "pro", "valid_from": "2026-09-01T00:00:00Z", **WHY},
    ),
}  # fmt: skip


def prepare(client: TestClient, store: Store, headers: dict[str, str]) -> None:
    """Import a file, tell of a row of use, close its month, register a customer, set a budget, commit to something."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "usage.csv"
        path.write_text("id,at,offer,input\nm0,2026-08-10T12:00:00Z,self-hosted:gpus/a,10\n")
        # Of evidence nothing is booked, so that to rate it again its file is not even read.
        asked = Import(
            path=path, name=path.name, words={"source": "log"}, mapping=MAPPING, format="mapping", role=Role.EVIDENCE
        )
        done = import_in_place(store, asked, now=lambda: datetime.now(UTC), by="test")  # noqa: TID251  # as the server's
        assert done.import_id == 1
    assert client.post("/v1/usage", json={"events": [EVENT]}, headers=headers).status_code == 200
    assert client.put("/v1/customers/known", json={"name": "Known", **WHY}, headers=headers).status_code == 200
    before = {**COMMITMENT, "valid_from": "2025-01-01T00:00:00Z", "valid_to": "2026-01-01T00:00:00Z"}
    assert client.post("/v1/contracts/commitments", json=before, headers=headers).json()["id"] == 1
    assert client.put("/v1/budgets/pro", json=BUDGET, headers=headers).status_code == 200
    catch_up(store, lambda: datetime.now(UTC))  # noqa: TID251  # the server's clock is the real one
    closed = client.post("/v1/periods/2026-08/close", json=WHY, headers=headers)
    assert closed.status_code == 200, closed.text
