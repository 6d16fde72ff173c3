"""Small real payloads of each feed, and the claims each must give: ``python -m tests.sources.golden`` writes them anew.

The payloads in ``tests/golden`` are rows of recorded feeds, without their prose, or rows in their shapes. Read the
difference before you commit it: every line of it is a price that changed.
"""

import json
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from planner.core.claim import Reading
from planner.core.claim_form import write_claim
from planner.core.names import ProviderNames
from planner.flows.seeds import curated_rows
from planner.places import seeds_dir
from planner.sources import ADAPTERS
from planner.sources.feed import Source
from planner.sources.mapping import Mapped, read_layout

FOLDER = Path(__file__).parent.parent / "golden"
OBSERVED = datetime(2026, 11, 24, tzinfo=UTC)
# Where the rows of a document stand: the keys down to them, `*` for each.
ROWS = {
    "openrouter": ("models", "*"),
    "litellm": ("*",),
    "models_dev": ("*", "models", "*"),
    "genai_prices": ("*", "models", "*"),
    "requesty": ("data", "*"),
    "huggingface": ("data", "*", "providers", "*"),
    "vercel": ("data", "*", "endpoints", "*"),
    "deepinfra": ("*",),
    "cerebras": ("data", "*"),
    "portkey": ("*",),
    "artificial_analysis": ("data", "*"),
    "arena": ("models", "*"),
    "mapped": ("data", "*"),
}


@cache
def adapter(source: str) -> Source:
    """Return a feed's adapter; ``mapped`` is a list that is read by a mapping file."""
    return Mapped(read_layout(FOLDER / "mapped.toml")) if source == "mapped" else ADAPTERS[source]


@cache
def names(source: str) -> ProviderNames:
    """Return the curated spellings of a feed, as an installed planner has them."""
    curated = curated_rows(seeds_dir())
    kinds = {row["id"]: row["kind"] for row in curated["providers"]}
    rows = [row for row in curated["provider_spellings"] if row["feed"] == source]
    own = [row for row in rows if row["channel_id"] in ("direct", row["provider_id"])]
    return ProviderNames(
        {row["spelling"]: row["provider_id"] for row in own if kinds[row["provider_id"]] != "broker"},
        {row["spelling"]: row["provider_id"] for row in own if kinds[row["provider_id"]] == "broker"},
        {row["spelling"]: (row["channel_id"], row["provider_id"]) for row in rows if row not in own},
        frozenset(kinds),
        {row["spelling"]: row["model_id"] for row in curated["aliases"] if row["namespace"] == source},
    )


def payload(source: str) -> bytes:
    """Return the payload of a feed."""
    return (FOLDER / f"{source}.json").read_bytes()


def parse(source: str, body: bytes) -> Reading:
    """Read one payload with its adapter."""
    return adapter(source).parse({adapter(source).file_url: body}, names(source), OBSERVED)


def written(reading: Reading) -> dict[str, Any]:
    """Write a reading down: its claims by offer, and what was not taken."""
    return {
        "rows_read": reading.rows_read,
        "merged": reading.merged,
        "refused": {row.row: row.code for row in reading.refused},
        "notes": dict(sorted(reading.notes.items())),
        "claims": {claim.offer_id: write_claim(claim) for claim in reading.claims},
        "scores": {f"{score.model} {score.index}": str(score.score) for score in reading.scores},
    }


def text(source: str) -> str:
    """Return what a feed's payload gives, as the text that is kept beside it."""
    return json.dumps(written(parse(source, payload(source))), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main() -> None:
    """Write the expected claims of every payload, or print them all (``--print``)."""
    for source in ROWS:
        if sys.argv[1:] == ["--print"]:
            sys.stdout.write(text(source))
        else:
            (FOLDER / f"{source}.claims.json").write_text(text(source), encoding="utf-8")


if __name__ == "__main__":
    main()
