"""The command that compares the ways to a model, and its options; added to the command line by `planner.cli.main`."""

from typing import Annotated

import typer

from planner.cli.commands import Json
from planner.cli.question_options import (
    At,
    InputTokens,
    KnownAt,
    Models,
    Objective,
    OutputTokens,
    Plan,
    Policy,
    Requests,
    Task,
    question_body,
)


def add_to(cli: typer.Typer) -> None:
    """Add the command to the command line."""
    cli.command("paths")(paths)


def paths(
    plan: Plan = None,
    task: Task = None,
    stage: Annotated[str | None, typer.Option(help="prototype, internal or production; the task's by default.")] = None,
    customers: Annotated[int | None, typer.Option(min=1, help="Customers; the plan's subscribers by default.")] = None,
    gateway_usd_per_month: Annotated[
        str | None, typer.Option(help="What a gateway of your own costs to run, USD per month.")
    ] = None,
    gateway_overhead_ms: Annotated[
        int | None, typer.Option(min=0, help="What it adds to a request, ms; LiteLLM's published median by default.")
    ] = None,
    input_tokens: InputTokens = None,
    output_tokens: OutputTokens = None,
    requests: Requests = 1,
    policy: Policy = None,
    model: Models = None,
    objective: Objective = None,
    at: At = None,
    known_at: KnownAt = None,
    as_json: Json = False,
) -> None:
    """Compare direct, brokers and a gateway of your own for one workload, and say which way to take."""
    from planner.cli import paths as work

    body = question_body(
        plan=plan, task=task, stage=stage, customers=customers, gateway_usd_per_month=gateway_usd_per_month,
        gateway_overhead_ms=gateway_overhead_ms, input_tokens=input_tokens, output_tokens=output_tokens,
        requests_per_period=requests, policy=policy, models=model, objective=objective, at=at, known_at=known_at,
    )  # fmt: skip
    work.paths(body, as_json=as_json)
