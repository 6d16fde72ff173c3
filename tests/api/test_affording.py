"""Finance asks of the bundled plans: the price they need, the tiers they afford, and the text that has to go."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.app import build
from planner.settings import Settings
from planner.store.engine import Store
from tests.api.test_contract import ADMIN, problem
from tests.conftest import NOW

WHEN = {"at": NOW.isoformat()}
DEAR = "direct:openai/gpt-5.4"


@pytest.fixture(scope="module")
def client(installed: Store) -> Iterator[TestClient]:
    """A client with the admin key, over the installed catalogue."""
    settings = Settings(admin_key=SecretStr(ADMIN), key_pepper=SecretStr("pepper"))
    with TestClient(build(settings, installed), headers={"Authorization": f"Bearer {ADMIN}"}) as made:
        yield made


def asked(client: TestClient, path: str, **body: Any) -> dict[str, Any]:
    """Ask a question of a plan and return its answer."""
    answer = client.post(f"/v1/plans/{path}", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_price_of_a_plan_is_that_of_its_tasks_together(client: TestClient) -> None:
    """Costs add up, the price covers them with fees and margin, and every task names what it rests on."""
    found = asked(client, "pro/price", **WHEN)
    costs = [Decimal(task["choice"]["cost_usd_per_period"]) for task in found["tasks"]]
    assert len(costs) == 3
    assert Decimal(found["cost_usd_per_period"]) == sum(costs)
    # (tokens + $1 + $0.30) / (1 - 0.70 - 0.029), rounded up to a cent.
    exact = (sum(costs) + Decimal("1.30")) / Decimal("0.271")
    assert exact <= Decimal(found["minimum_price_usd"]) < exact + Decimal("0.01")
    assert (found["budget_usd"], found["keeps_margin"], found["burn_usd"]) == ("4.12", True, None)
    assert {"revision", "stale", "valid_until", "at"} <= found.keys()
    assert all(task["policy"] == "no-training" and task["sensitivity"] for task in found["tasks"])


def test_the_price_is_the_lowest_that_still_answers(client: TestClient) -> None:
    """At the minimum price of a task its offer keeps the margin; at a cent less it does not."""
    [task] = asked(client, "pro/price", task="chat", **WHEN)["tasks"]
    workload = {"input_tokens": 2600, "cache_read_tokens": 1200, "output_tokens": 450, "requests_per_period": 900}
    question = {
        "workload": workload, "payment_fee_percent": "2.9", "payment_fee_fixed_usd": "0.30",
        "other_costs_usd": "1.00", "margin": "0.70", "policy": "no-training",
        "needs": {"capabilities": ["tools", "json_schema"], "context_tokens": 16000, "tiers": [1, 2]}, **WHEN,
    }  # fmt: skip
    price = Decimal(task["minimum_price_usd"])
    answer = client.post("/v1/recommendations", json={**question, "revenue_usd": str(price)})
    assert answer.json()["choice"]["offer"] == task["choice"]["offer"]
    below = client.post("/v1/recommendations", json={**question, "revenue_usd": str(price - Decimal("0.01"))})
    refused = problem(below, 409, "margin_unreachable")
    assert {change["change"] for change in refused["changes"]} >= {"price", "trim_both", "quota", "margin"}
    assert refused["changes"][0] == {
        "change": "price", "price_usd": str(price), "says": f"charge {price} USD a period",
    }  # fmt: skip
    assert "charge" in refused["detail"]


def test_a_free_plan_has_costs_and_no_margin(client: TestClient) -> None:
    """Nothing is paid, so there is no margin and no floor; a margin that is asked of it is refused."""
    found = asked(client, "free/price")
    assert (found["margin"], found["minimum_price_usd"], found["target_margin"]) == (None, None, None)
    assert found["contribution_usd"] == f"-{found['cost_usd_per_period']}"
    assert found["tasks"][0]["choice"]["tier"] == 3
    problem(client.post("/v1/plans/free/price", json={"margin": "0.5"}), 422, "invalid")
    problem(client.post("/v1/plans/free/trim", json={"task": "chat"}), 422, "invalid")


def test_a_free_plan_is_never_told_tier_one(client: TestClient) -> None:
    """Tier 1 is priced, marked as kept out, and never the strongest it affords."""
    [item] = client.get("/v1/plans/free/tiers").json()["items"]
    assert [(option["tier"], option["allowed"]) for option in item["tiers"]] == [(1, False), (2, False), (3, True)]
    assert item["strongest_affordable"] is None
    for task in client.get("/v1/plans/starter/tiers").json()["items"]:
        assert [option["allowed"] for option in task["tiers"]] == [False, True, True]
        assert task["strongest_affordable"] == 2


def test_tiers_cost_less_the_further_down(client: TestClient) -> None:
    """Each tier's cheapest offer with what it saves over the tier above, and how much the budget buys there."""
    found = client.get("/v1/plans/pro/tiers", params={"task": "chat", **WHEN}).json()
    [item] = found["items"]
    first, second, third = item["tiers"]
    for above, below in ((first, second), (second, third)):
        saving = Decimal(above["cheapest"]["cost_usd_per_period"]) - Decimal(below["cheapest"]["cost_usd_per_period"])
        assert Decimal(below["saving_usd_per_period"]) == saving > 0
        assert below["tokens_affordable"] > above["tokens_affordable"]
    assert item["budget_usd"] == "4.12"
    assert found["next_cursor"] is None
    assert Decimal(second["best"]["quality"]) > 40


def test_an_offer_that_is_too_dear_is_cut_to_fit(client: TestClient) -> None:
    """Of a dear offer the tokens to cut are named; asked again with what is left, it keeps the margin."""
    found = asked(client, "pro/trim", task="chat", offer=DEAR, **WHEN)
    assert found["now"]["offer"] == DEAR
    cut = found["trim"]
    [kind] = cut["kinds"]
    assert cut["feasible"]
    assert Decimal(cut["cost_usd_per_period"]) <= Decimal(found["budget_usd"])
    assert kind["input_tokens_left"] == 2600 - kind["input_tokens_cut"]
    assert kind["output_tokens_left"] == 450 - kind["output_tokens_cut"]
    # 1,400 tokens are not cached: they go first.
    cached = max(0, kind["input_tokens_cut"] - 1400)
    assert kind["cached_tokens_cut"] == cached
    usage = {
        "input_tokens": kind["input_tokens_left"], "cache_read_tokens": 1200 - cached,
        "output_tokens": kind["output_tokens_left"],
    }  # fmt: skip
    priced = client.post("/v1/costs", json={"offer": DEAR, "usage": usage, **WHEN}).json()
    assert Decimal(priced["effective_usd"]) == Decimal(cut["cost_usd"])
    assert Decimal(cut["margin"]) >= Decimal("0.70")
    assert Decimal(found["next_tier_saving_usd_per_period"]) > 0


def test_a_cut_that_is_not_enough_is_said_so(client: TestClient) -> None:
    """Completions alone cost more than the budget: prompts cannot help, and what stays is named."""
    cut = asked(client, "pro/trim", task="chat", cut="input", offer=DEAR, **WHEN)["trim"]
    assert (cut["feasible"], cut["why_not"], cut["ratio"], cut["kinds"]) == (False, "too_dear", None, [])
    # 900 requests of 450 completion tokens at $15 a million.
    assert cut["cost_usd_per_period"] == "6.075"
    nothing = asked(client, "pro/trim", task="chat", margin="0.95", **WHEN)
    assert (nothing["budget_usd"], nothing["trim"]["why_not"]) == ("-0.88", "no_budget")
    fitting = asked(client, "pro/trim", task="chat", **WHEN)["trim"]
    assert (fitting["ratio"], fitting["feasible"]) == ("0", True)


def test_a_cut_is_no_leave_to_use_an_offer(client: TestClient) -> None:
    """One the task may not use, whatever its cost, is refused with the reason, and nothing is cut."""
    for plan, offer, code in (("starter", DEAR, "tier"), ("business", DEAR, "policy:")):
        answer = client.post(f"/v1/plans/{plan}/trim", json={"task": "chat", "offer": offer})
        assert answer.status_code == 422
        assert code in answer.json()["errors"][0]["problem"]


def test_at_a_margin_nobody_keeps_the_cheapest_offer_is_priced(client: TestClient) -> None:
    """Another target than the plan's: the price it needs stands beside the offer that comes nearest."""
    found = asked(client, "pro/price", task="chat", margin="0.94", **WHEN)
    [task] = found["tasks"]
    assert (task["keeps_margin"], found["keeps_margin"], found["target_margin"]) == (False, False, "0.94")
    assert Decimal(task["minimum_price_usd"]) > 20
    assert asked(client, "pro/price", task="chat", margin="0.98", **WHEN)["minimum_price_usd"] is None


@pytest.mark.parametrize("path", ["nobody/price", "nobody/trim", "pro/price", "pro/trim"])
def test_what_is_not_there_is_not_found(client: TestClient, path: str) -> None:
    """A plan or a task nobody stored, an offer nobody lists."""
    problem(client.post(f"/v1/plans/{path}", json={"task": "nothing"}), 404, "not_found")
    body = {"task": "chat", "offer": "direct:nobody/nothing"}
    if path.endswith("trim"):
        problem(client.post(f"/v1/plans/{path}", json=body), 404, "not_found")


def test_what_cannot_be_read_is_refused(client: TestClient) -> None:
    """Unknown fields, numbers for money, cuts there are not, and a task that was left out."""
    prices: tuple[dict[str, Any], ...] = ({"tasks": "chat"}, {"margin": 0.7}, {"margin": "1"}, {"at": "yesterday"})
    for body in prices:
        problem(client.post("/v1/plans/pro/price", json=body), 422, "invalid")
    trims: tuple[dict[str, Any], ...] = ({}, {"task": "chat", "cut": "half"}, {"task": "chat", "requests": 1})
    for body in trims:
        problem(client.post("/v1/plans/pro/trim", json=body), 422, "invalid")
    problem(client.get("/v1/plans/nobody/tiers"), 404, "not_found")
    problem(client.get("/v1/plans/pro/tiers", params={"task": "nothing"}), 404, "not_found")
    problem(client.get("/v1/plans/pro/tiers", params={"at": "yesterday"}), 422, "invalid")
