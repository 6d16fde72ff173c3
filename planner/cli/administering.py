"""Keys and the audit trail on the command line."""

import getpass

from planner.cli import show
from planner.cli.opened import now, read_settings, store_of
from planner.core.errors import InvalidInput, NotFound, readable
from planner.store import audit, keys

EXIT_BROKEN = 1
ROLES = ("backend", "finance", "admin")


def actor() -> str:
    """Return who runs this command, for the audit trail."""
    return f"cli:{getpass.getuser()}"


def create_key(name: str, role: str, policies: list[str] | None, *, as_json: bool) -> None:
    """Create a key and print it, once."""
    if role not in ROLES:
        raise InvalidInput("role", f"one of {', '.join(ROLES)} is needed")
    if not readable(name):
        raise InvalidInput("name", "a name of printable characters is needed")
    settings = read_settings()
    store = store_of(settings)
    pepper, present = settings.pepper(), now()
    key = store.tell(
        lambda connection: keys.create(
            connection, pepper, name=name, role=role, policies=policies, expires_at=None, actor=actor(), at=present
        )
    )
    if as_json:
        show.json_out({"key": key, "role": role, "name": name})
    else:
        show.line(key)
        show.note("Shown once; only its digest is stored.")


def revoke_key(prefix: str, *, as_json: bool) -> None:
    """Revoke a key."""
    store = store_of(read_settings())
    present = now()
    if not store.tell(lambda connection: keys.revoke(connection, prefix, actor=actor(), at=present)):
        raise NotFound("key", prefix)
    if as_json:
        show.json_out({"revoked": prefix})
    else:
        show.line(f"revoked {prefix}")


def list_keys(*, as_json: bool) -> None:
    """Print the keys without their secrets."""
    store = store_of(read_settings())
    with store.read() as connection:
        rows = keys.listed(connection)
    if as_json:
        show.json_out(rows)
        return
    columns = ("prefix", "name", "role", "created_at", "expires_at", "revoked_at")
    show.table("keys", [(column, "left") for column in columns], [[row[column] for column in columns] for row in rows])


def verify_audit(*, as_json: bool) -> None:
    """Check the hash chain of the audit trail; a broken link exits 1."""
    store = store_of(read_settings())
    with store.read() as connection:
        broken = audit.verify(connection)
    if as_json:
        show.json_out({"whole": broken is None, "broken_at": broken})
    elif broken is None:
        show.line("The audit trail is whole.")
    else:
        show.note(f"The audit trail is broken at entry {broken}.")
    if broken is not None:
        raise SystemExit(EXIT_BROKEN)
