"""One strict JSON reader for everything that comes from outside: request bodies and feeds alike.

The standard reader takes NaN, repeated keys, endless numbers and lone surrogates; each of them has turned
into a wrong price or a crash somewhere. Numbers with a fraction or an exponent become `decimal.Decimal`,
never floats.
"""

import json
import re
from decimal import Decimal
from itertools import accumulate
from typing import Any, NoReturn

from planner.core.errors import InvalidInput
from planner.core.money import parse_feed_decimal

DEPTH_MAX = 32
INTEGER_MAX = 2**63 - 1
INTEGER_DIGITS_MAX = 19

# A string that never ends runs to the end: were it no match, every quote in it would be tried as a beginning.
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_BAD = re.compile("[\0\ud800-\udfff]")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[{]}", b"\x02\x02\x00\x00")


def read(  # noqa: C901  # one guard each
    payload: bytes, *, name: str = "body", values_max: int | None = None, mend_text: bool = False
) -> Any:  # noqa: ANN401  # JSON is any of six types
    """Parse one JSON document in UTF-8.

    Args:
        payload: the bytes as received.
        name: what to call the document in an error.
        values_max: the most values the document may hold; None where a document may be as long as its bytes allow.
        mend_text: whether characters no text may hold become U+FFFD instead of a refusal, so that one bad name in a
            long list takes nobody with it.

    Raises:
        InvalidInput: not JSON by the letter, or beyond the bounds: nesting over 32, an integer beyond 64
            bits, an exponent beyond ±30, a repeated key, a lone surrogate, a NUL character, a byte order
            mark, another encoding. The text never repeats what was sent.
    """
    if payload.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise InvalidInput(name, "a byte order mark is not allowed; UTF-8 without one is")
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput(name, "not UTF-8") from None
    outline = _STRING.sub(b"", payload)
    _check_depth(outline, name)
    if values_max is not None and outline.count(b",") >= values_max:
        raise InvalidInput(name, f"more than {values_max} values")

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            raise InvalidInput(name, "a key is repeated in one object")
        return found

    def integer(digits: str) -> int:
        if len(digits) > INTEGER_DIGITS_MAX + 1 or abs(int(digits)) > INTEGER_MAX:
            raise InvalidInput(name, "an integer beyond 64 bits")
        return int(digits)

    def decimal(digits: str) -> Decimal:
        return parse_feed_decimal(digits, field=name)

    def constant(_word: str) -> NoReturn:
        raise InvalidInput(name, "NaN and Infinity are not numbers")

    try:
        document = json.loads(
            text, parse_int=integer, parse_float=decimal, parse_constant=constant, object_pairs_hook=pairs
        )
    except (json.JSONDecodeError, RecursionError):
        raise InvalidInput(name, "not JSON") from None
    # An escape can smuggle in what the bytes themselves do not show; look only where one can be.
    if "\\u" in text and _bad_text(document):
        if not mend_text:
            raise InvalidInput(name, "a NUL character or a lone surrogate in a text")
        return _mended(document, name)
    return document


def _check_depth(outline: bytes, name: str) -> None:
    brackets = outline.translate(_STEPS, _NOT_BRACKETS)
    # An opening bracket became 2, a closing one 0: less 1 each, they sum up to the depth at every place.
    if max(accumulate(step - 1 for step in brackets), default=0) > DEPTH_MAX:
        raise InvalidInput(name, f"nested deeper than {DEPTH_MAX}")


def _bad_text(node: object) -> bool:
    if isinstance(node, str):
        return "\0" in node or (not node.isascii() and _BAD.search(node) is not None)
    if isinstance(node, dict):
        return any(_bad_text(key) or _bad_text(value) for key, value in node.items())
    return isinstance(node, list) and any(map(_bad_text, node))


def _mended(node: Any, name: str) -> Any:  # noqa: ANN401  # JSON is any of six types
    if isinstance(node, str):
        return _BAD.sub("\ufffd", node)
    if isinstance(node, dict):
        found = {_mended(key, name): _mended(value, name) for key, value in node.items()}
        if len(found) != len(node):
            raise InvalidInput(name, "a key is repeated in one object")
        return found
    return [_mended(value, name) for value in node] if isinstance(node, list) else node
