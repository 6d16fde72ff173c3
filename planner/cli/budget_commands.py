"""Commands about budgets: what the tokens of a plan may cost in a month, and what is spent of it."""

from typing import Annotated

import typer

from planner.cli.commands import Json, Reason
from planner.core.budget import ALL_PLANS, THRESHOLDS_PERCENT

budgets = typer.Typer(invoke_without_command=True)

Month = Annotated[
    str | None, typer.Option("--from", help="A month of UTC such as 2026-12; the running one by default.")
]
AllPlans = Annotated[bool, typer.Option("--all", help="All plans together, with the use of no plan, instead of one.")]


def add_to(cli: typer.Typer) -> None:
    """Add this group of commands to the command line."""
    cli.add_typer(budgets, name="budgets")


def _plan(all_plans: bool, words: list[str], count: int, wanted: str) -> str:
    """Return whose budget is meant, where a plan takes ``count`` words and all plans one less."""
    if len(words) != count - all_plans:
        raise typer.BadParameter(f"{wanted}, or --all without a plan, is needed")
    return ALL_PLANS if all_plans else words[0]


@budgets.callback()
def budgets_list(context: typer.Context, as_json: Json = False) -> None:
    """What tokens may cost in a month, by plan, what is spent of it, and which thresholds were told."""
    if context.invoked_subcommand is not None:
        return
    from planner.cli import budgeting

    budgeting.list_budgets(as_json=as_json)


@budgets.command("set")
def budgets_set(
    words: Annotated[
        list[str], typer.Argument(metavar="[PLAN] AMOUNT_USD", help="The plan's id, and USD per month of UTC.")
    ],
    reason: Reason,
    all_plans: AllPlans = False,
    from_month: Month = None,
    at: Annotated[
        str, typer.Option(metavar="PERCENTS", help="Thresholds to tell of, in percent of the amount.")
    ] = ",".join(map(str, THRESHOLDS_PERCENT)),
    as_json: Json = False,
) -> None:
    """Set the budget of a plan from a month on, until another one begins."""
    from planner.cli import budgeting

    plan = _plan(all_plans, words, 2, "a plan and an amount in USD")
    budgeting.set_budget(plan, words[-1], from_month, at, reason, as_json=as_json)


@budgets.command("end")
def budgets_end(
    reason: Reason,
    words: Annotated[list[str] | None, typer.Argument(metavar="[PLAN]", help="The plan's id.")] = None,
    all_plans: AllPlans = False,
    from_month: Month = None,
    as_json: Json = False,
) -> None:
    """Let a plan have no budget from a month on; of months that are over it stays on record."""
    from planner.cli import budgeting

    budgeting.end_budget(_plan(all_plans, words or [], 1, "a plan"), from_month, reason, as_json=as_json)
