"""What customers use, over HTTP: how unevenly, what it says about quotas, and what one of them has left."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api.test_contract import problem
from tests.api.test_finance import client
from tests.api.test_usage import event, sent

__all__ = ["client"]

OCTOBER = {"from": "2026-10-01", "to": "2026-11-01"}
OFFER = "direct:openai/gpt-5.4"


@pytest.fixture(autouse=True)
def used(client: TestClient) -> None:
    """Three customers of the plan `pro` and what they used in October, at $5 a million, as long prompts cost."""
    for number, millions in enumerate((1, 2, 30)):
        path = f"/v1/customers/c{number}"
        client.put(path, json={"name": path, "reason": "new"}).raise_for_status()
        plan = {"plan": "pro", "valid_from": "2026-09-01T00:00:00Z", "reason": "bought"}
        client.post(f"{path}/plans", json=plan).raise_for_status()
        usage, at = {"input_tokens": millions * 10**6}, "2026-10-05T10:00:00Z"
        sent(client, event(id=f"e{number}", at=at, offer=OFFER, customer=f"c{number}", plan="pro", usage=usage))


def measured(client: TestClient, **more: Any) -> dict[str, Any]:
    """Simulate quotas from what the ledger has."""
    distribution = {"kind": "measured", **OCTOBER}
    answer = client.post("/v1/plans/pro/simulations", json={"task": "chat", "distribution": distribution, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_how_unevenly_a_plan_is_used(client: TestClient) -> None:
    """Thirty of thirty-three million by one of three; all of them pass the budget of $4.12."""
    found = client.get("/v1/plans/pro/usage-distribution", params=OCTOBER).json()
    assert (found["observations"], found["tokens"]["p50"], found["tokens"]["max"]) == (3, 2_000_000, 30_000_000)
    assert (found["tokens"]["gini"], found["tokens"]["top_1_percent_share"]) == ("0.5859", "0.9091")
    assert (found["cost_usd"]["p50"], found["budget_usd"], found["share_above_budget"]) == ("10", "4.12", "1.0000")
    assert (found["usd_per_mtok"], found["coverage"], found["bounds"]) == ("5", "1.0000", None)
    problem(client.get("/v1/plans/none/usage-distribution", params=OCTOBER), 404, "not_found")


def test_a_quota_rests_on_what_was_measured(client: TestClient) -> None:
    """Its customers, their number, and what their tokens cost; few of them, so the low end of the bootstrap."""
    found = measured(client)
    assert found["usd_per_mtok"] == "5"
    assert found["subscribers"] == 3
    assert found["measured"] == {
        "customers": 3, "observations": 3, "periods": 1, "coverage": "1.0000", "bounds": None, "sigma_g": None,
    }  # fmt: skip
    worst = next(row for row in found["items"] if row["rule"] == "worst_case")
    assert worst["quota_tokens"] == 824_000
    assert found["sampled"] is not None
    # $5 over 1 - 0.70 - 0.029, rounded up.
    assert found["overage_usd_per_mtok"] == "18.4502"
    assert found["recommended_quota_tokens"] >= worst["quota_tokens"]
    assert (found["sigma_g"], measured(client, sigma_g="0.30")["sigma_g"]) == ("0.2", "0.3")
    assert measured(client, subscribers=9)["subscribers"] == 9


def test_what_was_measured_is_asked_for_whole(client: TestClient) -> None:
    """From one day to another, and nothing that another kind takes."""
    asked = {"task": "chat", "distribution": {"kind": "measured", "from": "2026-10-01"}}
    (wrong,) = problem(client.post("/v1/plans/pro/simulations", json=asked), 422, "invalid")["errors"]
    assert wrong["field"] == "distribution.to"
    nothing = {"kind": "measured", "from": "2026-09-01", "to": "2026-10-01"}
    answer = client.post("/v1/plans/pro/simulations", json={"task": "chat", "distribution": nothing})
    (wrong,) = problem(answer, 422, "invalid")["errors"]
    assert wrong["field"] == "distribution.tokens_per_user"


def test_headroom_is_told_from_the_ledger_where_nothing_was_reported(client: TestClient) -> None:
    """Of the running month; what is reported counts then, and the ledger stands beside it."""
    (item,) = client.get("/v1/customers/c2/headroom").json()["items"]
    assert (item["plan"], item["basis"], item["spent_usd"], item["left_usd"]) == ("pro", "ledger", "0", "4.12")
    assert item["ledger"]["tokens"] == 0
    said = {"plan": "pro", "period_start": "2026-01-01T00:00:00Z", "period_end": "2036-01-01T00:00:00Z"}
    assert client.post("/v1/customers/c2/spend", json={**said, "spent_usd": "2.06"}).status_code == 200
    (item,) = client.get("/v1/customers/c2/headroom").json()["items"]
    assert (item["basis"], item["spent_usd"], item["share_used"]) == ("reported", "2.06", "0.5000")
    assert item["ledger"]["cost_usd"] == "0"
