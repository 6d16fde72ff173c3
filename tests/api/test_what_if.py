"""What-if over HTTP: what real usage would have cost, why it cost otherwise, and how much of it is replayed at once."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.api import what_if
from planner.app import build
from planner.settings import Settings
from planner.store.engine import Store
from tests.api.test_contract import problem
from tests.api.test_finance import SEPTEMBER
from tests.api.test_usage import KEY

OFFER, CHEAP = "direct:openai/gpt-5.4", "direct:openai/gpt-5.4-mini"
EVENTS = [
    {
        "id": str(number), "source": "meter", "at": f"2026-{month}-10T12:00:00Z", "offer": OFFER, "plan": plan,
        "usage": {"input_tokens": 100_000, "output_tokens": 20_000},
    }
    for number, (month, plan) in enumerate([("09", "pro"), ("09", "free"), ("10", "pro"), ("10", "pro"), ("10", "pro")])
]  # fmt: skip


@pytest.fixture
def client(installed_copy: Store) -> Iterator[TestClient]:
    """A client with the admin key, over some usage of two months: $0.55 a request."""
    made = Settings(admin_key=SecretStr(KEY), key_pepper=SecretStr("pepper"))
    with TestClient(build(made, installed_copy), headers={"Authorization": f"Bearer {KEY}"}) as it:
        answer = it.post("/v1/usage", json={"events": EVENTS})
        assert answer.status_code == 200, answer.text
        yield it


def asked(client: TestClient, scenario: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Ask about September, and hold the terms against both sides."""
    words = {} if scenario is None else {"scenario": scenario}
    answer = client.post("/v1/what-if", json={**SEPTEMBER, **words, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    sides = [Decimal(found[side]["token_cost_usd"]) for side in ("before", "after")]
    terms = sum(Decimal(one["usd"]) for one in found["terms"])
    assert terms == sides[1] - sides[0] == Decimal(found["difference_usd"])
    return found


def test_every_part_of_a_scenario_is_understood(client: TestClient) -> None:
    """All at once, in the fixed order; the plan is in dollars, and each amount a decimal text."""
    scenario = {
        "volume": "2", "prices_at": "2026-11-01T00:00:00Z",
        "swaps": [{"where": {"plan": "pro"}, "to": CHEAP, "output_token_factor": "1.5", "reasoning_multiplier": "2"}],
        "token_intensity": [{"where": {"plan": "free"}, "input_token_factor": "1.1"}, {"where": {"task": "x"}}],
        "cache": [{"hit_share": "0.25", "write_share": "0", "write_lifetime": "1h"}],
        "prices": [{"percent": "10", "units": ["output_token"]},
                   {"where": {"offer": CHEAP}, "rates": [{"unit": "input_token", "usd": "1", "per": 1_000_000}]}],
        "discounts": [{"where": {"provider": "openai"}, "percent": "12.5"}],
        "fees": [{"channel": "direct", "percent": "5", "of_list_price": True}],
        "plans": [{"plan": "pro", "price": "25.00"}],
    }  # fmt: skip
    found = asked(client, scenario, by=["plan", "offer"], where={"plan": ["pro", "free"]})
    assert found["changed"] == [
        "volume", "mix", "token_intensity", "cache", "price", "discount", "fee", "plan_price",
    ]  # fmt: skip
    assert (found["before"]["token_cost_usd"], found["booked_usd"], found["as_booked"]) == ("1.1", "1.1", True)
    # 200,000 in at $1, a quarter of it read from the cache, and 120,000 out (30,000 visible twice, twice as often).
    lines = {line["plan"]: line["after"]["output_tokens"] for line in found["rows"] if line["offer"]}
    assert lines == {"pro": 120_000, "free": 40_000}
    assert found["notes"]


def test_factors_of_an_offer_are_of_the_rows_it_takes(client: TestClient) -> None:
    """Another rule serves the plan before: of its rows, none counts as at the second offer."""
    second = {"to": CHEAP, "output_token_factor": "2"}
    found = asked(client, {"swaps": [{"where": {"plan": "pro"}, "to": CHEAP}, second]}, by=["plan"])
    assert {line["plan"]: line["after"]["output_tokens"] for line in found["rows"]} == {"pro": 20_000, "free": 40_000}


def test_without_a_change_there_is_no_term(client: TestClient) -> None:
    """And what was booked stands on both sides."""
    found = asked(client, {})
    assert (found["terms"], found["before"], found["before"]["token_cost_usd"]) == ([], found["after"], "1.1")


def test_terms_are_averaged_over_all_orders_where_that_is_asked(client: TestClient) -> None:
    """A discount on a cheaper offer is worth less than on the dear one, and half of each is the average."""
    scenario = {"swaps": [{"to": CHEAP}], "discounts": [{"percent": "50"}]}
    first, second = (asked(client, scenario, method=method) for method in ("sequential", "shapley"))
    assert first["difference_usd"] == second["difference_usd"]
    assert first["terms"] != second["terms"]


def test_two_months_are_compared(client: TestClient) -> None:
    """One request more, all of one plan: volume and mix."""
    found = asked(client, compare={"from": "2026-08-01", "to": "2026-09-01"})
    assert (found["compared_with"], found["difference_usd"]) == ({"from": "2026-08-01", "to": "2026-09-01"}, "1.1")
    body = {"from": "2026-10-01", "to": "2026-11-01", "compare": SEPTEMBER, "by": ["plan"]}
    found = client.post("/v1/what-if", json=body).json()
    assert [(one["term"], one["usd"]) for one in found["terms"]][:2] == [("volume", "0.55"), ("mix", "0")]
    assert [(line["plan"], line["difference_usd"]) for line in found["rows"]] == [("free", "-0.55"), ("pro", "1.1")]


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({}, "body"),
        ({"scenario": {}, "compare": SEPTEMBER}, "body"),
        ({"compare": SEPTEMBER, "method": "shapley"}, "body"),
        ({"scenario": {"volume": 2}}, "scenario.volume"),
        ({"scenario": {"volume": "-1"}}, "volume"),
        ({"scenario": {"prices": [{"percent": "1", "units": ["word"]}]}}, "scenario.prices.0.units.0"),
        ({"scenario": {"prices": [{}]}}, "prices"),
        ({"scenario": {"cache": [{"hit_share": "1.5"}]}}, "hit_share"),
        ({"scenario": {"colour": "red"}}, "scenario.colour"),
        ({"scenario": {}, "by": ["day"]}, "by"),
        ({"scenario": {}, "tz": "Mars"}, "tz"),
        ({"scenario": {}, "to": "2026-09-01"}, "to"),
        ({"scenario": {"fx": {"currency": "EUR", "usd_per_unit": "1"}}, "reporting_currency": "GBP"},
         "reporting_currency"),
    ],
)  # fmt: skip
def test_what_is_no_question_is_refused_by_its_field(client: TestClient, parts: dict[str, Any], field: str) -> None:
    """Nothing is guessed."""
    answer = client.post("/v1/what-if", json={**SEPTEMBER, **parts})
    (wrong,) = problem(answer, 422, "invalid")["errors"]
    assert wrong["field"] == field


def test_what_nobody_knows_is_not_found(client: TestClient) -> None:
    """An offer, a plan, an exchange rate."""
    for scenario, more in (
        ({"swaps": [{"to": "direct:openai/none"}]}, {}), ({"plans": [{"plan": "none", "price": "1"}]}, {}),
        ({"fx": {"currency": "XTS", "usd_per_unit": "1"}}, {}), ({}, {"reporting_currency": "XTS"}),
    ):  # fmt: skip
        answer = client.post("/v1/what-if", json={**SEPTEMBER, "scenario": scenario, **more})
        problem(answer, 404, "not_found")


def test_more_than_a_caller_waits_for_is_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many rows, or priced too often together; the refusal says how many, and where there is no such bound."""
    monkeypatch.setattr(what_if, "ROWS_MAX", 1)
    said = problem(client.post("/v1/what-if", json={**SEPTEMBER, "scenario": {}}), 422, "invalid")["errors"][0]
    assert (said["field"], "2 rows" in said["problem"], "planner what-if" in said["problem"]) == ("from", True, True)
    monkeypatch.setattr(what_if, "ROWS_MAX", 2)
    monkeypatch.setattr(what_if, "PRICES_MAX", 5)
    body = {**SEPTEMBER, "scenario": {"volume": "1", "discounts": [{"percent": "1"}]}}
    said = problem(client.post("/v1/what-if", json=body), 422, "invalid")["errors"][0]
    assert said["field"] == "method"
    assert client.post("/v1/what-if", json={**body, "scenario": {"volume": "1"}}).status_code == 200


def test_one_replay_at_a_time(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits too long for a turn is told to ask again."""
    monkeypatch.setattr(what_if, "_BUSY_SECONDS", 0.01)
    with what_if._turn:
        answer = client.post("/v1/what-if", json={**SEPTEMBER, "scenario": {}})
    problem(answer, 429, "too_many_requests")
    assert client.post("/v1/what-if", json={**SEPTEMBER, "scenario": {}}).status_code == 200
