"""Where an offer's OpenAI-compatible API is, and which environment variable holds its key."""

import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from planner.core.errors import InvalidInput
from planner.core.offer import OfferFacts

FILE = "endpoints.toml"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An API that chat completions are asked of: ``base_url`` without the path, and the variable with its key.

    ``max_tokens`` is what the request's limit is called; ``stream_options``: whether usage has to be asked for.
    """

    base_url: str
    key_variable: str
    max_tokens: str = "max_tokens"
    stream_options: bool = True

    def under(self, key_variable: str) -> "Endpoint":
        """Return the same API with its key in another variable."""
        return replace(self, key_variable=key_variable)


class Endpoints:
    """The table of the APIs that are documented."""

    def __init__(self, folder: Path) -> None:
        """Read the table that travels with planner."""
        rows = tomllib.loads((folder / FILE).read_text("utf-8"))["endpoint"]
        self._known = {
            (row["channel"], row.get("provider")): Endpoint(
                base_url=row["base_url"],
                key_variable=row["key_variable"],
                max_tokens=row.get("max_tokens", "max_tokens"),
                stream_options=row.get("stream_options", True),
            )
            for row in rows
        }

    def all(self) -> list[Endpoint]:
        """Return every API of the table."""
        return [*self._known.values()]

    def of(self, facts: OfferFacts) -> Endpoint | None:
        """Return the API that serves an offer; None where none is documented."""
        return self._known.get((facts.channel, None)) or self._known.get((facts.channel, facts.provider))


def own_endpoint(base_url: str, key_variable: str) -> Endpoint:
    """Return an API that is in no table: a gateway of one's own, or a provider's that documents none.

    Raises:
        InvalidInput: no variable, or an address a key must not be sent to.
    """
    check_variable(key_variable)
    try:
        parts = urlsplit(base_url)
        secret = parts.username is not None or parts.password is not None
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise InvalidInput("base_url", "not a URL") from None
    if not base_url.isprintable() or " " in base_url or not host or secret or parts.query or parts.fragment:
        raise InvalidInput("base_url", "a host and a path are needed, and neither a user, a query nor a fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise InvalidInput("base_url", "https is needed; plain http is for this machine alone: a key goes with it")
    return Endpoint(base_url=base_url.rstrip("/"), key_variable=key_variable)


def check_variable(name: str) -> None:
    """Refuse what is no name of an environment variable. It is not repeated: it may be the key itself.

    Raises:
        InvalidInput: not such a name.
    """
    if not _VARIABLE.fullmatch(name):
        raise InvalidInput("key_env", "the name of an environment variable is needed, not what it holds")
