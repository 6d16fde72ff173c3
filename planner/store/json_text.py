"""Canonical JSON text: the same value always gives the same bytes, so digests can be compared."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

# Made once: `json.dumps` would make another one for every row of usage.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def dump(value: object) -> str:
    """Write a JSON-ready value: keys sorted, no spaces, no escapes that are not needed."""
    return _ENCODER.encode(value)


def load(text: str) -> Any:  # noqa: ANN401  # JSON is any of six types
    """Read what `dump` wrote."""
    return json.loads(text)


def digest(text: str) -> str:
    """Return the SHA-256 of a text in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def time_text(moment: datetime | None) -> str | None:
    """Write a moment in UTC with ``Z``."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
