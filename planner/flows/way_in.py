"""The last way in: what an admin takes away over the network must leave a way to come back."""

from dataclasses import dataclass
from datetime import datetime

from planner.core.errors import Conflict
from planner.store import keys, people
from planner.store.engine import Connection

ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Doors:
    """What the settings let in: whether they hold an admin key, and the OpenID provider people come from."""

    admin_key: bool = False
    issuer: str | None = None


def keep_open(connection: Connection, at: datetime, doors: Doors | None, *, but: str = "") -> None:
    """Refuse, at the end of a change, what would leave no admin a way in. ``doors`` None: somebody has a shell.

    ``but`` is a key that does not count, since its secret is only on its way to its owner.

    Raises:
        Conflict: no admin could come in any more; says what to do first.
    """
    if doors is None or doors.admin_key:
        return
    # A key that another took the place of is on its way out.
    lasting = (key for key in keys.listed(connection) if key.live(at) and key.rotated_to is None)
    if any(key.role == ADMIN and key.prefix != but for key in lasting):
        return
    for person in people.listed(connection):
        able = person.password_hash is not None or (doors.issuer is not None and person.issuer in (None, doors.issuer))
        if person.role == ADMIN and person.disabled_at is None and able:
            return
    raise Conflict(
        "way in", "", "no admin could come in any more; make another admin key or person first, or do it with `planner`"
    )
