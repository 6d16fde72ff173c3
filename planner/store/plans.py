"""Plans as they are kept: versions that never change, one of them live, and what customers have used up."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from planner.core.errors import NotFound
from planner.core.periods import slot_start
from planner.core.plan import Plan
from planner.core.plan_form import read_plan
from planner.store import json_text, policies
from planner.store import tables as t
from planner.store.known import known

Document = Mapping[str, Any]
"""A plan as written: `planner.core.plan_form`."""


def load(connection: sa.Connection, known_at: datetime | None = None) -> dict[str, Plan]:
    """Load the plans, each with the policies that were assigned to it and to its tasks since."""
    assigned = policies.assigned(connection, known_at)
    found = {}
    query = sa.select(t.plan_versions).where(known(t.plan_versions, known_at)).order_by(t.plan_versions.c.plan_id)
    for row in connection.execute(query):
        plan = read_plan(json_text.load(row.document), row.version)
        tasks = tuple(replace(task, policies=assigned.get((plan.id, task.id), task.policies)) for task in plan.tasks)
        found[plan.id] = replace(
            plan, tasks=tasks, policies=assigned.get((plan.id, policies.WHOLE_PLAN), plan.policies)
        )
    return found


def ever_written(connection: sa.Connection, known_at: datetime | None = None) -> frozenset[str]:
    """Return the ids of plans that are or were on record, up to a moment or now."""
    c = t.plan_versions.c
    query = sa.select(c.plan_id).distinct()
    if known_at is not None:
        query = query.where(sa.or_(c.recorded_from.is_(None), c.recorded_from <= known_at))
    return frozenset(connection.execute(query).scalars())


def at_end_of(connection: sa.Connection, moment: datetime) -> dict[str, Plan]:
    """Load each plan as it was just before a moment; one that was written later, as it was first written.

    A plan has no time it is valid from: what it was written as holds from then on, and the first version before too.
    """
    c = t.plan_versions.c
    found: dict[str, Plan] = {}
    for row in connection.execute(sa.select(t.plan_versions).order_by(c.plan_id, c.version)):
        began, ended = row.recorded_from, row.recorded_to
        if row.plan_id not in found or began is None or began < moment:
            found[row.plan_id] = read_plan(json_text.load(row.document), row.version)
            if ended is not None and ended < moment and not _followed(connection, row.plan_id, row.version):
                del found[row.plan_id]
    return found


def _followed(connection: sa.Connection, plan: str, version: int) -> bool:
    c = t.plan_versions.c
    return connection.scalar(sa.select(c.version).where(c.plan_id == plan, c.version == version + 1)) is not None


def counted(connection: sa.Connection) -> dict[str, datetime]:
    """Return the live plans, and from when on their subscribers count: since they used something, or are on record."""
    c, d, f = t.plan_versions.c, t.ledger.usage_dims.c, t.ledger.usage_days.c
    used = {
        plan: slot_start(slot)
        for plan, slot in connection.execute(
            sa.select(d.plan, sa.func.min(f.slot)).join(t.ledger.usage_dims, d.id == f.dim).group_by(d.plan)
        )
    }
    first = sa.select(c.plan_id, sa.func.min(c.recorded_from)).group_by(c.plan_id)
    live = set(connection.execute(sa.select(c.plan_id).where(c.recorded_to.is_(None))).scalars())
    found: dict[str, datetime] = {}
    for plan, recorded in connection.execute(first):
        known = [moment for moment in (recorded, used.get(plan)) if moment is not None]
        if plan in live and known:
            found[plan] = min(known)
    return found


def document(connection: sa.Connection, plan: str) -> dict[str, Any] | None:
    """Return the live document of a plan."""
    c = t.plan_versions.c
    text = connection.scalar(sa.select(c.document).where(c.plan_id == plan, c.recorded_to.is_(None)))
    return None if text is None else json_text.load(text)


def newest(connection: sa.Connection, plan: str) -> int:
    """Return the number of the newest version of a plan, live or not; 0 where there never was one."""
    c = t.plan_versions.c
    return connection.scalar(sa.select(sa.func.max(c.version)).where(c.plan_id == plan)) or 0


def write(connection: sa.Connection, plan: str, written: Document, *, at: datetime, by: str) -> int:
    """Write the next version of a plan and return its number. The primary key lets two writers not both do so."""
    version = newest(connection, plan) + 1
    close(connection, plan, at=at)
    connection.execute(
        sa.insert(t.plan_versions).values(
            plan_id=plan, version=version, document=json_text.dump(dict(written)), recorded_from=at, recorded_by=by
        )
    )
    return version


def close(connection: sa.Connection, plan: str, *, at: datetime) -> None:
    """Take the live version of a plan off the record; what was believed until then can still be asked."""
    c = t.plan_versions.c
    connection.execute(
        sa.update(t.plan_versions).where(c.plan_id == plan, c.recorded_to.is_(None)).values(recorded_to=at)
    )


def versions(connection: sa.Connection, plan: str) -> list[dict[str, Any]]:
    """Return every version of a plan, newest first.

    Raises:
        NotFound: there never was a plan of this id.
    """
    c = t.plan_versions.c
    rows = connection.execute(sa.select(t.plan_versions).where(c.plan_id == plan).order_by(c.version.desc()))
    found = [{**row, "document": json_text.load(row["document"])} for row in rows.mappings()]
    if not found:
        raise NotFound("plan", plan)
    return found


def plant(connection: sa.Connection, documents: Iterable[Document]) -> None:
    """Take in the plans that travel with planner; one that a person wrote or removed stays as the person left it."""
    c = t.plan_versions.c
    rows = connection.execute(sa.select(c.plan_id, c.recorded_to, c.recorded_by)).all()
    by_people = {row.plan_id for row in rows if row.recorded_to is not None or row.recorded_by is not None}
    held = {row.plan_id for row in rows}
    for written in documents:
        plan, text = written["id"], json_text.dump(dict(written))
        if plan not in held:
            connection.execute(sa.insert(t.plan_versions).values(plan_id=plan, version=1, document=text))
        elif plan not in by_people:
            connection.execute(sa.update(t.plan_versions).where(c.plan_id == plan).values(document=text))
