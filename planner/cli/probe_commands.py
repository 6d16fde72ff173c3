"""Commands that test offers in one's own flow, and their options."""

from pathlib import Path
from typing import Annotated

import typer

from planner.cli.commands import Json, Limit, Reason

probe = typer.Typer(invoke_without_command=True)


def add_to(cli: typer.Typer) -> None:
    """Add these commands to the command line."""
    cli.add_typer(probe, name="probe")


@probe.callback()
def run(  # one option per part of a run
    context: typer.Context,
    plan: Annotated[str | None, typer.Option(help="The stored plan whose task is tested.")] = None,
    task: Annotated[
        str | None, typer.Option(help="The task: its size, and its policies with those of the plan.")
    ] = None,
    offer: Annotated[
        list[str] | None, typer.Option(help="Exact id of an offer; may be repeated. By default the answer's chain.")
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(
            help='Your own prompts, a line of JSON each: {"messages": […]} or {"prompt": "…"}; else generated.'
        ),
    ] = None,
    attempts: Annotated[int, typer.Option(min=1, max=10_000, help="Requests per offer.")] = 5,
    spend_cap_usd: Annotated[
        str, typer.Option(help="No request is begun whose worst case could take the run above this, USD.")
    ] = "1.00",
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Requests at a time.")] = 1,
    any_offer: Annotated[
        bool, typer.Option("--any-offer", help="Also offers the policy refuses, with generated prompts only.")
    ] = False,
    base_url: Annotated[str | None, typer.Option(help="Another API for all offers, such as your gateway's.")] = None,
    key_env: Annotated[str | None, typer.Option(help="The environment variable that holds its key.")] = None,
    reason: Reason = "tested in our own flow",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent and cost; send nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Send a task's prompts to offers with your own keys, measure them, and compare that with what feeds claim."""
    if context.invoked_subcommand is not None:
        return
    from planner.cli import probing

    probing.run(
        probing.Asked(
            plan=plan, task=task, offers=tuple(offer or ()), prompts=prompts, attempts=attempts,
            cap=spend_cap_usd, concurrency=concurrency, any_offer=any_offer, base_url=base_url, key_env=key_env,
            reason=reason, dry_run=dry_run,
        ),
        as_json=as_json,
    )  # fmt: skip


@probe.command("list")
def probe_list(
    offer: Annotated[str | None, typer.Option(help="Only of this offer.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List what was measured, newest first, with what is off its claim."""
    from planner.cli import probing

    probing.list_measurements(offer, limit, as_json=as_json)
