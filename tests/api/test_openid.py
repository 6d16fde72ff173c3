"""People sign in at an OpenID provider; nothing that was forged, replayed or meant for others lets anybody in."""

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from joserfc.jws import JWSRegistry
from pydantic import SecretStr, ValidationError
from starlette.testclient import TestClient

from planner.app import build
from planner.core.errors import InvalidInput
from planner.flows import openid, sign_in
from planner.settings import Settings
from planner.store.engine import Store
from tests.api.test_contract import ADMIN, problem
from tests.api.test_people import KEY, URL, settings
from tests.openid import CLIENT, SECRET, Claims, OpenId, openid_provider

ADA = "ada@example.com"
COOKIE, BINDING = "__Host-planner", "__Host-planner-openid"


@pytest.fixture(scope="module")
def running() -> Iterator[OpenId]:
    """One provider: making its keys takes a moment."""
    with openid_provider() as provider:
        yield provider


@pytest.fixture
def provider(running: OpenId) -> OpenId:
    """An honest provider."""
    running.sign, running.challenge, running.claims = None, "", {}
    running.asked, running.discovery = [], {}
    return running


@pytest.fixture
def client(unpriced_copy: Store, provider: OpenId) -> Iterator[TestClient]:
    """A browser that has not signed in, and Ada registered by an admin."""
    more = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SecretStr(SECRET)}
    with TestClient(build(settings(**more), unpriced_copy), base_url=URL, follow_redirects=False) as made:
        body = {"login": ADA, "name": "Ada", "role": "finance", "reason": "new"}
        assert made.post("/v1/people", json=body, headers=KEY).status_code == 201
        yield made


def depart(client: TestClient, provider: OpenId, **claims: Any) -> str:
    """Go to the provider, who will say this about whoever comes back; return the state."""
    answer = client.get("/v1/sessions/oidc")
    assert answer.status_code == 303, answer.text
    asked = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    provider.challenge = asked["code_challenge"]
    now = int(datetime.now(UTC).timestamp())  # noqa: TID251  # the service under test reads the clock
    provider.claims = {
        "iss": provider.issuer, "aud": CLIENT, "sub": "248289761001", "email": ADA, "email_verified": True,
        "iat": now, "exp": now + 300, "nonce": asked["nonce"], **claims,
    }  # fmt: skip
    return asked["state"]


def arrive(client: TestClient, state: str, **more: str) -> Any:
    """Come back from the provider."""
    return client.get("/v1/sessions/oidc/callback", params={"state": state, "code": "good", **more})


def test_a_person_goes_there_and_comes_back_signed_in(client: TestClient, provider: OpenId) -> None:
    """With PKCE, state and nonce; both kinds of key; the provider may add what it likes to the address."""
    answer = client.get("/v1/sessions/oidc")
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    assert asked["redirect_uri"] == [f"{URL}/v1/sessions/oidc/callback"]
    assert (asked["code_challenge_method"], asked["response_type"]) == (["S256"], ["code"])
    assert "samesite=lax" in answer.headers["set-cookie"].lower()
    back = arrive(client, depart(client, provider), session_state="x", iss=provider.issuer)
    assert (back.status_code, BINDING in client.cookies) == (200, False), back.text
    assert "SameSite=strict" in [part.strip() for part in back.headers.get_list("set-cookie")[-1].split(";")]
    current = client.get("/v1/sessions/current").json()
    assert (current["login"], current["method"], current["role"]) == (ADA, "oidc", "finance")
    path, form, header = next(entry for entry in provider.asked if entry[0] == "/token")
    assert base64.b64decode(header.removeprefix("Basic ")).decode() == f"{CLIENT}:a+client%27s+secret"
    assert (path, form["redirect_uri"], "client_secret" in form) == (
        "/token", [f"{URL}/v1/sessions/oidc/callback"], False,
    )  # fmt: skip
    client.cookies.clear()
    provider.sign = lambda claims: jwt.encode({"alg": "ES256", "kid": "ec"}, claims, provider.ec)
    provider.discovery = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert arrive(client, depart(client, provider)).status_code == 200
    assert provider.asked[-2][1]["client_secret"] == [SECRET]


def test_words_in_a_header_that_say_nothing_shut_nobody_out(client: TestClient, provider: OpenId) -> None:
    """Some providers send the thumbprint of their certificate besides the name of their key."""
    registry = JWSRegistry(strict_check_header=False)
    header = {"alg": "RS256", "kid": "rsa", "typ": "JWT", "x5t": "kid", "custom": 1}
    provider.sign = lambda claims: jwt.encode(header, claims, provider.rsa, registry=registry)
    assert arrive(client, depart(client, provider)).status_code == 200


def test_after_the_first_time_the_subject_counts_and_not_the_address(client: TestClient, provider: OpenId) -> None:
    """Ada under another address comes in; somebody else under Ada's old address does not."""
    assert arrive(client, depart(client, provider)).status_code == 200
    assert arrive(client, depart(client, provider, email="a@new.example", email_verified=False)).status_code == 200
    client.cookies.clear()
    problem(arrive(client, depart(client, provider, sub="4711")), 401, "sign_in_refused")
    client.post(f"/v1/people/{ADA}/disable", json={"reason": "left"}, headers=KEY)
    problem(arrive(client, depart(client, provider)), 401, "sign_in_refused")
    assert COOKIE not in client.cookies


WRONG_CLAIMS: dict[str, Claims] = {
    "another issuer": {"iss": "https://evil.example"},
    "the issuer with a slash": {"iss": "http://127.0.0.1/"},
    "another audience": {"aud": "another"},
    "no audience": {"aud": None},
    "several audiences and no party": {"aud": [CLIENT, "another"]},
    "another party": {"azp": "another"},
    "several audiences and another party": {"aud": [CLIENT, "another"], "azp": "another"},
    "another nonce": {"nonce": "x"},
    "no nonce": {"nonce": None},
    "expired": {"exp": 1_700_000_000},
    "expiry as text": {"exp": "9999999999"},
    "no expiry": {"exp": None},
    "from the future": {"iat": 4_000_000_000},
    "from long ago": {"iat": 1_700_000_000},
    "not yet": {"nbf": 4_000_000_000},
    "an address nobody checked": {"email_verified": False},
    "an address checked in words": {"email_verified": "true"},
    "somebody nobody registered": {"email": "eve@example.com"},
    "a look-alike": {"email": "аda@example.com"},  # noqa: RUF001  # the first letter is Cyrillic
    "another case": {"email": "Ada@example.com"},
    "no subject": {"sub": ""},
    "a number as subject": {"sub": 7},
}


@pytest.mark.parametrize("claims", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS)
def test_a_token_that_says_something_else_lets_nobody_in(client: TestClient, provider: OpenId, claims: Claims) -> None:
    """Signed by the provider, and yet not for this sign-in."""
    answer = arrive(client, depart(client, provider, **claims))
    problem(answer, 401, "sign_in_refused")
    assert COOKIE not in client.cookies


def encoded(part: object) -> str:
    """Write one part of a token."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def altered(token: str, place: int, part: object) -> str:
    """Put another part into a signed token."""
    parts = token.split(".")
    parts[place] = encoded(part)
    return ".".join(parts)


def keyed(claims: Claims, secret: bytes) -> str:
    """Sign with a secret that everybody knows."""
    said = f"{encoded({'alg': 'HS256', 'kid': 'rsa'})}.{encoded(claims)}"
    mac = base64.urlsafe_b64encode(hmac.digest(secret, said.encode(), "sha256")).decode().rstrip("=")
    return f"{said}.{mac}"


EVIL = RSAKey.generate_key(2048, {"kid": "rsa"})
FORGED: dict[str, Callable[[OpenId, Claims], Any]] = {
    "no signature": lambda _provider, claims: f"{encoded({'alg': 'none'})}.{encoded(claims)}.",
    "None in capitals": lambda _provider, claims: f"{encoded({'alg': 'NONE', 'kid': 'rsa'})}.{encoded(claims)}.",
    "HS256 with the public key": lambda provider, claims: keyed(claims, provider.rsa.as_pem(private=False)),
    "HS256 with the client's secret": lambda _provider, claims: jwt.encode(
        {"alg": "HS256"}, claims, OctKey.import_key(SECRET)
    ),
    "another key under the same name": lambda _provider, claims: jwt.encode(
        {"alg": "RS256", "kid": "rsa"}, claims, EVIL
    ),
    "an unknown name": lambda provider, claims: jwt.encode({"alg": "RS256", "kid": "x"}, claims, provider.rsa),
    "a path as name": lambda _provider, claims: jwt.encode({"alg": "RS256", "kid": "../../rsa"}, claims, EVIL),
    "SQL as name": lambda _provider, claims: jwt.encode({"alg": "RS256", "kid": "' OR 1=1 --"}, claims, EVIL),
    "a key in the header": lambda _provider, claims: jwt.encode(
        {"alg": "RS256", "kid": "rsa", "jwk": EVIL.as_dict(private=False)}, claims, EVIL
    ),
    "an address of keys in the header": lambda provider, claims: jwt.encode(
        {"alg": "RS256", "kid": "rsa", "jku": "https://evil.example/keys"}, claims, provider.rsa
    ),
    "a header that must be understood": lambda provider, claims: jwt.encode(
        {"alg": "RS256", "kid": "rsa", "crit": ["b64"], "b64": True}, claims, provider.rsa
    ),
    "an algorithm that is not ours": lambda provider, claims: jwt.encode(
        {"alg": "PS256", "kid": "rsa"}, claims, provider.rsa, algorithms=["PS256"]
    ),
    "the other kind of key": lambda provider, claims: altered(
        jwt.encode({"alg": "ES256", "kid": "ec"}, claims, provider.ec), 0, {"alg": "RS256", "kid": "ec"}
    ),
    "other claims under the same signature": lambda provider, claims: altered(
        jwt.encode({"alg": "RS256", "kid": "rsa"}, claims, provider.rsa), 1, {**claims, "sub": "1"}
    ),
    "nothing": lambda _provider, _claims: None,
    "no token": lambda _provider, _claims: "a.b.c",
    "a list": lambda _provider, _claims: ["a"],
    "claims that are no object": lambda _provider, _claims: f"{encoded({'alg': 'RS256'})}.{encoded([1])}.x",
    "a very long one": lambda _provider, claims: f"{encoded({'alg': 'RS256'})}.{encoded(claims)}.{'A' * 20_000}",
}  # fmt: skip


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_forged_token_lets_nobody_in(
    client: TestClient, provider: OpenId, forge: Callable[[OpenId, Claims], Any]
) -> None:
    """Whatever a token says about its own signature, the keys of the provider and two algorithms decide."""
    provider.sign = lambda claims: forge(provider, claims)
    answer = arrive(client, depart(client, provider))
    problem(answer, 401, "sign_in_refused")
    assert COOKIE not in client.cookies


def test_a_sign_in_comes_back_once_and_to_the_browser_that_began_it(client: TestClient, provider: OpenId) -> None:
    """Replayed, in another browser, without one, under an invented state, twice named, by another provider: 401."""
    state = depart(client, provider)
    binding = client.cookies[BINDING]
    client.cookies.clear()
    problem(arrive(client, state), 401, "sign_in_refused")
    other = depart(client, provider)
    problem(arrive(client, state), 401, "sign_in_refused")
    problem(arrive(client, "x"), 401, "sign_in_refused")
    problem(arrive(client, other, iss="https://evil.example"), 401, "sign_in_refused")
    problem(client.get(f"/v1/sessions/oidc/callback?state={other}&state=x&code=good"), 401, "sign_in_refused")
    problem(client.get("/v1/sessions/oidc/callback?error=access_denied"), 401, "sign_in_refused")
    problem(client.get(f"/v1/sessions/oidc/callback?state={other}&code=bad"), 401, "sign_in_refused")
    problem(arrive(client, other), 401, "sign_in_refused")
    again = depart(client, provider)
    mine = {"Cookie": f"{BINDING}={client.cookies[BINDING]}"}
    client.cookies.clear()
    path = f"/v1/sessions/oidc/callback?state={again}&code=good"
    assert client.get(path, headers=mine).status_code == 200
    client.cookies.clear()
    problem(client.get(path, headers=mine), 401, "sign_in_refused")
    assert binding not in mine["Cookie"]


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://evil.example"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://10.0.0.1/authorize"},
        {"authorization_endpoint": None},
        {"padding": "x" * openid.BYTES_MAX},
    ],
)
def test_a_provider_that_is_another_one_is_not_gone_to(client: TestClient, provider: OpenId, said: Claims) -> None:
    """What it says about itself must be about itself, short, and lead nowhere in the clear."""
    provider.discovery = said
    problem(client.get("/v1/sessions/oidc"), 503, "unavailable")


def test_keys_come_from_no_other_machine_in_the_clear(client: TestClient, provider: OpenId) -> None:
    """An address of keys or tokens over http elsewhere is not asked."""
    for name in ("jwks_uri", "token_endpoint"):
        state = depart(client, provider)
        provider.discovery = {name: "http://192.0.2.1/x"}
        problem(arrive(client, state), 503, "unavailable")
        provider.discovery = {}


def test_a_redirect_of_the_provider_is_not_followed(
    client: TestClient, provider: OpenId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address of its own that answers elsewhere is no answer."""
    monkeypatch.setattr(provider, "answer", lambda *_: (302, {}))
    problem(client.get("/v1/sessions/oidc"), 503, "unavailable")


def test_one_peer_begins_so_many_and_no_more(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each beginning asks the provider: after so many within the window 429."""
    monkeypatch.setattr(sign_in, "PEER_TRIES_MAX", 3)
    assert [client.get("/v1/sessions/oidc").status_code for _ in range(5)] == [303, 303, 303, 429, 429]


def test_without_a_provider_nobody_signs_in_elsewhere(unpriced_copy: Store) -> None:
    """Not set up: 404. Half set up: said at the start. A provider in the clear: refused."""
    with TestClient(build(settings(), unpriced_copy), base_url=URL) as client:
        for path in ("/v1/sessions/oidc", "/v1/sessions/oidc/callback"):
            problem(client.get(path), 404, "not_found")
    with pytest.raises(InvalidInput):
        build(settings(oidc_issuer="https://id.example"), unpriced_copy)
    for wrong in ("http://id.example", "id.example", "https://id.example/?x=1"):
        with pytest.raises(ValidationError):
            Settings(admin_key=SecretStr(ADMIN), oidc_issuer=wrong)
