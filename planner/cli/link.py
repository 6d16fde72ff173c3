"""One connection of the server: who does not send a whole request in time, or never ends its head, is hung up on."""

from asyncio import BaseTransport, TimerHandle

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_SECONDS_MAX = 30.0
"""How long a request may take to arrive, its body included."""
HEAD_BYTES_MAX = 1 << 16


class Link(HttpToolsProtocol):
    """The server's own connection, which by itself would wait for a request forever and keep any head in memory.

    Idle time between two requests is the server's ``timeout_keep_alive``.
    """

    _late: TimerHandle | None = None
    _arriving = True
    _head_bytes: int | None = 0

    def connection_made(self, transport: BaseTransport) -> None:
        """Expect the first request."""
        super().connection_made(transport)  # type: ignore[arg-type]  # the transport of a TCP connection is one
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._arrived()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Note that a request begins."""
        super().on_message_begin()
        self._arriving, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        """Note that a head is whole."""
        self._head_bytes = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that a request is whole."""
        self._arrived()
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Read on, and expect the rest of what has begun."""
        super().data_received(data)
        # Most requests arrive whole and need no timer.
        if self._arriving and not self.transport.is_closing():
            self._expect()
            if self._head_bytes is not None:
                self._head_bytes += len(data)
                if self._head_bytes > HEAD_BYTES_MAX:
                    self.send_400_response("The head of the request is too large.")

    def _expect(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(REQUEST_SECONDS_MAX, self.transport.close)

    def _arrived(self) -> None:
        self._arriving = False
        if self._late is not None:
            self._late.cancel()
            self._late = None
