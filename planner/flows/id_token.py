"""Judging what an OpenID provider says about somebody: whose signature, for whom, when, and for which sign-in."""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from planner.core import strict_json
from planner.core.errors import InvalidInput, SignInRefused

# Fixed here: what a token says about itself chooses among these, and the key must be of the kind.
_KINDS: dict[str, tuple[type[RSAKey] | type[ECKey], str]] = {"RS256": (RSAKey, "RSA"), "ES256": (ECKey, "EC")}
# A header may name its key; it may bring none, point to none, and ask for nothing that is not known here. Other words,
# such as the thumbprint some providers send, say nothing.
_NEVER_IN_HEADER = frozenset({"jwk", "jku", "x5c", "x5u", "crit", "b64", "zip", "enc"})
SKEW_SECONDS = 60
AGE_SECONDS_MAX = 600
_CHARACTERS_MAX = 16_384
_SUBJECT = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Proof:
    """Who somebody is to the provider; ``email`` None: it vouches for no address."""

    subject: str
    email: str | None


def proven(
    token: object, keys: Sequence[object], *, issuer: str, client: str, nonce: str, at: datetime
) -> Proof:  # fmt: skip
    """Return who a token proves somebody to be.

    Raises:
        SignInRefused: it proves nothing here. What was wrong with it is not said.
    """
    if not isinstance(token, str) or not token.isascii() or len(token) > _CHARACTERS_MAX:
        raise SignInRefused
    algorithm, key = _key(_header(token), keys)
    try:
        registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        claims: Mapping[str, Any] = jwt.decode(token, key, registry=registry).claims
    except (JoseError, ValueError, TypeError, RecursionError):
        raise SignInRefused from None
    now = at.timestamp()
    audience = claims.get("aud")
    named = [audience] if isinstance(audience, str) else audience
    sound = (
        claims.get("iss") == issuer
        and isinstance(named, list)
        and client in named
        # A token for several parties says which of them asked for it.
        and ("azp" in claims or len(named) == 1)
        and claims.get("azp", client) == client
        and _within(claims.get("exp"), now + 1, float("inf"))
        and _within(claims.get("iat"), now - AGE_SECONDS_MAX, now + SKEW_SECONDS)
        and _within(claims.get("nbf", 0), 0, now + SKEW_SECONDS)
        and isinstance(claims.get("nonce"), str)
        and hmac.compare_digest(claims["nonce"].encode("utf-8", "surrogatepass"), nonce.encode())
    )
    subject = claims.get("sub")
    if not sound or not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
        raise SignInRefused
    email = claims.get("email")
    vouched = (
        isinstance(email, str) and email.isascii() and email.isprintable() and claims.get("email_verified") is True
    )
    return Proof(subject, email if vouched else None)


def _header(token: str) -> Mapping[str, Any]:
    first = token.split(".")
    if len(first) != 3:  # noqa: PLR2004  # header, claims, signature
        raise SignInRefused
    try:
        header = strict_json.read(base64.urlsafe_b64decode(first[0] + "=" * (-len(first[0]) % 4)))
    except (InvalidInput, binascii.Error, ValueError):
        raise SignInRefused from None
    if not isinstance(header, dict) or set(header) & _NEVER_IN_HEADER:
        raise SignInRefused
    return header


def _key(header: Mapping[str, Any], keys: Sequence[object]) -> tuple[str, RSAKey | ECKey]:
    """Return the one published key that a header names, of the kind its algorithm needs."""
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in _KINDS:
        raise SignInRefused
    kind, word = _KINDS[algorithm]
    fit = [
        key
        for key in keys
        if isinstance(key, dict)
        and key.get("kty") == word
        and key.get("alg", algorithm) == algorithm
        and key.get("use", "sig") == "sig"
        and (kid is None or key.get("kid") == kid)
    ]
    # Without a name, or under a name twice, a key would have to be guessed.
    if len(fit) != 1 or not isinstance(kid, str | None):
        raise SignInRefused
    try:
        return algorithm, kind.import_key(fit[0])
    except (JoseError, ValueError, TypeError, KeyError):
        raise SignInRefused from None


def _within(value: object, least: float, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
