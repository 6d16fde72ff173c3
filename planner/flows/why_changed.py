"""Why tokens cost otherwise than in another period: the difference of two reports, cause by cause."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from planner.core.decompose import SEQUENTIAL, terms
from planner.core.errors import InvalidInput
from planner.core.money import pico_text
from planner.core.periods import Window, windows, zone_of
from planner.core.posting import RATED, Counted
from planner.core.statement import Statement
from planner.core.variance import CAUSES, REPORTED, Group, values
from planner.flows.cost_basis import BEST, basis_of, billed
from planner.flows.rebook import behind
from planner.flows.supposing import HEADS, PAID_FOR, earned, shown, written
from planner.store import report_sums
from planner.store.engine import Connection
from planner.store.report_sums import USAGE, Asked
from planner.store.revision import read_heads

_DECIDING = ("cost_basis", "stated_by")
# What is served alike: whatever differs in one of these is mix.
_ALIKE = ("plan", "task", "provider", "model", "offer", "service_tier", "region")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Which two periods are compared, the earlier as what was; of which usage, and by which heads terms are told."""

    since: date
    until: date
    before_since: date
    before_until: date
    tz: str = "UTC"
    where: Mapping[str, frozenset[str]] = field(default_factory=dict)
    by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is no question.

        Raises:
            InvalidInput: an unknown head, or one twice.
        """
        if not {*self.by, *self.where} <= set(HEADS) or len(set(self.by)) < len(self.by):
            raise InvalidInput("by", f"of {', '.join(HEADS)}, each once, is needed")

    def windows(self) -> tuple[Window, Window]:
        """Return both periods, the one that was first.

        Raises:
            InvalidInput: no range of days, or no such zone.
        """
        zone = zone_of(self.tz)
        days = (self.before_since, self.before_until), (self.since, self.until)
        first, second = (windows(*span, "month", zone) for span in days)
        return Window("", first[0].start, first[-1].end), Window("", second[0].start, second[-1].end)


Key = tuple[str, ...]


def why_changed(connection: Connection, asked: Comparison) -> dict[str, Any]:
    """Return the answer as a JSON document; amounts are texts in dollars.

    Raises:
        InvalidInput: the question cannot be answered.
    """
    pair = asked.windows()
    heads = tuple(dict.fromkeys((*asked.by, *_ALIKE)))
    sides = [_side(connection, asked, window, heads) for window in pair]
    found = values(sides[0][0], sides[1][0])
    total = tuple(map(sum, zip(*found.values(), strict=True))) or (0,) * (len(CAUSES) + 1)
    by: dict[Key, list[int]] = {}
    for key, amounts in found.items():
        place = key[: len(asked.by)]
        by[place] = [one + more for one, more in zip(by.get(place, [0] * len(amounts)), amounts, strict=True)]
    earns = frozenset(asked.where) <= PAID_FOR
    before, after = (statement for _groups, statement in sides)
    return {
        "title": "why_changed",
        "from": asked.since.isoformat(),
        "to": asked.until.isoformat(),
        "compared_with": {"from": asked.before_since.isoformat(), "to": asked.before_until.isoformat()},
        "tz": asked.tz,
        "basis": USAGE,
        "cost_basis": BEST,
        "where": {name: sorted(chosen) for name, chosen in asked.where.items()},
        "by": list(asked.by),
        "before": shown(before, paid_for=earns),
        "after": shown(after, paid_for=earns),
        "difference_usd": pico_text(after.low - before.low),
        "terms": written(_terms(total)),
        "rows": [
            {
                **dict(zip(asked.by, (part or None for part in key), strict=True)), "before_usd": pico_text(amounts[0]),
                "after_usd": pico_text(amounts[-1]), "difference_usd": pico_text(amounts[-1] - amounts[0]),
                "terms": written(_terms(amounts)),
            }
            for key, amounts in sorted(by.items())
            if asked.by
        ],
        "profit": _profit(before, after, _terms(total)) if earns else None,
        "pending_work": behind(connection),
        "notes": _notes(before, after),
        "revision": read_heads(connection).catalogue,
    }  # fmt: skip


def _terms(amounts: tuple[int, ...] | list[int]) -> dict[str, int]:
    return dict(zip(CAUSES, terms(amounts, len(CAUSES), SEQUENTIAL), strict=True))


def _side(
    connection: Connection, asked: Comparison, window: Window, heads: Key
) -> tuple[dict[Key, Group], Statement]:  # fmt: skip
    """Return what a period comes to: what was served alike, and the lines of its report."""
    where = tuple((name, tuple(sorted(chosen))) for name, chosen in asked.where.items())
    query = Asked(windows=[window], heads=(*heads, *_DECIDING), basis=USAGE, where=where)
    groups: dict[Key, Group] = {}
    statement = Statement()
    for (_number, key), measures in report_sums.facts(connection, query).items():
        *place, best, stated_by = key
        reported = billed(stated_by)
        basis = basis_of(BEST, best, reported=reported)
        statement.use(measures, basis, reported=reported, free=False)
        if basis is None:
            continue
        group = groups.setdefault(tuple(place), Group())
        # A stream may count rows and no requests.
        group.requests += measures.requests or measures.rows
        if basis != RATED:
            group.add(REPORTED, Counted(measures.rows, measures.stated, measures.stated, measures.stated))
    for (_number, key, unit), counted in report_sums.units(connection, query).items():
        *place, best, _stated_by = key
        if best == RATED:
            groups.setdefault(tuple(place), Group()).add(unit, counted)
    for takings in earned(connection, window, asked.where, asked.by).values():
        statement.paid = True
        statement.takings = statement.takings.plus(takings.takings)
        statement.tax_unknown += takings.tax_unknown
        for currency, amount in takings.unconverted.items():
            statement.unconverted[currency] = statement.unconverted.get(currency, 0) + amount
    return groups, statement


def _profit(before: Statement, after: Statement, cost: Mapping[str, int]) -> dict[str, Any] | None:
    if any(one.unpriced_rows or one.low != one.high or one.unconverted for one in (before, after)):
        return None
    found = {
        "revenue": after.net - before.net,
        **{name: -amount for name, amount in cost.items()},
        "payment_fees": before.takings.fee - after.takings.fee,
        "other_costs": before.takings.other - after.takings.other,
    }
    return {
        "before_usd": pico_text(before.gross_profit), "after_usd": pico_text(after.gross_profit),
        "difference_usd": pico_text(after.gross_profit - before.gross_profit), "terms": written(found),
    }  # fmt: skip


def _notes(before: Statement, after: Statement) -> list[str]:
    said = [
        "prices are averages of each period by plan, task, offer, tier and region: bands and dates within it are price",
        "what only one period has, such as a new offer, is told by the first cause that needs it: it is mix",
        "the fee is all that is paid over or under the list price: discounts and what channels charge",
    ]
    if before.unpriced_rows or after.unpriced_rows:
        said.append("rows without a price are counted and cost nobody knows what: totals are at least these")
    if before.low != before.high or after.low != after.high:
        said.append("rows too coarse to tell their price have bounds: terms are of what they cost at least")
    return said
