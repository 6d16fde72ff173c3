"""Refusals as a person reads them."""

from planner.core.errors import RowsUnavailable, in_words


def test_facts_are_written_without_the_notation_of_the_language() -> None:
    """Names with commas between, counts beside their names, sentences with a choice between."""
    assert in_words(3) == "3"
    assert in_words(("page", "query")) == "page, query"
    assert in_words({"unpriced": 3, "retired": 1}) == "unpriced 3, retired 1"
    choices = ({"says": "charge 23.25 USD a period"}, {"says": "accept a margin of 0.64"})
    assert in_words(choices) == "charge 23.25 USD a period; or accept a margin of 0.64"


def test_a_file_that_is_gone_is_named_and_not_where_it_lay() -> None:
    """Which import, what the file is called, and what is in the way."""
    gone = RowsUnavailable("import", "7", "the file is not where it was", "logs.csv")
    assert gone.facts() == {"import": 7, "file": "logs.csv", "problem": "the file is not where it was"}
    assert str(gone) == (
        "The rows of this import cannot be read again: import=7, file=logs.csv, problem=the file is not where it was"
    )
