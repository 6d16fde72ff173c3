"""What a reader of a reconciliation has to know before believing it: each trap that applies, in a sentence."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from planner.core.money import pico_text, plain
from planner.flows.billed import Bill
from planner.flows.booked import Ledger
from planner.flows.reconciliation_rows import PROVIDER, Question, Row
from planner.store.json_text import time_text

_FEEDS = {
    "anthropic": (
        "Anthropic states cents, which were divided by 100, after discounts and before credits.",
        "The Priority Tier is not in Anthropic's cost reports: what the ledger has of it is extra, or in the residual.",
    ),
    "openai": ("OpenAI states costs by the day and late: the last days may still grow; pull them again.",),
    "openrouter": (
        "Where a key of our own paid the upstream, OpenRouter's spend is its estimate at market rates, and no bill.",
    ),
    "focus": ("FOCUS rows count with their EffectiveCost: what a commitment covers is there, whoever paid it when.",),
}


def notes(asked: Question, bill: Bill, ledger: Ledger, rows: Sequence[Row], end: datetime) -> list[str]:
    """Return the traps that apply, each as a sentence.

    Args:
        asked: the question.
        bill: what was billed.
        ledger: what was booked.
        rows: every row.
        end: when the time that is asked about ends.
    """
    feeds = sorted({source.feed for source in bill.sources.values()})
    found = [sentence for feed in feeds for sentence in _FEEDS.get(feed, ())]
    if not bill.sources:
        found.append("Nothing was billed in this time by whoever is asked about: import a cost report or an invoice.")
    found += _of_lines(asked, bill)
    found += _of_rows(rows)
    found += _of_time(bill, ledger, rows, end)
    return found


def _of_lines(asked: Question, bill: Bill) -> Iterator[str]:
    odd = bill.odd
    if odd["beyond"]:
        yield f"{odd['beyond']} lines reach out of the time that is asked about and are left out: ask for all of it."
    if odd["cut"]:
        yield (
            f"{odd['cut']} lines begin or end within a day of {asked.tz}, so that their days are matched together: the "
            "invoice may be cut in another time zone, which tz names."
        )
    elif asked.tz != "UTC":
        yield f"Days are those of {asked.tz}; cost reports are cut in days of UTC unless they say otherwise."
    if odd["costless"]:
        yield f"{odd['costless']} rows of evidence state no cost of a provider, and are held against nothing."
    if bill.in_files:
        yield f"Evidence that stays in its files is not read: import {', '.join(bill.in_files)} without --in-place."
    if odd["assumed"]:
        yield (
            f"Of {odd['assumed']} lines no exchange rate of ours is known, so that the invoice's own stands for it and "
            "fx is 0: planner fx set."
        )
    for currency, amount in sorted(bill.unconverted.items()):
        yield f"{plain(amount)} {currency} have no exchange rate, neither stated nor ours, and are in no sum."


def _of_rows(rows: Sequence[Row]) -> Iterator[str]:
    blind = [row for row in rows if "volume" in row.indistinct]
    if blind:
        residual = sum(row.terms.residual for row in blind)
        yield (
            "Where a side states no quantity, volume, cache split, band and price cannot be told apart: of "
            f"{pico_text(sum(row.invoice for row in blind))} USD billed so, {pico_text(residual)} USD are residual."
        )
    if any(row.indistinct == ("price", "discount") for row in rows):
        yield "Where no list price is stated, a discount cannot be told from a price: the difference is called price."
    spread = sum(row.pair.ours.spread for row in rows if row.pair.ours is not None)
    if spread:
        yield f"The ledger knows some costs in bounds only: they may be up to {pico_text(spread)} USD more."
    if any(row.pair.ours is not None and row.pair.ours.unpriced for row in rows):
        yield "The ledger counts usage that it has no price for: what is billed for it is called unpriced."
    fee = sum(row.pair.ours.net - row.pair.ours.paid for row in rows if row.pair.ours is not None)
    if fee and not any(row.heads["kind"] == "fee" for row in rows):
        yield f"The ledger has {pico_text(-fee)} USD of channel fees, and no line of the statement is a fee."


def _of_time(bill: Bill, ledger: Ledger, rows: Sequence[Row], end: datetime) -> Iterator[str]:
    for party, last in sorted(bill.ends.items()):
        later = sum(row.ledger for row in rows if row.heads[PROVIDER] == party and row.terms.extra)
        if last < end and later:
            yield (
                f"The statement of {party} ends on {time_text(last)}; usage booked after that is extra until the rest "
                "is imported."
            )
    if any(ledger.others.values()):
        yield "Other providers have booked costs and no statement: see other_providers."
