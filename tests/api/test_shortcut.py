"""The polled answer before the framework: the same bytes, the same checks; and one read for all who wait."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from starlette.testclient import TestClient

from planner.api.confirming import Confirming
from planner.api.shortcut import Shortcut
from planner.flows.current import Current
from planner.store.engine import Store
from tests.api.test_desk import client, key, store

__all__ = ["client", "store"]

POLLED = "/v1/plans/pro/tasks/chat/recommendation"


def whole_way(client: TestClient, headers: dict[str, str] | None = None, path: str = POLLED) -> Any:
    """Ask with a name in the query, so that the framework is asked; at the present, the answer is the same."""
    app: Any = client.app
    held, app.state.polled.kept = app.state.polled.kept, lambda *_a, **_k: None
    try:
        return client.get(path, headers=headers)
    finally:
        app.state.polled.kept = held


def test_both_ways_answer_with_the_same_bytes(client: TestClient) -> None:
    """Status, headers and body are the same, with and without the tag of what is held."""
    first = client.get(POLLED)
    for headers in (None, {"If-None-Match": first.headers["etag"]}, {"If-None-Match": '"other"'}):
        short, whole = client.get(POLLED, headers=headers), whole_way(client, headers)
        assert (short.status_code, short.content) == (whole.status_code, whole.content)
        assert sorted(short.headers.multi_items()) == sorted(whole.headers.multi_items())
    assert client.get(POLLED, headers={"If-None-Match": first.headers["etag"]}).status_code == 304


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
    with TestClient(Shortcut(behind, app.state), headers=bearer) as short:
        assert short.get(POLLED).status_code == 200
        assert seen == []
        for path in (POLLED + "?customer=c", "/v1/plans/pro/tasks/other/recommendation", "/v1/models"):
            assert short.get(path).status_code == 204
        assert short.post(POLLED).status_code == 204
        assert len(seen) == 4


class Slow:
    """A database whose reads take until they are let go."""

    def __init__(self) -> None:
        self.reads = 0
        self.go = threading.Semaphore(0)

    def confirmed(self) -> Any:
        """Return the number of the read, once it may end."""
        self.reads += 1
        number = self.reads
        assert self.go.acquire(timeout=10)
        return number


def eventually(reads: Callable[[], int], wanted: int) -> Any:
    """Wait until so many reads have begun."""

    async def wait() -> None:
        # What is waited for happens in a thread that knows no event loop.
        while reads() < wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    return asyncio.wait_for(wait(), 10)


def test_a_read_serves_all_who_came_before_it_began() -> None:
    """The first begins at once; those who come meanwhile share the second, never the first: they came after it."""
    slow, confirming = Slow(), Confirming()
    current: Current = slow  # type: ignore[assignment]  # it is asked for nothing else

    async def ask() -> list[Any]:
        first = asyncio.create_task(confirming.fresh(current))
        await eventually(lambda: slow.reads, 1)
        others = [asyncio.create_task(confirming.fresh(current)) for _ in range(20)]
        await asyncio.sleep(0)
        others[0].cancel()
        slow.go.release(2)
        return [await first, *await asyncio.gather(*others[1:])]

    assert asyncio.run(ask()) == [1] + [2] * 19
    assert slow.reads == 2
    confirming.close()
