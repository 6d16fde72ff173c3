"""A second person at the shell decides what an admin proposed over HTTP."""

import json

import pytest
from typer.testing import CliRunner

from planner.cli.main import cli
from planner.store.engine import Store
from tests.api.test_evidence import GOOD
from tests.api.test_policies import open_client


def test_a_change_of_any_kind_is_approved_or_found_outdated_at_the_shell(
    installed_copy: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evidence and policies alike; what was made for another state ends as outdated, with exit code 1."""
    monkeypatch.setenv("PLANNER_DATABASE_URL", installed_copy.url)
    monkeypatch.setenv("PLANNER_KEY_PEPPER", "pepper")

    def decide(number: int) -> int:
        return CliRunner().invoke(cli, ["proposals", "approve", str(number), "--reason", "read it too"]).exit_code

    def state(number: int) -> str:
        listed = CliRunner().invoke(cli, ["proposals", "list", "--all", "--json"])
        return str({row["id"]: row["state"] for row in json.loads(listed.stdout)}[number])

    with open_client(installed_copy, two_people=True) as client:
        evidence = client.post("/v1/providers/deepinfra/terms", json=GOOD).json()
        plan = client.post("/v1/plans/pro/policies", json={"policies": ["any-terms"], "reason": "agreed"}).json()
        assert (evidence["state"], plan["state"]) == ("waiting", "waiting")
        assert decide(evidence["proposal"]) == 0
        client.post("/v1/plans/pro/policies", json={"policies": ["zero-retention", "no-training"], "reason": "agreed"})
    assert decide(plan["proposal"]) == 1
    assert [state(one["proposal"]) for one in (evidence, plan)] == ["approved", "outdated"]
