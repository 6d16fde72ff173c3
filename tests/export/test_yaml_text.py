"""Configuration as YAML: plain numbers, safe words, and nothing that one reader takes for another thing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.export.yaml_text import number_text, yaml_text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_plain_and_gives_the_same_double(value: float) -> None:
    """No exponent, whatever its size."""
    text = number_text(value)
    assert "e" not in text.lower()
    assert float(text) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_no_number_is_none(value: float) -> None:
    """What is no finite number has no place in a price."""
    with pytest.raises(TypeError):
        number_text(value)


@pytest.mark.parametrize(
    "word", ["yes", "No", "on", "null", "~", "1.5", "0x1f", "1e3", "", " a", "a: b", "a #b", "- a"]
)
def test_a_word_that_could_be_something_else_is_quoted(word: str) -> None:
    """Half of the readers take `on` for true."""
    assert yaml_text({"a": word}) == f'a: "{word}"\n'


def test_nesting_is_indented() -> None:
    """Lists of maps, lists in lists, empty ones."""
    document = {"a": [{"b": [1, True, None], "c": {}}, [["d"], []], {}], "e-f": {"g": []}}
    assert yaml_text(document, ("one\nline", "two")) == (
        "# one line\n# two\n"
        "a:\n  - b:\n      - 1\n      - true\n      - null\n    c: {}\n"
        "  -\n    -\n      - d\n    - []\n  - {}\n"
        "e-f:\n  g: []\n"
    )


def test_what_is_no_configuration_is_refused() -> None:
    """A set has no order, so no text."""
    with pytest.raises(TypeError, match="set"):
        yaml_text({"a": {1, 2}})
