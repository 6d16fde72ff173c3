"""The portfolio over HTTP and on the command line, on the bundled catalogue and its invented plans."""

import json
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient
from typer.testing import CliRunner

from planner.app import build
from planner.cli import optimising
from planner.cli.main import cli
from planner.flows import portfolio as flow
from planner.settings import Settings
from planner.store.engine import Store
from tests.api.test_contract import ADMIN, problem
from tests.conftest import NOW

PLANS = {"free": {"subscribers": 20_000}, "starter": {"subscribers": 3_000}, "pro": {"subscribers": 800}}
SUBSCRIBERS = [word for plan, one in PLANS.items() for word in ("--subscribers", f"{plan}={one['subscribers']}")]


@pytest.fixture(scope="module")
def client(installed: Store) -> Iterator[TestClient]:
    """A client with the admin key, over the installed catalogue at a fixed moment."""
    settings = Settings(admin_key=SecretStr(ADMIN), key_pepper=SecretStr("pepper"))
    with TestClient(build(settings, installed, lambda: NOW), headers={"Authorization": f"Bearer {ADMIN}"}) as made:
        yield made


def solved(client: TestClient, **body: Any) -> dict[str, Any]:
    """Ask for a portfolio of three plans."""
    answer = client.post("/v1/portfolios", json={"overrides": PLANS, "time_limit_seconds": 30, **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_every_figure_of_a_portfolio_adds_up(client: TestClient) -> None:
    """Costs are those of the ranking, margins those of the plans, and every bound holds."""
    found = solved(client, provider_share_max="0.6", monotone=True, free_burn_usd_per_period="400", explain=False)
    assert (found["status"], found["constraints"], found["relaxations"]) == ("optimal", [], None)
    assert found["left_out"] == ["business"]
    spent = Fraction()
    qualities: dict[tuple[str, str], Fraction] = {}
    for plan in found["plans"]:
        for task in plan["tasks"]:
            first, second = task["primary"], task["fallback"]
            assert first["provider"] != second["provider"]
            assert Fraction(first["quality"]) - Fraction(second["quality"]) <= 10
            spent += Fraction(task["cost_usd_per_period"])
            qualities[plan["plan"], task["task"]] = Fraction(first["quality"])
        if plan["margin_target"] is not None:
            assert Fraction(plan["margin"]) >= Fraction(plan["margin_target"])
            assert Fraction(plan["cost_usd_per_customer"]) <= Fraction(plan["budget_usd"])
    assert abs(spent - Fraction(found["totals"]["cost_usd_per_period"])) < Fraction(1, 10**9)
    assert Fraction(found["totals"]["free_burn_usd_per_period"]) <= 400
    assert max(Fraction(one["share"]) for one in found["providers"]) <= Fraction(6, 10)
    assert qualities["free", "chat"] <= qualities["starter", "chat"] <= qualities["pro", "chat"]
    body = {"plan": "pro", "task": "chat"}
    pro = next(plan for plan in found["plans"] if plan["plan"] == "pro")
    chat = next(task for task in pro["tasks"] if task["task"] == "chat")
    explained = client.post("/v1/explanations", json={**body, "offer": chat["primary"]["offer"]}).json()
    assert explained["cost_usd"] == chat["primary"]["cost_usd"]


def test_each_rule_has_its_price(client: TestClient) -> None:
    """A margin of 80 % costs quality, and every other rule is priced beside it."""
    tight = {**PLANS, "pro": {"subscribers": 800, "margin": "0.80"}}
    found = solved(client, overrides=tight, provider_share_max="0.9", free_burn_usd_per_period="400")
    prices = {(one["constraint"], one["plan"]): one for one in found["constraints"]}
    margin = prices["margin", "pro"]
    assert margin["binding"]
    assert Fraction(margin["quality_points"]) > 0
    assert "the margin of plan pro costs" in margin["says"]
    assert {"policy", "free_burn", "provider_share", "fallback"} <= {kind for kind, _plan in prices}


def test_what_cannot_be_had_says_what_would_help(client: TestClient) -> None:
    """A margin beyond reach: the price that would do, rounded up, does."""
    hard = {"pro": {"subscribers": 800, "margin": "0.91"}}
    found = solved(client, plans=["pro"], overrides=hard, free_burn_usd_per_period="0")
    assert (found["status"], found["quality"]) == ("infeasible", None)
    (alone,) = found["relaxations"]["alone"]
    assert (alone["constraint"], alone["plan"]) == ("margin", "pro")
    assert Fraction(alone["price_rise_usd"]) > 0
    eased = {"pro": {"subscribers": 800, "margin": alone["margin"]}}
    assert solved(client, plans=["pro"], overrides=eased, explain=False)["status"] == "optimal"


def test_bad_questions_are_refused(client: TestClient) -> None:
    """Unknown plans, stray overrides, nobody to serve, words nobody knows."""
    problem(client.post("/v1/portfolios", json={"plans": ["ghost"]}), 404, "not_found")
    problem(client.post("/v1/portfolios", json={"plans": ["pro"], "overrides": PLANS}), 422, "invalid")
    problem(client.post("/v1/portfolios", json={}), 422, "invalid")
    problem(client.post("/v1/portfolios", json={"overrides": PLANS, "share_by": "luck"}), 422, "invalid")
    problem(client.post("/v1/portfolios", json={"overrides": PLANS, "time_limit_seconds": 31}), 422, "invalid")
    problem(client.post("/v1/portfolios", json={"overrides": PLANS, "provider_share_max": "0"}), 422, "invalid")


def test_one_is_solved_at_a_time(client: TestClient) -> None:
    """A second one is asked to come back, so that recommendations keep a core to themselves."""
    with flow._one_at_a_time():
        problem(client.post("/v1/portfolios", json={"overrides": PLANS}), 503, "unavailable")
    assert solved(client, explain=False)["status"] == "optimal"


def test_an_index_nobody_is_scored_on_leaves_tasks_unserved(client: TestClient) -> None:
    """Without a score there is no quality to add up: nobody is guessed good."""
    found = solved(client, quality_index="nonsense")
    assert found["status"] == "infeasible"
    assert {(one["plan"], one["task"]) for one in found["unserved"]} >= {("pro", "chat"), ("free", "chat")}


@pytest.fixture
def terminal(installed: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command line over the installed catalogue at a fixed moment."""
    monkeypatch.setenv("PLANNER_DATABASE_URL", installed.url)
    monkeypatch.setenv("PLANNER_KEY_PEPPER", "pepper")
    monkeypatch.setattr(optimising, "now", lambda: NOW)


@pytest.mark.usefixtures("terminal")
def test_the_command_prints_what_the_route_answers(client: TestClient) -> None:
    """The same document, the same offers in the table; 1 where there is no assignment, 2 for a mistake."""
    asked = [*SUBSCRIBERS, "--no-explain", "--seconds", "30"]
    result = CliRunner().invoke(cli, ["portfolio", *asked, "--json"])
    assert result.exit_code == 0, result.output
    told, over_http = json.loads(result.stdout), solved(client, explain=False)
    for one in (told, over_http):
        one.pop("solver")
    assert told == over_http
    table = CliRunner().invoke(cli, ["portfolio", *asked]).stdout
    assert told["plans"][0]["tasks"][0]["primary"]["offer"] in table
    hard = CliRunner().invoke(
        cli, ["portfolio", "--plan", "pro", "--subscribers", "pro=1", "--margin", "pro=0.91", "--seconds", "30"]
    )
    assert hard.exit_code == 1
    assert "plan pro: ask $" in hard.stdout
