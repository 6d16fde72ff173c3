"""Which weights a spelling means: a registered id of OpenRouter's, a curated row, or nothing yet."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from planner.core.decode import decode
from planner.core.offer import Kind

OPENROUTER = "openrouter"
CANONICAL = re.compile(r"[a-z0-9-]+/[a-z0-9._-]+", re.ASCII)
"""How a canonical model is written: author/name."""
_PUNCTUATION = re.compile(r"[-_.:/@+~]")
# Words of a model's name that say what it does. They only ever keep a model out of chat answers, and none into them.
_NO_CHAT = {
    "embed": Kind.EMBEDDING, "embedding": Kind.EMBEDDING, "embeddings": Kind.EMBEDDING, "bge": Kind.EMBEDDING,
    "rerank": Kind.RERANK, "reranker": Kind.RERANK, "whisper": Kind.TRANSCRIPTION, "tts": Kind.SPEECH,
    "melotts": Kind.SPEECH, "flux": Kind.IMAGE, "sdxl": Kind.IMAGE, "diffusion": Kind.IMAGE, "guard": Kind.MODERATION,
    "llamaguard": Kind.MODERATION, "qwen3guard": Kind.MODERATION, "guardian": Kind.MODERATION,
    "asr": Kind.TRANSCRIPTION, "ocr": Kind.OCR, "olmocr": Kind.OCR, "rolmocr": Kind.OCR, "mt": Kind.OTHER,
    "e5": Kind.EMBEDDING,
}  # fmt: skip


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


def kind_of(stated: Kind, spelling: str, curated: Kind | None) -> Kind:
    """Return what an offer does: as its feed says, unless that is only what a feed says of every model.

    Many lists know no kinds, or call every model a chat model: a transcriber with a price per token looks like the
    bargain of the year there. So a curated kind of the model goes before, and so does a word of the name that no chat
    model has.

    Args:
        stated: the kind the feed stated, or the one it did not state.
        spelling: the model's name, as the channel spells it.
        curated: the kind that the model is registered under; None: nobody looked at it.

    Example:
        >>> kind_of(Kind.CHAT, "fireworks/models/flux-1-dev", None), kind_of(Kind.CHAT, "influx-7b", None)
        (<Kind.IMAGE: 'image'>, <Kind.CHAT: 'chat'>)
    """
    if stated is not Kind.CHAT:
        return stated
    if curated is not None and curated is not Kind.CHAT:
        return curated
    words = _PUNCTUATION.split(spelling.casefold())
    return next((_NO_CHAT[word] for word in words if word in _NO_CHAT), stated)


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
