"""A person chooses whether a stream counts; what it sent before is booked, or booked back."""

from planner.core.event import Role
from planner.flows import renamed
from planner.flows.second import By
from planner.store import audit, streams, work
from planner.store.engine import Connection
from planner.store.streams import Stream


def choose(connection: Connection, source: str, role: Role, by: By) -> Stream:
    """Put a stream in a role.

    Raises:
        NotFound: nothing was ever sent under this name.
        AlreadyImported: it is to count, and exactly one of its files counts in another stream.
    """
    before = streams.required(connection, source)
    if role is Role.LEDGER and before.role is Role.EVIDENCE:
        renamed.refuse_role(connection, source)
    after = before._replace(role=role, chosen=True)
    streams.keep(connection, after, by.at, by.actor)
    audit.record(
        connection, at=by.at, actor=by.actor, action="stream.role", subject=source, reason=by.reason,
        before={"role": before.role.value, "chosen": before.chosen}, after={"role": role.value, "chosen": True},
    )  # fmt: skip
    if before.role is not role:
        work.add(connection, "role", {"source": source, "role": role.value}, by.at)
    return after
