"""The rows of a reconciliation: both sides of every key, why they differ, and whether that is little."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from planner.core.errors import InvalidInput
from planner.core.invoice import Kind
from planner.core.matching import HEADS, UNIT, Key
from planner.core.money import pico_text, ratio_text
from planner.core.periods import UNITS, Window, windows, zone_of
from planner.core.waterfall import Pair, Stated, Terms, explain, indistinct, stated_terms, within
from planner.flows.billed import LineKey

PROVIDER = "provider"
DEFAULT_BY = ("day", PROVIDER, "model", UNIT, *HEADS[1:])
"""The finest heads there are."""
SHOWN = ("period", PROVIDER, "kind", "model", UNIT, *HEADS[1:])
"""The heads of a row."""

WITHIN, OUTSIDE, STATED = "within", "outside", "stated"
_ALLOWED = (*UNITS, *DEFAULT_BY[1:])
_NOTHING = Terms()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be reconciled: from which day to which in which zone, whose statements, matched by which heads.

    ``until`` is the day after the last one. ``by`` are the heads that may be told apart, at most one of time; a head
    that one side does not know is not told apart, whatever is asked. A difference is within tolerance up to the share
    ``relative`` of the larger side, or up to ``absolute`` in 1e-12 USD, and stays a difference.
    """

    since: date
    until: date
    tz: str = "UTC"
    provider: str | None = None
    sources: tuple[str, ...] = ()
    by: tuple[str, ...] = DEFAULT_BY
    relative: Fraction = Fraction(5, 1_000)
    absolute: int = 10**10

    def __post_init__(self) -> None:
        """Refuse what is no question.

        Raises:
            InvalidInput: an unknown head, two heads of time, or a tolerance below nothing.
        """
        if any(name not in _ALLOWED for name in self.by):
            raise InvalidInput("by", f"of {', '.join(_ALLOWED)} is needed")
        if len(set(self.by)) != len(self.by) or len(self.times) > 1:
            raise InvalidInput("by", "each head once, and one of day, week and month")
        if self.relative < 0 or self.absolute < 0:
            raise InvalidInput("tolerance", "0 or more is needed")

    @property
    def times(self) -> list[str]:
        """The head of time, if there is one."""
        return [name for name in self.by if name in UNITS]

    def windows(self) -> list[Window]:
        """Return the pieces of time that are matched.

        Raises:
            InvalidInput: no range of days, too many pieces, or no such zone.
        """
        zone = zone_of(self.tz)
        if self.times:
            return windows(self.since, self.until, self.times[0], zone)
        months = windows(self.since, self.until, "month", zone)
        return [Window(f"{self.since} to {self.until}", months[0].start, months[-1].end)]


@dataclass(frozen=True, slots=True)
class Row:
    """One key with both of its sides, and why they differ; amounts in 1e-12 USD."""

    heads: Mapping[str, str | None]
    pair: Pair
    terms: Terms
    verdict: str
    indistinct: tuple[str, ...] = ()

    @property
    def usage(self) -> bool:
        """Whether this is usage, and none of the lines that explain themselves."""
        return self.heads["kind"] == Kind.USAGE.value

    @property
    def ledger(self) -> int:
        """What the ledger has."""
        return 0 if self.pair.ours is None else self.pair.ours.paid

    @property
    def invoice(self) -> int:
        """What was billed, at our exchange rates."""
        return sum(one.booked for one in self.pair.theirs)

    def shape(self) -> dict[str, Any]:
        """Write this row as JSON."""
        ours, theirs = self.pair.ours, self.pair.theirs
        listed = None if any(one.listed is None for one in theirs) else sum(one.listed or 0 for one in theirs)
        counted = self.usage and self.heads[UNIT] is not None
        return {
            **self.heads,
            "verdict": self.verdict,
            "ledger_quantity": ours.quantity if ours is not None and counted else None,
            "ledger_unpriced_quantity": ours.unpriced if ours is not None and counted else None,
            "ledger_usd": pico_text(self.ledger),
            "invoice_quantity": self.pair.quantity if theirs and counted else None,
            "invoice_list_usd": pico_text(listed) if listed is not None and theirs else None,
            "invoice_usd": pico_text(self.invoice),
            **waterfall(self.terms),
            "indistinct": list(self.indistinct),
        }


def waterfall(terms: Terms) -> dict[str, Any]:
    """Write the difference and what adds up to it."""
    causes = {f"{name}_usd": pico_text(pico) for name, pico in terms._asdict().items()}
    return {"difference_usd": pico_text(terms.total), "waterfall": causes}


def rows(
    asked: Question, pieces: Sequence[Window], pairs: Mapping[Key, Pair], lines: Mapping[LineKey, Stated]
) -> list[Row]:
    """Return every row in the order of its heads; where both sides have nothing there is none."""
    found = [*_usage(asked, pieces, pairs), *_lines(pieces, lines)]
    return sorted(found, key=lambda row: [value or "" for value in row.heads.values()])


def _usage(asked: Question, pieces: Sequence[Window], pairs: Mapping[Key, Pair]) -> Iterator[Row]:
    groups: dict[tuple[Any, ...], list[Key]] = defaultdict(list)
    for key in pairs:
        groups[key.group].append(key)
    for keys in groups.values():
        for key, terms in zip(keys, explain([pairs[key] for key in keys]), strict=True):
            pair = pairs[key]
            paid = 0 if pair.ours is None else pair.ours.paid
            if terms == _NOTHING and not pair.theirs and not paid:
                continue
            billed = sum(one.booked for one in pair.theirs)
            little = within(terms.total, (paid, billed), asked.relative, asked.absolute)
            heads = {
                "period": _period(pieces, key.first, key.last), PROVIDER: key.party or None, "kind": Kind.USAGE.value,
                UNIT: None if key.unit is None else key.unit.value, **dict(zip(HEADS, key.heads, strict=True)),
            }  # fmt: skip
            verdict = WITHIN if little else OUTSIDE
            yield Row({name: heads[name] for name in SHOWN}, pair, terms, verdict, indistinct(pair, terms))


def _lines(pieces: Sequence[Window], lines: Mapping[LineKey, Stated]) -> Iterator[Row]:
    for key, stated in lines.items():
        heads = dict.fromkeys(SHOWN) | {
            "period": _period(pieces, key.first, key.last), PROVIDER: key.party or None, "kind": key.kind.value,
        }  # fmt: skip
        yield Row(heads, Pair(theirs=[stated]), stated_terms(key.kind, stated), STATED)


def _period(pieces: Sequence[Window], first: int, last: int) -> str:
    return pieces[first].label if first == last else f"{pieces[first].label} to {pieces[last].label}"


def total(found: Iterable[Row]) -> dict[str, Any]:
    """Write the sums of rows, and how many of them there are by verdict."""
    terms, ledger, invoice, verdicts = Terms(), 0, 0, Counter[str]()
    for row in found:
        terms, ledger, invoice = terms + row.terms, ledger + row.ledger, invoice + row.invoice
        verdicts[row.verdict] += 1
    return {
        "rows": {name: verdicts[name] for name in (WITHIN, OUTSIDE, STATED)},
        "ledger_usd": pico_text(ledger),
        "invoice_usd": pico_text(invoice),
        **waterfall(terms),
    }


def coverage(found: Iterable[Row]) -> dict[str, str | None]:
    """Return which share of what was billed for usage meets something in the ledger, and is counted on both sides.

    Of nothing there is no share.
    """
    billed = matched = counted = 0
    for row in found:
        if not row.usage:
            continue
        size = abs(row.invoice)
        billed += size
        if row.pair.ours is not None:
            matched += size
            counted += size if row.pair.counted else 0
    shares = {"matched": matched, "counted": counted}
    return {name: ratio_text(Fraction(pico, billed)) if billed else None for name, pico in shares.items()}
