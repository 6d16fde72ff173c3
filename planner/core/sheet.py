"""Cells of tables that people open in a spreadsheet: a text is never taken for a formula there."""

import unicodedata

MARK = "'"
# What begins a formula in one spreadsheet or another, the full-width forms included.
_FORMULA = frozenset("=+-@|%\uff1d\uff0b\uff0d\uff20")
_BREAKS = frozenset("\t\r\n")
# Spreadsheets look past these for the first character: spaces, controls and what has no width.
_UNSEEN = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})


def guarded(text: str) -> str:
    """Return a text as it is safe in a cell: with an apostrophe before it where a spreadsheet would act on it.

    `unguarded` gives back exactly the text, also where it had an apostrophe of its own.
    """
    return MARK + text if _acts(text.lstrip(MARK)) else text


def unguarded(cell: str) -> str:
    """Return the text of a cell that `guarded` wrote."""
    return cell[1:] if cell.startswith(MARK) and _acts(cell.lstrip(MARK)) else cell


def _acts(text: str) -> bool:
    seen = next((sign for sign in text if unicodedata.category(sign) not in _UNSEEN), "")
    return text[:1] in _BREAKS or seen in _FORMULA
