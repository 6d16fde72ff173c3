"""Refusals as a person reads them."""

from planner.core.errors import in_words


def test_facts_are_written_without_the_notation_of_the_language() -> None:
    """Names with commas between, counts beside their names, sentences with a choice between."""
    assert in_words(3) == "3"
    assert in_words(("page", "query")) == "page, query"
    assert in_words({"unpriced": 3, "retired": 1}) == "unpriced 3, retired 1"
    choices = ({"says": "charge 23.25 USD a period"}, {"says": "accept a margin of 0.64"})
    assert in_words(choices) == "charge 23.25 USD a period; or accept a margin of 0.64"
