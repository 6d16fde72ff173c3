"""The polled answer before the framework: the same bytes, the same checks."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from planner.api import shortcut
from planner.api.shortcut import Shortcut
from planner.store.engine import Store
from tests.api.test_desk import client, key, store

__all__ = ["client", "store"]

POLLED = "/v1/plans/pro/tasks/chat/recommendation"


def test_both_ways_answer_with_the_same_bytes(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status, headers and body are the same, with and without the tag of what is held."""
    first = client.get(POLLED)
    held = {"If-None-Match": first.headers["etag"]}
    for headers in (None, held, {"If-None-Match": '"other"'}):
        short = client.get(POLLED, headers=headers)
        with monkeypatch.context() as patch:
            # Nothing is found on the short way, so that the framework is asked.
            patch.setattr(shortcut, "_plan_and_task", lambda _path: None)
            whole = client.get(POLLED, headers=headers)
        assert (short.status_code, short.content) == (whole.status_code, whole.content)
        assert sorted(short.headers.multi_items()) == sorted(whole.headers.multi_items())
    assert client.get(POLLED, headers=held).status_code == 304


def test_who_is_refused_on_the_whole_way_is_refused(client: TestClient, store: Store) -> None:
    """A held answer is nobody's without a valid key, from an unknown host, or under another path."""
    client.get(POLLED)
    wrong = {"Authorization": "Bearer pk_nobody_1234567890123456789012345678901234567890"}
    for headers in (wrong, {"Authorization": "Basic abc"}, {"Authorization": ""}):
        assert client.get(POLLED, headers=headers).status_code == 401
    assert client.get(POLLED, headers={"Host": "evil.test"}).status_code == 400
    assert client.get("/v1/plans/pro/tasks/chat/x/recommendation").status_code == 404
    assert client.get("/v1/plans//tasks/chat/recommendation").status_code == 404
    assert client.get(POLLED, headers=key(store, "backend")).status_code == 200


def test_the_second_request_does_not_reach_the_framework(client: TestClient) -> None:
    """What is held is answered in front; anything else is passed on."""
    app: Any = client.app
    seen: list[str] = []

    async def behind(scope: Any, _receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    client.get(POLLED)
    bearer = {"Authorization": client.headers["Authorization"]}
    short = TestClient(Shortcut(behind, app.state), headers=bearer)
    assert short.get(POLLED).status_code == 200
    assert seen == []
    for path in (POLLED + "?customer=c", "/v1/plans/pro/tasks/other/recommendation", "/v1/models"):
        assert short.get(path).status_code == 204
    assert short.post(POLLED).status_code == 204
    assert len(seen) == 4
