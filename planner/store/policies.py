"""Policies as they are kept: published versions that never change, drafts, and who is decided under which."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.core.errors import Changed, NotFound
from planner.core.policy import Policy
from planner.core.policy_form import read_policy, resolve
from planner.store import json_text
from planner.store import tables as t
from planner.store.known import known

Document = dict[str, Any]
"""A policy as written: ``title`` and ``rules``."""
WHOLE_PLAN = ""


class Draft(NamedTuple):
    """What an admin is still writing; ``edit`` counts its saves, ``based_on`` is the version it was begun from."""

    document: Document
    based_on: int | None
    edit: int
    saved_at: datetime
    saved_by: str


def load(connection: sa.Connection, known_at: datetime | None = None) -> dict[str, Policy]:
    """Load the newest version of every policy, now or at a moment, with their parts."""
    # In order of version, so that the newest stays.
    rows = connection.execute(sa.select(t.policies).order_by(t.policies.c.name, t.policies.c.version))
    return resolve({row.name: _policy(row) for row in rows if known_at is None or row.published_at <= known_at})


def _policy(row: sa.Row[Any]) -> Policy:
    document = json_text.load(row.rules)
    return read_policy(row.name, row.version, document["title"], document["rules"])


def versions(connection: sa.Connection, name: str) -> list[dict[str, Any]]:
    """Return every published version of a policy, newest first.

    Raises:
        NotFound: no policy has this name.
    """
    query = sa.select(t.policies).where(t.policies.c.name == name).order_by(t.policies.c.version.desc())
    found = [
        {
            "name": row.name,
            "version": row.version,
            **json_text.load(row.rules),
            "published_at": row.published_at,
            "published_by": row.published_by,
        }
        for row in connection.execute(query)
    ]
    if not found:
        raise NotFound("policy", name)
    return found


def newest(connection: sa.Connection, name: str) -> int | None:
    """Return the number of the newest version of a policy, or None where nobody published one."""
    found: int | None = connection.scalar(sa.select(sa.func.max(t.policies.c.version)).where(t.policies.c.name == name))
    return found


def publish(connection: sa.Connection, name: str, document: Document, *, at: datetime, by: str) -> int:
    """Publish the next version of a policy and return its number. The primary key lets two writers not both do so."""
    version = (newest(connection, name) or 0) + 1
    connection.execute(
        sa.insert(t.policies).values(
            name=name, version=version, rules=json_text.dump(document), published_at=at, published_by=by
        )
    )
    return version


def draft(connection: sa.Connection, name: str) -> Draft | None:
    """Return the draft of a policy."""
    row = connection.execute(sa.select(t.policy_drafts).where(t.policy_drafts.c.name == name)).first()
    return None if row is None else _draft(row)


def drafts(connection: sa.Connection) -> dict[str, Draft]:
    """Return every draft by the name of its policy."""
    return {row.name: _draft(row) for row in connection.execute(sa.select(t.policy_drafts))}


def _draft(row: sa.Row[Any]) -> Draft:
    return Draft(json_text.load(row.document), row.based_on, row.edit, row.saved_at, row.saved_by)


def save(connection: sa.Connection, name: str, document: Document, *, at: datetime, by: str) -> Draft:
    """Save a draft: begin it on the newest version, or write over what was saved before.

    Raises:
        Changed: somebody else saved in between.
    """
    held = draft(connection, name)
    values = {"document": json_text.dump(document), "saved_at": at, "saved_by": by}
    if held is None:
        made = Draft(document, newest(connection, name), 1, at, by)
        connection.execute(sa.insert(t.policy_drafts).values(name=name, based_on=made.based_on, edit=1, **values))
        return made
    change = sa.update(t.policy_drafts).where(t.policy_drafts.c.name == name, t.policy_drafts.c.edit == held.edit)
    if not connection.execute(change.values(edit=held.edit + 1, **values)).rowcount:
        raise Changed("draft", name, "somebody saved it in between")
    return Draft(document, held.based_on, held.edit + 1, at, by)


def discard(connection: sa.Connection, name: str) -> None:
    """Throw a draft away."""
    connection.execute(sa.delete(t.policy_drafts).where(t.policy_drafts.c.name == name))


# --- assignments ------------------------------------------------------------------------------------------


def assigned(connection: sa.Connection, known_at: datetime | None = None) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the policies that were assigned, by (plan, task); an empty task is the plan as a whole."""
    query = sa.select(t.assignments).where(known(t.assignments, known_at))
    return {(row.plan_id, row.task_id): tuple(json_text.load(row.policies)) for row in connection.execute(query)}


def assign(connection: sa.Connection, plan: str, task: str, names: Iterable[str], *, at: datetime, by: str) -> None:
    """Decide a plan, or one of its tasks, under these policies from now on."""
    a = t.assignments.c
    held = sa.update(t.assignments).where(a.plan_id == plan, a.task_id == task, a.recorded_to.is_(None))
    connection.execute(held.values(recorded_to=at))
    connection.execute(
        sa.insert(t.assignments).values(
            plan_id=plan, task_id=task, policies=json_text.dump(sorted(names)), recorded_from=at, recorded_by=by
        )
    )


# --- names ------------------------------------------------------------------------------------------------


def unknown_names(connection: sa.Connection, policy: Policy) -> list[tuple[str, str]]:
    """Return what a policy names and nobody knows, as (rule, name): a misspelt denial would deny nobody."""
    registered = _ids(connection, t.providers) | _ids(connection, t.channels)
    models = _ids(connection, t.models)
    named: Mapping[str, tuple[frozenset[str] | None, set[str]]] = {
        "allow_providers": (policy.allow_providers, registered),
        "deny_providers": (policy.deny_providers, registered),
        "allow_models": (policy.allow_models, models),
        "deny_models": (policy.deny_models, models),
        "all_of": (policy.all_of, set(connection.execute(sa.select(t.policies.c.name)).scalars())),
    }
    found = [(rule, name) for rule, (names, those) in named.items() for name in sorted((names or set()) - those)]
    if policy.allow_list:
        offers = sorted(_ids(connection, t.offers))
        found += [("allow_list", pair.model) for pair in sorted(policy.allow_list) if pair.model not in models | {"*"}]
        known_ids = set(offers)
        for _model, pattern in sorted(policy.allow_list):
            start = pattern[:-1]
            # In the order of the ids, whatever begins with a text follows it at once.
            place = bisect_left(offers, start)
            first = offers[place : place + 1] if pattern.endswith("*") else []
            if not (pattern in known_ids or any(id_.startswith(start) for id_ in first)):
                found.append(("allow_list", pattern))
    return found


def _ids(connection: sa.Connection, table: sa.Table) -> set[str]:
    return set(connection.execute(sa.select(table.c.id)).scalars())
