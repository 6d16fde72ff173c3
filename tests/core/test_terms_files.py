"""Evidence as people write it by hand: words and small files, each with its refusal."""

from datetime import UTC, datetime

import pytest

from planner.core.errors import InvalidInput
from planner.core.terms_files import read_facts_file, read_words


def test_words_are_read_as_cells_are() -> None:
    """Yes and no, numbers, lists and days; an empty value is unknown."""
    words = ["trains_on_prompts=no", "retention_days=30", "certifications=none", "zdr=", "expires_at=2027-01-01"]
    assert read_words(words) == {
        "trains_on_prompts": False, "retention_days": 30, "certifications": [], "zdr": None,
        "expires_at": datetime(2027, 1, 1, tzinfo=UTC),
    }  # fmt: skip


@pytest.mark.parametrize(
    "words", [["zdr"], ["zdr=yes", "zdr=no"], ["zdr=perhaps"], ["retention_days=-1"], ["expires_at=soon"]]
)
def test_a_word_that_cannot_be_read_is_refused(words: list[str]) -> None:
    """No value, a name twice, or a value that does not fit."""
    with pytest.raises(InvalidInput):
        read_words(words)


@pytest.mark.parametrize(("text", "format_"), [("[1]", "json"), ("{", "json"), ("= 1", "toml")])
def test_a_file_that_is_no_object_is_refused(text: str, format_: str) -> None:
    """Neither a list nor half a document says anything of a subject."""
    with pytest.raises(InvalidInput):
        read_facts_file(text, format_)
