"""Files over HTTP: taken in as the body of a request, and given out to be kept."""

from typing import Annotated, Any, Literal

from fastapi import Query, Request
from starlette.responses import Response

from planner.core.errors import InvalidInput

Format = Annotated[Literal["csv", "toml"], Query(alias="format", description="csv or toml")]
_MEDIA = {"toml": "application/toml", "csv": "text/csv; charset=utf-8"}
DESCRIBED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {media: {"schema": {"type": "string"}} for media in ("application/toml", "text/csv")},
    }
}
"""The OpenAPI entry of a body that is read by `text_of`."""


async def text_of(request: Request) -> str:
    """Read a file sent as the body.

    Raises:
        InvalidInput: not UTF-8.
    """
    try:
        return (await request.body()).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("file", "not UTF-8") from None


def attached(name: str, format_: str, text: str) -> Response:
    """Answer with a file."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.{format_}"'}
    return Response(text, media_type=_MEDIA[format_], headers=headers)


def given(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI entry of an answer that is a file of one of these media types."""
    return {200: {"content": {kind.partition(";")[0]: {"schema": {"type": "string"}} for kind in kinds}}}


GIVEN = given(*_MEDIA.values())
"""The OpenAPI entry of an answer made by `attached`."""
