"""Direct, broker or gateway, over HTTP on the installed catalogue, and the same on the command line."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient
from typer.testing import CliRunner

from planner.app import build
from planner.cli import paths as paths_command
from planner.cli.main import cli
from planner.settings import Settings
from planner.store.engine import Store
from tests.api.test_contract import ADMIN, QUESTION, problem
from tests.conftest import NOW

STORED = {"plan": "pro", "task": "chat"}
GPT = {"workload": QUESTION["workload"], "needs": {"models": ["openai/gpt-5.4"]}}


@pytest.fixture(scope="module")
def client(installed: Store) -> Iterator[TestClient]:
    """A client with the admin key, over the installed catalogue, on its day."""
    settings = Settings(admin_key=SecretStr(ADMIN), key_pepper=SecretStr("pepper"))
    app = build(settings, installed, lambda: NOW)
    with TestClient(app, headers={"Authorization": f"Bearer {ADMIN}"}, raise_server_exceptions=False) as made:
        yield made


def ask(client: TestClient, **body: Any) -> dict[str, Any]:
    """Compare the ways, and return the answer."""
    answer = client.post("/v1/paths", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def way(found: dict[str, Any], channel: str) -> dict[str, Any]:
    """Return one way of an answer."""
    return next(each for each in found["ways"] if each["channel"] == channel)


def test_the_same_model_costs_a_brokers_fee_more(client: TestClient) -> None:
    """GPT-5.4 directly, and through OpenRouter with 5.5 percent on top; the choice is that of the main question."""
    found = ask(client, **GPT, customers=100)
    direct, broker = way(found, "direct"), way(found, "openrouter")
    assert {direct["same_model"]["model"], broker["same_model"]["model"]} == {"openai/gpt-5.4"} == {found["model"]}
    cost, dearer = (Decimal(each["same_model"]["cost_usd_per_period"]) for each in (direct, broker))
    assert dearer == cost * Decimal("1.055")
    assert Decimal(broker["surcharge_usd_per_period"]) == dearer - cost
    assert Decimal(broker["total_usd_per_period"]) == 100 * dearer
    assert found["offer"] == client.post("/v1/recommendations", json=GPT).json()["choice"]["offer"]
    (fee, own_key) = sorted(broker["fees"], key=lambda each: not each["counts"])
    assert (fee["percent"], fee["minimum_usd"], fee["purchase_usd_min"]) == ("5.5", "0.8", "14.545454545455")
    assert (own_key["payment"], own_key["allowance_usd_per_month"], own_key["usd_per_period"]) == (
        "own_key",
        "25000",
        "0",
    )
    assert found["revision"] == 2


def test_production_takes_several_direct_providers(client: TestClient) -> None:
    """On independent upstreams, with the reasons in words and figures."""
    found = ask(client, **GPT, stage="production", gateway_usd_per_month="120", customers=1000)
    said = found["verdict"]
    assert (said["take"], said["run"]) == ("several_providers", "gateway")
    assert len({link["provider"] for link in said["chain"]}) == 3
    assert {link["channel"] for link in said["chain"]} == {"direct"}
    assert found["gateway"]["customers_min"] <= 1000
    assert any("5.5 %) more than directly" in reason for reason in said["reasons"])
    assert (found["gateway"]["overhead_ms"], found["gateway"]["overhead_ms_p95"]) == (2, 8)
    own = ask(client, **GPT, gateway_overhead_ms=7)["gateway"]
    assert (own["overhead_ms"], own["overhead_ms_p95"], own["overhead_source_url"]) == (7, None, None)


def test_a_prototype_takes_the_broker_and_an_internal_tool_goes_directly(client: TestClient) -> None:
    """The stage decides."""
    prototype, internal = (ask(client, **GPT, stage=stage)["verdict"] for stage in ("prototype", "internal"))
    assert (prototype["take"], prototype["run"]) == ("broker", "openrouter")
    assert any("not published" in reason for reason in prototype["reasons"])
    assert (internal["take"], internal["run"]) == ("single_provider", "direct")


def test_a_stored_plan_brings_its_stage_and_policy(client: TestClient) -> None:
    """Zero retention is granted through one broker alone in the bundled evidence, and that decides."""
    found = ask(client, plan="business", task="code")
    assert (found["stage"], found["period"], found["policy"]) == ("production", "month", "zero-retention")
    assert found["verdict"]["run"] == "openrouter"
    assert found["verdict"]["reasons"][0].startswith("policy zero-retention can be met only through OpenRouter")
    direct = way(found, "direct")
    assert direct["same_model"] is None
    assert direct["refused"]["policy:unknown_terms"] > 0
    assert way(found, "openrouter")["enforces"]["zero_retention"]["source_url"].startswith("https://openrouter.ai/docs")
    assert way(found, "vercel")["enforces"]["region"] is None


def test_what_is_published_of_a_way_is_loaded(client: TestClient) -> None:
    """Helicone's own benchmark with its page and day; nobody knows OpenRouter's, and null says so."""
    view = client.app.state.current.view()  # type: ignore[attr-defined]  # the application is ours
    helicone = view.catalogue.channels["helicone"]
    assert (helicone.overhead_ms, helicone.overhead_source_url) == (
        30, "https://docs.helicone.ai/references/latency-affect",
    )  # fmt: skip
    assert helicone.overhead_observed_at < NOW + timedelta(days=3)
    assert way(ask(client, **GPT), "openrouter")["overhead_ms"] is None


@pytest.mark.parametrize(
    "body",
    [
        {**STORED, "stage": "live"}, {**STORED, "customers": 0}, {**STORED, "customers": "5"},
        {**STORED, "gateway_usd_per_month": 120}, {**STORED, "gateway_usd_per_month": "-1"},
        {**STORED, "gateway_overhead_ms": -1}, {**STORED, "surprise": 1}, {"stage": "internal"},
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(client: TestClient, body: dict[str, Any]) -> None:
    """Unknown stages, no customers at all, money as a number."""
    problem(client.post("/v1/paths", json=body), 422, "invalid")


def test_without_an_answer_there_is_nothing_to_reach(client: TestClient) -> None:
    """The refusals are those of the main question."""
    problem(client.post("/v1/paths", json={**STORED, "task": "none"}), 404, "not_found")
    nowhere = {**GPT, "needs": {"regions": ["atlantis"]}}
    problem(client.post("/v1/paths", json=nowhere), 409, "nothing_compliant")


def test_the_command_says_the_same(installed: Store, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """As JSON to the letter, as a table with the verdict; without a question it is a usage error."""
    monkeypatch.setenv("PLANNER_DATABASE_URL", installed.url)
    monkeypatch.setenv("PLANNER_KEY_PEPPER", "pepper")
    monkeypatch.setattr(paths_command, "now", lambda: NOW)
    words = ["paths", "--plan", "pro", "--task", "chat", "--stage", "prototype", "--customers", "500"]
    printed = CliRunner().invoke(cli, [*words, "--json"])
    assert json.loads(printed.stdout) == ask(client, **STORED, stage="prototype", customers=500)
    table = CliRunner().invoke(cli, words).stdout
    assert "prototype: take broker, run by openrouter" in table
    assert "because a prototype wants one key" in table
    spelled = CliRunner().invoke(
        cli, ["paths", "--input-tokens", "2600", "--output-tokens", "450", "--model", "openai/gpt-5.4", "--json"]
    )
    assert json.loads(spelled.stdout)["model"] == "openai/gpt-5.4"
    assert CliRunner().invoke(cli, ["paths"]).exit_code != 0
