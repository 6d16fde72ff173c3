"""What an operator reads about the feeds: age, counts, and why the last attempt failed."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.app import build
from planner.flows.refresh import refresh, refresh_from_file
from planner.settings import Settings
from planner.sources import ADAPTERS
from planner.store.engine import Store
from planner.store.tables import sources
from tests.kill import NOON, SOURCE, prepare
from tests.loopback import Feed, listing

ADMIN = "pk_adminkey_0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    ("body", "http_status", "code"),
    [
        (b"<!doctype html>", 200, "not_json"),
        (listing()[:-40], 200, "not_json"),
        (listing(count=30), 200, "shrunk"),
        (b"{}", 503, "http_status"),
    ],
)
def test_a_failed_refresh_is_told_with_its_reason(store: Store, body: bytes, http_status: int, code: str) -> None:
    """The source shows code and detail; revision, counts and last success stay those of the good attempt."""
    prepare(store)
    feed = Feed()
    feed.body, feed.headers = listing(), {"Retry-After": "0"}
    with feed.serving() as url:
        for _ in range(2):
            refresh(store, {SOURCE: (ADAPTERS[SOURCE], url)}, NOON, lambda *_: None)
            feed.body, feed.status = body, http_status
    app = build(Settings(admin_key=SecretStr(ADMIN), key_pepper=SecretStr("p")), store)
    with TestClient(app, headers={"Authorization": f"Bearer {ADMIN}"}) as client:
        answer = client.get("/v1/status").json()
    (source,) = answer["sources"]
    assert answer["revision"] == 1
    assert (source["source"], source["rows"], source["priced"]) == (SOURCE, 60, 60)
    assert source["last_success"] == "2026-11-24T12:00:00Z"
    assert source["error"]["code"] == code
    assert "doctype" not in source["error"]["detail"]


def test_an_answer_is_stale_where_one_of_its_prices_is(store: Store) -> None:
    """One of two sources is silent: its offers are stale, alone and in a list; the others, and the whole, are not."""
    prepare(store)
    present = datetime.now(UTC)  # noqa: TID251  # the server's clock is the real one
    with store.write() as connection:
        connection.execute(
            sa.insert(sources).values(name="other", title="t", url="u", licence="l", rank=99, interval_minutes=60)
        )
    for name, provider, at in (("other", "old", present - timedelta(days=3)), (SOURCE, "young", present)):
        adapter = type(ADAPTERS[SOURCE])()
        adapter.name = name
        models = {f"m{n}": {"cost": {"input": 1, "output": 2}} for n in range(3)}
        body = json.dumps({provider: {"models": models}}).encode()
        refresh_from_file(store, name, adapter, {f"https://{name}.test": body}, at, actor="test")
    app = build(Settings(admin_key=SecretStr(ADMIN), key_pepper=SecretStr("p")), store)
    with TestClient(app, headers={"Authorization": f"Bearer {ADMIN}"}) as client:

        def stale(path: str, **query: str) -> bool:
            return bool(client.get(path, params=query).json()["stale"])

        assert [stale("/v1/offers", provider=provider) for provider in ("old", "young")] == [True, False]
        assert [stale("/v1/offers"), stale("/v1/status"), stale("/v1/offers/direct:old/m0")] == [True, False, True]
