"""A FOCUS export is a provider's bill, one row for every meter: evidence that a ledger is held against."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from planner.core.errors import InvalidInput
from planner.core.event import Event, Role, StatedBy
from planner.core.money import exactly
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
_CATEGORY, _SUBCATEGORY = "AI and Machine Learning", "Generative AI"


class Charges:
    """Rows of a FOCUS Cost and Usage dataset, versions 1.0 to 1.4, with the token keys of 1.5 in SkuPriceDetails.

    A charge of tokens is an aggregate of its charge period with one count. Any other charge of the same services that
    costs something, such as storage of caches, a tax or a credit, has its cost and no counts; its ``charge_category``
    is among the tags. A charge without tokens and without cost is left out, such as a commitment whose cost lies with
    the usage it covers. The cost is always EffectiveCost: BilledCost has a commitment twice or in the wrong month.

    Source: the FOCUS specification, columns EffectiveCost, ConsumedUnit and SkuPriceDetails.
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
        return each(table(file), lambda row: _event(row, given, seen))


FORMATS: tuple[Format, ...] = (Charges(),)


def _event(row: Row, given: Given, seen: Counter[bytes]) -> Event | Skipped:
    values = row.values
    details = cells.json_object(values, "SkuPriceDetails")
    model = cells.text(details, "ModelId")
    kinds = (("ServiceCategory", _CATEGORY), ("ServiceSubcategory", _SUBCATEGORY))
    other = next((name for name, kind in kinds if values.get(name) not in (None, "", kind)), None)
    if model is None and other is not None:
        return Skipped(row.place, f"{other}: not generative AI")
    if values.get("BillingCurrency") != "USD":
        raise InvalidInput("BillingCurrency", "only charges in USD can be read")
    at, until = (_moment(values, name) for name in ("ChargePeriodStart", "ChargePeriodEnd"))
    cost = cells.needed(cells.decimal(values, "EffectiveCost"), "EffectiveCost")
    counts = _counts(values, details)
    if not cost and not counts:
        return Skipped(row.place, "EffectiveCost: 0, and there are no tokens: what it covers is charged elsewhere")
    category = cells.text(values, "ChargeCategory") or ""
    labels = cells.json_object(values, "Tags")
    plan, customer, task = named(labels, given)
    providers = (cells.text(values, name) for name in _PROVIDERS)
    return Event(
        source=given.source,
        id=_id(values, (at, until), seen),
        at=at,
        until=until,
        # A bill counts tokens; how many requests they were in, it does not say.
        counts={"requests": 0, **counts},
        includes_cached=False,
        channel=given.channel or "direct",
        provider=next((name for name in providers if name is not None), given.provider),
        model=model,
        region=cells.text(values, "RegionId"),
        plan=plan,
        customer=customer,
        task=task,
        project=cells.text(values, "SubAccountId"),
        key=cells.text(values, "CredentialId"),
        tags={**tags(labels), "charge_category": category},
        stated_usd=cost,
        stated_by=StatedBy.PROVIDER,
        rateable=False,
    )


def _moment(values: Mapping[str, Any], name: str) -> datetime:
    # A Parquet file may leave out the zone, which FOCUS fixes: every moment is UTC.
    return cells.needed(cells.moment(values, name, UTC), name)


def _counts(values: Mapping[str, Any], details: Mapping[str, Any]) -> dict[str, int]:
    """Return the one count of a meter of tokens. A correction takes tokens back, which no count can say."""
    direction, action = (cells.text(details, name) for name in ("TokenDirection", "TokenCacheAction"))
    name = _METERS.get((direction or "", action))
    unit = _UNIT.fullmatch(cells.text(values, "ConsumedUnit") or "")
    quantity = cells.decimal(values, "ConsumedQuantity")
    if name is None or unit is None or quantity is None or quantity < 0:
        return {}
    tokens = exactly(quantity, Decimal(unit[1] or 1))
    whole = tokens.to_integral_value()
    if abs(tokens - whole) > _SLACK:
        raise InvalidInput("ConsumedQuantity", "not a whole number of tokens")
    return {name: cells.needed(cells.count({"ConsumedQuantity": whole}, "ConsumedQuantity"), "ConsumedQuantity")}


def _id(values: Mapping[str, Any], period: tuple[datetime, datetime], seen: Counter[bytes]) -> str:
    """Return what a charge is called in every export that has it."""
    parts: list[object] = [moment.isoformat() for moment in period]
    parts += [str(cells.said(values, name) or "") for name in _IDENTITY]
    parts += [cells.json_object(values, name) for name in _IDENTITY_JSON]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).digest()[:16]
    seen[digest] += 1
    return f"{digest.hex()}-{seen[digest]}"
