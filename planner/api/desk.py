"""The admin's desk: prices that wait, spellings that are pending, sources and their refreshes."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from starlette.responses import Response

from planner.api.asked import Moment
from planner.api.body import Name, Reason, Sent, body_of, described
from planner.api.guard import GuardedRoute, now_of, view_of
from planner.api.operations import hold_shape, refresh_shape, source_shape
from planner.api.pages import Cursor, Limit, Number, cursor_of, read_cursor
from planner.api.problem import documented
from planner.api.shapes import Shape, standing_shape
from planner.api.writing import actor_of, changed, tagged, written
from planner.core import errors
from planner.core.claim import Segment
from planner.core.rate_form import read_rates
from planner.flows import alias, correct, hold, status, word
from planner.store.json_text import time_text

router = APIRouter(prefix="/v1", tags=["admin"], route_class=GuardedRoute)

_REFUSALS = documented(errors.NotFound, errors.Conflict, errors.Changed, errors.TooLarge, errors.EncodedBody)
_BULK_MAX = 2_000

_State = Annotated[Literal["waiting", "approved", "used", "rejected", "released"] | None, Query()]
_Text = Annotated[str | None, Query(max_length=400)]


class DecisionIn(Sent):
    """Why a person decides as they do."""

    reason: Reason


class AliasIn(Sent):
    """One spelling and the canonical model it means; null takes an alias back."""

    namespace: Name
    spelling: Name
    model: Name | None


class NewModelIn(Sent):
    """A canonical model nobody has registered yet."""

    model: Name
    name: Name


class AliasesIn(DecisionIn):
    """Spellings to settle, all or none."""

    aliases: Annotated[list[AliasIn], Field(min_length=1, max_length=_BULK_MAX)]
    new_models: Annotated[list[NewModelIn], Field(max_length=_BULK_MAX)] = Field(default_factory=list)


class CorrectionIn(DecisionIn):
    """A stretch of the past and the rates that really held in it."""

    valid_from: Moment
    valid_to: Moment
    rates: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=100)]
    source_url: Name


@router.get("/holds", responses=_REFUSALS)
def get_holds(
    request: Request, state: _State = "waiting", source: _Text = None, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """List the prices that wait for a person, with their reasons and what would change."""
    after = int(read_cursor(cursor, r"[0-9]{1,18}") or 0)
    rows = hold.queue(request.app.state.store, state=state, source=source, after=after, limit=limit + 1)
    shown = rows[:limit]
    more = cursor_of(str(shown[-1]["id"])) if len(rows) > limit else None
    standing = standing_shape(view_of(request), now_of(request))
    return tagged(request, {"items": [hold_shape(row) for row in shown], "next_cursor": more, **standing})


@router.get("/holds/{id}", responses=_REFUSALS)
def get_hold(request: Request, id: Number) -> Response:
    """Return one hold."""
    return tagged(request, hold_shape(hold.one(request.app.state.store, id)))


@router.post("/holds/{id}/approve", responses=_REFUSALS, openapi_extra=described(DecisionIn, {"reason": "announced"}))
def post_approve(
    request: Request,
    id: Number,
    body: Annotated[DecisionIn, Depends(body_of(DecisionIn))],
) -> Response:
    """Publish a price that waits, from the moment it was first heard."""
    return _decided(request, id, hold.APPROVE, body)


@router.post("/holds/{id}/reject", responses=_REFUSALS, openapi_extra=described(DecisionIn, {"reason": "a unit error"}))
def post_reject(
    request: Request,
    id: Number,
    body: Annotated[DecisionIn, Depends(body_of(DecisionIn))],
) -> Response:
    """Do not believe a price; the same price is not asked about again."""
    return _decided(request, id, hold.REJECT, body)


@router.post("/holds/{id}/reopen", responses=_REFUSALS, openapi_extra=described(DecisionIn, {"reason": "it was right"}))
def post_reopen(
    request: Request,
    id: Number,
    body: Annotated[DecisionIn, Depends(body_of(DecisionIn))],
) -> Response:
    """Let a rejected price wait again."""
    return _decided(request, id, hold.REOPEN, body)


def _decided(request: Request, id_: int, verb: str, body: DecisionIn) -> Response:
    at, bounds = now_of(request), request.app.state.bounds
    return written(
        request,
        body.model_dump(),
        lambda connection: hold_shape(
            hold.decide(connection, id_, verb, at=at, actor=actor_of(request), reason=body.reason, bounds=bounds)
        ),
    )


@router.get("/aliases", responses=_REFUSALS)
def get_aliases(
    request: Request,
    pending: Annotated[bool, Query(description="spellings nobody has settled, most offers first")] = False,
    namespace: _Text = None,
    model: _Text = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List settled spellings, or those that are pending with how many offers wait on each."""
    view, now = view_of(request), now_of(request)
    standing = standing_shape(view, now)
    if pending:
        start = int(read_cursor(cursor, r"[0-9]{1,9}") or 0)
        found = [row for row in alias.pending(view.catalogue) if namespace in (None, row.namespace)]
        shown = [asdict(row) for row in found[start : start + limit]]
        more = cursor_of(str(start + limit)) if len(found) > start + limit else None
        waiting = sum(row.offers for row in found)
        return tagged(
            request, {"items": shown, "next_cursor": more, "pending": len(found), "offers": waiting, **standing}
        )
    after = (read_cursor(cursor, r"[^\n]*\n[^\n]*") or "\n").split("\n")
    rows = alias.listed(
        request.app.state.store, namespace=namespace, model=model, after=(after[0], after[1]), limit=limit + 1
    )
    items = [_alias(row) for row in rows[:limit]]
    more = cursor_of(f"{items[-1]['namespace']}\n{items[-1]['spelling']}") if len(rows) > limit else None
    return tagged(request, {"items": items, "next_cursor": more, **standing})


def _alias(row: dict[str, Any]) -> Shape:
    return {
        "namespace": row["namespace"],
        "spelling": row["spelling"],
        "model": row["model_id"],
        "basis": row["basis"],
        "settled_at": time_text(row["settled_at"]),
        "settled_by": row["settled_by"],
    }


_ALIASES = {
    "aliases": [{"namespace": "deepinfra", "spelling": "acme/Small-1", "model": "acme/small-1"}],
    "new_models": [{"model": "acme/small-1", "name": "Acme Small 1"}],
    "reason": "the provider's page names these weights",
}


@router.post("/aliases", responses=_REFUSALS, openapi_extra=described(AliasesIn, _ALIASES))
def post_aliases(request: Request, body: Annotated[AliasesIn, Depends(body_of(AliasesIn))]) -> Response:
    """Settle spellings in bulk, all or none. A price that is doubtful beside others of its model waits from then on."""
    at, bounds = now_of(request), request.app.state.bounds
    rows = [(row.namespace, row.spelling, row.model) for row in body.aliases]
    fresh = [(row.model, row.name) for row in body.new_models]
    return written(
        request,
        body.model_dump(),
        lambda connection: dict(
            alias.settle(connection, rows, fresh, at=at, actor=actor_of(request), reason=body.reason, bounds=bounds)
        ),
    )


class WordIn(Sent):
    """A feed's word, and the provider it means."""

    feed: Name
    word: Name
    provider: Name


class NewProviderIn(Sent):
    """A provider nobody has registered yet."""

    id: Name
    name: Name


class WordsIn(DecisionIn):
    """Words to settle, all or none."""

    words: Annotated[list[WordIn], Field(min_length=1, max_length=_BULK_MAX)]
    new_providers: Annotated[list[NewProviderIn], Field(max_length=_BULK_MAX)] = Field(default_factory=list)


@router.get("/providers/words", responses=_REFUSALS)
def get_words(request: Request) -> Response:
    """List the words of feeds that mean no curated provider yet, with how many offers wait on each."""
    found = alias.pending_providers(request.app.state.store)
    items = [row._asdict() for row in found]
    return tagged(
        request,
        {"items": items, "next_cursor": None, "pending": len(found), "offers": sum(row.offers for row in found)},
    )


_WORDS = {"words": [{"feed": "litellm", "word": "deep-infra", "provider": "deepinfra"}], "reason": "their own page"}


@router.post("/providers/words", responses=_REFUSALS, openapi_extra=described(WordsIn, _WORDS))
def post_words(request: Request, body: Annotated[WordsIn, Depends(body_of(WordsIn))]) -> Response:
    """Say which providers words of feeds mean, all or none; the next refresh uses it."""
    wanted = word.body_of(
        [(row.feed, row.word, row.provider) for row in body.words], [(row.id, row.name) for row in body.new_providers]
    )
    subject = f"{len(body.words)} words"
    return changed(request, body.model_dump(), body.reason, word.SETTLE, subject, wanted)


_CORRECTION = {
    "valid_from": "2026-10-01T00:00:00Z",
    "valid_to": "2026-11-01T00:00:00Z",
    "rates": [{"unit": "input_token", "usd": "2.5", "per": 1_000_000}],
    "source_url": "https://example.com/invoice",
    "reason": "the invoice of October says so",
}


@router.post("/offers/corrections", responses=_REFUSALS, openapi_extra=described(CorrectionIn, _CORRECTION))
def post_correction(
    request: Request,
    id: Annotated[str, Query(min_length=1, max_length=400)],
    body: Annotated[CorrectionIn, Depends(body_of(CorrectionIn))],
) -> Response:
    """Correct a past price: what was believed stays on record, and another answer to "what was true" opens."""
    at, bounds = now_of(request), request.app.state.bounds
    stretch = Segment(body.valid_from, body.valid_to, read_rates(body.rates))

    def story(connection: Any) -> Shape:  # noqa: ANN401  # an open transaction
        done = correct.correct_price(
            connection, id, stretch, source_url=body.source_url, at=at, actor=actor_of(request), reason=body.reason,
            bounds=bounds,
        )  # fmt: skip
        return {"offer": id, "revision": done.revision, "cards_opened": done.opened, "cards_closed": done.closed}

    return written(request, body.model_dump(mode="json"), story)


@router.get("/sources", responses=_REFUSALS)
def get_sources(request: Request) -> Response:
    """List every source with its trust, its licence and its state."""
    now = now_of(request)
    rows = status.sources(request.app.state.store, everything=True)
    return tagged(request, {"items": [source_shape(row, now) for row in rows], "next_cursor": None})


@router.get("/refreshes", responses=_REFUSALS)
def get_refreshes(request: Request, source: _Text = None, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """List what became of every refresh, newest first."""
    before = read_cursor(cursor, r"[0-9]{1,18}")
    rows = status.refreshes(
        request.app.state.store, source=source, before=None if before is None else int(before), limit=limit + 1
    )
    shown = rows[:limit]
    more = cursor_of(str(shown[-1]["id"])) if len(rows) > limit else None
    return tagged(request, {"items": [refresh_shape(row) for row in shown], "next_cursor": more})


@router.post("/sources/{name}/refresh", responses=documented(errors.NotFound, errors.Conflict))
def post_refresh(request: Request, name: str) -> dict[str, Any]:
    """Refresh one enabled source now, and say what came of it."""
    summary: dict[str, Any] = request.app.state.refresh(name, actor_of(request), now_of(request))
    return summary
