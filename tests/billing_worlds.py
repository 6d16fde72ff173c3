"""Usage that a ledger has, and the invoice of a provider that differs from it in ways that are known."""

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from planner.core.event import Role
from planner.core.money import PICO, pico_text, plain
from planner.flows import agreement
from planner.flows.import_file import Import, import_file
from planner.flows.reconciliation import reconcile
from planner.flows.reconciliation_rows import Question
from planner.flows.survey import Summary
from planner.store.engine import Store
from tests.ledger_books import NOON, SEPTEMBER, claim, know, listed
from tests.make import rates

PROVIDER = "acme"
# 1e-12 USD for one token.
PRICES = {
    "small": {"input_token": 3_000_000, "cache_read_token": 300_000, "output_token": 15_000_000},
    "large": {"input_token": 5_000_000, "cache_read_token": 500_000, "output_token": 25_000_000},
}
_USAGE: dict[str, Any] = {
    "kind": "usage", "id": "id", "at": "at", "model": "model", "project": "project", "includes_cached": False,
    "constants": {"provider": PROVIDER},
    "counts": {"input_tokens": "input", "cache_read_tokens": "read", "output_tokens": "output"},
}  # fmt: skip
_INVOICE: dict[str, Any] = {
    "kind": "invoice", "id": "id", "line_kind": "kind", "start": "start", "end": "end", "model": "model",
    "project": "project", "unit": "unit", "quantity": "quantity", "list_amount": "list", "amount": "amount",
    "currency": "currency", "usd_per_unit": "rate", "constants": {"provider": PROVIDER},
}  # fmt: skip
_UNITS = {"input": "input_token", "read": "cache_read_token", "output": "output_token"}


class Request(NamedTuple):
    """One request: its day in September, and what it used, in thousands of tokens."""

    day: int
    model: str
    project: str
    input: int
    read: int
    output: int


class Place(NamedTuple):
    """Where an invoice and a ledger meet."""

    day: int
    model: str
    project: str
    unit: str


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """What is different on the invoice.

    Every ``lost``-th request is not in the ledger, and every ``unbilled``-th not on the invoice. Prices are ``price``
    percent higher, and then ``discount`` percent are taken off. ``split``: a fifth of each key's uncached prompt is
    billed as read from the cache. A ``credit`` and a ``fee`` are in the invoice's currency, ``tax`` in percent of
    everything else. With ``euros`` amounts are in euros, at 1.25 dollars by the invoice and 1.2 by us.
    """

    lost: int = 0
    unbilled: int = 0
    price: int = 0
    discount: int = 0
    split: bool = False
    credit: Decimal = Decimal()
    fee: Decimal = Decimal()
    tax: int = 0
    euros: bool = False


ALL = Wrong(
    lost=33, unbilled=40, price=10, discount=15, credit=Decimal("12.34"), fee=Decimal("3.5"), tax=19, euros=True
)  # fmt: skip


def requests(number: int = 200) -> list[Request]:
    """Make requests of five days, two models and three projects; every key has many."""
    return [
        Request(n % 5, ("small", "large")[n % 2], ("", "a", "b")[n % 3], 10 + n % 7, 5 * (n % 4), 1 + n % 5)
        for n in range(number)
    ]


def priced(store: Store) -> Store:
    """Let books know both models and their prices, and what a euro is worth to us."""
    know(store)
    tables = {
        model: rates(*(plain(Decimal(prices[unit]).scaleb(-6)) for unit in ("input_token", "output_token")),
                     cache_read=plain(Decimal(prices["cache_read_token"]).scaleb(-6)))
        for model, prices in PRICES.items()
    }  # fmt: skip
    listed(store, *(claim(f"direct:{PROVIDER}/{model}", table) for model, table in tables.items()))
    return store


def euro(store: Store, usd: str = "1.2") -> None:
    """Enter what a euro is worth to us."""
    row = {"currency": "EUR", "day": date(2026, 8, 1), "usd": usd, "source": "t", "source_url": "https://t.test"}
    store.tell(lambda connection: agreement.set_fx(connection, row, at=NOON, actor="test", reason="t"))


def taken(
    store: Store, folder: Path, name: str, rows: Iterable[Mapping[str, Any]], mapping: Mapping[str, Any]
) -> Summary:
    """Import rows by a mapping, as a user would."""
    listed_, path = list(rows), folder / name
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(listed_[0]))
        writer.writeheader()
        writer.writerows(listed_)
    role = Role.LEDGER if mapping["kind"] == "usage" else None
    asked = Import(path=path, name=name, words={"source": name}, mapping=mapping, format="mapping", role=role)
    summary = import_file(store, asked, now=lambda: NOON, by="test")
    assert summary.refused_rows == 0, summary.refused
    return summary


def use(store: Store, folder: Path, used: list[Request], wrong: Wrong) -> None:
    """Let the ledger have what it did not lose."""
    rows = [
        {
            "id": f"r{n}", "at": (SEPTEMBER + timedelta(days=one.day, minutes=n)).isoformat(), "model": one.model,
            "project": one.project, "input": one.input * 1000, "read": one.read * 1000, "output": one.output * 1000,
        }
        for n, one in enumerate(used)
        if not _every(wrong.lost, n)
    ]  # fmt: skip
    taken(store, folder, "usage", rows, _USAGE)


def _every(nth: int, n: int) -> bool:
    return nth > 0 and n % nth == nth - 1


def counted(used: list[Request], lost: int) -> dict[Place, int]:
    """Count tokens under every place, without each ``lost``-th request."""
    found: Counter[Place] = Counter()
    for n, one in enumerate(used):
        for name, unit in _UNITS.items():
            if not _every(lost, n) and getattr(one, name):
                found[Place(one.day, one.model, one.project, unit)] += getattr(one, name) * 1000
    return dict(found)


def divided(billed: Mapping[Place, int]) -> dict[Place, int]:
    """Bill a fifth of every uncached prompt as read from the cache."""
    found: Counter[Place] = Counter(billed)
    for place, quantity in billed.items():
        if place.unit == "input_token":
            found[place] -= quantity // 5
            found[place._replace(unit="cache_read_token")] += quantity // 5
    return dict(found)


def bill(store: Store, folder: Path, used: list[Request], wrong: Wrong) -> dict[str, int]:
    """Send the invoice, and return what each cause comes to, in 1e-12 USD, counted from the requests themselves."""
    ours, theirs = counted(used, wrong.lost), counted(used, wrong.unbilled)
    theirs = divided(theirs) if wrong.split else theirs
    expected: dict[str, int] = defaultdict(int)
    rows, own = list[dict[str, Any]](), Fraction(5, 4) if wrong.euros else Fraction(1)
    total = Fraction()

    def write(
        kind: str, amount: Fraction, listed_: Fraction | None = None, place: Place | None = None, **more: Any
    ) -> None:
        nonlocal total
        total += amount
        start = SEPTEMBER if place is None else SEPTEMBER + timedelta(days=place.day)
        end = SEPTEMBER + timedelta(days=30) if place is None else start + timedelta(days=1)
        rows.append(
            {
                "id": f"line{len(rows)}", "kind": kind, "start": start.isoformat(), "end": end.isoformat(),
                "model": place.model if place else "", "project": place.project if place else "",
                "unit": place.unit if place else "", "quantity": more.get("quantity", ""),
                "list": "" if listed_ is None else _text(listed_ / own), "amount": _text(amount / own),
                "currency": "EUR" if wrong.euros else "USD", "rate": "1.25" if wrong.euros else "",
            }
        )  # fmt: skip

    for place, quantity in sorted(theirs.items()):
        price = PRICES[place.model][place.unit]
        higher = Fraction(quantity * price * (100 + wrong.price), 100)
        amount = higher * (100 - wrong.discount) / 100
        write("usage", amount, higher, place, quantity=quantity)
        if place in ours or (wrong.split and place.unit == "cache_read_token"):
            cause = "cache_split" if wrong.split and place.unit != "output_token" else "volume"
            expected[cause] += (quantity - ours.get(place, 0)) * price
            expected["price"] += int(higher - quantity * price)
            expected["discount"] += int(amount - higher)
        else:
            expected["missing"] += int(amount)
    for place, quantity in ours.items():
        if place not in theirs:
            expected["extra"] -= quantity * PRICES[place.model][place.unit]
    for kind, given in (("credit", -wrong.credit), ("fee", wrong.fee)):
        if given:
            write(kind, Fraction(given) * PICO * own)
            expected[kind] += int(Fraction(given) * PICO * own)
    if wrong.tax:
        taxed = total * wrong.tax / 100
        write("tax", taxed)
        expected["tax"] = int(taxed)
    # What the invoice says at its own rate costs us less at ours.
    expected["fx"] = int(total * (Fraction(6, 5) / own - 1)) if wrong.euros else 0
    taken(store, folder, "invoice", rows, _INVOICE)
    return {cause: pico for cause, pico in expected.items() if pico}


def _text(pico: Fraction) -> str:
    value = pico / PICO
    found = Decimal(value.numerator) / Decimal(value.denominator)
    assert Fraction(found) == value
    return plain(found)


def asked(store: Store, **more: Any) -> dict[str, Any]:
    """Reconcile September."""
    question = Question(**{"since": date(2026, 9, 1), "until": date(2026, 10, 1), **more})
    with store.read() as connection:
        document = reconcile(connection, question)
    answered: dict[str, Any] = json.loads(json.dumps(document))
    return answered


def causes(line: Mapping[str, Any]) -> dict[str, int]:
    """Return the terms of a row or a total that are not 0, in 1e-12 USD."""
    found = {name.removesuffix("_usd"): _pico(text) for name, text in line["waterfall"].items()}
    return {name: pico for name, pico in found.items() if pico}


def _pico(text: str) -> int:
    return int(Decimal(text).scaleb(12))


def check(document: Mapping[str, Any]) -> None:
    """Hold every row and the total to what they promise: the terms are the difference, and the rows the total."""
    for line in (*document["rows"], document["total"]):
        assert sum(causes(line).values()) == _pico(line["difference_usd"])
        assert _pico(line["invoice_usd"]) - _pico(line["ledger_usd"]) == _pico(line["difference_usd"])
    for name in ("invoice_usd", "ledger_usd", "difference_usd"):
        whole = sum(_pico(row[name]) for row in document["rows"])
        assert pico_text(whole) == document["total"][name]


def moment(day: int, hour: int = 0) -> datetime:
    """Return an hour of a day of September, counted from 0."""
    return SEPTEMBER + timedelta(days=day, hours=hour)
