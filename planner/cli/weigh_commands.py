"""Commands that weigh cost against quality, and their options; added to the command line by `planner.cli.main`."""

from typing import Annotated

import typer

from planner.cli.commands import Json
from planner.cli.question_options import (
    At,
    CacheReadTokens,
    Capabilities,
    ContextTokens,
    FeeFixed,
    FeePercent,
    InputTokens,
    KnownAt,
    Margin,
    Models,
    OtherCosts,
    OutputTokens,
    Plan,
    Policy,
    ReasoningTokens,
    Requests,
    Revenue,
    Task,
    Tiers,
    question_body,
)

Index = Annotated[str | None, typer.Option(help="Quality index to weigh by, such as arena_text.")]


def add_to(cli: typer.Typer) -> None:
    """Add these commands to the command line."""
    cli.command()(frontier)
    cli.command()(mixture)


def frontier(
    plan: Plan = None,
    task: Task = None,
    input_tokens: InputTokens = None,
    cache_read_tokens: CacheReadTokens = 0,
    output_tokens: OutputTokens = None,
    reasoning_tokens: ReasoningTokens = 0,
    requests: Requests = 1,
    revenue_usd: Revenue = None,
    fee_percent: FeePercent = None,
    fee_fixed_usd: FeeFixed = None,
    other_costs_usd: OtherCosts = None,
    margin: Margin = None,
    policy: Policy = None,
    model: Models = None,
    capability: Capabilities = None,
    context_tokens: ContextTokens = None,
    tier: Tiers = None,
    index: Index = None,
    at: At = None,
    known_at: KnownAt = None,
    as_json: Json = False,
) -> None:
    """List the offers worth choosing between: nobody else is both as cheap and as good."""
    from planner.cli import weighing

    body = question_body(
        plan=plan, task=task, input_tokens=input_tokens, cache_read_tokens=cache_read_tokens,
        output_tokens=output_tokens, reasoning_tokens=reasoning_tokens, requests_per_period=requests,
        revenue_usd=revenue_usd, payment_fee_percent=fee_percent, payment_fee_fixed_usd=fee_fixed_usd,
        other_costs_usd=other_costs_usd, margin=margin, policy=policy, models=model, capabilities=capability,
        context_tokens=context_tokens, tiers=tier, index=index, at=at, known_at=known_at,
    )  # fmt: skip
    weighing.frontier(body, as_json=as_json)


def mixture(
    plan: Plan = None,
    task: Task = None,
    input_tokens: InputTokens = None,
    cache_read_tokens: CacheReadTokens = 0,
    output_tokens: OutputTokens = None,
    reasoning_tokens: ReasoningTokens = 0,
    requests: Requests = 1,
    revenue_usd: Revenue = None,
    fee_percent: FeePercent = None,
    fee_fixed_usd: FeeFixed = None,
    other_costs_usd: OtherCosts = None,
    margin: Margin = None,
    policy: Policy = None,
    model: Models = None,
    capability: Capabilities = None,
    context_tokens: ContextTokens = None,
    tier: Tiers = None,
    index: Index = None,
    escalated_share: Annotated[
        str | None, typer.Option(help="Share of requests that need the strong offer, such as 0.3.")
    ] = None,
    router_cost_usd: Annotated[str | None, typer.Option(help="What a router's look at a request costs, USD.")] = None,
    router_ms: Annotated[int, typer.Option(min=0, help="How long it takes, milliseconds.")] = 0,
    judge_cost_usd: Annotated[str | None, typer.Option(help="What judging a cheap answer costs, USD.")] = None,
    judge_ms: Annotated[int, typer.Option(min=0, help="How long it takes, milliseconds.")] = 0,
    at: At = None,
    known_at: KnownAt = None,
    as_json: Json = False,
) -> None:
    """Say which share of a task the best offer may serve, and whether trying a cheap one first pays."""
    from planner.cli import weighing

    body = question_body(
        plan=plan, task=task, input_tokens=input_tokens, cache_read_tokens=cache_read_tokens,
        output_tokens=output_tokens, reasoning_tokens=reasoning_tokens, requests_per_period=requests,
        revenue_usd=revenue_usd, payment_fee_percent=fee_percent, payment_fee_fixed_usd=fee_fixed_usd,
        other_costs_usd=other_costs_usd, margin=margin, policy=policy, models=model, capabilities=capability,
        context_tokens=context_tokens, tiers=tier, index=index, at=at, known_at=known_at,
        escalated_share=escalated_share, router_cost_usd=router_cost_usd, router_ms=router_ms,
        judge_cost_usd=judge_cost_usd, judge_ms=judge_ms,
    )  # fmt: skip
    weighing.mixture(body, as_json=as_json)
