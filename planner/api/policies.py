"""Policies over HTTP: what is published, what is a draft, and who is decided under which."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from planner.api import files
from planner.api.body import Name, Sent, body_of, described
from planner.api.desk import DecisionIn
from planner.api.guard import GuardedRoute
from planner.api.pages import Cursor, Limit, Number, cursor_of, read_cursor
from planner.api.problem import documented
from planner.api.shapes import Shape
from planner.api.writing import by, tagged, written
from planner.core import errors, policy_files
from planner.core.policy_form import write_policy
from planner.flows import policy as flow
from planner.flows import second
from planner.store import policies, proposals
from planner.store.engine import Connection
from planner.store.json_text import time_text

router = APIRouter(prefix="/v1", tags=["admin"], route_class=GuardedRoute)

_REFUSALS = documented(errors.NotFound, errors.Conflict, errors.Changed, errors.TooLarge, errors.EncodedBody)
_PAIRS_MAX = 10_000
_PolicyName = Annotated[str, Path(max_length=63, description="name of a policy")]
_READERS: dict[str, Callable[[str], list[dict[str, Any]]]] = {
    "toml": policy_files.read_toml,
    "csv": policy_files.read_csv,
}


class PolicyIn(DecisionIn):
    """A policy as it is to be: its title and its rules, as in the seeds."""

    title: Annotated[str, Field(max_length=200)] = ""
    rules: dict[str, Any]


class RollBackIn(DecisionIn):
    """The older version to publish anew."""

    version: Annotated[int, Field(ge=1, le=2**31 - 1)]


class PairIn(Sent):
    """A canonical model, or ``*``, and an offer id, or the beginning of one before a final ``*``."""

    model: Name
    offer: Name


class AllowListIn(DecisionIn):
    """Pairs to put on the allow-list and pairs to take off it."""

    add: Annotated[list[PairIn], Field(max_length=_PAIRS_MAX)] = Field(default_factory=list)
    remove: Annotated[list[PairIn], Field(max_length=_PAIRS_MAX)] = Field(default_factory=list)


class AssignIn(DecisionIn):
    """The policies a plan or a task is decided under; all of them must pass."""

    policies: Annotated[list[Name], Field(max_length=flow.POLICIES_MAX)]


def policy_tag(name: str) -> Callable[[Connection], str]:
    """Return what gives the ETag of one policy: it moves with its versions and its draft, and with nothing else."""

    def tag(connection: Connection) -> str:
        held = policies.draft(connection, name)
        return f'"{name}.{policies.newest(connection, name) or 0}.{0 if held is None else held.edit}"'

    return tag


def _read(request: Request, name: str, story: Callable[[Connection], Shape]) -> Response:
    with request.app.state.store.read() as connection:
        return tagged(request, story(connection), policy_tag(name)(connection))


def version_shape(row: dict[str, Any]) -> Shape:
    """Write one published version of a policy."""
    return {**row, "published_at": time_text(row["published_at"])}


@router.get("/policies", responses=_REFUSALS)
def get_policies(request: Request) -> Response:
    """List the newest version of every policy, and who is still writing one."""
    with request.app.state.store.read() as connection:
        drafts = policies.drafts(connection)
        found = policies.load(connection)
    items = [
        {**write_policy(found[name]), "draft": drafts[name].edit if name in drafts else None} for name in sorted(found)
    ]
    fresh = sorted(set(drafts) - set(found))
    return tagged(request, {"items": items, "drafts_only": fresh, "next_cursor": None})


@router.get("/policies/export", responses={**_REFUSALS, **files.GIVEN}, response_class=Response)
def get_export(request: Request, format_: files.Format = "toml") -> Response:
    """Return the newest version of every policy as a file; importing it again changes nothing."""
    with request.app.state.store.read() as connection:
        found = policies.load(connection)
    listed = [write_policy(found[name]) for name in sorted(found)]
    write = policy_files.write_toml if format_ == "toml" else policy_files.write_csv
    return files.attached("policies", format_, write(listed))


@router.post("/policies/import", responses=_REFUSALS, openapi_extra=files.DESCRIBED)
def post_import(
    request: Request,
    text: Annotated[str, Depends(files.text_of)],
    reason: Annotated[str, Query(min_length=1, max_length=1_000)],
    format_: files.Format = "toml",
    publish: Annotated[bool, Query(description="publish at once instead of saving drafts")] = False,
) -> Response:
    """Take policies in from a file, all or none, as drafts by default."""
    documents = _READERS[format_](text)
    who = by(request, reason)
    return written(request, text, lambda connection: flow.take_in(connection, documents, who, at_once=publish))


@router.get("/policies/{name}", responses=_REFUSALS)
def get_policy(request: Request, name: _PolicyName) -> Response:
    """Return the newest version of a policy, with its ETag."""
    return _read(request, name, lambda connection: version_shape(policies.versions(connection, name)[0]))


@router.get("/policies/{name}/versions", responses=_REFUSALS)
def get_versions(request: Request, name: _PolicyName) -> Response:
    """List every published version of a policy, newest first; none ever changes."""

    def story(connection: Connection) -> Shape:
        rows = policies.versions(connection, name)
        return {"items": [version_shape(row) for row in rows], "next_cursor": None}

    return _read(request, name, story)


@router.get("/policies/{name}/draft", responses=_REFUSALS)
def get_draft(request: Request, name: _PolicyName) -> Response:
    """Return the draft of a policy, with the rules in which it differs from the newest version."""
    return _read(request, name, lambda connection: flow.draft_reply(connection, name, flow.draft_of(connection, name)))


_POLICY = {"title": "Nobody trains", "rules": {"deny_training": True, "deny_headquarters": ["CN"]}, "reason": "audit"}


@router.put("/policies/{name}/draft", responses=_REFUSALS, openapi_extra=described(PolicyIn, _POLICY))
def put_draft(request: Request, name: _PolicyName, body: Annotated[PolicyIn, Depends(body_of(PolicyIn))]) -> Response:
    """Save a draft of a policy, new or not; nobody is decided under it before it is published."""
    who = by(request, body.reason)
    return _write(
        request, name, body, lambda connection: flow.save_draft(connection, name, body.title, body.rules, who)
    )


@router.post("/policies/{name}/discard", responses=_REFUSALS, openapi_extra=described(DecisionIn, {"reason": "no"}))
def post_discard(
    request: Request, name: _PolicyName, body: Annotated[DecisionIn, Depends(body_of(DecisionIn))]
) -> Response:
    """Throw the draft of a policy away."""
    who = by(request, body.reason)
    return _write(request, name, body, lambda connection: flow.discard_draft(connection, name, who))


@router.post("/policies/{name}/publish", responses=_REFUSALS, openapi_extra=described(DecisionIn, {"reason": "audit"}))
def post_publish(
    request: Request, name: _PolicyName, body: Annotated[DecisionIn, Depends(body_of(DecisionIn))]
) -> Response:
    """Publish the draft as the next version: it decides every answer that starts after this one's 200."""
    who = by(request, body.reason)
    return _write(request, name, body, lambda connection: flow.publish_draft(connection, name, who))


@router.post(
    "/policies/{name}/rollback",
    responses=_REFUSALS,
    openapi_extra=described(RollBackIn, {"version": 1, "reason": "no"}),
)
def post_rollback(
    request: Request, name: _PolicyName, body: Annotated[RollBackIn, Depends(body_of(RollBackIn))]
) -> Response:
    """Publish an older version anew, as the next one."""
    who = by(request, body.reason)
    return _write(request, name, body, lambda connection: flow.roll_back(connection, name, body.version, who))


@router.get("/policies/{name}/allow-list", responses=_REFUSALS)
def get_allow_list(request: Request, name: _PolicyName) -> Response:
    """Return the pairs on the allow-list of a policy; null where it has none, and then no list is asked."""

    def story(connection: Connection) -> Shape:
        newest = policies.versions(connection, name)[0]
        pairs = newest["rules"].get("allow_list")
        items = None if pairs is None else [{"model": model, "offer": offer} for model, offer in pairs]
        return {"policy": name, "version": newest["version"], "items": items, "next_cursor": None}

    return _read(request, name, story)


_LIST = {"add": [{"model": "deepseek/deepseek-v3.2", "offer": "openrouter:deepinfra/*"}], "reason": "reviewed"}


@router.post("/policies/{name}/allow-list", responses=_REFUSALS, openapi_extra=described(AllowListIn, _LIST))
def post_allow_list(
    request: Request, name: _PolicyName, body: Annotated[AllowListIn, Depends(body_of(AllowListIn))]
) -> Response:
    """Publish a version of a policy with pairs more and pairs less on its allow-list."""
    add, remove = ([(pair.model, pair.offer) for pair in pairs] for pairs in (body.add, body.remove))
    who = by(request, body.reason)
    return _write(request, name, body, lambda connection: flow.change_list(connection, name, add, remove, who))


def _write(request: Request, name: str, body: Sent, story: Callable[[Connection], Shape]) -> Response:
    return written(request, body.model_dump(mode="json"), story, tagged=policy_tag(name))


# --- who is decided under which -----------------------------------------------------------------------------


_ASSIGN = {"policies": ["no-training"], "reason": "customers were promised so"}


@router.post("/plans/{plan}/policies", responses=_REFUSALS, openapi_extra=described(AssignIn, _ASSIGN))
def post_plan_policies(request: Request, plan: str, body: Annotated[AssignIn, Depends(body_of(AssignIn))]) -> Response:
    """Decide a plan under these policies; all of them must pass."""
    who = by(request, body.reason)
    story = lambda connection: flow.assign(connection, plan, policies.WHOLE_PLAN, body.policies, who)  # noqa: E731
    return written(request, body.model_dump(mode="json"), story)


@router.post("/plans/{plan}/tasks/{task}/policies", responses=_REFUSALS, openapi_extra=described(AssignIn, _ASSIGN))
def post_task_policies(
    request: Request, plan: str, task: str, body: Annotated[AssignIn, Depends(body_of(AssignIn))]
) -> Response:
    """Decide a task under these policies besides those of its plan; an empty list takes them back."""
    who = by(request, body.reason)
    story = lambda connection: flow.assign(connection, plan, task, body.policies, who)  # noqa: E731
    return written(request, body.model_dump(mode="json"), story)


# --- a second person ----------------------------------------------------------------------------------------


def proposal_shape(row: dict[str, Any]) -> Shape:
    """Write a change that waits, or waited, for a second person."""
    return {**row, "proposed_at": time_text(row["proposed_at"]), "decided_at": time_text(row["decided_at"])}


@router.get("/proposals", responses=_REFUSALS)
def get_proposals(
    request: Request,
    state: Annotated[Literal["waiting", "approved", "rejected", "outdated"] | None, Query()] = "waiting",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List changes that let more through than before and wait for a second person."""
    after = int(read_cursor(cursor, r"[0-9]{1,18}") or 0)
    with request.app.state.store.read() as connection:
        rows = proposals.listed(connection, state, after=after, limit=limit + 1)
    shown = rows[:limit]
    more = cursor_of(str(shown[-1]["id"])) if len(rows) > limit else None
    return tagged(request, {"items": [proposal_shape(row) for row in shown], "next_cursor": more})


@router.get("/proposals/{id}", responses=_REFUSALS)
def get_proposal(request: Request, id: Number) -> Response:
    """Return one proposal."""
    with request.app.state.store.read() as connection:
        return tagged(request, proposal_shape(proposals.one(connection, id)))


@router.post("/proposals/{id}/approve", responses=_REFUSALS, openapi_extra=described(DecisionIn, {"reason": "agreed"}))
def post_proposal_approve(
    request: Request, id: Number, body: Annotated[DecisionIn, Depends(body_of(DecisionIn))]
) -> Response:
    """Do what was proposed; whoever proposed it cannot. A key that is made by it is answered here, this once."""
    who, kinds = by(request, body.reason), request.app.state.kinds
    try:
        return written(
            request, body.model_dump(), lambda connection: second.approve(connection, id, kinds, who), once="key"
        )
    except second.Outdated:
        request.app.state.store.tell(lambda connection: second.outdate(connection, id, who))
        raise


@router.post("/proposals/{id}/reject", responses=_REFUSALS, openapi_extra=described(DecisionIn, {"reason": "no"}))
def post_proposal_reject(
    request: Request, id: Number, body: Annotated[DecisionIn, Depends(body_of(DecisionIn))]
) -> Response:
    """End a proposal; whoever proposed it may take it back."""
    who = by(request, body.reason)
    return written(request, body.model_dump(), lambda connection: second.reject(connection, id, who))
