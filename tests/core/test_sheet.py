"""A spreadsheet finds no formula in what planner exports, and what is imported again is what it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.sheet import guarded, unguarded


@pytest.mark.parametrize("sign", "=+-@|%\uff1d\uff0b\uff0d\uff20")
@pytest.mark.parametrize("before", ["", " ", "\u00a0", "\u2003", "\x00", "\u200b", "\ufeff", " \t "])
def test_what_begins_a_formula_is_marked(sign: str, before: str) -> None:
    """Whatever no one sees stands before it."""
    assert guarded(f"{before}{sign}1+1") == f"'{before}{sign}1+1"


@pytest.mark.parametrize("text", ["\tx", "\rx", "\nx", "\t"])
def test_a_break_at_the_beginning_is_marked(text: str) -> None:
    """It moves the rest to a cell of its own."""
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", " ", "a=1", "0.5", "{}", "https://x.test/?a=1", "it's", "'quoted'", "a\n=1"])
def test_anything_else_stays_as_it_is(text: str) -> None:
    """Words, numbers and JSON are not touched."""
    assert guarded(text) == unguarded(text) == text


@given(st.text() | st.text(alphabet="'=+ \t-x\uff1d"))
def test_the_way_back_gives_the_same_text(text: str) -> None:
    """Exactly, apostrophes of its own included; and a cell never begins as a formula does."""
    cell = guarded(text)
    assert unguarded(cell) == text
    assert guarded(cell) in (cell, f"'{cell}")
    assert cell.lstrip()[:1] not in set("=+-@|%\uff1d\uff0b\uff0d\uff20")
