"""What a policy would change and what its rules cost, over HTTP, on the bundled catalogue."""

from collections.abc import Iterator
from fractions import Fraction

import pytest
from starlette.testclient import TestClient

from planner.store.engine import Store
from tests.api.test_policies import POLLED, RULES, WHY, open_client, published, put


@pytest.fixture
def client(installed_copy: Store) -> Iterator[TestClient]:
    """A client with the admin key, over a catalogue it may write."""
    with open_client(installed_copy) as made:
        yield made


def test_a_preview_is_what_happens_once_it_is_published(client: TestClient) -> None:
    """Who leaves is refused afterwards, and the plan is told what the preview said; nothing is saved by looking."""
    chosen = client.get(POLLED).json()["choice"]
    rules = {**RULES, "deny_providers": [chosen["provider"]]}
    seen = client.post("/v1/policies/no-training/preview", json={"rules": rules}).json()
    (move,) = (one for one in seen["plans"] if (one["plan"], one["task"]) == ("pro", "chat"))
    assert move["before"]["offer"] == chosen["offer"]
    assert seen["says"].startswith(f"{seen['leave']} offers leave")
    assert f"moves from {chosen['offer']} to {move['after']['offer']} at +$" in seen["says"]
    assert not seen["widens"]
    assert client.get("/v1/policies/no-training").json()["version"] == 1
    put(client, "no-training", rules)
    assert client.post("/v1/policies/no-training/preview", json={}).json()["leave"] == seen["leave"]
    published(client, "no-training", rules)
    after = client.get(POLLED).json()["choice"]
    assert (after["offer"], after["cost_usd"]) == (move["after"]["offer"], move["after"]["cost_usd"])
    assert Fraction(after["cost_usd"]) - Fraction(chosen["cost_usd"]) == Fraction(move["delta_usd"])
    back = client.post("/v1/policies/no-training/preview", json={"rules": RULES}).json()
    assert (back["widens"], back["join"]) == (True, seen["leave"])


def test_a_plan_without_an_offer_is_said_before_it_happens(client: TestClient) -> None:
    """An empty allow-list leaves nobody, and the preview says which plans that hits."""
    seen = client.post("/v1/policies/no-training/preview", json={"rules": {**RULES, "allow_list": []}}).json()
    assert seen["stay"] == 0
    assert "plan free, task chat has no compliant offer left" in seen["says"]
    assert client.post("/v1/policies/no-training/preview", json={"rules": {"deny_providers": ["x"]}}).status_code == 422
    assert client.post("/v1/policies/none/preview", json={}).status_code == 404


def test_what_a_rule_costs_is_the_difference_of_two_answers(client: TestClient) -> None:
    """Asked by hand, without the rule, each model's cheapest compliant offer costs what the price of privacy says."""
    priced = client.get("/v1/policies/zero-retention/price").json()
    rules = {row["rule"]: row for row in priced["items"]}
    assert {"deny_training", "require_zdr", "allow_unknown", "all rules"} <= set(rules)
    row = rules["require_zdr"]["dearer"][0]
    published(client, "without-zdr", {"deny_training": True, "minimum_confidence": "broker_claim"})
    usage = {"input_tokens": 3_000, "output_tokens": 1_000}
    found = {}
    for policy in ("zero-retention", "without-zdr"):
        body = {"usage": usage, "policy": policy, "needs": {"models": [row["model"]]}}
        found[policy] = client.post("/v1/costs/rank", json=body).json()["items"][0]["total_usd"]
    assert (row["with_usd"], row["without_usd"]) == (found["zero-retention"], found["without-zdr"])
    gone = rules["require_zdr"]["models_unavailable"][0]
    body = {"usage": usage, "policy": "zero-retention", "needs": {"models": [gone]}}
    assert client.post("/v1/costs/rank", json=body).json()["items"] == []
    assert "/request, +" in rules["require_zdr"]["says"]
    plans = {(move["plan"], move["task"]) for move in rules["require_zdr"]["plans"]}
    assert ("business", "chat") in plans
    assert client.get("/v1/policies/none/price").status_code == 404


def test_looking_needs_no_reason_and_writing_does(client: TestClient) -> None:
    """A write without a reason is refused."""
    assert client.post("/v1/policies/no-training/publish", json={}).status_code == 422
    assert client.post("/v1/policies/no-training/publish", json=WHY).status_code == 404
