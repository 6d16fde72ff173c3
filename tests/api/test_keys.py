"""Keys of programs: made, rotated, granted and revoked over HTTP, on both databases; no secret of one is ever kept."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.app import build
from planner.core.errors import Unavailable
from planner.flows.uses import Uses
from planner.settings import Settings
from planner.store import audit, keys, people, policies
from planner.store.engine import Store
from planner.store.tables import audit as trail
from planner.store.tables import metadata, replies
from tests.api.test_contract import ADMIN, problem
from tests.conftest import NOW

PEPPER = "pepper"
WHY = {"reason": "asked for"}
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def open_client(store: Store) -> Iterator[Callable[..., TestClient]]:
    """Open clients, each with its key and its own process' memory, over one database with two policies."""
    for name in ("default", "wide"):
        store.tell(partial(policies.publish, name=name, document={"title": "", "rules": {}}, at=NOW, by="t"))
    opened: list[TestClient] = []

    def client(key: str = ADMIN, *, admin_key: str | None = ADMIN, **more: Any) -> TestClient:
        secret = None if admin_key is None else SecretStr(admin_key)
        settings = Settings(admin_key=secret, key_pepper=SecretStr(PEPPER), default_policy="default", **more)
        made = TestClient(build(settings, store), headers={"Authorization": f"Bearer {key}"})
        made.__enter__()
        opened.append(made)
        return made

    yield client
    for made in opened:
        made.__exit__(None, None, None)


@pytest.fixture
def client(open_client: Callable[..., TestClient]) -> TestClient:
    """A client with the admin key of the settings."""
    return open_client()


def make(client: TestClient, name: str = "shop", role: str = "backend", **more: Any) -> dict[str, Any]:
    """Make a key."""
    answer = client.post("/v1/keys", json={"name": name, "role": role, **WHY, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def stored(store: Store, name: str, role: str = "admin", expires_at: datetime | None = None) -> str:
    """Make a key as the command line does, long ago."""
    return store.tell(
        lambda connection: keys.create(
            connection, PEPPER.encode(), name=name, role=role, policies=None, expires_at=expires_at, actor="cli:root",
            at=LONG_AGO,
        )
    )  # fmt: skip


def status(client: TestClient, key: str) -> int:
    """Return what a key gets where every valid one is let in."""
    return client.get("/v1/status", headers={"Authorization": f"Bearer {key}"}).status_code


def dump(store: Store) -> str:
    """Return everything the database holds, as text."""
    with store.read() as connection:
        return str([(table.name, connection.execute(sa.select(table)).all()) for table in metadata.sorted_tables])


def test_a_key_from_the_first_day_to_the_last(client: TestClient, store: Store) -> None:
    """Made, listed without a secret, used, rotated, revoked; each with who, why, before and after on record."""
    made = make(client, policies=["wide"])
    assert made["created_by"] == "key:PLANNER_ADMIN_KEY"
    assert status(client, made["key"]) == 200
    (listed,) = client.get("/v1/keys").json()["items"]
    assert set(listed) == {
        "prefix", "name", "role", "policies", "created_at", "created_by", "expires_at", "revoked_at", "rotated_to",
        "last_used_at",
    }  # fmt: skip
    assert {**listed, "key": made["key"]} == made
    path = f"/v1/keys/{made['prefix']}"
    assert client.post(f"{path}/policies", json={"policies": ["default"], **WHY}).json()["policies"] == ["default"]
    new = client.post(f"{path}/rotate", json=WHY).json()
    assert (new["name"], new["role"], new["policies"], new["rotated_from"]) == (
        "shop", "backend", ["default"], made["prefix"],
    )  # fmt: skip
    assert (status(client, made["key"]), status(client, new["key"])) == (401, 200)
    gone = client.post(f"/v1/keys/{new['prefix']}/revoke", json=WHY).json()
    assert gone["revoked_at"] is not None
    assert status(client, new["key"]) == 401
    with store.read() as connection:
        assert audit.verify(connection) is None
        rows = audit.entries(connection, audit.Wanted(actor="key:PLANNER_ADMIN_KEY"), None, 10)
    assert [(row["action"], row["subject"]) for row in reversed(rows)] == [
        ("key.create", made["prefix"]), ("key.policies", made["prefix"]), ("key.create", new["prefix"]),
        ("key.rotate", made["prefix"]), ("key.revoke", new["prefix"]),
    ]  # fmt: skip
    assert {row["reason"] for row in rows} == {"asked for"}
    assert (rows[3]["before"], rows[3]["after"]) == ({"policies": ["wide"]}, {"policies": ["default"]})
    assert rows[1]["after"]["rotated_to"] == new["prefix"]


def test_a_backend_names_what_it_was_granted_from_the_next_request_on(client: TestClient) -> None:
    """The default is everybody's; another policy is refused until it is granted, and again once it is not."""
    made = make(client)
    header = {"Authorization": f"Bearer {made['key']}"}
    body = {"workload": {"input_tokens": 1, "output_tokens": 1, "requests_per_period": 1}, "revenue_usd": "1",
            "margin": "0.5", "policy": "wide"}  # fmt: skip
    codes = []
    for granted in (["wide"], []):
        codes.append(client.post("/v1/recommendations", json=body, headers=header).json()["code"])
        client.post(f"/v1/keys/{made['prefix']}/policies", json={"policies": granted, **WHY})
    codes.append(client.post("/v1/recommendations", json=body, headers=header).json()["code"])
    assert codes == ["policy_not_granted", "nothing_compliant", "policy_not_granted"]


def test_a_rotated_key_goes_on_until_its_overlap_ends(client: TestClient, store: Store) -> None:
    """Both let in meanwhile; the old one has an end, the new one lives as long as the old one was made for."""
    made = make(client, expires_at=(datetime.now(UTC) + timedelta(days=90)).isoformat())  # noqa: TID251  # the server's clock is the real one
    new = client.post(f"/v1/keys/{made['prefix']}/rotate", json={"overlap_hours": 24, **WHY}).json()
    assert (status(client, made["key"]), status(client, new["key"])) == (200, 200)
    with store.read() as connection:
        ring = keys.load_keys(connection, PEPPER.encode())
        old, fresh = keys.listed(connection)
    assert old.expires_at is not None
    assert fresh.expires_at is not None
    assert old.expires_at - fresh.created_at == timedelta(hours=24)
    assert ring.find(made["key"], old.expires_at - timedelta(seconds=1)) is not None
    assert ring.find(made["key"], old.expires_at) is None
    assert timedelta(days=89) < fresh.expires_at - fresh.created_at <= timedelta(days=90)
    again = client.post(f"/v1/keys/{made['prefix']}/rotate", json=WHY)
    assert problem(again, 409, "conflict")["problem"] == f"{new['prefix']} took its place"


def test_an_overlap_does_not_lengthen_a_key(client: TestClient, store: Store) -> None:
    """What would have ended in an hour ends in an hour."""
    end = datetime.now(UTC) + timedelta(hours=1)  # noqa: TID251  # the server's clock is the real one
    made = make(client, expires_at=end.isoformat())
    client.post(f"/v1/keys/{made['prefix']}/rotate", json={"overlap_hours": 168, **WHY})
    with store.read() as connection:
        assert keys.one(connection, made["prefix"]).expires_at == end


def test_what_lets_nobody_in_is_401(client: TestClient, store: Store) -> None:
    """An expired key, one revoked in the same moment, and a twin of a prefix with another secret."""
    expired = stored(store, "old", expires_at=LONG_AGO + timedelta(days=1))
    made = make(client)
    twin = f"{made['prefix']}_{'x' * 43}"
    assert (status(client, made["key"]), status(client, twin), status(client, expired)) == (200, 401, 401)
    client.post(f"/v1/keys/{made['prefix']}/revoke", json=WHY)
    problem(client.get("/v1/status", headers={"Authorization": f"Bearer {made['key']}"}), 401, "unauthenticated")
    late = client.post(f"/v1/keys/{keys.prefix_of(expired)}/rotate", json=WHY)
    assert "expired" in problem(late, 409, "conflict")["problem"]


def test_another_process_refuses_a_revoked_key_at_once(open_client: Callable[..., TestClient]) -> None:
    """The one that did not revoke it has it in memory, and asks before it answers."""
    one, two = open_client(), open_client()
    made = make(one)
    assert status(two, made["key"]) == 200
    one.post(f"/v1/keys/{made['prefix']}/revoke", json=WHY)
    assert status(two, made["key"]) == 401


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"policies": ["nope"]}, (404, "not_found")),
        ({"policies": ["wide", "wide"]}, (422, "invalid")),
        ({"policies": ["wide"], "role": "admin"}, (422, "invalid")),
        ({"role": "root"}, (422, "invalid")),
        ({"name": " "}, (422, "invalid")),
        ({"name": "a\u202eb"}, (422, "invalid")),
        ({"expires_at": "2020-01-01T00:00:00Z"}, (422, "invalid")),
        ({"name": "planner_admin_key"}, (409, "conflict")),
        ({"reason": ""}, (422, "invalid")),
    ],
)
def test_what_cannot_be_a_key_is_none(client: TestClient, change: dict[str, Any], code: tuple[int, str]) -> None:
    """Unknown policies, policies for who may name all, odd names, ends that are over, the name of the settings' key."""
    body = {"name": "shop", "role": "backend", **WHY, **change}
    problem(client.post("/v1/keys", json=body), *code)
    assert client.get("/v1/keys").json()["items"] == []


def test_a_name_is_used_once(client: TestClient) -> None:
    """Not again by who reads the same, nor after it was revoked; a rotation keeps it."""
    made = make(client)
    for name in ("shop", "SHOP", " shop"):
        problem(client.post("/v1/keys", json={"name": name, "role": "backend", **WHY}), 409, "conflict")
    client.post(f"/v1/keys/{made['prefix']}/revoke", json=WHY)
    problem(client.post("/v1/keys", json={"name": "shop", "role": "backend", **WHY}), 409, "conflict")
    other = make(client, "other")
    assert client.post(f"/v1/keys/{other['prefix']}/rotate", json=WHY).json()["name"] == "other"


def test_unknown_keys_and_repeated_endings_are_refused(client: TestClient) -> None:
    """404 for a prefix nobody has; a second revocation and a grant to a revoked key are conflicts."""
    for verb in ("revoke", "rotate", "policies"):
        body = {**WHY, "policies": []} if verb == "policies" else WHY
        problem(client.post(f"/v1/keys/pk_00000000/{verb}", json=body), 404, "not_found")
    path = f"/v1/keys/{make(client)['prefix']}"
    assert client.post(f"{path}/revoke", json=WHY).status_code == 200
    problem(client.post(f"{path}/revoke", json=WHY), 409, "conflict")
    problem(client.post(f"{path}/policies", json={"policies": [], **WHY}), 409, "conflict")
    problem(client.post(f"{path}/rotate", json={"overlap_hours": 169, **WHY}), 422, "invalid")


def test_only_an_admin_sees_and_makes_keys(client: TestClient) -> None:
    """A backend and a finance key are forbidden all of it."""
    for role in ("backend", "finance"):
        header = {"Authorization": f"Bearer {make(client, role, role)['key']}"}
        problem(client.get("/v1/keys", headers=header), 403, "forbidden")
        body = {"name": "mine", "role": "admin", **WHY}
        problem(client.post("/v1/keys", json=body, headers=header), 403, "forbidden")


def test_a_repeated_request_makes_no_second_key_and_tells_no_secret(client: TestClient, store: Store) -> None:
    """The same prefix again with null for the key: also for a rotation, and for the secret of a webhook."""
    once = {"Idempotency-Key": "once"}
    body = {"name": "shop", "role": "backend", **WHY}
    first, again = (client.post("/v1/keys", json=body, headers=once).json() for _ in range(2))
    assert first["key"].startswith(first["prefix"])
    assert again == {**first, "key": None}
    rotate = (f"/v1/keys/{first['prefix']}/rotate", {"overlap_hours": 1, **WHY})
    new, same = (client.post(rotate[0], json=rotate[1], headers={"Idempotency-Key": "2"}).json() for _ in range(2))
    assert same == {**new, "key": None}
    hook = {"url": "https://1.1.1.1/hook"}
    told, silent = (client.post("/v1/webhooks", json=hook, headers={"Idempotency-Key": "3"}).json() for _ in range(2))
    assert silent == {**told, "secret": None}
    assert len(client.get("/v1/keys").json()["items"]) == 2
    with store.read() as connection:
        kept = str(connection.execute(sa.select(replies)).all()) + str(connection.execute(sa.select(trail)).all())
    for secret in (first["key"], new["key"], told["secret"]):
        assert secret not in kept


def test_no_key_is_in_a_dump_of_the_database(client: TestClient, store: Store) -> None:
    """Neither whole nor its secret part, of keys made, rotated and refused, whatever table is read."""
    made = make(client)
    new = client.post(f"/v1/keys/{made['prefix']}/rotate", json=WHY, headers={"Idempotency-Key": "r"}).json()
    status(client, f"{made['prefix']}_{'wrong' * 8}")
    everything = dump(store)
    assert made["prefix"] in everything
    for secret in (made["key"], new["key"], ADMIN, f"{made['prefix']}_{'wrong' * 8}"):
        assert secret not in everything
        assert secret[12:] not in everything


# --- the last way in --------------------------------------------------------------------------------------


def test_the_last_admin_key_is_not_taken_away_over_http(open_client: Callable[..., TestClient], store: Store) -> None:
    """Neither revoked nor replaced at once, until another one is there; with an overlap it may be rotated."""
    last = stored(store, "root")
    stored(store, "gone", expires_at=LONG_AGO + timedelta(days=1))
    client = open_client(last, admin_key=None)
    path = f"/v1/keys/{keys.prefix_of(last)}"
    for verb in ("revoke", "rotate"):
        told = problem(client.post(f"{path}/{verb}", json=WHY), 409, "conflict")["problem"]
        assert "make another admin key" in told
    assert len(client.get("/v1/keys").json()["items"]) == 2
    new = client.post(f"{path}/rotate", json={"overlap_hours": 1, **WHY}).json()
    problem(client.post(f"/v1/keys/{new['prefix']}/revoke", json=WHY), 409, "conflict")
    assert client.post(f"{path}/revoke", json=WHY, headers={"Authorization": f"Bearer {new['key']}"}).status_code == 200
    assert status(client, last) == 401


def test_another_way_in_lets_the_last_key_go(open_client: Callable[..., TestClient], store: Store) -> None:
    """A key of the settings does, and a person who can sign in; one who cannot, or is disabled, does not."""
    last = stored(store, "root")
    path = f"/v1/keys/{keys.prefix_of(last)}/revoke"
    who = {"name": "N", "role": "admin", "password_hash": None, "at": LONG_AGO, "actor": "t", "reason": "r"}
    store.tell(lambda connection: people.add(connection, login="elsewhere", **who))  # type: ignore[arg-type]  # they are
    store.tell(lambda connection: people.add(connection, login="gone", **{**who, "password_hash": "h"}))  # type: ignore[arg-type]  # they are
    store.tell(lambda connection: people.disable(connection, "gone", at=NOW, actor="t", reason="r"))
    problem(open_client(last, admin_key=None).post(path, json=WHY), 409, "conflict")
    assert open_client(last, admin_key=None, oidc_issuer="https://id.example", oidc_client_id="p",
                       public_url="https://testserver").post(path, json=WHY).status_code == 200  # fmt: skip
    other = stored(store, "other")
    assert open_client(other).post(f"/v1/keys/{keys.prefix_of(other)}/revoke", json=WHY).status_code == 200


# --- the last use -----------------------------------------------------------------------------------------


def test_the_last_use_is_on_record_once_a_process_ends(open_client: Callable[..., TestClient], store: Store) -> None:
    """Of every key that was let in, at the moment of its last request; one that was not used has none."""
    used, idle = stored(store, "used"), stored(store, "idle")
    client = open_client()
    for _ in range(3):
        assert status(client, used) == 200
    assert status(client, f"{keys.prefix_of(idle)}_twin") == 401
    before = datetime.now(UTC)  # noqa: TID251  # the server's clock is the real one
    assert status(client, used) == 200
    client.app.state.uses.close()  # type: ignore[attr-defined]  # of the application
    found = {row["name"]: row["last_used_at"] for row in client.get("/v1/keys").json()["items"]}
    assert datetime.fromisoformat(found["used"]) >= before
    assert found["idle"] is None


def test_a_use_is_written_between_whiles_and_a_later_one_stands(store: Store) -> None:
    """The thread writes without being asked; what another process noted later is not put back."""
    prefix = keys.prefix_of(stored(store, "used"))
    uses = Uses(store, every_seconds=0.01)
    uses.start()
    uses.note(prefix, NOW)
    assert eventually(lambda: _used(store, prefix) == NOW)
    store.tell(lambda connection: keys.used(connection, {prefix: NOW + timedelta(hours=2)}))
    uses.note(prefix, NOW + timedelta(hours=1))
    uses.close()
    assert _used(store, prefix) == NOW + timedelta(hours=2)


def test_a_use_that_cannot_be_written_is_written_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database does not answer nothing fails, and nothing is forgotten."""
    prefix = keys.prefix_of(stored(store, "used"))
    uses, tried, tell = Uses(store, every_seconds=0.01), threading.Event(), Store.tell

    def refused(*_: object) -> None:
        tried.set()
        raise Unavailable("no")

    monkeypatch.setattr(Store, "tell", refused)
    uses.note(prefix, NOW)
    uses.start()
    assert tried.wait(10)
    monkeypatch.setattr(Store, "tell", tell)
    uses.close()
    assert _used(store, prefix) == NOW


def test_a_use_is_written_once_however_often_it_is_looked_at(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """No write without a use: a database at rest stays so."""
    prefix, counted, tell = keys.prefix_of(stored(store, "used")), [], Store.tell
    uses = Uses(store, every_seconds=0.001)

    def counting(*told: Any) -> Any:
        counted.append(told)
        return tell(*told)

    monkeypatch.setattr(Store, "tell", counting)
    uses.note(prefix, NOW)
    uses.start()
    assert eventually(lambda: len(counted) > 0)
    uses.close()
    assert len(counted) == 1


def _used(store: Store, prefix: str) -> datetime | None:
    with store.read() as connection:
        return keys.one(connection, prefix).last_used_at


def eventually(fact: Callable[[], bool]) -> bool:
    """Wait until something is true; for ten seconds at most."""
    end = time.monotonic() + 10
    while not fact() and time.monotonic() < end:
        time.sleep(0.005)
    return fact()
