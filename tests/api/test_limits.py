"""What the door takes in: one spelling of a path, and bodies of a size, as they are."""

import gzip
import re
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.access import ROLES
from planner.api.limits import BODY_BYTES_MAX, FILE_BYTES_MAX
from planner.app import build
from planner.settings import Settings
from planner.store.engine import Store
from tests.api.test_contract import problem

KEY = "pk_adminkey_0123456789abcdefghijklmnopqrstuvwxyz"
FILES = ("/v1/policies/import", "/v1/terms/import")


@pytest.fixture(scope="module")
def client(installed: Store) -> Iterator[TestClient]:
    """A client with the admin key that follows no redirects."""
    made = Settings(admin_key=SecretStr(KEY), key_pepper=SecretStr("pepper"))
    with TestClient(build(made, installed), headers={"Authorization": f"Bearer {KEY}"}, follow_redirects=False) as it:
        yield it


def pieces(size: int) -> Iterator[bytes]:
    """Yield so many bytes of a body in pieces, so that nothing says beforehand how many there are."""
    while size > 0:
        yield b" " * min(size, 1 << 16)
        size -= 1 << 16


@pytest.mark.parametrize(("method", "path"), ROLES)
def test_a_path_with_a_slash_too_many_is_no_path(client: TestClient, method: str, path: str) -> None:
    """Nobody is sent on to the right one, and no method of another one is offered."""
    answer = client.request(method, re.sub(r"{[a-z:_]+}", "x", path) + "/", content=b"{}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("path", "bytes_max"),
    [("/v1/costs", BODY_BYTES_MAX), *((path, FILE_BYTES_MAX) for path in FILES)],
)
def test_a_body_ends_at_the_limit_of_its_route(client: TestClient, path: str, bytes_max: int) -> None:
    """As many bytes are read, and refused for what they say; one more is not read, whether its size was said or not."""
    ask = {"format": "csv", "reason": "r"} if path in FILES else {}
    assert client.post(path, params=ask, content=b" " * bytes_max).status_code == 422
    for body in (b" " * (bytes_max + 1), pieces(bytes_max + 1)):
        answer = client.post(path, params=ask, content=body)
        assert (answer.status_code, answer.json()["bytes_max"]) == (413, bytes_max)


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "identity, gzip", "zstd"])
def test_an_encoded_body_is_refused_before_it_is_read(client: TestClient, encoding: str) -> None:
    """However large it is."""

    def unread() -> Iterator[bytes]:
        yield gzip.compress(b"{}")
        yield b" " * BODY_BYTES_MAX

    answer = client.post("/v1/costs", content=unread(), headers={"Content-Encoding": encoding})
    assert (answer.status_code, answer.json()["code"]) == (415, "encoded_body")


def test_a_body_that_says_it_is_as_it_is_is_read(client: TestClient) -> None:
    """``identity`` is no encoding."""
    answer = client.post("/v1/costs", content=b"[]", headers={"Content-Encoding": "identity"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body")


def test_a_mistake_of_planners_own_is_a_problem_that_tells_nothing(installed: Store) -> None:
    """What went wrong stands in the log; the answer has the form and the headers of every other refusal."""
    app = build(Settings(admin_key=SecretStr(KEY), key_pepper=SecretStr("pepper")), installed)
    with TestClient(app, headers={"Authorization": f"Bearer {KEY}"}, raise_server_exceptions=False) as client:
        app.state.store = None
        answer = client.get("/v1/keys")
    found = problem(answer, 500, "mistake")
    assert set(found) == {"type", "title", "status", "code"}
    assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")
