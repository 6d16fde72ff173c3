"""What customers use of their plans, on the command line."""

import json

import pytest

from tests.cli.test_commands import Planner, planner
from tests.cli.test_desk import desk

__all__ = ["desk", "planner"]

SPAN = ("--from", "2026-09-01", "--to", "2026-10-01")


@pytest.fixture(autouse=True)
def sold(desk: Planner) -> None:
    """A customer of the plan `pro` who used nothing yet."""
    assert desk("customers", "set", "cust_42", "--reason", "new").code == 0
    assigned = desk("customers", "assign", "cust_42", "pro", "--from", "2026-08-01T00:00:00Z", "--reason", "bought")
    assert assigned.code == 0


def test_a_distribution_is_a_table_of_tokens_and_dollars(desk: Planner) -> None:
    """One customer of one whole month, who used nothing; its budget and its period stand below."""
    done = desk("report", "distribution", "pro", *SPAN)
    assert done.code == 0
    assert "use of pro by 1 customers and periods" in done.out
    assert "budget     4.12 USD per customer, passed by 0.0000 of them" in done.out
    assert "2026-09    1 customers, 0 for a part of it, 0 strangers" in done.out
    found = json.loads(desk("report", "distribution", "pro", *SPAN, "--json").out)
    assert (found["tokens"]["p99"], found["tokens"]["gini"]) == (0, None)
    assert desk("report", "distribution", "none", *SPAN).code == 2


def test_headroom_is_a_line_for_each_plan(desk: Planner) -> None:
    """All of the budget is left."""
    done = desk("customers", "headroom", "cust_42")
    assert (done.code, "pro" in done.out, "4.12" in done.out, "ledger" in done.out) == (0, True, True, True)
    (item,) = json.loads(desk("customers", "headroom", "cust_42", "--json").out)["items"]
    assert (item["left_usd"], item["share_used"]) == ("4.12", "0.0000")


def test_a_quota_of_what_nobody_used_is_refused(desk: Planner) -> None:
    """There is nothing to measure."""
    assert desk("quota", "pro", "chat", *SPAN).code == 2
