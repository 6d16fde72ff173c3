"""A FOCUS export is a provider's bill, one row for every meter: evidence that a ledger is held against."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from planner.core.errors import InvalidInput
from planner.core.event import Event, Role, StatedBy
from planner.core.invoice import QUANTITY_MAX, InvoiceLine, Kind
from planner.core.money import exactly, plain
from planner.core.units import Unit
from planner.ledger import cells
from planner.ledger.format import File, Format, Given, Read, Refused, Row, Skipped
from planner.ledger.tables import columns, each, named, table, tags

_COLUMNS = frozenset({"BillingCurrency", "ChargeCategory", "ChargePeriodStart", "ChargePeriodEnd", "EffectiveCost"})
# What tells two charges of one period apart. Costs and quantities do not: they are what a later export corrects.
_IDENTITY = (
    *("BillingAccountId", "SubAccountId", "ChargeCategory", "ChargeClass", "ChargeDescription", "PricingCategory"),
    *("ServiceProviderName", "HostProviderName", "ProviderName", "ServiceName", "RegionId", "ResourceId"),
    *("SkuId", "SkuMeter", "SkuPriceId", "CommitmentDiscountId", "CommitmentDiscountStatus"),
    *("CredentialId", "PrincipalId"),
)
_IDENTITY_JSON = ("SkuPriceDetails", "Tags")
_UNIT = re.compile(r"(?:([1-9][0-9]{0,11}) )?Tokens?", re.ASCII)
# How far a quantity that went through a double may be from the whole number it was.
_SLACK = Decimal("0.001")
# (TokenDirection, TokenCacheAction) -> the count. A meter is of one kind only, and reasoning is output.
_METERS = {
    ("Input", None): "input_tokens",
    ("Input", "Uncached"): "input_tokens",
    ("Input", "Read"): "cache_read_tokens",
    ("Input", "Write"): "cache_write_tokens",
    ("Output", None): "output_tokens",
    ("Output", "Uncached"): "output_tokens",
}
_PROVIDERS = ("ServiceProviderName", "HostProviderName", "ProviderName")
# What a category is called on an invoice.
_KINDS = {
    "Usage": Kind.USAGE,
    "Purchase": Kind.FEE,
    "Tax": Kind.TAX,
    "Credit": Kind.CREDIT,
    "Adjustment": Kind.ADJUSTMENT,
}
_UNITS = {
    "input_tokens": Unit.INPUT,
    "cache_read_tokens": Unit.CACHE_READ,
    "cache_write_tokens": Unit.CACHE_WRITE_5M,
    "output_tokens": Unit.OUTPUT,
}
_CATEGORY, _SUBCATEGORY = "AI and Machine Learning", "Generative AI"


class Charges:
    """Rows of a FOCUS Cost and Usage dataset, versions 1.0 to 1.4, with the token keys of 1.5 in SkuPriceDetails.

    A charge of tokens is an aggregate of its charge period with one count. Other usage of the same services that costs
    something, such as storage of caches, has its cost and no counts. The tag ``list_usd`` is what it would have cost at
    list price. A charge without tokens and without cost is left out, such as a commitment whose cost lies with the
    usage it covers. The cost is always EffectiveCost: BilledCost has a commitment twice or in the wrong month.

    What is no row of usage in dollars is a line of an invoice: a tax, a credit, an adjustment, a purchase or what is
    unused of a commitment (both are fees), a correction, and whatever is billed in another currency.

    Source: the FOCUS specification, columns ChargeCategory, EffectiveCost, ListCost, ConsumedUnit and SkuPriceDetails.
    """

    name = "focus"
    title = "FOCUS: cost and usage, versions 1.0 to 1.4"
    role = Role.EVIDENCE
    mutable = True

    def knows(self, file: File) -> str | None:
        """Tell by the columns every version demands."""
        return "it has the columns of a FOCUS dataset" if columns(file) >= _COLUMNS else None

    def read(self, file: File, given: Given) -> Iterator[Read | Refused | Skipped]:
        """Yield every charge of a service of generative AI."""
        # Charges that differ in nothing but their figures are told apart by their order; a bill has few rows.
        seen: Counter[bytes] = Counter()
        return each(table(file), lambda row: _charge(row, given, seen))


FORMATS: tuple[Format, ...] = (Charges(),)


def _charge(row: Row, given: Given, seen: Counter[bytes]) -> Event | InvoiceLine | Skipped:
    values = row.values
    details = cells.json_object(values, "SkuPriceDetails")
    model = cells.text(details, "ModelId")
    kinds = (("ServiceCategory", _CATEGORY), ("ServiceSubcategory", _SUBCATEGORY))
    other = next((name for name, kind in kinds if values.get(name) not in (None, "", kind)), None)
    if model is None and other is not None:
        return Skipped(row.place, f"{other}: not generative AI")
    at, until = (_moment(values, name) for name in ("ChargePeriodStart", "ChargePeriodEnd"))
    cost = cells.needed(cells.decimal(values, "EffectiveCost"), "EffectiveCost")
    meter = _meter(values, details)
    if not cost and not (meter and meter[1]):
        return Skipped(row.place, "EffectiveCost: 0, and there are no tokens: what it covers is charged elsewhere")
    said = _Said(_id(values, (at, until), seen), at, until, cost, meter)
    kind = _kind(values, cost)
    back = cost < 0 or (meter is not None and meter[1] < 0)
    if kind is Kind.USAGE and not back and values.get("BillingCurrency") == "USD":
        return _event(values, given, said, model)
    return _line(values, given, said, model, kind)


class _Said(NamedTuple):
    """What every charge says, of whatever kind it is."""

    id: str
    at: datetime
    until: datetime
    cost: Decimal
    meter: tuple[str, int] | None


def _kind(values: Mapping[str, Any], cost: Decimal) -> Kind:
    category = cells.text(values, "ChargeCategory") or "Usage"
    if category not in _KINDS:
        raise InvalidInput("ChargeCategory", f"one of {', '.join(_KINDS)} is needed")
    if values.get("CommitmentDiscountStatus") == "Unused":
        return Kind.FEE
    # A credit that is taken back.
    return Kind.ADJUSTMENT if category == "Credit" and cost > 0 else _KINDS[category]


def _provider(values: Mapping[str, Any], given: Given) -> str | None:
    providers = (cells.text(values, name) for name in _PROVIDERS)
    return next((name for name in providers if name is not None), given.provider)


def _event(values: Mapping[str, Any], given: Given, said: _Said, model: str | None) -> Event:
    labels, listed = cells.json_object(values, "Tags"), cells.decimal(values, "ListCost")
    plan, customer, task = named(labels, given)
    about = {**tags(labels), "charge_category": cells.text(values, "ChargeCategory") or ""}
    return Event(
        source=given.source,
        id=said.id,
        at=said.at,
        until=said.until,
        # A bill counts tokens; how many requests they were in, it does not say.
        counts={"requests": 0, **({said.meter[0]: said.meter[1]} if said.meter else {})},
        includes_cached=False,
        channel=given.channel or "direct",
        provider=_provider(values, given),
        model=model,
        region=cells.text(values, "RegionId"),
        plan=plan,
        customer=customer,
        task=task,
        project=cells.text(values, "SubAccountId"),
        key=cells.text(values, "CredentialId"),
        tags=about if listed is None else {**about, "list_usd": plain(listed)},
        stated_usd=said.cost,
        stated_by=StatedBy.PROVIDER,
        rateable=False,
    )


def _line(values: Mapping[str, Any], given: Given, said: _Said, model: str | None, kind: Kind) -> InvoiceLine:
    usage = kind is Kind.USAGE
    meter = said.meter if usage else None
    return InvoiceLine(
        source=given.source,
        id=said.id,
        kind=kind,
        amount=said.cost,
        currency=cells.needed(cells.text(values, "BillingCurrency"), "BillingCurrency"),
        start=said.at,
        end=said.until,
        provider=_provider(values, given),
        channel=given.channel or "direct",
        model=model,
        unit=None if meter is None else _UNITS[meter[0]],
        quantity=None if meter is None else meter[1],
        list_amount=cells.decimal(values, "ListCost") if usage else None,
        project=cells.text(values, "SubAccountId"),
        key=cells.text(values, "CredentialId"),
        description=cells.text(values, "ChargeDescription"),
    )


def _moment(values: Mapping[str, Any], name: str) -> datetime:
    # A Parquet file may leave out the zone, which FOCUS fixes: every moment is UTC.
    return cells.needed(cells.moment(values, name, UTC), name)


def _meter(values: Mapping[str, Any], details: Mapping[str, Any]) -> tuple[str, int] | None:
    """Return the count of a meter of tokens and how many there are; a correction takes tokens back."""
    direction, action = (cells.text(details, name) for name in ("TokenDirection", "TokenCacheAction"))
    name = _METERS.get((direction or "", action))
    unit = _UNIT.fullmatch(cells.text(values, "ConsumedUnit") or "")
    quantity = cells.decimal(values, "ConsumedQuantity")
    if name is None or unit is None or quantity is None:
        return None
    tokens = exactly(quantity, Decimal(unit[1] or 1))
    whole = tokens.to_integral_value()
    if abs(tokens - whole) > _SLACK:
        raise InvalidInput("ConsumedQuantity", "not a whole number of tokens")
    if abs(whole) > QUANTITY_MAX:
        raise InvalidInput("ConsumedQuantity", f"at most {QUANTITY_MAX} tokens are one charge")
    return name, int(whole)


def _id(values: Mapping[str, Any], period: tuple[datetime, datetime], seen: Counter[bytes]) -> str:
    """Return what a charge is called in every export that has it."""
    parts: list[object] = [moment.isoformat() for moment in period]
    parts += [str(cells.said(values, name) or "") for name in _IDENTITY]
    parts += [cells.json_object(values, name) for name in _IDENTITY_JSON]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).digest()[:16]
    seen[digest] += 1
    return f"{digest.hex()}-{seen[digest]}"
