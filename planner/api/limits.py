"""The ASGI layer around the routes: a cap on what is sent in, and headers on what is sent out."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planner.api.problem import refusal
from planner.core.errors import TooLarge

BODY_BYTES_MAX = 1 << 20

_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]


class Limits:
    """Counts the bytes of a body as they arrive, whatever its headers say, and answers 413 beyond the limit.

    A plain ASGI class: the framework's own middleware base costs more than the route it guards.
    """

    def __init__(self, app: ASGIApp, bytes_max: int = BODY_BYTES_MAX) -> None:
        """Wrap an application."""
        self._app, self._bytes_max = app, bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request through within the limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        read = 0
        started = False

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._bytes_max:
                raise TooLarge(self._bytes_max)
            return message

        async def headed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                kept = {name for name, _value in message["headers"]}
                extra = [*_HEADERS, *([] if b"cache-control" in kept else [(b"cache-control", b"no-store")])]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        try:
            await self._app(scope, counted, headed)
        except TooLarge as error:
            if started:
                raise
            await refusal(error)(scope, receive, headed)
