"""Fixtures that many tests share: databases on both engines, and one installed catalogue to read from."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import settings

from planner.core.snapshot import compile_catalogue
from planner.flows import passwords
from planner.store.engine import Store, open_store
from planner.store.load import load_catalogue
from planner.store.migrate import upgrade
from tests.databases import copied, furnished, postgres_database, postgres_server

# The test client calls every application by this name.
os.environ.setdefault("PLANNER_ALLOWED_HOSTS", "testserver")

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

settings.register_profile("normal", deadline=None, max_examples=60, derandomize=True, print_blob=True)
settings.register_profile("sweep", deadline=None, max_examples=5_000, print_blob=True)
settings.load_profile("normal")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """One PostgreSQL server for this process."""
    with postgres_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, once on each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'planner.sqlite3'}"
        return
    with postgres_database(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture(scope="session")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema and nothing else: copy it, which is quicker than upgrading an empty one."""
    path = tmp_path_factory.mktemp("schema") / "planner.sqlite3"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_schema(postgres: str) -> Iterator[str]:
    """The name of a database with the schema and nothing else, on the server of this process."""
    with postgres_database(postgres) as url:
        upgrade(url)
        yield url.rpartition("/")[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An opened database with the schema and nothing else, once on each engine."""
    if request.param == "sqlite":
        opened = open_store(f"sqlite:///{shutil.copy(request.getfixturevalue('schema'), tmp_path)}")
        yield opened
        opened.close()
        return
    template = request.getfixturevalue("postgres_schema")
    with postgres_database(request.getfixturevalue("postgres"), template) as url:
        opened = open_store(url)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A SQLite database with everything that travels with planner; read it, do not write it."""
    opened = furnished(f"sqlite:///{tmp_path_factory.mktemp('installed') / 'planner.sqlite3'}", NOW, bundle=True)
    with opened.read() as connection:
        # As long as this is held, whoever compiles a copy finds its prices laid out.
        held = compile_catalogue(load_catalogue(connection))
    yield opened
    del held
    opened.close()


@pytest.fixture
def installed_copy(installed: Store, tmp_path: Path) -> Iterator[Store]:
    """A copy of the installed database that a test may write."""
    opened = copied(installed, tmp_path / "copy.sqlite3")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def unpriced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A SQLite database as installed, before its first prices; read it, do not write it."""
    opened = furnished(f"sqlite:///{tmp_path_factory.mktemp('unpriced') / 'planner.sqlite3'}", NOW)
    yield opened
    opened.close()


@pytest.fixture
def unpriced_copy(unpriced: Store, tmp_path: Path) -> Iterator[Store]:
    """A copy of it that a test may write: enough for tests of people, keys and doors, and read in no time."""
    opened = copied(unpriced, tmp_path / "copy.sqlite3")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def quick_hashes() -> Iterator[None]:
    """The same algorithm for passwords with less work, for tests that hash hundreds of times."""
    patch = pytest.MonkeyPatch()
    patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    passwords._nobody.cache_clear()
    yield
    patch.undo()
    passwords._nobody.cache_clear()
