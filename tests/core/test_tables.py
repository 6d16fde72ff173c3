"""What is exported as a table and imported again is the same, and no spreadsheet acts on it in between."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from planner.core import policy_files
from planner.core.tables import csv_rows, csv_text

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.lists(st.lists(_TEXT, min_size=2, max_size=3), max_size=4))
def test_rows_come_back_as_they_were(rows: list[list[str]]) -> None:
    """Every cell, also one that had to be marked."""
    assert csv_rows(csv_text(rows)) == rows


def test_a_title_that_looks_like_a_formula_survives_and_does_nothing() -> None:
    """It is a text in the file, and the same title when the file is taken in."""
    policy = {"name": "p", "title": "=1+1", "rules": {"deny_models": ["@x/y"]}}
    text = policy_files.write_csv([policy])
    assert [row[2] for row in csv.reader(io.StringIO(text))][1:] == ["'=1+1", "'@x/y"]
    assert policy_files.read_csv(text) == [policy]
