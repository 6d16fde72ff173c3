"""Evidence over HTTP: what was read of providers, brokers and offers, by whom, and until when it holds."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from starlette.responses import Response

from planner.api import files
from planner.api.asked import Moment
from planner.api.body import Name, body_of, described
from planner.api.desk import DecisionIn
from planner.api.guard import GuardedRoute
from planner.api.pages import Cursor, Limit, cursor_of, read_cursor
from planner.api.problem import documented
from planner.api.shapes import Shape, terms_shape
from planner.api.writing import by, tagged, written
from planner.core import errors, terms_files
from planner.core.terms import Terms
from planner.core.terms_files import Entry
from planner.core.terms_form import says_something
from planner.flows import evidence as flow
from planner.store import terms
from planner.store.engine import Connection
from planner.store.json_text import time_text

router = APIRouter(prefix="/v1", tags=["admin"], route_class=GuardedRoute)

_REFUSALS = documented(errors.NotFound, errors.Conflict, errors.Changed, errors.TooLarge, errors.EncodedBody)
_Flag = bool | None
_Words = Annotated[list[Name], Field(max_length=300)]
_READERS: dict[str, Callable[[str], list[Entry]]] = {"csv": terms_files.read_csv, "toml": terms_files.read_toml}
_WRITERS: dict[str, Callable[[Iterable[Terms]], str]] = {"csv": terms_files.write_csv, "toml": terms_files.write_toml}


class TermsIn(DecisionIn):
    """What a person read of a subject; every fact that is left out, or null, is unknown."""

    trains_on_prompts: _Flag = None
    broker_may_train: _Flag = None
    retains_prompts: _Flag = None
    retention_days: int | None = None
    retention_purpose: Name | None = None
    zdr: _Flag = None
    zdr_basis: Name | None = None
    zdr_scope: Name | None = None
    may_publish: _Flag = None
    requires_user_ids: _Flag = None
    sends_client_ip: _Flag = None
    moderated: _Flag = None
    human_review_possible: _Flag = None
    headquarters: Name | None = None
    datacenter_countries: _Words | None = None
    serving_region: Name | None = None
    us_jurisdiction_exposure: _Flag = None
    certifications: _Words | None = None
    tee_attested: _Flag = None
    e2ee: _Flag = None
    policy_url: Name | None = None
    terms_url: Name | None = None
    dpa_url: Name | None = None
    trust_url: Name | None = None
    source_url: Name
    verified_at: Moment
    expires_at: Moment
    confidence: Literal["derived", "broker_claim", "verified", "contract"]
    note: Name | None = None


class AcceptIn(DecisionIn):
    """Until when a feed's word is believed."""

    expires_at: Moment


def row_shape(found: dict[str, Any]) -> Shape:
    """Write a row of evidence with who entered it, and since when its feed does not say it any more."""
    return {
        **terms_shape(found["row"]),
        "recorded_by": found["recorded_by"],
        "unsaid_at": time_text(found["unsaid_at"]),
    }


@router.get("/terms", responses=_REFUSALS)
def get_terms(
    request: Request,
    subject: Annotated[str | None, Query(max_length=400)] = None,
    source: Annotated[str | None, Query(max_length=400)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List every row of evidence on record."""
    after = read_cursor(cursor) or ""
    with request.app.state.store.read() as connection:
        rows = terms.listed(connection, subject=subject, source=source, after=after, limit=limit + 1)
    shown = rows[:limit]
    more = cursor_of(shown[-1]["row"].id) if len(rows) > limit else None
    return tagged(request, {"items": [row_shape(row) for row in shown], "next_cursor": more})


@router.get("/terms/export", responses={**_REFUSALS, **files.GIVEN}, response_class=Response)
def get_export(request: Request, format_: files.Format = "csv") -> Response:
    """Return the curated evidence as a file; importing it again changes nothing."""
    with request.app.state.store.read() as connection:
        held = terms.load(connection)
    rows = [row for place in sorted(held) for row in held[place] if row.curated and says_something(row)]
    return files.attached("terms", format_, _WRITERS[format_](rows))


@router.post(
    "/terms/import",
    responses=_REFUSALS,
    openapi_extra=files.DESCRIBED,
)
def post_import(
    request: Request,
    text: Annotated[str, Depends(files.text_of)],
    reason: Annotated[str, Query(min_length=1, max_length=1_000)],
    format_: files.Format = "csv",
) -> Response:
    """Take evidence in from a file, all or none; what is on record already is left alone."""
    entries, who = _READERS[format_](text), by(request, reason)
    return written(request, text, lambda connection: flow.take_in(connection, entries, who))


_TERMS = {
    "trains_on_prompts": False, "retains_prompts": True, "retention_days": 30, "headquarters": "US",
    "source_url": "https://acme.example/privacy", "verified_at": "2026-11-23T00:00:00Z",
    "expires_at": "2027-11-23T00:00:00Z", "confidence": "verified", "reason": "read their page",
}  # fmt: skip
_Entry = Annotated[TermsIn, Depends(body_of(TermsIn))]


@router.post("/providers/{id}/terms", responses=_REFUSALS, openapi_extra=described(TermsIn, _TERMS))
def post_provider_terms(request: Request, id: str, body: _Entry) -> Response:
    """Enter evidence about a provider; it takes the place of what was entered about it before."""
    return _entered(request, "provider", id, body)


@router.post("/channels/{id}/terms", responses=_REFUSALS, openapi_extra=described(TermsIn, _TERMS))
def post_channel_terms(request: Request, id: str, body: _Entry) -> Response:
    """Enter evidence about a broker: what it does itself with the prompts it passes on."""
    return _entered(request, "channel", id, body)


@router.post("/offers/{id:path}/terms", responses=_REFUSALS, openapi_extra=described(TermsIn, _TERMS))
def post_offer_terms(request: Request, id: str, body: _Entry) -> Response:
    """Enter evidence about one offer, where it differs from its provider's default."""
    return _entered(request, "offer", id, body)


def _entered(request: Request, kind: str, id_: str, body: TermsIn) -> Response:
    said, who = body.model_dump(exclude={"reason"}, exclude_none=True), by(request, body.reason)
    return written(
        request, body.model_dump(mode="json"), lambda connection: flow.enter(connection, kind, id_, said, who)
    )


@router.post("/terms/{id:path}/end", responses=_REFUSALS, openapi_extra=described(DecisionIn, {"reason": "outdated"}))
def post_end(request: Request, id: str, body: Annotated[DecisionIn, Depends(body_of(DecisionIn))]) -> Response:
    """End a row of evidence, whoever said it; it does not come back by itself."""
    who = by(request, body.reason)
    return written(request, body.model_dump(), lambda connection: flow.end(connection, id, who))


_ACCEPT = {"expires_at": "2027-11-23T00:00:00Z", "reason": "their contract says the same"}


@router.post("/terms/{id:path}/accept", responses=_REFUSALS, openapi_extra=described(AcceptIn, _ACCEPT))
def post_accept(request: Request, id: str, body: Annotated[AcceptIn, Depends(body_of(AcceptIn))]) -> Response:
    """Believe one row of a feed as it stands, until a day; what the feed says later can only narrow it."""
    who = by(request, body.reason)
    story: Callable[[Connection], Shape] = lambda connection: flow.accept(connection, id, body.expires_at, who)  # noqa: E731
    return written(request, body.model_dump(mode="json"), story)
