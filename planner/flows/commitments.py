"""What commitments cost in a report, beside the usage they cover: never twice, and never in a month that was closed.

A commitment that was entered after months were closed costs in the first month that was open then what it had cost in
the closed ones, as anything does that becomes known late. One that is taken off the record is taken back likewise.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from planner.core.commitment import THROUGHPUT, Commitment, split
from planner.core.errors import InvalidInput
from planner.core.fx import to_usd
from planner.core.money import pico_text, plain
from planner.core.periods import Window, period_bounds, slot_of, slot_start
from planner.core.posting import RATED, REPORTED
from planner.flows.cost_basis import basis_of, billed
from planner.store import commitments, offers_of_costs, periods, report_sums
from planner.store.engine import Connection
from planner.store.load import load_fx
from planner.store.report_sums import BOOKED, Asked

_ALWAYS = datetime.min.replace(tzinfo=UTC)
_TOLD_BY = ("offer", "service_tier", "cost_basis", "stated_by")


class Cost(NamedTuple):
    """An amount in 1e-12 USD where usage costs what it costs at least, and where it costs the most it may."""

    low: int = 0
    high: int = 0

    def plus(self, other: "Cost", sign: int = 1) -> "Cost":
        """Return the sum with another, or with -1 the difference."""
        return Cost(self.low + sign * other.low, self.high + sign * other.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Of what report: its windows, which follow each other, the heads that are none of time, and its bases.

    ``known_at`` is as of when usage is known, ``agreed_at`` as of when commitments are.
    """

    windows: Sequence[Window]
    heads: tuple[str, ...]
    basis: str
    cost_basis: str
    known_at: datetime | None
    agreed_at: datetime | None


Place = tuple[int, tuple[Any, ...]]


@dataclass(slots=True)
class Costs:
    """What commitments cost, by window and heads, and what each of them came to in the whole time."""

    places: dict[Place, Cost] = field(default_factory=dict)
    told: list[dict[str, Any]] = field(default_factory=list)

    def add(self, place: Place, cost: Cost) -> None:
        """Add to what stands under a window and heads."""
        self.places[place] = self.places.get(place, Cost()).plus(cost)


class Counted(NamedTuple):
    """A commitment that has to do with a report: from when on it counts, until when, and what it costs there.

    ``ended`` None: it is on the record. Both are beginnings of months, and what was before them is counted in them.
    ``covered`` is what the usage it covers cost until the beginning of the report, and until the end of each window.
    """

    commitment: Commitment
    begun: datetime
    ended: datetime | None
    costs: Costs
    covered: Sequence[Cost]


def costs(connection: Connection, wanted: Wanted) -> Costs:
    """Return what commitments cost in the windows of a report."""
    found = Costs()
    for counted in each(connection, wanted):
        for place, cost in counted.costs.places.items():
            found.add(place, cost)
        found.told += counted.costs.told
    return found


def each(connection: Connection, wanted: Wanted) -> Iterator[Counted]:
    """Yield the commitments of a report one by one."""
    closings = [(period_bounds(period)[1], at) for period, at in periods.closings(connection).items()]
    start, end = wanted.windows[0].start, wanted.windows[-1].end
    for one in commitments.known_by(connection, wanted.agreed_at):
        begun = _open_at(one.recorded_from, closings, wanted.basis)
        ended = None if one.recorded_to is None else _open_at(one.recorded_to, closings, wanted.basis)
        # What was entered and taken back within the same open months was in no report that stays.
        if ended != begun and max(begun, one.valid_from) < end and (ended is None or ended >= start):
            covered = _covered(connection, wanted, one)
            sums = list(accumulate((used.total for used in covered), Cost.plus))
            yield Counted(one, begun, ended, _count(wanted, one, (begun, ended), covered, sums), sums)


def _open_at(moment: datetime, closings: Sequence[tuple[datetime, datetime]], basis: str) -> datetime:
    """Return the beginning of the first month that was open at a moment."""
    if basis != BOOKED:
        return _ALWAYS
    return max((end for end, at in closings if at <= moment), default=_ALWAYS)


def _count(
    wanted: Wanted, one: Commitment, known: tuple[datetime, datetime | None], covered: Sequence["_Used"],
    sums: Sequence[Cost],
) -> Costs:  # fmt: skip
    found, edges = Costs(), [wanted.windows[0].start, *(window.end for window in wanted.windows)]
    counted = one.valid_to > edges[0]
    for sign, opened in ((1, known[0]), (-1, known[1])):
        if opened is None:
            continue
        for number, ((since, before), (until, after)) in enumerate(pairwise(zip(edges, sums, strict=True))):
            if until <= opened:
                continue
            late = since <= opened
            cost = _beside(one, until, after).plus(Cost() if late else _beside(one, since, before), -1)
            usage = _Used.joined(covered[: number + 2]) if late else covered[number + 1]
            for key, part in _parts(wanted, one, cost, usage).items():
                found.add((number, key), Cost().plus(part, sign))
                counted = counted or any(part)
    if counted:
        found.told.append(_told(one, edges[-1], sums[-1].low, late=known[0] > one.valid_from))
    return found


def _beside(one: Commitment, by: datetime, covered: Cost) -> Cost:
    return Cost(one.beside(by, covered.low), one.beside(by, covered.high))


@dataclass(frozen=True, slots=True)
class _Used:
    """The cost on the books of the usage a commitment covers, by heads."""

    by_heads: Mapping[tuple[Any, ...], Cost]

    @property
    def total(self) -> Cost:
        return Cost(*(sum(cost[n] for cost in self.by_heads.values()) for n in (0, 1)))

    @classmethod
    def joined(cls, several: Sequence["_Used"]) -> "_Used":
        found: dict[tuple[Any, ...], Cost] = {}
        for used in several:
            for key, cost in used.by_heads.items():
                found[key] = found.get(key, Cost()).plus(cost)
        return cls(found)


def _covered(connection: Connection, wanted: Wanted, one: Commitment) -> list[_Used]:
    """Return what the usage that is covered cost on the books: before the first window, and in each."""
    first = wanted.windows[0].start
    before = [Window("", one.valid_from, first)] if one.valid_from < first else []
    heads = tuple(dict.fromkeys((*wanted.heads, *_TOLD_BY)))
    asked = asked_of(one, [*before, *wanted.windows], heads, wanted.basis, wanted.known_at)
    facts = report_sums.facts(connection, asked)
    offer = heads.index("offer")
    channels = offers_of_costs.channels(connection, {values[offer] for _number, values in facts})
    found: list[dict[tuple[Any, ...], Cost]] = [{} for _ in range(len(wanted.windows) + 1)]
    for (number, values), measures in facts.items():
        said = dict(zip(heads, values, strict=True))
        basis = basis_of(wanted.cost_basis, said["cost_basis"], reported=billed(said["stated_by"]))
        if channels.get(said["offer"]) != one.channel or basis is None:
            continue
        cost = {RATED: Cost(measures.cost, measures.high), REPORTED: Cost(measures.stated, measures.stated)}[basis]
        cells, key = found[number + 1 - len(before)], values[: len(wanted.heads)]
        cells[key] = cells.get(key, Cost()).plus(cost)
    return [_Used(cells) for cells in found]


def asked_of(
    one: Commitment, windows: Sequence[Window], heads: tuple[str, ...], basis: str = BOOKED,
    known_at: datetime | None = None,
) -> Asked:  # fmt: skip
    """Return the question for the usage a commitment covers, but for the channel, which an offer has."""
    where = [("provider", (one.provider,))]
    where += [("model", (one.model,))] if one.model is not None else []
    where += [("service_tier", (one.service_tier,))] if one.service_tier is not None else []
    used = range(slot_of(one.valid_from), slot_of(one.valid_to))
    return Asked(windows=windows, heads=heads, basis=basis, known_at=known_at, where=tuple(where), used=used)


def _parts(wanted: Wanted, one: Commitment, cost: Cost, used: _Used) -> dict[tuple[Any, ...], Cost]:
    """Return under which heads a cost stands: throughput where it served usage, in its proportion, else by itself.

    What is amortised is split by what the usage would have cost, and takes the place of that.
    """
    total = used.total
    weights = {key: max(0, each.low) for key, each in used.by_heads.items()}
    if one.kind != THROUGHPUT or not any(weights.values()):
        return {_own(wanted, one): cost} if any(cost) else {}
    shares = split(max(0, cost.low + total.low), weights)
    return {
        key: Cost(shares[key] - each.low, shares[key] - each.high) for key, each in used.by_heads.items()
    }  # fmt: skip


def _own(wanted: Wanted, one: Commitment) -> tuple[Any, ...]:
    known = {"provider": one.provider, "model": one.model or "", "service_tier": one.service_tier or ""}
    return tuple(known.get(name, "") for name in wanted.heads)


def _told(one: Commitment, end: datetime, covered: int, *, late: bool) -> dict[str, Any]:
    """Return the evidence of a commitment: what it came to from its beginning to the end of the report.

    ``late``: months of its term were closed when it was entered; what it cost in them is in the first open one.
    """
    return {
        "id": one.id,
        "name": one.name,
        "kind": one.kind,
        "provider": one.provider,
        "model": one.model,
        "amount_usd": pico_text(one.amount_pico),
        "covered_usd": pico_text(covered),
        "amortised_usd": pico_text(one.amortised(end)) if one.kind == THROUGHPUT else None,
        "unused_usd": None if one.kind == THROUGHPUT else pico_text(one.unused(covered)),
        "ended": end >= one.valid_to,
        "late": late,
        "taken_back": one.recorded_to is not None,
        "reference": one.reference,
    }


def add(
    connection: Connection, row: Mapping[str, Any], *, at: datetime, actor: str, reason: str
) -> dict[str, Any]:  # fmt: skip
    """Record a commitment; its dollars are those of the day it begins.

    Raises:
        NotFound: there is no such channel, provider or model, or no exchange rate of that day.
        InvalidInput: it ends before it begins, or either within a quarter hour of UTC.
        Conflict: another one covers a part of the same usage at the same time.
    """
    for name in ("valid_from", "valid_to"):
        if row[name] != slot_start(slot_of(row[name])):
            raise InvalidInput(name, "the beginning of a quarter hour is needed")
    if row["valid_to"] <= row["valid_from"]:
        raise InvalidInput("valid_to", "later than valid_from is needed")
    day: date = row["valid_from"].astimezone(UTC).date()
    usd = to_usd(Decimal(row["amount"]), row["currency"], day, load_fx(connection, None))
    written = {**row, "amount_usd": plain(usd)}
    id_ = commitments.add(connection, written, at=at, actor=actor, reason=reason)
    return {"id": id_, "amount_usd": written["amount_usd"]}


def void(connection: Connection, id_: int, *, at: datetime, actor: str, reason: str) -> dict[str, Any]:
    """Take a commitment off the record.

    Raises:
        NotFound: there is none with this number.
        Conflict: it is off the record.
    """
    commitments.void(connection, id_, at=at, actor=actor, reason=reason)
    return {"commitment": id_, "voided_at": at.isoformat().replace("+00:00", "Z")}
