"""What is not an answer: garbage, other statuses, connections that break or take too long."""

import asyncio
import json
import socket
import threading
from typing import Any

import pytest

from planner.client import (
    AsyncPlanner,
    Planner,
    Recommendation,
    Unavailable,
    Unreachable,
    Unreadable,
)
from tests.client.peers import KEY, Peer, Reply, answer, client, good
from tests.loopback import free_port, misbehaving

GARBAGE = [
    b"<!doctype html>", b"", b"[1]", b'{"choice": 1}', b"[" * 100_000, b"\xff\xfe",
    json.dumps(answer(budget_usd=4.12)).encode(), json.dumps(answer(revision=True)).encode(),
    json.dumps(answer(at="noon")).encode(), json.dumps(answer(budget_usd="NaN")).encode(),
    json.dumps(answer(refused={"a": "1"})).encode(), json.dumps(answer(at="2026-11-24T12:00:00")).encode(),
    json.dumps(answer(budget_usd="four")).encode(), json.dumps(answer(fallbacks=None)).encode(),
]  # fmt: skip


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_no_answer(peer: Peer, url: str, garbage: bytes) -> None:
    """A page of something in between, or money as a JSON number: the last good answer stands in, else it is told."""
    peer.then(Reply(200, garbage))
    with client(url) as planner:
        with pytest.raises(Unreadable):
            planner.recommendation("pro", "chat")
        peer.then(good())
        planner.recommendation("pro", "chat")
        peer.then(Reply(200, garbage))
        assert planner.recommendation("pro", "chat").last_good


@pytest.mark.parametrize("status", [204, 302, 500, 502])
def test_other_answers_are_none(peer: Peer, url: str, status: int) -> None:
    """A redirect leads somewhere else, and a mistake of planner's is not an answer."""
    peer.then(Reply(status, b"", {"Location": "http://127.0.0.1:9/"}))
    with client(url) as planner, pytest.raises(Unavailable) as refused:
        planner.recommendation("pro", "chat")
    assert refused.value.status == status


def reset(link: socket.socket) -> None:
    """Hang up without a word."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def cut(link: socket.socket) -> None:
    """Send the half of an answer."""
    link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


@pytest.mark.parametrize("behave", [reset, cut])
def test_a_broken_connection_is_unreachable(behave: Any) -> None:
    """Asked as often as was allowed."""
    with misbehaving(behave) as url, Planner(url, KEY, retries=2) as planner, pytest.raises(Unreachable) as refused:
        planner.recommendation("pro", "chat")
    assert (refused.value.code, refused.value.status) == ("unreachable", 0)


def test_nobody_there_is_unreachable() -> None:
    """No connection at all."""
    with Planner(f"http://127.0.0.1:{free_port()}", KEY, retries=0) as planner, pytest.raises(Unreachable):
        planner.status()


def dripping(link: socket.socket) -> None:
    """Send a body that never ends, one byte after the other."""
    link.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        link.sendall(b" ")
        threading.Event().wait(0.02)


def silent(link: socket.socket) -> None:
    """Read, and never answer."""
    while link.recv(1):
        pass


@pytest.mark.parametrize("behave", [dripping, silent])
def test_the_deadline_ends_a_slow_answer(behave: Any) -> None:
    """Also one that goes on coming."""
    options: dict[str, Any] = {"retries": 0, "timeout": 30.0, "deadline": 0.3}
    with misbehaving(behave) as url, Planner(url, KEY, **options) as planner, pytest.raises(Unreachable):
        planner.recommendation("pro", "chat")

    async def ask() -> None:
        async with AsyncPlanner(url, KEY, **options) as planner:
            await planner.recommendation("pro", "chat")

    with misbehaving(behave) as url, pytest.raises(Unreachable):
        asyncio.run(ask())


def test_after_503_it_is_asked_again_on_the_wire(peer: Peer, url: str) -> None:
    """The blocking client and the awaiting one do wait, and then have the answer."""
    busy = Reply(503, b"", {"Retry-After": "0"})
    peer.then(busy, busy, good())
    with Planner(url, KEY) as planner:
        assert planner.recommendation("pro", "chat").choice.offer == "direct:acme/small"

    async def ask() -> Recommendation:
        async with AsyncPlanner(url, KEY) as planner:
            return await planner.recommendation("pro", "chat")

    peer.then(busy, busy, good())
    assert asyncio.run(ask()).choice.offer == "direct:acme/small"
    assert len(peer.asked) == 6
