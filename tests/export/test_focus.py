"""Costs in FOCUS: every row says what it cost to the last digit, and a unit price that explains it."""

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from planner.core.money import pico_text
from planner.core.sheet import unguarded
from planner.core.units import REGISTRY, Dimension, Direction, Unit
from planner.export.focus import COLUMNS, Cell, focus_csv, focus_lines
from tests.export.reports import cell

MANDATORY = {
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost", "EffectiveCost",
    "HostProviderName", "InvoiceIssuerName", "ListCost", "PricingCurrency", "ServiceCategory", "ServiceName",
    "ServiceProviderName", "ServiceSubcategory", "SkuId", "SkuMeter",
}  # fmt: skip
PRICED = {
    "ConsumedQuantity", "ConsumedUnit", "ContractedUnitPrice", "ListUnitPrice", "PricingCategory", "PricingQuantity",
    "PricingUnit", "SkuPriceDetails", "SkuPriceId",
}  # fmt: skip
picos = st.integers(0, 10**9) | st.integers(-(10**18), 10**18)
quantities = st.integers(1, 10**6) | st.integers(-(10**12), 10**12)
names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


def rows(*cells: Cell) -> list[dict[str, str]]:
    """Write cells and read the rows back."""
    return list(csv.DictReader(io.StringIO(focus_csv(cells)[0], newline=""), strict=True))


def row(**changes: Any) -> dict[str, str]:
    """Write one cell and read its row back."""
    (found,) = rows(cell(**changes))
    return found


def details(**changes: Any) -> dict[str, str]:
    """Return what the price of a cell is for."""
    found: dict[str, str] = json.loads(row(**changes)["SkuPriceDetails"])
    return found


def test_a_row_says_who_when_what_and_for_how_much() -> None:
    """The whole row, column by column."""
    assert row() == {
        "BilledCost": "0.00039",
        "BillingAccountId": "account-9",
        "BillingAccountName": "account-9",
        "BillingCurrency": "USD",
        "BillingPeriodEnd": "2026-10-01T00:00:00Z",
        "BillingPeriodStart": "2026-09-01T00:00:00Z",
        "ChargeCategory": "Usage",
        "ChargeClass": "",
        "ChargeDescription": "Input Tokens of openai/gpt-4o-mini",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": "2026-09-04T00:00:00Z",
        "ChargePeriodStart": "2026-09-03T00:00:00Z",
        **dict.fromkeys((name for name in COLUMNS if name.startswith("CommitmentDiscount")), ""),
        "ConsumedQuantity": "2600",
        "ConsumedUnit": "Tokens",
        "ContractedCost": "0.00039",
        "ContractedUnitPrice": "0.15",
        "CredentialId": "key-9",
        "EffectiveCost": "0.00039",
        "HostProviderName": "openai",
        "InvoiceIssuerName": "openai",
        "ListCost": "0.00039",
        "ListUnitPrice": "0.15",
        "PricingCategory": "Standard",
        "PricingCurrency": "USD",
        "PricingQuantity": "0.0026",
        "PricingUnit": "1000000 Tokens",
        "RegionId": "eu",
        "ResourceId": "direct:openai/gpt-4o-mini",
        "ResourceName": "openai/gpt-4o-mini",
        "ResourceType": "Model Endpoint",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": "openai API",
        "ServiceProviderName": "openai",
        "ServiceSubcategory": "Generative AI",
        "SkuId": "direct:openai/gpt-4o-mini#input_token",
        "SkuMeter": "Input Tokens",
        "SkuPriceDetails": '{"ModelDeveloper": "openai", "ModelId": "openai/gpt-4o-mini", "TokenCacheAction": '
        '"Uncached", "TokenDirection": "Input", "x_ServiceTier": "standard", "x_Unit": "input_token"}',
        "SkuPriceId": "direct:openai/gpt-4o-mini#input_token#eu",
        "SubAccountId": "search",
        "Tags": '{"customer": "cust-7", "plan": "pro", "task": "chat"}',
        "x_Channel": "direct",
        "x_CostBasis": "rated",
        "x_Customer": "cust-7",
        "x_Offer": "direct:openai/gpt-4o-mini",
        "x_PicoUsd": "390000000",
        "x_PicoUsdMax": "390000000",
        "x_Plan": "pro",
        "x_PriceVersion": "41",
        "x_Quantity": "2600",
        "x_ServiceTier": "standard",
        "x_Task": "chat",
        "x_Unit": "input_token",
    }


def test_a_broker_issues_the_invoice_and_the_provider_still_serves() -> None:
    """As in the example of the specification of a model that is bought through a marketplace."""
    found = row(channel="openrouter", provider="deepinfra")
    assert [found[name] for name in ("InvoiceIssuerName", "ServiceProviderName", "HostProviderName", "x_Channel")] == [
        "openrouter", "deepinfra", "deepinfra", "openrouter",
    ]  # fmt: skip


def test_discount_and_fee_are_terms_of_the_contract() -> None:
    """List is before them; what is contracted, billed and effective after. 10 % off, and 5.5 % on top."""
    found = row(quantity=1_000_000, list_pico=150_000_000_000, cost_pico=142_425_000_000)
    costs = ("ListCost", "ListUnitPrice", "ContractedCost", "ContractedUnitPrice", "BilledCost", "EffectiveCost")
    assert [found[name] for name in costs] == ["0.15", "0.15", "0.142425", "0.142425", "0.142425", "0.142425"]


@pytest.mark.parametrize(
    ("unit", "direction", "action"),
    [
        (Unit.INPUT, "Input", "Uncached"),
        (Unit.INPUT_AUDIO, "Input", "Uncached"),
        (Unit.CACHE_READ, "Input", "Read"),
        (Unit.CACHE_READ_IMAGE, "Input", "Read"),
        (Unit.CACHE_WRITE_5M, "Input", "Write"),
        (Unit.CACHE_WRITE_1H, "Input", "Write"),
        (Unit.OUTPUT, "Output", None),
        (Unit.REASONING, "Output", None),
        (Unit.OUTPUT_IMAGE, "Output", None),
        (Unit.WEB_SEARCH, None, None),
        (Unit.PICTURE, None, None),
    ],
)
def test_tokens_have_a_direction_and_those_sent_what_a_cache_did(
    unit: Unit, direction: str | None, action: str | None
) -> None:
    """Reasoning is output; what was received has met no cache; what is no token has neither."""
    found = details(unit=unit)
    assert (found.get("TokenDirection"), found.get("TokenCacheAction")) == (direction, action)
    assert found["x_Unit"] == unit.value


@pytest.mark.parametrize("unit", Unit)
def test_every_unit_has_a_meter_and_is_counted_in_something(unit: Unit) -> None:
    """Whatever is billed can be written."""
    found = row(unit=unit)
    dimension = REGISTRY[unit].dimension
    assert (found["ConsumedUnit"] == "Tokens") == (dimension is Dimension.TOKEN)
    assert (found["ConsumedUnit"] == "Requests") == (dimension is Dimension.EVENT)
    assert ("TokenDirection" in found["SkuPriceDetails"]) == (dimension is Dimension.TOKEN)
    assert ("TokenCacheAction" in found["SkuPriceDetails"]) == (
        dimension is Dimension.TOKEN and REGISTRY[unit].direction is Direction.INPUT
    )
    assert found["SkuMeter"].endswith("s")


def test_what_is_no_token_is_priced_one_by_one() -> None:
    """A search for a cent."""
    found = row(unit=Unit.WEB_SEARCH, quantity=3, list_pico=30_000_000_000, cost_pico=30_000_000_000)
    assert [found[name] for name in ("PricingUnit", "PricingQuantity", "ListUnitPrice", "SkuMeter")] == [
        "Requests", "3", "0.01", "Web Searches",
    ]  # fmt: skip


def test_a_price_is_called_the_same_when_it_changes() -> None:
    """The version has a column; a service tier is another price, and so is another region."""
    assert row(price_version="42")["SkuPriceId"] == row()["SkuPriceId"]
    assert row(price_version="42")["x_PriceVersion"] == "42"
    assert row(service_tier="batch", region="")["SkuPriceId"] == "direct:openai/gpt-4o-mini#input_token#batch"


def test_what_nobody_said_is_empty() -> None:
    """Neither a placeholder nor an empty tag."""
    found = row(model="gpt-4o-mini", region="", plan="", customer="", task="", project="", key="")
    assert [found[name] for name in ("RegionId", "Tags", "SubAccountId", "CredentialId", "x_Plan")] == [""] * 5
    assert "ModelDeveloper" not in json.loads(found["SkuPriceDetails"])


def test_what_was_stated_has_no_meter() -> None:
    """Who bills usage that we have no price for said what it cost: no SKU, no unit price and no quantity."""
    found = row(unit=None, quantity=0, list_pico=7, cost_pico=7, price_version="")
    assert not any(found[name] for name in (*PRICED, "SkuId", "SkuMeter", "x_Unit", "x_Quantity"))
    assert (found["x_CostBasis"], found["ChargeClass"]) == ("reported", "")
    assert {found[name] for name in ("BilledCost", "ListCost", "EffectiveCost")} == {"0.000000000007"}
    assert row(unit=None, quantity=0, list_pico=-7, cost_pico=-7)["ChargeClass"] == "Correction"


def test_a_lower_bound_says_so() -> None:
    """The costs are the least it was, and the most stands beside them."""
    exact, bounded = row(), row(high_pico=9 * 10**12)
    assert (exact["x_CostBasis"], exact["x_PicoUsdMax"]) == ("rated", exact["x_PicoUsd"])
    assert (bounded["x_CostBasis"], bounded["x_PicoUsdMax"]) == ("bounds", "9000000000000")


def test_rows_are_written_as_they_come() -> None:
    """However many there are, one is in memory at a time."""
    asked: list[int] = []

    def cells() -> Iterator[Cell]:
        for number in range(2):
            asked.append(number)
            yield cell()

    lines = focus_lines(cells())
    assert next(lines).startswith("BilledCost,BillingAccountId,")
    assert asked == []
    next(lines)
    assert asked == [0]
    assert (len(list(lines)), asked) == (1, [0, 1])


def test_custom_columns_come_last() -> None:
    """As the specification wants it: first its own, then those that begin with x_."""
    custom = [name.startswith("x_") for name in COLUMNS]
    assert custom == sorted(custom)
    assert len(set(COLUMNS)) == len(COLUMNS)


@given(quantity=quantities, list_pico=picos, cost_pico=picos, unit=st.sampled_from(Unit))
@example(quantity=0, list_pico=0, cost_pico=5, unit=Unit.INPUT)
@example(quantity=-7, list_pico=-700, cost_pico=-700, unit=Unit.INPUT)
@example(quantity=7, list_pico=-700, cost_pico=700, unit=Unit.INPUT)
@example(quantity=1, list_pico=0, cost_pico=0, unit=Unit.PAGE)
def test_every_row_keeps_the_rules_of_the_specification(
    quantity: int, list_pico: int, cost_pico: int, unit: Unit
) -> None:
    """Nulls only where they may be; prices not negative; their products the costs, for who reckons in doubles."""
    found = row(quantity=quantity, list_pico=list_pico, cost_pico=cost_pico, unit=unit)
    assert all(found[name] for name in MANDATORY)
    assert (found["ListCost"], found["EffectiveCost"]) == (pico_text(list_pico), pico_text(cost_pico))
    assert (found["x_Quantity"], found["x_PicoUsd"]) == (str(quantity), str(cost_pico))
    assert len({bool(found[name]) for name in PRICED}) == 1
    assert (found["ChargeClass"] == "Correction") == (quantity <= 0 or min(list_pico, cost_pico) < 0)
    if not found["SkuPriceId"]:
        assert found["ChargeClass"] == "Correction"
        assert not quantity or min(list_pico * quantity, cost_pico * quantity) < 0
        return
    assert found["ConsumedQuantity"] == str(quantity)
    for kind in ("List", "Contracted"):
        price, count, cost = (found[name] for name in (f"{kind}UnitPrice", "PricingQuantity", f"{kind}Cost"))
        assert not price.startswith("-")
        assert float(price) * float(count) == float(cost)
    of = found["PricingUnit"].split(" ")
    assert Decimal(found["PricingQuantity"]) * (int(of[0]) if len(of) > 1 else 1) == quantity


@given(
    rate=st.sampled_from(["0.15", "0.075", "3", "15", "0.3", "3.75", "0.027", "1.25", "10"]),
    quantity=st.integers(1, 10**9),
)
def test_one_price_explains_a_row_to_the_last_digit_or_to_a_double(rate: str, quantity: int) -> None:
    """The price of the price list, for a million, a thousand or one token; or what is nearest as a double."""
    pico = int(Decimal(rate) * 10**6) * quantity
    found = row(quantity=quantity, list_pico=pico, cost_pico=pico)
    price, count = Decimal(found["ListUnitPrice"]), Decimal(found["PricingQuantity"])
    per = {"1000000 Tokens": 6, "1000 Tokens": 3, "Tokens": 0}.get(found["PricingUnit"])
    if per is None:
        assert (found["PricingUnit"], count, price) == (f"{quantity} Tokens", Decimal(1), Decimal(found["ListCost"]))
    else:
        listed = Decimal(rate).scaleb(per - 6)
        assert price == listed or abs(price / listed - 1) < Decimal("1e-15")


def test_a_day_of_several_prices_has_their_mean() -> None:
    """Of 3 tokens that cost a dollar there is no decimal price; the product of the double is the cost."""
    found = row(quantity=3, list_pico=10**12, cost_pico=10**12)
    assert (found["PricingUnit"], found["ListUnitPrice"]) == ("1000000 Tokens", "333333.3333333333")


def test_tokens_that_were_taken_back_have_the_price_they_had() -> None:
    """A closed month is corrected in a later one, by as much as was too much."""
    found = row(quantity=-2_600, list_pico=-390_000_000, cost_pico=-390_000_000)
    taken = ("ChargeClass", "ConsumedQuantity", "PricingQuantity", "ListUnitPrice", "BilledCost")
    assert [found[name] for name in taken] == ["Correction", "-2600", "-0.0026", "0.15", "-0.00039"]


def test_a_price_that_was_restated_is_a_cost_without_a_quantity() -> None:
    """The same tokens cost less: there is no price for none of them, and then no id of a price either."""
    found = row(quantity=0, list_pico=0, cost_pico=-5)
    assert (found["ChargeClass"], found["EffectiveCost"], found["x_Quantity"]) == ("Correction", "-0.000000000005", "0")
    assert not any(found[name] for name in PRICED)
    assert found["SkuId"] == "direct:openai/gpt-4o-mini#input_token"


@given(name=names)
@example(name="=1+1")
@example(name="-0.28")
def test_names_are_read_back_and_none_is_run(name: str) -> None:
    """In columns of texts they are guarded; inside of JSON they need not be."""
    found = row(plan=name, customer=name, project=name, key=name)
    for column in ("x_Plan", "x_Customer", "SubAccountId", "CredentialId"):
        assert unguarded(found[column]) == name
    assert json.loads(found["Tags"]).get("plan", "") == name
