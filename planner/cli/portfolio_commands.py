"""The command that optimises all plans together."""

from typing import Annotated

import typer

from planner.cli.commands import Json
from planner.cli.question_options import At, drop_absent


def add_to(cli: typer.Typer) -> None:
    """Add the command to the command line."""
    cli.command("portfolio")(portfolio)


def portfolio(
    plan: Annotated[
        list[str] | None, typer.Option(help="Only this stored plan; may be repeated. Without: all with subscribers.")
    ] = None,
    subscribers: Annotated[
        list[str] | None, typer.Option(help="PLAN=COUNT instead of what is stored; may be repeated.")
    ] = None,
    margin: Annotated[
        list[str] | None, typer.Option(help="PLAN=RATIO instead of what is stored, such as pro=0.60; may be repeated.")
    ] = None,
    free_burn_usd: Annotated[str | None, typer.Option(help="What all free plans may cost, USD a month.")] = None,
    provider_share: Annotated[str | None, typer.Option(help="Largest share of one provider, such as 0.6.")] = None,
    share_by: Annotated[str, typer.Option(help="requests or spend: what shares are counted in.")] = "requests",
    monotone: Annotated[
        bool, typer.Option("--monotone", help="Of the same task a dearer plan gets no worse quality.")
    ] = False,
    fallback: Annotated[bool, typer.Option("--fallback/--no-fallback", help="A fallback at another provider.")] = True,
    fallback_drop: Annotated[str, typer.Option(help="Points a fallback may be worse than its primary.")] = "10",
    quality_index: Annotated[str | None, typer.Option(help="Index whose scores count as quality.")] = None,
    at: At = None,
    seconds: Annotated[int, typer.Option(min=1, max=30, help="Time limit in seconds.")] = 10,
    explain: Annotated[bool, typer.Option("--explain/--no-explain", help="Say what each rule costs.")] = True,
    as_json: Json = False,
) -> None:
    """Assign every task of every plan an offer: the best quality the margins allow, and of that the cheapest."""
    from planner.cli import optimising

    body = drop_absent(
        plans=plan, free_burn_usd_per_period=free_burn_usd, provider_share_max=provider_share, share_by=share_by,
        monotone=monotone, fallback=fallback, fallback_quality_drop_max=fallback_drop,
        quality_index=quality_index, at=at, time_limit_seconds=seconds,
        explain=explain,
    )  # fmt: skip
    optimising.portfolio(body, subscribers or [], margin or [], as_json=as_json)
