"""Commitments and pulls on the command line print what the README says, and refuse what cannot be."""

import re
import shlex
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from planner.cli import committing, reporting
from planner.store.engine import Store
from tests import vendors
from tests.cli.test_commands import Planner, planner
from tests.cli.test_desk import desk
from tests.cli.test_pulling import pulls
from tests.conftest import NOW
from tests.ledger_books import event, take
from tests.make import MTOK
from tests.vendors import COMPLETIONS, COSTS

__all__ = ["desk", "planner", "pulls"]

README = (Path(__file__).resolve().parent.parent.parent / "README.md").read_text("utf-8")
PROMISED = (
    *("commitments", "add", "--name", "n", "--provider", "openai", "--valid-from", "2026-11-01T00:00:00Z"),
    *("--reference", "r", "--reason", "signed"),
)


def example(chapter: str) -> list[tuple[list[str], str]]:
    """Return the commands of the first example of a chapter, each with what it printed."""
    text = README.partition(f"### {chapter}\n")[2].partition("```text\n")[2].partition("```")[0]
    steps = (step.partition("\n") for step in re.split(r"^\$ planner ", text, flags=re.MULTILINE)[1:])
    return [(shlex.split(command), printed.strip("\n")) for command, _line, printed in steps]


def printed(out: str) -> str:
    """Return what was printed without blanks at the ends of lines."""
    return "\n".join(line.rstrip() for line in out.rstrip().splitlines())


@pytest.fixture
def buyer(desk: Planner, monkeypatch: pytest.MonkeyPatch) -> Planner:
    """Run planner at noon."""
    for module in (committing, reporting):
        monkeypatch.setattr(module, "now", lambda: NOW)
    return desk


def test_the_example_of_commitments_prints_what_the_readme_says(buyer: Planner, installed_copy: Store) -> None:
    """To the letter, step by step, with forty million tokens on the books."""
    used = event("1", NOW - timedelta(days=8), offer="direct:openai/gpt-5.4", plan="pro", input_tokens=40 * MTOK)
    take(installed_copy, used, at=NOW)
    steps = example("Paid in advance")
    assert len(steps) == 2
    for command, said in steps:
        assert printed(buyer(*command).out) == said


def test_the_example_of_pulling_prints_what_the_readme_says(pulls: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row a day of both reports, on as few pages as were asked for."""
    vendor = vendors.openai()
    vendor.page_buckets = 31
    for days in range(1, 31):
        day: datetime = NOW.replace(hour=0) - timedelta(days=days)
        vendor.put(COMPLETIONS, day, vendors.completion(1_000_000))
        vendor.put(COSTS, day, vendors.line_item("0.15"))
    ((command, said),) = example("Pulling usage and costs")
    with vendor.serving() as account:
        monkeypatch.setenv("PLANNER_OPENAI_PULL_URL", account.url)
        monkeypatch.setenv("OPENAI_ADMIN_KEY", vendors.KEY)
        assert printed(pulls(*command).out) == said


def test_commitments_are_listed_and_taken_off_the_record(buyer: Planner) -> None:
    """As a table and as JSON; what is off the record is not listed."""
    done = buyer(*PROMISED, "--kind", "throughput", "--amount", "30", "--valid-to", "2026-12-01T00:00:00Z", "--json")
    assert done.json == {"id": 1, "amount_usd": "30"}
    (one,) = buyer("commitments", "list", "--json").json
    assert (one["kind"], one["amount_usd"], one["valid_to"]) == ("throughput", "30", "2026-12-01T00:00:00Z")
    assert "throughput" in buyer("commitments", "list").out
    assert buyer("commitments", "void", "1", "--reason", "a slip").out == "commitment 1 is off the record\n"
    assert buyer("commitments", "list", "--json").json == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--kind", "gift", "--amount", "1", "--valid-to", "2026-12-01T00:00:00Z"), "kind"),
        (("--kind", "spend", "--amount", "0", "--valid-to", "2026-12-01T00:00:00Z"), "amount"),
        (("--kind", "spend", "--amount", "1", "--valid-to", "2026-11-01T00:00:00Z"), "later than valid_from"),
        (("--kind", "spend", "--amount", "1", "--valid-to", "2026-12-01T00:00:00Z", "--currency", "EUR"), "fx_rate"),
    ],
)
def test_what_cannot_be_promised_is_refused(buyer: Planner, more: tuple[str, ...], words: str) -> None:
    """Exit 2, with what is wrong."""
    said = buyer(*PROMISED, *more)
    assert (said.code, words in said.err) == (2, True)
