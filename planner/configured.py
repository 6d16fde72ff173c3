"""What the settings mean for feeds and for vendors' reports: which are read, from where, and how often."""

from datetime import timedelta
from pathlib import Path

from planner.core.errors import InvalidInput
from planner.flows.refresh import Sources
from planner.flows.setup import know_layouts
from planner.flows.turn import intervals
from planner.settings import Settings
from planner.sources import ADAPTERS
from planner.sources.artificial_analysis import ArtificialAnalysis
from planner.sources.feed import Source
from planner.sources.mapping import Mapped, read_layout
from planner.sources.openrouter import OpenRouter
from planner.sources.usage_apis import VENDORS, Account
from planner.store.engine import Store


def named(settings: Settings) -> dict[str, str]:
    """Return the feeds that ``PLANNER_SOURCES`` names with their base URLs, empty where one has none of its own.

    Raises:
        InvalidInput: a feed planner has no adapter for; the names of those it has are said.
    """
    urls = settings.source_urls()
    for name in urls:
        if name not in ADAPTERS:
            raise InvalidInput("PLANNER_SOURCES", f"{name[:40]!a} is not one of {', '.join(ADAPTERS)}")
    return urls


def enabled(settings: Settings) -> Sources:
    """Return the enabled feeds with their base URLs.

    Raises:
        InvalidInput: a feed planner has no adapter for, or one without an address.
    """
    chosen: dict[str, tuple[Source, str]] = {}
    for name, url in named(settings).items():
        if not url:
            raise InvalidInput(f"PLANNER_{name.upper()}_URL", "this feed has no address of its own")
        chosen[name] = (ADAPTERS[name], url)
    if OpenRouter.name in chosen and settings.openrouter_effective:
        chosen[OpenRouter.name] = (OpenRouter(cache_shares=True), settings.openrouter_url)
    key = settings.artificial_analysis_key
    if ArtificialAnalysis.name in chosen and key is not None:
        chosen[ArtificialAnalysis.name] = (ArtificialAnalysis(key.get_secret_value()), settings.artificial_analysis_url)
    for mapped in mapped_of(settings):
        if mapped.name in ADAPTERS:
            raise InvalidInput("PLANNER_MAPPINGS", f"{mapped.name} is a feed planner has its own adapter for")
        chosen[mapped.name] = (mapped, mapped.file_url)
    return chosen


def mapped_of(settings: Settings) -> list[Mapped]:
    """Return the lists that are read by mapping files.

    Raises:
        InvalidInput: names the file and what is wrong in it.
    """
    paths = [name.strip() for name in settings.mappings.split(",") if name.strip()]
    return [Mapped(read_layout(Path(path).expanduser())) for path in paths]


def accounts_of(settings: Settings) -> dict[str, Account]:
    """Return the vendors whose reports can be pulled, since there is a key for them."""
    keys = {
        "openai": settings.openai_admin_key, "anthropic": settings.anthropic_admin_key,
        "openrouter": settings.openrouter_provisioning_key,
    }  # fmt: skip
    return {
        name: Account(
            vendor=VENDORS[name], url=str(getattr(settings, f"{name}_pull_url")), key=key.get_secret_value(),
            way=settings.anthropic_reports if name == "anthropic" else None,
        )
        for name, key in keys.items()
        if key is not None
    }  # fmt: skip


def intervals_of(store: Store, settings: Settings, sources: Sources) -> dict[str, timedelta]:
    """Return how often each enabled feed is read: by the setting, else by its own interval, else hourly."""
    know_layouts(store, [mapped.layout for mapped in mapped_of(settings)])
    if settings.refresh_minutes is not None:
        return dict.fromkeys(sources, timedelta(minutes=settings.refresh_minutes))
    own = intervals(store)
    return {name: own.get(name, timedelta(hours=1)) for name in sources}
