"""Writes a configuration as YAML that people read and every YAML reader reads alike: maps, lists and plain scalars."""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

# Words that some reader or other takes for something else than text. Everything that is not surely a word is quoted.
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[./-][A-Za-z0-9_]+)*", re.ASCII)
_TAKEN = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"})
# What JSON lets stand as it is and YAML does not: it breaks lines, or may not be in a file at all.
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def yaml_text(document: Mapping[str, Any], comments: tuple[str, ...] = ()) -> str:
    """Write a document of maps, lists, text, integers, doubles, booleans and null; comments stand at its top.

    Doubles are written in plain notation with the fewest digits that give the same double again.

    Raises:
        TypeError: something else is in it.

    Example:
        >>> print(yaml_text({"model": "a/b", "prices": [0.00000026, 1], "tag": "yes", "empty": {}}), end="")
        model: a/b
        prices:
          - 0.00000026
          - 1
        tag: "yes"
        empty: {}
    """
    lines = [f"# {' '.join(_UNSAFE.sub('?', comment).split())}" for comment in comments]
    return "\n".join([*lines, *_map(document, "")]) + "\n"


def number_text(value: float) -> str:
    """Write a double in plain notation with the fewest digits that give it again; never an exponent.

    Example:
        >>> number_text(7.5e-08), number_text(3.0)
        ('0.000000075', '3.0')
    """
    # An exponent without a dot before it is text to half of all YAML readers.
    text = format(Decimal(repr(value)), "f")
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
        raise TypeError("only finite numbers can be written")
    return text if "." in text else f"{text}.0"


def _map(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, inner in value.items():
        yield from _entry(f"{indent}{_scalar(str(key))}:", inner, f"{indent}  ")


def _list(value: list[Any], indent: str) -> Iterator[str]:
    for inner in value:
        if isinstance(inner, Mapping) and inner:
            first, *others = _map(inner, f"{indent}  ")
            yield f"{indent}- {first.lstrip()}"
            yield from others
        else:
            yield from _entry(f"{indent}-", inner, f"{indent}  ")


def _entry(start: str, value: object, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield start
        yield from _map(value, indent)
    elif isinstance(value, list) and value:
        yield start
        yield from _list(value, indent)
    else:
        yield f"{start} {_scalar(value)}"


def _scalar(value: object) -> str:
    if isinstance(value, str):
        if _WORD.fullmatch(value) and value.lower() not in _TAKEN:
            return value
        return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
    if isinstance(value, float):
        return number_text(value)
    if value is None or isinstance(value, bool | int) or value in ({}, []):
        return json.dumps(value)
    raise TypeError(f"{type(value).__name__} has no place in a configuration")
