"""What real usage would have cost if something had been otherwise, and which change is how much of the difference."""

from collections.abc import Callable
from typing import Any

from planner.core.decompose import SEQUENTIAL, states
from planner.core.errors import InvalidInput, RowsUnavailable
from planner.core.money import pico_text
from planner.core.periods import Window
from planner.core.posting import RATED, REPORTED, Measures
from planner.core.replay import Replay
from planner.core.scenario import Dimension, Heads
from planner.core.tally import INSEPARABLE, UNPRICED, Tally
from planner.flows.rebook import behind
from planner.flows.replaying import Market, Replaying
from planner.flows.supposing import PAID_FOR, Plans, Question, Sums, earned
from planner.store import bulk, report_sums
from planner.store.engine import Connection
from planner.store.report_sums import USAGE, Asked
from planner.store.tariffs import Tariffs

CAUSES_MAX = 8

Progress = Callable[[int, int], None]


def rows_to_read(connection: Connection, asked: Question) -> int:
    """Return how many rows a replay reads at most: those of the time, and all of files that lie elsewhere."""
    window = asked.window
    facts = report_sums.facts(connection, Asked(windows=[window], heads=(), basis=USAGE))
    files = (bulk.booked(connection, number).facts.values() for number in bulk.over(connection, window.slots))
    return sum(measures.rows for found in ([*facts.values()], *files) for measures in found)


def states_of(asked: Question) -> int:
    """Return how often each row is priced at most.

    Raises:
        InvalidInput: too many orders.
    """
    if len(asked.changed) > CAUSES_MAX and asked.method != SEQUENTIAL:
        raise InvalidInput("method", f"of more than {CAUSES_MAX} changes at once there are too many orders")
    return len(states(len(asked.changed), asked.method))


def what_if(connection: Connection, asked: Question, progress: Progress = lambda _done, _of: None) -> dict[str, Any]:
    """Return the answer as a JSON document; amounts are texts in dollars.

    Args:
        connection: one consistent read.
        asked: the question.
        progress: is told how many rows went by, and of how many.

    Raises:
        InvalidInput: the question cannot be answered.
        NotFound: no such offer or plan, or no exchange rate is known.
        RowsUnavailable: a file changed while it was read.
    """
    states_of(asked)
    window, known = asked.window, Plans.of(connection, asked)
    market = Market(Tariffs(connection))
    for swap in asked.scenario.swaps:
        market.offering(swap.to)
    looked_at = states(len(asked.changed), asked.method)
    replaying = Replaying(
        connection, Replay(asked.scenario, market, known.volumes(), looked_at), market, asked.where,
        by_customer="customer" in (*asked.by, *asked.where) or asked.scenario.names_customers,
    )  # fmt: skip
    stale = _replay(connection, replaying, window, progress)
    groups, unpriced = _grouped(asked, replaying, len(looked_at))
    taken = earned(connection, window, asked.where, asked.by) if asked.earns else {}
    total = Sums(asked, known, looked_at)
    rows: dict[tuple[str, ...], Sums] = {}
    places = [Heads._fields.index(name) for name in asked.by]
    for heads, tally in groups.items():
        key = tuple(heads[place] for place in places)
        for sums in (total, rows.setdefault(key, Sums(asked, known, looked_at))):
            sums.tally.plus(tally)
    for (plan, customer), statement in taken.items():
        by_name = {"plan": plan, "customer": customer}
        if asked.by and frozenset(asked.by) <= PAID_FOR:
            key = tuple(by_name[name] for name in asked.by)
            rows.setdefault(key, Sums(asked, known, looked_at)).earn(plan, statement)
        total.earn(plan, statement)
    booked = _booked(connection, asked, window)
    paid_for = asked.earns and frozenset(asked.by) <= PAID_FOR
    return {
        "title": "what_if",
        "from": asked.since.isoformat(),
        "to": asked.until.isoformat(),
        "tz": asked.tz,
        "basis": USAGE,
        "cost_basis": RATED,
        "where": {name: sorted(values) for name, values in asked.where.items()},
        "by": list(asked.by),
        "method": asked.method,
        "changed": [dimension.value for dimension in asked.changed],
        **total.shape(paid_for=asked.earns),
        "rows": [
            {**dict(zip(asked.by, (part or None for part in key), strict=True)), **sums.shape(paid_for=paid_for)}
            for key, sums in sorted(rows.items())
            if asked.by
        ],
        "reporting": known.reporting(total),
        "booked_usd": pico_text(booked[0]),
        "as_booked": total.tally.before.low == booked[0],
        "reported_usd": pico_text(booked[1]),
        "unpriced": unpriced,
        "stale_imports": stale,
        "pending_work": behind(connection),
        "notes": _notes(asked, total.tally, stale=bool(stale)),
        "revision": market.tariffs.revision,
    }


def _replay(connection: Connection, replaying: Replaying, window: Window, progress: Progress) -> list[dict[str, Any]]:
    """Let every row go by, and return the files that cannot be read again."""
    stale, total = [], 0
    facts = report_sums.facts(connection, Asked(windows=[window], heads=(), basis=USAGE))
    total = sum(measures.rows for measures in facts.values())
    done = 0

    def more(rows: int) -> None:
        nonlocal done
        done += rows
        progress(done, total)

    replaying.on_record(window.start, window.end, more)
    for number in bulk.over(connection, window.slots):
        try:
            held, rows = replaying.found(number)
        except RowsUnavailable as gone:
            found = bulk.one(connection, number)
            stale.append({"import": number, "source": found.source, "file": found.file, "problem": gone.problem})
            continue
        replaying.in_place(held, rows, window.start, window.end, more)
    return stale


def _grouped(
    asked: Question, replaying: Replaying, count: int
) -> tuple[dict[Heads, Tally], list[dict[str, Any]]]:  # fmt: skip
    """Return sums by the heads that are asked for and the plan, and what has no price before or after."""
    keep = {*asked.by, "plan"}
    groups: dict[Heads, Tally] = {}
    unpriced: dict[tuple[str, str, str], tuple[int, int]] = {}
    for kind, tally in replaying.tallies():
        heads = Heads._make(
            value if name in keep else "" for name, value in zip(kind.heads._fields, kind.heads, strict=True)
        )
        groups.setdefault(heads, Tally([0] * count)).plus(tally)
        for when, side in (("before", tally.before), ("after", tally.after)):
            if side.unpriced_rows:
                key = when, kind.heads.provider, kind.heads.model
                rows, tokens = unpriced.get(key, (0, 0))
                unpriced[key] = rows + side.unpriced_rows, tokens + side.unpriced_tokens
    return groups, [
        {"when": when, "provider": provider or None, "model": model or None, "rows": rows, "tokens": tokens}
        for (when, provider, model), (rows, tokens) in sorted(unpriced.items())
    ]


def _booked(connection: Connection, asked: Question, window: Window) -> tuple[int, int]:
    """Return what the ledger says these rows cost, by our own rating, and what is only reported of others."""
    where = tuple((name, tuple(sorted(values))) for name, values in asked.where.items())
    query = Asked(windows=[window], heads=("cost_basis",), basis=USAGE, where=where)
    sums = {basis: measures for (_number, (basis,)), measures in report_sums.facts(connection, query).items()}
    return sums.get(RATED, Measures()).cost, sums.get(REPORTED, Measures()).stated


_ASSUMED = {
    Dimension.VOLUME: "more requests are the same requests more often; revenue moves with subscribers alone",
    Dimension.MIX: "another offer takes the tokens that were counted, unless a factor says otherwise; its tier is kept",
    Dimension.TOKENS: "factors are of text, and whole tokens are rounded up",
    Dimension.CACHE: "an offer that cannot cache reads nothing from one; prompts too short for it stay as counted",
    Dimension.PRICE: "a band is chosen by the length of the whole prompt, as it is in that state",
    Dimension.PLAN_PRICE: "customers do not react: as many pay the new price as paid the old one",
    Dimension.FX: "a currency moves what its plans bring in, and what is reported in it; tokens are paid in dollars",
}


def _notes(asked: Question, tally: Tally, *, stale: bool) -> list[str]:
    """Say in sentences what the figures take for granted, and what they cannot know."""
    said = ["the same usage is priced again: nobody is supposed to use more or less because something costs otherwise"]
    said += [_ASSUMED[dimension] for dimension in asked.changed if dimension in _ASSUMED]
    if tally.one_sided[0]:
        said.append(
            f"{tally.one_sided[0]} rows have a price on one side only: the term {UNPRICED} is theirs, and no saving"
        )
    if tally.apart[0]:
        said.append(
            f"{tally.apart[0]} rows have no price in between, so that changes cannot be told apart: {INSEPARABLE}"
        )
    if tally.before.unpriced_rows or tally.after.unpriced_rows:
        said.append("rows without a price are counted and cost nobody knows what: totals are at least these")
    if tally.before.low != tally.before.high or tally.after.low != tally.after.high:
        said.append("rows too coarse to tell their price have bounds: terms are of what they cost at least")
    if stale:
        said.append("files that are gone cannot be replayed: their rows are booked, and in no figure here")
    if asked.method != SEQUENTIAL:
        said.append("each term is the average over all orders of the changes, exact, and rounded to add up")
    return said
