"""The options that describe a question, the same on every command that asks one, and the body they make."""

from typing import Annotated, Any

import typer

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
Models = Annotated[list[str] | None, typer.Option(help="Only this canonical model; may be repeated.")]
Capabilities = Annotated[list[str] | None, typer.Option(help="A capability needed, such as tools; may be repeated.")]
ContextTokens = Annotated[int | None, typer.Option(min=0, help="Context window needed, tokens.")]
Tiers = Annotated[list[int] | None, typer.Option(help="Only this tier; may be repeated.")]
Objective = Annotated[str | None, typer.Option(help="cheapest, best_quality, fastest or balanced.")]
At = Annotated[
    str | None, typer.Option(help="Moment whose prices hold, RFC 3339 with offset, such as 2025-08-25T12:00:00Z.")
]
KnownAt = Annotated[str | None, typer.Option(help="Answer with what was on record then, RFC 3339 with offset.")]

_COUNTS = ("input_tokens", "output_tokens")
_WITH_COUNTS = ("cache_read_tokens", "reasoning_tokens", "requests_per_period")
_NEEDS = ("models", "capabilities", "context_tokens", "tiers")


def drop_absent(**fields: Any) -> dict[str, Any]:  # noqa: ANN401  # fields of any kind
    """Return the fields that were given."""
    return {name: value for name, value in fields.items() if value is not None}


def question_body(**options: Any) -> dict[str, Any]:  # noqa: ANN401  # options of any kind
    """Return the body that options of a question make; ``workload`` and ``needs`` only where some of theirs are given.

    Args:
        options: by the names of the body's fields, those of ``workload`` and ``needs`` among the others.
    """
    given = drop_absent(**options)
    body = {name: value for name, value in given.items() if name not in {*_COUNTS, *_WITH_COUNTS, *_NEEDS}}
    if any(name in given for name in _COUNTS):
        body["workload"] = {name: given[name] for name in (*_COUNTS, *_WITH_COUNTS) if name in given}
    if any(name in given for name in _NEEDS):
        body["needs"] = {name: given[name] for name in _NEEDS if name in given}
    return body
