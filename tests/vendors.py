"""Vendors on loopback: usage and cost APIs in the documented shapes, with pages, groups, keys and faults."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from planner.sources.fetch import Limits
from planner.sources.usage_apis import VENDORS, Account

KEY = "sk-admin-0123456789-secret"
QUICK = Limits(deadline_seconds=5.0, whole_seconds=10.0, bytes_max=1 << 20, pause_seconds=0.01)
DAY = timedelta(days=1)

Buckets = dict[datetime, list[dict[str, Any]]]
"""What a list holds: a day, and its results."""


class Vendor:
    """A server of one vendor: ``lists`` holds what each path has day by day, and a test changes it while it runs.

    ``page_buckets`` is how many buckets one page has at most. ``faults`` are answered once each, in their order and
    after so many ``good`` answers: a status, headers and a body. ``before`` is done before each answer. Paths that are
    not in ``lists`` answer 404.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.lists: dict[str, Buckets] = {}
        self.page_buckets = 7
        self.good = 0
        self.before: Callable[[], None] = lambda: None
        self.faults: list[tuple[int, Mapping[str, str], bytes]] = []
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.headers: list[dict[str, str]] = []
        self.more: dict[str, Any] = {}

    def put(self, path: str, day: datetime, *results: Mapping[str, Any]) -> None:
        """Let a list have these results for a day."""
        self.lists.setdefault(path, {})[day] = [dict(result) for result in results]

    @contextmanager
    def serving(self, way: str | None = None, limits: Limits = QUICK) -> Iterator[Account]:
        """Serve on a free port, and yield the account a pull needs."""
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = parse_qs(parts.query)
                vendor.asked.append((parts.path, query))
                vendor.headers.append({name.lower(): value for name, value in self.headers.items()})
                status, headers, body = vendor.answer(parts.path, query, vendor.headers[-1])
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Keep the test's output for the test."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield Account(vendor=VENDORS[self.name], url=url, key=KEY, way=way, limits=limits)
        finally:
            server.shutdown()
            server.server_close()

    def answer(
        self, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Return what a request is answered with."""
        self.before()
        if self.faults and len(self.asked) > self.good:
            return self.faults.pop(0)
        if KEY not in (headers.get("x-api-key"), headers.get("authorization", "").removeprefix("Bearer ")):
            return 401, {}, b'{"error": {"message": "no such key"}}'
        if path not in self.lists:
            return 404, {}, b'{"error": {"message": "not found"}}'
        return 200, {}, json.dumps(self._page(path, query)).encode()

    def _page(self, path: str, query: Mapping[str, list[str]]) -> dict[str, Any]:
        held = self.lists[path]
        if self.name == "openrouter":
            day = datetime.fromisoformat(query["date"][0]).replace(tzinfo=UTC)
            return {"data": held.get(day, [])}
        begins, ends = _window(query)
        days = [day for day in sorted(held) if begins <= day < ends]
        first = int(query.get("page", ["page_0"])[0].removeprefix("page_"))
        shown = days[first : first + self.page_buckets]
        follows = first + self.page_buckets < len(days)
        if "analytics" in path:
            data = [row | _times(day) for day in shown for row in held[day]]
        elif self.name == "openai":
            data = [{"object": "bucket", **_epochs(day), "results": held[day]} for day in shown]
        else:
            data = [{**_times(day), "results": held[day]} for day in shown]
        token = f"page_{first + self.page_buckets}" if follows else None
        return {"data": data, "has_more": follows, "next_page": token, **self.more}


def _window(query: Mapping[str, list[str]]) -> tuple[datetime, datetime]:
    if "start_time" in query:
        since, until = (datetime.fromtimestamp(int(query[name][0]), UTC) for name in ("start_time", "end_time"))
        return since, until
    since, until = (datetime.fromisoformat(query[name][0]) for name in ("starting_at", "ending_at"))
    return since, until


def _times(day: datetime) -> dict[str, str]:
    return {"starting_at": f"{day:%Y-%m-%dT00:00:00Z}", "ending_at": f"{day + DAY:%Y-%m-%dT00:00:00Z}"}


def _epochs(day: datetime) -> dict[str, int]:
    return {"start_time": int(day.timestamp()), "end_time": int((day + DAY).timestamp())}


# --- their rows -------------------------------------------------------------------------------------------

COMPLETIONS, COSTS = "/v1/organization/usage/completions", "/v1/organization/costs"
ANALYTICS_USAGE, ANALYTICS_COST = "/v1/organizations/analytics/usage", "/v1/organizations/analytics/cost"
LEGACY_USAGE, LEGACY_COST = "/v1/organizations/usage_report/messages", "/v1/organizations/cost_report"
ACTIVITY = "/api/v1/activity"
_OTHERS = (
    "embeddings", "moderations", "images", "audio_speeches", "audio_transcriptions", "web_search_calls",
    "file_search_calls",
)  # fmt: skip


def openai() -> Vendor:
    """Return an OpenAI organization that used nothing yet."""
    vendor = Vendor("openai")
    vendor.lists = {path: {} for path in (COMPLETIONS, COSTS, *(f"/v1/organization/usage/{kind}" for kind in _OTHERS))}
    return vendor


def anthropic(*paths: str) -> Vendor:
    """Return an Anthropic organization that used nothing yet, with these reports: the newer ones by default."""
    vendor = Vendor("anthropic")
    vendor.lists = {path: {} for path in paths or (ANALYTICS_USAGE, ANALYTICS_COST)}
    return vendor


def openrouter() -> Vendor:
    """Return an OpenRouter account that used nothing yet."""
    vendor = Vendor("openrouter")
    vendor.lists = {ACTIVITY: {}}
    return vendor


def completion(
    input_tokens: int, *, model: str = "gpt-4o-mini", project: str | None = "p", **more: Any
) -> dict[str, Any]:
    """Return a result of OpenAI's completions, grouped as planner asks for it."""
    return {
        "object": "organization.usage.completions.result", "input_tokens": input_tokens, "input_cached_tokens": 0,
        "output_tokens": 0, "num_model_requests": 1, "project_id": project, "user_id": None, "api_key_id": "k",
        "model": model, "batch": False, "service_tier": "default", **more,
    }  # fmt: skip


def line_item(usd: str, name: str = "gpt-4o-mini, input", project: str | None = "p") -> dict[str, Any]:
    """Return a result of OpenAI's costs."""
    return {
        "object": "organization.costs.result", "amount": {"value": float(usd), "currency": "usd"}, "line_item": name,
        "project_id": project,
    }  # fmt: skip


def message_group(**said: str) -> dict[str, Any]:
    """Return what a row of Anthropic's newer reports is grouped by."""
    names = (
        "actor", "actor_type", "agent_id", "api_key_id", "context_window", "deployment_id", "environment_id",
        "inference_geo", "model", "product", "rbac_group_id", "service_tier", "speed", "workspace_id",
    )  # fmt: skip
    known = {"model": "claude-sonnet-4-5", "service_tier": "standard", "context_window": "0-200k", "speed": "standard"}
    return {**dict.fromkeys(names), **known, "inference_geo": "global", **said}


def message_usage(input_tokens: int, **said: str) -> dict[str, Any]:
    """Return a row of Anthropic's newer usage report."""
    return {"group": message_group(**said), "usage": {**_messages(input_tokens), "requests": 1}}


def message_cost(cents: str, **said: str) -> dict[str, Any]:
    """Return a row of Anthropic's newer cost report."""
    group = {**message_group(**said), "cost_type": "tokens", "token_type": "uncached_input_tokens"}
    return {"group": group, "cost": {"amount": cents, "list_amount": cents, "currency": "USD", "requests": 1}}


def legacy_usage(input_tokens: int, **said: str) -> dict[str, Any]:
    """Return a result of Anthropic's older usage report."""
    group = {name: message_group(**said)[name] for name in ("api_key_id", "context_window", "inference_geo", "model")}
    return {**_messages(input_tokens), **group, "workspace_id": None, "service_tier": "standard"}


def _messages(input_tokens: int) -> dict[str, Any]:
    return {
        "uncached_input_tokens": input_tokens, "cache_read_input_tokens": 0, "output_tokens": 0,
        "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0},
        "server_tool_use": {"web_search_requests": 0},
    }  # fmt: skip


def activity(day: datetime, usd: str, model: str = "openai/gpt-4.1") -> dict[str, Any]:
    """Return a row of OpenRouter's activity."""
    return {
        "byok_usage_inference": 0, "completion_tokens": 10, "date": f"{day:%Y-%m-%d}", "endpoint_id": "e",
        "model": model, "model_permaslug": model, "prompt_tokens": 50, "provider_name": "OpenAI",
        "reasoning_tokens": 0, "requests": 5, "usage": float(usd),
    }  # fmt: skip
