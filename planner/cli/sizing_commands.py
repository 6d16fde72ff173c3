"""Commands about size: whether to rent machines instead of an API, and how many tokens a plan may include."""

from pathlib import Path
from typing import Annotated

import typer

from planner.cli.commands import Json
from planner.cli.question_options import (
    At,
    InputTokens,
    KnownAt,
    Models,
    OutputTokens,
    Plan,
    Policy,
    Requests,
    Task,
    drop_absent,
    question_body,
)


def add_to(cli: typer.Typer) -> None:
    """Add these commands to the command line."""
    cli.command("self-host")(self_host)
    cli.command("quota")(quota)


_Hourly = Annotated[str, typer.Option(help="Rent of one GPU, USD per hour.")]


def self_host(  # one option per field of the question
    gpu_hourly_usd: _Hourly,
    plan: Plan = None,
    task: Task = None,
    input_tokens: InputTokens = None,
    cache_read_tokens: Annotated[int, typer.Option(min=0, help="Prompt tokens read from the API's cache.")] = 0,
    output_tokens: OutputTokens = None,
    requests: Requests = 1,
    policy: Policy = None,
    model: Models = None,
    customers: Annotated[int | None, typer.Option(min=0, help="Customers; a plan's subscribers by default.")] = None,
    period: Annotated[str | None, typer.Option(help="day, week, month, quarter or year; not with --plan.")] = None,
    peak_to_mean: Annotated[str | None, typer.Option(help="Peak load over mean load, at least 1.")] = None,
    gpus_per_replica: Annotated[int, typer.Option(min=1, help="GPUs that one replica of the model needs.")] = 1,
    tokens_per_second: Annotated[str | None, typer.Option(help="Tokens in and out per second of a replica.")] = None,
    prefill_tps: Annotated[str | None, typer.Option(help="Instead: tokens per second it only reads.")] = None,
    decode_tps: Annotated[str | None, typer.Option(help="Instead: tokens per second it only writes.")] = None,
    utilisation_max: Annotated[str | None, typer.Option(help="How busy replicas may be at peak, such as 0.70.")] = None,
    ops_usd: Annotated[str | None, typer.Option(help="Operations per month, USD.")] = None,
    variable_usd_per_mtok: Annotated[str | None, typer.Option(help="Variable cost, USD per million tokens.")] = None,
    on_demand_hourly_usd: Annotated[str | None, typer.Option(help="Rent of a GPU by the hour, USD.")] = None,
    peak_hours: Annotated[str | None, typer.Option(help="Hours a month that the peak lasts.")] = None,
    volume_mtok: Annotated[list[str] | None, typer.Option(help="A monthly volume to show, million tokens.")] = None,
    privacy_required: Annotated[
        bool, typer.Option("--privacy-required", help="Prompts should not leave machines you control.")
    ] = False,
    fine_tuned_model: Annotated[
        bool, typer.Option("--fine-tuned-model", help="The task needs weights of your own.")
    ] = False,
    fixed_workload: Annotated[
        bool, typer.Option("--fixed-workload", help="The volume is known and steady for months.")
    ] = False,
    at: At = None,
    known_at: KnownAt = None,
    as_json: Json = False,
) -> None:
    """Compare renting machines for a task's demand with the offer it is told to use, and give a verdict."""
    from planner.cli import sizing

    body = question_body(
        plan=plan, task=task, input_tokens=input_tokens, cache_read_tokens=cache_read_tokens,
        output_tokens=output_tokens, requests_per_period=requests, policy=policy, models=model, at=at,
        known_at=known_at, volumes_mtok=volume_mtok,
    )  # fmt: skip
    body["demand"] = drop_absent(customers=customers, period=period, peak_to_mean=peak_to_mean)
    body["hardware"] = drop_absent(
        gpu_hourly_usd=gpu_hourly_usd, gpus_per_replica=gpus_per_replica, tokens_per_second=tokens_per_second,
        prefill_tokens_per_second=prefill_tps, decode_tokens_per_second=decode_tps, utilisation_max=utilisation_max,
        ops_usd_per_month=ops_usd, variable_usd_per_mtok=variable_usd_per_mtok,
        on_demand_gpu_hourly_usd=on_demand_hourly_usd, peak_hours_per_month=peak_hours,
    )  # fmt: skip
    body["reasons"] = {
        "privacy_required": privacy_required, "fine_tuned_model": fine_tuned_model, "fixed_workload": fixed_workload,
    }  # fmt: skip
    sizing.self_host(body, as_json=as_json)


def quota(
    plan: Annotated[str, typer.Argument(help="A stored plan.")],
    task: Annotated[str, typer.Argument(help="A task of it.")],
    median_tokens: Annotated[int | None, typer.Option(min=1, help="Log-normal: median tokens per customer.")] = None,
    sigma: Annotated[str | None, typer.Option(help="Log-normal: spread of the logarithm, such as 2.3.")] = None,
    minimum_tokens: Annotated[int | None, typer.Option(min=1, help="Pareto: least tokens per customer.")] = None,
    exponent: Annotated[str | None, typer.Option(help="Pareto: exponent of the tail, such as 1.2.")] = None,
    tokens_file: Annotated[Path | None, typer.Option(help="Observed: a file, tokens of a customer per line.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", help="Measured: the first day of what the plan's own customers used.")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", help="Measured: the day after the last one.")] = None,
    subscribers: Annotated[int | None, typer.Option(min=1, help="Subscribers; the plan's own by default.")] = None,
    alpha: Annotated[str | None, typer.Option(help="Share of periods that may miss the margin, such as 0.05.")] = None,
    sigma_g: Annotated[str | None, typer.Option(help="Spread of what moves all customers at once.")] = None,
    margin: Annotated[str | None, typer.Option(help="Target margin instead of the plan's.")] = None,
    tail_budget_usd: Annotated[str | None, typer.Option(help="Mean cost of the heaviest customers, USD.")] = None,
    at: At = None,
    known_at: KnownAt = None,
    as_json: Json = False,
) -> None:
    """Say how many tokens a plan may include so that its margin holds, rule by rule, and what would come of each."""
    from planner.cli import sizing

    figures = drop_absent(median_tokens=median_tokens, sigma=sigma, minimum_tokens=minimum_tokens, exponent=exponent)
    figures |= drop_absent(**{"from": since, "to": until})
    body = drop_absent(
        subscribers=subscribers, alpha=alpha, sigma_g=sigma_g, margin=margin, tail_budget_usd=tail_budget_usd, at=at,
        known_at=known_at,
    )  # fmt: skip
    sizing.quota(plan, {"task": task, **body}, figures, tokens_file, as_json=as_json)
