"""Budgets over HTTP: set, listed with what is spent, ended; on the state that was seen, and once."""

from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from planner.core.periods import following, period_of
from tests.api.test_finance import client

__all__ = ["client"]

WHY = {"reason": "agreed"}
BODY: dict[str, Any] = {"amount_usd": "500", **WHY}
RUNNING = period_of(datetime.now(UTC))  # noqa: TID251  # the server's clock is the real one


def test_a_budget_is_set_listed_changed_and_ended(client: TestClient) -> None:
    """It holds from the running month on, with the thresholds that are usual."""
    made = client.put("/v1/budgets/pro", json=BODY)
    terms = {"from_month": RUNNING, "amount_usd": "500", "thresholds_percent": [50, 80, 100]}
    assert (made.status_code, made.json()) == (200, {"plan": "pro", "changed": True, **terms})
    document = client.get("/v1/budgets").json()
    assert (document["month"], document["next_cursor"]) == (RUNNING, None)
    (one,) = document["items"]
    assert {name: one[name] for name in terms} == terms
    assert (one["plan"], one["spent_usd"], one["share"], one["left_usd"]) == ("pro", "0", "0.0000", "500")
    assert (one["coverage"], one["bounds"], one["told_percent"], one["later"]) == ("1.0000", None, [], [])
    alone = client.get("/v1/budgets/pro").json()
    assert {name: alone[name] for name in one} == one
    later = {**BODY, "amount_usd": "600.50", "from_month": following(RUNNING), "thresholds_percent": [90]}
    assert client.put("/v1/budgets/pro", json=later).status_code == 200
    (to_come,) = client.get("/v1/budgets/pro").json()["later"]
    assert to_come == {"from_month": following(RUNNING), "amount_usd": "600.5", "thresholds_percent": [90]}
    ended = client.request("DELETE", "/v1/budgets/pro", json=WHY)
    assert (ended.status_code, ended.json()) == (200, {"plan": "pro", "ended_from_month": RUNNING})
    assert client.get("/v1/budgets").json()["items"] == []
    assert client.get("/v1/budgets/pro").status_code == 404
    assert client.request("DELETE", "/v1/budgets/pro", json=WHY).status_code == 404


def test_all_plans_together_have_a_name_no_plan_can_have(client: TestClient) -> None:
    """``_all`` in the path is ``plan`` null in the answer."""
    assert client.put("/v1/budgets/_all", json=BODY).json()["plan"] is None
    assert client.get("/v1/budgets/_all").json()["plan"] is None
    refused = client.put("/v1/plans/_all", json={"name": "All", "price_usd": "5.00", **WHY})
    assert refused.status_code == 422


def test_a_write_is_for_the_state_that_was_seen(client: TestClient) -> None:
    """Another write in between is a 412; what says nothing new changes no state."""
    seen = client.get("/v1/budgets").headers["etag"]
    first = client.put("/v1/budgets/pro", json=BODY, headers={"If-Match": seen})
    assert (first.status_code, first.headers["etag"] == seen) == (200, False)
    late = client.put("/v1/budgets/pro", json={**BODY, "amount_usd": "6"}, headers={"If-Match": seen})
    assert (late.status_code, late.json()["code"]) == (412, "changed")
    again = client.put("/v1/budgets/pro", json=BODY, headers={"If-Match": first.headers["etag"]})
    assert (again.json()["changed"], again.headers["etag"]) == (False, first.headers["etag"])
    gone = client.request("DELETE", "/v1/budgets/pro", json=WHY, headers={"If-Match": seen})
    assert gone.status_code == 412


def test_a_repeated_request_is_answered_once(client: TestClient) -> None:
    """The same key answers the same, also after the budget was changed; for another body it is a conflict."""
    key = {"Idempotency-Key": "k1"}
    first = client.put("/v1/budgets/pro", json=BODY, headers=key)
    assert client.put("/v1/budgets/pro", json={**BODY, "amount_usd": "7"}).json()["changed"] is True
    assert client.put("/v1/budgets/pro", json=BODY, headers=key).json() == first.json()
    assert client.get("/v1/budgets/pro").json()["amount_usd"] == "7"
    assert client.put("/v1/budgets/pro", json={**BODY, "amount_usd": "8"}, headers=key).status_code == 409


@pytest.mark.parametrize(
    ("plan", "more", "status", "field"),
    [
        ("nobody", {}, 404, None),
        ("pro", {"amount_usd": "0"}, 422, "amount_usd"),
        ("pro", {"amount_usd": "-5"}, 422, "amount_usd"),
        ("pro", {"amount_usd": 500}, 422, "amount_usd"),
        ("pro", {"amount_usd": "5e2"}, 422, "amount_usd"),
        ("pro", {"amount_usd": None}, 422, "amount_usd"),
        ("pro", {"thresholds_percent": []}, 422, "thresholds_percent"),
        ("pro", {"thresholds_percent": [0]}, 422, "thresholds_percent"),
        ("pro", {"thresholds_percent": [1001]}, 422, "thresholds_percent"),
        ("pro", {"thresholds_percent": [50.5]}, 422, "thresholds_percent"),
        ("pro", {"thresholds_percent": [50, 50]}, 422, "thresholds_percent"),
        ("pro", {"thresholds_percent": [80, 50]}, 422, "thresholds_percent"),
        ("pro", {"thresholds_percent": list(range(1, 12))}, 422, "thresholds_percent"),
        ("pro", {"from_month": "2026-1"}, 422, "from_month"),
        ("pro", {"from_month": "2020-01"}, 422, "from_month"),
        ("pro", {"currency": "EUR"}, 422, None),
        ("pro", {"reason": ""}, 422, "reason"),
    ],
)
def test_what_cannot_be_is_refused(
    client: TestClient, plan: str, more: dict[str, Any], status: int, field: str | None
) -> None:
    """No such plan, amount, threshold or month, or one that is over; and nothing is on record."""
    answer = client.put(f"/v1/budgets/{plan}", json={**BODY, **more})
    assert answer.status_code == status, answer.text
    assert (field or "") in answer.json()["detail"]
    assert client.get("/v1/budgets").json()["items"] == []


def test_each_write_leaves_its_reason(client: TestClient) -> None:
    """Who, why, and the terms before and after."""
    client.put("/v1/budgets/pro", json=BODY)
    client.put("/v1/budgets/pro", json={**BODY, "amount_usd": "600", "reason": "grown"})
    client.request("DELETE", "/v1/budgets/pro", json={"reason": "no need"})
    found = client.get("/v1/audit", params={"subject": "budget pro"}).json()["items"]
    assert [(entry["action"], entry["reason"]) for entry in found] == [
        ("budget.end", "no need"), ("budget.set", "grown"), ("budget.set", "agreed"),
    ]  # fmt: skip
    amounts = [(entry["before"] and entry["before"]["amount_usd"], entry["after"]["amount_usd"]) for entry in found[1:]]
    assert amounts == [("500", "600"), (None, "500")]
    assert [one["amount_usd"] for one in found[0]["before"]] == ["600"]
