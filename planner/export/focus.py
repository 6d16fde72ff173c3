"""Costs in FOCUS 1.4 with the token keys of the 1.5 draft: one row per day, offer and meter.

The exact amount of a row stands in ``x_PicoUsd``. Whoever checks the file multiplies a unit price by a quantity in
doubles and allows for no difference, so unit prices are written where that product is the cost, and are left empty,
which the specification allows for rows without one price, where it is not: where a day saw several rates.

Source: https://github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec, 1.4 of June 2026; examples of the 1.5 draft.
"""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact

from planner.core.money import pico_text, plain
from planner.core.sheet import guarded
from planner.core.units import REGISTRY, Dimension, Unit

MTOK = 1_000_000
_PLACES_MAX = 12
_EXACT = Context(prec=60)
_CONSUMED = {
    Dimension.TOKEN: "Tokens", Dimension.EVENT: "Requests", Dimension.PICTURE: "Images", Dimension.PIXEL: "Pixels",
    Dimension.SECOND: "Seconds", Dimension.CHARACTER: "Characters", Dimension.PAGE: "Pages",
}  # fmt: skip
_CACHE = {
    Unit.INPUT: "Uncached", Unit.INPUT_AUDIO: "Uncached", Unit.INPUT_IMAGE: "Uncached", Unit.INPUT_VIDEO: "Uncached",
    Unit.CACHE_READ: "Read", Unit.CACHE_READ_AUDIO: "Read", Unit.CACHE_READ_IMAGE: "Read",
    Unit.CACHE_READ_VIDEO: "Read", Unit.CACHE_WRITE_5M: "Write", Unit.CACHE_WRITE_1H: "Write",
}  # fmt: skip
COLUMNS = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart",
    "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "ContractedUnitPrice", "EffectiveCost", "HostProviderName",
    "InvoiceIssuerName", "ListCost", "ListUnitPrice", "PricingCategory", "PricingCurrency", "PricingQuantity",
    "PricingUnit", "RegionId", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceSubcategory",
    "ServiceName", "ServiceProviderName", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId", "SubAccountId",
    "CredentialId", "Tags", "x_Channel", "x_Customer", "x_Offer", "x_PicoUsd", "x_Plan", "x_PriceVersion",
    "x_ServiceTier", "x_Task",
)  # fmt: skip
_FIGURES = frozenset(
    {"BilledCost", "ConsumedQuantity", "ContractedCost", "ContractedUnitPrice", "EffectiveCost", "ListCost",
     "ListUnitPrice", "PricingQuantity", "x_PicoUsd"}
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What one meter of an offer counted on one day, and cost at list price and after discount and fee (1e-12 USD)."""

    period_start: datetime
    period_end: datetime
    billing_start: datetime
    billing_end: datetime
    account: str
    provider: str
    channel: str
    model: str
    offer: str
    unit: Unit
    quantity: int
    list_pico: int
    cost_pico: int
    price_version: str
    service_tier: str = "standard"
    region: str = ""
    plan: str = ""
    customer: str = ""
    task: str = ""
    project: str = ""
    key: str = ""


def focus_csv(cells: Iterable[Cell]) -> tuple[str, int]:
    """Return cells as CSV, and how many rows they are."""
    out, count = io.StringIO(), 0
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for cell in cells:
        row = _row(cell)
        writer.writerow([row[name] if name in _FIGURES else guarded(row[name]) for name in COLUMNS])
        count += 1
    return out.getvalue(), count


def _row(cell: Cell) -> dict[str, str]:
    facts = REGISTRY[cell.unit]
    token = facts.dimension is Dimension.TOKEN
    per = MTOK if token else 1
    consumed = _CONSUMED[facts.dimension]
    meter = cell.unit.value.replace("_", " ")
    details = {
        "ModelDeveloper": cell.model.partition("/")[0],
        "ModelId": cell.model,
        **({"TokenDirection": facts.direction.value.capitalize()} if token else {}),
        **({"TokenCacheAction": _CACHE[cell.unit]} if cell.unit in _CACHE else {}),
    }
    quantity = Decimal(cell.quantity).scaleb(-6, _EXACT) if token else Decimal(cell.quantity)
    return {
        # What is billed, contracted and effective are one here: discount and fee are in the cost, nothing is amortised.
        "BilledCost": pico_text(cell.cost_pico),
        "BillingAccountId": cell.account,
        "BillingAccountName": cell.account,
        "BillingCurrency": "USD",
        "BillingPeriodEnd": _time(cell.billing_end),
        "BillingPeriodStart": _time(cell.billing_start),
        "ChargeCategory": "Usage",
        "ChargeClass": "",
        "ChargeDescription": f"{meter} of {cell.model}",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": _time(cell.period_end),
        "ChargePeriodStart": _time(cell.period_start),
        "ConsumedQuantity": str(cell.quantity),
        "ConsumedUnit": consumed,
        "ContractedCost": pico_text(cell.cost_pico),
        "ContractedUnitPrice": _unit_price(cell.cost_pico, quantity),
        "EffectiveCost": pico_text(cell.cost_pico),
        "HostProviderName": cell.provider,
        "InvoiceIssuerName": cell.provider if cell.channel == "direct" else cell.channel,
        "ListCost": pico_text(cell.list_pico),
        "ListUnitPrice": _unit_price(cell.list_pico, quantity),
        "PricingCategory": "Standard",
        "PricingCurrency": "USD",
        "PricingQuantity": plain(quantity),
        "PricingUnit": f"{per} {consumed}" if token else consumed,
        "RegionId": cell.region,
        "ResourceId": cell.offer,
        "ResourceName": cell.model,
        "ResourceType": "LLM offer",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceSubcategory": "Generative AI",
        "ServiceName": f"{cell.provider} API",
        "ServiceProviderName": cell.provider if cell.channel == "direct" else cell.channel,
        "SkuId": f"{cell.offer}#{cell.unit.value}",
        "SkuMeter": meter,
        "SkuPriceDetails": json.dumps(details, sort_keys=True),
        "SkuPriceId": f"{cell.offer}#{cell.unit.value}#{cell.price_version}",
        "SubAccountId": cell.project,
        "CredentialId": cell.key,
        "Tags": json.dumps({"plan": cell.plan, "task": cell.task}, sort_keys=True),
        "x_Channel": cell.channel,
        "x_Customer": cell.customer,
        "x_Offer": cell.offer,
        "x_PicoUsd": str(cell.cost_pico),
        "x_Plan": cell.plan,
        "x_PriceVersion": cell.price_version,
        "x_ServiceTier": cell.service_tier,
        "x_Task": cell.task,
    }


def _unit_price(pico: int, quantity: Decimal) -> str:
    """Return the price of one pricing unit where its product with the quantity is the cost, also in doubles."""
    if not quantity:
        return ""
    context = _EXACT.copy()
    cost = Decimal(pico).scaleb(-12, context)
    price = context.divide(cost, quantity)
    if context.flags[Inexact]:
        return ""
    text = plain(price)
    places = len(text.partition(".")[2])
    product = float(text) * float(quantity)
    return text if places <= _PLACES_MAX and product == float(cost) else ""


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
