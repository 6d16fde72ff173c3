"""Keys and the audit trail on the command line."""

import getpass
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from planner.cli import show
from planner.cli.opened import now, read_settings, store_of
from planner.core.errors import InvalidInput, NotFound, readable
from planner.flows import trail
from planner.store import keys, revision
from planner.store.audit import Wanted

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


def verify_audit(expect: str | None, file: Path | None, *, as_json: bool) -> None:
    """Check the hash chain of the audit trail; a broken link, or an expected entry that is gone, exits 1."""
    found = trail.check(store_of(read_settings()), expect) if file is None else _check_file(file, expect)
    broken = found.broken_at
    if as_json:
        show.json_out(
            {"whole": broken is None, "entries": found.entries, "last_seq": found.last_seq,
             "last_hash": found.last_hash, "broken_at": broken}
        )  # fmt: skip
    elif broken is None:
        show.line(f"The audit trail is whole. To find out later whether its end was cut off, write down {_mark(found)}")
    else:
        show.note(f"The audit trail is broken at entry {broken}.")
    if broken is not None:
        raise SystemExit(EXIT_BROKEN)


def _check_file(path: Path, expect: str | None) -> trail.Chain:
    try:
        with path.open("rb") as file:
            return trail.check_file(file, expect)
    except OSError as error:
        raise InvalidInput("file", f"cannot be read: {error.strerror}") from None


def export_audit(wanted: Wanted, format_: str, output: Path, *, as_json: bool) -> None:
    """Write entries into a file, which is there whole or not at all."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    part = output.with_name(f"{output.name}.part")
    with Progress(*columns, console=show.err, disable=not show.err.is_terminal) as bars:
        task = bars.add_task("audit", total=None)
        parts = trail.export(
            store_of(read_settings()), wanted, format_,
            lambda done, total: bars.update(task, completed=done, total=total),
        )  # fmt: skip
        try:
            with part.open("w", encoding="utf-8", newline="") as file:
                file.writelines(parts)
            part.replace(output)
        except OSError as error:
            raise InvalidInput("output", f"cannot be written: {error.strerror}") from None
        finally:
            part.unlink(missing_ok=True)
    show.json_out({"file": str(output), "format": format_}) if as_json else show.line(f"wrote {output}")


def _mark(found: trail.Chain) -> str:
    return f"{found.last_seq}:{found.last_hash}"


def list_audit(wanted: Wanted, limit: int, *, as_json: bool) -> None:
    """Print the newest entries of the audit trail."""
    found = trail.entries(store_of(read_settings()), wanted, None, limit)
    if as_json:
        show.json_out([{**entry, "at": entry["at"].isoformat()} for entry in found])
        return
    columns = ("seq", "at", "actor", "action", "subject", "reason")
    rows = [[entry[column] for column in columns] for entry in found]
    show.table("audit", [("seq", "right"), *((column, "left") for column in columns[1:])], rows)


def database_restored(reason: str, *, as_json: bool) -> None:
    """Say that a restored database is to hold: workers that have seen a newer one accept it from now on."""
    if not readable(reason):
        raise InvalidInput("reason", "a reason of printable characters is needed")
    present = now()
    numbers = store_of(read_settings()).tell(
        lambda connection: revision.restored(connection, at=present, actor=actor(), reason=reason)
    )
    if as_json:
        show.json_out(numbers._asdict())
    else:
        show.line("Workers accept this database from now on.")
