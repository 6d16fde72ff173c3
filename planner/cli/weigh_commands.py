"""Commands that weigh cost against quality, and their options; added to the command line by `planner.cli.main`."""

from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Plan = Annotated[str | None, typer.Option(help="A stored plan; needs --task.")]
Task = Annotated[str | None, typer.Option(help="A task of the plan.")]
InputTokens = Annotated[int | None, typer.Option(min=0, help="Prompt tokens per request, cached ones included.")]
CacheReadTokens = Annotated[int, typer.Option(min=0, help="Prompt tokens read from the cache.")]
OutputTokens = Annotated[int | None, typer.Option(min=0, help="Completion tokens per request.")]
ReasoningTokens = Annotated[int, typer.Option(min=0, help="Completion tokens spent on reasoning.")]
Requests = Annotated[int, typer.Option(min=0, help="Requests per customer and period.")]
Revenue = Annotated[str | None, typer.Option(help="Price per customer and period, USD.")]
FeePercent = Annotated[str | None, typer.Option(help="Payment fee, percent of revenue.")]
FeeFixed = Annotated[str | None, typer.Option(help="Payment fee per charge, USD.")]
OtherCosts = Annotated[str | None, typer.Option(help="Other costs per customer and period, USD.")]
Margin = Annotated[str | None, typer.Option(help="Target margin, such as 0.70.")]
Policy = Annotated[str | None, typer.Option(help="Privacy policy by name.")]
Model = Annotated[list[str] | None, typer.Option(help="Only this canonical model; may be repeated.")]
Capability = Annotated[list[str] | None, typer.Option(help="A capability needed, such as tools; may be repeated.")]
ContextTokens = Annotated[int | None, typer.Option(min=0, help="Context window needed, tokens.")]
Tier = Annotated[list[int] | None, typer.Option(help="Only this tier; may be repeated.")]
Index = Annotated[str | None, typer.Option(help="Quality index to weigh by, such as arena_text.")]
At = Annotated[str | None, typer.Option(help="Moment whose prices hold, RFC 3339 with offset.")]
KnownAt = Annotated[str | None, typer.Option(help="Answer with what was on record then, RFC 3339 with offset.")]


def add_to(cli: typer.Typer) -> None:
    """Add these commands to the command line."""
    cli.command()(frontier)
    cli.command()(mixture)


def _body(options: dict[str, Any]) -> dict[str, Any]:
    """Turn the options of a question into its body; ``workload`` and ``needs`` only where some of theirs are given."""
    counted, needed = ("input_tokens", "output_tokens"), ("models", "capabilities", "context_tokens", "tiers")
    within = {*counted, *needed, "cache_read_tokens", "reasoning_tokens", "requests_per_period"}
    given = {name: value for name, value in options.items() if value is not None}
    body = {name: value for name, value in given.items() if name not in within}
    if any(name in given for name in counted):
        names = (*counted, "cache_read_tokens", "reasoning_tokens", "requests_per_period")
        body["workload"] = {name: given[name] for name in names if name in given}
    if any(name in given for name in needed):
        body["needs"] = {name: given[name] for name in needed if name in given}
    return body


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
    model: Model = None,
    capability: Capability = None,
    context_tokens: ContextTokens = None,
    tier: Tier = None,
    index: Index = None,
    at: At = None,
    known_at: KnownAt = None,
    as_json: Json = False,
) -> None:
    """List the offers worth choosing between: nobody else is both as cheap and as good."""
    from planner.cli import weighing

    body = _body({
        "plan": plan, "task": task, "input_tokens": input_tokens, "cache_read_tokens": cache_read_tokens,
        "output_tokens": output_tokens, "reasoning_tokens": reasoning_tokens, "requests_per_period": requests,
        "revenue_usd": revenue_usd, "payment_fee_percent": fee_percent, "payment_fee_fixed_usd": fee_fixed_usd,
        "other_costs_usd": other_costs_usd, "margin": margin, "policy": policy, "models": model,
        "capabilities": capability, "context_tokens": context_tokens, "tiers": tier, "index": index, "at": at,
        "known_at": known_at,
    })  # fmt: skip
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
    model: Model = None,
    capability: Capability = None,
    context_tokens: ContextTokens = None,
    tier: Tier = None,
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

    body = _body({
        "plan": plan, "task": task, "input_tokens": input_tokens, "cache_read_tokens": cache_read_tokens,
        "output_tokens": output_tokens, "reasoning_tokens": reasoning_tokens, "requests_per_period": requests,
        "revenue_usd": revenue_usd, "payment_fee_percent": fee_percent, "payment_fee_fixed_usd": fee_fixed_usd,
        "other_costs_usd": other_costs_usd, "margin": margin, "policy": policy, "models": model,
        "capabilities": capability, "context_tokens": context_tokens, "tiers": tier, "index": index, "at": at,
        "known_at": known_at, "escalated_share": escalated_share, "router_cost_usd": router_cost_usd,
        "router_ms": router_ms, "judge_cost_usd": judge_cost_usd, "judge_ms": judge_ms,
    })  # fmt: skip
    weighing.mixture(body, as_json=as_json)
