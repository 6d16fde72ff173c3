"""Keys on the command line."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from planner.cli.main import cli
from planner.core.errors import Conflict, InvalidInput, NotFound, PlannerError
from planner.store import audit, keys
from planner.store.engine import Store

Told = Callable[[str], Any]


@pytest.fixture
def told(unpriced_copy: Store, monkeypatch: pytest.MonkeyPatch) -> Told:
    """Run a command about keys over a copy of the installed database, and read its JSON."""
    monkeypatch.setenv("PLANNER_DATABASE_URL", unpriced_copy.url)
    monkeypatch.setenv("PLANNER_KEY_PEPPER", "pepper")

    def run(command: str) -> Any:
        result = CliRunner().invoke(cli, ["keys", *command.split(), "--json"])
        if isinstance(result.exception, PlannerError):
            raise result.exception
        assert result.exit_code == 0, (command, result.output)
        return json.loads(result.stdout)

    return run


def test_a_key_is_made_granted_rotated_and_revoked(told: Told, unpriced_copy: Store) -> None:
    """With an end, a policy and a reason; the new one lives as long and names the same; the trail says why."""
    made = told("create --name shop --role backend --policy any-terms --expires-days 90 --reason launch")
    assert told(f"grant {made['prefix']} --policy zero-retention --reason stricter")["policies"] == ["zero-retention"]
    new = told(f"rotate {made['prefix']} --overlap-hours 24 --reason quarterly")
    rows = {row["prefix"]: row for row in told("list")}
    old, fresh = rows[made["prefix"]], rows[new["prefix"]]
    assert (old["rotated_to"], fresh["policies"], fresh["last_used_at"]) == (new["prefix"], ["zero-retention"], None)
    began, ended, ends = map(datetime.fromisoformat, (fresh["created_at"], old["expires_at"], fresh["expires_at"]))
    assert ended - began == timedelta(hours=24)
    assert timedelta(days=89) < ends - began <= timedelta(days=90)
    assert told(f"revoke {made['prefix']} --reason leaked")["revoked"] == made["prefix"]
    with unpriced_copy.read() as connection:
        found = audit.entries(connection, audit.Wanted(), None, 5)
        assert keys.load_keys(connection, b"pepper").find(new["key"], began)
    assert [(row["action"], row["reason"]) for row in reversed(found)] == [
        ("key.create", "launch"), ("key.policies", "stricter"), ("key.create", "quarterly"),
        ("key.rotate", "quarterly"), ("key.revoke", "leaked"),
    ]  # fmt: skip


def test_the_last_admin_key_may_go(told: Told) -> None:
    """Who has a shell can always make another."""
    made = told("create --name root --role admin")
    new = told(f"rotate {made['prefix']}")
    assert told(f"revoke {new['prefix']}")["revoked_at"] is not None


def test_what_a_person_reads(told: Told, unpriced_copy: Store) -> None:
    """The key alone on stdout, the list with the last use, and what a key may name."""
    assert unpriced_copy.is_sqlite
    shown = CliRunner().invoke(cli, ["keys", "create", "--name", "shop", "--role", "backend"])
    key = shown.stdout.strip()
    assert "Shown once" in shown.stderr
    prefix = keys.prefix_of(key)
    assert told("list")[0]["prefix"] == prefix
    assert "last_used_at" in CliRunner().invoke(cli, ["keys", "list"]).stdout
    granted = CliRunner().invoke(cli, ["keys", "grant", prefix, "--policy", "any-terms"]).stdout
    assert granted == f"{prefix} may name the default, any-terms\n"


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("create --name x --role root", InvalidInput),
        ("create --name x --role backend --policy nope", NotFound),
        ("create --name x --role finance --policy any-terms", InvalidInput),
        ("create --name PLANNER_ADMIN_KEY --role admin", Conflict),
        ("rotate pk_00000000", NotFound),
        ("grant pk_00000000", NotFound),
        ("revoke pk_00000000", NotFound),
    ],
)
def test_what_does_not_fit_is_refused(told: Told, command: str, kind: type[PlannerError]) -> None:
    """An unknown role or policy, a policy for who may name all, a reserved name, a key nobody has."""
    with pytest.raises(kind):
        told(command)
    assert told("list") == []


def test_an_admin_key_waits_where_the_house_asks_for_two(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with a shell; the key is printed for who approves it, and a person is an admin after that as well."""
    monkeypatch.setenv("PLANNER_TWO_PEOPLE", "1")

    def run(user: str, command: str, said: str = "") -> str:
        monkeypatch.setenv("LOGNAME", user)
        result = CliRunner().invoke(cli, command.split(), input=said)
        if isinstance(result.exception, PlannerError):
            raise result.exception
        return result.stdout

    waits = run("ann", "keys create --name root --role admin")
    assert waits == "Waits for a second person as proposal 1: it lets more through (admin).\n"
    with pytest.raises(Conflict):
        run("ann", "proposals approve 1 --reason mine")
    key = run("bea", "proposals approve 1 --reason agreed").strip()
    assert [(row["prefix"], row["created_by"]) for row in told("list")] == [(keys.prefix_of(key), "cli:ann")]
    run("ann", "people add ada --name Ada --role admin --password-stdin", "correct horse battery\n")
    assert "argon2" not in run("bea", "proposals list --json")
    assert run("bea", "proposals approve 2 --reason agreed") == "done: proposal 2\n"
    assert json.loads(run("bea", "people list --json"))[0]["role"] == "admin"
