"""Self-host or API, and quotas, over HTTP on the bundled catalogue."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from starlette.testclient import TestClient

from planner.core.quota import Portfolio, portfolio_quota
from planner.core.spread import Lognormal
from planner.store import plans as stored
from planner.store.engine import Store
from tests.api.test_contract import problem
from tests.api.test_policies import open_client, published
from tests.conftest import NOW

AT = {"at": NOW.isoformat()}
WORKLOAD = {"input_tokens": 2600, "output_tokens": 450, "requests_per_period": 900}
GPU = {"gpu_hourly_usd": "2.50", "tokens_per_second": "2400"}
MODEL = {"models": ["deepseek/deepseek-v3.2"]}
QUESTION: dict[str, Any] = {
    "workload": WORKLOAD, "needs": MODEL, "hardware": GPU, "demand": {"customers": 1_000}, **AT,
}  # fmt: skip
SPREAD = {"kind": "lognormal", "median_tokens": 500_000, "sigma": "2.3"}
SIMULATION: dict[str, Any] = {"task": "chat", "distribution": SPREAD, "subscribers": 10_000, **AT}
HOST, QUOTA = "/v1/self-host", "/v1/plans/pro/simulations"


@pytest.fixture(scope="module")
def client(installed: Store) -> Iterator[TestClient]:
    """A client with the admin key, over the installed catalogue."""
    with open_client(installed) as made:
        yield made


def wrong(answer: Any) -> str:
    """Check that a body was refused, and return the field that was named."""
    (error,) = problem(answer, 422, "invalid")["errors"]
    return str(error["field"])


def weighed(client: TestClient, **parts: Any) -> dict[str, Any]:
    """Ask with some parts of the question replaced, and return the answer."""
    answer = client.post(HOST, json={**QUESTION, **parts})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def codes(answer: dict[str, Any]) -> list[str]:
    """Return the codes of a verdict's reasons."""
    assert all(reason["says"] for reason in answer["reasons"])
    return [reason["code"] for reason in answer["reasons"]]


def test_the_api_side_is_what_the_main_question_answers(client: TestClient) -> None:
    """The same offer as recommended, its cost per request over the tokens of a request, at the demand's volume."""
    found = weighed(client)
    told = client.post("/v1/recommendations", json={"workload": WORKLOAD, "needs": MODEL, **AT}).json()["choice"]
    api, demand = found["api"], found["demand"]
    assert (api["offer"], api["cost_usd"], api["evidence"]) == (told["offer"], told["cost_usd"], told["evidence"])
    assert demand["tokens_per_month"] == 1_000 * 900 * 3_050
    exact = Fraction(told["cost_usd"]) / 3_050 * 1_000_000
    assert 0 <= Fraction(api["usd_per_mtok"]) - exact < Fraction("0.000002")
    assert {"revision", "policy_version", "stale", "valid_until"} <= found.keys()
    assert found["assumptions"]


def test_rent_is_divided_by_what_is_served(client: TestClient) -> None:
    """2,745 million tokens a month on one $1,825 machine: 43.5 % busy, $0.665 a million; at 70 % it would be $0.413."""
    own = weighed(client)["self_host"]
    assert (own["replicas"], own["usd_per_month"], own["utilisation"]) == (1, "1825", "0.4352")
    assert own["usd_per_mtok"] == own["rent_usd_per_mtok"] == "0.664846"
    assert own["usd_per_mtok_at_utilisation_max"] == "0.41336"
    assert own["capacity_tokens_per_month"] == 2_400 * 3_600 * 730
    parts = Decimal(own["input_usd_per_mtok"]) * 2_600 + Decimal(own["output_usd_per_mtok"]) * 450
    assert abs(parts / 3_050 - Decimal(own["usd_per_mtok"])) < Decimal("0.00001")


def test_the_verdict_starts_with_apis(client: TestClient) -> None:
    """The API is told until machines pay, and even then one of the three reasons is asked for."""
    assert weighed(client)["verdict"] == "api"
    cheap = {**GPU, "gpu_hourly_usd": "0.10"}
    assert weighed(client, hardware=cheap)["verdict"] == "either"
    fixed = weighed(client, hardware=cheap, reasons={"fixed_workload": True})
    assert (fixed["verdict"], codes(fixed)) == ("self_host", ["fixed_workload", "self_host_cheaper"])
    assert weighed(client, reasons={"privacy_required": True})["verdict"] == "either"


def test_a_break_even_is_where_both_cost_the_same(client: TestClient) -> None:
    """At that volume the curve turns, and a token less is the API's."""
    even = weighed(client, hardware={**GPU, "gpu_hourly_usd": "0.50"})["break_even"]
    assert even["feasible"]
    tokens = even["tokens_per_month"]
    volumes = [str(Decimal(volume).scaleb(-6)) for volume in (tokens - 1, tokens)]
    below, at = weighed(client, hardware={**GPU, "gpu_hourly_usd": "0.50"}, volumes_mtok=volumes)["curve"]
    assert (below["cheaper"], at["cheaper"]) == ("api", "self_host")


def test_nothing_compliant_is_itself_the_reason(installed_copy: Store) -> None:
    """A policy that lets nobody see a prompt leaves machines of one's own; the answer says so and is no refusal."""
    with open_client(installed_copy) as client:
        published(client, "nobody", {"allow_list": []})
        found = weighed(client, policy="nobody", reasons={"privacy_required": True})
        problem(client.post(HOST, json={**QUESTION, "policy": "unheard-of"}), 409, "unknown_policy")
    assert (found["verdict"], found["api"], found["break_even"]) == ("self_host", None, None)
    assert codes(found) == ["nothing_compliant", "privacy_required"]
    assert found["curve"][0]["api_usd_per_month"] is None
    assert found["self_host"]["usd_per_month"] == "1825"


def test_a_margin_that_no_offer_keeps_is_said(client: TestClient) -> None:
    """The cheapest compliant offer is compared all the same."""
    found = weighed(client, revenue_usd="0.10", margin="0.70")
    assert found["api"]["margin_kept"] is False
    assert codes(found)[-1] == "margin_unreachable"


def test_a_stored_plan_brings_its_demand(installed_copy: Store) -> None:
    """Its subscribers and its period; a customer count of the question goes before its own."""
    body = {"plan": "pro", "task": "chat", "hardware": GPU, **AT}
    with installed_copy.write() as connection:
        plan = {**(stored.document(connection, "pro") or {}), "subscribers": 500, "period": "week"}
        stored.write(connection, "pro", plan, at=NOW, by="test")
    with open_client(installed_copy) as later:
        found = later.post(HOST, json=body).json()
        assert (found["demand"]["customers"], found["demand"]["period"]) == (500, "week")
        exact = Fraction(500 * 900 * 3_050 * 365, 12 * 7)
        assert 0 <= found["demand"]["tokens_per_month"] - exact < 1
        assert later.post(HOST, json={**body, "demand": {"customers": 7}}).json()["demand"]["customers"] == 7
        assert wrong(later.post(HOST, json={**body, "demand": {"period": "month"}})) == "demand.period"
        assert later.post(QUOTA, json={**SIMULATION, "subscribers": None}).json()["subscribers"] == 500


def test_speeds_of_reading_and_writing_share_the_cost(client: TestClient) -> None:
    """Both speeds instead of one; output is as much dearer as it is slower."""
    speeds = {"gpu_hourly_usd": "2.50", "prefill_tokens_per_second": "12000", "decode_tokens_per_second": "1000"}
    own = weighed(client, hardware=speeds)["self_host"]
    assert own["split_by"] == "time"
    ratio = Decimal(own["output_usd_per_mtok"]) / Decimal(own["input_usd_per_mtok"])
    assert abs(ratio - 12) < Decimal("0.001")
    said = weighed(client, hardware={**speeds, "on_demand_gpu_hourly_usd": "4", "peak_hours_per_month": "20"},
                   demand={"customers": 10_000, "peak_to_mean": "4"},
                   workload={**WORKLOAD, "failed_share": "0.02"})  # fmt: skip
    assert said["self_host"]["replicas_on_demand"] > 0
    assert len(said["assumptions"]) == 8


def test_no_demand_has_no_price_per_token(client: TestClient) -> None:
    """A machine that serves nobody is rented all the same."""
    own = weighed(client, demand={"customers": 0})["self_host"]
    assert (own["usd_per_mtok"], own["input_usd_per_mtok"], own["usd_per_month"]) == (None, None, "1825")


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"hardware": {"gpu_hourly_usd": "2"}}, "hardware.tokens_per_second"),
        ({"hardware": {**GPU, "decode_tokens_per_second": "5"}}, "hardware.tokens_per_second"),
        ({"hardware": {"gpu_hourly_usd": "2", "tokens_per_second": "0"}}, "hardware.tokens_per_second"),
        (
            {"hardware": {"gpu_hourly_usd": "2", "prefill_tokens_per_second": "0", "decode_tokens_per_second": "1"}},
            "hardware.prefill_tokens_per_second",
        ),
        ({"hardware": {**GPU, "utilisation_max": "1.2"}}, "hardware.utilisation_max"),
        ({"hardware": {**GPU, "gpu_hourly_usd": 2}}, "hardware.gpu_hourly_usd"),
        ({"demand": {}}, "demand.customers"),
        ({"demand": {}, "workload": None, "plan": "pro", "task": "chat", "needs": None}, "demand.customers"),
        ({"demand": {"customers": 1, "peak_to_mean": "0.5"}}, "demand.peak_to_mean"),
        ({"workload": {"images": 1}}, "workload"),
        ({"reasons": {"cheaper": True}}, "reasons.cheaper"),
    ],
)
def test_unreadable_questions_name_their_field(client: TestClient, parts: dict[str, Any], field: str) -> None:
    """422, with the place."""
    assert wrong(client.post(HOST, json={**QUESTION, "needs": {}, **parts})) == field


def simulated(client: TestClient, **parts: Any) -> dict[str, Any]:
    """Ask for quotas with some parts replaced, and return the answer with its rules by name."""
    answer = client.post(QUOTA, json={**SIMULATION, **parts})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return {**found, "rules": {row["rule"]: row for row in found["items"]}}


def test_a_quota_rests_on_the_plan_and_its_recommended_offer(client: TestClient) -> None:
    """The budget of the plan over the cost per token of what the task is told; by hand from the core the same quota."""
    found = simulated(client, distribution={**SPREAD, "median_tokens": 50_000_000})
    choice = client.get("/v1/plans/pro/tasks/chat/recommendation").json()["choice"]
    assert found["offer"] == choice["offer"]
    tokens = Fraction("4.12") / (Fraction(choice["cost_usd"]) / 3_050)
    assert found["rules"]["worst_case"]["quota_tokens"] == tokens.__floor__()
    world = Portfolio(spread=Lognormal(50_000_000, 2.3), subscribers=10_000)
    assert found["recommended_quota_tokens"] == portfolio_quota(world, tokens, 0.05)
    assert found["budget_usd"] == "4.12"
    assert "differently once a cap moves" in found["notes"][0]
    assert {"revision", "policy_version", "stale", "valid_until"} <= found.keys()


def test_what_is_used_beyond_a_quota_keeps_the_margin_too(client: TestClient) -> None:
    """A million tokens cost c, the margin is 70 % and payments take 2.9 %: c / 0.271, rounded up to 1e-4 USD."""
    found = simulated(client)
    choice = client.get("/v1/plans/pro/tasks/chat/recommendation").json()["choice"]
    floor_usd = Fraction(choice["cost_usd"]) / 3_050 * 10**6 / Fraction("0.271")
    assert Fraction(found["overage_usd_per_mtok"]) == Fraction(ceil(floor_usd * 10**4), 10**4)


def test_rules_are_ordered_by_what_they_risk(client: TestClient) -> None:
    """The safer the rule, the smaller the quota, the larger the margin and what stays unused."""
    rules = simulated(client, distribution={**SPREAD, "median_tokens": 50_000_000}, tail_budget_usd="30")["rules"]
    names = ("worst_case", "portfolio", "portfolio_if_independent", "expected_value")
    quotas = [rules[name]["quota_tokens"] for name in names]
    assert quotas == sorted(quotas)
    margins = [Decimal(rules[name]["expected_margin"]) for name in (*names, "no_cap")]
    assert margins == sorted(margins, reverse=True)
    assert rules["worst_case"]["miss_probability"] == "0.0000"
    assert rules["portfolio"]["miss_probability"] == "0.0500"
    assert (rules["portfolio"]["margin_at_risk"], rules["expected_value"]["expected_margin"]) == ("0.7000", "0.7000")
    assert Decimal(rules["expected_value"]["breakage"]) > Decimal(rules["worst_case"]["breakage"])
    assert rules["tail"]["tail_cost_usd"] == "30.000000"
    assert rules["per_user"]["quota_tokens"] == rules["worst_case"]["quota_tokens"]


def test_few_observed_customers_get_the_careful_quota(client: TestClient) -> None:
    """Of thirty the low end of the samples is recommended, and why."""
    seen: dict[str, Any] = {"kind": "observed", "tokens_per_user": [1_000_000 * 2 ** (n % 12) for n in range(30)]}
    found = simulated(client, distribution=seen)
    assert found["sampled"]["low_tokens"] == found["recommended_quota_tokens"]
    assert found["recommended_quota_tokens"] <= found["rules"]["portfolio"]["quota_tokens"]
    assert "few customers were observed" in found["notes"][-1]
    light = simulated(client, distribution={"kind": "observed", "tokens_per_user": [5, 9]})
    assert light["recommended_quota_tokens"] is None
    assert simulated(client, distribution={**seen, "tokens_per_user": seen["tokens_per_user"] * 10})["sampled"] is None


def test_a_tail_without_a_mean_has_no_cost_without_a_cap(client: TestClient) -> None:
    """A power law of exponent 1: null, and not a number that depends on where one stops counting."""
    found = simulated(client, distribution={"kind": "pareto", "minimum_tokens": 1_000, "exponent": "1"}, alpha="0.2")
    assert found["uncapped_cost_usd"] is None
    assert found["rules"]["no_cap"]["expected_cost_usd"] is None
    assert found["rules"]["portfolio"]["quota_tokens"] > found["rules"]["worst_case"]["quota_tokens"]


def test_a_plan_whose_fees_take_everything_may_include_nothing(client: TestClient) -> None:
    """No budget is a quota of 0, and the margin is missed anyway."""
    found = simulated(client, margin="0.99")
    assert {row["quota_tokens"] for row in found["items"] if row["rule"] != "no_cap"} == {0}
    assert found["rules"]["portfolio"]["miss_probability"] == "1.0000"
    assert (found["recommended_quota_tokens"], found["recommended_quota_requests"]) == (0, 0)
    assert any("no offer keeps the margin" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"subscribers": None}, "subscribers"),
        ({"subscribers": 0}, "subscribers"),
        ({"alpha": "0"}, "alpha"),
        ({"sigma_g": "9"}, "sigma_g"),
        ({"margin": "1"}, "margin"),
        ({"distribution": {"kind": "lognormal", "median_tokens": 5}}, "distribution.sigma"),
        ({"distribution": {**SPREAD, "exponent": "1"}}, "distribution.exponent"),
        ({"distribution": {**SPREAD, "sigma": "0"}}, "distribution.sigma"),
        ({"distribution": {"kind": "pareto", "minimum_tokens": 0, "exponent": "1"}}, "distribution.minimum_tokens"),
        ({"distribution": {"kind": "observed", "tokens_per_user": [0]}}, "distribution.tokens_per_user"),
    ],
)
def test_unreadable_simulations_name_their_field(client: TestClient, parts: dict[str, Any], field: str) -> None:
    """422, with the place."""
    assert wrong(client.post(QUOTA, json={**SIMULATION, **parts})) == field


def test_a_plan_without_a_margin_bounds_no_quota(client: TestClient) -> None:
    """A free plan needs a target that it cannot have; an unknown plan or task is 404."""
    free = "/v1/plans/free/simulations"
    assert wrong(client.post(free, json=SIMULATION)) == "margin"
    problem(client.post("/v1/plans/none/simulations", json=SIMULATION), 404, "not_found")
    problem(client.post(QUOTA, json={**SIMULATION, "task": "none"}), 404, "not_found")
