"""The command that compares the ways to a model, and its options; added to the command line by `planner.cli.main`."""

from typing import Annotated

import typer

from planner.cli.commands import Json


def add_to(cli: typer.Typer) -> None:
    """Add the command to the command line."""
    cli.command("paths")(paths)


def paths(
    plan: Annotated[str | None, typer.Option(help="A stored plan; needs --task.")] = None,
    task: Annotated[str | None, typer.Option(help="A task of the plan.")] = None,
    stage: Annotated[str | None, typer.Option(help="prototype, internal or production; the task's by default.")] = None,
    customers: Annotated[int | None, typer.Option(min=1, help="Customers; the plan's subscribers by default.")] = None,
    gateway_usd_per_month: Annotated[
        str | None, typer.Option(help="What a gateway of your own costs to run, USD per month.")
    ] = None,
    gateway_overhead_ms: Annotated[
        int | None, typer.Option(min=0, help="What it adds to a request, ms; LiteLLM's published median by default.")
    ] = None,
    input_tokens: Annotated[
        int | None, typer.Option(min=0, help="Prompt tokens per request, cached ones included.")
    ] = None,
    output_tokens: Annotated[int | None, typer.Option(min=0, help="Completion tokens per request.")] = None,
    requests: Annotated[int, typer.Option(min=0, help="Requests per customer and period.")] = 1,
    policy: Annotated[str | None, typer.Option(help="Privacy policy by name.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="Only this canonical model; may be repeated.")] = None,
    objective: Annotated[str | None, typer.Option(help="cheapest, best_quality, fastest or balanced.")] = None,
    at: Annotated[str | None, typer.Option(help="Moment whose prices hold, RFC 3339 with offset.")] = None,
    known_at: Annotated[str | None, typer.Option(help="Answer with what was on record then.")] = None,
    as_json: Json = False,
) -> None:
    """Compare direct, brokers and a gateway of your own for one workload, and say which way to take."""
    from planner.cli import asking
    from planner.cli import paths as work

    body = asking.drop_absent(
        plan=plan, task=task, stage=stage, customers=customers, gateway_usd_per_month=gateway_usd_per_month,
        gateway_overhead_ms=gateway_overhead_ms, policy=policy, objective=objective, at=at, known_at=known_at,
    )  # fmt: skip
    counts = asking.drop_absent(input_tokens=input_tokens, output_tokens=output_tokens)
    if counts:
        body["workload"] = {**counts, "requests_per_period": requests}
    if model:
        body["needs"] = {"models": model}
    work.paths(body, as_json=as_json)
