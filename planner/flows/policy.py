"""An admin's work on policies: drafts, publishing, rolling back, and deciding plans under them."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from planner.core.errors import Conflict, InvalidInput, NotFound, UnknownPolicy, readable
from planner.core.plan import Plan
from planner.core.policy import Policy, at_least_as_strict, together
from planner.core.policy_form import changed_rules, read_policy, resolve, write_rules
from planner.flows import second
from planner.flows.second import By, Kind, Reply, Wish, change, change_unseen
from planner.store import audit, policies
from planner.store import plans as stored
from planner.store.engine import Connection
from planner.store.policies import WHOLE_PLAN, Document, Draft
from planner.store.revision import bump, read_heads

PUBLISH, ASSIGN = "policy.publish", "policy.assign"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
# What stands in the place of a name in addresses would hide a policy called so.
_ADDRESSES = frozenset({"export", "import"})
TITLE_MAX = 200
POLICIES_MAX = 20


def checked(connection: Connection, name: str, title: str, rules: Mapping[str, Any]) -> Policy:
    """Read a policy as it is to be, with its parts.

    Raises:
        InvalidInput: a name, rule or value that cannot be, or one that names what nobody knows.
    """
    if name in _ADDRESSES:
        raise InvalidInput("name", f"{name} is an address of the API; another name is needed")
    if not NAME.fullmatch(name):
        raise InvalidInput("name", "lower-case letters, digits and hyphens are needed, at most 63")
    if len(title) > TITLE_MAX or (title and not readable(title)):
        raise InvalidInput("title", f"at most {TITLE_MAX} printable characters")
    version = (policies.newest(connection, name) or 0) + 1
    policy = read_policy(name, version, title, rules)
    unknown = policies.unknown_names(connection, policy)
    if unknown:
        rule, word = unknown[0]
        others = f", nor {len(unknown) - 1} others" if len(unknown) > 1 else ""
        raise InvalidInput(f"rules.{rule}", f"nothing is known as {word[:100]!a}{others}")
    whole = resolve({**policies.load(connection), name: policy})[name]
    if any(part.version == 0 for part in whole.rules):
        raise InvalidInput("rules.all_of", "the policy would be a part of itself")
    return whole


def written(policy: Policy) -> Document:
    """Return a policy as it is stored."""
    return {"title": policy.title, "rules": write_rules(policy)}


# --- drafts -----------------------------------------------------------------------------------------------


def save_draft(connection: Connection, name: str, title: str, rules: Mapping[str, Any], by: By) -> Reply:
    """Save what an admin is still writing; nobody is decided under it.

    Raises:
        InvalidInput: as `checked` does.
    """
    before = policies.draft(connection, name)
    policy = checked(connection, name, title, rules)
    held = policies.save(connection, name, written(policy), at=by.at, by=by.actor)
    audit.record(
        connection, at=by.at, actor=by.actor, action="policy.draft", subject=name,
        before=None if before is None else before.document, after=held.document, reason=by.reason,
    )  # fmt: skip
    return draft_reply(connection, name, held)


def discard_draft(connection: Connection, name: str, by: By) -> Reply:
    """Throw a draft away.

    Raises:
        NotFound: there is none.
    """
    held = draft_of(connection, name)
    policies.discard(connection, name)
    audit.record(
        connection, at=by.at, actor=by.actor, action="policy.discard", subject=name, before=held.document,
        after=None, reason=by.reason,
    )  # fmt: skip
    return {"name": name, "discarded": held.edit}


def draft_of(connection: Connection, name: str) -> Draft:
    """Return the draft of a policy.

    Raises:
        NotFound: there is none.
    """
    held = policies.draft(connection, name)
    if held is None:
        raise NotFound("draft", name)
    return held


def draft_reply(connection: Connection, name: str, held: Draft) -> Reply:
    """Return a draft with what it changes against the newest version."""
    draft = read_policy(name, 0, held.document["title"], held.document["rules"])
    newest = policies.load(connection).get(name)
    return {
        "name": name,
        **held.document,
        "based_on": held.based_on,
        "newest": None if newest is None else newest.version,
        "edit": held.edit,
        "saved_at": held.saved_at.isoformat(),
        "saved_by": held.saved_by,
        "changes": sorted(write_rules(draft)) if newest is None else list(changed_rules(newest, draft)),
    }


# --- publishing -------------------------------------------------------------------------------------------


def publish_draft(connection: Connection, name: str, by: By) -> Reply:
    """Publish a draft as the next version.

    Raises:
        NotFound: there is no draft.
        Conflict: somebody published another version since it was begun.
    """
    held = draft_of(connection, name)
    if held.based_on != policies.newest(connection, name):
        raise Conflict("draft", name, "another version was published since it was begun; save it anew on that one")
    return publish(connection, name, held.document, by)


def publish(connection: Connection, name: str, document: Document, by: By) -> Reply:
    """Publish the next version of a policy, at once or once a second person agreed."""
    return change(connection, KINDS[PUBLISH], name, document, by)


def roll_back(connection: Connection, name: str, version: int, by: By) -> Reply:
    """Publish an older version anew, as the next one: what was decided under the newest stays on record.

    Raises:
        NotFound: the policy never had this version.
    """
    for row in policies.versions(connection, name):
        if row["version"] == version:
            return publish(connection, name, {"title": row["title"], "rules": row["rules"]}, by)
    raise NotFound("policy version", f"{name} {version}")


def change_list(
    connection: Connection, name: str, add: Sequence[tuple[str, str]], remove: Sequence[tuple[str, str]], by: By
) -> Reply:
    """Publish a version with pairs more and pairs less on its allow-list.

    Raises:
        NotFound: no policy has this name.
        InvalidInput: a pair to add is there, one to remove is not.
    """
    newest = policies.versions(connection, name)[0]
    held = {tuple(pair) for pair in newest["rules"].get("allow_list", [])}
    there, absent = sorted(held & set(add)), sorted(set(remove) - held)
    if there:
        raise InvalidInput("add", f"{there[0]!a} is on the list")
    if absent:
        raise InvalidInput("remove", f"{absent[0]!a} is not on the list")
    pairs = [list(pair) for pair in sorted((held | set(add)) - set(remove))]
    document = {"title": newest["title"], "rules": {**newest["rules"], "allow_list": pairs}}
    return publish(connection, name, document, by)


def _wish_publish(connection: Connection, name: str, document: dict[str, Any], _at: datetime) -> Wish:
    new = checked(connection, name, document["title"], document["rules"])
    old = policies.load(connection).get(name)
    # Nobody is decided under a policy that is new; assigning it to a plan, or granting it to a key, comes later.
    wide = old is not None and not at_least_as_strict(new, old)
    return Wish(
        kind=PUBLISH,
        subject=name,
        body=written(new),
        widens=changed_rules(old, new) if old is not None and wide else (),
        basis=f"version {0 if old is None else old.version}",
    )


def _do_publish(connection: Connection, wish: Wish, by: By) -> Reply:
    name = wish.subject
    old = policies.load(connection).get(name)
    if old is not None and written(old) == wish.body:
        raise Conflict("policy", name, f"it says what version {old.version} says")
    version = policies.publish(connection, name, wish.body, at=by.at, by=by.actor)
    policies.discard(connection, name)
    audit.record(
        connection, at=by.at, actor=by.actor, action=PUBLISH, subject=f"{name} {version}",
        before=None if old is None else written(old), after=wish.body, reason=by.reason,
    )  # fmt: skip
    bump(connection, policy=True)
    return {"name": name, "version": version, **wish.body, "widens": list(wish.widens)}


# --- assigning --------------------------------------------------------------------------------------------


def assign(connection: Connection, plan: str, task: str, names: Sequence[str], by: By) -> Reply:
    """Decide a plan, or one of its tasks besides, under these policies; all of them must pass.

    Raises:
        NotFound: no such plan or task.
        InvalidInput: a plan without a policy, or a policy nobody published.
    """
    subject = f"{plan}/{task}" if task else plan
    return change(connection, KINDS[ASSIGN], subject, {"plan": plan, "task": task, "policies": list(names)}, by)


def _wish_assign(connection: Connection, subject: str, body: dict[str, Any], _at: datetime) -> Wish:
    plan = stored.load(connection).get(body["plan"])
    if plan is None:
        raise NotFound("plan", body["plan"])
    task = plan.task(body["task"])
    if task is None and body["task"] != WHOLE_PLAN:
        raise NotFound("task", body["task"])
    names = body["policies"]
    if len(set(names)) < len(names) or len(names) > POLICIES_MAX or (task is None and not names):
        raise InvalidInput("policies", f"1 to {POLICIES_MAX} policies are needed, each once")
    before = plan.policies if task is None else task.policies
    known, version = policies.load(connection), read_heads(connection).policy
    try:
        new = together(known, names, version) if names else None
    except UnknownPolicy as error:
        raise InvalidInput("policies", f"no policy is called {error.policy[:64]!a}") from None
    old = together(known, before, version) if before else None
    wide = old is not None and (new is None or not at_least_as_strict(new, old))
    return Wish(
        kind=ASSIGN,
        subject=subject,
        body=body,
        widens=tuple(sorted(set(before) - set(names))) or tuple(before) if wide else (),
        basis=" ".join(("policies", *before)),
    )


def _do_assign(connection: Connection, wish: Wish, by: By) -> Reply:
    plan, task, names = wish.body["plan"], wish.body["task"], wish.body["policies"]
    before = wish.basis.split()[1:]
    policies.assign(connection, plan, task, names, at=by.at, by=by.actor)
    audit.record(
        connection, at=by.at, actor=by.actor, action=ASSIGN, subject=wish.subject, before={"policies": before},
        after={"policies": sorted(names)}, reason=by.reason,
    )  # fmt: skip
    bump(connection, policy=True)
    return {"plan": plan, "task": task or None, "policies": sorted(names)}


def plans(connection: Connection) -> list[Plan]:
    """Return the stored plans, each with the policies it and its tasks are decided under."""
    found = stored.load(connection)
    return [found[id_] for id_ in sorted(found)]


# --- files ------------------------------------------------------------------------------------------------


def take_in(connection: Connection, documents: Sequence[dict[str, Any]], by: By, *, at_once: bool) -> Reply:
    """Take policies in from a file, all or none: as drafts, or published at once; what says nothing new is left alone.

    Raises:
        InvalidInput: names the policy that cannot be.
    """
    told: list[Reply] = []
    for document in documents:
        name, held = document["name"], policies.load(connection)
        try:
            policy = checked(connection, name, document["title"], document["rules"])
        except InvalidInput as error:
            raise InvalidInput(f"policy {name[:64]}: {error.field}", error.problem) from None
        if name in held and written(held[name]) == written(policy):
            told.append({"name": name, "outcome": "unchanged", "version": held[name].version})
        elif at_once:
            done = change_unseen(connection, KINDS[PUBLISH], name, written(policy), by)
            told.append({"outcome": "published", "name": name, **done})
        else:
            made = save_draft(connection, name, policy.title, write_rules(policy), by)
            told.append({"outcome": "draft", "name": name, "changes": made["changes"]})
    return second.told(connection, {"policies": told}, by) if at_once else {"policies": told}


KINDS: dict[str, Kind] = {PUBLISH: Kind(_wish_publish, _do_publish), ASSIGN: Kind(_wish_assign, _do_assign)}
