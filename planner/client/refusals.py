"""What planner says instead of an answer, as exceptions that a program can tell apart.

The tree::

    PlannerError
    |-- NoAnswer                 409: the question is sound and has no answer
    |   |-- NothingCompliant     every offer is refused before its price matters
    |   |-- MarginUnreachable    compliant offers exist and all cost too much
    |   |-- Unpriced             a used unit has no rate
    |   |-- UnknownModel         no offer serves a model that was named
    |   `-- UnknownPolicy        no policy has this name
    |-- CallerMistake            400, 404, 405, 413, 415, 422: asked again it would be refused again
    |   |-- InvalidQuestion      422: what was sent cannot be read
    |   `-- NotFound             404: nothing has this id
    |-- AccessRefused            401, 403: the key is not valid, or does not reach that far
    |-- TooManyRequests          429: slower, please
    `-- Unavailable              nobody answered, or nobody who can vouch for an answer right now
        |-- Unreachable          no connection, or no answer in time
        `-- Unreadable           something answered, and it was not planner's answer

Only `Unavailable` may be covered by the last good answer. Everything else is planner's word, and stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A problem document. ``code`` is stable; ``facts`` are its further fields, ``raw`` all of it."""

    code: str
    title: str
    status: int
    detail: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)


class PlannerError(Exception):
    """planner gave no answer; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        """Keep the refusal."""
        super().__init__(refusal.detail or refusal.title)
        self.refusal = refusal

    @property
    def code(self) -> str:
        """The stable code, such as ``margin_unreachable``."""
        return self.refusal.code

    @property
    def status(self) -> int:
        """The HTTP status; 0 where there was no answer."""
        return self.refusal.status

    @property
    def facts(self) -> Mapping[str, Any]:
        """What planner says besides, such as the counts of what was refused; amounts are decimal strings."""
        return self.refusal.facts


class NoAnswer(PlannerError):
    """The question is sound and has no answer."""


class NothingCompliant(NoAnswer):
    """Every offer is refused before its price matters."""


class MarginUnreachable(NoAnswer):
    """Compliant offers exist and all cost too much."""

    @property
    def feasible_price_usd(self) -> Decimal | None:
        """The price per period that would keep the margin, if one does."""
        value = self.facts.get("feasible_price_usd")
        return Decimal(value) if isinstance(value, str) else None


class Unpriced(NoAnswer):
    """A used unit has no rate; unknown is not free."""


class UnknownModel(NoAnswer):
    """No offer serves a model that was named."""


class UnknownPolicy(NoAnswer):
    """No policy has this name."""


class CallerMistake(PlannerError):
    """The same request would be refused again."""


class InvalidQuestion(CallerMistake):
    """What was sent cannot be read."""


class NotFound(CallerMistake):
    """Nothing has this id."""


class AccessRefused(PlannerError):
    """The key is not valid, or does not reach that far."""


class Delayed(PlannerError):
    """Asking again later may help. ``retry_after_seconds`` is when, if that was said."""

    def __init__(self, refusal: Refusal, retry_after_seconds: float | None = None) -> None:
        """Keep the refusal and when to ask again."""
        super().__init__(refusal)
        self.retry_after_seconds = retry_after_seconds


class TooManyRequests(Delayed):
    """Slower, please. planner is well, so the last good answer does not stand in for it."""


class Unavailable(Delayed):
    """Nobody answered, or nobody who can vouch for an answer right now."""


class Unreachable(Unavailable):
    """No connection, or no answer in time."""

    def __init__(self, detail: str) -> None:
        """Say what happened to the connection."""
        super().__init__(Refusal(code="unreachable", title="planner cannot be reached", status=0, detail=detail))


class Unreadable(Unavailable):
    """Something answered, and it was not planner's answer."""

    def __init__(self, detail: str, status: int = 0) -> None:
        """Say what cannot be read."""
        super().__init__(Refusal(code="unreadable", title="The answer cannot be read", status=status, detail=detail))


_NO_ANSWERS: Mapping[str, type[NoAnswer]] = {
    "nothing_compliant": NothingCompliant,
    "margin_unreachable": MarginUnreachable,
    "unpriced": Unpriced,
    "unknown_model": UnknownModel,
    "unknown_policy": UnknownPolicy,
}
_BY_STATUS: Mapping[int, type[PlannerError]] = {
    401: AccessRefused, 403: AccessRefused, 404: NotFound, 409: NoAnswer, 422: InvalidQuestion,
}  # fmt: skip
_MISTAKE, _TIMEOUT, _TOO_MANY, _SERVER = 400, 408, 429, 500
_STANDARD = frozenset({"type", "title", "status", "detail", "code"})


def refused(status: int, document: object, retry_after_seconds: float | None) -> PlannerError:
    """Return the exception for an answer that is not a success.

    A code this client does not know is told by its status. A body that is no problem document comes from something
    in between: a 4xx still is a mistake of the caller, a 5xx still means that planner is not there.
    """
    if status < _MISTAKE:
        return Unreadable(f"HTTP {status} is no answer of planner's", status)
    said: Mapping[str, Any] = document if isinstance(document, dict) else {}
    code, title = said.get("code"), said.get("title")
    refusal = Refusal(
        code=code if isinstance(code, str) else f"http_{status}",
        title=title if isinstance(title, str) else f"HTTP {status}",
        status=status,
        detail=str(said.get("detail", "")),
        facts={name: value for name, value in said.items() if name not in _STANDARD},
        raw=said,
    )
    if status == _TOO_MANY:
        return TooManyRequests(refusal, retry_after_seconds)
    if status >= _SERVER or status == _TIMEOUT:
        return Unavailable(refusal, retry_after_seconds)
    kind = _BY_STATUS.get(status, CallerMistake)
    return _NO_ANSWERS.get(refusal.code, NoAnswer)(refusal) if kind is NoAnswer else kind(refusal)
