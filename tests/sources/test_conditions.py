"""Where a feed states a price twice, or for two conditions apart: what is not stated is not counted on as cheap."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from planner.core.money import plain
from planner.core.price import Context, RateTable
from planner.core.units import Unit
from tests.sources.golden import OBSERVED, parse


def test_two_rows_of_one_offer_cost_the_dearer_of_both() -> None:
    """Unit by unit, under every condition: neither row is a discount, and nothing either says is lost."""
    row = {"litellm_provider": "azure", "mode": "chat"}
    entries = {
        "azure_ai/gpt-9": {
            **row, "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6, "input_cost_per_token_batches": 5e-7,
        },
        "azure/gpt-9": {
            **row, "input_cost_per_token": 5e-7, "output_cost_per_token": 3e-6,
            "input_cost_per_token_above_200k_tokens": 4e-6, "input_cost_per_token_batches": 6e-7,
            "search_context_cost_per_query": {"search_context_size_medium": 0.014},
        },
    }  # fmt: skip
    (claim,) = parse("litellm", json.dumps(entries).encode()).claims
    rates = claim.segments[0].rates

    def usd(unit: Unit, tokens: int = 1, tier: str = "standard") -> Decimal:
        return rates[unit].select(Context(tier), tokens, OBSERVED).usd

    assert [usd(Unit.INPUT), usd(Unit.OUTPUT), usd(Unit.WEB_SEARCH)] == [Decimal(n) for n in ("1E-6", "3E-6", "0.014")]
    assert [usd(Unit.INPUT, 200_001), usd(Unit.INPUT, tier="batch")] == [Decimal("4E-6"), Decimal("6E-7")]


def test_two_rows_with_dated_prices_are_compared_day_by_day() -> None:
    """Where one row's price begins later than the other's, each stretch has its own dearer one."""

    def model(before: float, after: float, day: str) -> dict[str, Any]:
        later = {"constraint": {"start_date": day}, "prices": {"input_mtok": after, "output_mtok": 9}}
        return {"id": "m", "prices": [{"prices": {"input_mtok": before, "output_mtok": 9}}, later]}

    body = json.dumps([{"id": "openai", "models": [model(1, 5, "2026-03-01"), model(2, 3, "2026-06-01")]}]).encode()
    (claim,) = parse("genai_prices", body).claims
    days = [datetime(2026, month, 1, tzinfo=UTC) for month in (2, 4, 7)]
    found = [rates[Unit.INPUT].base.usd for day in days if (rates := claim.rates_at(day)) is not None]
    assert found == [2, 5, 5]


def priced(source: str, document: Any) -> dict[str, tuple[RateTable | None, tuple[str, ...]]]:
    """Read a document and return what each offer costs, and what was read and not mapped."""
    claims = parse(source, json.dumps(document).encode()).claims
    return {c.facts.model_spelling: (c.segments[0].rates if c.segments else None, c.unmapped) for c in claims}


def costs(
    table: RateTable | None, unit: Unit, tokens: int = 1, tier: str = "standard", region: str | None = None
) -> str:
    """Return the rate in force, in USD per unit."""
    assert table is not None
    price = table.get(unit)
    return (
        "none" if price is None else plain(price.select(Context(tier, region), tokens, OBSERVED).usd / price.base.per)
    )


def test_of_two_dated_prices_that_begin_on_one_day_the_dearer_counts() -> None:
    """One stretch, not two that hold at once."""
    later = [{"constraint": {"start_date": "2026-03-01"}, "prices": {"input_mtok": usd}} for usd in (7, 5)]
    prices = [{"prices": {"input_mtok": 1}}, {"prices": {"input_mtok": 2}}, *later]
    body = json.dumps([{"id": "openai", "models": [{"id": "m", "prices": prices}]}]).encode()
    (claim,) = parse("genai_prices", body).claims
    assert [part.rates[Unit.INPUT].base.usd for part in claim.segments] == [2, 7]


CHAT = {"litellm_provider": "openai", "mode": "chat", "output_cost_per_token": 1}


@pytest.mark.parametrize(
    ("prices", "asked", "usd"),
    [
        # A tier's own price from 200k on still counts where only the standard one changes again.
        (
            {"": 1, "_above_272k_tokens": 4, "_priority": 2, "_above_200k_tokens_priority": 10},
            (300_000, "priority"),
            "10",
        ),
        ({"": 1, "_above_272k_tokens": 4, "_priority": 2}, (300_000, "priority"), "4"),
        (
            {"": 1, "_above_272k_tokens": 4, "_priority": 2, "_above_272k_tokens_priority": 3},
            (300_000, "priority"),
            "3",
        ),
        # A list of ranges is the same as keys with lengths.
        ({"": 1, "_priority": 5, "tiers": 3}, (5_000, "priority"), "5"),
        ({"": 1, "_flex": 0.5, "tiers": 3}, (5_000, "flex"), "3"),
        # Hours lower the standard price of a short prompt, and nothing else.
        ({"": 2, "_priority": 5, "_above_128k_tokens": 8, "hours": 1}, (1, "standard"), "1"),
        ({"": 2, "_priority": 5, "_above_128k_tokens": 8, "hours": 1}, (200_000, "standard"), "8"),
        ({"": 2, "_priority": 5, "_above_128k_tokens": 8, "hours": 1}, (1, "priority"), "5"),
    ],
)
def test_conditions_of_one_price_do_not_undercut_each_other(
    prices: dict[str, float], asked: tuple[int, str], usd: str
) -> None:
    """Where two are met and nobody states a price for both, the dearer counts."""
    key = "input_cost_per_token"
    row: dict[str, Any] = {
        f"{key}{suffix}": value for suffix, value in prices.items() if suffix not in ("tiers", "hours")
    }
    if "tiers" in prices:
        row["tiered_pricing"] = [{"range": [0, 1000], key: prices[""]}, {"range": [1000, 9000], key: prices["tiers"]}]
    if "hours" in prices:
        row["off_peak_pricing"] = {"windows": [{"hours_utc": ["00:00-12:00"]}], key: prices["hours"]}
    ((table, unmapped),) = priced("litellm", {"m": {**CHAT, **row}}).values()
    assert (costs(table, Unit.INPUT, *asked), unmapped) == (usd, ())


def test_a_tier_dearer_than_standard_needs_a_price_for_short_prompts() -> None:
    """Stated for long prompts alone, priority is not priced: short ones would pass for standard. Flex costs no less."""
    row: dict[str, float] = {"input_cost_per_token": 1, "input_cost_per_token_above_200k_tokens_priority": 10}
    ((table, unmapped),) = priced("litellm", {"m": {**CHAT, **row}}).values()
    assert table is not None
    assert (table.service_tiers, unmapped) == (frozenset(), ("input_token priority price for long prompts alone",))
    row = {"input_cost_per_token": 1, "input_cost_per_token_above_200k_tokens_flex": 0.5}
    ((table, unmapped),) = priced("litellm", {"m": {**CHAT, **row}}).values()
    assert [costs(table, Unit.INPUT, tokens, "flex") for tokens in (1, 200_001)] == ["1", "0.5"]


def test_a_maker_with_a_price_for_what_it_makes_bills_the_picture_put_in_apart() -> None:
    """Only where nothing is said of the output, the input's price is that of the picture made; its tiers go with it."""
    row = {"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_image": 0.5}
    ((table, _),) = priced("litellm", {"m": {**row, "input_cost_per_image_batches": 0.25}}).values()
    assert [costs(table, Unit.PICTURE), costs(table, Unit.PICTURE, tier="batch")] == ["0.5", "0.25"]
    ((table, _),) = priced("litellm", {"m": {**row, "output_cost_per_image_token": 0.1}}).values()
    assert [costs(table, Unit.PICTURE), costs(table, Unit.INPUT_PICTURE)] == ["none", "0.5"]


def test_a_price_of_0_for_a_cache_is_none_at_any_length() -> None:
    """Beside a prompt that is paid for, in the base or in a band: reading the cache costs what reading anew does."""
    model = {"cost": {"input": 1, "output": 2, "cache_read": 0.1, "tiers": [
        {"tier": {"type": "context", "size": 200_000}, "input": 2, "output": 4, "cache_read": 0},
    ]}}  # fmt: skip
    ((table, unmapped),) = priced("models_dev", {"openai": {"models": {"m": model}}}).values()
    assert table is not None
    assert (table.rate_unit(Unit.CACHE_READ), unmapped) == (
        Unit.INPUT, ("cache_read_token with a price of 0 among others",),
    )  # fmt: skip


def test_of_two_prices_for_one_length_or_tier_of_models_dev_the_dearer_counts() -> None:
    """Two bands of one length, the older spelling of one, and two modes that ask for one tier."""
    size = {"tier": {"type": "context", "size": 200_000}}
    modes = {
        word: {"cost": {"input": usd}, "provider": {"body": {"service_tier": "priority"}}}
        for word, usd in (("fast", 9), ("quick", 2))
    }
    tiers = [{**size, "input": 3}, {**size, "input": 2}]
    cost = {"input": 1, "tiers": tiers, "context_over_200k": {"input": 5}}
    models = {"m": {"cost": cost, "experimental": {"modes": modes}}}
    ((table, _),) = priced("models_dev", {"openai": {"models": models}}).values()
    assert [costs(table, Unit.INPUT, 200_001), costs(table, Unit.INPUT, 1, "priority")] == ["0.000005", "0.000009"]


def test_of_two_prices_for_one_unit_of_portkey_the_dearer_counts() -> None:
    """In its blocks for batch, for standard and in a region; what has no price where one should stand is named."""
    units = {"web_search": 100, "web_search_medium_context": 350, "input_image": None}
    config = {
        "pay_as_you_go": {
            "request_token": {"price": 1},
            "additional_units": {unit: {"price": cents} for unit, cents in units.items()},
        },
        "batch_config": {"request_token": {"price": 0.5}},
        "fast_config": {"x": 1},
    }  # fmt: skip
    stated = {"default": {"batch": 0.7, "priority": 2, "standard": 1.05}, "eu": {"standard": 1.1, "flex": 1}}
    regions = {
        region: {"execution_modes": {mode: {"request_token": {"price": cents}} for mode, cents in modes.items()}}
        for region, modes in stated.items()
    }
    models = {"m": {"pricing_config": config, "custom_pricing": {"regions": regions}}}
    ((table, unmapped),) = priced("portkey", models).values()
    assert costs(table, Unit.WEB_SEARCH) == "3.5"
    assert [costs(table, Unit.INPUT, 1, tier) for tier in ("standard", "batch")] == ["0.0105", "0.007"]
    in_eu = [costs(table, Unit.INPUT, 1, tier, "eu") for tier in ("standard", "batch", "priority")]
    assert in_eu == ["0.011", "0.011", "0.02"]
    assert set(unmapped) == {"fast_config", "input_image", "input_token flex price in a region alone"}


def test_of_two_prices_of_vercel_the_dearer_counts() -> None:
    """Under both names of one list, and where a region stands twice; a price of 0 from a length on is none."""
    pricing = {
        "prompt": "1", "prompt_tiers": [{"cost": "6", "min": 200}, {"cost": "0", "min": 900}],
        "input_tiers": [{"cost": "1.5", "min": 0}, {"cost": "10", "min": 128}],
    }  # fmt: skip
    regions = [{"geo_region": "us", "pricing": {"prompt": usd}} for usd in ("3", "1.5")]
    endpoint = {"provider_name": "openai", "pricing": pricing, "inference_regions": regions}
    ((table, unmapped),) = priced("vercel", {"data": [{"id": "m", "endpoints": [endpoint]}]}).values()
    assert [costs(table, Unit.INPUT, tokens) for tokens in (1, 300, 1_000)] == ["1.5", "10", "10"]
    assert [costs(table, Unit.INPUT, tokens, region="us") for tokens in (1, 300)] == ["3", "10"]
    assert unmapped == ("prompt_tiers",)
