"""Request bodies: read by the strict JSON reader, checked by a model, refused without an echo."""

import re
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from fastapi import Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from planner.core import strict_json
from planner.core.errors import UNSAID, InvalidInput, readable, what_is_wrong
from planner.core.money import parse_decimal, plain


class Sent(BaseModel):
    """The base of everything that is sent in: unknown fields are refused, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)


def _decimal_text(value: object) -> Decimal:
    # A JSON number may have gone through a double on its way here, so only a string is exact.
    if not isinstance(value, str):
        raise ValueError("a decimal string is needed, not a number")  # noqa: TRY004  # pydantic reports ValueErrors only
    try:
        return parse_decimal(value)
    except InvalidInput as error:
        raise ValueError(error.problem) from None


def _not_negative(value: Decimal) -> Decimal:
    if value < 0:
        raise ValueError("must not be negative")
    return value


# A question has dozens of values; checking many thousands would only keep everybody else waiting.
VALUES_MAX = 10_000

_WORD = re.compile("[a-z][a-z_]{0,29}")

T = TypeVar("T", bound=Sent)

_SCHEMA = WithJsonSchema({"type": "string", "pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$", "examples": ["0.70"]})
DecimalText = Annotated[Decimal, BeforeValidator(_decimal_text), _SCHEMA]
UsdText = Annotated[
    Decimal,
    BeforeValidator(_decimal_text),
    AfterValidator(_not_negative),
    WithJsonSchema({"type": "string", "pattern": r"^(0|[1-9][0-9]*)(\.[0-9]+)?$", "examples": ["20.00"]}),
]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]


def plain_text(value: str) -> str:
    """Refuse a text that says nothing, or that a terminal would act on."""
    if not readable(value):
        raise ValueError("printable characters are needed")
    return value


Name = Annotated[str, Field(min_length=1, max_length=400), AfterValidator(plain_text)]


Reason = Annotated[str, Field(min_length=1, max_length=1_000), AfterValidator(plain_text)]


class ReasonIn(Sent):
    """Why somebody does what needs no reason; it is kept with who did it."""

    reason: Reason = UNSAID


def written_form(body: Sent) -> dict[str, Any]:
    """Return what was sent as plain JSON: amounts as text, what was left out left out."""

    def put(value: Any) -> Any:  # noqa: ANN401  # any of six types
        if isinstance(value, Decimal):
            return plain(value)
        if isinstance(value, dict):
            return {name: put(each) for name, each in value.items()}
        return [put(each) for each in value] if isinstance(value, list) else value

    written: dict[str, Any] = put(body.model_dump(exclude_none=True, exclude_unset=True))
    return written


async def read_json(request: Request) -> Any:  # noqa: ANN401  # JSON is any of six types
    """Read the body of a request strictly.

    Raises:
        InvalidInput: not a JSON object by the letter.
    """
    return strict_json.read(await request.body(), values_max=VALUES_MAX)


def checked(model: type[T], document: object) -> T:
    """Check a document against a model.

    Raises:
        InvalidInput: the first field that does not fit, and why; no value is repeated.
    """
    if not isinstance(document, dict):
        raise InvalidInput("body", "a JSON object is needed")
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        unknown = first["type"] == "extra_forbidden"
        # A name the caller invented may be anything, a secret pasted too far included: only a plain word is repeated.
        nameless = unknown and not _WORD.fullmatch(str(first["loc"][-1]))
        steps = first["loc"][:-1] if nameless else first["loc"]
        # Where a field may be of two kinds, pydantic puts the kind it tried behind the field's name.
        place = [str(step) for step in steps if isinstance(step, int) or step.isidentifier()]
        problem = "an unknown field is present" if unknown else what_is_wrong(first["msg"])
        raise InvalidInput(".".join(place)[:200] or "body", problem) from None


def body_of(model: type[T]) -> Callable[[Request], Awaitable[T]]:
    """Return the dependency that reads one kind of body."""

    async def read(request: Request) -> T:
        return checked(model, await read_json(request))

    return read


def optional_body_of(model: type[T]) -> Callable[[Request], Awaitable[T]]:
    """Return the dependency that reads a body that may be left out: every field of it has a default."""

    async def read(request: Request) -> T:
        return checked(model, await read_json(request) if await request.body() else {})

    return read


def described(model: type[Sent], example: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    """Return the OpenAPI entry of a body that is read by `body_of`, or by `optional_body_of` if not required."""
    content = {"application/json": {"schema": inlined(model), "example": example}}
    return {"requestBody": {"required": required, "content": content}}


def inlined(model: type[Sent]) -> dict[str, Any]:
    """Return a model's JSON schema with its references put in place."""
    schema = model.model_json_schema()
    defs = schema.pop("$defs", {})

    def put(node: Any) -> Any:  # noqa: ANN401  # JSON is any of six types
        if isinstance(node, dict):
            name = node.get("$ref", "").removeprefix("#/$defs/")
            return put(defs[name]) if name in defs else {key: put(value) for key, value in node.items()}
        return [put(value) for value in node] if isinstance(node, list) else node

    placed: dict[str, Any] = put(schema)
    return placed
