"""The written form of a claim: nothing a source says is lost on the way out and back."""

import json
from dataclasses import fields
from decimal import Decimal

from planner.core.claim import Claim, Segment
from planner.core.claim_form import read_claim, write_claim
from planner.core.offer import Kind, OfferFacts, Route
from tests.make import NOON, SINCE, rates

FULL = OfferFacts(
    model_spelling="m", provider="acme", channel="broker", region="eu", quantization="fp8", service_tier="flex",
    variant="free", kind=Kind.EMBEDDING, route=Route.ROUTER, capabilities={"tools": True, "seed": False},
    input_modalities=frozenset({"text", "image"}), output_modalities=frozenset({"text"}), context_tokens=1,
    max_output_tokens=2, cacheable_tokens_min=3, requests_per_minute_max=4, tokens_per_minute_max=5, retires_at=NOON,
    uptime=Decimal("0.999"), uptime_minutes=30, cache_hit_share=Decimal("0.42"), ttft_ms=6,
    throughput_tps=Decimal("70.5"),
)  # fmt: skip
# What names an offer is stated always.
SAME = ("model_spelling", "provider")
BARE = OfferFacts(model_spelling="m", provider="acme", channel="direct")


def test_every_fact_comes_back() -> None:
    """Of a claim in which every fact is stated, as JSON."""
    claim = Claim(
        offer_id="broker:acme/m", facts=FULL, unmapped=("price_per_moon",), source_url="https://acme.example",
        segments=(Segment(SINCE, NOON, rates("1")), Segment(NOON, None, rates("2", web_search="3"))),
    )  # fmt: skip
    assert all(getattr(FULL, fact.name) != getattr(BARE, fact.name) for fact in fields(FULL) if fact.name not in SAME)
    assert read_claim(json.loads(json.dumps(write_claim(claim)))) == claim


def test_what_is_not_said_is_not_written() -> None:
    """Three facts name an offer; a claim without a price says why."""
    claim = Claim(offer_id="o", facts=BARE, unpriced="missing_price")
    written = write_claim(claim)
    assert written == {
        "offer": "o", "unpriced": "missing_price",
        "facts": {"model_spelling": "m", "provider": "acme", "channel": "direct"},
    }  # fmt: skip
    assert read_claim(written) == claim


def test_a_price_without_dates_has_none() -> None:
    """An undated segment stays undated."""
    claim = Claim(offer_id="o", facts=BARE, segments=(Segment(None, None, rates("1")),))
    assert set(write_claim(claim)["segments"][0]) == {"rates"}
    assert read_claim(write_claim(claim)) == claim
