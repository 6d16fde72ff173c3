"""The README cannot drift: its examples print what it says, its tables list what there is."""

import inspect
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from planner.api.problem import STATUS, status_of
from planner.app import build
from planner.cli import (
    administering,
    affording,
    asking,
    bookkeeping,
    budgeting,
    evidencing,
    exporting,
    importing,
    paths,
    probing,
    reporting,
    sizing,
    weighing,
)
from planner.cli.main import cli
from planner.client import Planner
from planner.core import doubt, errors, guards
from planner.core.errors import PlannerError
from planner.core.guards import WAIVABLE
from planner.settings import Settings
from planner.store import holds
from planner.store.engine import Store
from tests.conftest import NOW
from tests.data import shared
from tests.test_door import within

KEY = "pk_adminkey_0123456789abcdefghijklmnopqrstuvwxyz"
PATIENCE_SECONDS = 120
# Those that ask the clock.
MODULES = (
    administering, affording, asking, bookkeeping, budgeting, evidencing, exporting, importing, paths, probing,
    reporting, sizing, weighing,
)  # fmt: skip
README = (Path(__file__).resolve().parent.parent / "README.md").read_text("utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", README, re.DOTALL)
EXAMPLES = re.findall(r"```console\n\$ planner ([^\n]+)\n(.*?)\n```", README, re.DOTALL)


@pytest.fixture
def reader(installed: Store, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Somebody with the bundled catalogue, a minute after the moment the examples ask about."""
    monkeypatch.setenv("PLANNER_DATABASE_URL", installed.url)
    monkeypatch.setenv("PLANNER_KEY_PEPPER", "pepper")
    for module in MODULES:
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


@pytest.mark.parametrize(("program", "printed"), PROGRAMS)
def test_programs_print_what_the_readme_says(
    installed: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path, program: str, printed: str
) -> None:
    """Each is run against a server with the bundled catalogue."""
    settings = Settings(admin_key=SecretStr(KEY), key_pepper=SecretStr("pepper"))
    with within(build(settings, installed, lambda: NOW), settings) as port:
        url = f"http://127.0.0.1:{port}"
        with Planner(url, KEY, timeout=PATIENCE_SECONDS, deadline=PATIENCE_SECONDS) as first:
            first.status()
        program = program.replace("last-good.json", str(tmp_path / "last-good.json"))
        exec(program, {"url": url, "key": KEY})  # noqa: S102  # the README is ours
    assert capsys.readouterr().out == printed


SESSION, BILLING, WHAT_IF, BUDGETS, *_ = re.findall(r"```shell-session\n(.*?)\n```", README, re.DOTALL)


def steps(session: str) -> list[tuple[str, str]]:
    """Return the commands of a session, each with what it printed."""
    return [
        (command, printed.strip("\n"))
        for command, _, printed in (part.partition("\n") for part in session.split("$ planner ")[1:])
    ]


@pytest.fixture
def finance(installed_copy: Store, reader: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Somebody in a folder with two real traces and the files that the chapters of finance show."""
    for trace in ("code", "conv"):
        name = f"AzureLLMInferenceTrace_{trace}.csv"
        (tmp_path / name).symlink_to(shared("usage", "traces", name))
    for body in re.findall(r"```toml\n(.*?)```", README, re.DOTALL):
        name = body.partition("\n")[0].removeprefix("# ")
        if name.endswith(".toml"):
            (tmp_path / name).write_text(body, "utf-8")
    (invoice,) = re.findall(r"```csv\n(.*?)```", README, re.DOTALL)
    (tmp_path / "invoice.csv").write_text(invoice, "utf-8")
    reader.setenv("PLANNER_DATABASE_URL", installed_copy.url)
    reader.chdir(tmp_path)


@pytest.mark.usefixtures("finance")
def test_the_finance_example_prints_what_the_readme_says() -> None:
    """Two real traces as the usage of two plans, step by step, with the files the chapter shows."""
    assert len(steps(SESSION)) == 5
    for command, printed in steps(SESSION):
        assert run(command) == printed


@pytest.mark.usefixtures("finance")
def test_the_billing_example_prints_what_the_readme_says() -> None:
    """The same month, and an invoice for it."""
    for command, _printed in steps(SESSION)[:3]:
        run(command)
    for command, printed in steps(BILLING):
        assert run(command) == printed


@pytest.mark.usefixtures("finance")
def test_the_what_if_example_prints_what_the_readme_says() -> None:
    """The same month under something else."""
    for command, _printed in steps(SESSION)[:3]:
        run(command)
    for command, printed in steps(WHAT_IF):
        assert run(command) == printed


@pytest.mark.usefixtures("finance")
def test_the_budget_example_prints_what_the_readme_says() -> None:
    """What the same month may cost, and what is spent of it."""
    for command, _printed in steps(SESSION)[:3]:
        run(command)
    for command, printed in steps(BUDGETS):
        assert run(command) == printed


@pytest.mark.usefixtures("reader")
def test_the_exported_body_is_what_the_readme_shows() -> None:
    """All of it, under the lines that say where it comes from and change with every revision."""
    command, body = re.findall(r"```yaml\n# planner ([^\n]+)\n(.*?)\n```", README, re.DOTALL)[0]
    assert [line for line in run(command).splitlines() if line[0] != "#"] == body.splitlines()


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
