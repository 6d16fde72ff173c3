"""Keys and the audit trail on the command line."""

import getpass
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from planner.cli import show
from planner.cli.opened import now, read_settings, store_of
from planner.core.errors import InvalidInput, readable
from planner.flows import key, second, trail
from planner.flows.kinds import every
from planner.flows.second import By, Reply
from planner.store import keys, revision
from planner.store.audit import Wanted
from planner.store.engine import Connection
from planner.store.proposals import WAITING

EXIT_BROKEN = 1


def actor() -> str:
    """Return who runs this command, for the audit trail."""
    return f"cli:{getpass.getuser()}"


def create_key(
    name: str, role: str, policies: list[str], expires_days: int | None, reason: str, *, as_json: bool
) -> None:  # fmt: skip
    """Create a key and print it, once."""
    expires_at = None if expires_days is None else (now() + timedelta(days=expires_days)).isoformat()
    body = {"role": role, "policies": policies, "expires_at": expires_at}
    _key_out(changed(key.CREATE, name, body, reason), as_json=as_json)


def rotate_key(prefix: str, overlap_hours: int, reason: str, *, as_json: bool) -> None:
    """Create a key in another one's place and print it, once."""
    _key_out(changed(key.ROTATE, prefix, {"overlap_hours": overlap_hours}, reason), as_json=as_json)


def _key_out(reply: Reply, *, as_json: bool) -> None:
    done(reply, reply.get("key", ""), as_json=as_json)
    if "key" in reply and not as_json:
        show.note("Shown once; only its digest is stored.")


def grant_key(prefix: str, policies: list[str], reason: str, *, as_json: bool) -> None:
    """Say which policies a backend's key may name."""
    reply = changed(key.GRANT, prefix, {"policies": policies}, reason)
    done(reply, f"{prefix} may name {', '.join(('the default', *policies))}", as_json=as_json)


def revoke_key(prefix: str, reason: str, *, as_json: bool) -> None:
    """Revoke a key."""
    reply = told(reason, lambda connection, by: key.revoke(connection, prefix, by, None))
    done({"revoked": prefix, **reply}, f"revoked {prefix}", as_json=as_json)


def changed(kind: str, subject: str, body: Reply, reason: str) -> Reply:
    """Make a change that a second person may have to agree to. Who has a shell may close the last way in."""
    kinds = every(read_settings().pepper(), None)
    return told(reason, lambda connection, by: second.change(connection, kinds[kind], subject, body, by))


class _Undone(Exception):  # it is no error
    """Ends a story that was only tried out; its reply is all that is left of it."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


def told(reason: str, story: Callable[[Connection, By], Reply], *, keep: bool = True) -> Reply:
    """Do something in one transaction, as whoever runs this command; without ``keep`` it is answered and undone.

    Raises:
        InvalidInput: the reason says nothing.
    """
    if not readable(reason):
        raise InvalidInput("reason", "printable characters are needed")
    settings = read_settings()
    by = By(actor=actor(), at=now(), reason=reason, two_people=settings.two_people)

    def tried(connection: Connection) -> Reply:
        reply = story(connection, by)
        if not keep:
            raise _Undone(reply)
        return reply

    try:
        return store_of(settings).tell(tried)
    except _Undone as undone:
        return undone.reply


def done(reply: Reply, line: str, *, as_json: bool) -> None:
    """Print what a change did, or that it waits for a second person."""
    if as_json:
        show.json_out(reply)
    elif "proposal" in reply and reply.get("state") == WAITING:
        wide = ", ".join(reply["widens"])
        show.line(f"Waits for a second person as proposal {reply['proposal']}: it lets more through ({wide}).")
    else:
        show.line(line)


def list_keys(*, as_json: bool) -> None:
    """Print the keys without their secrets."""
    with store_of(read_settings()).read() as connection:
        rows = [key.reply(one) for one in keys.listed(connection)]
    if as_json:
        show.json_out(rows)
        return
    columns = ("prefix", "name", "role", "policies", "created_at", "expires_at", "revoked_at", "last_used_at")
    shown = [{**row, "policies": " ".join(row["policies"])} for row in rows]
    show.table("keys", [(column, "left") for column in columns], [[row[column] for column in columns] for row in shown])


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
