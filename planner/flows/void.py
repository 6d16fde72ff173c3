"""A row of usage is taken back by a person: booked back, its id stays used, and who did it and why is kept."""

from planner.flows import ingest
from planner.flows.ingest import Result
from planner.flows.second import By
from planner.store import audit
from planner.store.engine import Connection


def void(connection: Connection, source: str, id_: str, by: By) -> Result:
    """Take a row back.

    Raises:
        NotFound: there is no such row.
        Conflict: it was taken back before.
    """
    found = ingest.void(connection, source, id_, at=by.at, by=by.actor)
    audit.record(
        connection, at=by.at, actor=by.actor, action="usage.void", subject=f"{source} {id_}"[:400], before=None,
        after={"status": found.status}, reason=by.reason,
    )  # fmt: skip
    return found
