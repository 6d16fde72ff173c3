"""The ledger against what providers billed: what each cause adds, key by key and in all, and what nothing explains."""

from typing import Any

from planner.core.matching import HEADS, match
from planner.core.money import pico_text, plain, usd_text
from planner.flows import billed, booked
from planner.flows.billed import Bill
from planner.flows.booked import Ledger
from planner.flows.rebook import behind
from planner.flows.reconciliation_notes import notes
from planner.flows.reconciliation_rows import SHOWN, Question, Row, coverage, rows, total
from planner.store import evidence_of_costs, imports, streams
from planner.store.engine import Connection
from planner.store.json_text import time_text
from planner.store.load import load_fx

ROWS_MAX = 5_000
"""Rows that are answered, those with the greatest differences; the others are added up."""


def reconcile(connection: Connection, asked: Question) -> dict[str, Any]:
    """Return the reconciliation as a JSON document; amounts are texts in dollars.

    The terms of every row add up to its difference, invoice less ledger, to the last digit, and so do those of the
    total. What is within tolerance is marked, and counted all the same.

    Args:
        connection: one consistent read.
        asked: time, statements, heads and tolerance.

    Raises:
        InvalidInput: the question cannot be answered.
        Conflict: two sources state the same usage, and none was chosen.
    """
    pieces = asked.windows()
    bill = billed.read(connection, pieces, asked.sources, asked.provider, load_fx(connection))
    parties = {asked.provider} if asked.provider else bill.parties
    stated = {HEADS[at] for key in bill.charges.sums for at, said in enumerate(key.heads) if said is not None}
    ledger = booked.read(connection, pieces, parties, stated & set(asked.by))
    found = rows(asked, pieces, match(bill.charges, ledger.cells, asked.by), bill.lines)
    shown, left_out = _largest(found)
    return {
        "title": "reconciliation",
        "by": list(SHOWN),
        "matched_by": list(asked.by),
        "from": asked.since.isoformat(),
        "to": asked.until.isoformat(),
        "tz": asked.tz,
        "provider": asked.provider,
        "sources": list(asked.sources),
        "tolerance": {"relative": usd_text(asked.relative), "absolute_usd": pico_text(asked.absolute)},
        "pending_work": behind(connection),
        "rows": [row.shape() for row in shown],
        "rows_left_out": total(left_out),
        "total": total(found),
        "coverage": coverage(found),
        "other_providers": [
            {"provider": party or None, "ledger_usd": pico_text(paid)} for party, paid in sorted(ledger.others.items())
        ],
        "unconverted": {currency: plain(amount) for currency, amount in sorted(bill.unconverted.items())},
        "notes": notes(asked, bill, ledger, found, pieces[-1].end),
        "evidence": _evidence(connection, bill, ledger),
    }


def _largest(found: list[Row]) -> tuple[list[Row], list[Row]]:
    """Return the rows that are answered in their order, and those that are only added up."""
    by_size = sorted(range(len(found)), key=lambda at: -abs(found[at].terms.total))
    kept = set(by_size[:ROWS_MAX])
    return [found[at] for at in sorted(kept)], [found[at] for at in by_size[ROWS_MAX:]]


def _evidence(connection: Connection, bill: Bill, ledger: Ledger) -> dict[str, Any]:
    """Write which statements and which prices the figures rest on."""
    files = imports.files(connection, {number for source in bill.sources.values() for number in source.imports})
    roles = {stream.source: stream.role.value for stream in streams.every(connection)}
    return {
        "statements": [
            {
                "source": name, "role": roles.get(name), "feed": source.feed or None, "lines": source.lines,
                "invoice_usd": pico_text(source.pico), "from": time_text(source.since),
                "to": time_text(source.until), "imports": [files[number] for number in sorted(source.imports)],
            }
            for name, source in sorted(bill.sources.items())
        ],
        "prices": evidence_of_costs.prices(connection, ledger.priced),
    }  # fmt: skip


def flat(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document for a table: what a row lists is one text."""
    rows_ = [{**row, "indistinct": " ".join(row["indistinct"])} for row in document["rows"]]
    total_ = {name: value for name, value in document["total"].items() if name != "rows"}
    return {**document, "rows": rows_, "total": total_}
