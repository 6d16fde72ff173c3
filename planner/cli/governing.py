"""Policies on the command line: the same stories as over HTTP, told by whoever has the database."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from planner.cli import show
from planner.cli.administering import done, told
from planner.cli.opened import file_bytes, now, read_settings, store_of, view_of
from planner.core import policy_files
from planner.core.errors import InvalidInput
from planner.core.policy_form import write_policy
from planner.flows import policy as flow
from planner.flows import second
from planner.flows.kinds import every
from planner.flows.second import By
from planner.store import policies, proposals
from planner.store.engine import Connection

FORMATS = ("toml", "csv")
Reply = dict[str, Any]


def read(story: Callable[[Connection], Any]) -> Any:  # noqa: ANN401  # whatever the story returns
    """Return what a story that only reads returns."""
    with store_of(read_settings()).read() as connection:
        return story(connection)


def _rules(rules: dict[str, Any]) -> str:
    return ", ".join(f"{rule}={json.dumps(value, ensure_ascii=False)}" for rule, value in rules.items())


def list_policies(*, as_json: bool) -> None:
    """Print the policies and their rules."""
    found = read(policies.load)
    written = [write_policy(found[name]) for name in sorted(found)]
    if as_json:
        show.json_out(written)
        return
    rows = [(policy["name"], policy["version"], _rules(policy["rules"])) for policy in written]
    show.table("policies", [("name", "left"), ("version", "right"), ("rules", "left")], rows)


def show_policy(name: str, *, versions: bool, draft: bool, as_json: bool) -> None:
    """Print a policy rule by rule."""
    if draft:
        found = [read(lambda connection: flow.draft_reply(connection, name, flow.draft_of(connection, name)))]
    else:
        rows = read(lambda connection: policies.versions(connection, name))
        found = [{**row, "published_at": row["published_at"].isoformat()} for row in rows[: None if versions else 1]]
    if as_json:
        show.json_out(found if versions else found[0])
        return
    for policy in found:
        what = f"draft {policy['edit']}" if draft else f"v{policy['version']} of {policy['published_at']}"
        rules = [(rule, json.dumps(value, ensure_ascii=False)) for rule, value in policy["rules"].items()]
        show.table(f"{name} {what}: {policy['title']}", [("rule", "left"), ("value", "left")], rules)
        if draft:
            show.line(f"differs from the newest version in: {', '.join(policy['changes']) or 'nothing'}")


def format_of(path: Path | None, given: str | None, otherwise: str = "toml") -> str:
    """Return the format of a file: as it was said, or as its name ends.

    Raises:
        InvalidInput: neither of the two there are.
    """
    found = given or (path.suffix.lstrip(".") if path is not None else otherwise)
    if found not in FORMATS:
        raise InvalidInput("format", f"one of {', '.join(FORMATS)} is needed")
    return found


def text_of(file: Path) -> str:
    """Read a file of text.

    Raises:
        InvalidInput: there is none, or it is not UTF-8.
    """
    try:
        return file_bytes(file, "file").decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("file", "not UTF-8") from None


def import_policies(file: Path, given: str | None, reason: str, *, publish: bool, as_json: bool) -> None:
    """Take policies in from a file."""
    reader = policy_files.read_toml if format_of(file, given) == "toml" else policy_files.read_csv
    documents = reader(text_of(file))
    reply = told(reason, lambda connection, by: flow.take_in(connection, documents, by, at_once=publish))
    if as_json:
        show.json_out(reply)
        return
    rows = [(line["name"], line["outcome"], ", ".join(line.get("changes", ()))) for line in reply["policies"]]
    show.table("policies", [("name", "left"), ("outcome", "left"), ("changes", "left")], rows)


def given_out(text: str, out: Path | None, what: str) -> None:
    """Write a text to a file, and say what it is, or to the terminal."""
    if out is None:
        show.out.out(text, end="", highlight=False)
    else:
        out.write_text(text, "utf-8")
        show.note(f"{what} written to {out}")


def export_policies(out: Path | None, given: str | None) -> None:
    """Write the newest version of every policy to a file or the terminal."""
    write = policy_files.write_toml if format_of(out, given) == "toml" else policy_files.write_csv
    found = read(policies.load)
    given_out(write([write_policy(found[name]) for name in sorted(found)]), out, f"{len(found)} policies")


def publish(name: str, reason: str, *, as_json: bool) -> None:
    """Publish a draft."""
    reply = told(reason, lambda connection, by: flow.publish_draft(connection, name, by))
    done(reply, f"published {name} v{reply.get('version')}; {reply.get('alerts')} plans moved", as_json=as_json)


def discard(name: str, reason: str, *, as_json: bool) -> None:
    """Throw a draft away."""
    done(told(reason, lambda connection, by: flow.discard_draft(connection, name, by)), "discarded", as_json=as_json)


def roll_back(name: str, version: int, reason: str, *, as_json: bool) -> None:
    """Publish an older version anew."""
    reply = told(reason, lambda connection, by: flow.roll_back(connection, name, version, by))
    line = (
        f"published {name} v{reply.get('version')}, which says what v{version} said; {reply.get('alerts')} plans moved"
    )
    done(reply, line, as_json=as_json)


def assign(plan: str, task: str, names: list[str], reason: str, *, as_json: bool) -> None:
    """Decide a plan or a task under policies."""
    reply = told(reason, lambda connection, by: flow.assign(connection, plan, task, names, by))
    place = f"{plan}/{task}" if task else plan
    line = f"{place} is decided under {', '.join(sorted(names)) or 'no policy of its own'}"
    done(reply, f"{line}; {reply.get('alerts')} plans moved", as_json=as_json)


def list_plans(*, as_json: bool) -> None:
    """Print who is decided under which policies."""
    found = read(flow.plans)
    rows = [
        (plan.id, "" if task is None else task.id, ", ".join((plan if task is None else task).policies))
        for plan in found
        for task in (None, *plan.tasks)
    ]
    if as_json:
        show.json_out([{"plan": plan, "task": task or None, "policies": names.split(", ") if names else []}
                       for plan, task, names in rows])  # fmt: skip
        return
    show.table("plans", [("plan", "left"), ("task", "left"), ("policies", "left")], rows)


def list_proposals(*, every: bool, as_json: bool) -> None:
    """Print what waits for a second person."""
    state = None if every else proposals.WAITING
    rows = read(lambda connection: proposals.listed(connection, state, limit=1_000))
    if as_json:
        show.json_out([{**row, **_times(row)} for row in rows])
        return
    columns = ("id", "state", "kind", "subject", "proposed_by", "reason")
    listed = [[*(row[column] for column in columns), ", ".join(row["widens"])] for row in rows]
    show.table("proposals", [*((column, "left") for column in columns), ("lets through", "left")], listed)


def _times(row: Reply) -> Reply:
    times = ("proposed_at", "decided_at")
    return {name: None if row[name] is None else row[name].isoformat() for name in times}


def decide(id_: int, reason: str, *, approve: bool, as_json: bool) -> None:
    """Approve or reject a proposal."""
    kinds = every(read_settings().pepper(), None)

    def story(connection: Connection, by: By) -> Reply:
        return second.approve(connection, id_, kinds, by) if approve else second.reject(connection, id_, by)

    try:
        reply = told(reason, story)
    except second.Outdated:
        told(reason, lambda connection, by: second.outdate(connection, id_, by))
        raise
    done(reply, reply.get("key", f"{'done' if approve else 'rejected'}: proposal {id_}"), as_json=as_json)


def preview(name: str, file: Path | None, *, as_json: bool) -> None:
    """Print what publishing would change."""
    from planner.api.impacts import move_sentence, preview_shape
    from planner.flows.preview import preview_policy

    settings, at = read_settings(), now()
    if file is None:
        document = read(lambda connection: flow.draft_of(connection, name)).document
    else:
        listed = policy_files.read_toml(text_of(file))
        document = next((one for one in listed if one["name"] == name), None)
        if document is None:
            raise InvalidInput("file", f"it has no policy called {name[:64]!a}")
    read(lambda connection: flow.checked(connection, name, document["title"], document["rules"]))
    view = view_of(settings)
    found = preview_policy(view.catalogue, view.snapshot, name, document["title"], document["rules"], at)
    if as_json:
        show.json_out(preview_shape(name, found))
        return
    show.line(f"{len(found.leave)} offers leave, {len(found.join)} join, {found.stay} stay"
              f"{'; it lets more through than before' if found.widens else ''}")  # fmt: skip
    for move in found.plans:
        show.line(move_sentence(move))


def price(name: str, input_tokens: int, output_tokens: int, *, as_json: bool) -> None:
    """Print what each rule of a policy costs."""
    from planner.api.impacts import percent, rule_shape, signed
    from planner.core.usage import Usage
    from planner.flows.preview import privacy_price

    view = view_of(read_settings())
    usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
    _policy, found = privacy_price(view.catalogue, view.snapshot, name, usage, now())
    if as_json:
        show.json_out([rule_shape(priced) for priced in found])
        return
    rows = [
        (
            priced.variant.part, priced.variant.rule, len(priced.models.unavailable), len(priced.models.dearer),
            "" if priced.models.mean_usd is None else signed(Fraction(round(priced.models.mean_usd, 9))),
            "" if priced.models.mean_share is None else percent(priced.models.mean_share),
            ", ".join(f"{move.plan}/{move.task} {signed(move.delta_usd)}" for move in priced.plans if move.delta_usd),
        )
        for priced in found
    ]  # fmt: skip
    columns = (
        ("policy", "left"), ("rule", "left"), ("models unavailable", "right"), ("models dearer", "right"),
        ("mean USD/request", "right"), ("mean %", "right"), ("plans, USD/request", "left"),
    )  # fmt: skip
    show.table(f"what {name} costs, at {input_tokens} tokens in and {output_tokens} out", columns, rows)
