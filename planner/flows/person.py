"""An admin's work on people: what lets somebody reach more than before may need a second person."""

from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from planner.core.errors import Conflict
from planner.flows.second import By, Kind, Reply, Wish, change
from planner.flows.way_in import ADMIN, Doors, keep_open
from planner.store import makers, people
from planner.store.engine import Connection
from planner.store.json_text import time_text
from planner.store.people import Person

ADD, ENABLE, ROLE, PASSWORD = "person.add", "person.enable", "person.role", makers.PASSWORD


def kinds(doors: Doors | None) -> dict[str, Kind]:
    """Return the changes of people that a second person may have to agree to: whatever makes or lets in an admin."""
    return {
        ADD: Kind(_wish_add, _do_add, plans=False),
        ENABLE: Kind(partial(_wish, ENABLE), _do_enable, plans=False),
        ROLE: Kind(partial(_wish, ROLE), partial(_do_role, doors), plans=False),
        PASSWORD: Kind(partial(_wish, PASSWORD), _do_password, plans=False),
    }


def set_password(connection: Connection, kind: Kind, login: str, password_hash: str, by: By) -> Reply:
    """Give somebody another password; one's own needs nobody's leave.

    Raises:
        NotFound: nobody has this login.
    """
    own = by.actor == f"person:{login}"
    return change(
        connection, kind, login, {"password_hash": password_hash}, replace(by, two_people=False) if own else by
    )


def disable(connection: Connection, login: str, by: By, doors: Doors | None) -> Reply:
    """Let somebody sign in no more, and end where they are signed in.

    Raises:
        NotFound: nobody has this login.
        Conflict: they are disabled already, or no admin could come in any more.
    """
    person = people.disable(connection, login, at=by.at, actor=by.actor, reason=by.reason)
    if person.role == ADMIN:
        keep_open(connection, by.at, doors)
    return reply(person)


def reply(person: Person) -> Reply:
    """Write a person; of a password only that there is one."""
    return {
        "login": person.login,
        "name": person.name,
        "role": person.role,
        "has_password": person.password_hash is not None,
        "issuer": person.issuer,
        "created_at": time_text(person.created_at),
        "created_by": person.created_by,
        "disabled_at": time_text(person.disabled_at),
    }


def _wish_add(connection: Connection, login: str, body: dict[str, Any], _at: datetime) -> Wish:
    people.check_free(connection, login)
    return Wish(kind=ADD, subject=login, body=body, widens=(ADMIN,) if body["role"] == ADMIN else (), basis="")


def _wish(kind: str, connection: Connection, login: str, body: dict[str, Any], _at: datetime) -> Wish:
    """Read a change of somebody who is registered; it widens where they are an admin after it.

    Raises:
        NotFound: nobody has this login.
        Conflict: they are so already.
    """
    person = people.known(connection, login)
    if body.get("role") == person.role or (kind == ENABLE and person.disabled_at is None):
        raise Conflict("person", login, f"{person.role} already" if "role" in body else "not disabled")
    widens = (ADMIN,) if body.get("role", person.role) == ADMIN else ()
    state = "disabled" if person.disabled_at is not None else "enabled"
    return Wish(kind=kind, subject=login, body=body, widens=widens, basis=f"{person.role} {state}")


def _do_add(connection: Connection, wish: Wish, by: By) -> Reply:
    return reply(people.add(connection, login=wish.subject, **wish.body, **_how(by), created_by=by.wanted_by))


def _do_enable(connection: Connection, wish: Wish, by: By) -> Reply:
    return reply(people.enable(connection, wish.subject, **_how(by)))


def _do_role(doors: Doors | None, connection: Connection, wish: Wish, by: By) -> Reply:
    before = people.known(connection, wish.subject)
    person = people.set_role(connection, wish.subject, wish.body["role"], **_how(by))
    if before.role == ADMIN:
        keep_open(connection, by.at, doors)
    return reply(person)


def _do_password(connection: Connection, wish: Wish, by: By) -> Reply:
    password_hash = wish.body["password_hash"]
    return reply(people.set_password(connection, wish.subject, password_hash, **_how(by), wanted_by=by.wanted_by))


def _how(by: By) -> dict[str, Any]:
    return {"at": by.at, "actor": by.actor, "reason": by.reason}
