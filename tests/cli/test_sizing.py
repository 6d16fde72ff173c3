"""Self-host or API, and quotas, on the command line: tables for people, JSON for programs, exit codes for scripts."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from planner.cli import show, sizing
from planner.cli.main import cli
from planner.core.errors import InvalidInput
from planner.store.engine import Store
from tests.conftest import NOW

HOST = (
    "self-host --gpu-hourly-usd 2.50 --tokens-per-second 2400 --input-tokens 2600 --output-tokens 450 --requests 900"
    " --model deepseek/deepseek-v3.2"
)
QUOTA = "quota pro chat --subscribers 10000"


@pytest.fixture(autouse=True)
def reader(installed: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody with the bundled catalogue."""
    monkeypatch.setenv("PLANNER_DATABASE_URL", installed.url)
    monkeypatch.setenv("PLANNER_KEY_PEPPER", "pepper")
    monkeypatch.setattr(sizing, "now", lambda: NOW + timedelta(minutes=1))


def run(command: str) -> Result:
    """Run a command."""
    return CliRunner().invoke(cli, command.split())


def answered(command: str) -> Any:
    """Run a command with ``--json`` and return what it says."""
    result = run(f"{command} --json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_verdict_is_printed_with_its_reasons() -> None:
    """The verdict first, then why, both prices with their units, the break-even and what is assumed."""
    said = run(f"{HOST} --customers 1000 --peak-to-mean 2 --fixed-workload").stdout
    assert said.startswith("verdict    api\nbecause    the volume is stated")
    for words in ("USD/M tokens", "USD/month", "break-even ", "assumed    a month has 730 hours", "revision   "):
        assert words in said


def test_a_verdict_without_an_api_is_printed_too() -> None:
    """There is neither a break-even nor a second price then."""
    found = answered(f"{HOST} --customers 1000")
    assert (found["verdict"], found["self_host"]["replicas"]) == ("api", 1)
    with show.out.capture() as captured:
        sizing.print_self_host({**found, "api": None, "break_even": None, "verdict": "self_host", "assumptions": []})
    assert captured.get().startswith("verdict    self-host\n")
    assert "break-even" not in captured.get()


def test_quotas_are_printed_rule_by_rule(tmp_path: Path) -> None:
    """A log-normal spread, a power law nobody of which reaches the budget, and a file of what customers used."""
    said = run(f"{QUOTA} --median-tokens 50000000 --sigma 2.3").stdout
    assert said.startswith("quota of pro/chat per customer and period, 10000 subscribers")
    for words in (
        "worst_case",
        "USD/customer",
        "recommend  ",
        "overage    at least ",
        "budget     4.12 USD",
        "differently once a cap moves",
    ):
        assert words in said
    found = answered(f"{QUOTA} --minimum-tokens 1000 --exponent 1.5")
    assert found["recommended_quota_tokens"] is None
    with show.out.capture() as captured:
        sizing.print_quota(found)
    assert "no cap is needed" in captured.get()
    users = tmp_path / "users.txt"
    users.write_text("\n".join(str(1_000_000 * 2 ** (n % 12)) for n in range(30)))
    assert "sampled    " in run(f"{QUOTA} --tokens-file {users}").stdout


def test_mistakes_are_usage_errors(tmp_path: Path) -> None:
    """What cannot be read names its place."""
    words = tmp_path / "words.txt"
    words.write_text("many")
    for command, field in (
        (f"{HOST} --customers 1 --prefill-tps 5", "hardware.tokens_per_second"),
        (QUOTA, "distribution"),
        (f"{QUOTA} --sigma 2.3", "distribution.median_tokens"),
        (f"{QUOTA} --tokens-file {words}", "tokens-file"),
    ):
        error = run(command).exception
        assert isinstance(error, InvalidInput), command
        assert error.field == field
    assert run("self-host").exit_code == 2
