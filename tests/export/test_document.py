"""A recommendation has one name: the same question, state and chain give it, and anything else gives another."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from planner.core.plan import Needs
from planner.core.recommend import recommend
from planner.core.usage import Usage
from planner.core.workload import Habits
from planner.export.document import Recommendation, _written
from tests import make
from tests.export.test_litellm import GROQ, contract
from tests.export.test_openrouter import endpoint

OFFERS = {GROQ: make.rates("1", "1"), endpoint("a/b", "acme"): make.rates("2", "2")}


def found(revision: int = 1, price: str = "1", **asked: Any) -> Recommendation:
    """Recommend among two offers."""
    catalogue = make.catalogue({**OFFERS, GROQ: make.rates(price, "1")}, revision=revision, contracts=(contract(10),))
    ask = make.ask(**asked)
    return Recommendation(ask, recommend(catalogue, ask), catalogue, make.NOON, "pro", "chat")


def test_the_same_has_the_same_id_at_any_time() -> None:
    """Asked a day later, in whatever order sets happen to be, it is the same recommendation."""
    later = make.NOON.replace(day=25)
    assert found().id == found(at=later, decided_at=later).id


@pytest.mark.parametrize(
    "other",
    [
        found(revision=2),
        found(usage=Usage(input_tokens=1_000, output_tokens=501)),
        found(requests=2),
        found(needs=Needs(context_tokens=None, service_tiers=("standard", "flex"))),
        found(economics=make.economics()),
        found(fallbacks=1),
        found(policy=replace(make.OPEN, version=2)),
        replace(found(), task="extract"),
    ],
)
def test_anything_else_has_another_id(other: Recommendation) -> None:
    """State, question, policy, plan and task."""
    assert other.id != found().id


def test_the_document_carries_all_an_export_rests_on() -> None:
    """Prices with those of the cache, discounts, fees, evidence and reasons, in order."""
    shape = found().shape()
    assert shape["chain"][0] == {
        "place": 1,
        "offer": "direct:groq/small",
        "model": "acme/small",
        "model_spelling": "small",
        "provider": "groq",
        "channel": "direct",
        "service_tier": "standard",
        "price_version": "direct:groq/small#1",
        "rates": [
            {"unit": "input_token", "usd": "1", "per": 1_000_000},
            {"unit": "output_token", "usd": "1", "per": 1_000_000},
        ],
        "discount_share": "0.1",
        "fee_share": "0",
        "cost_usd": "0.00135",
        "list_cost_usd": "0.0015",
        "terms_evidence": [],
        "reasons": ["cheapest: first of 2 offers that pass", "discounted by contract ours"],
    }
    second = shape["chain"][1]["reasons"]
    assert second == ["fallback 1: costs 0.00165 USD more a request", "no earlier link has its provider"]
    assert (shape["policy"], shape["valid_until"]) == ({"name": "open", "version": 1}, "2026-11-24T12:00:00Z")


def test_a_workload_with_habits_is_digested_exactly() -> None:
    """Thirds have no decimals, and still one text each; what has no text is refused."""
    ask = found().ask
    habits = replace(ask.workload, habits=Habits(reasoning_multiplier=Fraction(17, 3)))
    assert replace(found(), ask=replace(ask, workload=habits)).input_digest != found().input_digest
    with pytest.raises(TypeError, match="float"):
        _written({"a": [0.5]})
