"""The usage that an OpenAI-compatible API reports with its answer, in the canonical form, and the cost it states."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from planner.core.usage import Usage

_COSTS = ("cost", "estimated_cost")  # OpenRouter's word, and DeepInfra's


def read_usage(reported: Mapping[str, Any]) -> Usage:
    """Read the object ``usage`` of an answer.

    Where a total is stated, the completion is what it leaves beside the prompt: some count reasoning inside
    ``completion_tokens``, some beside it, and all of them bill it.

    Raises:
        InvalidInput: a count that is none.
        ImpossibleUsage: a part larger than its whole.

    Source:
        https://platform.openai.com/docs/api-reference/chat/object (cached tokens lie inside the prompt, reasoning
        inside the completion); https://docs.x.ai/docs/guides/reasoning (reasoning beside it);
        https://api-docs.deepseek.com/api/create-chat-completion (``prompt_cache_hit_tokens``).

    Example:
        >>> read_usage({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 35}).reasoning_tokens
        20
    """
    prompt, completion = reported.get("prompt_tokens", 0), reported.get("completion_tokens", 0)
    read = _inside(reported, "prompt_tokens_details", "cached_tokens")
    written = _inside(reported, "prompt_tokens_details", "cache_write_tokens")
    reasoning = _inside(reported, "completion_tokens_details", "reasoning_tokens")
    total = reported.get("total_tokens")
    beside = 0
    if type(total) is type(prompt) is type(completion) is int:
        beside = max(total - prompt - completion, 0)
    return Usage(
        input_tokens=prompt,
        cache_read_tokens=reported.get("prompt_cache_hit_tokens") or 0 if read is None else read,
        cache_write_tokens=written or 0,
        output_tokens=completion + beside if beside else completion,
        reasoning_tokens=beside if reasoning is None else reasoning,
    )


def _inside(reported: Mapping[str, Any], group: str, name: str) -> Any:  # noqa: ANN401  # JSON is any of six types
    details = reported.get(group)
    return details.get(name) if isinstance(details, dict) else None


def stated_usd(reported: Mapping[str, Any]) -> Decimal | None:
    """Return the cost in USD that stands in the object ``usage``, or None."""
    for name in _COSTS:
        value = reported.get(name)
        if isinstance(value, Decimal) and value.is_finite() and value >= 0:
            return value
        if type(value) is int and value >= 0:
            return Decimal(value)
    return None
