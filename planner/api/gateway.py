"""The recommendation of a stored plan and task as configuration of the gateway that executes it."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import WithJsonSchema
from starlette.responses import Response

from planner.api.guard import GuardedRoute, now_of, view_of
from planner.api.polled import etag_of, holds
from planner.api.problem import documented
from planner.api.shapes import Shape, policy_shape, standing_shape
from planner.core import errors
from planner.core.errors import InvalidInput
from planner.export import litellm, openrouter
from planner.export.document import Recommendation
from planner.flows import answer as flow
from planner.flows.current import View

router = APIRouter(prefix="/v1", tags=["questions"], route_class=GuardedRoute)

FORMATS = ("litellm", "openrouter")
PLANNED = ("portkey", "vercel", "envoy")
YAML = "application/yaml"
_REFUSALS = documented(
    errors.NotFound, errors.UnknownPolicy, errors.UnknownModel, errors.Unpriced, errors.NothingCompliant,
    errors.MarginUnreachable, errors.NotExportable,
)  # fmt: skip
_Name = Annotated[str, Path(max_length=100)]
_Format = Annotated[
    str,
    Query(alias="format", description=f"the gateway: {' or '.join(FORMATS)}"),
    WithJsonSchema({"type": "string", "enum": list(FORMATS)}),
]
_CONTENT: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/json": {"schema": {"type": "object"}},
            YAML: {"schema": {"type": "string"}},
        },
        "description": "the configuration with what it rests on, or with `Accept: application/yaml` the file alone",
    },
    304: {"description": "what `If-None-Match` names still holds"},
}


@dataclass(frozen=True, slots=True)
class Exported:
    """A configuration with everything around it as JSON, and by itself as YAML with comments."""

    shape: Shape
    config: Shape
    yaml: str


def exported(view: View, plan: str, task: str, format_: str, now: datetime) -> Exported:
    """Export the recommendation of a stored plan and task for one gateway.

    Raises:
        InvalidInput: a format that is not built.
        NotFound: no such plan or task.
        NoAnswer: there is no recommendation, or the gateway cannot be told any link of it.
    """
    if format_ in PLANNED:
        raise InvalidInput("format", f"{format_} is not built yet; {' and '.join(FORMATS)} are")
    if format_ not in FORMATS:
        raise InvalidInput("format", f"one of {', '.join(FORMATS)} is needed")
    ask = flow.ask_of(view.catalogue, flow.Question(plan=plan, task=task), "", now)
    answer = flow.recommend(view, ask)
    found = Recommendation(ask, answer, view.catalogue, view.valid_until(ask.at, now), plan, task)
    made = litellm.export(found) if format_ == litellm.FORMAT else openrouter.export(found)
    if isinstance(made, litellm.LiteLLMExport):
        text = litellm.text(found, made)
        own: Shape = {"notes": list(made.notes)}
    else:
        text = openrouter.text(found, made)
        own = {"then": list(made.then), "apart": made.apart}
    shape = {
        "format": format_,
        "recommendation_id": found.id,
        "config": made.config,
        **own,
        "left_out": [{"offer": each.offer, "reason": each.reason} for each in made.left_out],
        "recommendation": found.shape(),
        **policy_shape(ask.policy),
        **standing_shape(view, now, ask.at, [pick.card for pick in (answer.choice, *answer.fallbacks)]),
    }
    return Exported(shape, made.config, text)


@router.get(
    "/plans/{plan}/tasks/{task}/recommendation/gateway",
    responses={**_REFUSALS, **_CONTENT},
    response_class=Response,
)
def get_gateway(request: Request, plan: _Name, task: _Name, format_: _Format) -> Response:
    """Return the recommendation as configuration that enforces it, with an ETag for the next time.

    The configuration is in the gateway's own form: LiteLLM's prices are numbers there, USD per token.
    """
    made = exported(view_of(request), plan, task, format_, now_of(request))
    as_yaml = YAML in request.headers.get("accept", "")
    text = made.yaml if as_yaml else json.dumps(made.shape, separators=(",", ":"))
    tag = etag_of(text.encode())
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept"}
    if holds(request.headers.get("if-none-match"), tag):
        return Response(None, 304, headers)
    return Response(text, 200, headers, YAML if as_yaml else "application/json")
