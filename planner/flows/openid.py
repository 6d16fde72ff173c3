"""Somebody signs in elsewhere: sent to an OpenID provider with a state that only their browser can bring back."""

import asyncio
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote_plus, urlsplit

import httpx
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from planner.core import strict_json
from planner.core.errors import InvalidInput, SignInRefused, Unavailable
from planner.flows import sign_in
from planner.flows.id_token import Proof, proven
from planner.flows.sign_in import Begun, Lasting
from planner.store import people, sign_ins
from planner.store.engine import Connection, Store
from planner.store.sign_ins import SignIn

CALLBACK = "/v1/sessions/oidc/callback"
AWAY = timedelta(minutes=10)
DEADLINE_SECONDS = 10.0
BYTES_MAX = 256 << 10
AT_ONCE = 4
_turns = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True, slots=True)
class Provider:
    """The OpenID provider people sign in at, and what planner is to it. ``public_url`` is where it sends them back."""

    issuer: str
    client: str
    secret: str | None
    public_url: str

    @property
    def redirect_uri(self) -> str:
        """Return the one address people are sent back to."""
        return self.public_url + CALLBACK


class Departure(NamedTuple):
    """Where a browser is sent, and the value of the cookie that binds the sign-in to it."""

    url: str
    browser: str


def depart(store: Store, provider: Provider, peer: str, at: datetime) -> Departure:
    """Begin a sign-in at the provider.

    Raises:
        TooManyRequests: the peer began too many.
        Unavailable: the provider or the database does not answer.
    """
    sign_in.counted(store, {f"openid:{sign_in.peer_of(peer)}": sign_in.PEER_TRIES_MAX}, at)
    with _turn():
        said = asyncio.run(_discovered(provider))
    state, browser, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
    begun = SignIn(nonce, verifier)
    store.tell(lambda connection: sign_ins.add(connection, state, browser, begun, at=at, expires_at=at + AWAY))
    asked = {
        "response_type": "code",
        "client_id": provider.client,
        "redirect_uri": provider.redirect_uri,
        "scope": "openid email",
        "state": state,
        "nonce": nonce,
        "code_challenge": create_s256_code_challenge(verifier),
        "code_challenge_method": "S256",
    }
    url: str = add_params_to_uri(_endpoint(provider, said, "authorization_endpoint"), list(asked.items()))
    return Departure(url, browser)


def arrive(
    store: Store, provider: Provider, *, state: str, code: str, browser: str, lasting: Lasting, at: datetime
) -> Begun:
    """Sign in whoever came back from the provider.

    Raises:
        SignInRefused: this browser began no such sign-in, the provider does not vouch for it, or nobody here is that.
        Unavailable: the provider or the database does not answer.
    """
    begun = store.tell(lambda connection: sign_ins.take(connection, state, browser, at=at))
    if begun is None:
        raise SignInRefused
    with _turn():
        proof = asyncio.run(_exchanged(provider, code, begun, at))

    def story(connection: Connection) -> Begun:
        person = people.bound(connection, provider.issuer, proof.subject)
        if person is None:
            person = None if proof.email is None else people.find(connection, proof.email)
            # An address may pass on to somebody else; the subject does not.
            if person is None or person.subject is not None or person.disabled_at is not None:
                raise SignInRefused
            who = f"person:{person.login}"
            people.bind(connection, person, provider.issuer, proof.subject, at=at, actor=who)
        return sign_in.begun(connection, person, "oidc", lasting, at, None)

    return store.tell(story)


async def _exchanged(provider: Provider, code: str, begun: SignIn, at: datetime) -> Proof:
    said = await _discovered(provider)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": provider.redirect_uri,
        "client_id": provider.client,
        "code_verifier": begun.verifier,
    }
    headers: dict[str, str] = {}
    auth: httpx.BasicAuth | None = None
    if provider.secret is not None:
        if "client_secret_basic" in said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"]):
            auth = httpx.BasicAuth(quote_plus(provider.client), quote_plus(provider.secret))
        else:
            form["client_secret"] = provider.secret
    async with _client() as client:
        request = client.build_request("POST", _endpoint(provider, said, "token_endpoint"), data=form, headers=headers)
        answer = await _asked(client, request, auth)
        keys = await _asked(client, client.build_request("GET", _endpoint(provider, said, "jwks_uri")))
    published = keys.get("keys")
    return proven(
        answer.get("id_token"), published if isinstance(published, list) else [],
        issuer=provider.issuer, client=provider.client, nonce=begun.nonce, at=at,
    )  # fmt: skip


async def _discovered(provider: Provider) -> Mapping[str, Any]:
    url = provider.issuer.rstrip("/") + "/.well-known/openid-configuration"
    async with _client() as client:
        said = await _asked(client, client.build_request("GET", url))
    if said.get("issuer") != provider.issuer:
        raise Unavailable("the OpenID provider is another one than PLANNER_OIDC_ISSUER names")
    return said


def _endpoint(provider: Provider, said: Mapping[str, Any], name: str) -> str:
    url = said.get(name)
    if isinstance(url, str):
        parts, own = urlsplit(url), urlsplit(provider.issuer)
        # In the clear only to a provider on the machine itself, which the settings allow.
        if parts.hostname and (parts.scheme == "https" or (parts.scheme, parts.netloc) == (own.scheme, own.netloc)):
            return url
    raise Unavailable("the OpenID provider describes itself in a way that cannot be used")


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(
        follow_redirects=False, trust_env=False, timeout=DEADLINE_SECONDS, headers={"Accept-Encoding": "identity"}
    )


async def _asked(
    client: httpx.AsyncClient, request: httpx.Request, auth: httpx.BasicAuth | None = None
) -> Mapping[str, Any]:
    """Return the JSON object a provider answers with, within a total deadline and a size."""
    body = bytearray()
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            answer = await client.send(request, auth=auth, stream=True)
            try:
                async for chunk in answer.aiter_raw():
                    body += chunk
                    if len(body) > BYTES_MAX:
                        raise Unavailable("the OpenID provider sends too much")
            finally:
                await answer.aclose()
    except (httpx.HTTPError, TimeoutError) as error:
        raise Unavailable("the OpenID provider does not answer") from error
    if request.method == "POST" and answer.status_code in (400, 401, 403):
        raise SignInRefused
    if answer.status_code != httpx.codes.OK or answer.headers.get("content-encoding", "identity") != "identity":
        raise Unavailable("the OpenID provider does not answer as it should")
    try:
        said = strict_json.read(bytes(body))
    except InvalidInput as error:
        raise Unavailable("the OpenID provider does not answer as it should") from error
    if not isinstance(said, dict):
        raise Unavailable("the OpenID provider does not answer as it should")
    return said


@contextmanager
def _turn() -> Iterator[None]:
    # Whoever waits for a provider holds a thread that other requests could use.
    if not _turns.acquire(blocking=False):
        raise Unavailable("too many people sign in at once")
    try:
        yield
    finally:
        _turns.release()
