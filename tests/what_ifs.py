"""What-ifs asked of small books, and their terms held against both sides."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from planner.core.scenario import Caching, Scenario
from planner.flows.supposing import Question
from planner.flows.what_if import what_if
from planner.store.engine import Store

MONTH: dict[str, Any] = {"since": date(2026, 9, 1), "until": date(2026, 10, 1)}
HALF = Scenario(caches=(Caching(hit_share=Fraction(1, 2)),))


def asked(store: Store, scenario: Scenario | None = None, **more: Any) -> dict[str, Any]:
    """Ask about August to the end of the year."""
    words = {"since": date(2026, 8, 1), "until": date(2027, 1, 1), "scenario": scenario or Scenario(), **more}
    with store.read() as connection:
        return what_if(connection, Question(**words))


def terms(found: dict[str, Any]) -> dict[str, str]:
    """Return the terms by their names, and hold their sum against both sides."""
    told = {one["term"]: one["usd"] for one in found["terms"]}
    before, after = (Decimal(found[side]["token_cost_usd"]) for side in ("before", "after"))
    assert sum(map(Decimal, told.values())) == after - before == Decimal(found["difference_usd"])
    return told
