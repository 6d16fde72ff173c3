"""What a vendor does not tell any more in a span that it told as a whole counts nothing any more, unless that is much.

A correction may move usage from one key, model or tier to another: the row it leaves is in no later answer, and would
count beside the one it went to. It is superseded by a row of its own name that counts nothing, and may come back.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal, localcontext
from typing import NamedTuple

from planner.core.errors import Conflict
from planner.core.event import Event
from planner.store import aggregates
from planner.store.engine import Connection

FALL_MAX = Decimal("0.2")
"""The share by which a span may hold less than it did before a person is asked: an empty answer is no correction."""
_DIGITS = 120


class Whole(NamedTuple):
    """A span of which a file has all there is; ``less``: a person said that it may be less than it was.

    Of rows whose tag ``kind`` is among ``untold`` it says nothing.
    """

    since: datetime
    until: datetime
    less: bool = False
    untold: frozenset[str] = frozenset()


class Vanished(NamedTuple):
    """A row that is not told again, as one that counts nothing; ``before``: it counted nothing before."""

    event: Event
    before: bool


def vanished(connection: Connection, source: str, whole: Whole, told: Iterable[Event]) -> list[Vanished]:
    """Return the rows on record in a span that are not told again.

    Args:
        connection: one consistent read.
        source: the stream.
        whole: the span that is told as a whole.
        told: every row of the file.

    Raises:
        Conflict: the span would hold far less than it did, of tokens or of dollars.
    """
    on_record = aggregates.within(connection, source, whole.since, whole.until)
    known = [event for event in on_record if event.tags.get("kind", "") not in whole.untold]
    again = [event for event in told if event.at >= whole.since and (event.until or event.at) <= whole.until]
    if not whole.less:
        for name, before, now in zip(("tokens", "dollars"), _sums(known), _sums(again), strict=True):
            if now < before - abs(before) * FALL_MAX:
                raise Conflict(
                    "pull", source[:80],
                    f"{whole.since:%Y-%m-%d} to {whole.until:%Y-%m-%d} held {before:f} {name} and now {now:f}: nothing "
                    "was changed; look at it there, and let it through with --accept-less",
                )  # fmt: skip
    ids = {event.id for event in again}
    return [Vanished(_nothing(event), before=_counts_nothing(event)) for event in known if event.id not in ids]


def _counts_nothing(event: Event) -> bool:
    return not event.stated_usd and not any(event.counts.values())


def _nothing(event: Event) -> Event:
    stated = None if event.stated_usd is None else Decimal(0)
    return replace(event, counts=dict.fromkeys(event.counts, 0), total_tokens=None, stated_usd=stated)


def _sums(events: Iterable[Event]) -> tuple[Decimal, Decimal]:
    tokens, dollars = 0, Decimal(0)
    with localcontext(prec=_DIGITS):
        for event in events:
            names = _BESIDE if event.includes_cached is False else _TOTALS
            tokens += sum(event.counts.get(name, 0) for name in names)
            dollars += event.stated_usd or 0
    return Decimal(tokens), dollars


_TOTALS = ("input_tokens", "output_tokens")
_BESIDE = (*_TOTALS, "cache_read_tokens", "cache_write_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
