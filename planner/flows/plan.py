"""Writing plans, version by version: what customers buy and what tasks need; who may see prompts is not set here."""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from planner.core.errors import InvalidInput, NotFound
from planner.core.plan import Plan
from planner.core.plan_form import read_plan
from planner.flows import plans as told
from planner.flows.agreement import fx_known
from planner.flows.second import By, Reply
from planner.store import audit, json_text, plans, registry, work
from planner.store.engine import Connection
from planner.store.revision import bump

Document = dict[str, Any]
ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)
TASKS_MAX = 100


def put(connection: Connection, plan: str, sent: Mapping[str, Any], by: By, default_policy: str) -> Reply:
    """Write a plan, and ask every plan anew. A new one is decided under the default policy until others are assigned.

    ``sent`` is the plan in its written form, without policies: those of a plan that is there stay as they are.

    Raises:
        InvalidInput: what is sent is no plan, or names a model or a currency nobody knows.
    """
    held = plans.document(connection, plan)
    document: Document = {
        **sent, "id": plan, "policy": default_policy if held is None else held["policy"],
        "task": _with_policies(sent.get("task", ()), () if held is None else held.get("task", ())),
    }  # fmt: skip
    return _write(connection, plan, held, document, by)


def put_task(connection: Connection, plan: str, task: str, sent: Mapping[str, Any], by: By) -> Reply:
    """Write one task of a plan, in the place of the one of this id or as the last, and ask every plan anew.

    Raises:
        NotFound: there is no such plan.
        InvalidInput: what is sent is no task.
    """
    held = _held(connection, plan)
    tasks = list(held.get("task", ()))
    place = next((place for place, each in enumerate(tasks) if each["id"] == task), len(tasks))
    before = tasks[place : place + 1]
    tasks[place : place + 1] = _with_policies([{**sent, "id": task}], before)
    return _write(connection, plan, held, {**held, "task": tasks}, by)


def remove_task(connection: Connection, plan: str, task: str, by: By) -> Reply:
    """Take a task out of a plan; its policies come back with it, should it come back.

    Raises:
        NotFound: no such plan, or no such task in it.
    """
    held = _held(connection, plan)
    tasks = [each for each in held.get("task", ()) if each["id"] != task]
    if len(tasks) == len(held.get("task", ())):
        raise NotFound("task", task)
    return _write(connection, plan, held, {**held, "task": tasks}, by)


def remove(connection: Connection, plan: str, by: By) -> Reply:
    """Take a plan away: nobody is recommended anything for it any more. What was believed can still be asked.

    Raises:
        NotFound: there is no such plan.
    """
    held = _held(connection, plan)
    plans.close(connection, plan, at=by.at)
    audit.record(
        connection, at=by.at, actor=by.actor, action="plan.remove", subject=plan, before=held, after=None,
        reason=by.reason,
    )  # fmt: skip
    bump(connection, policy=True)
    return {"plan": plan, "removed": True, "alerts": told.review(connection, by.at, plan)}


def _held(connection: Connection, plan: str) -> Document:
    held = plans.document(connection, plan)
    if held is None:
        raise NotFound("plan", plan)
    return held


def _with_policies(sent: Any, held: Any) -> list[Document]:  # noqa: ANN401  # tasks as they are stored
    """Return the tasks as sent, each with the policy of its own that it came with planner under, if it had one."""
    own = {task["id"]: task["policy"] for task in held if "policy" in task}
    return [{**task, "policy": own[task["id"]]} if task["id"] in own else {**task} for task in sent]


def _write(connection: Connection, plan: str, held: Document | None, document: Document, by: By) -> Reply:
    document.pop("demo", None)
    checked = _checked(connection, plan, document, by.at)
    version = plans.write(connection, plan, document, at=by.at, by=by.actor)
    audit.record(
        connection, at=by.at, actor=by.actor, action="plan.write", subject=plan, before=held, after=document,
        reason=by.reason,
    )  # fmt: skip
    bump(connection, policy=True)
    # What its subscribers pay, and the tax within it, may be another now.
    work.add(connection, "revenue", {"plan": plan}, by.at)
    return {
        "plan": plan, "version": version, "tasks": [task.id for task in checked.tasks],
        "alerts": told.review(connection, by.at, plan),
    }  # fmt: skip


def _checked(connection: Connection, plan: str, document: Document, at: datetime) -> Plan:
    """Return the plan of a document, or refuse what could never be answered.

    Raises:
        InvalidInput: names the field.
    """
    if not ID.fullmatch(plan):
        raise InvalidInput("plan", "an id of lower-case letters, digits, - and _ is needed, at most 63 characters")
    if len(document["task"]) > TASKS_MAX:
        raise InvalidInput("tasks", f"at most {TASKS_MAX} are possible")
    if any(not ID.fullmatch(task["id"]) for task in document["task"]):
        raise InvalidInput("tasks", "ids of lower-case letters, digits, - and _ are needed, at most 63 characters")
    read = read_plan(document)
    if read.currency != "USD" and not fx_known(connection, read.currency, at.date()):
        raise InvalidInput("currency", f"no exchange rate of {read.currency} is known; enter it under /v1/fx first")
    known = registry.model_ids(connection)
    for task in read.tasks:
        for model in task.needs.models or ():
            if model not in known:
                raise InvalidInput(f"{task.id}.needs.models", f"no model is called {model[:80]!a}")
    return read


def tag(plan: str) -> Callable[[Connection], str]:
    """Return what gives the ETag of one plan: it moves with its versions and its policies, and with nothing else."""

    def of(connection: Connection) -> str:
        found = plans.load(connection).get(plan)
        if found is None:
            return f'"{plan}.0"'
        decided = [list(found.policies), {task.id: list(task.policies) for task in found.tasks}]
        return f'"{plan}.{found.version}.{hashlib.sha256(json_text.dump(decided).encode()).hexdigest()[:12]}"'

    return of


def stored(connection: Connection, plan: str) -> tuple[Plan, Document]:
    """Return a plan, decided under the policies of today, and its document as it was written.

    Raises:
        NotFound: there is no such plan.
    """
    document = _held(connection, plan)
    return plans.load(connection)[plan], document
