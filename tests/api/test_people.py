"""People sign in, stay signed in, and stop being so at once; other sites and impatient callers get nowhere."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from pydantic import SecretStr, ValidationError
from starlette.testclient import TestClient

from planner.api import browser
from planner.app import build
from planner.flows import passwords, sign_in
from planner.flows.sign_in import Lasting
from planner.settings import Settings
from planner.store import audit, people
from planner.store.engine import Store
from planner.store.governing import attempts
from planner.store.governing import sessions as table
from planner.store.tables import audit as trail
from planner.store.tables import replies
from tests.api.test_contract import ADMIN, problem

URL = "https://planner.example.com"
COOKIE = "__Host-planner"
PASSWORD = "correct horse battery"
LASTING = Lasting(timedelta(hours=8), timedelta(days=7))
KEY = {"Authorization": f"Bearer {ADMIN}"}
OURS = {"Sec-Fetch-Site": "same-origin"}


pytestmark = pytest.mark.usefixtures("quick_hashes")


def settings(**more: Any) -> Settings:
    """The settings of a planner behind https."""
    return Settings(admin_key=SecretStr(ADMIN), key_pepper=SecretStr("pepper"), **{"public_url": URL, **more})


@pytest.fixture
def client(unpriced_copy: Store) -> Iterator[TestClient]:
    """A browser that has not signed in."""
    with TestClient(build(settings(), unpriced_copy), base_url=URL) as made:
        yield made


def register(client: TestClient, login: str = "ada@example.com", role: str = "admin", **more: Any) -> dict[str, Any]:
    """Register somebody with the admin key."""
    body = {"login": login, "name": "Ada", "role": role, "password": PASSWORD, "reason": "new here", **more}
    answer = client.post("/v1/people", json=body, headers=KEY)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def enter(client: TestClient, login: str = "ada@example.com", password: str = PASSWORD, **headers: str) -> Any:
    """Sign in."""
    return client.post("/v1/sessions", json={"login": login, "password": password}, headers={**OURS, **headers})


def test_a_person_signs_in_works_and_signs_out(client: TestClient, unpriced_copy: Store) -> None:
    """The cookie is the person; what they do is on record under their login; after signing out it is nobody."""
    register(client)
    answer = enter(client)
    assert (answer.status_code, answer.json()["login"], answer.json()["role"]) == (201, "ada@example.com", "admin")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {part.strip() for part in cookie.split(";")[1:]} == {
        "HttpOnly", "Secure", "SameSite=strict", "Path=/", "Max-Age=604800",
    }  # fmt: skip
    assert client.get("/v1/sessions/current").json() == answer.json()
    body = {"login": "bob", "name": "Bob", "role": "backend", "reason": "new"}
    assert client.post("/v1/people", json=body, headers=OURS).json()["created_by"] == "person:ada@example.com"
    token = client.cookies[COOKIE]
    gone = client.delete("/v1/sessions/current", headers=OURS)
    assert (gone.status_code, COOKIE in client.cookies) == (204, False)
    problem(client.get("/v1/sessions/current", headers={"Cookie": f"{COOKIE}={token}"}), 401, "unauthenticated")
    with unpriced_copy.read() as connection:
        assert audit.verify(connection) is None
        told = connection.execute(sa.select(trail.c.action, trail.c.actor).order_by(trail.c.seq)).all()
    ada = "person:ada@example.com"
    assert [tuple(row) for row in told][-4:] == [
        ("person.add", "key:PLANNER_ADMIN_KEY"), ("session.begin", ada), ("person.add", ada), ("session.end", ada),
    ]  # fmt: skip


def test_a_person_changes_their_own_password_and_stays_signed_in_here_alone(
    client: TestClient, unpriced_copy: Store
) -> None:
    """Only with the present one; every other session ends; the old password is none any more; all is on record."""
    register(client)
    elsewhere = enter(client).cookies[COOKIE]
    client.cookies.clear()
    enter(client)
    path, new = "/v1/sessions/current/password", "staple horse correct"
    wrong = client.post(path, json={"password": "not this one", "new_password": new}, headers=OURS)
    problem(wrong, 401, "sign_in_refused")
    short = client.post(path, json={"password": PASSWORD, "new_password": "short"}, headers=OURS)
    problem(short, 422, "invalid")
    problem(client.post(path, json={"password": PASSWORD, "new_password": new}), 403, "cross_site")
    problem(client.post(path, json={"password": PASSWORD, "new_password": new}, headers=KEY), 404, "not_found")
    before = client.cookies[COOKIE]
    assert client.post(path, json={"password": PASSWORD, "new_password": new}, headers=OURS).status_code == 200
    assert client.get("/v1/sessions/current").json()["login"] == "ada@example.com"
    client.cookies.clear()
    for token in (elsewhere, before):
        answer = client.get("/v1/sessions/current", headers={"Cookie": f"{COOKIE}={token}"})
        problem(answer, 401, "unauthenticated")
    problem(enter(client), 401, "sign_in_refused")
    assert enter(client, password=new).status_code == 201
    with unpriced_copy.read() as connection:
        last = connection.execute(sa.select(trail).where(trail.c.action == "person.password")).one()
    assert (last.actor, last.reason) == ("person:ada@example.com", "changed by its owner")


def test_every_sign_in_has_a_new_token_and_ends_the_one_before(client: TestClient) -> None:
    """A token that somebody planted in the browser is not the one the person works under."""
    register(client)
    planted = "A" * 43
    client.cookies.set(COOKIE, planted, domain="planner.example.com")
    enter(client)
    first = client.cookies.get(COOKIE, domain="planner.example.com")
    client.cookies.clear()
    second = enter(client, Cookie=f"{COOKIE}={first}").cookies[COOKIE]
    client.cookies.clear()
    assert len({planted, first, second}) == 3
    for token, status in ((planted, 401), (first, 401), (second, 200), ("ü", 401), ("x" * 5000, 401)):
        header = {b"cookie": f"{COOKIE}={token}".encode("latin-1")}
        assert client.get("/v1/sessions/current", headers=header).status_code == status, token


@pytest.mark.parametrize(
    ("verb", "body"),
    [("disable", {}), ("role", {"role": "finance"}), ("password", {"password": "another long password"})],
)
def test_what_an_admin_changes_ends_every_session_at_once(client: TestClient, verb: str, body: dict[str, str]) -> None:
    """Disabled, another role, another password: the next request with the old cookie is 401."""
    register(client)
    enter(client)
    assert client.get("/v1/sources").status_code == 200
    changed = client.post(f"/v1/people/ada@example.com/{verb}", json={**body, "reason": "so"}, headers=KEY)
    assert changed.status_code == 200, changed.text
    problem(client.get("/v1/sources"), 401, "unauthenticated")
    if verb == "disable":
        problem(enter(client), 401, "sign_in_refused")
        client.post("/v1/people/ada@example.com/enable", json={"reason": "back"}, headers=KEY)
    if verb == "password":
        problem(enter(client), 401, "sign_in_refused")
    problem(client.get("/v1/sources"), 401, "unauthenticated")
    assert enter(client, password=body.get("password", PASSWORD)).status_code == 201


def test_a_role_reaches_as_far_as_that_of_a_key(client: TestClient) -> None:
    """Finance reads money and changes nothing; a backend person reads no money."""
    register(client, "fin", "finance")
    register(client, "back", "backend")
    enter(client, "fin")
    assert client.get("/v1/fees").status_code == 200
    problem(client.get("/v1/people"), 403, "forbidden")
    enter(client, "back")
    problem(client.get("/v1/fees"), 403, "forbidden")


FOREIGN: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "same-site", "Origin": "https://other.example.com"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "https://evil.example"},
    {"Origin": "https://planner.example.com.evil.example"},
    {"Origin": "http://planner.example.com"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site", "Origin": URL},
]


@pytest.mark.parametrize(
    "headers", [*FOREIGN, {}, {**OURS, "Content-Type": "text/plain"}, {**OURS, "Content-Type": ""}]
)
def test_what_another_site_asks_a_browser_for_is_refused(client: TestClient, headers: dict[str, str]) -> None:
    """Cross-site, no origin, `null`, a form's content type: 403, and nothing changes."""
    register(client)
    enter(client)
    body = b'{"login": "eve", "name": "Eve", "role": "admin", "reason": "mine"}'
    answer = client.post("/v1/people", content=body, headers={"Content-Type": "application/json", **headers})
    problem(answer, 403, "cross_site")
    assert [person["login"] for person in client.get("/v1/people").json()["items"]] == ["ada@example.com"]


@pytest.mark.parametrize("headers", [*FOREIGN, {**OURS, "Content-Type": "text/plain"}])
def test_no_other_site_signs_a_browser_in(client: TestClient, headers: dict[str, str]) -> None:
    """Somebody else's session in my browser would be theft of what I enter: 403 without a cookie."""
    register(client)
    body = f'{{"login": "ada@example.com", "password": "{PASSWORD}"}}'.encode()
    answer = client.post("/v1/sessions", content=body, headers={"Content-Type": "application/json", **headers})
    problem(answer, 403, "cross_site")
    assert "set-cookie" not in answer.headers


def test_our_own_origin_may_change_something(client: TestClient) -> None:
    """A browser that does not say where it fetches from says which origin it is."""
    register(client)
    enter(client)
    body = {"login": "bob", "name": "Bob", "role": "backend", "reason": "new"}
    assert client.post("/v1/people", json=body, headers={"Origin": URL}).status_code == 201


def test_a_key_is_not_bound_to_a_site_and_wins_over_a_cookie(client: TestClient) -> None:
    """A program sends no origin; a wrong key is refused although the browser is signed in."""
    register(client)
    enter(client)
    problem(client.get("/v1/people", headers={"Authorization": "Bearer wrong"}), 401, "unauthenticated")
    problem(client.get("/v1/sessions/current", headers=KEY), 404, "not_found")
    register(client, "bob")


def test_known_and_unknown_logins_get_the_same_answer_for_the_same_work(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong password, nobody, a person without a password, a disabled one: one hash checked, one answer."""
    register(client)
    client.post("/v1/people", json={"login": "sso", "name": "S", "role": "admin", "reason": "openid"}, headers=KEY)
    register(client, "gone")
    client.post("/v1/people/gone/disable", json={"reason": "left"}, headers=KEY)
    checked: list[str] = []

    class Counting(PasswordHasher):
        """Counts the hashes that are checked, with the parameters they carry."""

        def verify(self, hash: str | bytes, password: str | bytes) -> Any:
            checked.append(str(hash).rpartition("$")[0].rpartition("$")[0])
            return super().verify(hash, password)

    monkeypatch.setattr(passwords, "_hasher", Counting(time_cost=1, memory_cost=64, parallelism=1))
    tries = (("ada@example.com", "wrong password"), ("nobody", PASSWORD), ("sso", PASSWORD), ("gone", PASSWORD))
    answers = [enter(client, login, password) for login, password in tries]
    for answer in answers:
        problem(answer, 401, "sign_in_refused")
        assert (answer.content, sorted(answer.headers)) == (answers[0].content, sorted(answers[0].headers))
    assert len(checked) == 4
    assert len(set(checked)) == 1


def test_too_many_tries_are_429_until_the_window_ends(client: TestClient) -> None:
    """Ten of a login, known or not, then 429 also for the right password; whoever is right is not counted."""
    register(client)
    for _ in range(sign_in.LOGIN_TRIES_MAX + 2):
        assert enter(client).status_code == 201
    for login in ("ada@example.com", "nobody"):
        codes = [enter(client, login, "wrong password").status_code for _ in range(sign_in.LOGIN_TRIES_MAX + 3)]
        assert codes == [401] * sign_in.LOGIN_TRIES_MAX + [429] * 3
        late = problem(enter(client, login), 429, "too_many_requests")
        assert 0 < late["retry_after_seconds"] <= sign_in.WINDOW.total_seconds() + 1
    codes = [enter(client, f"x{number}", "wrong password").status_code for number in range(sign_in.PEER_TRIES_MAX)]
    assert set(codes[: sign_in.PEER_TRIES_MAX - 20]) == {401}
    assert codes[-1] == 429


def test_no_secret_is_stored_or_said(client: TestClient, unpriced_copy: Store) -> None:
    """Neither password nor hash nor token is in an answer, the audit trail, or the memory of repeated requests."""
    headers = {**KEY, "Idempotency-Key": "once"}
    body = {"login": "ada", "name": "Ada", "role": "admin", "password": PASSWORD, "reason": "new"}
    answers = [client.post("/v1/people", json=body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    other = client.post("/v1/people", json={**body, "password": "something else"}, headers=headers)
    problem(other, 409, "conflict")
    short = client.post("/v1/people", json={**body, "login": "b", "password": "Sup3rshort"}, headers=KEY)
    assert "Sup3rshort" not in str(problem(short, 422, "invalid"))
    token = enter(client, "ada").cookies[COOKIE]
    with unpriced_copy.read() as connection:
        written = str([list(connection.execute(sa.select(rows)).all()) for rows in (trail, replies, table, attempts)])
        kept = people.find(connection, "ada")
    said = written + "".join(answer.text for answer in answers) + client.get("/v1/people", headers=KEY).text
    assert kept is not None
    assert kept.password_hash is not None
    assert kept.password_hash.startswith("$argon2id$")
    for secret in (PASSWORD, kept.password_hash, token, "argon2"):
        assert secret not in said


def test_people_are_registered_once_however_they_are_spelt(client: TestClient) -> None:
    """A login in capitals is a conflict; one with odd letters is refused; who is unknown is not found."""
    register(client)
    body = {"login": "ADA@example.com", "name": "A", "role": "admin", "reason": "r"}
    problem(client.post("/v1/people", json=body, headers=KEY), 409, "conflict")
    for login in ("", " ada", "a\u0430", "a/b", "x" * 201, "a\n"):
        problem(client.post("/v1/people", json={**body, "login": login}, headers=KEY), 422, "invalid")
    problem(client.post("/v1/people", json={**body, "login": "b", "role": "root"}, headers=KEY), 422, "invalid")
    for verb, more in (
        ("disable", {}),
        ("enable", {}),
        ("role", {"role": "admin"}),
        ("password", {"password": "p" * 12}),
    ):
        missing = client.post(f"/v1/people/nobody/{verb}", json={"reason": "r", **more}, headers=KEY)
        problem(missing, 404, "not_found")
    problem(client.post("/v1/people/ada@example.com/enable", json={"reason": "r"}, headers=KEY), 409, "conflict")
    stale = client.get("/v1/people", headers=KEY).headers["etag"]
    register(client, "bob")
    late = {**KEY, "If-Match": stale}
    problem(client.post("/v1/people/bob/disable", json={"reason": "r"}, headers=late), 412, "changed")


def test_on_the_machine_itself_the_cookie_goes_over_http(unpriced_copy: Store) -> None:
    """Without a public URL, on a loopback address, browsers would drop a secure cookie."""
    with TestClient(build(settings(public_url=None), unpriced_copy), base_url="http://127.0.0.1:8321") as client:
        register(client)
        cookie = enter(client).headers["set-cookie"]
        assert cookie.startswith("planner=")
        assert "secure" not in cookie.lower()
        body = {"login": "bob", "name": "Bob", "role": "backend", "reason": "new"}
        assert client.post("/v1/people", json=body, headers={"Origin": "http://127.0.0.1:8321"}).status_code == 201
        problem(client.post("/v1/people", json=body, headers={"Origin": "http://127.0.0.1:9"}), 403, "cross_site")
    for url, host, name in (
        (None, "0.0.0.0", "__Host-planner"),  # noqa: S104  # an address to judge, nobody listens there
        (None, "localhost", "planner"),
        ("http://localhost:8321", "0.0.0.0", "planner"),  # noqa: S104  # the same
        (URL, "127.0.0.1", "__Host-planner"),
    ):
        assert browser.site_of(url, host, LASTING).cookie == name
    for wrong in ("http://planner.example.com", f"{URL}/app", "https://u@x.example", "planner", "https://X.example"):
        with pytest.raises(ValidationError):
            settings(public_url=wrong)


def test_a_person_who_asks_too_often_waits_alone(unpriced_copy: Store) -> None:
    """Somebody signed in has an allowance, and a key has its own."""
    made = settings(requests_per_minute=2)
    with TestClient(build(made, unpriced_copy), base_url=URL) as client:
        register(client)
        assert enter(client).status_code == 201
        assert [client.get("/v1/sessions/current").status_code for _ in range(3)] == [200, 200, 429]
        assert client.get("/v1/tiers", headers=KEY).status_code == 200
