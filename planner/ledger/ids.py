"""An aggregate has no id of its own, so it is named by its while and by everything it is grouped by."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime

# A label stands beside the id it is of, and a person may change it between two pulls of one bucket.
_LABELS = ("_name", "_email")


def aggregate_id(kind: str, begins: datetime, ends: datetime, dimensions: Mapping[str, object]) -> str:
    """Return the id of an aggregate, the same in every pull of it.

    A dimension that nothing is grouped by is null or missing, which is the same. Figures are no dimensions, and labels
    are none either; every other word is one, also one that planner has never seen, since two rows that differ in it
    are two rows.
    """
    named = {
        name: value
        for name, value in dimensions.items()
        if isinstance(value, str | bool) and value != "" and not name.endswith(_LABELS)
    }
    text = json.dumps([kind, begins.isoformat(), ends.isoformat(), named], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
