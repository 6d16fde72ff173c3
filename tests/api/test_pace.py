"""Who asks too often waits, whatever else changes about the requests; everybody else goes on."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from starlette.testclient import TestClient

from planner.api.pace import Paces
from planner.app import build
from planner.core.errors import TooManyRequests
from planner.settings import Settings
from planner.store import keys
from planner.store.engine import Store
from tests.conftest import NOW

KEY = "pk_adminkey_0123456789abcdefghijklmnopqrstuvwxyz"
POLLED = "/v1/plans/pro/tasks/chat/recommendation"
WRONG = "pk_adminkey_wrong"


@contextmanager
def door(store: Store, **settings: Any) -> Iterator[TestClient]:
    """Open an application with these settings."""
    made = Settings(admin_key=SecretStr(KEY), key_pepper=SecretStr("pepper"), **settings)
    with TestClient(build(made, store), follow_redirects=False) as client:
        yield client


def bearer(key: str, **headers: str) -> dict[str, str]:
    """Return the headers of a key."""
    return {"Authorization": f"Bearer {key}", **headers}


def key_of(store: Store, name: str) -> str:
    """Make a key for a backend."""
    return store.tell(
        lambda connection: keys.create(
            connection, b"pepper", name=name, role="backend", policies=None, expires_at=None, actor="test", at=NOW
        )
    )


def statuses(client: TestClient, key: str, paths: list[str], *, seed: int = 1) -> Counter[int]:
    """Ask for each path as from another address every time, and count the answers."""
    dice = Random(seed)
    found: Counter[int] = Counter()
    for path in paths:
        said = ".".join(str(dice.randrange(256)) for _ in range(4))
        found[client.get(path, headers=bearer(key, **{"X-Forwarded-For": said, "X-Real-IP": said})).status_code] += 1
    return found


@pytest.mark.parametrize("path", [POLLED, "/v1/tiers"])
def test_a_thousand_addresses_are_one_key(installed: Store, path: str) -> None:
    """Each request says another ``X-Forwarded-For``: after ten the key waits, on the fast route as on any other."""
    # One piece of the allowance comes back in six seconds.
    with door(installed, requests_per_minute=10) as client:
        found = statuses(client, KEY, [path] * 1_000)
    assert set(found) == {200, 429}
    assert found[429] > 900


def test_spellings_of_a_path_are_no_way_round(installed: Store) -> None:
    """Another case and another slash are no paths, and leave the key no more than it had."""
    with door(installed, requests_per_minute=1) as client:
        assert client.get(POLLED, headers=bearer(KEY)).status_code == 200
        for path in (POLLED, POLLED + "?", "/v1/tiers", "/v1/%74iers", "/v1/models/x/"):
            assert client.get(path, headers=bearer(KEY)).status_code in (429, 404), path
        for path in (POLLED.upper(), POLLED + "/", "//v1/tiers", "/v1//tiers"):
            assert client.get(path, headers=bearer(KEY)).status_code == 404, path
        assert client.get(POLLED, headers={"authorization": f"bearer  {KEY} "}).status_code == 429


def test_who_waits_is_told_how_long(installed: Store) -> None:
    """A problem with ``Retry-After``, in whole seconds that are enough."""
    with door(installed, requests_per_minute=1) as client:
        client.get(POLLED, headers=bearer(KEY))
        answer = client.get(POLLED, headers=bearer(KEY))
    assert (answer.status_code, answer.headers["content-type"]) == (429, "application/problem+json")
    assert answer.json()["code"] == "too_many_requests"
    assert 0 < int(answer.headers["retry-after"]) == answer.json()["retry_after_seconds"] <= 60


def test_another_key_is_not_affected(installed_copy: Store) -> None:
    """One key waits, another has its own allowance; a new key of the same name has not."""
    first, second, renewed = (key_of(installed_copy, name) for name in ("shop", "chat", "shop"))
    with door(installed_copy, requests_per_minute=2) as client:
        assert statuses(client, first, [POLLED] * 3) == {200: 2, 429: 1}
        assert statuses(client, second, [POLLED] * 2) == {200: 2}
        assert statuses(client, renewed, [POLLED]) == {429: 1}


def test_wrong_keys_wait_while_a_right_one_from_the_same_address_works(installed: Store) -> None:
    """Many services sit behind one address; who guesses there stops nobody but the guessers."""
    with door(installed, failed_requests_per_minute=5) as client:
        found = Counter[int]()
        for number in range(200):
            found += statuses(client, f"pk_{number:08}_guess", [POLLED], seed=number)
        assert set(found) == {401, 429}
        assert found[429] > 150
        assert statuses(client, KEY, [POLLED] * 50) == {200: 50}
        for headers in ({}, {"Cookie": "planner=guess"}, {"Authorization": "Basic x"}):
            answer = client.get(POLLED, headers=headers)
            assert (answer.status_code, answer.headers["content-type"]) == (429, "application/problem+json")
            assert int(answer.headers["retry-after"]) > 0


def test_right_requests_use_nothing_of_what_wrong_ones_may(installed: Store) -> None:
    """A busy service leaves the allowance of failures alone."""
    with door(installed, failed_requests_per_minute=1) as client:
        assert statuses(client, KEY, [POLLED] * 20) == {200: 20}
        assert statuses(client, WRONG, [POLLED] * 2) == {401: 1, 429: 1}


def test_zero_is_no_limit(installed: Store) -> None:
    """Neither for keys nor for failures."""
    with door(installed, requests_per_minute=0, failed_requests_per_minute=0) as client:
        assert statuses(client, KEY, [POLLED] * 20) == {200: 20}
        assert statuses(client, WRONG, [POLLED] * 20) == {401: 20}


def test_one_network_of_ipv6_is_one_address() -> None:
    """Who has one address of a /64 has all of them; the next /64 is somebody else."""
    paces = Paces(0, 1)
    paces.count_failed("2001:db8::1")
    with pytest.raises(TooManyRequests):
        paces.count_failed("2001:db8::ffff:2")
    paces.count_failed("2001:db8:0:1::1")


@pytest.mark.parametrize("said", ["*", "10.0.0.1/8", "proxy.example.com", "10.0.0.1,*"])
def test_a_proxy_is_named_by_address(said: str) -> None:
    """Anybody, a misspelt network and a name are refused: whoever is believed could pass for everybody."""
    with pytest.raises(ValidationError):
        Settings(forwarded_allow_ips=said)
