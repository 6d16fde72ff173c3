"""Which host names are answered for: a page of another site that got its name to point here learns nothing."""

import re
from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from planner.api.problem import refusal
from planner.core.errors import UnknownHost

ANY = "*"
# Whoever runs planner asks these by address, and they say nothing.
_HEALTH = frozenset({"/live", "/ready"})
_HOST = re.compile(rb"([A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_KEPT_MAX = 100


class Hosts:
    """Refuses a request whose ``Host`` is missing, repeated, malformed or not one of ours."""

    def __init__(self, app: ASGIApp, allowed: Iterable[str]) -> None:
        """Wrap an application; ``*`` among the allowed names stands for any."""
        self._app, self._allowed = app, frozenset(name.lower() for name in allowed)
        self._good: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is meant for us."""
        if scope["type"] == "http":
            hosts = [value for name, value in scope["headers"] if name == b"host"]
            if len(hosts) != 1 or not (hosts[0] in self._good or self._is_ours(hosts[0], scope["path"])):
                await refusal(UnknownHost())(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _is_ours(self, host: bytes, path: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        ours = ANY in self._allowed or found[1].decode().lower().rstrip(".") in self._allowed
        # The same few names come again and again; a caller that invents thousands must not fill the memory.
        if ours and len(self._good) < _KEPT_MAX:
            self._good.add(host)
        return ours or path in _HEALTH
