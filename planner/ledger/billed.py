"""A row of evidence as a line of the provider's invoice: of which model, which unit, how many, and in which tier.

Source: Anthropic's API reference, Admin API, cost; OpenAI's costs API, whose line items name a model and a direction.
"""

from decimal import Decimal

from planner.core.event import Event, StatedBy
from planner.core.invoice import InvoiceLine, Kind
from planner.core.units import SERVICE_TIERS, Unit

# Anthropic: the kind of token, or else the kind of cost.
_TOKEN_TYPES = {
    "uncached_input_tokens": Unit.INPUT,
    "cache_read_input_tokens": Unit.CACHE_READ,
    "cache_creation.ephemeral_5m_input_tokens": Unit.CACHE_WRITE_5M,
    "cache_creation.ephemeral_1h_input_tokens": Unit.CACHE_WRITE_1H,
    "output_tokens": Unit.OUTPUT,
}
_COST_TYPES = {"web_search": Unit.WEB_SEARCH}
# OpenAI: "gpt-4o-2024-08-06, cached input". Items of other tiers, lengths and media say more, and are left as they are.
_DIRECTIONS = {"input": Unit.INPUT, "cached input": Unit.CACHE_READ, "output": Unit.OUTPUT}
_TOKENS = (None, "token", "tokens")
# FOCUS, as it was taken in before there were lines of invoices; what lowered a bill was refused then.
_CATEGORIES = {"Tax": Kind.TAX, "Credit": Kind.ADJUSTMENT, "Adjustment": Kind.ADJUSTMENT, "Purchase": Kind.FEE}


def billed(event: Event, *, includes_cached: bool) -> InvoiceLine | None:
    """Return what a row of evidence bills; None where no provider states what it costs.

    Of a row of several units together neither unit nor quantity is stated.

    Args:
        event: the row, whose counts can be read.
        includes_cached: whether its prompt contains its cached part.
    """
    if event.stated_usd is None or event.stated_by is not StatedBy.PROVIDER:
        return None
    tags = event.tags
    kind = _CATEGORIES.get(tags.get("charge_category", ""), Kind.USAGE)
    model, unit, quantity = _used(event, includes_cached=includes_cached)
    usage, listed = kind is Kind.USAGE, tags.get("list_usd")
    return InvoiceLine(
        source=event.source,
        id=event.id,
        kind=kind,
        amount=event.stated_usd,
        currency="USD",
        start=event.at,
        end=event.until,
        provider=event.provider or "",
        channel=event.channel,
        model=model,
        unit=unit if usage else None,
        quantity=quantity if usage else None,
        list_amount=Decimal(listed) if listed and usage else None,
        service_tier=_tier(event),
        project=event.project,
        key=event.key,
    )


def _used(event: Event, *, includes_cached: bool) -> tuple[str | None, Unit | None, int | None]:
    tags, model, quantity = event.tags, event.model, None
    unit = _TOKEN_TYPES.get(tags.get("token_type", ""), _COST_TYPES.get(tags.get("cost_type", "")))
    head, comma, direction = tags.get("line_item", "").partition(", ")
    if comma and direction in _DIRECTIONS:
        model, unit = head, _DIRECTIONS[direction]
        quantity = _whole(tags.get("quantity")) if tags.get("quantity_unit") in _TOKENS else None
    parts = event.usage(includes_cached=includes_cached).parts
    if unit is None and len(parts) == 1:
        ((unit, quantity),) = parts
    return model, unit, quantity


def _whole(text: str | None) -> int | None:
    value = None if text is None else Decimal(text)
    return int(value) if value is not None and value == value.to_integral_value() else None


def _tier(event: Event) -> str | None:
    """Return the tier a row states. Speed is a tier with planner; a word of another meaning is none."""
    if event.tags.get("speed") == "fast":
        return "fast"
    word = event.tags.get("service_tier")
    if word is None and event.service_tier != "standard":
        return event.service_tier
    return word if word in SERVICE_TIERS else None
