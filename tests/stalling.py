"""A link to a server that stalls: it stays open, takes what is sent, and passes nothing on."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import make_url


class Link:
    """One such link; ``stalled`` says whether it stalls now."""

    def __init__(self, host: str, port: int) -> None:
        self._there, self.stalled, self._closed = (host, port), threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    @contextmanager
    def open(self) -> Iterator["Link"]:
        """Take connections."""
        accepting = threading.Thread(target=self._accept)
        accepting.start()
        try:
            yield self
        finally:
            self._closed.set()
            self._listener.shutdown(socket.SHUT_RDWR)
            for thread in (accepting, *self._threads):
                thread.join()
            self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                here, _address = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._carry, args=(here,)))
            self._threads[-1].start()

    def _carry(self, here: socket.socket) -> None:
        with here, socket.create_connection(self._there) as there:
            while not self._closed.is_set():
                readable, _w, _x = select.select([here, there], [], [], 0.05)
                for end in readable:
                    try:
                        sent = end.recv(65_536)
                    except OSError:
                        return
                    if not sent:
                        return
                    # What is sent into a stalled link is lost, as behind a firewall that forgot it.
                    if not self.stalled.is_set():
                        (there if end is here else here).sendall(sent)


@contextmanager
def through(url: str) -> Iterator[tuple[Link, str]]:
    """Open a link to the server of a database, and yield it with the URL of the database behind it."""
    made = make_url(url)
    with Link(made.host or "", made.port or 0).open() as link:
        yield link, made.set(port=link.port).render_as_string(hide_password=False)
