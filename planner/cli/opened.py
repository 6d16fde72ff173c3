"""What every command needs first: the settings, the opened database and the newest view of it."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from planner.core.errors import InvalidInput, what_is_wrong
from planner.settings import Settings
from planner.store.engine import Store, open_store
from planner.store.schema import check

if TYPE_CHECKING:
    from planner.flows.current import View

logging.getLogger("httpx").setLevel(logging.WARNING)


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def read_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        InvalidInput: one of them cannot be read; its value is not repeated, it may be a secret.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise InvalidInput(f"PLANNER_{first['loc'][0]}".upper(), what_is_wrong(first["msg"])) from None


def file_bytes(path: Path, field: str) -> bytes:
    """Read a file that a command was given.

    Raises:
        InvalidInput: there is none, or it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InvalidInput(field, "no such file") from None
    except OSError as error:
        raise InvalidInput(field, (error.strerror or "not a readable file").lower()) from None


def store_of(settings: Settings) -> Store:
    """Open the database of the settings and check its schema.

    Raises:
        PlannerError: there is no database yet, or its schema is another version's.
    """
    check(settings.url())
    return open_store(settings.url(), by_query=settings.by_query)


def view_of(settings: Settings) -> "View":
    """Return the newest view of the catalogue."""
    # Compiling needs numpy, which commands that answer no question do without.
    from planner.flows.current import Current

    return Current(store_of(settings), settings.pepper(), now).view()


def known_view(settings: Settings, known_at: datetime | None, present: datetime) -> tuple["View", datetime]:
    """Return the view and the moment of decision of a question that may be about what was believed earlier."""
    from planner.flows.current import Current

    current = Current(store_of(settings), settings.pepper(), lambda: present)
    view = current.view()
    if known_at is None or known_at >= present:
        return view, present
    return current.known(view, known_at), known_at
