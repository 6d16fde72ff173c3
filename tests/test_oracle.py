"""338 usages priced by two other engines: planner gives the same dollars, and refuses where they should have."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Context as DecimalContext
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import pytest

from planner.core.claim import Claim
from planner.core.cost import cost
from planner.core.errors import InvalidInput, NoAnswer
from planner.core.names import ProviderNames
from planner.core.price import Band, Context, Rate, RateTable, UnitPrice, When
from planner.core.units import Unit
from planner.core.usage import Usage
from planner.flows.seeds import curated_rows
from planner.places import seeds_dir
from planner.sources import RECORDED
from planner.sources.litellm_grammar import rate_table
from tests.data import shared

Case = dict[str, Any]

EXCLUDED_TAGS = {"lenient", "bad_data", "unpriced"}
EXCLUDED_IDS = {"G0231", "G0272", "G0317"}

COUNTS = {
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
    "cache_write_5m": "cache_write_5m_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "reasoning": "reasoning_tokens",
    "input_audio": "input_audio_tokens",
    "input_image": "input_image_tokens",
    "input_video": "input_video_tokens",
    "cache_audio_read": "cache_read_audio_tokens",
    "output_audio": "output_audio_tokens",
    "output_image": "output_image_tokens",
    "input_characters": "characters",
}
GENAI_UNITS = {
    "input_mtok": Unit.INPUT,
    "output_mtok": Unit.OUTPUT,
    "cache_read_mtok": Unit.CACHE_READ,
    "cache_write_mtok": Unit.CACHE_WRITE_5M,
    "cache_write_1h_mtok": Unit.CACHE_WRITE_1H,
    "input_audio_mtok": Unit.INPUT_AUDIO,
    "input_image_mtok": Unit.INPUT_IMAGE,
    "input_video_mtok": Unit.INPUT_VIDEO,
    "cache_audio_read_mtok": Unit.CACHE_READ_AUDIO,
    "cache_image_read_mtok": Unit.CACHE_READ_IMAGE,
    "output_audio_mtok": Unit.OUTPUT_AUDIO,
    "output_image_mtok": Unit.OUTPUT_IMAGE,
    "web_searches_kcount": Unit.WEB_SEARCH,
    "storage_searches_kcount": Unit.FILE_SEARCH,
    "requests_kcount": Unit.REQUEST,
    "input_document_kpages": Unit.PAGE,
    "input_annotated_document_kpages": Unit.ANNOTATED_PAGE,
    "audio_hours": Unit.AUDIO_SECOND,
    "input_audio_hours": Unit.AUDIO_SECOND,
    "input_mchars": Unit.CHARACTER,
}


@cache
def cases() -> tuple[Case, ...]:
    """Return every recorded case."""
    text = shared("oracle", "engine_cases.jsonl").read_text("utf-8")
    return tuple(json.loads(line, parse_float=Decimal) for line in text.splitlines())


def bucket(case: Case) -> str:
    """Say what a case is for: compared, refused, or why it is left out."""
    if EXCLUDED_TAGS & set(case["tags"]) or "likely upstream defect" in (case.get("note") or ""):
        return "left out: wrong on purpose"
    if case["id"] in EXCLUDED_IDS:
        return "left out by id"
    if "expected_error" in case:
        return "must refuse" if "error" in case["tags"] else "left out: the engine lacks the model"
    return "compared"


def usage_of(case: Case) -> Usage:
    """Translate a case's usage."""
    return Usage.of({COUNTS.get(name, name): count for name, count in case["usage"].items()})


def rates_of(case: Case) -> RateTable:
    """Translate the rate card a case carries."""
    if case["source"].startswith("litellm"):
        return rate_table(case["rates"], inclusive=case["provider"] == "xai", unmapped=[])
    return RateTable({GENAI_UNITS[key]: _genai(price) for key, price in case["rates"].items()})


def _genai(price: Mapping[str, Any]) -> UnitPrice:
    bands = [
        Band(When(input_tokens_gt=tier["total_input_tokens_gt"]), Rate(Decimal(tier["usd"]), price["per"]))
        for tier in price.get("tiers", ())
    ]
    return UnitPrice(Rate(Decimal(price["usd"]), price["per"]), tuple(bands))


def context_of(case: Case) -> Context:
    """Translate a case's circumstances; the genai rates are those of the tier already."""
    stated = case["context"]
    if case["source"].startswith("genai"):
        return Context()
    return _stated_context(stated)


def _stated_context(stated: Mapping[str, Any]) -> Context:
    # Asked for two at once, the engine takes the tier before the batch; planner is asked for one.
    tier = stated.get("service_tier", "batch" if stated.get("processing") == "batch" else "standard")
    return Context(tier, stated.get("data_residency"))


def moment_of(case: Case) -> datetime:
    """Return when a case's request ran."""
    return datetime.fromisoformat(case["timestamp"]).astimezone(UTC)


def agrees(case: Case, found: Fraction) -> bool:
    """Tell whether a sum is the expected one: genai exactly (28 digits), litellm's doubles at 1e-9."""
    expected = Decimal(case["expected_usd_total"])
    if case["source"].startswith("genai"):
        digits = DecimalContext(prec=28)
        return digits.divide(Decimal(found.numerator), Decimal(found.denominator)) == expected
    return abs(found - Fraction(expected)) <= Fraction(expected) * Fraction(1, 10**9)


def test_no_case_is_skipped_silently(capsys: pytest.CaptureFixture[str]) -> None:
    """Every case has a bucket, and the buckets have the sizes that were looked at."""
    counts = Counter(bucket(case) for case in cases())
    with capsys.disabled():
        print(f"\noracle: {dict(counts)}")
    assert counts.total() == 338
    assert counts["compared"] == 328
    assert counts["must refuse"] == 4


def test_every_compared_case_costs_the_same() -> None:
    """Priced with the rate card it carries, each case gives the other engine's dollars."""
    wrong = []
    for case in cases():
        if bucket(case) == "compared":
            found = cost(usage_of(case), rates_of(case), moment_of(case), context_of(case)).exact_usd
            if not agrees(case, found):
                wrong.append((case["id"], str(found), case["expected_usd_total"]))
    assert wrong == []


def test_error_cases_refuse() -> None:
    """Impossible usage and unknown models are refused, never priced."""
    card = RateTable.flat({Unit.INPUT: Rate(Decimal(1)), Unit.OUTPUT: Rate(Decimal(1))})
    for case in cases():
        if bucket(case) == "must refuse" and case["id"] != "G0344":
            with pytest.raises((InvalidInput, NoAnswer)):
                cost(usage_of(case), card, moment_of(case))
    # G0344 asks for a model nobody has; no claim of the recorded file answers to it.
    assert ("openai", "no-such-model-xyz") not in claims(
        "genai_prices", "genai_prices/genai_prices_v2_2026-08-21.json.gz"
    )


@cache
def claims(source: str, path: str) -> dict[tuple[str, str], Claim]:
    """Parse a recorded feed with its adapter: (provider word, model spelling) -> claim."""
    import gzip

    rows = [row for row in curated_rows(seeds_dir())["provider_spellings"] if row["feed"] == source]
    names = ProviderNames(
        {row["spelling"]: row["provider_id"] for row in rows if row["channel_id"] == "direct"},
        {row["spelling"]: row["provider_id"] for row in rows if row["channel_id"] == row["provider_id"]},
    )
    body = gzip.decompress(shared(*path.split("/")).read_bytes())
    reading = RECORDED[source](body, names, datetime(2026, 11, 23, tzinfo=UTC))
    # An offer without a region comes last, so that it stands for its name.
    ordered = sorted(reading.claims, key=lambda claim: claim.facts.region is None)
    return {
        (word, claim.facts.model_spelling): claim
        for claim in ordered
        for word in (row["spelling"] for row in rows if row["provider_id"] == claim.facts.provider)
    }


@cache
def engine_claims() -> dict[tuple[str, str], Claim]:
    """Parse the engine's own list, written in the form of its file: (provider word, model id) -> claim."""
    from genai_prices import data

    def price(value: Any) -> Any:
        if hasattr(value, "tiers"):
            tiers = [{"start": tier.start, "price": str(tier.price)} for tier in value.tiers]
            return {"base": str(value.base), "tiers": tiers}
        return str(value)

    def table(prices: Any) -> dict[str, Any]:
        return {key: price(value) for key, value in vars(prices).items() if value is not None}

    def constraint(stated: Any) -> dict[str, str] | None:
        return None if stated is None else {key: str(value) for key, value in vars(stated).items()}

    def prices(model: Any) -> Any:
        if not isinstance(model.prices, list):
            return table(model.prices)
        return [{"constraint": constraint(entry.constraint), "prices": table(entry.prices)} for entry in model.prices]

    def variants(model: Any) -> list[dict[str, Any]]:
        listed = model.price_variants or []
        return [{"when": v.when, "prices": table(v.prices), "constraint": constraint(v.constraint)} for v in listed]

    providers = [
        {
            "id": provider.id,
            "models": [{"id": m.id, "prices": prices(m), "price_variants": variants(m)} for m in provider.models],
        }
        for provider in data.providers
    ]
    reading = RECORDED["genai_prices"](
        json.dumps(providers).encode(), ProviderNames(), datetime(2026, 11, 23, tzinfo=UTC)
    )
    return {(claim.facts.provider, claim.facts.model_spelling): claim for claim in reading.claims}


def catalogue_result(case: Case) -> str:
    """Price a case on the adapter's claim at its own moment and context, and say how it compares."""
    genai = case["source"].startswith("genai")
    if genai:
        claim = engine_claims().get((case["matched_provider"], case["matched_model"]))
    else:
        found = claims("litellm", "litellm/litellm_prices_v1.109.1.json.gz")
        claim = found.get((case["provider"], case["model"].partition("/")[2] or case["model"]))
    if claim is None:
        return "not in the recorded file"
    rates = claim.rates_at(moment_of(case))
    if rates is None:
        return "no price then"
    try:
        total = cost(usage_of(case), rates, moment_of(case), _stated_context(case["context"])).exact_usd
    except (InvalidInput, NoAnswer):
        return "tier or unit not in the recorded file"
    return "same dollars" if agrees(case, total) else "other dollars"


# Where planner refuses, or has no such offer, and the engine answers with another price; each looked at.
OTHERWISE = {
    "G0172": "azure has no price for it of its own: the engine takes openai's",
    "G0327": "azure has no price for it of its own: the engine takes anthropic's",
    "G0194": "batch has no price for cached reads: the engine takes the standard one",
    "G0204": "batch has no price for cached reads: the engine takes the standard one",
    "G0338": "the tier begins a day later: the engine takes the standard price",
    "G0339": "no tier is spelled FLEX: the engine takes the standard price",
    "L0619": "the price came with the request: no list has it",
}


def test_every_case_costs_the_same_through_the_adapters(capsys: pytest.CaptureFixture[str]) -> None:
    """Priced on adapter-parsed claims at its own moment and context, each case gives the other engine's dollars.

    Bands of length, tier, batch, region, hour and weekday, dated prices and audio are among them. What planner
    refuses instead is listed with its reason, and nothing costs other dollars.
    """
    results: Counter[tuple[str, str]] = Counter()
    otherwise = {}
    for case in cases():
        if bucket(case) == "compared":
            result = catalogue_result(case)
            results[case["source"][:7], result] += 1
            if result != "same dollars":
                otherwise[case["id"]] = result
    with capsys.disabled():
        print(f"through the adapters: {dict(results)}")
    assert otherwise.keys() == OTHERWISE.keys()
    assert "other dollars" not in otherwise.values()
