"""A recommendation as a gateway's configuration, over HTTP and on the command line."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient
from typer.testing import CliRunner

from planner.app import build
from planner.cli import exporting
from planner.cli.main import cli
from planner.settings import Settings
from planner.store.engine import Store
from tests.api.test_contract import ADMIN, QUESTION, problem
from tests.conftest import NOW

PRO = "/v1/plans/pro/tasks/chat/recommendation"
LITELLM, OPENROUTER = ({"format": name} for name in ("litellm", "openrouter"))


@pytest.fixture(scope="module")
def client(installed: Store) -> Iterator[TestClient]:
    """A client with the admin key, over the installed catalogue, at noon."""
    settings = Settings(admin_key=SecretStr(ADMIN), key_pepper=SecretStr("pepper"))
    with TestClient(build(settings, installed, lambda: NOW), headers={"Authorization": f"Bearer {ADMIN}"}) as made:
        yield made


@pytest.fixture
def shell(installed: Store, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Somebody at a shell with the installed catalogue, at noon."""
    monkeypatch.setenv("PLANNER_DATABASE_URL", installed.url)
    monkeypatch.setenv("PLANNER_KEY_PEPPER", "pepper")
    monkeypatch.setattr(exporting, "now", lambda: NOW + timedelta(minutes=1))
    return CliRunner()


def test_the_configuration_is_of_what_is_recommended(client: TestClient) -> None:
    """The links of the polled answer, in its order, each deployment with the recommendation's id."""
    answer = client.get(PRO).json()
    made = client.get(f"{PRO}/gateway", params=LITELLM).json()
    chain = [link["offer"] for link in (answer["choice"], *answer["fallbacks"])]
    infos = [each["model_info"] for each in made["config"]["model_list"]]
    assert [info["offer"] for info in infos] == [link["offer"] for link in made["recommendation"]["chain"]] == chain
    assert {info["planner_recommendation_id"] for info in infos} == {made["recommendation_id"]}
    assert made["left_out"] == []
    assert {"revision", "policy_version", "stale", "valid_until"} <= made.keys()


def test_it_comes_with_an_etag_in_both_forms(client: TestClient) -> None:
    """JSON with all it rests on, or the file; the same bytes under the same ETag, and 304 for who holds them."""
    tags = set()
    for accept, kind in (("*/*", "application/json"), ("application/yaml", "application/yaml")):
        first = client.get(f"{PRO}/gateway", params=LITELLM, headers={"Accept": accept})
        held = {"Accept": accept, "If-None-Match": first.headers["etag"]}
        again = client.get(f"{PRO}/gateway", params=LITELLM, headers=held)
        assert first.headers["content-type"].partition(";")[0] == kind
        assert (again.status_code, again.content) == (304, b"")
        tags.add(first.headers["etag"])
    assert len(tags) == 2


def test_links_that_would_let_others_in_are_bodies_apart(client: TestClient) -> None:
    """Each with its own pin, in the chain's order, and the reason said."""
    made = client.get("/v1/plans/business/tasks/chat/recommendation/gateway", params=OPENROUTER).json()
    bodies = [made["config"], *made["then"]]
    assert all(len(body["provider"]["only"]) == 1 and body["provider"]["zdr"] for body in bodies)
    assert len(bodies) == len(made["recommendation"]["chain"])
    assert "in one body OpenRouter could reach" in made["apart"]


@pytest.mark.parametrize("name", ["portkey", "vercel", "envoy"])
def test_a_gateway_that_is_not_built_is_refused_with_those_that_are(client: TestClient, name: str) -> None:
    """422, with the names of the two."""
    wrong = problem(client.get(f"{PRO}/gateway", params={"format": name}), 422, "invalid")
    assert wrong["errors"][0]["problem"] == f"{name} is not built yet; litellm and openrouter are"


def test_what_no_gateway_is_called_is_refused(client: TestClient) -> None:
    """Another word, or none."""
    problem(client.get(f"{PRO}/gateway", params={"format": "LiteLLM"}), 422, "invalid")
    problem(client.get(f"{PRO}/gateway"), 422, "invalid")
    problem(client.get("/v1/plans/nobody/tasks/chat/recommendation/gateway", params=LITELLM), 404, "not_found")


def test_a_chain_no_link_of_which_can_be_said_is_refused(client: TestClient) -> None:
    """409 with each link and its reason; the polled answer stays, with null."""
    path = "/v1/plans/free/tasks/chat/recommendation"
    refused = problem(client.get(f"{path}/gateway", params=OPENROUTER), 409, "not_exportable")
    assert set(refused["reasons"].values()) == {"it is reached directly, not through OpenRouter"}
    enforce = client.get(path).json()["enforce"]
    assert enforce["openrouter"] is None
    assert {each["offer"] for each in enforce["left_out"]["openrouter"]} == set(refused["reasons"])


def test_every_answer_carries_what_enforces_it(client: TestClient) -> None:
    """The arguments of a call, its fallbacks in order, as the configuration has them; no price is a number."""
    enforce = client.post("/v1/recommendations", json=QUESTION).json()["enforce"]
    assert "_cost" not in json.dumps(enforce)
    polled = client.get(PRO).json()["enforce"]["litellm"]
    calls = [{name: value for name, value in polled.items() if name != "fallbacks"}, *polled["fallbacks"]]
    config = client.get(f"{PRO}/gateway", params=LITELLM).json()["config"]
    for call, each in zip(calls, config["model_list"], strict=True):
        assert call.items() <= each["litellm_params"].items()


def test_the_shell_prints_or_writes_it(shell: CliRunner, tmp_path: Path) -> None:
    """YAML to read, JSON by the file's name, all of it with --json; what is left out is on the error channel."""
    printed = shell.invoke(cli, ["export", "pro", "chat"])
    assert printed.stdout.startswith("# rec_")
    assert "model_list:\n  - model_name: plan-pro-chat\n" in printed.stdout
    out = tmp_path / "body.json"
    written = shell.invoke(cli, ["export", "pro", "chat", "--format", "openrouter", "-o", str(out)])
    assert (written.exit_code, written.stdout) == (0, "")
    assert "left out" in written.stderr
    body: dict[str, Any] = json.loads(out.read_text("utf-8"))
    whole = json.loads(shell.invoke(cli, ["export", "pro", "chat", "--format", "openrouter", "--json"]).stdout)
    assert whole["config"] == body
    apart = shell.invoke(cli, ["export", "business", "chat", "--format", "openrouter"])
    assert "--json has the" in apart.stderr
