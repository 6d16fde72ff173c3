"""Breaking a feed in two dozen ways, and what must still hold of its reading.

A document that is no JSON by the letter is refused whole. In one that is, a broken row takes nobody with it: the
claims of all other rows are the same as without it. Nothing negative, endless or not a number is ever claimed, and
every row is a claim, a refusal or a merge.
"""

import copy
import json
import random
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from planner.core.claim import Claim, Reading
from planner.core.errors import FeedRefused
from planner.core.offer import valid_feed_id
from tests.sources.golden import ROWS, parse, payload

Row = tuple[str | int, ...]
# A Cyrillic letter, a character without width, full-width letters, a Kelvin sign, and what is no id at all.
CONFUSABLES = (
    "deeps\u0435ek", "deepseek\u200b", "\uff24\uff45\uff45\uff50seek", "DEEPSEE\u212a", "a b", "", "x" * 200, "a\n",
)  # fmt: skip


def rows_of(source: str, document: Any) -> list[Row]:
    """Return the paths of all rows of a document."""
    found: list[Row] = [()]
    for step in ROWS[source]:
        deeper: list[Row] = []
        for path in found:
            node = at(document, path)
            keys = (node if isinstance(node, dict) else range(len(node))) if step == "*" else [step]
            deeper += [(*path, key) for key in keys]
        found = deeper
    return found


def at(document: Any, path: Row) -> Any:
    """Return what stands at a path."""
    for key in path:
        document = document[key]
    return document


def leaves(node: Any) -> Iterator[Row]:
    """Yield the paths of all plain values below a node."""
    yield from (path for path in spots(node) if not isinstance(at(node, path), dict | list))


def spots(node: Any, path: Row = ()) -> Iterator[Row]:
    """Yield the paths of everything below a node: values, and the objects and lists that hold them."""
    if path:
        yield path
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from spots(value, (*path, key))


def without(document: Any, row: Row) -> Any:
    """Return a document without one row."""
    made = copy.deepcopy(document)
    del at(made, row[:-1])[row[-1]]
    return made


# --- ways to break a value, an object or a list in one row; the document stays JSON ----------------------

Operator = Callable[[random.Random, Any, Row], None]


def _set(value: Callable[[random.Random, Any], Any]) -> Operator:
    def change(dice: random.Random, document: Any, spot: Row) -> None:
        holder = at(document, spot[:-1])
        holder[spot[-1]] = value(dice, holder[spot[-1]])

    return change


def _drop(_dice: random.Random, document: Any, spot: Row) -> None:
    del at(document, spot[:-1])[spot[-1]]


def _rename(_dice: random.Random, document: Any, spot: Row) -> None:
    holder = at(document, spot[:-1])
    if isinstance(holder, dict):
        holder[f"{spot[-1]}_cost_renamed"] = holder.pop(spot[-1])


def _swap(dice: random.Random, document: Any, spot: Row) -> None:
    holder = at(document, spot[:-1])
    other = dice.choice(list(holder if isinstance(holder, dict) else range(len(holder))))
    holder[spot[-1]], holder[other] = holder[other], holder[spot[-1]]


def _scaled(dice: random.Random, value: Any) -> Any:
    factor: int = 10 ** dice.randint(1, 12)
    return value * factor if isinstance(value, int | float) and not isinstance(value, bool) else value


VALUES: dict[str, Operator] = {
    "drop": _drop,
    "rename": _rename,
    "swap": _swap,
    "null": _set(lambda _dice, _value: None),
    "wrong type": _set(lambda dice, _value: dice.choice(([], {}, True, "x", 3, [1], {"a": 1}))),
    "negative": _set(lambda dice, _value: dice.choice((-1, -0.5, "-1", "-0.000001"))),
    "not a number": _set(lambda dice, _value: dice.choice(("NaN", "Infinity", "-inf", "1e400", "1e999999999", "1_0"))),
    "scaled": _set(_scaled),
    "long text": _set(lambda _dice, _value: "9" * 100_000),
    "control characters": _set(lambda _dice, _value: "a\x1b[31m\r\n\t"),
    "nul": _set(lambda _dice, _value: "a\0b"),
    "lone surrogate": _set(lambda _dice, _value: "\ud800"),
    "confusable": _set(lambda dice, _value: dice.choice(CONFUSABLES)),
    "deep": _set(lambda _dice, _value: [[[[[[[[[[0]]]]]]]]]]),
}


# --- ways to break the bytes; the document is no JSON any more ---------------------------------------------


def _inside(dice: random.Random, body: bytes, text: bytes) -> bytes:
    """Put text in place of something somewhere."""
    document = json.loads(body)
    path = dice.choice(list(spots(document)))
    at(document, path[:-1])[path[-1]] = "\x00HERE"
    return json.dumps(document).encode().replace(b'"\\u0000HERE"', text)


BYTES: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "truncated": lambda dice, body: body.rstrip()[: dice.randrange(len(body.rstrip()))],
    "concatenated": lambda _dice, body: body + body,
    "byte order mark": lambda _dice, body: b"\xef\xbb\xbf" + body,
    "utf-16": lambda _dice, body: body.decode().encode("utf-16"),
    "html": lambda _dice, _body: b"<!doctype html><title>Just a moment</title>",
    "constant": lambda dice, body: _inside(dice, body, dice.choice((b"NaN", b"Infinity", b"-Infinity"))),
    "huge number": lambda dice, body: _inside(dice, body, dice.choice((b"1e400", b"9" * 5_000, b"1e-400"))),
    "too deep": lambda dice, body: _inside(dice, body, b"[" * 5_000 + b"]" * 5_000),
    "repeated key": lambda _dice, body: body.replace(b"{", b'{"twice": 1, "twice": 2, ', 1),
}


# --- what must hold --------------------------------------------------------------------------------------


Tried = Callable[[str, bytes, frozenset[str]], object]
"""Called with a source, a broken payload, and the offers of which it says something else than the recorded one."""


def broken(source: str, seed: int, tried: Tried = lambda *_: None) -> str:
    """Break a feed in one way, check what must hold of its reading, hand it on, and return the name of the way.

    Raises:
        AssertionError: something did not hold.
    """
    dice = random.Random(seed)
    body = payload(source)
    name = dice.choice([*VALUES, *BYTES, "duplicate row"])
    if name in BYTES:
        made = BYTES[name](dice, body)
        check_refused(source, made)
        tried(source, made, frozenset())
        return name
    document = json.loads(body)
    row = dice.choice(rows_of(source, document))
    others = said_by(parse(source, json.dumps(without(document, row)).encode()))
    if name == "duplicate row":
        holder = at(document, row[:-1])
        if isinstance(holder, list):
            holder.append(copy.deepcopy(at(document, row)))
    else:
        VALUES[name](dice, document, row + dice.choice(list(spots(at(document, row)))))
    made = json.dumps(document).encode()
    try:
        reading = parse(source, made)
    except FeedRefused:
        # A feed may refuse itself whole; what was published stands then.
        tried(source, made, frozenset())
        return name
    check_reading(reading)
    found = said_by(reading)
    for subject, said in others.items():
        assert subject in found, f"{name}: {subject} is gone"
        # A row that took another's id is merged into it, and the dearer of the two stands.
        assert found[subject] == said or reading.merged, f"{name}: {subject} changed"
    recorded = recorded_by(source)
    tried(source, made, frozenset(key for key in {*found, *recorded} if found.get(key) != recorded.get(key)))
    return name


@cache
def recorded_by(source: str) -> Mapping[str, Claim | Decimal]:
    """Return what the recorded payload of a feed says."""
    return said_by(parse(source, payload(source)))


def said_by(reading: Reading) -> Mapping[str, Claim | Decimal]:
    """Return what a reading says: claims by offer id, scores by model and index."""
    scores = {f"{score.model} {score.index}": score.score for score in reading.scores}
    return {**{claim.offer_id: claim for claim in reading.claims}, **scores}


def check_refused(source: str, body: bytes) -> None:
    """Check that a document is refused whole, with a reason."""
    with pytest.raises(FeedRefused) as refused:
        parse(source, body)
    assert refused.value.reason == "not_json"


def check_reading(reading: Reading) -> None:
    """Check what holds of every reading whatever was sent."""
    assert reading.rows_read == len(reading.claims) + len(reading.refused) + reading.merged + reading.scored
    for score in reading.scores:
        assert score.score.is_finite()
        assert valid_feed_id(score.model)
    for claim in reading.claims:
        assert bool(claim.segments) != bool(claim.unpriced)
        assert valid_feed_id(claim.facts.model_spelling)
        assert claim.offer_id.isascii()
        for segment in claim.segments:
            for price in segment.rates.values():
                for _when, rate in price.stated():
                    assert rate.usd.is_finite()
                    assert rate.usd >= 0
    for row in reading.refused:
        assert row.row.isascii()
        assert row.row.isprintable()
