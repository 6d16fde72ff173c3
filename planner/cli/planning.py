"""Plans on the command line: the same stories as over HTTP."""

import tomllib
from pathlib import Path
from typing import Any

from planner.api.body import checked
from planner.api.planning import PlanIn, plan_shape, sent_form
from planner.api.shapes import Shape
from planner.cli import show
from planner.cli.administering import done, told
from planner.cli.governing import read, text_of
from planner.cli.opened import now, read_settings, view_of
from planner.core.errors import InvalidInput
from planner.flows import plan as flow
from planner.flows.second import By, Reply
from planner.store import plans
from planner.store.engine import Connection
from planner.store.json_text import time_text

_RIGHT, _LEFT = "right", "left"


def list_plans(*, as_json: bool) -> None:
    """Print the plans."""
    catalogue, day = view_of(read_settings()).catalogue, now().date()
    shapes = [plan_shape(catalogue.plans[id_], catalogue, day) for id_ in sorted(catalogue.plans)]
    if as_json:
        show.json_out(shapes)
        return
    rows = [
        (
            shape["plan"], shape["version"], shape["price_usd"], shape["period"], shape["margin"],
            shape["customer_budget_usd"], shape["subscribers"], " ".join(task["task"] for task in shape["tasks"]),
        )
        for shape in shapes
    ]  # fmt: skip
    show.table(
        "plans",
        [
            ("plan", _LEFT), ("version", _RIGHT), ("USD", _RIGHT), ("per", _LEFT), ("margin", _RIGHT),
            ("tokens USD/customer", _RIGHT), ("subscribers", _RIGHT), ("tasks", _LEFT),
        ],
        rows,
    )  # fmt: skip


def show_plan(plan: str, *, versions: bool, as_json: bool) -> None:
    """Print a plan as it was written."""
    rows = read(lambda connection: plans.versions(connection, plan))
    found = [
        {
            "plan": plan, "version": row["version"], "recorded_from": time_text(row["recorded_from"]),
            "recorded_to": time_text(row["recorded_to"]), "recorded_by": row["recorded_by"],
            "document": sent_form(row["document"]),
        }
        for row in rows
    ]  # fmt: skip
    if as_json:
        show.json_out(found if versions else found[0])
        return
    for one in found if versions else found[:1]:
        _print(one)


def _print(one: Shape) -> None:
    ended = "" if one["recorded_to"] is None else f", until {one['recorded_to']}"
    who = one["recorded_by"] or "planner"
    facts = {name: value for name, value in one["document"].items() if name != "tasks"}
    show.line(f"{one['plan']} v{one['version']} by {who}, from {one['recorded_from'] or 'the beginning'}{ended}")
    show.table("plan", [("field", _LEFT), ("value", _LEFT)], [(name, _text(value)) for name, value in facts.items()])
    for task in one["document"]["tasks"]:
        show.line("")
        rows = [(name, _text(value)) for name, value in task.items() if name != "id"]
        show.table(f"task {task['id']}", [("field", _LEFT), ("value", _LEFT)], rows)


def _text(value: Any) -> str:  # noqa: ANN401  # JSON is any of six types
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
    if isinstance(value, list):
        return " ".join(_text(each) for each in value)
    return str(value)


def set_plans(file: Path, reason: str, *, as_json: bool) -> None:
    """Write the plans of a file, all or none."""
    documents = [_document(written) for written in _written(file)]
    default = read_settings().default_policy

    def story(connection: Connection, by: By) -> Reply:
        return {"plans": [flow.put(connection, plan, document, by, default) for plan, document in documents]}

    reply = told(reason, story)
    line = ", ".join(f"{one['plan']} v{one['version']}" for one in reply["plans"])
    done(reply, f"written: {line}; {sum(one['alerts'] for one in reply['plans'])} plans moved", as_json=as_json)


def _written(file: Path) -> list[dict[str, Any]]:
    try:
        listed = tomllib.loads(text_of(file)).get("plan")
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput("file", f"not TOML: {error}") from None
    if not isinstance(listed, list) or not listed or not all(isinstance(one, dict) for one in listed):
        raise InvalidInput("file", "[[plan]] tables are needed, as in seeds/plans.toml")
    return listed


def _document(written: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a plan's id and its document, checked as if it had been sent."""
    body = {name: value for name, value in written.items() if name not in ("id", "demo", "task")}
    tasks = [_task(task) for task in written.get("task", ())]
    return str(written.get("id", "")), checked(PlanIn, {**body, "tasks": tasks, "reason": "a file"}).document()


def _task(written: dict[str, Any]) -> dict[str, Any]:
    task = dict(written)
    kind = task.pop("kind", None)
    return task if kind is None else {**task, "needs": {**task.get("needs", {}), "kind": kind}}


def remove_plan(plan: str, reason: str, *, as_json: bool) -> None:
    """Take a plan away."""
    reply = told(reason, lambda connection, by: flow.remove(connection, plan, by))
    done(reply, f"removed {plan}; {reply['alerts']} plans moved", as_json=as_json)
