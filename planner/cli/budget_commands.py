"""Commands about budgets: what the tokens of a plan may cost in a month."""

from typing import Annotated

import typer

from planner.cli.commands import Json, Reason
from planner.core.budget import ALL_PLANS

budgets = typer.Typer(help="What tokens may cost in a month, by plan, and what is gone of it.", no_args_is_help=True)

Plan = Annotated[str, typer.Argument(help=f"The plan's id; {ALL_PLANS} is all plans together.")]
Month = Annotated[str | None, typer.Option("--from-month", help="A month such as 2026-12; the running one by default.")]


def add_to(cli: typer.Typer) -> None:
    """Add this group of commands to the command line."""
    cli.add_typer(budgets, name="budgets")


@budgets.command("list")
def budgets_list(as_json: Json = False) -> None:
    """List budgets, with what is spent this month and which thresholds were told."""
    from planner.cli import budgeting

    budgeting.list_budgets(as_json=as_json)


@budgets.command("set")
def budgets_set(
    plan: Plan,
    amount_usd: Annotated[str, typer.Argument(help="USD per month of UTC.")],
    reason: Reason,
    from_month: Month = None,
    threshold: Annotated[
        list[int] | None, typer.Option(help="Percent to tell of, 50, 80 and 100 by default; may be repeated.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Set the budget of a plan from a month on, until another one begins."""
    from planner.cli import budgeting

    budgeting.set_budget(plan, amount_usd, from_month, threshold, reason, as_json=as_json)


@budgets.command("end")
def budgets_end(plan: Plan, reason: Reason, from_month: Month = None, as_json: Json = False) -> None:
    """Let a plan have no budget from a month on."""
    from planner.cli import budgeting

    budgeting.end_budget(plan, from_month, reason, as_json=as_json)


@budgets.command("check")
def budgets_check(as_json: Json = False) -> None:
    """Tell of thresholds that are reached now, as the worker does every hour."""
    from planner.cli import budgeting

    budgeting.check(as_json=as_json)
