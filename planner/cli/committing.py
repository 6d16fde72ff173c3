"""Commitments on the command line: what was paid or promised in advance, in the words of the API's body."""

from typing import Any

from planner.api.body import checked
from planner.api.commitments import CommitmentIn, commitment_shape
from planner.cli import show
from planner.cli.administering import actor
from planner.cli.desk import LEFT, RIGHT
from planner.cli.opened import now, read_settings, store_of
from planner.flows import commitments
from planner.store import commitments as rows


def list_commitments(*, as_json: bool) -> None:
    """Print what was paid or promised in advance."""
    with store_of(read_settings()).read() as connection:
        found = rows.known_by(connection, None)
    written = [commitment_shape(one) for one in found if one.recorded_to is None]
    if as_json:
        show.json_out(written)
        return
    names = ("id", "name", "kind", "channel", "provider", "model", "amount", "currency", "valid_from", "valid_to")
    columns = [(name, RIGHT if name == "amount" else LEFT) for name in names]
    show.table("commitments", columns, [[row[name] for name in names] for row in written])


def add_commitment(options: dict[str, Any], *, as_json: bool) -> None:
    """Record a commitment."""
    body, present = checked(CommitmentIn, options), now()
    done = store_of(read_settings()).tell(
        lambda connection: commitments.add(connection, body.row(), at=present, actor=actor(), reason=body.reason)
    )
    show.json_out(done) if as_json else show.line(f"commitment {done['id']} of {done['amount_usd']} USD")


def void_commitment(id_: int, reason: str, *, as_json: bool) -> None:
    """Take a commitment off the record."""
    present = now()
    done = store_of(read_settings()).tell(
        lambda connection: commitments.void(connection, id_, at=present, actor=actor(), reason=reason)
    )
    show.json_out(done) if as_json else show.line(f"commitment {id_} is off the record")
