"""OpenRouter's shares of cached prompt tokens: whose they are, what is left out, and that prices never depend on them.

No answer of this undocumented address was recorded. The payloads here are made in the shape that was seen of it, and
come from a server on loopback.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from planner.configured import enabled
from planner.core.claim import Reading
from planner.settings import Settings
from planner.sources.openrouter import MODELS_PATH, PROVIDERS_PATH
from planner.sources.openrouter_caching import PATH, TOKENS_MIN, shares_url
from tests.loopback import Feed
from tests.sources.golden import OBSERVED, names

ID, SLUG = "deepseek/deepseek-v3.2", "deepseek/deepseek-v3.2-20251201"
SHARES = f"{PATH}?permaslug=deepseek%2Fdeepseek-v3.2-20251201&variant=standard"
NOVITA, DEEPINFRA = "openrouter:novita/deepseek/deepseek-v3.2@fp8", "openrouter:deepinfra/deepseek/deepseek-v3.2@fp4"
TAGS = ("novita/fp8", "deepinfra/fp4")


def summary(slug: str = "novita", rate: Any = 0.9355, tokens: Any = TOKENS_MIN) -> dict[str, Any]:
    """Return what is said of one provider."""
    return {
        "endpointId": "9b918aa8-0000-4000-8000-000000000000", "providerSlug": slug, "effectiveInputPrice": 0.0860,
        "effectiveOutputPrice": 1.1988, "cacheHitRate": rate, "totalTokens": tokens,
    }  # fmt: skip


def answer(*summaries: object) -> bytes:
    """Return the answer for one model."""
    shared = {"weightedInputPrice": 0.1449, "weightedOutputPrice": 1.1256, "weightedCacheHitRate": 0.8096}
    return json.dumps({"data": {**shared, "providerSummaries": summaries}}).encode()


@contextmanager
def serving(shares: bytes, tags: tuple[str, ...] = TAGS) -> Iterator[tuple[Feed, str]]:
    """Serve one model with an endpoint for each tag, and the shares; nothing else is answered."""
    feed, pricing = Feed(), {"prompt": "0.000001", "completion": "0.000002", "input_cache_read": "0.0000001"}
    feed.body = b"nothing"
    model = {"id": ID, "canonical_slug": SLUG, "name": "DeepSeek V3.2"}
    endpoints = [{"tag": tag, "pricing": pricing, "context_length": 131_072} for tag in tags]
    feed.paths = {
        MODELS_PATH: json.dumps({"data": [model]}).encode(),
        f"{MODELS_PATH}/{ID}/endpoints": json.dumps({"data": {"endpoints": endpoints}}).encode(),
        PROVIDERS_PATH: b'{"data": []}',
        SHARES: shares,
    }
    with feed.serving() as url:
        yield feed, url


def read(url: str, *, asked: bool = True) -> Reading:
    """Fetch and parse, as the settings say."""
    settings = Settings(sources="openrouter", openrouter_url=url, openrouter_effective=asked)
    ((source, base_url),) = enabled(settings).values()
    payloads = asyncio.run(source.fetch(base_url, {}, lambda *_: None))
    return source.parse({p.url: p.body for p in payloads}, names("openrouter"), OBSERVED)


def shares_of(reading: Reading) -> dict[str, Decimal | None]:
    """Return the share of every offer."""
    return {claim.offer_id: claim.facts.cache_hit_share for claim in reading.claims}


def without_shares(reading: Reading) -> tuple[object, ...]:
    """Return everything else that was read."""
    claims = [replace(claim, facts=replace(claim.facts, cache_hit_share=None)) for claim in reading.claims]
    return claims, reading.rows_read, reading.refused, reading.merged, reading.models, reading.scores, reading.terms


def test_a_share_is_of_the_one_offer_of_its_provider() -> None:
    """Rounded down to hundredths; the offer of which nothing is said has none."""
    with serving(answer(summary())) as (_feed, url):
        found = shares_of(read(url))
    assert found == {NOVITA: Decimal("0.93"), DEEPINFRA: None}


def test_nothing_but_the_share_is_read() -> None:
    """The prices, the offers and every count are the same whether shares are read or not."""
    with serving(answer(summary(), summary("deepinfra/fp4", 1))) as (_feed, url):
        asked, unasked = read(url), read(url, asked=False)
    assert shares_of(asked) == {NOVITA: Decimal("0.93"), DEEPINFRA: Decimal(1)}
    assert without_shares(asked) == without_shares(unasked)
    assert set(shares_of(unasked).values()) == {None}


def test_it_is_off_by_default() -> None:
    """Without the setting nobody is asked; with it, there is one request more for each model."""
    assert Settings().openrouter_effective is False
    with serving(answer(summary())) as (feed, url):
        read(url, asked=False)
        before = feed.requests
        read(url)
    assert (before, feed.requests - before) == (3, 4)


@pytest.mark.parametrize(
    ("note", "summaries", "tags"),
    [
        ("cache_share_of_several_endpoints", [summary()], ("novita/fp8", "novita/bf16")),
        ("cache_share_of_several_endpoints", [summary(), summary(rate=0.1, tokens=5)], TAGS),
        ("cache_share_of_no_offer", [summary("fireworks")], TAGS),
        ("cache_share_of_no_offer", [summary("novita/bf16")], TAGS),
        ("cache_share_of_few_tokens", [summary(tokens=TOKENS_MIN - 1)], TAGS),
        ("cache_share_of_few_tokens", [summary(tokens="79401348444")], TAGS),
        ("cache_share_unreadable", [summary(rate=1.01)], TAGS),
        ("cache_share_unreadable", [summary(rate=-0.1)], TAGS),
        ("cache_share_unreadable", [summary(rate="0.9")], TAGS),
        ("cache_share_unreadable", [summary(rate=None)], TAGS),
    ],
)
def test_what_may_be_somebody_elses_is_left_out(
    note: str, summaries: list[dict[str, Any]], tags: tuple[str, ...]
) -> None:
    """A provider with several endpoints, an unknown one, a figure of too few tokens or none: counted, not believed."""
    with serving(answer(*summaries), tags) as (_feed, url):
        found = read(url)
    assert set(shares_of(found).values()) == {None}
    assert found.notes[note] == 1


@pytest.mark.parametrize(
    "shares",
    [b"gone", b"[]", b"{}", b'{"data": null}', b'{"data": {"providerSummaries": {}}}', b'{"data": NaN}', b'{"data"'],
)
def test_an_answer_that_is_none_costs_no_price(shares: bytes) -> None:
    """The address is gone, or says something else: every offer is read, without a share, and that is counted."""
    with serving(shares) as (_feed, url):
        found, unasked = read(url), read(url, asked=False)
    assert without_shares(found) == without_shares(unasked)
    assert (set(shares_of(found).values()), found.notes["cache_shares_missing"]) == ({None}, 1)


def test_rows_that_are_none_take_no_share_away() -> None:
    """Beside words, numbers and rows without a provider the good row counts."""
    with serving(answer("novita", 7, None, {"cacheHitRate": 0.5}, summary("no vita"), summary())) as (_feed, url):
        assert shares_of(read(url))[NOVITA] == Decimal("0.93")


def test_a_name_that_moves_has_no_share_of_its_own() -> None:
    """Aliases, routers and unnamed rows are not asked for; a variant is by its own name."""
    for model in ({"id": f"~{ID}"}, {"id": "openrouter/auto"}, {"id": "a\n"}, {"id": None}, {"canonical_slug": None}):
        assert shares_url("", {"id": ID, "canonical_slug": SLUG, **model}) is None
    assert str(shares_url("", {"id": f"{ID}:free", "canonical_slug": SLUG})).endswith("&variant=free")
    assert shares_url("", {"id": ID, "canonical_slug": SLUG}) == SHARES
