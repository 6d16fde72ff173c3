"""Budgets on the command line, in the words of the API."""

from typing import Any

from planner.api.body import checked
from planner.api.budgets import BudgetEndIn, BudgetIn
from planner.cli import show
from planner.cli.administering import actor
from planner.cli.desk import LEFT, RIGHT
from planner.cli.opened import now, read_settings, store_of
from planner.flows import budget
from planner.flows.second import By


def list_budgets(*, as_json: bool) -> None:
    """Print budgets, with what is spent this month."""
    with store_of(read_settings()).read() as connection:
        document = budget.listed(connection, now())
    if as_json:
        show.json_out(document)
        return
    names = ("amount_usd", "spent_usd", "share", "coverage", "told_percent")
    columns = [("plan", LEFT), *((name, RIGHT) for name in names), ("later", LEFT)]
    show.table(
        f"budgets of {document['month']}, tokens in USD",
        columns,
        [
            [item["plan"] or "all plans", *(_cell(item[name]) for name in names), ", ".join(map(_later, item["later"]))]
            for item in document["items"]
        ],
    )


def _cell(value: object) -> object:
    return " ".join(map(str, value)) if isinstance(value, list) else value


def _later(terms: dict[str, Any]) -> str:
    return f"{terms['from_month']}: {terms['amount_usd'] or 'none'}"


def set_budget(
    plan: str, amount_usd: str, from_month: str | None, thresholds: list[int] | None, reason: str, *, as_json: bool
) -> None:
    """Set a budget."""
    sent = {"amount_usd": amount_usd, "from_month": from_month, "reason": reason}
    body = checked(BudgetIn, {**sent, **({"thresholds_percent": thresholds} if thresholds else {})})
    by, percents = By(actor=actor(), at=now(), reason=reason), body.thresholds_percent
    done = store_of(read_settings()).tell(
        lambda connection: budget.put(connection, plan, body.from_month, body.amount_usd, percents, by)
    )
    if as_json:
        show.json_out(done)
    elif done["changed"]:
        show.line(f"{plan}: {done['amount_usd']} USD a month from {done['from_month']} on")
    else:
        show.line(f"{plan}: it is {done['amount_usd']} USD a month already")


def end_budget(plan: str, from_month: str | None, reason: str, *, as_json: bool) -> None:
    """End a budget."""
    body = checked(BudgetEndIn, {"from_month": from_month, "reason": reason})
    by = By(actor=actor(), at=now(), reason=reason)
    done = store_of(read_settings()).tell(lambda connection: budget.end(connection, plan, body.from_month, by))
    show.json_out(done) if as_json else show.line(f"{plan}: no budget from {done['ended_from_month']} on")


def check(*, as_json: bool) -> None:
    """Tell of what is reached now."""
    present = now()
    count = store_of(read_settings()).tell(lambda connection: budget.check(connection, present))
    show.json_out({"alerts": count}) if as_json else show.line(f"{count} alerts; see planner alerts list")
