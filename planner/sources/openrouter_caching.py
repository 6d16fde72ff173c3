"""OpenRouter's share of cached prompt tokens, provider by provider: an undocumented answer per model.

The answer also states what requests came to at everybody's habits. No such figure is a price, so none is read; the one
share that is changes neither whether an offer is listed nor what it charges. Nobody promised the answer, so one that is
missing, or says something else, says nothing, and never stands in the way of the prices.

It names a provider and not the endpoint, so a share belongs to an offer only where that provider serves the model once.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import ROUND_FLOOR, Decimal
from typing import Any
from urllib.parse import urlencode

from planner.core.errors import FeedRefused
from planner.core.names import ProviderNames
from planner.core.offer import valid_feed_id
from planner.sources.fetch import Limits
from planner.sources.reading import count, decimal, document

PATH = "/api/frontend/v1/stats/effective-pricing"
TOKENS_MIN = 10_000_000
"""A share of fewer tokens says more of a few customers than of the provider."""
# What can be done without is asked for once and not waited for.
LIMITS = Limits(whole_seconds=30.0, tries_max=1)
_HUNDREDTH = Decimal("0.01")


def shares_url(base_url: str, model: Mapping[str, Any]) -> str | None:
    """Return where the shares of a model of the list are; None for a name that moves, or that picks a model itself."""
    id_, slug = model.get("id"), model.get("canonical_slug")
    if not isinstance(id_, str) or not isinstance(slug, str) or not valid_feed_id(id_) or not valid_feed_id(slug):
        return None
    if id_.startswith(("~", "openrouter/")):
        return None
    return f"{base_url}{PATH}?{urlencode({'permaslug': slug, 'variant': id_.partition(':')[2] or 'standard'})}"


def hit_shares(
    source: str, body: bytes, endpoints: Iterable[object], names: ProviderNames, notes: Counter[str]
) -> dict[str, Decimal]:
    """Return the share of prompt tokens read from a cache by the tag of the endpoint it belongs to, rounded down.

    Args:
        source: the feed, for the record.
        body: the answer, with its ``providerSummaries`` bare or under ``data``.
        endpoints: all endpoints of the model, with their tags.
        names: which spellings mean one provider.
        notes: where it is counted what was left out, and why.
    """
    summaries = _summaries(source, body)
    if summaries is None:
        notes["cache_shares_missing"] += 1
        return {}
    served = _by_provider(endpoints, "tag", names)
    shares: dict[str, Decimal] = {}
    for provider, stated in _by_provider(summaries, "providerSlug", names).items():
        own = served.get(provider, [])
        if len(stated) > 1 or len(own) > 1:
            notes["cache_share_of_several_endpoints"] += 1
            continue
        slug, tag = stated[0]["providerSlug"], own[0]["tag"] if own else ""
        share = decimal(stated[0].get("cacheHitRate"))
        if slug not in (tag, tag.partition("/")[0]):
            notes["cache_share_of_no_offer"] += 1
        elif (count(stated[0].get("totalTokens")) or 0) < TOKENS_MIN:
            notes["cache_share_of_few_tokens"] += 1
        elif share is None or share > 1:
            notes["cache_share_unreadable"] += 1
        else:
            shares[tag] = share.quantize(_HUNDREDTH, ROUND_FLOOR)
    return shares


def _summaries(source: str, body: bytes) -> list[Any] | None:
    try:
        answer = document(source, body)
    except FeedRefused:
        return None
    inside = answer.get("data", answer) if isinstance(answer, dict) else None
    found = inside.get("providerSummaries") if isinstance(inside, dict) else None
    return found if isinstance(found, list) else None


def _by_provider(rows: Iterable[object], key: str, names: ProviderNames) -> dict[str, list[dict[str, Any]]]:
    """Sort rows by the provider that a slug, or what a tag begins with, means; a row without one is nobody's."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        word = row.get(key) if isinstance(row, dict) else None
        if isinstance(row, dict) and isinstance(word, str) and valid_feed_id(word):
            slug = word.partition("/")[0]
            seat = names.upstream(slug)
            found.setdefault(slug if seat is None else seat.provider, []).append(row)
    return found
