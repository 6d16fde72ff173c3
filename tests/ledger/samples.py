"""Hand-written files in the shape of each export, and how they are opened and read in a test."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from planner.core.event import Event
from planner.ledger.format import File, Format, Given, Read, Refused, Row, Said, Skipped
from planner.ledger.reading import open_file

GIVEN = Given(source="stream")

USAGE_OBJECT = {
    "prompt_tokens": 900,
    "completion_tokens": 100,
    "total_tokens": 1_000,
    "prompt_tokens_details": {"cached_tokens": 700, "audio_tokens": None},
    "completion_tokens_details": {"reasoning_tokens": 60},
}
SPEND_LOG: dict[str, Any] = {
    "request_id": "chatcmpl-9",
    "call_type": "acompletion",
    "api_key": "hash-of-a-key",
    "spend": "0.0042",
    "total_tokens": "1000",
    "prompt_tokens": "900",
    "completion_tokens": "100",
    "startTime": "2026-09-03T08:00:00.500Z",
    "model": "openai/gpt-4.1",
    "custom_llm_provider": "openai",
    "metadata": json.dumps({"usage_object": USAGE_OBJECT, "status": "success"}),
    "cache_hit": "False",
    "request_tags": '["feature:search","plan:team","night run"]',
    "team_id": "team-7",
    "end_user": "cust-7",
    "messages": "the contents of a message",
    "response": "the contents of an answer",
    "status": "success",
}
OBSERVATION: dict[str, Any] = {
    "id": "obs-9",
    "trace_id": "trace-9",
    "project_id": "project-9",
    "environment": "production",
    "type": "GENERATION",
    "start_time": "2026-09-03 08:00:00.500",
    "metadata": {"plan": "team", "feature": "search", "customer": "cust-7"},
    "level": "DEFAULT",
    "input": "the contents of a message",
    "output": "the contents of an answer",
    "provided_model_name": "claude-sonnet-4-5",
    "usage_details": {"input": 10, "input_cache_read": 500, "output": 90, "total": 600},
    "cost_details": {"input": 0.00003, "total": 0.0015},
    "total_cost": 0.0015,
    "updated_at": "2026-09-03 08:00:03.000",
}
HELICONE: dict[str, Any] = {
    "response_id": "resp-9",
    "response_created_at": "2026-09-03T08:00:02Z",
    "response_status": "200",
    "request_created_at": "2026-09-03T08:00:00.500Z",
    "request_body": "the contents of a message",
    "request_properties": '{"plan":"team","feature":"search"}',
    "request_user_id": "cust-7",
    "model": "gpt-4.1",
    "prompt_tokens": "700",
    "completion_tokens": "80",
    "latency": "1500",
    "cost": "0.00204",
}
CHARGE: dict[str, Any] = {
    "BilledCost": "0.00",
    "BillingAccountId": "account-9",
    "BillingCurrency": "USD",
    "ChargeCategory": "Usage",
    "ChargeDescription": "Input tokens",
    "ChargePeriodStart": "2026-09-03T00:00:00Z",
    "ChargePeriodEnd": "2026-09-04T00:00:00Z",
    "ConsumedQuantity": "3.25",
    "ConsumedUnit": "1000000 Tokens",
    "EffectiveCost": "9.75",
    "ServiceCategory": "AI and Machine Learning",
    "ServiceSubcategory": "Generative AI",
    "ServiceProviderName": "Solora AI",
    "HostProviderName": "Aura Web",
    "SubAccountId": "sub-9",
    "CredentialId": "key-9",
    "SkuId": "saturn-input",
    "SkuPriceDetails": '{"ModelId":"saturn-5","TokenDirection":"Input","TokenCacheAction":"Uncached"}',
    "Tags": '{"plan":"team"}',
}
DAILY: dict[str, Any] = {
    "id": "1",
    "tag": "plan:team",
    "date": "2026-09-03",
    "api_key": "hash-of-a-key",
    "model": "gpt-4.1",
    "custom_llm_provider": "openai",
    "prompt_tokens": "900",
    "completion_tokens": "100",
    "spend": "0.0042",
    "api_requests": "1",
    "successful_requests": "1",
    "failed_requests": "0",
}
TABLES = {"litellm": SPEND_LOG, "langfuse": OBSERVATION, "helicone": HELICONE, "focus": CHARGE, "litellm_daily": DAILY}
"""A row of each format that is a table, by the format's name."""


def csv_text(*rows: Mapping[str, Any]) -> str:
    """Write rows as CSV; values that are no texts become JSON, as exporters write them, and None an empty cell."""
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow(
            "" if value is None else value if isinstance(value, str) else json.dumps(value) for value in row.values()
        )
    return written.getvalue()


def jsonl_text(*rows: object) -> str:
    """Write values as JSON Lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def opened(folder: Path, body: str | bytes, name: str = "file", *, packed: bool = False) -> File:
    """Write a file and open it."""
    path = folder / name
    plain = body.encode() if isinstance(body, str) else body
    path.write_bytes(gzip.compress(plain) if packed else plain)
    return open_file(path)


def rows(file: File) -> list[dict[str, Any]]:
    """Return the values of the rows of a file, none of them refused."""
    found = list(file.rows())
    assert [row for row in found if isinstance(row, Refused)] == []
    return [dict(row.values) for row in found if isinstance(row, Row)]


def refused(found: Iterable[Row | Read | Refused | Skipped]) -> list[tuple[str, str]]:
    """Return where rows were refused, and why."""
    return [(row.place, row.reason) for row in found if isinstance(row, Refused)]


def said(form: Format, file: File, given: Given = GIVEN) -> list[Said]:
    """Return what a file says in a format; nothing of it may be refused."""
    found = list(form.read(file, given))
    assert refused(found) == []
    return [row.said for row in found if isinstance(row, Read)]


def events(form: Format, file: File, given: Given = GIVEN) -> list[Event]:
    """Return the events a file says."""
    return [one for one in said(form, file, given) if isinstance(one, Event)]
