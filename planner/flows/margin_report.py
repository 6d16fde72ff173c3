"""The margin report: what came in, what tokens cost, what is left; with coverage, and the evidence for each figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from planner.core.errors import InvalidInput
from planner.core.fx import FxRate
from planner.core.money import PICO, pico_text, usd_text
from planner.core.periods import UNITS, Window, period_bounds, period_of, windows, zone_of
from planner.core.posting import RATED, Measures
from planner.core.revenue_lines import PLAN_SOURCE
from planner.core.statement import Statement, Takings
from planner.flows import commitments
from planner.flows.cost_basis import BEST, COST_BASES, basis_of, billed, usd_per_unit
from planner.flows.earnings import SUBSCRIBERS
from planner.flows.rebook import behind
from planner.store import bulk, evidence_of_costs, json_text, periods, plans, report_sums, revenue, usage
from planner.store.engine import Connection
from planner.store.load import load_fx
from planner.store.report_sums import BOOKED, HEADS, Asked

UNASSIGNED = "unassigned"
BASES = ("booked", "usage")
_FORCED = ("plan", "cost_basis", "stated_by", "matched")
_EXPLAINING = ("cost_basis", "price_version", "unpriced", "provider", "model")
_GROUPS = tuple(name for name in HEADS if name not in ("matched", "cost_basis", "stated_by", "unpriced"))
# Whatever is asked by more heads than these is nothing that anybody paid for by itself.
_PAID_FOR = frozenset({"plan", "customer"})
LINES_MAX = 1_000
_TOGETHER_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a report is asked for: by which heads, from which day to which in which zone, by which figures.

    ``by`` are heads, and at most one of day, week and month. ``until`` is the day after the last one.
    """

    by: tuple[str, ...]
    since: date
    until: date
    tz: str = "UTC"
    cost_basis: str = BEST
    basis: str = BOOKED
    known_at: datetime | None = None
    reporting_currency: str = "USD"

    def __post_init__(self) -> None:
        """Refuse what is no question.

        Raises:
            InvalidInput: an unknown head, two heads of time, or another basis than there is.
        """
        allowed = (*_GROUPS, *UNITS)
        for name in self.by:
            if name not in allowed:
                raise InvalidInput("by", f"of {', '.join(allowed)} is needed")
        if len(set(self.by)) != len(self.by) or len(self.times) > 1:
            raise InvalidInput("by", "each head once, and one of day, week and month")
        if self.basis not in BASES:
            raise InvalidInput("basis", "booked or usage is needed")
        if self.cost_basis not in COST_BASES:
            raise InvalidInput("cost_basis", "best, rated or reported is needed")

    @property
    def times(self) -> list[str]:
        """The head of time, if there is one."""
        return [name for name in self.by if name in UNITS]

    @property
    def heads(self) -> tuple[str, ...]:
        """The heads that are none of time."""
        return tuple(name for name in self.by if name not in UNITS)

    def windows(self) -> list[Window]:
        """Return the pieces of time that are reported.

        Raises:
            InvalidInput: no range of days, too many pieces, or no such zone.
        """
        zone = zone_of(self.tz)
        if self.times:
            return windows(self.since, self.until, self.times[0], zone)
        days = windows(self.since, self.until, "month", zone)
        return [Window("", days[0].start, days[-1].end)]


def margin_report(connection: Connection, asked: Question) -> dict[str, Any]:
    """Return the report as a JSON document; amounts are texts in dollars.

    Raises:
        InvalidInput: the question cannot be answered.
        NotFound: no exchange rate is known for the reporting currency.
        Conflict: none was known when the months were closed.
    """
    pieces = asked.windows()
    known = _Known.of(connection, asked, pieces)
    groups = _groups(connection, asked, pieces, known)
    attributed = frozenset(asked.heads) <= _PAID_FOR
    rows = [
        _row(asked, pieces, key, figures, known, {"paid_for": attributed, "commitments": bool(groups.committed.told)})
        for key, figures in sorted(groups.rows.items(), key=lambda pair: _order(asked, pair[0]))
        if not figures.empty
    ]
    span = pieces[0].start, pieces[-1].end
    return {
        "title": "margin",
        "by": list(asked.by),
        "from": asked.since.isoformat(),
        "to": asked.until.isoformat(),
        "tz": asked.tz,
        "basis": asked.basis,
        "cost_basis": asked.cost_basis,
        "known_at": json_text.time_text(asked.known_at),
        "reporting_currency": asked.reporting_currency,
        "closed": known.closed,
        # What still waits may change an open month, and a closed one never.
        "pending_work": 0 if known.closed else behind(connection),
        "rows": rows,
        "total": _total(asked, pieces, groups, known),
        "unmatched": {
            "rows": groups.unmatched.measures.rows,
            "token_cost_usd": pico_text(groups.unmatched.low),
            "revenue_usd": pico_text(groups.unmatched.takings.revenue),
        },
        "evidence": {
            **_evidence(connection, asked, groups, span),
            **({"commitments": groups.committed.told} if groups.committed.told else {}),
            "stale_imports": bulk.stale(connection, known.at, range(pieces[0].slots.start, pieces[-1].slots.stop)),
        },
    }


@dataclass(frozen=True, slots=True)
class _Known:
    """What a report rests on besides sums, as it was known when it was closed, or is asked about."""

    closed: bool
    at: datetime | None
    free: frozenset[str]
    plans: frozenset[str]
    fx: Sequence[FxRate]

    @classmethod
    def of(cls, connection: Connection, asked: Question, pieces: Sequence[Window]) -> "_Known":
        closed_at = known_closed(connection, asked, pieces)
        known_at = closed_at or asked.known_at
        listed = plans.load(connection, known_at)
        free = frozenset(id_ for id_, plan in listed.items() if not plan.price)
        written = plans.ever_written(connection, known_at)
        return cls(closed_at is not None, known_at, free, written, load_fx(connection, known_at))


def known_closed(connection: Connection, asked: Question, pieces: Sequence[Window]) -> datetime | None:
    """Return as of when a report of closed months is known, and None where any of its months is open."""
    closings = periods.closings(connection)
    touched = _periods(pieces[0].start, pieces[-1].end)
    if asked.basis != BOOKED or not all(period in closings for period in touched):
        return None
    last = max(closings[period] for period in touched)
    return last if asked.known_at is None else min(asked.known_at, last)


def _periods(since: datetime, until: datetime) -> list[str]:
    found, moment = [], since
    while moment < until:
        found.append(period_of(moment))
        moment = period_bounds(found[-1])[1]
    return found


@dataclass(slots=True)
class _Groups:
    rows: dict[tuple[Any, ...], Statement] = field(default_factory=dict)
    total: Statement = field(default_factory=Statement)
    windows: dict[int, Statement] = field(default_factory=dict)
    unmatched: Statement = field(default_factory=Statement)
    unknown_plans: dict[str, Statement] = field(default_factory=dict)
    bases: dict[tuple[str, str], Takings] = field(default_factory=dict)
    priced: dict[str, Measures] = field(default_factory=dict)
    unpriced: dict[tuple[str, str, str], Measures] = field(default_factory=dict)
    committed: commitments.Costs = field(default_factory=commitments.Costs)

    def at(self, key: tuple[Any, ...]) -> Statement:
        return self.rows.setdefault(key, Statement())

    def totals(self, window: int, plan: str, known: _Known) -> list[Statement]:
        """Return the sums of everything, in a window and at all, and those of a plan that nobody ever wrote."""
        found = [self.windows.setdefault(window, Statement()), self.total]
        if plan and plan not in known.plans:
            found.append(self.unknown_plans.setdefault(plan, Statement()))
        return found

    def explain(self, said: Mapping[str, str], measures: Measures) -> None:
        """Note by which version of a price sums were rated, or why they have none."""
        if said["cost_basis"] == RATED and said["price_version"]:
            version = said["price_version"]
            self.priced[version] = self.priced.get(version, Measures()) + measures
        elif said["unpriced"]:
            why = said["unpriced"], said["provider"], said["model"]
            self.unpriced[why] = self.unpriced.get(why, Measures()) + measures


def _groups(connection: Connection, asked: Question, pieces: Sequence[Window], known: _Known) -> _Groups:
    groups = _Groups()
    # Read together, what explains the costs is for nothing; days know no customers, and many windows are many rows.
    apart = "customer" in asked.heads or len(pieces) > _TOGETHER_MAX
    heads = tuple(dict.fromkeys((*asked.heads, *_FORCED, *(() if apart else _EXPLAINING))))
    query = Asked(windows=pieces, heads=heads, basis=asked.basis, known_at=asked.known_at)
    for (number, values), measures in report_sums.facts(connection, query).items():
        said = dict(zip(heads, values, strict=True))
        reported = billed(said["stated_by"])
        basis = basis_of(asked.cost_basis, said["cost_basis"], reported=reported)
        places = groups.at((number, *values[: len(asked.heads)])), *groups.totals(number, said["plan"], known)
        for sums in places:
            sums.use(measures, basis, reported=reported, free=said["plan"] in known.free)
        if not said["matched"]:
            groups.unmatched.use(measures, basis, reported=reported, free=False)
        if not apart:
            groups.explain(said, measures)
    if apart:
        whole = [Window("", pieces[0].start, pieces[-1].end)]
        query = Asked(windows=whole, heads=_EXPLAINING, basis=asked.basis, known_at=asked.known_at)
        for (_number, values), measures in report_sums.facts(connection, query).items():
            groups.explain(dict(zip(_EXPLAINING, values, strict=True)), measures)
    _earned(connection, asked, pieces, groups, known)
    _committed(connection, asked, pieces, groups, known)
    return groups


def _committed(
    connection: Connection, asked: Question, pieces: Sequence[Window], groups: _Groups, known: _Known
) -> None:
    wanted = commitments.Wanted(
        windows=pieces, heads=asked.heads, basis=asked.basis, cost_basis=asked.cost_basis, known_at=asked.known_at,
        agreed_at=known.at,
    )  # fmt: skip
    groups.committed = commitments.costs(connection, wanted)
    for (number, values), cost in groups.committed.places.items():
        # A plan that nobody ever wrote is named by its usage.
        for sums in (groups.at((number, *values)), *groups.totals(number, "", known)):
            sums.commit(cost.low, cost.high)


def _earned(connection: Connection, asked: Question, pieces: Sequence[Window], groups: _Groups, known: _Known) -> None:
    taken = revenue.sums(
        connection, pieces, by_customer="customer" in asked.heads, booked=asked.basis == BOOKED, known_at=asked.known_at
    )
    attributed = frozenset(asked.heads) <= _PAID_FOR
    for place, (takings, lines) in taken.items():
        said = {"plan": place.plan, "customer": place.customer}
        touched = groups.totals(place.window, place.plan, known)
        if attributed:
            touched.append(groups.at((place.window, *(said[name] for name in asked.heads))))
        if not place.matched:
            touched.append(groups.unmatched)
        for sums in touched:
            sums.take(
                takings, tax_unknown=place.tax_unknown, unconverted=place.unconverted, lines=lines,
                assumed=place.source in (PLAN_SOURCE, SUBSCRIBERS),
            )  # fmt: skip
        key = place.basis, place.source
        groups.bases[key] = groups.bases.get(key, Takings()).plus(takings)


def _order(asked: Question, key: tuple[Any, ...]) -> tuple[Any, ...]:
    places = dict(zip(asked.heads, key[1:], strict=True))
    return tuple(key[0] if name in UNITS else str(places[name]) for name in asked.by)


def _row(
    asked: Question,
    pieces: Sequence[Window],
    key: tuple[Any, ...],
    sums: Statement,
    known: _Known,
    of_shape: Mapping[str, bool],
) -> dict[str, Any]:
    places = dict(zip(asked.heads, key[1:], strict=True))
    heads = {name: pieces[key[0]].label if name in UNITS else _head(name, places[name]) for name in asked.by}
    figures = sums.shape(**of_shape)
    if asked.reporting_currency == "USD":
        return {**heads, **figures}
    return {**heads, **figures, "reporting": _converted(asked, figures, pieces[key[0]], known)}


def _head(name: str, value: str) -> str | None:
    if name == "plan":
        return value or UNASSIGNED
    return value or None


def _converted(asked: Question, figures: Mapping[str, Any], window: Window, known: _Known) -> dict[str, Any]:
    """Write the amounts of a row in the reporting currency, at the rate of the last day of its time."""
    usd = _usd(asked, window, known)
    found: dict[str, Any] = {"currency": asked.reporting_currency, "usd_per_unit": usd_text(usd)}
    for name in _CONVERTED:
        value = figures[f"{name}_usd"]
        found[name] = None if value is None else usd_text(Fraction(value) / usd)
    return found


_CONVERTED = ("revenue", "token_cost", "gross_profit", "contribution")


def _usd(asked: Question, window: Window, known: _Known) -> Fraction:
    """Return the dollars for one unit of the reporting currency, on the last day of a window."""
    return usd_per_unit(asked.reporting_currency, window, known.fx, known.at if known.closed else None)


def _total(asked: Question, pieces: Sequence[Window], groups: _Groups, known: _Known) -> dict[str, Any]:
    """Return the figures of everything, in the reporting currency too: all of a window at the rate of its last day."""
    figures = groups.total.shape(commitments=bool(groups.committed.told))
    if asked.reporting_currency == "USD":
        return figures
    sums = dict.fromkeys(_CONVERTED, Fraction())
    for number, window in groups.windows.items():
        usd = _usd(asked, pieces[number], known)
        # What is booked back in a later month may leave bounds in each of two windows, and none in both together.
        for name, pico in zip(
            _CONVERTED, (window.net, window.low, window.gross_profit, window.contribution), strict=True
        ):
            sums[name] += Fraction(pico, PICO) / usd
    converted = {name: None if figures[f"{name}_usd"] is None else usd_text(sums[name]) for name in _CONVERTED}
    return {**figures, "reporting": {"currency": asked.reporting_currency, "usd_per_unit": None, **converted}}


def _evidence(
    connection: Connection, asked: Question, groups: _Groups, span: tuple[datetime, datetime]
) -> dict[str, Any]:
    return {
        "prices": evidence_of_costs.prices(connection, groups.priced),
        "unpriced": [
            {"reason": reason, "provider": provider or None, "model": model or None, "rows": measures.rows,
             "tokens": measures.input_tokens + measures.output_tokens, "reported_usd": pico_text(measures.stated)}
            for (reason, provider, model), measures in sorted(groups.unpriced.items())
        ],
        "revenue": [
            {"basis": basis, "source": source, "revenue_usd": pico_text(takings.revenue),
             "refunds_usd": pico_text(takings.refund), "payment_fees_usd": pico_text(takings.fee)}
            for (basis, source), takings in sorted(groups.bases.items())
        ],
        # A slip of the pen in a plan's id is a row like any other, and would pass for one.
        "unknown_plans": [
            {"plan": plan, "rows": sums.measures.rows, "token_cost_usd": pico_text(sums.low),
             "revenue_usd": pico_text(sums.net)}
            for plan, sums in sorted(groups.unknown_plans.items())
            if not sums.empty
        ],
        "lines": [
            evidence_of_costs.delta(row) for row in usage.deltas(connection, *span, asked.known_at, LINES_MAX)
        ],
    }  # fmt: skip


def statement_digest(connection: Connection, period: str) -> str:
    """Return the digest of a month's report by plan: what it was when the month was closed, it is for ever."""
    start, end = period_bounds(period)
    document = margin_report(connection, Question(by=("plan", "month"), since=start.date(), until=end.date()))
    fixed = {name: document[name] for name in ("rows", "total", "unmatched", "evidence")}
    # That a file is gone changes no figure, and is found out whenever somebody looks, also while a month is closed.
    fixed["evidence"] = {name: found for name, found in fixed["evidence"].items() if name != "stale_imports"}
    return json_text.digest(json_text.dump(fixed))
