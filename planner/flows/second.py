"""Two pairs of eyes: a change that lets more through than before waits, where asked for, for a second person.

A change is narrow or wide by what it would let through, never by who asks. A narrow one is done at once, always: who
closes a door needs nobody's leave. The body of a change is stored as it was sent; approving runs the same story that a
change without a second person runs, on the state it was proposed for.

Whoever may know a secret of the one who proposed it, or the other way round, is no second person.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from planner.core.errors import Conflict, InvalidInput, NotFound
from planner.store import audit, proposals
from planner.store.engine import Connection
from planner.store.makers import makers
from planner.store.proposals import Proposal

Reply = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who does something, when and why; ``two_people`` tells whether the house asks for a second person.

    ``proposed_by`` is who wanted it, where that is somebody else.
    """

    actor: str
    at: datetime
    reason: str
    two_people: bool = False
    proposed_by: str | None = None

    @property
    def wanted_by(self) -> str:
        """Return who wanted it first."""
        return self.proposed_by or self.actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A change as it was asked for: what kind, about what, its body as JSON, what it would let through, and its basis.

    ``widens`` is empty where it lets nothing through. ``basis`` names the state it was made for: one that is decided
    on another state by then is outdated.
    """

    kind: str
    subject: str
    body: dict[str, Any]
    widens: Sequence[str]
    basis: str


class Outdated(Conflict):
    """What a proposal was made for has changed since; it is to be ended as outdated: `outdate`."""


class Kind:
    """One kind of change: how to see what it would do, and how to do it."""

    def __init__(
        self,
        wish: Callable[[Connection, str, dict[str, Any], datetime], Wish],
        do: Callable[[Connection, Wish, By], Reply],
        *,
        plans: bool = True,
    ) -> None:
        """Remember both; ``wish`` reads the body and raises what is wrong with it. ``plans``: it may move plans."""
        self.wish, self.do, self.plans = wish, do, plans


def change(connection: Connection, kind: Kind, subject: str, body: dict[str, Any], by: By) -> Reply:
    """Do a change, or let it wait for a second person.

    Returns:
        What the change answers, with how many alerts its effect on plans caused; or the proposal's number and state,
        with what it would let through.
    """
    reply = change_unseen(connection, kind, subject, body, by)
    return told(connection, reply, by) if kind.plans else reply


def change_unseen(connection: Connection, kind: Kind, subject: str, body: dict[str, Any], by: By) -> Reply:
    """Do one of many changes, or let it wait, and leave it to the caller to see what all of them did: `told`."""
    wish = kind.wish(connection, subject, body, by.at)
    if not (by.two_people and wish.widens):
        return kind.do(connection, wish, by)
    id_ = proposals.add(
        connection, wish.kind, wish.subject, wish.body, list(wish.widens), wish.basis, at=by.at, actor=by.actor,
        reason=by.reason,
    )  # fmt: skip
    audit.record(
        connection, at=by.at, actor=by.actor, action="proposal.add", subject=f"{wish.kind} {wish.subject}",
        before=None, reason=by.reason,
        after={"proposal": id_, "state": proposals.WAITING, "body": proposals.shown(wish.body),
               "widens": list(wish.widens)},
    )  # fmt: skip
    return {"proposal": id_, "state": proposals.WAITING, "widens": list(wish.widens)}


def told(connection: Connection, reply: Reply, by: By) -> Reply:
    """Complete the reply of changes with how many alerts their effect on plans caused; what waits has none yet.

    A reply that names a plan is that of a change which moves no other.
    """
    if reply.get("state") == proposals.WAITING:
        return reply
    # Compiling needs numpy, which the commands that share this module need not wait for.
    from planner.flows import plans  # noqa: PLC0415

    return {**reply, "alerts": plans.review(connection, by.at, reply.get("plan"))}


def approve(connection: Connection, id_: int, kinds: Mapping[str, Kind], by: By) -> Reply:
    """Do a change that waited; the one who proposed it cannot.

    Raises:
        NotFound: no proposal has this number.
        Conflict: it was decided before, or was proposed by the same person or one behind whom the same may stand.
        Outdated: what it was made for has changed since.
    """
    held = proposals.one(connection, id_)
    if held["state"] != proposals.WAITING:
        raise Conflict("proposal", str(id_), f"it is {held['state']}")
    if _behind(connection, by.actor, held["proposed_by"]) or _behind(connection, held["proposed_by"], by.actor):
        raise Conflict("proposal", str(id_), "a second person is needed")
    kind = kinds[held["kind"]]
    try:
        wish = kind.wish(connection, held["subject"], proposals.body_of(connection, id_), by.at)
    except (NotFound, InvalidInput, Conflict):
        wish = None
    if wish is None or wish.basis != held["basis"]:
        raise Outdated("proposal", str(id_), "what it was made for has changed since; propose it anew")
    proposals.decide(connection, id_, proposals.APPROVED, at=by.at, actor=by.actor, decision=by.reason)
    _note(connection, held, "approve", proposals.APPROVED, by)
    reply = kind.do(connection, wish, replace(by, proposed_by=held["proposed_by"]))
    return told(connection, reply, by) if kind.plans else reply


def _behind(connection: Connection, actor: str, sought: str) -> bool:
    """Tell whether somebody is an actor, or made it, or made who made it, and so on."""
    found: set[str] = set()
    open_ = {actor}
    while open_:
        found |= open_
        open_ = {maker for one in open_ for maker in makers(connection, one)} - found
    return sought in found


def outdate(connection: Connection, id_: int, by: By) -> Reply:
    """End a proposal that cannot be done any more, whoever found that out.

    Raises:
        Conflict: it was decided in between.
    """
    held = proposals.one(connection, id_)
    decision = "what it was made for has changed since"
    proposals.decide(connection, id_, proposals.OUTDATED, at=by.at, actor=by.actor, decision=decision)
    _note(connection, held, "outdate", proposals.OUTDATED, replace(by, reason=decision))
    return {"proposal": id_, "state": proposals.OUTDATED}


def reject(connection: Connection, id_: int, by: By) -> Reply:
    """End a proposal; who proposed it may take it back.

    Raises:
        NotFound: no proposal has this number.
        Conflict: it was decided before.
    """
    held = proposals.one(connection, id_)
    proposals.decide(connection, id_, proposals.REJECTED, at=by.at, actor=by.actor, decision=by.reason)
    _note(connection, held, "reject", proposals.REJECTED, by)
    return {"proposal": id_, "state": proposals.REJECTED}


def _note(connection: Connection, held: Proposal, verb: str, state: str, by: By) -> None:
    audit.record(
        connection, at=by.at, actor=by.actor, action=f"proposal.{verb}", subject=f"{held['kind']} {held['subject']}",
        before={"proposal": held["id"], "state": held["state"], "proposed_by": held["proposed_by"]},
        after={"proposal": held["id"], "state": state, "body": held["body"]},
        reason=by.reason,
    )  # fmt: skip
