"""The audit trail on the command line: exported, and verified from the file alone."""

from pathlib import Path

import pytest

from tests.cli.test_commands import Planner, planner

__all__ = ["planner"]


@pytest.fixture
def set_up(planner: Planner) -> Planner:
    """A database with a few entries."""
    planner("db", "upgrade", "--no-bundle")
    planner("webhooks", "add", "https://alerts.example.com/x", "--reason", "=on call")
    planner("webhooks", "disable", "1")
    return planner


def test_an_export_is_verified_without_a_database(
    set_up: Planner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same end as the database's; an altered file exits 1, one that cannot be read exits 2."""
    file = tmp_path / "audit.jsonl"
    assert set_up("audit", "export", "--output", str(file)).out == f"wrote {file}\n"
    whole = set_up("audit", "verify", "--json").json
    monkeypatch.setenv("PLANNER_DATABASE_URL", "postgresql://planner@127.0.0.1:1/planner")
    assert set_up("audit", "verify", "--file", str(file), "--json").json == whole
    file.write_text(file.read_text("utf-8").replace("=on call", "=off duty"), "utf-8")
    assert set_up("audit", "verify", "--file", str(file)).code == 1
    assert set_up("audit", "verify", "--file", str(tmp_path / "none")).code == 2
    file.write_text("no\n", "utf-8")
    assert set_up("audit", "verify", "--file", str(file)).code == 2


def test_an_export_for_a_spreadsheet_is_filtered_and_safe(set_up: Planner, tmp_path: Path) -> None:
    """Only what was asked for, and a reason is no formula; a reason nobody gave is said to be none."""
    file = tmp_path / "audit.csv"
    said = set_up("audit", "export", "--output", str(file), "--format", "csv", "--action", "webhook.add", "--json")
    assert said.json == {"file": str(file), "format": "csv"}
    (line,) = file.read_text("utf-8").splitlines()[1:]
    assert "'=on call" in line
    assert set_up("audit", "list", "--json").json[0]["reason"] == "no reason was given"


def test_an_export_is_there_whole_or_not_at_all(set_up: Planner, tmp_path: Path) -> None:
    """Nowhere to write, or a format or moment nobody knows: exit 2, and no file is left behind."""
    file = tmp_path / "audit.jsonl"
    for words in (("--format", "xml"), ("--since", "yesterday")):
        assert set_up("audit", "export", "--output", str(file), *words).code == 2
    assert set_up("audit", "export", "--output", str(tmp_path / "no" / "audit.jsonl")).code == 2
    assert not list(tmp_path.glob("audit*"))
