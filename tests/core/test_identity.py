"""What an offer does, by its feed, by what its model is registered as, and by its name."""

import pytest

from planner.core.identity import kind_of
from planner.core.offer import Kind


@pytest.mark.parametrize(
    ("stated", "spelling", "curated", "kind"),
    [
        (Kind.CHAT, "openai/gpt-5", None, Kind.CHAT),
        (Kind.CHAT, "openai/whisper-large-v3", None, Kind.TRANSCRIPTION),
        (Kind.CHAT, "meta-llama/Llama-Guard-4-12B", Kind.CHAT, Kind.MODERATION),
        (Kind.CHAT, "mistral-embed", Kind.EMBEDDING, Kind.EMBEDDING),
        (Kind.CHAT, "davinci-002", Kind.COMPLETION, Kind.COMPLETION),
        (Kind.IMAGE, "gpt-5", Kind.CHAT, Kind.IMAGE),
        (Kind.CHAT, "conflux-7b", None, Kind.CHAT),
    ],
)
def test_no_list_makes_a_chat_model_of_what_is_none(
    stated: Kind, spelling: str, curated: Kind | None, kind: Kind
) -> None:
    """A registered kind and a word of the name keep it out of chat answers; a kind that is stated holds."""
    assert kind_of(stated, spelling, curated) is kind
