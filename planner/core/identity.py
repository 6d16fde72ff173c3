"""Which weights a spelling means: a registered id of OpenRouter's, a curated row, or nothing yet."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from planner.core.decode import decode

OPENROUTER = "openrouter"
CANONICAL = re.compile(r"[a-z0-9-]+/[a-z0-9._-]+", re.ASCII)
"""How a canonical model is written: author/name."""
_PUNCTUATION = re.compile(r"[-_.:/@+~]")


def canonical_model(channel: str, provider: str, spelling: str, aliases: Mapping[tuple[str, str], str]) -> str | None:
    """Return the canonical model of a spelling, byte for byte, or None while nobody has settled it.

    ``aliases`` are the curated rows; registered ids stand among them as OpenRouter's own, since its ids without their
    ``:variant`` are canonical by this registry's definition. Everything else needs a curated alias of the provider, or
    of the broker: of the spelling as it came, or of what is left once the documented grammar of `planner.core.decode`
    is taken off. A row for the whole spelling goes before any decoding.
    """
    if channel == OPENROUTER:
        return aliases.get((OPENROUTER, spelling), aliases.get((OPENROUTER, spelling.partition(":")[0])))
    place: tuple[str, str] | None = (provider if channel == "direct" else channel, spelling)
    while place is not None:
        settled = aliases.get(place)
        if settled is not None:
            return settled
        place = decode(*place)
    return None


def new_ids(claimed: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the ids a feed may register by itself: well written, and not to be mistaken for another one.

    An id that differs from a known one, or from another new one, only by case or punctuation is a look-alike until a
    person says otherwise. Such likeness is looked for here only, and never used to match anything.
    """
    fresh = dict.fromkeys(claimed).keys() - set(known)
    likenesses = Counter(_folded(id_) for id_ in {*known, *fresh})
    return sorted(id_ for id_ in fresh if CANONICAL.fullmatch(id_) and likenesses[_folded(id_)] == 1)


def _folded(id_: str) -> str:
    return _PUNCTUATION.sub("", id_.casefold())
