"""Rating a file where it lies, on the command line."""

import json
from pathlib import Path

from tests.cli.test_commands import Planner, planner
from tests.cli.test_desk import desk

__all__ = ["desk", "planner"]

MAPPING = """
kind = "usage"
id = "row"
at = "TIMESTAMP"
at_zone = "UTC"
at_shift_days = 1096
cache_stated = true

[counts]
input_tokens = "ContextTokens"
output_tokens = "GeneratedTokens"

[constants]
offer = "direct:openai/gpt-5.4"
"""


def trace(folder: Path, *rows: str) -> tuple[str, ...]:
    """Write a trace and its mapping, and return how it is rated."""
    (folder / "trace.toml").write_text(MAPPING)
    (folder / "trace.csv").write_text("\n".join(("TIMESTAMP,ContextTokens,GeneratedTokens", *rows)))
    return "ledger", "rate", str(folder / "trace.csv"), "--mapping", str(folder / "trace.toml")


def test_a_table_of_sums_ends_with_the_total(desk: Planner, tmp_path: Path) -> None:
    """At $2.50 and $15 a million: 7,988 tokens in and 18 out."""
    lines = "2023-11-16 18:17:03.9799600,4808,10", "2023-11-16 18:17:04.0319600,3180,8"
    done = desk(*trace(tmp_path, *lines), "--by", "model,day")
    assert done.code == 0
    assert "openai/gpt-5.4  2026-11-16" in done.out
    assert "0.02024" in done.out
    assert "rated 2; nothing was booked: planner import --in-place does that" in done.out
    written = tmp_path / "sums.csv"
    assert desk(*trace(tmp_path, *lines), "--by", "model", "-o", str(written)).code == 0
    assert written.read_text().splitlines()[1].startswith("openai/gpt-5.4,2,2,7988,18,0.02024,")
    found = json.loads(desk(*trace(tmp_path, *lines), "--json").out)
    assert (found["total"]["cost_usd"], found["by"]) == ("0.02024", ["offer", "price_version"])


def test_a_bad_row_stops_it(desk: Planner, tmp_path: Path) -> None:
    """It is named, and nothing is shown of the others unless such rows are left out."""
    asked = trace(tmp_path, "2023-11-16 18:17:03,many,10", "2023-11-16 18:17:04,3180,8")
    done = desk(*asked)
    assert (done.code, "line 2" in done.out) == (1, True)
    assert "--skip leaves such rows out" in " ".join(done.err.split())
    assert desk(*asked, "--skip").code == 0


def test_what_cannot_be_asked_is_said(desk: Planner, tmp_path: Path) -> None:
    """A file that is not there, a head that is none, an output of another kind."""
    asked = trace(tmp_path, "2023-11-16 18:17:03,1,10")
    assert desk("ledger", "rate", str(tmp_path / "none.csv")).code == 2
    assert desk(*asked, "--by", "week").code == 2
    assert desk(*asked, "-o", str(tmp_path / "sums.xlsx")).code == 2
