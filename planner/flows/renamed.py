"""Exactly the same file counts under one name: a second name of its stream is a slip, and would count it twice."""

from planner.core.errors import AlreadyImported
from planner.core.event import Role
from planner.store import imports, json_text, streams
from planner.store.engine import Connection
from planner.store.streams import Stream


def refuse(connection: Connection, stream: Stream, digest: str) -> None:
    """Refuse a file that counts already under the name of another stream.

    That its role was chosen says nothing else: whoever says that its rows are others says it of other bytes.

    Args:
        connection: an open transaction.
        stream: the stream as it is asked for; evidence counts nothing.
        digest: of the bytes of the file.

    Raises:
        AlreadyImported: which import it was, when, and into which stream.
    """
    known = streams.find(connection, stream.source)
    if (stream if known is None else known).role is Role.EVIDENCE:
        return
    found = imports.counted_elsewhere(connection, digest, stream.source)
    if found is None:
        return
    other = found.source[:80]
    raise AlreadyImported(
        "import", str(found.id),
        f"import it as source {other} and nothing changes, with role=evidence and it does not count; or put {other} in "
        "the role of evidence first",
        other, json_text.time_text(found.at) or "",
    )  # fmt: skip
