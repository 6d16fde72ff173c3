"""Which host names are answered for, and what every answer says to a browser."""

import re
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.access import ROLES
from planner.app import build
from planner.settings import Settings
from planner.store.engine import Store

KEY = "pk_adminkey_0123456789abcdefghijklmnopqrstuvwxyz"


def asked(store: Store, name: str | list[tuple[str, str]], path: str = "/v1/people", **settings: Any) -> int:
    """Ask an application with these settings as a host, and return the status."""
    made = Settings(admin_key=SecretStr(KEY), key_pepper=SecretStr("pepper"), **settings)
    given = [("Host", name)] if isinstance(name, str) else name
    with TestClient(build(made, store)) as client:
        return client.get(path, headers=[("Authorization", f"Bearer {KEY}"), *given]).status_code


@pytest.mark.parametrize("host", ["127.0.0.1:8321", "localhost:8321", "LOCALHOST", "[::1]:8321", "planner.example.com"])
def test_loopback_and_the_public_name_are_ours(installed: Store, host: str) -> None:
    """Without a setting about hosts, where planner listens on loopback."""
    assert asked(installed, host, allowed_hosts="", public_url="https://planner.example.com") == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "a b", "", "127.0.0.1:x", "a/b", "[x]"]
)
def test_another_name_is_not(installed: Store, host: str) -> None:
    """A site that lets its name point to this machine is refused, and so is what is no name."""
    assert asked(installed, host, allowed_hosts="") == 400
    assert asked(installed, host, "/nothing", allowed_hosts="") == 400


def test_two_hosts_are_none(installed: Store) -> None:
    """What a proxy took for the host must be what planner takes for it."""
    assert asked(installed, [("Host", "127.0.0.1"), ("Host", "localhost")], allowed_hosts="") == 400


def test_on_a_network_any_name_is_ours_unless_names_are_said(installed: Store) -> None:
    """Containers are called by names only their operator knows; health checks come by address."""
    assert asked(installed, "planner:8321", allowed_hosts="", host="0.0.0.0") == 200  # noqa: S104  # as in a container
    assert asked(installed, "other:8321", allowed_hosts="planner", host="0.0.0.0") == 400  # noqa: S104  # the same
    assert asked(installed, "planner:8321", allowed_hosts="planner", host="0.0.0.0") == 200  # noqa: S104  # the same
    assert asked(installed, "10.1.2.3:8321", "/live", allowed_hosts="planner", host="0.0.0.0") == 200  # noqa: S104
    assert asked(installed, "any.example", allowed_hosts="*") == 200


def test_every_answer_carries_the_same_protections(installed: Store) -> None:
    """On every route, on refusals, on what does not exist and on a host that is not ours."""
    made = Settings(admin_key=SecretStr(KEY), key_pepper=SecretStr("pepper"))
    with TestClient(build(made, installed), raise_server_exceptions=False, follow_redirects=False) as client:
        for method, path in [*ROLES, ("GET", "/nothing"), ("PATCH", "/v1/costs")]:
            address = re.sub(r"{[a-z:_]+}", "x", path)
            for headers in ({}, {"Host": "evil example"}):
                said = client.request(method, address, headers=headers, content=b"{}").headers
                assert said["x-content-type-options"] == "nosniff", (method, path)
                assert "frame-ancestors 'none'" in said["content-security-policy"]
                assert said["referrer-policy"] == "no-referrer"
                assert said["cache-control"] == "no-store"
