"""Commands about plans: what customers buy, what its tasks send, and what was written before."""

from pathlib import Path
from typing import Annotated

import typer

from planner.cli.commands import Json, Reason

plans = typer.Typer(help="Plans and their tasks.", no_args_is_help=True)

Plan = Annotated[str, typer.Argument(help="The plan's id.")]


def add_to(cli: typer.Typer) -> None:
    """Add this group of commands to the command line."""
    cli.add_typer(plans, name="plans")


@plans.command("list")
def plans_list(as_json: Json = False) -> None:
    """List plans with their price, their budget for tokens and their tasks."""
    from planner.cli import planning

    planning.list_plans(as_json=as_json)


@plans.command("show")
def plans_show(
    plan: Plan,
    versions: Annotated[bool, typer.Option("--versions", help="Every version, newest first.")] = False,
    as_json: Json = False,
) -> None:
    """Show a plan as it was written."""
    from planner.cli import planning

    planning.show_plan(plan, versions=versions, as_json=as_json)


@plans.command("set")
def plans_set(
    file: Annotated[Path, typer.Argument(help="TOML with plans, as in seeds/plans.toml.")],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Write the plans of a file, all or none; their policies stay (`planner policies assign`)."""
    from planner.cli import planning

    planning.set_plans(file, reason, as_json=as_json)


@plans.command("remove")
def plans_remove(plan: Plan, reason: Reason, as_json: Json = False) -> None:
    """Take a plan away; its versions can still be read."""
    from planner.cli import planning

    planning.remove_plan(plan, reason, as_json=as_json)
