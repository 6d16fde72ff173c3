"""Exactly the same file counts under one name: a second name of its stream is a slip, and would count it twice."""

from planner.core.errors import AlreadyImported
from planner.core.event import Role
from planner.store import imports, json_text, streams
from planner.store.engine import Connection
from planner.store.imports import Elsewhere
from planner.store.streams import Stream


def refuse(connection: Connection, stream: Stream, digest: str) -> None:
    """Refuse a file that counts already under the name of another stream.

    That its role was chosen says nothing else: whoever says that its rows are others says it of other bytes.

    Args:
        connection: an open transaction.
        stream: the stream as it is asked for; evidence counts nothing, except of revenue, which has no role.
        digest: of the bytes of the file.

    Raises:
        AlreadyImported: which import it was, when, and into which stream.
    """
    found = imports.counted_elsewhere(connection, digest, stream.source)
    known = streams.find(connection, stream.source)
    evidence = (stream if known is None else known).role is Role.EVIDENCE
    if found is None or (evidence and found.has_role):
        return
    raise _counted(found)


def refuse_role(connection: Connection, source: str) -> None:
    """Refuse to let a stream count whose file counts already under another name.

    Raises:
        AlreadyImported: which import it was, when, and into which stream.
    """
    for digest in imports.digests(connection, source):
        found = imports.counted_elsewhere(connection, digest, source)
        if found is not None:
            raise _counted(found)


def _counted(found: Elsewhere) -> AlreadyImported:
    other = found.source[:80]
    problem = f"import it as source {other} and nothing changes"
    if found.has_role:
        problem += f", with role=evidence and it does not count; or put {other} in the role of evidence first"
    return AlreadyImported("import", str(found.id), problem, other, json_text.time_text(found.at) or "")
