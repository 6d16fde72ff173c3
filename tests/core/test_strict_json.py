"""The strict reader takes JSON by the letter and nothing else."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core import strict_json
from planner.core.errors import InvalidInput

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
leaves = st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | texts
documents = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4))


def depth(node: Any) -> int:
    """Return how deep a document is nested."""
    inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else None
    return 0 if inside is None else 1 + max((depth(child) for child in inside), default=0)


@given(documents, st.booleans())
def test_what_is_json_is_read_as_it_was_written(document: Any, ascii_only: bool) -> None:
    """Any document, escaped or not, comes back equal."""
    assert strict_json.read(json.dumps(document, ensure_ascii=ascii_only).encode()) == document


@given(documents)
def test_depth_is_counted_outside_texts_only(document: Any) -> None:
    """Brackets inside texts are letters; the limit is on the nesting, to the level."""
    missing = strict_json.DEPTH_MAX - depth(document)
    body = json.dumps(document).encode()
    strict_json.read(b"[" * missing + body + b"]" * missing)
    with pytest.raises(InvalidInput, match="nested deeper than 32"):
        strict_json.read(b"[" * (missing + 1) + body + b"]" * (missing + 1))


def test_fractions_are_exact() -> None:
    """Numbers with a fraction or exponent are decimals, digit by digit."""
    assert strict_json.read(b"[0.1234567890123456789012, 1e-7]") == [
        Decimal("0.1234567890123456789012"),
        Decimal("1e-7"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[1,]", b"{}{}", b"nul", b"'a'", b"NaN", b"-Infinity", b"1e400", b"1e-31", b"9223372036854775808",
        b"9" * 5_000, b'{"a": 1, "a": 1}', b'"\\ud800"', b'{"\\ud800": 1}', b'["\\u0000"]', b'"\x00"', b'"\xff"',
        b"\xef\xbb\xbf{}", '"a"'.encode("utf-16"), b"[" * 33 + b"]" * 33, b'"' + b'\\"' * 1_000, b'"\\',
    ],
)  # fmt: skip
def test_what_is_not_json_is_refused_without_an_echo(body: bytes) -> None:
    """One error for all of it, and none of what was sent in it."""
    with pytest.raises(InvalidInput) as refused:
        strict_json.read(body)
    assert len(str(refused.value)) < 120


def test_a_question_may_be_limited_in_values() -> None:
    """As many values as allowed pass, one more does not; commas in texts are letters."""
    assert strict_json.read(b'[1,2,",,,"]', values_max=3) == [1, 2, ",,,"]
    with pytest.raises(InvalidInput, match="more than 3 values"):
        strict_json.read(b"[1,2,3,4]", values_max=3)


def test_a_feed_s_bad_text_is_mended() -> None:
    """What no text may hold is marked in values and keys; two keys that become one are refused."""
    body = b'{"a\\u0000": ["\\ud800b", 1, {"c": "d\\u00e9"}]}'
    assert strict_json.read(body, mend_text=True) == {"a\ufffd": ["\ufffdb", 1, {"c": "d\u00e9"}]}
    with pytest.raises(InvalidInput, match="repeated"):
        strict_json.read(b'{"a\\u0000": 1, "a\\ud800": 2}', mend_text=True)
