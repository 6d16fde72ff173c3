"""Artificial Analysis: measured quality of models; scores only, joined by the OpenRouter id its own records name."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from planner.core.claim import Reading, Score
from planner.core.names import ProviderNames
from planner.core.offer import valid_feed_id
from planner.sources.feed import Known, Payload, Progress
from planner.sources.fetch import fetch_one
from planner.sources.reading import Rows, listed_rows

PATH = "/api/v2/data/llms/models"
# Source: records of the API read on 2026-07-22; indexes are points of 100, no two versions of them comparable.
INDEXES = {
    "artificial_analysis_intelligence_index": "artificial_analysis_intelligence",
    "artificial_analysis_coding_index": "artificial_analysis_coding",
    "artificial_analysis_math_index": "artificial_analysis_math",
}
ATTRIBUTION = "https://artificialanalysis.ai"


class ArtificialAnalysis:
    """The free list of models; a key raises what it may be asked, and is sent to nobody else."""

    name = "artificial_analysis"
    file_url = f"https://artificialanalysis.ai{PATH}"

    def __init__(self, key: str | None = None) -> None:
        """Remember the key, if there is one."""
        self._headers = {} if key is None else {"x-api-key": key}

    async def fetch(self, base_url: str, known: Mapping[str, Known], progress: Progress) -> tuple[Payload, ...]:
        """Fetch the one list."""
        return (await fetch_one(self.name, f"{base_url}{PATH}", known, progress, headers=self._headers),)

    def parse(self, payloads: Mapping[str, bytes], names: ProviderNames, observed_at: datetime) -> Reading:
        """Read scores. Of several measured variants of one model the best counts, and its name is noted.

        Raises:
            FeedRefused: not a list of models.
        """
        del names
        ((url, body),) = payloads.items()
        rows = Rows(self.name, url, observed_at)
        best: dict[tuple[str, str], Score] = {}
        # A capture keeps the list under another name than the API does.
        key = "models" if b'"models"' in body[:2_000] and b'"data"' not in body[:2_000] else "data"
        for row in listed_rows(self.name, body, key):
            for score in _scores(rows, row, observed_at):
                known = best.get((score.model, score.index))
                if known is None or score.score > known.score:
                    best[score.model, score.index] = score
        rows.scores += best.values()
        return rows.reading({url: hashlib.sha256(body).hexdigest()})


def _scores(rows: Rows, row: object, observed_at: datetime) -> list[Score]:
    name = row.get("name") if isinstance(row, dict) else None
    metadata = row.get("metadata") if isinstance(row, dict) else None
    model = metadata.get("openrouter_api_id") if isinstance(metadata, dict) else None
    figures: Any = row.get("evaluations") if isinstance(row, dict) else None
    if not isinstance(model, str) or not valid_feed_id(model) or not isinstance(figures, dict):
        rows.refuse(name, "no_model_named")
        return []
    found = [
        Score(
            model=model.partition(":")[0],
            index=index,
            score=Decimal(figures[key]),
            as_of=observed_at.date(),
            source="artificial_analysis",
            source_url=ATTRIBUTION,
            note=f"measured as {name}" if isinstance(name, str) and name.isprintable() else "",
        )
        for key, index in INDEXES.items()
        if isinstance(figures.get(key), int | Decimal)
        and not isinstance(figures[key], bool)
        and 0 <= figures[key] <= 100  # noqa: PLR2004  # points
    ]
    if found:
        rows.scored()
    else:
        rows.refuse(name, "no_score")
    return found
