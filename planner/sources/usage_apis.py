"""How vendors' usage and cost APIs are asked: whose they are, in which words, and how one page leads to the next.

Every report is asked for in whole days of UTC, grouped always alike: the same bucket under another grouping has other
rows.

Source: openai/openai-openapi, /organization/usage/... and /organization/costs, September 2026. Anthropic's API
reference, Admin API: /v1/organizations/analytics/usage and /cost, in beta under ``analytics-usage-cost-2026-08-24``,
and the older usage_report/messages and cost_report, which are marked legacy. OpenRouter's OpenAPI description, GET
/activity, August 2026.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from planner.core import strict_json
from planner.core.errors import FeedRefused, InvalidInput
from planner.sources.fetch import Limits, Visit, visiting

USAGE, COSTS = "usage", "costs"
PAGES_MAX = 500
"""Pages of one report; what leads further is no report but a circle."""
VALUES_MAX = 500_000
TOKEN_MAX = 4_096
# A vendor may ask for a minute's patience, and a whole report is to end within the lease of its turn.
LIMITS = Limits(deadline_seconds=150.0, whole_seconds=420.0, bytes_max=48 << 20, pause_seconds_max=65.0)

DAY = timedelta(days=1)
# The longest that any of them answers in one go.
_SPAN = 31 * DAY
_NOT_THERE = frozenset({"400", "403", "404"})
_KEY_REFUSED = frozenset({"401", "403"})
_ANALYTICS, _LEGACY = "analytics", "legacy"

Progress = Callable[[int], None]
"""Called with how many pages were read so far."""


class Call(NamedTuple):
    """One list that is read to its end. A vendor that does not have an ``optional`` one says nothing of its rows.

    ``optional`` is the kind of these rows, as they are tagged when they are read; "" is a list that has to be there.
    """

    path: str
    query: tuple[tuple[str, str], ...]
    optional: str = ""


class Way(NamedTuple):
    """One of the ways to the same report: its name, what it is asked with besides the key, and its lists."""

    name: str
    headers: Mapping[str, str]
    calls: tuple[Call, ...]


Ways = Callable[[datetime, datetime], tuple[Way, ...]]
"""Return the ways to a report for a span of days, the best first."""


class Report(NamedTuple):
    """What is pulled: the format its pages are read in, and the ways to it."""

    format: str
    ways: Ways


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """Whose API it is. What it said of the last ``overlap_days`` may still change, and is asked for again.

    ``reach_days`` is how far back it answers, None where that is further than anybody asks at first.
    """

    name: str
    title: str
    key_name: str
    overlap_days: int
    reach_days: int | None
    headers: Callable[[str], Mapping[str, str]]
    reports: Mapping[str, Report]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A vendor's API as it is reached here: where it is, and with whose key. ``way`` None: whichever answers."""

    vendor: Vendor
    url: str
    key: str = field(repr=False)
    way: str | None = None
    limits: Limits = LIMITS


class Answer(NamedTuple):
    """Pages as they came. ``refreshed_at``: what happened later is not all in them, where the vendor says so.

    ``missing`` names optional lists the vendor does not have, and ``untold`` the kinds of their rows.
    """

    way: str
    pages: tuple[bytes, ...]
    missing: tuple[str, ...]
    refreshed_at: datetime | None
    untold: frozenset[str] = frozenset()


async def ask(account: Account, report: str, since: datetime, until: datetime, progress: Progress) -> Answer:
    """Read every page of a report for whole days of UTC, by the first of its ways that is there.

    Raises:
        FeedRefused: the vendor cannot be reached, refuses the key, or sends what is no such page; nothing of what it
            sent is repeated.
    """
    vendor = account.vendor
    ways = [way for way in vendor.reports[report].ways(since, until) if account.way in (None, way.name)]
    for number, way in enumerate(ways, 1):
        try:
            headers = {**vendor.headers(account.key), **way.headers}
            async with visiting(vendor.name, account.limits, headers) as visit:
                return await _read(visit, account, way, progress)
        except FeedRefused as error:
            if number < len(ways) and error.figure in _NOT_THERE:
                continue
            if error.figure in _KEY_REFUSED:
                detail = f"{error.detail}: the key may not read this report; {vendor.key_name} has to be {vendor.title}"
                raise FeedRefused(vendor.name, error.reason, detail, error.figure) from None
            raise
    raise InvalidInput("report", f"{vendor.name} has no way called {account.way}")


async def _read(visit: Visit, account: Account, way: Way, progress: Progress) -> Answer:
    pages, missing, refreshed = list[bytes](), dict[str, str](), list[datetime]()
    for call in way.calls:
        token, seen = "", set[str]()
        while True:
            query = (*call.query, ("page", token)) if token else call.query
            try:
                body = await visit.get(f"{account.url}{call.path}?{urlencode(query)}")
            except FeedRefused as error:
                if call.optional and error.figure == "404" and not token:
                    missing[call.path] = call.optional
                    break
                raise
            document = _document(account.vendor.name, body)
            pages.append(body)
            progress(len(pages))
            refreshed += _moment(document.get("data_refreshed_at"))
            token = _next(account.vendor.name, document)
            if not token:
                break
            if token in seen or len(pages) >= PAGES_MAX:
                raise FeedRefused(account.vendor.name, "endless", f"page {len(pages)} leads in a circle or too far")
            seen.add(token)
    return Answer(way.name, tuple(pages), tuple(missing), min(refreshed, default=None), frozenset(missing.values()))


def _document(source: str, body: bytes) -> dict[str, Any]:
    try:
        document = strict_json.read(body, name="page", values_max=VALUES_MAX)
    except InvalidInput as error:
        raise FeedRefused(source, "not_json", error.problem) from None
    if not isinstance(document, dict) or not isinstance(document.get("data"), list):
        raise FeedRefused(source, "wrong_shape", "a page with a list under data is needed")
    return document


def _next(source: str, document: Mapping[str, Any]) -> str:
    """Return what the next page is asked for with, and "" after the last."""
    more, token = document.get("has_more"), document.get("next_page")
    if not more and (more is False or token is None):
        return ""
    if not isinstance(token, str) or not 0 < len(token) <= TOKEN_MAX or not token.isprintable():
        raise FeedRefused(source, "wrong_shape", "more pages follow, and nothing says how they are asked for")
    return token


def _moment(said: object) -> list[datetime]:
    try:
        found = datetime.fromisoformat(said) if isinstance(said, str) else None
    except ValueError:
        return []
    return [] if found is None or found.tzinfo is None else [found.astimezone(UTC)]


def _spans(since: datetime, until: datetime, longest: timedelta = _SPAN) -> Iterator[tuple[datetime, datetime]]:
    while since < until:
        yield since, (ends := min(since + longest, until))
        since = ends


# --- OpenAI -----------------------------------------------------------------------------------------------

_OF_ALL = ("project_id", "api_key_id")
_MODELS = (*_OF_ALL, "model")
_OPENAI_KINDS: Mapping[str, tuple[str, ...]] = {
    "completions": (*_MODELS, "batch", "service_tier"),
    "embeddings": _MODELS,
    "moderations": _MODELS,
    "images": (*_MODELS, "source", "size"),
    "audio_speeches": _MODELS,
    "audio_transcriptions": _MODELS,
    "web_search_calls": (*_MODELS, "context_level"),
    "file_search_calls": _OF_ALL,
}
# They came later than the others, and an organization may not have them; their rows call themselves otherwise.
_OPENAI_NEWER = {"web_search_calls": "web_searches", "file_search_calls": "file_searches"}


def _openai(path: str, groups: tuple[str, ...], since: datetime, until: datetime, optional: str = "") -> Call:
    times = ("start_time", str(int(since.timestamp()))), ("end_time", str(int(until.timestamp())))
    by = tuple(("group_by", name) for name in groups)
    query = (*times, ("bucket_width", "1d"), ("limit", str(_SPAN.days)), *by)
    return Call(f"/v1/organization/{path}", query, optional)


def _openai_usage(since: datetime, until: datetime) -> tuple[Way, ...]:
    calls = tuple(
        _openai(f"usage/{kind}", groups, *span, _OPENAI_NEWER.get(kind, ""))
        for kind, groups in _OPENAI_KINDS.items()
        for span in _spans(since, until)
    )
    return (Way("usage", {}, calls),)


def _openai_costs(since: datetime, until: datetime) -> tuple[Way, ...]:
    calls = tuple(_openai("costs", ("project_id", "line_item"), *span) for span in _spans(since, until))
    return (Way("costs", {}, calls),)


# --- Anthropic --------------------------------------------------------------------------------------------

_BETA = {"anthropic-beta": "analytics-usage-cost-2026-08-24"}
_LEGACY_USAGE = ("api_key_id", "workspace_id", "model", "service_tier", "context_window", "inference_geo")
# Not by who asked, nor by groups of people: those overlap, and their sum is more than there was.
_ANALYTICS_USAGE = (*_LEGACY_USAGE, "speed")
_ANALYTICS_COSTS = (*_ANALYTICS_USAGE, "cost_type", "token_type")


def _anthropic(analytics: str, legacy: str, groups: tuple[str, ...], older: tuple[str, ...]) -> Ways:
    def calls(
        path: str, width: str, by: tuple[str, ...], since: datetime, until: datetime, more: tuple[tuple[str, str], ...]
    ) -> tuple[Call, ...]:
        grouped = tuple(("group_by[]", name) for name in by)
        return tuple(
            Call(path, (("starting_at", _rfc(begins)), ("ending_at", _rfc(ends)), (width, "1d"), *more, *grouped))
            for begins, ends in _spans(since, until)
        )

    def ways(since: datetime, until: datetime) -> tuple[Way, ...]:
        # The newer pages are of rows and the older of buckets: how many rows a page may have is not documented.
        new = calls(f"/v1/organizations/analytics/{analytics}", "time_bucket_width", groups, since, until, ())
        limit = (("limit", str(_SPAN.days)),)
        old = calls(f"/v1/organizations/{legacy}", "bucket_width", older, since, until, limit)
        return Way(_ANALYTICS, _BETA, new), Way(_LEGACY, {}, old)

    return ways


def _rfc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


# --- OpenRouter -------------------------------------------------------------------------------------------


def _openrouter_usage(since: datetime, until: datetime) -> tuple[Way, ...]:
    days = (begins for begins, _ends in _spans(since, until, DAY))
    calls = tuple(Call("/api/v1/activity", (("date", f"{day:%Y-%m-%d}"),)) for day in days)
    return (Way("activity", {}, calls),)


def _bearer(key: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {key}"}


VENDORS: Mapping[str, Vendor] = {
    vendor.name: vendor
    for vendor in (
        Vendor(
            name="openai", title="an admin key of the organization", key_name="OPENAI_ADMIN_KEY", overlap_days=7,
            reach_days=None, headers=_bearer,
            reports={USAGE: Report("openai_usage", _openai_usage), COSTS: Report("openai_costs", _openai_costs)},
        ),
        Vendor(
            # Its figures are final about thirty days after the day they are of.
            name="anthropic", title="an admin key of the organization", key_name="ANTHROPIC_ADMIN_KEY",
            overlap_days=30, reach_days=None,
            headers=lambda key: {"x-api-key": key, "anthropic-version": "2023-06-01"},
            reports={
                USAGE: Report(
                    "anthropic_usage",
                    _anthropic("usage", "usage_report/messages", _ANALYTICS_USAGE, _LEGACY_USAGE),
                ),
                COSTS: Report(
                    "anthropic_costs",
                    _anthropic("cost", "cost_report", _ANALYTICS_COSTS, ("workspace_id", "description")),
                ),
            },
        ),
        Vendor(
            # It states what was paid in the same rows that count the tokens.
            name="openrouter", title="a management key", key_name="OPENROUTER_PROVISIONING_KEY", overlap_days=3,
            reach_days=30, headers=_bearer, reports={USAGE: Report("openrouter_activity", _openrouter_usage)},
        ),
    )
}  # fmt: skip
