"""Commitments over HTTP: entered, listed as they were known, in the report, and taken off the record."""

from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api.test_finance import client
from tests.conftest import NOW

__all__ = ["client"]

BODY: dict[str, Any] = {
    "name": "Frame 2026", "kind": "throughput", "provider": "openai", "amount": "30", "reason": "signed",
    "valid_from": "2026-11-01T00:00:00Z", "valid_to": "2026-12-01T00:00:00Z", "reference": "order 18",
}  # fmt: skip
NOVEMBER = {"from": "2026-11-01", "to": "2026-12-01", "by": "month"}


def test_a_commitment_is_entered_counted_and_taken_back(client: TestClient) -> None:
    """Thirty dollars of November, until it was a slip; what was known before stays readable."""
    made = client.post("/v1/contracts/commitments", json=BODY)
    assert (made.status_code, made.json()) == (200, {"id": 1, "amount_usd": "30"})
    (one,) = client.get("/v1/contracts/commitments").json()["items"]
    assert (one["kind"], one["amount"], one["currency"], one["model"]) == ("throughput", "30", "USD", None)
    report = client.get("/v1/reports/margin", params=NOVEMBER).json()
    assert (report["total"]["commitments_usd"], report["evidence"]["commitments"][0]["amortised_usd"]) == ("30", "30")
    lines = client.get("/v1/reports/margin", params={**NOVEMBER, "format": "csv"}).text.splitlines()
    column = lines[0].split(",").index("commitments_usd")
    assert [line.split(",")[column] for line in lines[1:]] == ["30", "30"]
    assert client.get("/v1/reports/margin", params={**NOVEMBER, "format": "xlsx"}).status_code == 200
    assert client.post("/v1/contracts/commitments/1/void", json={"reason": "a slip"}).status_code == 200
    assert client.get("/v1/contracts/commitments").json()["items"] == []
    assert "commitments_usd" not in client.get("/v1/reports/margin", params=NOVEMBER).json()["total"]
    earlier = (NOW - timedelta(days=365)).isoformat()
    assert client.get("/v1/contracts/commitments", params={"known_at": earlier}).json()["items"] == []


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"amount": 30}, 422),
        ({"amount": "-1"}, 422),
        ({"amount": "0"}, 422),
        ({"kind": "gift"}, 422),
        ({"amount_usd": "1"}, 422),
        ({"valid_to": "2026-11-01T00:00:00Z"}, 422),
        ({"valid_to": "2026-11-30T00:00:01Z"}, 422),
        ({"provider": "nobody"}, 404),
        ({"currency": "EUR"}, 404),
        ({"service_tier": "batch"}, 409),
    ],
)
def test_what_cannot_be_is_refused(client: TestClient, more: dict[str, Any], status: int) -> None:
    """No amount, no time, nobody, no rate, or usage that is paid for already."""
    assert client.post("/v1/contracts/commitments", json=BODY).status_code == 200
    assert client.post("/v1/contracts/commitments", json={**BODY, **more}).status_code == status
