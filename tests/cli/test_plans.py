"""Plans on the command line: written from a file, all or none, and read back."""

from pathlib import Path

from tests.cli.test_commands import Planner, planner
from tests.cli.test_desk import desk

__all__ = ["desk", "planner"]

FILE = """
[[plan]]
id = "small"
name = "Small"
price_usd = "9.00"
margin = "0.70"

[[plan.task]]
id = "embed"
kind = "embedding"
workload = { input_tokens = 900, requests_per_period = 10 }
needs = { output_modalities = [] }

[[plan]]
id = "pro"
name = "Pro"
price_usd = "25.00"
"""


def test_a_file_of_plans_is_written_whole_or_not_at_all(desk: Planner, tmp_path: Path) -> None:
    """Two plans become versions; one mistake in the second writes neither; TOML errors name their line."""
    file = tmp_path / "plans.toml"
    file.write_text(FILE.replace('"25.00"', '"-1"'))
    wrong = desk("plans", "set", str(file), "--reason", "x")
    assert (wrong.code, "price_usd" in wrong.err) == (2, True)
    assert desk("plans", "show", "small").code == 2
    file.write_text(FILE)
    done = desk("plans", "set", str(file), "--reason", "new list")
    assert done.out.startswith("written: small v1, pro v2;")
    listed = {row["plan"]: row for row in desk("plans", "list", "--json").json}
    assert (listed["small"]["customer_budget_usd"], listed["pro"]["price"]) == ("2.7", "25")
    assert listed["small"]["tasks"][0]["task"] == "embed"
    for text in ("[[plan", "name = 1", '[[plan]]\nid = "x"\nnme = "X"\n'):
        file.write_text(text)
        assert desk("plans", "set", str(file), "--reason", "x").code == 2


def test_a_plan_is_shown_in_all_its_versions_and_removed(desk: Planner, tmp_path: Path) -> None:
    """What was written stands in a table and in JSON, also once the plan is gone."""
    file = tmp_path / "plans.toml"
    file.write_text(FILE)
    desk("plans", "set", str(file), "--reason", "new list")
    shown = desk("plans", "show", "small").out
    assert "small v1 by cli:" in shown
    assert "kind embedding" in shown
    assert [row["version"] for row in desk("plans", "show", "pro", "--versions", "--json").json] == [2, 1]
    assert "removed small" in desk("plans", "remove", "small", "--reason", "unsold").out
    assert desk("plans", "remove", "small", "--reason", "unsold").code == 2
    assert desk("plans", "show", "small", "--json").json["recorded_to"] is not None
    assert "small" not in {row["plan"] for row in desk("plans", "list", "--json").json}
