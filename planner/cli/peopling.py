"""Registering and changing people on the command line; a password comes from a prompt or from stdin, never argv."""

import sys
from collections.abc import Callable
from typing import Any

import typer

from planner.cli import show
from planner.cli.administering import actor
from planner.cli.opened import now, read_settings, store_of
from planner.core.errors import InvalidInput, readable
from planner.flows import passwords
from planner.flows.key import ROLES
from planner.store import people
from planner.store.engine import Connection
from planner.store.people import LOGIN, Person


def list_people(*, as_json: bool) -> None:
    """Print everybody."""
    with store_of(read_settings()).read() as connection:
        found = [_shape(person) for person in people.listed(connection)]
    if as_json:
        show.json_out(found)
        return
    columns = ("login", "name", "role", "signs_in_by", "created_at", "disabled_at")
    show.table(
        "people", [(column, "left") for column in columns], [[row[column] for column in columns] for row in found]
    )


def add(login: str, name: str, role: str, reason: str, *, with_password: bool, as_json: bool) -> None:
    """Register somebody."""
    if not LOGIN.fullmatch(login):
        raise InvalidInput("login", "letters, digits and . _ @ + - are needed, 200 at most")
    if not readable(name):
        raise InvalidInput("name", "a name of printable characters is needed")
    _check_role(role)
    kept = passwords.hashed(_line()) if with_password else None
    _told(
        lambda connection, how: people.add(connection, login=login, name=name, role=role, password_hash=kept, **how),
        reason, "registered", as_json=as_json,
    )  # fmt: skip


def disable(login: str, reason: str, *, as_json: bool) -> None:
    """Disable somebody."""
    _told(lambda connection, how: people.disable(connection, login, **how), reason, "disabled", as_json=as_json)


def enable(login: str, reason: str, *, as_json: bool) -> None:
    """Enable somebody."""
    _told(lambda connection, how: people.enable(connection, login, **how), reason, "enabled", as_json=as_json)


def set_role(login: str, role: str, reason: str, *, as_json: bool) -> None:
    """Give somebody another role."""
    _check_role(role)
    _told(lambda connection, how: people.set_role(connection, login, role, **how), reason, role, as_json=as_json)


def set_password(login: str, reason: str, *, from_input: bool, as_json: bool) -> None:
    """Give somebody another password."""
    said = _line() if from_input else typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    kept = passwords.hashed(said)
    _told(
        lambda connection, how: people.set_password(connection, login, kept, **how), reason, "another password",
        as_json=as_json,
    )  # fmt: skip


def _told(
    change: Callable[[Connection, dict[str, Any]], Person], reason: str, said: str, *, as_json: bool
) -> None:  # fmt: skip
    if not readable(reason):
        raise InvalidInput("reason", "printable characters are needed")
    store = store_of(read_settings())
    how = {"at": now(), "actor": actor(), "reason": reason}
    person = store.tell(lambda connection: change(connection, how))
    if as_json:
        show.json_out(_shape(person))
    else:
        show.line(f"{person.login}: {said}")


def _shape(person: Person) -> dict[str, Any]:
    ways = [("password", person.password_hash), ("openid", person.subject)]
    return {
        "login": person.login,
        "name": person.name,
        "role": person.role,
        "signs_in_by": ", ".join(way for way, there in ways if there is not None) or "openid, not yet",
        "created_at": person.created_at.isoformat(),
        "disabled_at": None if person.disabled_at is None else person.disabled_at.isoformat(),
    }


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise InvalidInput("role", f"one of {', '.join(ROLES)} is needed")


def _line() -> str:
    return sys.stdin.readline().rstrip("\r\n")
