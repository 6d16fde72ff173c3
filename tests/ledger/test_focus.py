"""FOCUS: a bill has one row for every meter, and what counts is EffectiveCost."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from planner.core.event import Event, Role, StatedBy
from planner.core.invoice import InvoiceLine
from planner.ledger import focus
from planner.ledger.containment import judged
from planner.ledger.format import Read, Skipped
from planner.ledger.reading import open_file
from tests.data import shared
from tests.ledger.samples import CHARGE, GIVEN, csv_text, events, opened, refused

(CHARGES,) = focus.FORMATS


def read(folder: Path, **changes: Any) -> Event:
    """Read one charge that differs from the sample in some columns."""
    (event,) = events(CHARGES, opened(folder, csv_text({**CHARGE, **changes})))
    return event


def details(**keys: str) -> str:
    """Write the details of a price."""
    return json.dumps({"ModelId": "saturn-5", **keys})


def test_a_charge_of_tokens_is_an_aggregate_of_its_period(tmp_path: Path) -> None:
    """3.25 times a million tokens, at what they really cost; how many requests they were in is not said."""
    event = read(tmp_path)
    assert event == Event(
        source="stream",
        id=event.id,
        at=datetime(2026, 9, 3, tzinfo=UTC),
        until=datetime(2026, 9, 4, tzinfo=UTC),
        counts={"requests": 0, "input_tokens": 3_250_000},
        includes_cached=False,
        provider="Solora AI",
        model="saturn-5",
        plan="team",
        project="sub-9",
        key="key-9",
        tags={"plan": "team", "charge_category": "Usage"},
        stated_usd=Decimal("9.75"),
        stated_by=StatedBy.PROVIDER,
        rateable=False,
    )
    assert (CHARGES.role, CHARGES.mutable) == (Role.EVIDENCE, True)


def test_it_is_the_same_in_every_layout(tmp_path: Path) -> None:
    """With the same id, whether details are a text, an object or a map, and moments have their zone or not."""
    row = {**CHARGE, "SkuPriceDetails": json.loads(CHARGE["SkuPriceDetails"]), "Tags": {"plan": "team"}}
    nested = {"SkuPriceDetails", "Tags"}
    texts = ", ".join(f"'{value}' AS {name}" for name, value in CHARGE.items() if name not in nested)
    maps = "MAP {'TokenDirection': 'Input', 'ModelId': 'saturn-5', 'TokenCacheAction': 'Uncached'} AS SkuPriceDetails"
    kinds = "ChargePeriodStart::TIMESTAMP AS ChargePeriodStart, EffectiveCost::DECIMAL(18, 4) AS EffectiveCost"
    inner = f"SELECT {texts}, {maps}, MAP {{'plan': 'team'}} AS Tags"
    with duckdb.connect(":memory:") as engine:
        engine.sql(f"SELECT * REPLACE ({kinds}) FROM ({inner})").write_parquet(str(tmp_path / "table"))  # noqa: S608  # of this test
    for body in (json.dumps([row]).encode(), (tmp_path / "table").read_bytes()):
        file = opened(tmp_path, body)
        assert CHARGES.knows(file) == "it has the columns of a FOCUS dataset"
        assert events(CHARGES, file) == [read(tmp_path)]


@pytest.mark.parametrize(
    ("keys", "count"),
    [
        ({"TokenDirection": "Input"}, "input_tokens"),
        ({"TokenDirection": "Input", "TokenCacheAction": "Read"}, "cache_read_tokens"),
        ({"TokenDirection": "Input", "TokenCacheAction": "Write"}, "cache_write_tokens"),
        ({"TokenDirection": "Output"}, "output_tokens"),
    ],
)
def test_a_meter_is_of_one_count(keys: dict[str, str], count: str, tmp_path: Path) -> None:
    """By the direction of its tokens and what the cache did with them."""
    event = read(tmp_path, SkuPriceDetails=details(**keys))
    assert event.counts == {"requests": 0, count: 3_250_000}


@pytest.mark.parametrize(
    ("quantity", "unit", "tokens"),
    [
        ("500000.0", "Tokens", 500_000),
        ("1", "Token", 1),
        ("1.5", "1000 Tokens", 1_500),
        ("8.400000000000001", "1000000 Tokens", 8_400_000),
        ("1E+3", "Tokens", 1_000),
    ],
)
def test_a_quantity_times_its_unit_is_tokens(quantity: str, unit: str, tokens: int, tmp_path: Path) -> None:
    """Also where it went through a double."""
    assert read(tmp_path, ConsumedQuantity=quantity, ConsumedUnit=unit).counts["input_tokens"] == tokens


@pytest.mark.parametrize(
    "changes",
    [
        {"ConsumedUnit": "1000000 Token-Hours"},
        {"ConsumedUnit": "Hours"},
        {"ConsumedUnit": ""},
        {"ConsumedQuantity": ""},
        {"SkuPriceDetails": ""},
        {"SkuPriceDetails": details(TokenDirection="Input", TokenCacheAction="Other")},
    ],
)
def test_what_are_no_tokens_is_a_cost_alone(changes: dict[str, str], tmp_path: Path) -> None:
    """Storage by the hour, or an older export without the keys."""
    event = read(tmp_path, **changes)
    assert (event.counts, event.stated_usd) == ({"requests": 0}, Decimal("9.75"))


def test_what_is_bought_counts_where_it_is_used(tmp_path: Path) -> None:
    """A commitment has cost nothing yet, whatever was billed; its drawdown costs what it covers."""
    bought = {"ChargeCategory": "Purchase", "BilledCost": "500000.00", "EffectiveCost": "0", "ConsumedQuantity": ""}
    file = opened(tmp_path, csv_text({**CHARGE, **bought}, CHARGE))
    skipped, _read = CHARGES.read(file, GIVEN)
    assert isinstance(skipped, Skipped)
    assert "EffectiveCost: 0" in skipped.reason
    assert sum(event.stated_usd or 0 for event in events(CHARGES, file)) == Decimal("9.75")


def line(folder: Path, **changes: Any) -> InvoiceLine:
    """Read one charge that is no row of usage in dollars."""
    (read,) = CHARGES.read(opened(folder, csv_text({**CHARGE, **changes})), GIVEN)
    assert isinstance(read, Read)
    assert isinstance(read.said, InvoiceLine)
    return read.said


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"ChargeCategory": "Tax", "EffectiveCost": "1.95"}, "tax"),
        ({"ChargeCategory": "Credit", "EffectiveCost": "-3.00"}, "credit"),
        ({"ChargeCategory": "Credit", "EffectiveCost": "3.00"}, "adjustment"),
        ({"ChargeCategory": "Purchase", "EffectiveCost": "20.00"}, "fee"),
        ({"ChargeCategory": "Adjustment", "EffectiveCost": "-0.50"}, "adjustment"),
        ({"CommitmentDiscountStatus": "Unused", "EffectiveCost": "7"}, "fee"),
    ],
)
def test_other_charges_are_lines_of_an_invoice(changes: dict[str, str], kind: str, tmp_path: Path) -> None:
    """A credit is less than nothing, one that is taken back an adjustment, and what is bought this month a fee."""
    found = line(tmp_path, **{"ConsumedQuantity": "", "ConsumedUnit": "", **changes})
    assert (found.kind.value, found.amount, found.unit, found.provider) == (
        kind, Decimal(changes["EffectiveCost"]), None, "Solora AI",
    )  # fmt: skip


def test_usage_that_is_taken_back_or_is_no_dollars_is_a_line_of_an_invoice(tmp_path: Path) -> None:
    """With its quantity and its list price: no row of usage has less than nothing, or an amount in euros."""
    back = line(tmp_path, ConsumedQuantity="-5", ConsumedUnit="Tokens", EffectiveCost="-0.15", ChargeClass="Correction")
    assert (back.kind.value, back.unit, back.quantity, back.amount) == ("usage", "input_token", -5, Decimal("-0.15"))
    euros = line(tmp_path, BillingCurrency="EUR", ListCost="10")
    assert (euros.currency, euros.quantity, euros.list_amount, euros.model) == (
        "EUR", 3_250_000, Decimal(10), "saturn-5",
    )  # fmt: skip
    assert read(tmp_path, ListCost="10.50").tags["list_usd"] == "10.5"


def test_services_that_are_no_generative_ai_are_skipped(tmp_path: Path) -> None:
    """A bill has machines and storage too; a row that names a model is read wherever it stands."""
    other = {"ServiceCategory": "Compute", "SkuPriceDetails": ""}
    vision = {"ServiceSubcategory": "Machine Learning", "SkuPriceDetails": ""}
    hosted = {"ServiceCategory": "Compute"}
    file = opened(tmp_path, csv_text(*({**CHARGE, **changes} for changes in (other, vision, hosted))))
    assert [isinstance(row, Skipped) for row in CHARGES.read(file, GIVEN)] == [True, True, False]


def test_a_charge_is_named_by_what_it_is_and_not_by_its_figures(tmp_path: Path) -> None:
    """A later export that corrects a cost speaks of the same charge; equal charges are told apart by their order."""
    first, second, other = (
        event.id
        for event in events(CHARGES, opened(tmp_path, csv_text(CHARGE, CHARGE, {**CHARGE, "CredentialId": "key-10"})))
    )
    assert len({first, second, other}) == 3
    assert read(tmp_path, EffectiveCost="9.80", ConsumedQuantity="3.26").id == first
    assert read(tmp_path, ChargePeriodStart="2026-09-02T00:00:00Z").id != first


def test_older_versions_name_the_provider_in_one_column(tmp_path: Path) -> None:
    """ServiceProviderName and HostProviderName are of 1.3."""
    assert read(tmp_path, ServiceProviderName="").provider == "Aura Web"
    older = {name: value for name, value in CHARGE.items() if name not in ("ServiceProviderName", "HostProviderName")}
    (event,) = events(CHARGES, opened(tmp_path, csv_text({**older, "ProviderName": "Solora"})))
    assert event.provider == "Solora"


def test_a_charge_that_cannot_be_read_is_refused_by_its_column(tmp_path: Path) -> None:
    """A currency is three letters, and half a token is none."""
    wrong = (
        {"BillingCurrency": "euros"},
        {"ChargeCategory": "Gift"},
        {"EffectiveCost": ""},
        {"ChargePeriodStart": ""},
        {"ChargePeriodEnd": "2026-09-03T00:00:00Z"},
        {"ConsumedQuantity": "0.0000005"},
        {"SkuPriceDetails": "{"},
    )
    body = csv_text(*({**CHARGE, **changes} for changes in wrong))
    found = refused(CHARGES.read(opened(tmp_path, body), GIVEN))
    assert [reason.partition(":")[0] for _place, reason in found] == [
        *("currency", "ChargeCategory", "EffectiveCost", "ChargePeriodStart"),
        *("until", "ConsumedQuantity", "SkuPriceDetails"),
    ]


@pytest.mark.parametrize(
    ("name", "tokens", "cost"),
    [
        ("ai_prompt_caching_a", 12_000_000, "33.9"),
        ("ai_prompt_caching_b", 12_000_000, "38.4"),
        ("cached_tokens_via_csp_marketplace", 65_000_000, "47.50"),
        ("drawdown_via_prepayment_ai_model_api", 6_500_000, "50.00"),
        ("per_token_ai_model_api", 10_500_000, "94.50"),
    ],
)
def test_the_recorded_samples(name: str, tokens: int, cost: str) -> None:
    """All their tokens and their effective costs; prompts never contain what another meter counts."""
    found = events(CHARGES, open_file(shared("usage", "focus", f"{name}.csv")))
    assert sum(sum(event.counts.values()) for event in found) == tokens
    assert sum(event.stated_usd or 0 for event in found) == Decimal(cost)
    assert {verdict.includes_cached for verdict in judged(found, None).values()} == {False}
