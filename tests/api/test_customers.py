"""Customers of a plan: what their backend says they have used up, and the tier they get once it is all."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from planner.store.engine import Store
from tests.api.test_contract import problem
from tests.api.test_desk import client, key, store

__all__ = ["client", "store"]

POLLED = "/v1/plans/pro/tasks/flagship/recommendation"
PERIOD = {"plan": "pro", "period_start": "2026-01-01T00:00:00Z", "period_end": "2036-01-01T00:00:00Z"}
BUDGET = "4.12"


TASK = {
    "workload": {"input_tokens": 1_000, "output_tokens": 200, "requests_per_period": 100}, "needs": {"tiers": [1]},
    "reason": "a task of the dearest tier",
}  # fmt: skip


@pytest.fixture(autouse=True)
def flagship(client: TestClient) -> None:
    """A task that gets the dearest tier, so that there is something below it."""
    assert client.put("/v1/plans/pro/tasks/flagship", json=TASK).status_code == 200


def spend(client: TestClient, spent_usd: str, **changes: Any) -> Any:
    """Report what a customer has used up."""
    return client.post("/v1/customers/cust_42/spend", json={**PERIOD, "spent_usd": spent_usd, **changes})


def asked(client: TestClient, customer: str = "cust_42") -> dict[str, Any]:
    """Ask for a customer."""
    answer = client.get(POLLED, params={"customer": customer})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_past_the_budget_a_customer_gets_the_tier_below(client: TestClient) -> None:
    """Within it everybody gets the same; past it this customer alone gets a cheaper offer of a lower tier."""
    normal = client.get(POLLED).json()
    stranger = asked(client)
    assert stranger["choice"] == normal["choice"]
    assert (stranger["customer"]["spent_usd"], stranger["customer"]["over_budget"]) == ("0", False)
    spend(client, "4.11")
    assert asked(client)["choice"] == normal["choice"]
    assert asked(client)["customer"]["left_usd"] == "0.01"
    spend(client, BUDGET)
    lower = asked(client)
    assert lower["customer"]["over_budget"] is True
    assert lower["choice"]["tier"] > normal["choice"]["tier"]
    assert float(lower["choice"]["cost_usd"]) < float(normal["choice"]["cost_usd"])
    assert lower["policy"] == normal["policy"]
    assert asked(client, "cust_7")["choice"] == normal["choice"] == client.get(POLLED).json()["choice"]


def test_where_no_lower_tier_answers_the_customer_keeps_what_everybody_gets(client: TestClient) -> None:
    """The free plan is on the lowest tier already."""
    path = "/v1/plans/free/tasks/chat/recommendation"
    normal = client.get(path).json()
    document = {**client.get("/v1/plans/free").json()["document"], "customer_budget_usd": "0.01", "reason": "a cap"}
    assert client.put("/v1/plans/free", json=document).status_code == 200
    spend(client, "0.02", plan="free")
    answer = client.get(path, params={"customer": "cust_42"}).json()
    assert answer["customer"]["over_budget"] is True
    assert answer["choice"]["offer"] == normal["choice"]["offer"]


def test_a_total_counts_once_and_the_newest_holds(client: TestClient) -> None:
    """Reported twice, it is the same; a report that comes in late does not undo a newer one; a refund does."""
    for _ in range(2):
        assert spend(client, "3", at="2026-11-02T00:00:00Z").json()["spent_usd"] == "3"
    assert spend(client, "2", at="2026-11-01T00:00:00Z").json()["spent_usd"] == "3"
    assert spend(client, "1", at="2026-11-03T00:00:00Z").json()["left_usd"] == "3.12"
    (plan,) = client.get("/v1/customers/cust_42/headroom").json()["items"]
    assert (plan["plan"], plan["budget_usd"], plan["spent_usd"]) == ("pro", BUDGET, "1")


def test_only_the_present_period_counts(client: TestClient) -> None:
    """What was used up in an earlier period is no burden on this one; periods that overlap are refused."""
    spend(client, "9", period_start="2025-01-01T00:00:00Z", period_end="2026-01-01T00:00:00Z")
    assert asked(client)["customer"]["spent_usd"] == "0"
    assert client.get("/v1/customers/cust_42/headroom").json()["items"] == []
    spend(client, "1")
    problem(spend(client, "1", period_start="2026-05-01T00:00:00Z"), 409, "conflict")
    problem(spend(client, "1", period_end="2025-05-01T00:00:00Z"), 422, "invalid")
    problem(spend(client, "1", at="2099-05-01T00:00:00Z"), 422, "invalid")
    problem(spend(client, "1", plan="none"), 404, "not_found")


def test_a_customer_has_an_etag_of_his_own(client: TestClient) -> None:
    """304 as long as nothing moved for him, 200 once he used something up."""
    first = client.get(POLLED, params={"customer": "cust_42"})
    held = {"If-None-Match": first.headers["etag"]}
    assert first.headers["etag"] != client.get(POLLED).headers["etag"]
    assert client.get(POLLED, params={"customer": "cust_42"}, headers=held).status_code == 304
    spend(client, "1")
    assert client.get(POLLED, params={"customer": "cust_42"}, headers=held).status_code == 200


def test_a_customer_is_asked_for_about_the_present_alone(client: TestClient, store: Store) -> None:
    """What was used up is known of the present; an empty or endless id is none; backends may report and ask."""
    problem(client.get(POLLED, params={"customer": "c", "at": "2026-11-01T00:00:00Z"}), 422, "invalid")
    problem(client.get(POLLED, params={"customer": ""}), 422, "invalid")
    problem(client.get(POLLED, params={"customer": "c" * 201}), 422, "invalid")
    backend = key(store, "backend")
    sent = {**PERIOD, "spent_usd": "1"}
    assert client.post("/v1/customers/c/spend", json=sent, headers=backend).status_code == 200
    assert client.get(POLLED, params={"customer": "c"}, headers=backend).json()["customer"]["spent_usd"] == "1"
