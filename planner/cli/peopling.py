"""Registering and changing people on the command line; a password comes from a prompt or from stdin, never argv."""

import sys
from typing import Any

import typer

from planner.cli import show
from planner.cli.administering import changed, done, told
from planner.cli.opened import read_settings, store_of
from planner.core.errors import InvalidInput, readable
from planner.flows import passwords, person
from planner.flows.key import ROLES
from planner.flows.second import Reply
from planner.store import people
from planner.store.people import LOGIN, Person


def list_people(*, as_json: bool) -> None:
    """Print everybody."""
    with store_of(read_settings()).read() as connection:
        found = [_shape(one) for one in people.listed(connection)]
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
    body = {"name": name, "role": role, "password_hash": kept}
    _done(changed(person.ADD, login, body, reason), login, "registered", as_json=as_json)


def disable(login: str, reason: str, *, as_json: bool) -> None:
    """Disable somebody."""
    reply = told(reason, lambda connection, by: person.disable(connection, login, by, None))
    _done(reply, login, "disabled", as_json=as_json)


def enable(login: str, reason: str, *, as_json: bool) -> None:
    """Enable somebody."""
    _done(changed(person.ENABLE, login, {}, reason), login, "enabled", as_json=as_json)


def set_role(login: str, role: str, reason: str, *, as_json: bool) -> None:
    """Give somebody another role."""
    _check_role(role)
    _done(changed(person.ROLE, login, {"role": role}, reason), login, role, as_json=as_json)


def set_password(login: str, reason: str, *, from_input: bool, as_json: bool) -> None:
    """Give somebody another password."""
    said = _line() if from_input else typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    body = {"password_hash": passwords.hashed(said)}
    _done(changed(person.PASSWORD, login, body, reason), login, "another password", as_json=as_json)


def _done(reply: Reply, login: str, said: str, *, as_json: bool) -> None:
    done(reply, f"{login}: {said}", as_json=as_json)


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
