"""Costs in FOCUS 1.4 with the token keys and the credentials of the 1.5 draft: a row for each day, offer and meter.

Costs. ListCost is the cost before discount and fee. What the account has agreed with who bills it, discount and fee
together, are its negotiated terms: ContractedCost. What a commitment covers was paid with it, so that its BilledCost is
0, and its EffectiveCost is its part of the commitment; for the rows of commitments themselves see
`planner.export.focus_commitments`. All other usage has both the same. They are what is expected to be billed: a bill
itself, where there is one, is the better source, and this file is not to be added to it. The exact ContractedCost
stands in ``x_PicoUsd`` too, in 1e-12 USD.

Who. The service provider runs the model; the invoice issuer is the broker whose channel was used, or the provider.

What is stated. Usage without a price whose cost was stated by who bills it has a row without a meter and a SKU, and its
``x_CostBasis`` is ``reported``. Of others it is ``rated``, or ``bounds`` where usage was told too coarsely to know its
cost: the costs are the least it was then, and ``x_PicoUsdMax`` is the most.

Prices. See `planner.export.focus_prices`. Where what was booked says that a closed month cost less, or other than its
quantity explains, the row is a correction; if no price that is not negative explains it, it has no SkuPriceId, and then
no price, details and quantities, as the specification asks for. ``x_Quantity`` has the quantity in any case.

Source: github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec, Cost and Usage of 1.4 (June 2026), and of the 1.5 draft
SkuPriceDetails, CredentialId and the example of a service resold through a marketplace.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from planner.core.money import pico_text
from planner.core.sheet import guarded
from planner.core.units import REGISTRY, Dimension, Direction, Unit
from planner.export.focus_commitments import Charge, Paper, charge_row, commitment_columns
from planner.export.focus_prices import priced

_NOUNS = {
    Dimension.TOKEN: "Tokens", Dimension.EVENT: "Requests", Dimension.PICTURE: "Images", Dimension.PIXEL: "Pixels",
    Dimension.SECOND: "Seconds", Dimension.CHARACTER: "Characters", Dimension.PAGE: "Pages",
}  # fmt: skip
# Price lists say what a million tokens cost, and what one of anything else does.
_TOKEN_SCALES, _OTHER_SCALES = (6, 3, 0), (0, 3, 6)
COLUMNS = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart",
    "CommitmentDiscountCategory", "CommitmentDiscountId", "CommitmentDiscountName", "CommitmentDiscountQuantity",
    "CommitmentDiscountStatus", "CommitmentDiscountType", "CommitmentDiscountUnit",
    "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "ContractedUnitPrice", "CredentialId", "EffectiveCost",
    "HostProviderName", "InvoiceIssuerName", "ListCost", "ListUnitPrice", "PricingCategory", "PricingCurrency",
    "PricingQuantity", "PricingUnit", "RegionId", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory",
    "ServiceName", "ServiceProviderName", "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId",
    "SubAccountId", "Tags", "x_Channel", "x_CostBasis", "x_Customer", "x_Offer", "x_PicoUsd", "x_PicoUsdMax", "x_Plan",
    "x_PriceVersion", "x_Quantity", "x_ServiceTier", "x_Task", "x_Unit",
)  # fmt: skip
# Written as they are; every other column is a text that a spreadsheet must not run.
_FIGURES = frozenset(
    {"BilledCost", "CommitmentDiscountQuantity", "ConsumedQuantity", "ContractedCost", "ContractedUnitPrice",
     "EffectiveCost", "ListCost", "ListUnitPrice", "PricingQuantity", "x_PicoUsd", "x_PicoUsdMax", "x_Quantity"}
)  # fmt: skip
DIRECT = "direct"
RATED, BOUNDS, REPORTED = "rated", "bounds", "reported"
_STANDARD = "standard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What one meter of an offer counted on one day, and what that cost; "" is what nobody said.

    ``unit`` None: no meter, but what was stated for all of it, in ``cost_pico`` and ``list_pico``. ``list_pico`` is the
    cost at list price, ``cost_pico`` after discount and fee, in 1e-12 USD; ``high_pico`` is the most it was, None where
    that is the same. ``billed_pico`` and ``effective_pico`` are what is billed for it and what it costs where
    ``commitment`` covers it; None where both are ``cost_pico``.
    All moments are in UTC: the day of the charge, and the month it is billed in. ``channel`` is ``direct``, or the
    broker. ``model`` is canonical, such as ``openai/gpt-4.1``.
    """

    period_start: datetime
    period_end: datetime
    billing_start: datetime
    billing_end: datetime
    account: str
    provider: str
    channel: str
    model: str
    offer: str
    unit: Unit | None
    quantity: int
    list_pico: int
    cost_pico: int
    price_version: str
    high_pico: int | None = None
    service_tier: str = _STANDARD
    region: str = ""
    plan: str = ""
    customer: str = ""
    task: str = ""
    project: str = ""
    key: str = ""
    billed_pico: int | None = None
    effective_pico: int | None = None
    commitment: Paper | None = None


def focus_csv(cells: Iterable[Cell | Charge]) -> tuple[str, int]:
    """Return cells as CSV, and how many rows they are."""
    lines = list(focus_lines(cells))
    return "".join(lines), len(lines) - 1


def focus_lines(cells: Iterable[Cell | Charge]) -> Iterator[str]:
    """Yield the lines of the file, the names of its columns first."""
    yield _line(COLUMNS)
    for cell in cells:
        row = charge_row(cell) if isinstance(cell, Charge) else _row(cell)
        yield _line([_written(name, row.get(name, "")) for name in COLUMNS])


def _written(name: str, value: str) -> str:
    return value if name in _FIGURES else guarded(value)


def _line(values: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(values)
    return out.getvalue()


def _row(cell: Cell) -> dict[str, str]:
    cost = pico_text(cell.cost_pico)
    billed = cost if cell.billed_pico is None else pico_text(cell.billed_pico)
    effective = cost if cell.effective_pico is None else pico_text(cell.effective_pico)
    covered = {} if cell.commitment is None else commitment_columns(cell.commitment, "Used", cell.cost_pico)
    issuer = cell.provider if cell.channel == DIRECT else cell.channel
    corrects = cell.list_pico < 0 or cell.cost_pico < 0 or (cell.unit is not None and cell.quantity <= 0)
    high = cell.cost_pico if cell.high_pico is None else cell.high_pico
    meter = "" if cell.unit is None else _meter(cell.unit)
    basis = REPORTED if cell.unit is None else RATED if high == cell.cost_pico else BOUNDS
    return {
        "BilledCost": billed,
        "BillingAccountId": cell.account,
        "BillingAccountName": cell.account,
        "BillingCurrency": "USD",
        "BillingPeriodEnd": _time(cell.billing_end),
        "BillingPeriodStart": _time(cell.billing_start),
        "ChargeCategory": "Usage",
        "ChargeClass": "Correction" if corrects else "",
        "ChargeDescription": f"{meter or 'Usage'} of {cell.model}",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": _time(cell.period_end),
        "ChargePeriodStart": _time(cell.period_start),
        "ContractedCost": cost,
        "CredentialId": cell.key,
        "EffectiveCost": effective,
        "HostProviderName": cell.provider,
        "InvoiceIssuerName": issuer,
        "ListCost": pico_text(cell.list_pico),
        "PricingCurrency": "USD",
        "RegionId": cell.region,
        "ResourceId": cell.offer,
        "ResourceName": cell.model,
        "ResourceType": "Model Endpoint",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": f"{cell.provider} API",
        "ServiceProviderName": cell.provider,
        "ServiceSubcategory": "Generative AI",
        "SkuId": "" if cell.unit is None else f"{cell.offer}#{cell.unit.value}",
        "SkuMeter": meter,
        "SubAccountId": cell.project,
        "Tags": _json({"plan": cell.plan, "customer": cell.customer, "task": cell.task}),
        "x_Channel": cell.channel,
        "x_CostBasis": basis,
        "x_Customer": cell.customer,
        "x_Offer": cell.offer,
        "x_PicoUsd": str(cell.cost_pico),
        "x_PicoUsdMax": str(high),
        "x_Plan": cell.plan,
        "x_PriceVersion": cell.price_version,
        "x_Quantity": "" if cell.unit is None else str(cell.quantity),
        "x_ServiceTier": cell.service_tier,
        "x_Task": cell.task,
        "x_Unit": "" if cell.unit is None else cell.unit.value,
        **({} if cell.unit is None else _sku_price(cell, cell.unit)),
        **covered,
    }


def _sku_price(cell: Cell, unit: Unit) -> dict[str, str]:
    """Return the columns that are all empty, as the specification asks for, where no price explains the costs."""
    dimension = REGISTRY[unit].dimension
    noun = _NOUNS[dimension]
    scales = _TOKEN_SCALES if dimension is Dimension.TOKEN else _OTHER_SCALES
    found = priced(cell.quantity, noun, (cell.list_pico, cell.cost_pico), scales)
    if found is None:
        return {}
    tier = "" if cell.service_tier == _STANDARD else cell.service_tier
    return {
        "ConsumedQuantity": str(cell.quantity),
        "ConsumedUnit": noun,
        "ContractedUnitPrice": found.contracted,
        "ListUnitPrice": found.listed,
        "PricingCategory": "Standard" if cell.commitment is None else "Committed",
        "PricingQuantity": found.quantity,
        "PricingUnit": found.unit,
        "SkuPriceDetails": _details(cell, unit),
        # The same in every month, whatever the price: a version of a price has no place in it.
        "SkuPriceId": "#".join(part for part in (cell.offer, unit.value, tier, cell.region) if part),
    }


def _details(cell: Cell, unit: Unit) -> str:
    facts = REGISTRY[unit]
    token = facts.dimension is Dimension.TOKEN
    developer, slash, _name = cell.model.partition("/")
    return _json(
        {
            "ModelDeveloper": developer if slash else "",
            "ModelId": cell.model,
            "TokenCacheAction": _cache_action(unit) if token and facts.direction is Direction.INPUT else "",
            "TokenDirection": facts.direction.value.capitalize() if token else "",
            "x_ServiceTier": cell.service_tier,
            "x_Unit": unit.value,
        }
    )


def _cache_action(unit: Unit) -> str:
    """Return what a cache did with tokens of a request; counts of units are disjoint, so the others were not in one."""
    if unit in (Unit.CACHE_WRITE_5M, Unit.CACHE_WRITE_1H):
        return "Write"
    return "Read" if unit.value.startswith("cache_read") else "Uncached"


def _meter(unit: Unit) -> str:
    """Return what a meter is called: ``Cache Read Tokens``."""
    *words, last = unit.value.split("_")
    plural = f"{last[:-1]}ies" if last.endswith("y") else f"{last}es" if last.endswith("h") else f"{last}s"
    return " ".join(word[:1].upper() + word[1:] for word in (*words, plural))


def _json(facts: dict[str, str]) -> str:
    """Write what is known as JSON; empty where nothing is."""
    known = {name: text for name, text in facts.items() if text}
    return json.dumps(known, sort_keys=True, ensure_ascii=False) if known else ""


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
