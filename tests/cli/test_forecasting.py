"""The forecast of a month on the command line."""

from datetime import timedelta

import pytest

from planner.cli import forecasting
from planner.store.engine import Store, open_store
from tests.cli.test_commands import Planner, planner
from tests.cli.test_desk import desk
from tests.ledger_books import DAY, NOON, event, take

__all__ = ["desk", "planner"]


def test_the_forecast_is_printed(desk: Planner, installed_copy: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line a plan and the total, what has to be known, and how it was made; the same as JSON."""
    monkeypatch.setattr(forecasting, "now", lambda: NOON)
    store = open_store(installed_copy.url)
    counts = {"input_tokens": 100_000, "output_tokens": 20_000}
    at = NOON - timedelta(hours=1)
    for plan, days in (("pro", 40), ("free", 2)):
        rows = (
            event(f"{plan}{n}", at - n * DAY, offer="direct:openai/gpt-5.4", plan=plan, **counts) for n in range(days)
        )
        take(store, *rows)
    store.close()
    said = desk("report", "forecast")
    assert said.code == 0
    lines = [line.split() for line in said.out.splitlines()]
    (pro,) = (line for line in lines if line[:1] == ["pro"])
    (free,) = (line for line in lines if line[:1] == ["free"])
    assert pro[1:6] == ["13.2", "16.775", "16.775", "to", "16.775"]
    assert free[1] == "1.1"
    assert "note       free: 1 whole day of history: nothing is forecast before 3" in said.out
    assert "method     each day left" in said.out
    found = desk("report", "forecast", "--month", "2026-11", "--by", "plan", "--json").json
    assert [row["booked"]["cost_usd"] for row in found["rows"]] == ["1.1", "13.2"]
    assert found["rows"][0]["expected_cost_usd"] is None
    over = desk("report", "forecast", "--month", "2026-10", "--tz", "Asia/Kolkata")
    assert "the month is over" in over.out
    assert "method" not in over.out
    assert desk("report", "forecast", "--month", "2026-12").code == 2
