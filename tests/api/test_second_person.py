"""Who lets somebody reach further waits for a second person: keys and people, without a secret kept on the way."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.app import build
from planner.flows import passwords
from planner.settings import Settings
from planner.store import audit, keys, people, policies, proposals
from planner.store.engine import Store
from tests.api.test_contract import problem
from tests.api.test_keys import LONG_AGO, PEPPER, dump, status, stored
from tests.conftest import NOW

PASSWORD = "correct horse battery"  # of nobody
WHY = {"reason": "asked for"}
SECOND = "a second person is needed"

pytestmark = pytest.mark.usefixtures("quick_hashes")


@pytest.fixture
def open_client(store: Store) -> Iterator[Callable[[str], TestClient]]:
    """Open clients of a house that asks for a second person, each with its key."""
    for name in ("default", "wide"):
        store.tell(partial(policies.publish, name=name, document={"title": "", "rules": {}}, at=NOW, by="t"))
    settings = Settings(admin_key=None, key_pepper=SecretStr(PEPPER), default_policy="default", two_people=True)
    with TestClient(build(settings, store)) as held:
        yield lambda key: TestClient(held.app, headers={"Authorization": f"Bearer {key}"})


@pytest.fixture
def one(open_client: Callable[[str], TestClient], store: Store) -> TestClient:
    """An admin."""
    return open_client(stored(store, "one"))


@pytest.fixture
def two(open_client: Callable[[str], TestClient], store: Store) -> TestClient:
    """A second one, whom the first one did not make."""
    return open_client(stored(store, "two"))


def sent(client: TestClient, path: str, **body: Any) -> dict[str, Any]:
    """Send a change."""
    answer = client.post(f"/v1/{path}", json={**WHY, **body})
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


def waiting(client: TestClient, path: str, widens: list[str], **body: Any) -> int:
    """Send a change that waits, and return its number."""
    found = sent(client, path, **body)
    assert (found["state"], found["widens"]) == ("waiting", widens), found
    assert set(found) == {"proposal", "state", "widens"}
    return int(found["proposal"])


def approve(client: TestClient, id_: int, **headers: str) -> Any:
    """Approve a proposal."""
    return client.post(f"/v1/proposals/{id_}/approve", json=WHY, headers=headers)


def refused(client: TestClient, id_: int) -> None:
    """Check that somebody is no second person for a proposal."""
    assert problem(approve(client, id_), 409, "conflict")["problem"] == SECOND


def test_an_admin_key_is_answered_once_to_who_approves_it(one: TestClient, two: TestClient, store: Store) -> None:
    """The proposal holds no key; the approval answers it, repeated it does not, and no copy of it is kept."""
    id_ = waiting(one, "keys", ["admin"], name="three", role="admin")
    assert "three" not in {row["name"] for row in one.get("/v1/keys").json()["items"]}
    refused(one, id_)
    again = {"Idempotency-Key": "a"}
    made, repeated = approve(two, id_, **again).json(), approve(two, id_, **again).json()
    assert status(two, made["key"]) == 200
    assert repeated == {**made, "key": None}
    assert (made["name"], made["created_by"]) == ("three", "key:one")
    assert "alerts" not in made
    everything = dump(store)
    assert made["key"] not in everything
    assert made["key"][12:] not in everything
    with store.read() as connection:
        assert audit.verify(connection) is None


def test_a_key_that_reaches_no_further_needs_nobody(one: TestClient) -> None:
    """A backend's key for the default policy, one for finance, a narrower grant, a rotation, a revocation."""
    made = sent(one, "keys", name="shop", role="backend")
    assert sent(one, "keys", name="cfo", role="finance")["key"]
    assert sent(one, f"keys/{made['prefix']}/policies", policies=[])["policies"] == []
    new = sent(one, f"keys/{made['prefix']}/rotate")
    assert sent(one, f"keys/{new['prefix']}/revoke")["revoked_at"]


def test_a_wider_grant_waits(one: TestClient, two: TestClient) -> None:
    """To a key there is, and to one that would be made with it; what changed meanwhile makes it outdated."""
    prefix = sent(one, "keys", name="shop", role="backend")["prefix"]
    id_ = waiting(one, f"keys/{prefix}/policies", ["wide"], policies=["wide"])
    late = waiting(one, f"keys/{prefix}/policies", ["default", "wide"], policies=["default", "wide"])
    assert approve(two, id_).json()["policies"] == ["wide"]
    assert "changed since" in problem(approve(two, late), 409, "conflict")["problem"]
    waiting(one, "keys", ["wide"], name="other", role="backend", policies=["wide"])
    assert sent(one, f"keys/{prefix}/policies", policies=[])["policies"] == []


def test_what_cannot_be_is_refused_before_it_waits_and_again_before_it_is_done(
    one: TestClient, two: TestClient
) -> None:
    """A policy nobody knows; a name that was taken, and a key that was revoked, while the proposal waited."""
    body = {"name": "three", "role": "admin", "policies": [], **WHY}
    problem(one.post("/v1/keys", json={**body, "role": "backend", "policies": ["nope"]}), 404, "not_found")
    id_ = waiting(one, "keys", ["admin"], name="three", role="admin")
    sent(one, "keys", name="three", role="finance")
    problem(approve(two, id_), 409, "conflict")
    prefix = sent(one, "keys", name="shop", role="backend")["prefix"]
    id_ = waiting(one, f"keys/{prefix}/policies", ["wide"], policies=["wide"])
    sent(one, f"keys/{prefix}/revoke")
    problem(approve(two, id_), 409, "conflict")


def test_an_admin_key_that_would_have_ended_does_not_rotate_itself_on(
    open_client: Callable[[str], TestClient], two: TestClient, store: Store
) -> None:
    """Its end would move, so a second person looks, and is answered the key; one without an end rotates at once."""
    end = datetime.now(UTC) + timedelta(days=1)  # noqa: TID251  # the server's clock is the real one
    key = stored(store, "guest", expires_at=end)
    guest = open_client(key)
    id_ = waiting(guest, f"keys/{keys.prefix_of(key)}/rotate", ["expires_at"], overlap_hours=1)
    made = approve(two, id_).json()
    assert status(two, made["key"]) == 200
    refused(two, waiting(open_client(made["key"]), "keys", ["admin"], name="x", role="admin"))
    assert sent(two, f"keys/{keys.prefix_of(stored(store, 'open'))}/rotate")["key"]


# --- who is no second person ------------------------------------------------------------------------------


def test_a_key_of_ones_own_is_no_second_person(
    open_client: Callable[[str], TestClient], one: TestClient, two: TestClient
) -> None:
    """Neither one's own, nor one that one approved and was answered, nor what either of them made; also backwards."""
    three = approve(two, waiting(one, "keys", ["admin"], name="three", role="admin")).json()
    third = open_client(three["key"])
    for proposer in (one, two):
        refused(third, waiting(proposer, "keys", ["admin"], name="x", role="admin"))
    id_ = waiting(third, "keys", ["admin"], name="four", role="admin")
    for approver in (one, two, third):
        refused(approver, id_)


def test_what_one_made_before_is_followed_further(
    open_client: Callable[[str], TestClient], one: TestClient, two: TestClient, store: Store
) -> None:
    """A key made by a key that one made; a rotated key is who it was."""

    def child(name: str, parent: str) -> str:
        return store.tell(
            lambda connection: keys.create(
                connection, PEPPER.encode(), name=name, role="admin", policies=None, expires_at=None,
                actor=f"key:{parent}", at=LONG_AGO,
            )
        )  # fmt: skip

    child("son", "one")
    grandson = child("grandson", "son")
    id_ = waiting(one, "keys", ["admin"], name="x", role="admin")
    refused(open_client(grandson), id_)
    rotated = sent(two, f"keys/{keys.prefix_of(grandson)}/rotate")["key"]
    refused(open_client(rotated), id_)
    refused(open_client(rotated), waiting(two, "keys", ["admin"], name="y", role="admin"))
    assert approve(two, id_).status_code == 200


def test_one_person_cannot_be_two_by_a_password_they_chose(one: TestClient, two: TestClient, store: Store) -> None:
    """Who registered somebody, or set their password last, may know it; who approved that does not."""
    id_ = waiting(one, "people", ["admin"], login="ada", name="Ada", role="admin", password=PASSWORD)
    assert approve(two, id_).json()["created_by"] == "key:one"
    register(store, "bob")
    bob = signed_in(one, "bob")
    id_ = waiting(one, "keys", ["admin"], name="x", role="admin")
    refused(signed_in(one, "ada"), id_)
    reset = waiting(one, "people/bob/password", ["admin"], password=f"{PASSWORD}!")
    assert approve(two, reset).status_code == 200
    bob = signed_in(one, "bob", f"{PASSWORD}!")
    refused(bob, id_)
    waits = waiting(two, "keys", ["admin"], name="y", role="admin")
    assert approve(bob, waits).status_code == 200
    assert sent(bob, "people/bob/password", password=PASSWORD)["has_password"]
    assert approve(signed_in(one, "bob"), id_).status_code == 200


# --- people -----------------------------------------------------------------------------------------------


def register(store: Store, login: str, role: str = "admin") -> None:
    """Register somebody as the command line does, long ago."""
    kept = passwords.hashed(PASSWORD)
    made = partial(people.add, login=login, name="N", role=role, password_hash=kept, at=LONG_AGO, actor="cli:root")
    store.tell(partial(made, reason="r"))


def signed_in(client: TestClient, login: str, password: str = PASSWORD) -> TestClient:
    """Return a browser in which somebody signed in."""
    browser = TestClient(client.app, base_url="https://testserver", headers={"Sec-Fetch-Site": "same-origin"})
    answer = browser.post("/v1/sessions", json={"login": login, "password": password})
    assert answer.status_code == 201, answer.text
    return browser


def test_an_admin_is_made_by_two(one: TestClient, two: TestClient, store: Store) -> None:
    """Registered, promoted, let in again, given another password by somebody else: each waits; others do not."""
    assert sent(one, "people", login="eve", name="Eve", role="finance", password=PASSWORD)["login"] == "eve"
    sent(one, "people/eve/password", password=f"{PASSWORD}?")
    id_ = waiting(one, "people/eve/role", ["admin"], role="admin")
    assert approve(two, id_).json()["role"] == "admin"
    sent(one, "people/eve/disable")
    id_ = waiting(one, "people/eve/enable", ["admin"])
    assert approve(two, id_).json()["disabled_at"] is None
    id_ = waiting(one, "people/eve/password", ["admin"], password=PASSWORD)
    signed_in(one, "eve", f"{PASSWORD}?")
    assert approve(two, id_).json()["has_password"] is True
    signed_in(one, "eve")
    sent(one, "people/eve/role", role="backend")
    sent(one, "people/eve/disable")
    assert sent(one, "people/eve/enable")["disabled_at"] is None
    with store.read() as connection:
        assert audit.verify(connection) is None


def test_a_password_that_waits_is_not_shown(one: TestClient, two: TestClient, store: Store) -> None:
    """Neither it nor its digest: not among the proposals, not in the trail, nor kept once it was rejected."""
    id_ = waiting(one, "people", ["admin"], login="ada", name="Ada", role="admin", password=PASSWORD)
    shown = two.get("/v1/proposals").text + two.get(f"/v1/proposals/{id_}").text
    with store.read() as connection:
        kept = proposals.body_of(connection, id_)["password_hash"]
    assert kept.startswith("$argon2id$")
    assert '"password":true' in shown
    two.post(f"/v1/proposals/{id_}/reject", json=WHY)
    everything = shown + two.get("/v1/audit").text + dump(store)
    assert "ada" in everything
    for secret in (kept, "argon2", PASSWORD):
        assert secret not in everything


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("people/ada/enable", {}), ("people/ada/role", {"role": "admin"}),
        ("people", {"login": "ADA", "name": "A", "role": "admin"}),
    ],
)  # fmt: skip
def test_what_is_so_already_does_not_wait(one: TestClient, store: Store, path: str, body: dict[str, str]) -> None:
    """An admin is not made one, who is enabled not enabled, who is registered not registered."""
    register(store, "ada")
    problem(one.post(f"/v1/{path}", json={**WHY, **body}), 409, "conflict")
    assert one.get("/v1/proposals").json()["items"] == []


def test_the_last_admin_is_neither_disabled_nor_demoted(open_client: Callable[[str], TestClient], store: Store) -> None:
    """While no admin key is left and nobody else could come in; another one who can lets them go."""
    register(store, "ada")
    last = stored(store, "one")
    ada = signed_in(open_client(last), "ada")
    sent(ada, f"keys/{keys.prefix_of(last)}/revoke")
    for verb, body in (("disable", {}), ("role", {"role": "finance"})):
        told = problem(ada.post(f"/v1/people/ada/{verb}", json={**WHY, **body}), 409, "conflict")["problem"]
        assert "no admin could come in" in told
    assert ada.get("/v1/people").json()["items"][0]["disabled_at"] is None
    register(store, "eve", "finance")
    problem(ada.post("/v1/people/ada/disable", json=WHY), 409, "conflict")
    register(store, "bob")
    assert sent(ada, "people/ada/disable")["disabled_at"]
