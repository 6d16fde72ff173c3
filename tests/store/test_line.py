"""A line: one row of a server read on an event loop, and every way in which that ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg
import pytest

from planner.store.line import Line, open_line
from tests.databases import postgres_database
from tests.stalling import Link, through

PATIENCE_SECONDS = 30.0


@asynccontextmanager
async def line_to(url: str, statement: str) -> AsyncIterator[Line]:
    """Open a line and hang up at the end."""
    line = await open_line(url, statement)
    try:
        yield line
    finally:
        line.close()


def asked(postgres: str, statement: str, asking: Callable[[Line], Awaitable[None]]) -> None:
    """Run something with a line to a database of its own."""

    async def run(url: str) -> None:
        async with line_to(url, statement) as line:
            await asking(line)

    with postgres_database(postgres) as url:
        asyncio.run(run(url))


def test_a_row_is_read_again_and_again(postgres: str) -> None:
    """Every answer is of the moment it was asked at, as texts, with an empty one for NULL."""

    async def asking(line: Line) -> None:
        first, second = await line.ask(PATIENCE_SECONDS), await line.ask(PATIENCE_SECONDS)
        assert first is not None
        assert second is not None
        assert (first[0], first[1]) == ("7", "")
        assert float(first[2]) < float(second[2])

    asked(postgres, "SELECT 7, NULL, extract(epoch FROM clock_timestamp())", asking)


def test_no_row_is_none(postgres: str) -> None:
    """A statement without a row has no answer, and the line goes on."""

    async def asking(line: Line) -> None:
        assert await line.ask(PATIENCE_SECONDS) is None
        assert await line.ask(PATIENCE_SECONDS) is None

    asked(postgres, "SELECT 1 WHERE false", asking)


def test_an_error_of_the_server_closes_the_line(postgres: str) -> None:
    """What is wrong is an error of the driver, and nobody is answered on that line again."""

    async def asking(line: Line) -> None:
        for _ in range(2):
            with pytest.raises(psycopg.OperationalError):
                await line.ask(PATIENCE_SECONDS)
            assert line.closed

    asked(postgres, "SELECT 1 / (random() * 0)::int", asking)


def test_a_line_that_the_server_ended_is_closed_before_it_is_asked(postgres: str) -> None:
    """An idle line notices that it was cut."""

    async def run(url: str) -> None:
        async with line_to(url, "SELECT pg_backend_pid()") as line:
            row = await line.ask(PATIENCE_SECONDS)
            assert row is not None
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as other:
                await other.execute("SELECT pg_terminate_backend(%s)", (int(row[0]),))
            async with asyncio.timeout(PATIENCE_SECONDS):
                # The loop hears of it by itself; there is nothing to wait for.
                while not line.closed:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            with pytest.raises(psycopg.OperationalError):
                await line.ask(PATIENCE_SECONDS)

    with postgres_database(postgres) as url:
        asyncio.run(run(url))


def test_a_silent_server_is_waited_for_as_long_as_was_said(postgres: str) -> None:
    """A link that takes what is sent and passes nothing on is a `TimeoutError`, and the line is closed."""

    async def run(url: str, link: Link) -> None:
        async with line_to(url, "SELECT 1") as line:
            assert await line.ask(PATIENCE_SECONDS) == ["1"]
            link.stalled.set()
            with pytest.raises(TimeoutError):
                await line.ask(0.1)
            assert line.closed

    with postgres_database(postgres) as url, through(url) as (link, behind):
        asyncio.run(run(behind, link))


def test_who_gives_up_in_the_middle_closes_the_line(postgres: str) -> None:
    """The answer to a question that nobody waits for any more must not be taken for the answer to the next."""

    async def asking(line: Line) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await line.ask(PATIENCE_SECONDS)
        assert line.closed

    asked(postgres, "SELECT pg_sleep(20)", asking)


def test_a_line_belongs_to_its_event_loop(postgres: str) -> None:
    """Asked on another loop it is closed, and does not wait for what can never arrive there."""

    async def ask(line: Line) -> None:
        with pytest.raises(psycopg.OperationalError):
            await line.ask(PATIENCE_SECONDS)

    with postgres_database(postgres) as url:
        line = asyncio.run(open_line(url, "SELECT 1"))
        asyncio.run(ask(line))
        assert line.closed


def test_a_statement_that_cannot_be_prepared_opens_no_line(postgres: str) -> None:
    """The error is the server's, and no connection is left behind."""

    async def run(url: str) -> None:
        with pytest.raises(psycopg.errors.UndefinedTable):
            await open_line(url, "SELECT 1 FROM nowhere")
        async with await psycopg.AsyncConnection.connect(url) as other:
            query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (await (await other.execute(query)).fetchone()) != (1,):
                    await other.rollback()

    with postgres_database(postgres) as url:
        asyncio.run(run(url))
