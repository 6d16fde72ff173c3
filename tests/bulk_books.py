"""Books whose usage lies in files, beside books that take the same rows in."""

import csv
import json
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.core.claim import Segment
from planner.core.event import Role
from planner.core.money import pico_text
from planner.flows import bulk
from planner.flows.correct import correct_price
from planner.flows.cost_report import cost_report
from planner.flows.import_file import Import, import_file
from planner.flows.import_in_place import import_in_place
from planner.flows.margin_report import Question, margin_report
from planner.flows.rating_in_place import Rows
from planner.flows.second import By
from planner.flows.survey import Summary
from planner.ledger.format import Given
from planner.store import agreements, customers, work
from planner.store import bulk as files
from planner.store import tables as t
from planner.store.customers import Assignment
from planner.store.engine import Store
from planner.store.streams import Stream
from tests.ledger_books import (
    DAY,
    HOUR,
    LAX,
    NOON,
    OFFER,
    SEPTEMBER,
)
from tests.make import rates

LATER = NOON + HOUR
NEW = "direct:acme/new"
COLUMNS = ("id", "at", "offer", "provider", "model", "customer", "plan", "request", "input", "output")
MAPPING: dict[str, Any] = {
    "kind": "usage", "id": "id", "at": "at", "request_id": "request", "cache_stated": True,
    **{name: name for name in ("offer", "provider", "model", "customer", "plan")},
    "counts": {"input_tokens": "input", "output_tokens": "output"},
}  # fmt: skip
BY = By(actor="ada", at=LATER, reason="told")


class Pair(NamedTuple):
    """The same books twice: one that keeps its rows in files, and one that takes them in."""

    place: Store
    rows: Store

    def each(self, story: Any) -> None:
        """Tell both the same."""
        for store in self:
            store.tell(story)


def row(id_: object, at: datetime = SEPTEMBER, **cells: object) -> dict[str, object]:
    """Make a row: a million tokens in and none out, by the one offer, unless it says something else."""
    served = {} if {"provider", "model"} & cells.keys() else {"offer": OFFER}
    return {"id": id_, "at": at.isoformat(), "input": 1_000_000, "output": 0, **served, **cells}


def usual(days: int = 40, per_day: int = 3) -> list[dict[str, object]]:
    """Make rows of some days: of plans and customers, long and short, served by who is known and who is not."""
    served: tuple[dict[str, object], ...] = (
        {}, {}, {"offer": NEW}, {"provider": "acme", "model": "small"}, {"provider": "acme", "model": "x"},
    )  # fmt: skip
    return [
        row(
            number, SEPTEMBER + number * DAY / per_day + timedelta(minutes=7 * number),
            plan=("pro", "free", "")[number % 3], customer=f"u{number % 4}", input=1_000 + 17 * number,
            output=31 * number, **served[number % 5],
        )
        for number in range(days * per_day)
    ]  # fmt: skip


def written(path: Path, rows: Iterable[dict[str, object]]) -> Path:
    """Write a file."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def asked(path: Path, source: str = "log", **more: Any) -> Import:
    """Ask for a file to be imported."""
    words = {"source": source, **more.pop("words", {})}
    return Import(path=path, name=path.name, words=words, **{"mapping": MAPPING, "format": "mapping", **more})


def placed(store: Store, path: Path, source: str = "log", at: datetime = NOON, **more: Any) -> Summary:
    """Import a file in place."""
    return import_in_place(store, asked(path, source, **more), now=lambda: at, by="test")


def opened(store: Store, path: Path) -> Rows:
    """Begin to import a file in place, and return how its rows are counted."""
    rows = Rows(
        path=path, format="mapping", given=Given(source="log", mapping=MAPPING), containments={}, at=NOON,
        stream=Stream("log", Role.LEDGER, in_place=True),
    )  # fmt: skip
    return store.tell(lambda connection: bulk.begin(connection, rows, "test"))


def both(pair: Pair, path: Path, at: datetime = NOON, **more: Any) -> tuple[Summary, Summary]:
    """Import a file in place into the one books, and its rows into the others."""
    return placed(pair.place, path, at=at, **more), import_file(
        pair.rows, asked(path, **more), now=lambda: at, by="test"
    )


def reports(store: Store, **more: Any) -> list[str]:
    """Return the bytes of reports of all kinds; without the lines, which are of rows."""
    found = []
    with store.read() as connection:
        for by, tz, basis in (
            (("plan", "month"), "UTC", "booked"), (("customer", "day"), "Asia/Kolkata", "usage"),
            (("offer", "price_version", "source"), "UTC", "booked"),
            (("model", "week"), "America/New_York", "booked"), (("plan", "month"), "UTC", "usage"),
        ):  # fmt: skip
            question = Question(by=by, since=date(2026, 8, 1), until=date(2026, 12, 1), tz=tz, basis=basis, **more)
            report = margin_report(connection, question)
            del report["evidence"]["lines"]
            costs = [cost_report(connection, question, by_unit=by_unit) for by_unit in (True, False)]
            found += [json.dumps(document) for document in (report, *costs)]
    return found


def runs(store: Store) -> list[tuple[Any, ...]]:
    """Return the runs: import, kind, what they changed in dollars."""
    with store.read() as connection:
        found = connection.execute(sa.select(t.ledger.bulk_runs).order_by(t.ledger.bulk_runs.c.id)).all()
    return [(one.import_id, one.kind, pico_text(_cost(one.cells))) for one in found]


def _cost(cells: bytes) -> int:
    return sum(posting.measures.cost for _slot, _booked, posting in files.unpacked(cells))


def corrected(begins: int, ends: int, usd: str) -> Any:
    """Find out that a price was another one, from a day of September to another."""
    stretch = Segment(SEPTEMBER + begins * DAY, SEPTEMBER + ends * DAY, rates(usd, "15"))
    return lambda connection: correct_price(
        connection, OFFER, stretch, source_url="https://i.test", at=LATER, actor="ada", reason="invoice", bounds=LAX
    )


def contract(connection: sa.Connection) -> None:
    """Record a discount of 12.5 % from the third of September on."""
    facts = {
        "name": "c", "channel_id": "direct", "provider_id": "acme", "model_id": None, "discount_percent": "12.5",
        "commitment_usd": None, "commitment_period": None, "valid_from": SEPTEMBER + 2 * DAY, "valid_to": None,
        "reference": "paper",
    }  # fmt: skip
    agreements.add_contract(connection, facts, at=LATER, actor="ada", reason="signed")


def who(id_: str) -> Any:
    """Find out who a customer of the file is, and what it was on."""

    def story(connection: sa.Connection) -> None:
        customers.put(connection, f"c-{id_}", "One", LATER, "ada")
        customers.set_ids(connection, f"c-{id_}", [("log", id_)], LATER, "ada")
        customers.assign(connection, f"c-{id_}", Assignment("team", SEPTEMBER + 5 * DAY, None), LATER, "ada")
        work.add(connection, "customer", {"ids": [[None, f"c-{id_}"], ["log", id_]]}, LATER)

    return story


def rerated(store: Store, number: int = 1, at: datetime = LATER) -> bulk.Rerated:
    """Rate a file again because a person wants it."""
    return bulk.rerate(store, number, lambda: at, BY)
