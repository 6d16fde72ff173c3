"""The ASGI layer around the routes: a cap on what is sent in, and headers on what is sent out."""

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planner.api.problem import refusal
from planner.core.errors import EncodedBody, TooLarge

BODY_BYTES_MAX = 1 << 20
FILE_BYTES_MAX = 16 << 20
_FILES = frozenset(
    {
        "/v1/policies/import",
        "/v1/terms/import",
        "/v1/usage",
        "/v1/otlp/v1/traces",
        "/v1/imports",
        "/v1/revenue",
        "/v1/invoices",
    }
)
# Collectors compress what they send; this one route unpacks it, within a bound.
UNPACKED = "/v1/otlp/v1/traces"

NOT_KEPT = (b"cache-control", b"no-store")
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]


class Limits:
    """Counts the bytes of a body as they arrive, whatever its headers say, and answers 413 beyond the limit.

    Files that are taken in may be larger. An encoded body, 415, is not read at all.
    A plain ASGI class: the framework's own middleware base costs more than the route it guards.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request through within the limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        read = 0
        started = False

        async def counted() -> Message:
            nonlocal read
            if not read and scope["path"] != UNPACKED and _encoded(scope):
                raise EncodedBody
            message = await receive()
            read += len(message.get("body", b""))
            bytes_max = FILE_BYTES_MAX if scope["path"] in _FILES else BODY_BYTES_MAX
            if read > bytes_max:
                raise TooLarge(bytes_max)
            return message

        async def headed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                kept = {name for name, _value in message["headers"]}
                extra = [*HEADERS, *([] if b"cache-control" in kept else [NOT_KEPT])]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        try:
            await self._app(scope, counted, headed)
        except (EncodedBody, TooLarge) as error:
            if started:
                raise
            await refusal(error)(scope, receive, headed)
        except ClientDisconnect:
            # Nobody is there to be answered, and it is no fault of ours that a log should tell about.
            return


def _encoded(scope: Scope) -> bool:
    return any(
        name == b"content-encoding" and value.strip().lower() not in (b"", b"identity")
        for name, value in scope["headers"]
    )
