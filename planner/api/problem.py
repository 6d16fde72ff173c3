"""Refusals as ``application/problem+json``: the only place where an error meets an HTTP status."""

import json
from typing import Any

from starlette.responses import Response

from planner.core import errors
from planner.core.errors import PlannerError

MEDIA_TYPE = "application/problem+json"

STATUS: dict[type[PlannerError], int] = {
    errors.InvalidInput: 422,
    errors.NotFound: 404,
    errors.NoAnswer: 409,
    errors.Unauthenticated: 401,
    errors.SignInRefused: 401,
    errors.CrossSite: 403,
    errors.Forbidden: 403,
    errors.PolicyNotGranted: 403,
    errors.Conflict: 409,
    errors.Changed: 412,
    errors.TooLarge: 413,
    errors.EncodedBody: 415,
    errors.UnknownHost: 400,
    errors.TooManyRequests: 429,
    errors.FeedRefused: 409,
    errors.Unavailable: 503,
    errors.SchemaMismatch: 503,
    PlannerError: 500,
}


def status_of(error: PlannerError) -> int:
    """Return the HTTP status of a refusal: that of its nearest ancestor in the table."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(status: int, code: str, title: str, **facts: Any) -> Response:  # noqa: ANN401  # facts are JSON of any shape
    """Build a problem document. Facts never repeat what the caller sent as a secret."""
    headers = {}
    if status == 401:  # noqa: PLR2004  # the one status that must name its scheme
        headers["WWW-Authenticate"] = "Bearer"
    if "retry_after_seconds" in facts:
        headers["Retry-After"] = str(facts["retry_after_seconds"])
    document = {"type": f"urn:planner:problem:{code}", "title": title, "status": status, "code": code, **facts}
    return Response(json.dumps(document), status, headers, MEDIA_TYPE)


def refusal(error: PlannerError) -> Response:
    """Build the problem document of a refusal."""
    return problem(status_of(error), error.code, error.title, detail=str(error), **_facts(error))


def _facts(error: PlannerError) -> dict[str, object]:
    facts = error.facts()
    if isinstance(error, errors.InvalidInput):
        return {"errors": [facts]}
    return facts


def documented(*kinds: type[PlannerError]) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI entries of the refusals a route can give, besides those every route can."""
    always = (
        errors.Unauthenticated, errors.Forbidden, errors.InvalidInput, errors.TooManyRequests, errors.Unavailable,
    )  # fmt: skip
    entries: dict[int | str, dict[str, Any]] = {}
    everybody: tuple[type[PlannerError], ...] = (*always, *kinds)
    for kind in everybody:
        status = next(STATUS[ancestor] for ancestor in kind.__mro__ if ancestor in STATUS)
        entry = entries.setdefault(status, {"description": "", "content": {MEDIA_TYPE: {"schema": PROBLEM_SCHEMA}}})
        entry["description"] = ", ".join(filter(None, (entry["description"], f"`{kind.code}`: {kind.title}")))
    return entries


PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string", "description": "a URN of the code"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "stable, for programs"},
        "detail": {"type": "string"},
    },
}
