"""What brokers and catalogues say: one file per feed, each with a fetch (bytes) and a parse (claims)."""

from collections.abc import Callable
from datetime import datetime

from planner.core.claim import Reading
from planner.core.names import ProviderNames
from planner.sources.arena import Arena
from planner.sources.artificial_analysis import ArtificialAnalysis
from planner.sources.cerebras import Cerebras
from planner.sources.deepinfra import DeepInfra
from planner.sources.feed import Source
from planner.sources.genai_prices import GenaiPrices, parse_v1
from planner.sources.huggingface import HuggingFace
from planner.sources.litellm import LiteLLM
from planner.sources.models_dev import ModelsDev
from planner.sources.openrouter import OpenRouter
from planner.sources.portkey import Portkey
from planner.sources.requesty import Requesty
from planner.sources.vercel import Vercel

ADAPTERS: dict[str, Source] = {
    source.name: source
    for source in (
        OpenRouter(), LiteLLM(), ModelsDev(), GenaiPrices(), Requesty(), HuggingFace(), Vercel(), DeepInfra(),
        Cerebras(), Portkey(), ArtificialAnalysis(), Arena(),
    )
}  # fmt: skip
"""The feeds planner can read, by name; which of them are refreshed is a setting."""

Recorded = Callable[[bytes, ProviderNames, datetime], Reading]


def _recorded(source: Source) -> Recorded:
    return lambda body, names, observed_at: source.parse({source.file_url: body}, names, observed_at)


RECORDED: dict[str, Recorded] = {
    **{name: _recorded(source) for name, source in ADAPTERS.items()},
    "genai_prices_v1": parse_v1,
}
"""Everything a bundle can be written from: the feeds, and files that are not refreshed any more."""
