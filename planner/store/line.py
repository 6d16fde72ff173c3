"""One row of a server read on an event loop: no thread in between, which would cost more than the read itself."""

import asyncio

import psycopg
from psycopg import pq

_PREPARED = b"planner_line"


class Line:
    """One connection with one statement, asked by one caller at a time; belongs to the event loop that opened it.

    After any error it is closed and stays closed.
    """

    def __init__(self, connection: psycopg.AsyncConnection) -> None:
        """Take over a connection on which the statement is prepared; use `open_line`."""
        self._connection, self._loop = connection, asyncio.get_running_loop()
        self._asked: asyncio.Future[pq.abc.PGresult | None] | None = None
        self._found: pq.abc.PGresult | None = None
        self._server = connection.pgconn
        self._server.nonblocking = 1
        self._socket = self._server.socket
        self._loop.add_reader(self._socket, self._arrived)
        self.closed = False

    async def ask(self, seconds_max: float) -> list[str] | None:
        """Return the statement's first row as texts, an empty one for NULL, or None where there is no row.

        Raises:
            TimeoutError: the server said nothing for so long.
            psycopg.Error: it cannot be asked, or says that something is wrong.
        """
        try:
            if self.closed or asyncio.get_running_loop() is not self._loop:
                raise psycopg.OperationalError("nobody listens here")  # noqa: TRY301  # closing twice changes nothing
            self._asked = self._loop.create_future()
            late = self._loop.call_later(seconds_max, self._fail, TimeoutError("the server says nothing"))
            try:
                self._server.send_query_prepared(_PREPARED, None)
                if self._server.flush():
                    raise psycopg.OperationalError("the server takes nothing")
                result = await self._asked
            finally:
                late.cancel()
                self._asked = None
            return _first(result)
        except BaseException:
            # It ended in the middle of an exchange: nobody can say what would be read next.
            self.close()
            raise

    def close(self) -> None:
        """Close the connection. To be called where the event loop runs."""
        if not self.closed:
            self.closed = True
            self._loop.remove_reader(self._socket)
            self._server.finish()

    def _arrived(self) -> None:
        try:
            self._server.consume_input()
            while not self._server.is_busy():
                found = self._server.get_result()
                if found is None:
                    if self._asked is not None and not self._asked.done():
                        self._asked.set_result(self._found)
                    self._found = None
                    return
                self._found = found
        except psycopg.Error as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self._asked is not None and not self._asked.done():
            self._asked.set_exception(error)
        self.close()


def _first(result: pq.abc.PGresult | None) -> list[str] | None:
    if result is None or result.status != pq.ExecStatus.TUPLES_OK:
        raise psycopg.OperationalError("the server did not answer what was asked")
    if not result.ntuples:
        return None
    return [(result.get_value(0, column) or b"").decode() for column in range(result.nfields)]


async def open_line(conninfo: str, statement: str) -> Line:
    """Connect to a server, and prepare the statement that is going to be asked.

    Raises:
        psycopg.Error: it cannot be reached, or refuses.
    """
    connection = await psycopg.AsyncConnection.connect(conninfo, autocommit=True)
    try:
        await connection.execute(f"PREPARE {_PREPARED.decode()} AS {statement}".encode())
        return Line(connection)
    except BaseException:
        connection.pgconn.finish()
        raise
