"""Budgets on the command line, in the words of the API."""

from collections.abc import Sequence
from typing import Any

from planner.api.body import checked
from planner.api.budgets import BudgetEndIn, BudgetIn
from planner.cli import show
from planner.cli.administering import actor
from planner.cli.desk import LEFT, RIGHT
from planner.cli.governing import read
from planner.cli.opened import now, read_settings, store_of
from planner.core.budget import ALL_PLANS
from planner.core.errors import InvalidInput
from planner.flows import budget
from planner.flows.second import By

_COLUMNS = [("plan", LEFT)] + [
    (name, RIGHT) for name in ("budget USD", "spent USD", "left USD", "share", "told at %", "expected USD", "coverage")
]


def list_budgets(*, as_json: bool) -> None:
    """Print budgets, with what is spent this month."""
    present = now()
    document = read(lambda connection: budget.listed(connection, present))
    if as_json:
        show.json_out(document)
        return
    items = document["items"]
    held = [item for item in items if item["amount_usd"] is not None]
    show.table(f"budgets of {document['month']} (UTC), token cost as booked", _COLUMNS, [_cells(item) for item in held])
    notes = [
        f"note       {_name(item['plan'])}: it is at least that: {item['bounds']}" for item in held if item["bounds"]
    ]
    for item in items:
        notes += [f"later      {_name(item['plan'])}: {_amount(terms)}" for terms in item["later"]]
    if document["pending_work"]:
        notes.append(f"waiting    {document['pending_work']} pieces of work: planner ledger catch-up")
    for text in ["", *notes] if notes else ():
        show.line(text)


def _cells(item: dict[str, Any]) -> Sequence[object]:
    told = ", ".join(map(str, item["told_percent"]))
    return [
        _name(item["plan"]), item["amount_usd"], item["spent_usd"], item["left_usd"], item["share"], told,
        item["expected_usd"], item["coverage"],
    ]  # fmt: skip


def _name(plan: str | None) -> str:
    return "all plans" if plan is None or plan == ALL_PLANS else plan


def _amount(terms: dict[str, Any]) -> str:
    if terms["amount_usd"] is None:
        return f"no budget from {terms['from_month']} on"
    percents = ", ".join(map(str, terms["thresholds_percent"]))
    return f"{terms['amount_usd']} USD a month from {terms['from_month']} on, told at {percents} %"


def set_budget(plan: str, amount_usd: str, from_month: str | None, at: str, reason: str, *, as_json: bool) -> None:
    """Set a budget.

    Raises:
        InvalidInput: thresholds that are no whole numbers, or whatever the API refuses.
    """
    percents = at.split(",")
    if not all(percent.isascii() and percent.isdigit() for percent in percents):
        raise InvalidInput("at", "whole percents separated by commas are needed, such as 50,80,100")
    sent = {
        "amount_usd": amount_usd, "from_month": from_month, "reason": reason,
        "thresholds_percent": [int(percent) for percent in percents],
    }  # fmt: skip
    body, by = checked(BudgetIn, sent), By(actor=actor(), at=now(), reason=reason)
    done = store_of(read_settings()).tell(
        lambda connection: budget.set_budget(
            connection, plan, body.from_month, body.amount_usd, body.thresholds_percent, by
        )
    )
    if as_json:
        show.json_out(done)
        return
    show.line(f"{_name(plan)}: {_amount(done)}{'' if done['changed'] else '; nothing to change'}")


def end_budget(plan: str, from_month: str | None, reason: str, *, as_json: bool) -> None:
    """End a budget."""
    body = checked(BudgetEndIn, {"from_month": from_month, "reason": reason})
    by = By(actor=actor(), at=now(), reason=reason)
    done = store_of(read_settings()).tell(
        lambda connection: budget.end_budget(connection, plan, body.from_month, by)
    )  # fmt: skip
    if as_json:
        show.json_out(done)
    else:
        show.line(f"{_name(plan)}: no budget from {done['ended_from_month']} on")
