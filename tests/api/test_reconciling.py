"""Invoices over HTTP: usage and a provider's lines in, and the waterfall out."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.app import build
from planner.settings import Settings
from planner.store.engine import Store
from tests.api.test_usage import KEY
from tests.billing_worlds import check

SEPTEMBER = {"from": "2026-09-01", "to": "2026-10-01"}
DAY = {"start": "2026-09-03T00:00:00Z", "end": "2026-09-04T00:00:00Z"}
USAGE = {
    "id": "1", "source": "bill", "kind": "usage", "provider": "openai", "model": "gpt-4.1", "unit": "input_token",
    "quantity": 1_030, "list_amount": "0.002266", "amount": "0.0019261", "currency": "USD", **DAY,
}  # fmt: skip
TAX = {
    "id": "tax", "source": "bill", "kind": "tax", "provider": "openai", "amount": "0.25", "currency": "EUR",
    "usd_per_unit": "1.25", **DAY,
}  # fmt: skip


@pytest.fixture
def client(installed_copy: Store) -> Iterator[TestClient]:
    """A client with the admin key, and a thousand tokens of September that cost 0.002 dollars."""
    made = Settings(admin_key=SecretStr(KEY), key_pepper=SecretStr("pepper"))
    event = {
        "id": "e1", "source": "meter", "at": "2026-09-03T10:00:00Z", "offer": "direct:openai/gpt-4.1",
        "usage": {"input_tokens": 1_000}, "plan": "pro",
    }  # fmt: skip
    with TestClient(build(made, installed_copy), headers={"Authorization": f"Bearer {KEY}"}) as it:
        assert it.post("/v1/usage", json={"events": [event]}).status_code == 200
        yield it


def asked(client: TestClient, **query: Any) -> dict[str, Any]:
    """Reconcile September."""
    answer = client.get("/v1/reports/reconciliation", params={**SEPTEMBER, **query})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_an_invoice_is_explained_cause_by_cause(client: TestClient) -> None:
    """Three percent of the rows lost, a tenth dearer, fifteen percent off, and a tax in euros."""
    fx = {"currency": "EUR", "day": "2026-09-01", "usd": "1.2", "source": "ecb", "source_url": "https://ecb.test"}
    assert client.post("/v1/fx", json={**fx, "reason": "test"}).status_code in (200, 201)
    assert client.post("/v1/invoices", json={"lines": [USAGE, TAX]}).json()["items"] == [
        {"source": "bill", "id": "1", "status": "stored", "detail": None},
        {"source": "bill", "id": "tax", "status": "stored", "detail": None},
    ]
    document = asked(client)
    check(document)
    total = document["total"]
    causes = {name: usd for name, usd in total["waterfall"].items() if usd != "0"}
    assert causes == {
        "volume_usd": "0.00006", "price_usd": "0.000206", "discount_usd": "-0.0003399", "tax_usd": "0.3125",
        "fx_usd": "-0.0125",
    }  # fmt: skip
    assert (total["ledger_usd"], total["invoice_usd"], total["waterfall"]["residual_usd"]) == (
        "0.002",
        "0.3019261",
        "0",
    )
    assert total["rows"] == {"within": 1, "outside": 0, "stated": 1}
    assert asked(client, tolerance_usd="0", source="bill")["total"]["rows"]["outside"] == 1


def test_a_line_is_answered_for_by_itself(client: TestClient) -> None:
    """Known, new, in conflict, and refused by its field; where none is taken the answer is a refusal."""
    lines = [USAGE, {**USAGE, "amount": "1"}, {**TAX, "amount": 5}, {**TAX, "kind": "credit"}, {**TAX, "unit": "mile"}]
    answer = client.post("/v1/invoices", json={"lines": lines})
    assert answer.status_code == 207
    found = [(one["status"], one["detail"]) for one in answer.json()["items"]]
    assert [status for status, _detail in found] == ["stored", "conflict", "invalid", "invalid", "invalid"]
    assert [(detail or "").partition(":")[0] for _status, detail in found[2:]] == ["amount", "amount", "unit"]
    assert client.post("/v1/invoices", json={"lines": [{**USAGE, "amount": "1"}]}).status_code == 409
    bodies: list[dict[str, Any]] = [
        {},
        {"lines": []},
        {"lines": [TAX], "more": 1},
        {"lines": [{**TAX, "provider": None}]},
    ]
    for body in bodies:
        assert client.post("/v1/invoices", json=body).status_code == 422


def test_it_is_a_table_too(client: TestClient) -> None:
    """A row for each key, and the total; what cannot be told apart is one cell."""
    unlisted = {name: value for name, value in USAGE.items() if name != "list_amount"}
    client.post("/v1/invoices", json={"lines": [unlisted]})
    answer = client.get("/v1/reports/reconciliation", params={**SEPTEMBER, "format": "csv"})
    head, row, total = (line.split(",") for line in answer.text.splitlines())
    said, summed = dict(zip(head, row, strict=True)), dict(zip(head, total, strict=True))
    assert (said["period"], said["unit"], said["indistinct"]) == ("2026-09-03", "input_token", "price discount")
    assert (summed["period"], summed["difference_usd"]) == ("total", said["difference_usd"])
    assert said["waterfall_volume_usd"] == "0.00006"
    assert "reconciliation_2026-09-01_2026-10-01.csv" in answer.headers["content-disposition"]


@pytest.mark.parametrize(
    "query",
    [
        {"by": "plan"}, {"by": "day,week"}, {"tz": "Mars/Base"}, {"tolerance": "half"}, {"tolerance_usd": "-1"},
        {"from": "2026-10-02"}, {"format": "xlsx"},
    ],
)  # fmt: skip
def test_what_is_no_question_is_refused(client: TestClient, query: dict[str, str]) -> None:
    """By its field, and never with a 500."""
    assert client.get("/v1/reports/reconciliation", params={**SEPTEMBER, **query}).status_code == 422


def test_two_statements_are_a_conflict_until_one_is_chosen(client: TestClient) -> None:
    """The answer names both."""
    client.post("/v1/invoices", json={"lines": [USAGE, {**USAGE, "source": "other"}]})
    answer = client.get("/v1/reports/reconciliation", params=SEPTEMBER)
    assert (answer.status_code, "bill and other" in answer.text) == (409, True)
    assert asked(client, source="other")["sources"] == ["other"]
