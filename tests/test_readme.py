"""The README cannot drift: its examples print what it says, its tables list what there is."""

import inspect
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from planner.api.problem import STATUS, status_of
from planner.cli import asking, evidencing, probing
from planner.cli.main import cli
from planner.core import doubt, errors, guards
from planner.core.errors import PlannerError
from planner.core.guards import WAIVABLE
from planner.settings import Settings
from planner.store import holds
from planner.store.engine import Store
from tests.conftest import NOW

README = (Path(__file__).resolve().parent.parent / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"```console\n\$ planner ([^\n]+)\n(.*?)\n```", README, re.DOTALL)


@pytest.fixture
def reader(installed: Store, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Somebody with the bundled catalogue, a minute after the moment the examples ask about."""
    monkeypatch.setenv("PLANNER_DATABASE_URL", installed.url)
    monkeypatch.setenv("PLANNER_KEY_PEPPER", "pepper")
    for module in (asking, evidencing, probing):
        monkeypatch.setattr(module, "now", lambda: NOW + timedelta(minutes=1))
    return monkeypatch


def run(command: str) -> str:
    """Run a command and return what it printed, without spaces at the ends of lines."""
    result = CliRunner().invoke(cli, command.split())
    assert result.exit_code == 0, result.output
    return "\n".join(line.rstrip() for line in result.stdout.rstrip().splitlines())


@pytest.mark.parametrize(("command", "printed"), EXAMPLES)
@pytest.mark.usefixtures("reader")
def test_examples_print_what_the_readme_says(command: str, printed: str) -> None:
    """Each example, to the letter."""
    assert run(command) == printed


def test_the_example_still_answers_in_400_days(reader: pytest.MonkeyPatch) -> None:
    """The bundled catalogue gets stale and says so; it does not become unusable by age."""
    reader.setattr(asking, "now", lambda: NOW + timedelta(days=400))
    output = run(EXAMPLES[0][0].partition(" --at")[0])
    assert "STALE" in output
    assert "choice" in output


def test_every_setting_is_in_the_table() -> None:
    """Name, default and meaning of every setting."""
    for name, field in Settings.model_fields.items():
        assert f"| `PLANNER_{name.upper()}` |" in README
        assert str(field.description) in README


def subclasses(kind: type[PlannerError]) -> Iterator[type[PlannerError]]:
    """Yield every refusal."""
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def test_every_refusal_is_documented_with_its_status() -> None:
    """Each code stands in the table beside the status the API gives it."""
    grouping = {errors.NoAnswer, errors.AccessRefused}
    for kind in set(subclasses(PlannerError)) - grouping:
        status = next(STATUS[ancestor] for ancestor in kind.__mro__ if ancestor in STATUS)
        assert re.search(rf"\| [^|]*`{kind.code}`[^|]*\| {status} \|", README), kind.code
    assert status_of(errors.UnknownModel("m")) == 409


def test_every_reason_to_wait_is_documented() -> None:
    """Each code that a price or a list can wait under stands in the chapter about waiting."""
    rooms = [doubt, holds, guards]
    source = "".join(inspect.getsource(room) for room in rooms)
    codes = set(re.findall(r'Reason\(\s*"([a-z_]+)"', source)) | {holds.REOPENED} | set(WAIVABLE)
    assert {"fall", "zero_rate", "renamed"} <= codes
    chapter = README.partition("## When a price waits")[2].partition("\n## ")[0]
    assert [code for code in sorted(codes) if f"`{code}`" not in chapter] == []
