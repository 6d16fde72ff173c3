"""Reading the audit trail: a page of it, or whether all of it still follows from its beginning."""

import re
from typing import Any

from planner.core.errors import InvalidInput
from planner.store import audit
from planner.store.audit import Chain, Wanted
from planner.store.engine import Store

__all__ = ["Chain", "check", "entries"]

_EXPECTED = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})", re.ASCII)


def entries(store: Store, wanted: Wanted, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Return entries, newest first, from before a number."""
    with store.read() as connection:
        return audit.entries(connection, wanted, before, limit)


def check(store: Store, expect: str | None) -> Chain:
    """Check the whole chain; ``expect`` is ``SEQ:HASH`` of an entry that must still be there.

    Raises:
        InvalidInput: it is not of that form.
    """
    expected = None
    if expect is not None:
        found = _EXPECTED.fullmatch(expect)
        if found is None or not int(found[1]):
            raise InvalidInput("expect", "SEQ:HASH of an entry is needed, as a check prints it")
        expected = (int(found[1]), found[2])
    with store.read() as connection:
        return audit.check(connection, expected)
