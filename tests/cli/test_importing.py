"""Files on the command line: what is said of them, and how they are rated again."""

from pathlib import Path

from tests.cli.test_commands import Planner, planner
from tests.cli.test_desk import desk

__all__ = ["desk", "planner"]

MAPPING = """
kind = "usage"
id = "id"
at = "at"

[counts]
input_tokens = "input"
requests = "n"

[constants]
offer = "self-hosted:gpus/nobody"
"""


def written(folder: Path, *rows: str) -> tuple[str, ...]:
    """Write a file and its mapping, and return how it is imported."""
    (folder / "log.toml").write_text(MAPPING)
    (folder / "log.csv").write_text("\n".join(("id,at,input,n", *rows)))
    return "import", str(folder / "log.csv"), "--mapping", str(folder / "log.toml"), "--source", "log"


def test_tokens_are_shown_where_no_requests_are_stated(desk: Planner, tmp_path: Path) -> None:
    """A provider's bucket counts tokens only."""
    done = desk(*written(tmp_path, "1,2026-08-10T12:00:00Z,300,0"))
    assert (done.code, "tokens     300 in, 0 out, 0 requests" in done.out) == (0, True)
    assert "unpriced   unknown_offer 1" in done.out


def test_a_bad_row_stops_a_dry_run_as_it_would_an_import(desk: Planner, tmp_path: Path) -> None:
    """It is named with its line, nothing is tried, and nothing is said of rows that were not."""
    done = desk(*written(tmp_path, "1,2026-08-10T12:00:00Z,many,1"), "--dry-run")
    assert (done.code, "None" in done.out, "line 2" in done.out) == (1, False, True)
    assert "--skip leaves such rows out" in " ".join(done.err.split())


def test_a_file_in_place_is_rated_again_while_it_lies_there(desk: Planner, tmp_path: Path) -> None:
    """Gone, it says so, and its number is no other's."""
    done = desk(*written(tmp_path, "1,2026-08-10T12:00:00Z,300,1"), "--in-place")
    assert "in place   the rows stay in their file" in done.out
    assert "1 rows rated again, nothing else than before" in desk("ledger", "rerate", "1").out
    (tmp_path / "log.csv").unlink()
    gone = desk("ledger", "rerate", "1")
    assert (gone.code, "not where it was" in gone.err) == (2, True)
    assert desk("ledger", "rerate", "9").code == 2


def test_costs_end_with_their_total_and_what_is_known_of_it(desk: Planner, tmp_path: Path) -> None:
    """Of what nobody can price the cost is no 0."""
    desk(*written(tmp_path, "1,2026-08-10T12:00:00Z,300,1"))
    span = ("--from", "2026-08-01", "--to", "2026-09-01")
    done = desk("report", "costs", *span, "--by", "task", "--cost-basis", "rated")
    assert (done.code, "total" in done.out) == (0, True)
    assert "coverage   0.0000 of tokens, 0.0000 of rows" in done.out
    assert "unpriced   1 rows with 300 tokens" in done.out
