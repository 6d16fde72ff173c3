"""Where the prices behind a sum come from, and what was booked later than it was used."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from planner.core.money import pico_text
from planner.core.posting import Measures
from planner.store.json_text import time_text
from planner.store.recall import BATCH
from planner.store.tables import price_cards, quotes


def prices(connection: sa.Connection, sums: Mapping[str, Measures]) -> list[dict[str, Any]]:
    """Return each price version with its evidence and what was booked by it, the one with the most cost first."""
    card, quote = price_cards.c, quotes.c
    found: list[dict[str, Any]] = []
    ids = sorted(int(version) for version in sums)
    for start in range(0, len(ids), BATCH):
        query = (
            sa.select(card.id, card.offer_id, card.valid_from, quote.source, quote.source_url, quote.observed_at)
            .join(quotes, quote.id == card.quote_id)
            .where(card.id.in_(ids[start : start + BATCH]))
        )
        for row in connection.execute(query):
            measures = sums[str(row.id)]
            found.append(
                {
                    "price_version": str(row.id), "offer": row.offer_id, "source": row.source,
                    "source_url": row.source_url, "observed_at": time_text(row.observed_at),
                    "valid_from": time_text(row.valid_from), "rows": measures.rows,
                    "token_cost_usd": pico_text(measures.cost),
                }
            )  # fmt: skip
    cost = {str(version): measures.cost for version, measures in sums.items()}
    return sorted(found, key=lambda one: (-cost[one["price_version"]], int(one["price_version"])))


def delta(row: Any) -> dict[str, Any]:  # noqa: ANN401  # a row of `usage.deltas`
    """Write a line that changed something that was booked before, or came late."""
    return {
        "kind": row.kind, "usage_at": time_text(row.usage_at), "booked_in": row.booked_in,
        "recorded_at": time_text(row.recorded_at), "source": row.source, "id": row.event_id,
        "price_version_old": row.price_version_old, "price_version_new": row.price_version_new,
        "delta_usd": row.delta_usd,
    }  # fmt: skip
