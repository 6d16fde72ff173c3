"""Plans over HTTP: written in versions, decided under policies that others set, and asked at once."""

from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.app import build
from planner.settings import Settings
from planner.store.engine import Store
from tests.api.test_contract import ADMIN, problem
from tests.api.test_desk import PEPPER, client, key, store

__all__ = ["client", "store"]

WHY = {"reason": "for the test"}
TASK = {
    "workload": {"input_tokens": 1_800, "output_tokens": 350, "requests_per_period": 400},
    "needs": {"context_tokens": 16_000, "tiers": [2, 3]},
}
PLAN = {"name": "Small", "price_usd": "9.00", "margin": "0.70", "tasks": [{"id": "chat", **TASK}]}
POLLED = "/v1/plans/small/tasks/chat/recommendation"
WORKLOAD = "plan.small.chat.workload"


def sending(**workload: Any) -> dict[str, Any]:
    """Return the change of a plan whose one task sends this."""
    return {"tasks": [{"id": "chat", "workload": workload}]}


def put(client: TestClient, plan: str = "small", **changes: Any) -> dict[str, Any]:
    """Write a plan and return what was answered."""
    answer = client.put(f"/v1/plans/{plan}", json={**PLAN, **changes, **WHY})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_plan_is_asked_as_soon_as_it_is_written(client: TestClient) -> None:
    """A new plan has the default policy, a budget, and an answer that keeps its margin."""
    assert client.get(POLLED).status_code == 404
    assert put(client)["version"] == 1
    answer = client.get(POLLED).json()
    assert answer["policy"] == "no-training"
    assert (answer["budget_usd"], float(answer["choice"]["margin"]) >= 0.7) == ("2.7", True)
    shape = client.get("/v1/plans/small").json()
    assert (shape["price_usd"], shape["policies"], shape["customer_budget_usd"]) == ("9", ["no-training"], "2.7")


def test_what_is_read_can_be_written_back(client: TestClient) -> None:
    """The document of a plan, of the bundled ones too, is a body that writes the same plan again."""
    mix = [
        {"share": "0.9", "input_tokens": 1_000, "output_tokens": 100},
        {"share": "0.1", "input_tokens": 300_000, "output_tokens": 900},
    ]
    workload = {"mix": mix, "failed_share": "0.02", "failed_billed_share": "0.4"}
    put(client, tasks=[{"id": "chat", "workload": workload, "needs": {"kind": "chat", "capabilities": ["tools"]}}])
    for plan in ("small", "pro", "free"):
        # Amounts are kept in their canonical form, so that the bundled plans' are read once before.
        client.put(f"/v1/plans/{plan}", json={**client.get(f"/v1/plans/{plan}").json()["document"], **WHY})
        before = client.get(f"/v1/plans/{plan}").json()
        answer = client.put(f"/v1/plans/{plan}", json={**before["document"], **WHY})
        assert answer.status_code == 200, answer.text
        after = client.get(f"/v1/plans/{plan}").json()
        assert after["version"] == before["version"] + 1
        assert {**after, "version": 0} == {**before, "version": 0}


def test_every_version_stays(client: TestClient) -> None:
    """A plan that was written over can be read as it was, and asked as it was."""
    put(client)
    known_at = client.get("/v1/plans/small/versions").json()["items"][0]["recorded_from"]
    put(client, margin="0.80")
    versions = client.get("/v1/plans/small/versions").json()["items"]
    assert [(row["version"], row["document"]["margin"]) for row in versions] == [(2, "0.8"), (1, "0.7")]
    assert versions[1]["recorded_to"] == versions[0]["recorded_from"]
    assert versions[0]["recorded_by"].startswith("key:")
    then = client.get(POLLED, params={"known_at": known_at}).json()
    assert (then["budget_usd"], client.get(POLLED).json()["budget_usd"]) == ("2.7", "1.8")


def test_a_plan_changes_for_the_state_that_was_looked_at(client: TestClient) -> None:
    """Two people write: the second one's state is not the state any more."""
    put(client)
    etag = client.get("/v1/plans/small").headers["etag"]
    first = client.put("/v1/plans/small", json={**PLAN, "price_usd": "10.00", **WHY}, headers={"If-Match": etag})
    assert first.status_code == 200
    second = client.put("/v1/plans/small", json={**PLAN, "price_usd": "8.00", **WHY}, headers={"If-Match": etag})
    problem(second, 412, "changed")
    third = client.put(
        "/v1/plans/small", json={**PLAN, "price_usd": "8.00", **WHY}, headers={"If-Match": first.headers["etag"]}
    )
    assert third.status_code == 200


def test_an_assigned_policy_survives_what_finance_writes(client: TestClient, store: Store) -> None:
    """Finance writes plans and cannot touch who sees prompts: neither in the body nor by writing the task anew."""
    put(client)
    assert client.post("/v1/plans/small/policies", json={"policies": ["zero-retention"], **WHY}).status_code == 200
    assigned = client.post("/v1/plans/small/tasks/chat/policies", json={"policies": ["no-training"], **WHY})
    assert assigned.status_code == 200
    money = key(store, "finance")
    assert client.put("/v1/plans/small", json={**PLAN, "policy": "any-terms", **WHY}, headers=money).status_code == 422
    assert client.put("/v1/plans/small", json={**PLAN, "name": "S", **WHY}, headers=money).status_code == 200
    assert client.post("/v1/plans/small/tasks/chat/remove", json=WHY, headers=money).status_code == 200
    assert client.put("/v1/plans/small/tasks/chat", json={**TASK, **WHY}, headers=money).status_code == 200
    shape = client.get("/v1/plans/small").json()
    assert (shape["policies"], shape["tasks"][0]["policies"]) == (["zero-retention"], ["no-training"])
    assert client.post("/v1/plans/small/policies", json={"policies": [], **WHY}, headers=money).status_code == 403


def test_a_removed_plan_is_gone_and_remembered(client: TestClient) -> None:
    """Backends get 404; the versions stay; written again, it goes on counting and keeps its policies."""
    put(client)
    client.post("/v1/plans/small/policies", json={"policies": ["zero-retention"], **WHY})
    assert client.post("/v1/plans/small/remove", json=WHY).json()["removed"] is True
    problem(client.get(POLLED), 404, "not_found")
    problem(client.get("/v1/plans/small"), 404, "not_found")
    problem(client.post("/v1/plans/small/remove", json=WHY), 404, "not_found")
    assert len(client.get("/v1/plans/small/versions").json()["items"]) == 1
    assert put(client)["version"] == 2
    assert client.get("/v1/plans/small").json()["policies"] == ["zero-retention"]


def test_a_price_in_another_currency_is_what_it_is_in_dollars(client: TestClient) -> None:
    """Without a rate the plan is refused; with one its budget follows the newest rate."""
    sent = {**{name: value for name, value in PLAN.items() if name != "price_usd"}, "price": "9.00", "currency": "EUR"}
    problem(client.put("/v1/plans/small", json={**sent, **WHY}), 422, "invalid")
    rate = {"currency": "EUR", "source": "s", "source_url": "https://u.test", **WHY}
    client.post("/v1/fx", json={**rate, "day": "2026-11-01", "usd": "1.1"})
    assert client.put("/v1/plans/small", json={**sent, **WHY}).status_code == 200
    assert client.get(POLLED).json()["budget_usd"] == "2.97"
    client.post("/v1/fx", json={**rate, "day": "2026-11-02", "usd": "1.2"})
    assert client.get(POLLED).json()["budget_usd"] == "3.24"
    assert client.get("/v1/plans/small").json()["price_usd"] == "10.8"


def test_a_plan_without_a_price_gets_no_tier_1(client: TestClient) -> None:
    """Free users are never sent to the dearest tier, unless the plan says so."""
    task = {"id": "chat", "workload": TASK["workload"], "needs": {"tiers": [1]}}
    put(client, price_usd="0", margin=None, tasks=[task])
    problem(client.get(POLLED), 409, "nothing_compliant")
    put(client, price_usd="0", margin=None, tasks=[task], allow_tier1=True)
    assert client.get(POLLED).json()["choice"]["tier"] == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"price": "9", "price_usd": "9"}, "plan.small.price"),
        ({"price_usd": "9", "currency": "EUR"}, "plan.small.price_usd"),
        ({"margin": "1"}, "margin"),
        ({"price_usd": "0"}, "margin"),
        ({"price_usd": 9}, "price_usd"),
        ({"period": "fortnight"}, "period"),
        ({"tasks": [{"id": "chat", **TASK}] * 2}, "plan.small.task"),
        ({"tasks": [{"id": "Chat", **TASK}]}, "tasks"),
        ({"tasks": [{"id": "chat", **TASK, "needs": {"models": ["nobody/knows"]}}]}, "chat.needs.models"),
        (sending(mix=[{"share": "0.5", "input_tokens": 1}]), f"{WORKLOAD}.mix"),
        (sending(input_tokens=1, mix=[{"share": "1", "input_tokens": 1}]), WORKLOAD),
        (sending(input_tokens=9, cache_read_tokens=3, cache_hit_share="1"), f"{WORKLOAD}.cache_hit_share"),
        (sending(input_tokens=9, cache_hit_share="0.6", cache_write_share="0.5"), f"{WORKLOAD}.cache_write_share"),
        (sending(input_tokens=9, failed_share="1"), f"{WORKLOAD}.failed_share"),
        (sending(input_tokens=9, reasoning_multiplier="0.5"), f"{WORKLOAD}.reasoning_multiplier"),
    ],
)
def test_what_is_no_plan_is_refused_by_its_field(client: TestClient, changes: dict[str, Any], field: str) -> None:
    """Nothing is written, and the refusal names the field."""
    answer = client.put("/v1/plans/small", json={**PLAN, **changes, **WHY})
    problem(answer, 422, "invalid")
    assert answer.json()["errors"][0]["field"] == field
    assert client.get("/v1/plans/small").status_code == 404


def test_plans_of_before_are_asked_by_every_worker(client: TestClient, store: Store) -> None:
    """What one worker wrote, another one answers by at once."""
    put(client)
    settings = Settings(admin_key=SecretStr(ADMIN), key_pepper=SecretStr(PEPPER))
    with TestClient(build(settings, store), headers={"Authorization": f"Bearer {ADMIN}"}) as other:
        assert other.get(POLLED).json()["budget_usd"] == "2.7"
        put(client, margin="0.5")
        assert other.get(POLLED).json()["budget_usd"] == "4.5"
