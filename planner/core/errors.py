"""Every refusal planner can give, as typed facts; how a door shows them is the door's business.

The tree::

    PlannerError
    |-- InvalidInput            what was sent cannot be read
    |   `-- ImpossibleUsage     the counts contradict each other
    |-- NotFound                nothing has this id
    |-- NoAnswer                the question is sound and has no answer
    |   |-- Unpriced            a used unit has no rate; unknown is not free
    |   |-- UnknownModel        no offer serves a model that was named
    |   |-- UnknownPolicy       no policy has this name
    |   |-- NothingCompliant    every offer is refused before its price matters
    |   |-- Unscored            qualities are to be weighed, and none is known
    |   |-- MarginUnreachable   compliant offers exist and all cost too much
    |   `-- NotExportable       no link of the chain can be said in a gateway's words
    |-- AccessRefused           who asks may not
    |   |-- Unauthenticated     no valid key
    |   |-- SignInRefused       nobody signs in with this
    |   |-- CrossSite           a browser sent it from elsewhere
    |   |-- Forbidden           the key's role does not reach here
    |   `-- PolicyNotGranted    the key may not name this policy
    |-- Conflict                somebody or something was faster, or was there before
    |   |-- Changed             what a write was based on is not the newest any more
    |   |-- AlreadyImported     exactly this file counts already, under another name
    |   |-- Overtaken           this turn was taken over by somebody else
    |   `-- RowsUnavailable     a file that is to be rated again is gone, or is another one now
    |-- TooLarge                a body beyond the limit
    |-- EncodedBody             a body that would have to be unpacked
    |-- UnknownHost             the request is for a host this is not
    |-- TooManyRequests         slower, please
    |-- FeedRefused             a source sent what cannot be believed
    |-- SchemaMismatch          the database is of another version
    `-- Unavailable             the answer cannot be confirmed right now; ask again
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import ClassVar


def in_words(value: object) -> str:
    """Return a fact of a refusal as a person reads it: plain names and counts, never Python's notation for them.

    Example:
        >>> in_words(("page", "query")), in_words({"unpriced": 3, "retired": 1})
        ('page, query', 'unpriced 3, retired 1')
        >>> in_words(({"says": "charge 23.25 USD a period"}, {"says": "accept a margin of 0.64"}))
        'charge 23.25 USD a period; or accept a margin of 0.64'
    """
    if isinstance(value, Mapping):
        # Some facts bring their own words.
        return str(value["says"]) if "says" in value else ", ".join(f"{name} {count}" for name, count in value.items())
    if isinstance(value, tuple):
        between = ", " if all(isinstance(each, str) for each in value) else "; or "
        return between.join(map(in_words, value))
    return str(value)


# What the audit trail says where somebody did what needs no reason, and gave none.
UNSAID = "no reason was given"


def readable(text: str) -> bool:
    """Tell whether a text says something, and holds nothing that a terminal would act on."""
    return bool(text.strip()) and text.isprintable()


def what_is_wrong(message: str) -> str:
    """Return what a check of a field found, without the words pydantic puts before the text of a check of ours.

    Example:
        >>> what_is_wrong("Value error, must not be negative")
        'must not be negative'
    """
    return message.removeprefix("Value error, ")


class PlannerError(Exception):
    """A refusal. ``code`` is stable, ``title`` is for people, ``facts()`` is for programs."""

    code: ClassVar[str] = "error"
    title: ClassVar[str] = "planner refuses"

    def facts(self) -> dict[str, object]:
        """Return the fields of this refusal, JSON-ready except for exact numbers."""
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]  # subclasses are dataclasses

    def __str__(self) -> str:
        """Return the title and the facts, for logs and terminals."""
        facts = ((name, value) for name, value in self.facts().items() if value not in (None, {}, ()))
        said = ", ".join(f"{name}={in_words(value)}" for name, value in facts)
        return f"{self.title}: {said}" if said else self.title


@dataclass(eq=False)
class InvalidInput(PlannerError):
    """What was sent cannot be read. ``field`` names the place, ``problem`` says what is wrong there."""

    code: ClassVar[str] = "invalid"
    title: ClassVar[str] = "The input cannot be read"

    field: str
    problem: str


@dataclass(eq=False)
class ImpossibleUsage(InvalidInput):
    """A part is larger than the whole that contains it."""

    code: ClassVar[str] = "impossible_usage"
    title: ClassVar[str] = "These counts contradict each other"


@dataclass(eq=False)
class NotFound(PlannerError):
    """Nothing has this id. ``kind`` is offer, model, provider, plan, task and the like."""

    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "Nothing has this id"

    kind: str
    id: str


class NoAnswer(PlannerError):
    """The question is sound and has no answer."""


@dataclass(eq=False)
class Unpriced(NoAnswer):
    """A used unit has no rate. Unknown is not free."""

    code: ClassVar[str] = "unpriced"
    title: ClassVar[str] = "A used unit has no price"

    units: tuple[str, ...] = ()
    service_tier: str | None = None
    offer: str | None = None
    refused: Mapping[str, int] = field(default_factory=dict)


@dataclass(eq=False)
class UnknownModel(NoAnswer):
    """No offer serves this model under exactly this spelling."""

    code: ClassVar[str] = "unknown_model"
    title: ClassVar[str] = "No offer serves this model"

    model: str


@dataclass(eq=False)
class UnknownPolicy(NoAnswer):
    """No policy has this name."""

    code: ClassVar[str] = "unknown_policy"
    title: ClassVar[str] = "No policy has this name"

    policy: str


@dataclass(eq=False)
class NothingCompliant(NoAnswer):
    """Every offer is refused before its price matters; ``refused`` counts offers by first reason."""

    code: ClassVar[str] = "nothing_compliant"
    title: ClassVar[str] = "No offer passes the policy and the needs"

    policy: str
    considered: int
    refused: Mapping[str, int]


@dataclass(eq=False)
class Unscored(NoAnswer):
    """Qualities are to be weighed, and no eligible offer has a score on this index; ``indexes`` are those with any."""

    code: ClassVar[str] = "unscored"
    title: ClassVar[str] = "No eligible offer has a score on this index"

    index: str
    eligible: int
    indexes: tuple[str, ...]


@dataclass(eq=False)
class MarginUnreachable(NoAnswer):
    """Compliant offers exist and all cost more than the margin leaves.

    Amounts are decimal strings in USD, ratios decimal strings; the last facts say what would make the question
    answerable, each alone: a higher price, shorter requests, another tier. ``changes`` are these and more, each with
    its figures and in words: `planner.core.remedies`. ``feasible_trim_percent`` is of the text of every
    request, of at most 20 kinds of them.
    """

    code: ClassVar[str] = "margin_unreachable"
    title: ClassVar[str] = "No compliant offer reaches the margin"

    policy: str
    considered: int
    refused: Mapping[str, int]
    budget_usd: str
    cheapest_offer: str
    cheapest_cost_usd: str
    cheapest_cost_usd_per_period: str
    margin_reached: str | None
    feasible_price_usd: str | None
    feasible_trim_percent: str | None
    feasible_tier: int | None
    changes: tuple[Mapping[str, object], ...] = ()


@dataclass(eq=False)
class NotExportable(NoAnswer):
    """There is a recommendation, and a gateway's configuration cannot say it without saying something else.

    ``format`` is the gateway's; ``reasons`` maps offers, or places in the configuration, to what is in the way.
    """

    code: ClassVar[str] = "not_exportable"
    title: ClassVar[str] = "This gateway cannot be told to do that"

    format: str
    reasons: Mapping[str, str]


class AccessRefused(PlannerError):
    """Who asks may not."""


@dataclass(eq=False)
class Unauthenticated(AccessRefused):
    """No valid key came with the request. Which part was wrong is not said."""

    code: ClassVar[str] = "unauthenticated"
    title: ClassVar[str] = "A valid key is needed"


@dataclass(eq=False)
class SignInRefused(AccessRefused):
    """Nobody signs in with what was sent. Whether the person, the password or the proof was wrong is not said."""

    code: ClassVar[str] = "sign_in_refused"
    title: ClassVar[str] = "Nobody signs in with this"


@dataclass(eq=False)
class CrossSite(AccessRefused):
    """A browser would change something for whoever is signed in, and planner's own pages did not ask for it."""

    code: ClassVar[str] = "cross_site"
    title: ClassVar[str] = "Only planner's own pages may send this, and as application/json"


@dataclass(eq=False)
class Forbidden(AccessRefused):
    """The key is valid and its role does not reach here."""

    code: ClassVar[str] = "forbidden"
    title: ClassVar[str] = "This key may not do that"

    role: str


@dataclass(eq=False)
class PolicyNotGranted(AccessRefused):
    """The key may not name this policy."""

    code: ClassVar[str] = "policy_not_granted"
    title: ClassVar[str] = "This key may not name that policy"

    policy: str


@dataclass(eq=False)
class Conflict(PlannerError):
    """What is asked does not fit what is there: already decided, already taken, used for something else."""

    code: ClassVar[str] = "conflict"
    title: ClassVar[str] = "That does not fit what is there"

    kind: str
    id: str
    problem: str


@dataclass(eq=False)
class Changed(Conflict):
    """The caller looked at an older state than the one that would be written over."""

    code: ClassVar[str] = "changed"
    title: ClassVar[str] = "It has changed since it was read"


@dataclass(eq=False)
class Overtaken(Conflict):
    """A turn lasted longer than its lease, and somebody else has taken it over: nothing of it may be written."""

    code: ClassVar[str] = "overtaken"
    title: ClassVar[str] = "This turn was taken over"


@dataclass(eq=False)
class AlreadyImported(Conflict):
    """Exactly these bytes were imported before: ``id`` is that import, ``source`` the stream it went into."""

    code: ClassVar[str] = "already_imported"
    title: ClassVar[str] = "Exactly this file was imported under another name"

    source: str
    at: str


@dataclass(eq=False)
class RowsUnavailable(Conflict):
    """Rows that were rated where they lie cannot be read again. ``file`` is its name; where it lay is not said."""

    code: ClassVar[str] = "rows_unavailable"
    title: ClassVar[str] = "The rows of this import cannot be read again"

    file: str

    def facts(self) -> dict[str, object]:
        """Return which import, its file, and what is in the way."""
        return {"import": int(self.id), "file": self.file, "problem": self.problem}


@dataclass(eq=False)
class TooLarge(PlannerError):
    """What was sent is larger than this door takes; ``bytes_max`` is the limit."""

    code: ClassVar[str] = "too_large"
    title: ClassVar[str] = "The body is too large"

    bytes_max: int


@dataclass(eq=False)
class EncodedBody(PlannerError):
    """The body is compressed or otherwise encoded; how large it is would be known only after the work of reading it."""

    code: ClassVar[str] = "encoded_body"
    title: ClassVar[str] = "The body must be sent as it is, without a Content-Encoding"


@dataclass(eq=False)
class TooManyRequests(PlannerError):
    """Too many requests came from one caller. ``retry_after_seconds`` says when to ask again."""

    code: ClassVar[str] = "too_many_requests"
    title: ClassVar[str] = "Too many requests"

    retry_after_seconds: int


@dataclass(eq=False)
class UnknownHost(PlannerError):
    """The ``Host`` of the request is missing, there twice, malformed, or not one this installation answers for."""

    code: ClassVar[str] = "unknown_host"
    title: ClassVar[str] = "This host is not answered for here"


@dataclass(eq=False)
class FeedRefused(PlannerError):
    """A source sent what cannot be believed, or nothing. ``reason`` is a stable code, ``detail`` is for people.

    ``figure`` is what was measured: a status, or where a person may waive the reason rows, a factor, a digest.
    """

    code: ClassVar[str] = "feed_refused"
    title: ClassVar[str] = "A source was not believed"

    source: str
    reason: str
    detail: str = ""
    figure: str = ""


@dataclass(eq=False)
class SchemaMismatch(PlannerError):
    """The database has no schema (``found`` None) or another version's; ``planner db upgrade`` sets it up."""

    code: ClassVar[str] = "schema_mismatch"
    title: ClassVar[str] = "The database is not set up for this version; run planner db upgrade"

    found: str | None
    wanted: str


@dataclass(eq=False)
class Unavailable(PlannerError):
    """The answer cannot be confirmed right now. ``retry_after_seconds`` says when to ask again."""

    code: ClassVar[str] = "unavailable"
    title: ClassVar[str] = "Not available right now"

    reason: str
    retry_after_seconds: int = 5
