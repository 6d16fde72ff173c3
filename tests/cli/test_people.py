"""People on the command line."""

import json

import pytest
from typer.testing import CliRunner

from planner.cli.main import cli
from planner.core.errors import Conflict, InvalidInput, NotFound, PlannerError
from planner.flows import passwords
from planner.store import audit, people
from planner.store.engine import Store

PASSWORD = "correct horse battery"


@pytest.fixture
def run(unpriced_copy: Store, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """A terminal over a copy of the installed database."""
    monkeypatch.setenv("PLANNER_DATABASE_URL", unpriced_copy.url)
    monkeypatch.setenv("PLANNER_KEY_PEPPER", "pepper")
    return CliRunner()


def test_a_person_from_the_first_day_to_the_last(run: CliRunner, unpriced_copy: Store) -> None:
    """Registered with a password from stdin, listed, promoted, given another password, disabled, enabled."""

    def told(command: str, said: str = "") -> str:
        result = run.invoke(cli, ["people", *command.split()], input=said)
        assert result.exit_code == 0, (command, result.output)
        assert PASSWORD not in result.output
        return result.stdout

    told("add ada@example.com --name Ada --role finance --password-stdin", f"{PASSWORD}\n")
    told("add bob --name Bob --role admin")
    assert "ada@example.com" in told("list")
    told("role ada@example.com admin --reason promoted")
    told("password ada@example.com --reason forgotten", f"{PASSWORD}!\n{PASSWORD}!\n")
    told("disable ada@example.com --reason left")
    told("enable ada@example.com --reason back")
    listed = json.loads(told("list --json"))
    assert [(row["login"], row["role"], row["signs_in_by"], row["disabled_at"]) for row in listed] == [
        ("ada@example.com", "admin", "password", None), ("bob", "admin", "openid, not yet", None),
    ]  # fmt: skip
    with unpriced_copy.read() as connection:
        ada = people.find(connection, "ada@example.com")
        assert audit.verify(connection) is None
    assert ada is not None
    assert passwords.matches(ada.password_hash, f"{PASSWORD}!")


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("add bob --name Bob --role root", InvalidInput),
        ("add b/b --name Bob --role admin", InvalidInput),
        ("add bob --name Bob --role admin --password-stdin", InvalidInput),
        ("disable nobody --reason left", NotFound),
        ("role nobody king --reason so", InvalidInput),
    ],
)
def test_what_does_not_fit_is_refused(run: CliRunner, command: str, kind: type[PlannerError]) -> None:
    """An unknown role, an odd login, a short password, somebody nobody registered."""
    result = run.invoke(cli, ["people", *command.split()], input="short\n")
    assert isinstance(result.exception, kind)
    assert not isinstance(result.exception, Conflict)
