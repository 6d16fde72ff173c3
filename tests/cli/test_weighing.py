"""Cost against quality on the command line: tables with units, JSON, and exit codes."""

from datetime import timedelta

import pytest

from planner.cli import weighing
from planner.store.engine import Store
from tests.cli.test_commands import Planner, planner  # noqa: F401  # a fixture is found by its name
from tests.conftest import NOW

AT = ("--plan", "pro", "--task", "chat")


@pytest.fixture
def reader(planner: Planner, installed: Store, monkeypatch: pytest.MonkeyPatch) -> Planner:  # noqa: F811  # the fixture
    """Run planner over the installed catalogue, which must not be written."""
    monkeypatch.setenv("PLANNER_DATABASE_URL", installed.url)
    monkeypatch.setenv("PLANNER_KEY_PEPPER", "pepper")
    monkeypatch.setattr(weighing, "now", lambda: NOW + timedelta(minutes=1))
    return planner


def test_a_frontier_is_a_table_with_units(reader: Planner) -> None:
    """Cost, margin, and what the next point of quality costs; the bargains below."""
    said = reader("frontier", *AT)
    assert said.code == 0
    for heading in ("USD/request", "USD/period", "next: USD/point", "bargains", "without a score"):
        assert heading in said.out


def test_a_frontier_as_json_is_the_answer_over_http(reader: Planner) -> None:
    """The same fields, on the index that is named."""
    said = reader("frontier", *AT, "--index", "arena_text", "--json")
    assert said.json["index"] == "arena_text"
    assert said.json["points"][0]["quality"]["source_url"]


def test_a_mixture_says_its_verdict_and_reasons(reader: Planner) -> None:
    """With the costs of every way, for a question spelled out."""
    said = reader(
        "mixture", "--input-tokens", "2600", "--output-tokens", "450", "--requests", "900", "--revenue-usd", "20.00",
        "--margin", "0.70", "--tier", "1", "--tier", "2", "--escalated-share", "0.1", "--router-ms", "20",
    )  # fmt: skip
    assert said.code == 0
    for words in (
        "verdict    best_alone",
        "a cascade costs less than the strong offer alone",
        "router, 0.1 strong",
        "assumed",
    ):
        assert words in said.out
    assert reader("mixture", *AT, "--json").json["verdict"]


def test_what_has_no_answer_exits_1_and_what_cannot_be_read_2(reader: Planner) -> None:
    """An index nobody is scored on; neither a plan nor counts."""
    for command in ("frontier", "mixture"):
        assert reader(command, *AT, "--index", "beauty").code == 1
        assert reader(command).code == 2


@pytest.mark.parametrize("command", ["frontier", "mixture"])
def test_help_says_what_every_option_means(reader: Planner, command: str) -> None:
    """With units."""
    said = reader(command, "--help")
    assert said.code == 0
    assert "USD" in said.out
