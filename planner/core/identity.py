"""Which weights a spelling means: this registry's definition, a curated row, or nothing yet."""

from collections.abc import Mapping

from planner.core.decode import decode

OPENROUTER = "openrouter"


def canonical_model(channel: str, provider: str, spelling: str, aliases: Mapping[tuple[str, str], str]) -> str | None:
    """Return the canonical model of a spelling, byte for byte, or None while nobody has settled it.

    OpenRouter's own ids are canonical once their ``:variant`` is taken off; that is this registry's
    definition, not a guess. Everything else needs a curated alias of the provider, or of the broker: of the
    spelling as it came, or of what is left once the documented grammar of `planner.core.decode` is taken off.
    A row for the whole spelling goes before any decoding.
    """
    if channel == OPENROUTER:
        model = spelling.partition(":")[0]
        return None if model.startswith("~") else aliases.get((OPENROUTER, spelling), model)
    place: tuple[str, str] | None = (provider if channel == "direct" else channel, spelling)
    while place is not None:
        settled = aliases.get(place)
        if settled is not None:
            return settled
        place = decode(*place)
    return None
