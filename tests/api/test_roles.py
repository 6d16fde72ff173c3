"""Who reaches what: every route under every method, as every kind of caller, against a table written by hand."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.testclient import TestClient
from starlette.types import Message

from planner.app import build
from planner.store import keys, people, sessions
from planner.store.engine import Connection, Store, open_store
from planner.store.migrate import upgrade
from tests.api.role_table import REACHES, TABLE
from tests.api.test_people import OURS, URL, settings
from tests.revocation import furnish, present

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
VALUES = {"plan": "pro", "task": "chat", "login": "nobody", "name": "nothing", "id:path": "x", "prefix": "pk_00000000"}

LASTS = timedelta(hours=1)


class Caller(NamedTuple):
    """Who asks: the role they have, None where planner knows nobody, and what they send this time."""

    role: str | None
    headers: Callable[[], dict[str, str]]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """The application over a small catalogue of its own."""
    url = f"sqlite:///{tmp_path_factory.mktemp('roles') / 'planner.sqlite3'}"
    upgrade(url)
    store = open_store(url)
    furnish(store)
    made = build(settings(), store)
    with TestClient(made):
        yield made
    store.close()


class Door:
    """Hands requests to the application as a server would, with the path exactly as it is written."""

    def __init__(self, app: FastAPI) -> None:
        self._app, self._loop = app, asyncio.new_event_loop()

    def close(self) -> None:
        """End the loop."""
        self._loop.close()

    def ask(self, method: str, address: str, headers: dict[str, str]) -> tuple[int, str]:
        """Ask with an empty object, and return the status and the code of a refusal."""
        path, _, query = address.partition("?")
        sent = {"host": urlsplit(URL).netloc, "content-type": "application/json", **headers}
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "https",
            "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
            "client": ("192.0.2.7", 1), "server": ("planner", 443),
        }  # fmt: skip
        heard: list[Message] = []
        bodies = iter([b"{}"])

        async def receive() -> Message:
            for body in bodies:
                return {"type": "http.request", "body": body, "more_body": False}
            # Who streams an answer listens meanwhile whether anybody is still there.
            return await asyncio.Future()

        async def send(message: Message) -> None:
            heard.append(message)

        self._loop.run_until_complete(self._app(scope, receive, send))
        body = b"".join(message.get("body", b"") for message in heard[1:])
        status: int = heard[0]["status"]
        return status, str(json.loads(body).get("code", "")) if status >= 400 and body else ""


@pytest.fixture(scope="module")
def door(app: FastAPI) -> Iterator[Door]:
    """The way to the application."""
    made = Door(app)
    yield made
    made.close()


@pytest.fixture(scope="module")
def callers(app: FastAPI) -> dict[str, Caller]:
    """Every kind of caller."""
    store: Store = app.state.store
    tell, now = store.tell, present()

    def key(role: str, ends_in: timedelta = LASTS) -> str:
        made = {"name": role, "role": role, "policies": None, "actor": "test", "at": now, "expires_at": now + ends_in}
        return tell(lambda connection: keys.create(connection, app.state.pepper, **made))  # type: ignore[arg-type]  # they are

    def bearer(key: str) -> Callable[[], dict[str, str]]:
        return lambda: {"Authorization": f"Bearer {key}"}

    def person(login: str, role: str) -> Callable[[], str]:
        made = {"login": login, "name": login, "role": role, "password_hash": None, "at": now, "actor": "test"}
        added = tell(lambda connection: people.add(connection, **made, reason="test"))  # type: ignore[arg-type]  # they are

        def begin(connection: Connection) -> str:
            return sessions.begin(connection, added, "password", at=present(), lasts=LASTS)[0]

        return lambda: tell(begin)

    def cookie(token: str) -> dict[str, str]:
        return {**OURS, "Cookie": f"{app.state.site.cookie}={token}"}

    def signed_in(role: str) -> Caller:
        begin = person(f"{role}-person", role)
        # Anew each time: one of the routes ends the session.
        return Caller(role, lambda: cookie(begin()))

    revoked = key("admin")
    tell(lambda connection: keys.revoke(connection, keys.prefix_of(revoked), actor="test", at=now))
    ended = person("ended", "admin")()
    tell(lambda connection: sessions.end(connection, ended, at=now, reason="over"))
    disabled = person("disabled", "admin")()
    tell(lambda connection: people.disable(connection, "disabled", at=now, actor="test", reason="test"))
    twin = f"{keys.prefix_of(key('admin'))}_{'A' * 43}"
    return {
        "anonymous": Caller(None, dict),
        **{f"{role} key": Caller(role, bearer(key(role))) for role in ("backend", "finance", "admin")},
        **{f"{role} session": signed_in(role) for role in ("backend", "finance", "admin")},
        "expired key": Caller(None, bearer(key("admin", timedelta(seconds=-1)))),
        "revoked key": Caller(None, bearer(revoked)),
        "twin of a key": Caller(None, bearer(twin)),
        "ended session": Caller(None, lambda: cookie(ended)),
        "disabled person": Caller(None, lambda: cookie(disabled)),
    }


def served(app: FastAPI) -> set[tuple[str, str]]:
    """Return every method and path the running application answers."""
    return {(method, str(route.path)) for route in iter_route_contexts(app.routes) for method in route.methods or ()}


def address_of(path: str) -> str:
    """Return an address that a path of the table stands for, of something that is not there where that can be."""
    return re.sub(r"{([^}]+)}", lambda found: VALUES.get(found[1], "1"), path)


def test_the_table_lists_what_is_served(app: FastAPI) -> None:
    """A route without a line fails, and so does a line without a route."""
    assert served(app) == set(TABLE)


def test_every_route_admits_whom_the_table_says(app: FastAPI, door: Door, callers: dict[str, Caller]) -> None:
    """401 for whom nobody knows, 403 for whom the table does not name, and neither for everybody else."""
    wrong = []
    for method, path in sorted(served(app)):
        reached = REACHES[TABLE[method, path]]
        for name, caller in callers.items():
            status, code = door.ask(method, address_of(path), caller.headers())
            expected = None if caller.role in reached or None in reached else (401, "unauthenticated")
            if expected is not None and caller.role is not None:
                expected = (403, "forbidden")
            if (status, code) != expected if expected else status in (401, 403) or status >= 500:
                wrong.append((method, path, name, status, code))
    assert wrong == []


def test_no_other_method_is_answered(app: FastAPI, door: Door, callers: dict[str, Caller]) -> None:
    """What no route answers is 405, or 404, for everybody."""
    routes = served(app)
    sent = {name: caller.headers() for name, caller in callers.items()}
    wrong = []
    for path in sorted({path for _method, path in routes}):
        address = address_of(path)
        for method in METHODS:
            if any(method == verb and _fits(address, template) for verb, template in routes):
                continue
            for name, headers in sent.items():
                status, _code = door.ask(method, address, headers)
                if status not in (404, 405):
                    wrong.append((method, path, name, status))
    assert wrong == []


def _fits(address: str, path: str) -> bool:
    pattern = re.sub(r"{[^}:]+}", "[^/]+", re.sub(r"{[^}]+:path}", ".*", path))
    return re.fullmatch(pattern, address) is not None


def variants(address: str) -> Iterator[str]:
    """Yield other spellings of an address that a proxy, a file system or another framework would take for it."""
    first, rest = address[1:].split("/", 1) if address.count("/") > 1 else (address[1:], "")
    last = address.rpartition("/")[2]
    yield from (
        address.upper(), address.swapcase(), f"/{first.upper()}/{rest}", f"{address}/", f"{address}//", f"/{address}",
        f"//{first}//{rest}", f"{address}/%2e", f"/%2e{address}", f"/{first}/%2e/{rest}", f"/live/%2e%2e{address}",
        f"/{first}/%2e%2e/{first}/{rest}", f"/live/..;{address}", f"/live..;{address}", f"/{first}/..;/{first}/{rest}",
        f"/live;{address}", f"/{first};/{rest}", f"{address};", f"{address};.json", f"{address}.json", f"{address}%00",
        f"{address}%20", f"/%2f{address[1:]}", f"/{first}%2f{rest}", f"/{first}%5c{rest}", f"/live%2f%2e%2e{address}",
        f"{address}%3f", f"{address}%23", f"{address[: -len(last)]}%{ord(last[0]):x}{last[1:]}",
        f"{address[: -len(last)]}%25{ord(last[0]):x}{last[1:]}", f"{address}?role=admin", f"{address}/live",
        f"{address}/..;/live", f"{address}/../live", f"/live/..{address}", f"/v1/sessions/../..{address}",
        f"/v1/sessions/..;{address}", f"/v1/sessions/%2e%2e/%2e%2e{address}",
    )  # fmt: skip


def test_no_spelling_of_a_path_opens_a_route(app: FastAPI, door: Door, callers: dict[str, Caller]) -> None:
    """Capitals, slashes, dots, semicolons and escapes: who may not come in the front way comes in no other."""
    wrong = []
    for method, path in sorted(served(app)):
        reached = REACHES[TABLE[method, path]]
        for name in ("anonymous", "backend key", "finance key", "backend session"):
            caller = callers[name]
            if caller.role in reached:
                continue
            headers = caller.headers()
            for address in variants(address_of(path)):
                status, _code = door.ask(method, address, headers)
                if status not in (401, 403, 404, 405):
                    wrong.append((method, address, name, status))
    assert wrong == []
