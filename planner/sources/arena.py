"""The text arena's leaderboard, as mirrored: ratings by people's votes; scores only, names by curated aliases."""

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from planner.core.claim import Reading, Score
from planner.core.errors import FeedRefused
from planner.core.names import ProviderNames
from planner.sources.feed import Known, Payload, Progress
from planner.sources.fetch import fetch_one
from planner.sources.reading import Rows, document

PATH = "/text.json"
INDEX = "arena_text"
SOURCE_URL = "https://arena.ai/leaderboard/text"
# Ratings of the last years lie between 900 and 1,600; what is far outside is another list.
RATING_MIN, RATING_MAX = 500, 2_500


class Arena:
    """A mirror of the leaderboard; the site itself has no API, so the address is that of the mirror you choose."""

    name = "arena"
    file_url = SOURCE_URL

    async def fetch(self, base_url: str, known: Mapping[str, Known], progress: Progress) -> tuple[Payload, ...]:
        """Fetch the one list."""
        return (await fetch_one(self.name, f"{base_url}{PATH}", known, progress),)

    def parse(self, payloads: Mapping[str, bytes], names: ProviderNames, observed_at: datetime) -> Reading:
        """Read scores of the models whose names are settled; the others are counted as pending.

        Raises:
            FeedRefused: not a leaderboard.
        """
        ((url, body),) = payloads.items()
        board = document(self.name, body)
        listed = board.get("models") if isinstance(board, dict) else None
        if not isinstance(listed, list):
            raise FeedRefused(self.name, "not_expected", "a leaderboard with models was expected")
        rows = Rows(self.name, url, observed_at)
        day = _day(board.get("meta"), observed_at.date())
        best: dict[str, Score] = {}
        for row in listed:
            score = _take(rows, row, names, day)
            # Of several listed variants of one model the best counts, and its name is noted.
            if score is not None and (score.model not in best or score.score > best[score.model].score):
                best[score.model] = score
        rows.scores += best.values()
        return rows.reading({url: hashlib.sha256(body).hexdigest()})


def _take(rows: Rows, row: object, names: ProviderNames, day: date) -> Score | None:
    name = row.get("model") if isinstance(row, dict) else None
    figure: Any = row.get("score") if isinstance(row, dict) else None
    if not isinstance(name, str) or isinstance(figure, bool) or not isinstance(figure, int | Decimal):
        rows.refuse(name, "not_expected")
        return None
    model = names.models.get(name)
    if model is None or not RATING_MIN <= figure <= RATING_MAX:
        rows.refuse(name, "pending_name" if model is None else "unreadable_score")
        return None
    rows.scored()
    return Score(
        model=model,
        index=INDEX,
        score=Decimal(figure),
        as_of=day,
        source="arena",
        source_url=SOURCE_URL,
        note=f"listed as {name}",
    )


def _day(meta: object, today: date) -> date:
    """Return the day of the list: as it says, where it says one that has been, else today."""
    for key in ("last_updated", "fetched_at"):
        stated = meta.get(key) if isinstance(meta, dict) else None
        try:
            day = date.fromisoformat(str(stated)[:10])
        except ValueError:
            continue
        if day <= today:
            return day
    return today
