"""Cerebras' public list: decimal text in USD per token."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from planner.core.claim import Claim, Reading
from planner.core.names import ProviderNames
from planner.core.offer import OfferFacts, offer_id, valid_feed_id
from planner.core.price import RateTable
from planner.core.units import Unit
from planner.sources.feed import Known, Payload, Progress
from planner.sources.fetch import fetch_one
from planner.sources.reading import Rows, Unreadable, count, listed_rows
from planner.sources.scale import Scale

PROVIDER = "cerebras"
PATH = "/public/v1/models"
# Source: record shapes of https://api.cerebras.ai/public/v1/models, 2026-08.
UNITS: dict[str, Unit] = {
    "prompt": Unit.INPUT,
    "completion": Unit.OUTPUT,
    "input_cache_read": Unit.CACHE_READ,
    "request": Unit.REQUEST,
}
CAPABILITIES = {
    "tools": "tools",
    "parallel_tool_calls": "parallel_tools",
    "structured_outputs": "json_schema",
    "json_mode": "json_object",
    "reasoning": "reasoning",
}


class Cerebras:
    """The list that needs no key."""

    name = "cerebras"
    file_url = f"https://api.cerebras.ai{PATH}"

    async def fetch(self, base_url: str, known: Mapping[str, Known], progress: Progress) -> tuple[Payload, ...]:
        """Fetch the one list."""
        return (await fetch_one(self.name, f"{base_url}{PATH}", known, progress),)

    def parse(self, payloads: Mapping[str, bytes], names: ProviderNames, observed_at: datetime) -> Reading:
        """Read the list into claims.

        Raises:
            FeedRefused: not a list of models.
        """
        del names
        ((url, body),) = payloads.items()
        rows = Rows(self.name, url, observed_at)
        for row in listed_rows(self.name, body, "data"):
            _take(rows, row)
        return rows.reading({url: hashlib.sha256(body).hexdigest()})


def _take(rows: Rows, row: object) -> None:
    id_ = row.get("id") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(id_, str) or not valid_feed_id(id_):
        rows.refuse(id_, "bad_id")
        return
    if row.get("deprecated") is True:
        rows.notes["deprecated"] += 1
    claim = Claim(offer_id=offer_id("direct", PROVIDER, id_), facts=_facts(row, id_))
    rows.offer(claim, lambda unmapped: _rates(row.get("pricing"), unmapped))


def _facts(row: Mapping[str, Any], id_: str) -> OfferFacts:
    limits, has = row.get("limits"), row.get("capabilities")
    bounds = limits if isinstance(limits, dict) else {}
    able = has if isinstance(has, dict) else {}
    return OfferFacts(
        model_spelling=id_,
        provider=PROVIDER,
        channel="direct",
        capabilities={word: able[key] for key, word in CAPABILITIES.items() if isinstance(able.get(key), bool)},
        context_tokens=count(bounds.get("max_context_length")),
        max_output_tokens=count(bounds.get("max_completion_tokens")),
    )


def _rates(pricing: object, unmapped: list[str]) -> RateTable:
    if not isinstance(pricing, dict):
        raise Unreadable("missing_price")
    unmapped += [key for key in pricing if key not in UNITS]
    table = {UNITS[key]: Scale.USD.rate(value) for key, value in pricing.items() if key in UNITS and value is not None}
    if Unit.INPUT not in table and Unit.OUTPUT not in table:
        raise Unreadable("missing_price")
    # A fee of 0 per request is none.
    return RateTable.flat({unit: rate for unit, rate in table.items() if unit is not Unit.REQUEST or rate.usd})
