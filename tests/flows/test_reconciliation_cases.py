"""What bills look like: coarser than the ledger, in bounds, in part, in another zone, or without an explanation."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from planner.core.errors import Conflict, InvalidInput
from planner.core.event import Event, Outcome, Role, StatedBy
from planner.core.invoice import InvoiceLine, Kind
from planner.core.price import Band, RateTable, UnitPrice, When
from planner.core.units import Unit
from planner.flows import invoices
from planner.store import agreements, streams
from planner.store.engine import Store
from planner.store.streams import Stream
from tests.billing_worlds import asked, causes, check, euro, moment
from tests.ledger_books import BROKERED, NOON, OFFER, SINCE, catch_up, claim, event, listed, take
from tests.make import MTOK, rate, rates

COSTS = Stream("costs", Role.EVIDENCE, chosen=True, mutable=True)
USD = 10**12


def told(store: Store, *lines: InvoiceLine, mutable: bool = False) -> list[str]:
    """Enter lines of an invoice."""
    found = store.tell(lambda connection: invoices.take(connection, lines, at=NOON, by="test", mutable=mutable))
    return [one.status for one in found]


def line(id_: str = "1", /, **more: Any) -> InvoiceLine:
    """Make a line of a million tokens on the first of September."""
    said = {
        "source": "bill", "id": id_, "kind": Kind.USAGE, "amount": Decimal(3), "currency": "USD", "start": moment(0),
        "end": moment(1), "provider": "acme", "model": "small", "unit": Unit.INPUT, "quantity": MTOK,
    }  # fmt: skip
    if more.get("kind", Kind.USAGE) is not Kind.USAGE:
        said |= {"unit": None, "quantity": None, "model": None, "end": moment(30)}
    return InvoiceLine(**{**said, **more})


def cost(id_: str, usd: str, day: int = 0, /, **more: Any) -> Event:
    """Make a row of a cost report."""
    facts = {"counts": {"requests": 0}, "provider": "acme", "rateable": False, **more}
    return event(
        id_, moment(day), source="costs", until=moment(day + 1), stated_usd=Decimal(usd),
        stated_by=StatedBy.PROVIDER, **{**facts, **facts.pop("counts")},
    )  # fmt: skip


def total(store: Store, **more: Any) -> dict[str, int]:
    """Return what each cause comes to."""
    document = asked(store, **more)
    check(document)
    return causes(document["total"])


# --- what cannot be explained -----------------------------------------------------------------------------


def test_what_no_fact_explains_is_shown_and_named(books: Store) -> None:
    """A cost of a day without quantities: nobody can tell volume from price, so that the difference is residual."""
    take(books, event("1"), event("2", moment(0, 5)))
    take(books, cost("c", "6.4"), stream=COSTS)
    document = asked(books)
    check(document)
    assert causes(document["total"]) == {"residual": 4 * USD // 10}
    (row,) = document["rows"]
    assert (row["indistinct"], row["verdict"], document["coverage"]) == (
        ["volume", "cache_split", "band", "price", "discount"], "outside", {"matched": "1.0000", "counted": "0.0000"},
    )  # fmt: skip
    assert any("0.4 USD are residual" in note for note in document["notes"])


def test_an_invoice_that_multiplies_wrong_has_a_residual(books: Store) -> None:
    """A million at 3 dollars is 3, and it charges 3.50."""
    take(books, event())
    told(books, line(amount=Decimal("3.5"), unit_price=Decimal(3), per=MTOK))
    assert total(books) == {"residual": USD // 2}


def test_a_line_that_is_taken_back_whole_leaves_what_was_booked(books: Store) -> None:
    """A million is billed and taken back on one day, another billed on the next: the first is used and not billed."""
    take(books, event())
    back = {"amount": Decimal(-3), "quantity": -MTOK}
    told(books, line("1"), line("2", **back))
    assert total(books) == {"volume": -3 * USD}
    take(books, event("2", moment(1)))
    told(books, line("3", start=moment(1), end=moment(2)))
    assert total(books) == {"volume": -3 * USD}


def test_what_is_within_tolerance_is_marked_and_counted(books: Store) -> None:
    """Half a percent, or a cent; somebody may want less."""
    take(books, event())
    told(books, line(amount=Decimal("3.015")))
    document = asked(books)
    assert (document["rows"][0]["verdict"], causes(document["total"])) == ("within", {"price": 15 * USD // 1000})
    assert asked(books, relative=0, absolute=0)["rows"][0]["verdict"] == "outside"
    with pytest.raises(InvalidInput):
        asked(books, absolute=-1)


# --- what is booked otherwise -----------------------------------------------------------------------------


def test_a_discount_that_was_negotiated_is_no_difference(books: Store) -> None:
    """Off each line, or off the whole invoice on a line of its own; without the contract it is a discount."""
    row = {
        "name": "deal", "channel_id": "direct", "provider_id": "acme", "model_id": None, "discount_percent": "15",
        "commitment_usd": None, "commitment_period": None, "valid_from": SINCE, "valid_to": None, "reference": "r",
    }  # fmt: skip
    take(books, event())
    told(books, line(amount=Decimal("2.55"), list_amount=Decimal(3)))
    assert total(books) == {"discount": -45 * USD // 100}
    books.tell(lambda connection: agreements.add_contract(connection, row, at=NOON, actor="ada", reason="signed"))
    catch_up(books)
    take(books, event("2", moment(1)))
    told(
        books, line("2", source="other", start=moment(1), end=moment(2)),
        line("3", source="other", kind=Kind.DISCOUNT, amount=Decimal("-0.45")),
    )  # fmt: skip
    document = asked(books, sources=("other",))
    check(document)
    (usage,) = (row for row in document["rows"] if row["kind"] == "usage" and row["invoice_usd"] != "0")
    assert causes(usage) == {"discount": 45 * USD // 100}
    assert document["total"]["waterfall"]["discount_usd"] == "0"


def test_a_channels_fee_stands_against_the_fee_that_is_billed(books: Store) -> None:
    """Booked with the price and billed apart: only what differs is left."""
    listed(books, claim(BROKERED, rates("3", "15")))
    row = {
        "channel_id": "broker", "percent": "5.5", "basis": "markup", "payment": "credit", "source": "t",
        "source_url": "https://t.test", "valid_from": SINCE, "valid_to": None, "allowance_usd_per_month": None,
        "minimum_usd": None,
    }  # fmt: skip
    books.tell(lambda connection: agreements.add_fee(connection, row, at=NOON, actor="ada", reason="told"))
    take(books, event(offer=BROKERED))
    told(books, line(channel="broker"))
    assert total(books) == {"fee": -165 * USD // 1000}
    assert any("no line of the statement is a fee" in note for note in asked(books)["notes"])
    told(books, line("2", channel="broker", kind=Kind.FEE, amount=Decimal("0.2")))
    assert total(books, provider="broker") == {"fee": 35 * USD // 1000}


def test_a_fee_that_begins_within_the_time_is_a_fee_of_what_came_after(books: Store) -> None:
    """By whichever pieces of time it is asked for: a tenth of the second request, and nothing of the first."""
    listed(books, claim(BROKERED, rates("3", "15")))
    row = {
        "channel_id": "broker", "percent": "10", "basis": "markup", "payment": "credit", "source": "t",
        "source_url": "https://t.test", "valid_from": moment(14, 7), "valid_to": None, "allowance_usd_per_month": None,
        "minimum_usd": None,
    }  # fmt: skip
    books.tell(lambda connection: agreements.add_fee(connection, row, at=NOON, actor="ada", reason="told"))
    take(books, event("1", moment(14, 6), offer=BROKERED), event("2", moment(14, 7), offer=BROKERED))
    told(books, line(channel="broker", start=moment(14), end=moment(15), quantity=2 * MTOK, amount=Decimal(6)))
    for piece in (["day"], ["month"], []):
        assert total(books, by=(*piece, "provider", "model", "unit")) == {"fee": -3 * USD // 10}


def test_what_the_ledger_could_not_price_is_unpriced(books: Store) -> None:
    """Never a price of nothing; and where others of the key have a price, at that."""
    take(books, event(offer="direct:acme/unlisted", provider="acme", model="unlisted"))
    take(books, event("2", provider="acme", model="unlisted"))
    told(books, line(model="unlisted", amount=Decimal(9)))
    assert total(books) == {"unpriced": 9 * USD}


def test_what_a_gateway_answered_itself_was_never_billed(books: Store) -> None:
    """Its tokens are in the ledger, and no provider saw them."""
    take(books, event("1"), event("2", outcome=Outcome.GATEWAY_CACHE))
    told(books, line())
    assert total(books) == {}


def test_a_cost_that_was_only_reported_is_of_no_unit(books: Store) -> None:
    """The invoice's units come together for it; another model keeps its own."""
    stated = {"stated_usd": Decimal(5), "stated_by": StatedBy.GATEWAY}
    take(books, event("1", provider="acme", model="unlisted", output_tokens=5, **stated), event("2"))
    told(
        books, line(), line("2", model="unlisted", amount=Decimal(2)),
        line("3", model="unlisted", unit=Unit.OUTPUT, quantity=5, amount=Decimal(4)),
    )  # fmt: skip
    document = asked(books)
    check(document)
    assert {(row["model"], row["unit"], row["difference_usd"]) for row in document["rows"]} == {
        ("small", "input_token", "0"), ("unlisted", None, "1"),
    }  # fmt: skip


def test_a_band_of_our_own_card_explains_a_price(books: Store) -> None:
    """Batch at half the price is on the card; the invoice has it for one of two lines."""
    table = dict(rates("3", "15"))
    table[Unit.INPUT] = UnitPrice(rate("3"), (Band(When(service_tier="batch"), rate("1.5")),))
    listed(books, claim("direct:acme/banded", RateTable(table)))
    take(books, event("1", offer="direct:acme/banded"), event("2", moment(0, 3), offer="direct:acme/banded"))
    told(books, line(model="banded"), line("2", model="banded", amount=Decimal("1.5")))
    assert total(books) == {"band": -15 * USD // 10}


# --- statements -------------------------------------------------------------------------------------------


def test_a_line_is_taken_in_once(books: Store) -> None:
    """The same again is known, another under its name a conflict, or newer where the source corrects itself."""
    assert told(books, line(), line("2")) == ["stored", "stored"]
    assert told(books, line(), line(amount=Decimal(4)), line("3"), line("3", amount=Decimal(1))) == [
        "duplicate", "conflict", "stored", "conflict",
    ]  # fmt: skip
    assert told(books, line(amount=Decimal(4)), mutable=True) == ["superseded"]
    assert told(books, line("4", start=datetime(1999, 1, 1, tzinfo=UTC))) == ["invalid"]
    assert causes(asked(books)["total"]) == {"missing": 10 * USD}


def test_two_statements_of_the_same_are_refused_until_one_is_chosen(books: Store) -> None:
    """Together they would bill everything twice; of two accounts, or one after the other, they do not."""
    take(books, event())
    take(books, cost("c", "3"), stream=COSTS)
    told(books, line())
    with pytest.raises(Conflict, match="bill and costs"):
        asked(books)
    assert total(books, sources=("bill",)) == total(books, sources=("costs",)) == {}
    told(books, line("2", source="later", start=moment(1), end=moment(2), amount=Decimal(5)))
    assert total(books, sources=("bill", "later")) == {"missing": 5 * USD}
    assert total(books, since=moment(1).date()) == {"missing": 5 * USD}
    take(books, cost("d", "1", 1), stream=COSTS._replace(source="mine", account="mine"))
    assert total(books, provider="bolt") == {}


def test_the_ledgers_accounts_meet_their_own_statements(books: Store) -> None:
    """Each with the stream of its account."""
    for account, usd in (("one", "3"), ("two", "4")):
        take(books, event(account, source=account), stream=Stream(account, Role.LEDGER, account=account, own=True))
        stream = Stream(f"costs-{account}", Role.EVIDENCE, chosen=True, account=account)
        take(books, replace(cost("c", usd), source=stream.source), stream=stream)
    document = asked(books)
    check(document)
    assert {row["account"]: causes(row) for row in document["rows"]} == {"one": {}, "two": {"residual": USD}}


def test_lines_beyond_the_time_are_named_and_left_out(books: Store) -> None:
    """A bill of two months cannot be cut; one of another time is nothing to say."""
    told(
        books, line("1", start=moment(20), end=moment(50)), line("2", start=moment(-20), end=moment(5)),
        line("3", start=moment(-20), end=moment(-10)), line("4", start=moment(3), end=None),
    )  # fmt: skip
    document = asked(books)
    assert causes(document["total"]) == {"missing": 3 * USD}
    assert any(note.startswith("2 lines reach out of the time") for note in document["notes"])


def test_an_invoice_of_another_time_zone_meets_days_of_that_zone(books: Store) -> None:
    """Cut in days of Los Angeles, and read so; in days of UTC its days run together, and that is said."""
    night = moment(1, 3)
    take(books, event("1", night), event("2", night + timedelta(hours=20)))
    for day in (0, 1):
        told(books, line(str(day), start=moment(day, 7), end=moment(day + 1, 7)))
    there = asked(books, tz="America/Los_Angeles")
    assert [row["period"] for row in there["rows"]] == ["2026-09-01", "2026-09-02"]
    assert causes(there["total"]) == {}
    here = asked(books)
    assert [row["period"] for row in here["rows"]] == ["2026-09-01 to 2026-09-03"]
    assert any("2 lines begin or end within a day of UTC" in note for note in here["notes"])


def test_currencies_without_a_rate_are_in_no_sum(books: Store) -> None:
    """Where the invoice states its own, that stands for ours until somebody enters one."""
    euros = {"currency": "EUR", "amount": Decimal(2)}
    told(books, line("1", **euros), line("2", **euros, usd_per_unit=Decimal("1.25")))
    document = asked(books)
    assert (document["unconverted"], causes(document["total"])) == ({"EUR": "2"}, {"missing": 25 * USD // 10})
    assert sum("exchange rate" in note for note in document["notes"]) == 2
    euro(books)
    document = asked(books)
    assert (document["unconverted"], causes(document["total"])) == ({}, {"missing": 49 * USD // 10, "fx": -USD // 10})


def test_a_statement_that_ends_early_leaves_the_rest_extra(books: Store) -> None:
    """And says so: the provider's last days are not there yet."""
    take(books, event("1"), event("2", moment(9)))
    told(books, line())
    document = asked(books)
    assert causes(document["total"]) == {"extra": -3 * USD}
    assert any("ends on 2026-09-02T00:00:00Z" in note for note in document["notes"])


def test_usage_of_providers_that_billed_nothing_is_shown_beside(books: Store) -> None:
    """It is in no difference, unless somebody asks for that provider."""
    listed(books, claim(BROKERED, rates("3", "15")))
    take(books, event("1"), event("2", offer=BROKERED))
    told(books, line())
    document = asked(books)
    assert document["other_providers"] == [{"provider": "broker", "ledger_usd": "3"}]
    assert (causes(document["total"]), total(books, provider="broker")) == ({}, {"extra": -3 * USD})
    assert "Nothing was billed" in asked(books, provider="broker")["notes"][0]


def test_evidence_that_stays_in_its_files_is_named(books: Store) -> None:
    """Nothing of it is on record, so that it bills nothing."""
    stream = Stream("lake", Role.EVIDENCE, chosen=True, in_place=True)
    books.tell(lambda connection: streams.keep(connection, stream, NOON, "test"))
    assert any("import lake without --in-place" in note for note in asked(books)["notes"])
    assert not any("lake" in note for note in asked(books, sources=("bill",))["notes"])


def test_evidence_without_a_providers_cost_is_counted(books: Store) -> None:
    """An observer's own guess bills nothing."""
    take(books, event("g", source="costs", stated_usd=Decimal(9)), stream=COSTS)
    document = asked(books)
    assert (document["rows"], document["coverage"]) == ([], {"matched": None, "counted": None})
    assert any(note.startswith("1 rows of evidence state no cost") for note in document["notes"])


def test_a_line_that_came_as_evidence_before_counts_once(books: Store) -> None:
    """Taxes were rows of evidence once; imported again they are lines, under the same name."""
    take(books, cost("t", "1.9", tags={"charge_category": "Tax"}), stream=COSTS)
    assert total(books) == {"tax": 19 * USD // 10}
    told(books, line("t", source="costs", kind=Kind.TAX, amount=Decimal("1.9")))
    assert total(books) == {"tax": 19 * USD // 10}


@pytest.mark.parametrize(
    ("by", "periods", "units"),
    [
        ((), {"2026-09-01 to 2026-10-01"}, {None}),
        (("week", "unit"), {"2026-W36", "2026-W37"}, {"input_token"}),
        (("month",), {"2026-09"}, {None}),
    ],
)
def test_coarser_heads_are_matched_coarser(
    books: Store, by: tuple[str, ...], periods: set[str], units: set[str | None]
) -> None:
    """Whatever is asked for, the difference is the same."""
    take(books, event("1"), event("2", moment(9)))
    told(books, line(), line("2", start=moment(9), end=moment(10), amount=Decimal(4)))
    document = asked(books, by=by)
    check(document)
    assert ({row["period"] for row in document["rows"]}, {row["unit"] for row in document["rows"]}) == (periods, units)
    assert document["total"]["difference_usd"] == "1"
    for wrong in (("plan",), ("day", "week"), ("unit", "unit")):
        with pytest.raises(InvalidInput):
            asked(books, by=wrong)


def test_the_figures_rest_on_statements_and_prices(books: Store) -> None:
    """Which stream or invoice, from when to when, and by which versions of prices."""
    take(books, event())
    told(books, line())
    evidence = asked(books)["evidence"]
    (statement,), (price,) = evidence["statements"], evidence["prices"]
    assert (statement["source"], statement["lines"], statement["invoice_usd"], statement["from"]) == (
        "bill", 1, "3", "2026-09-01T00:00:00Z",
    )  # fmt: skip
    assert (price["offer"], price["token_cost_usd"]) == (OFFER, "3")


def test_many_keys_are_answered_by_the_largest_differences(books: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are added up in one place, so that nothing is lost."""
    monkeypatch.setattr("planner.flows.reconciliation.ROWS_MAX", 2)
    told(books, *(line(str(n), start=moment(n), end=moment(n + 1), amount=Decimal(n)) for n in range(1, 5)))
    document = asked(books)
    assert [row["invoice_usd"] for row in document["rows"]] == ["3", "4"]
    assert (document["rows_left_out"]["difference_usd"], document["total"]["difference_usd"]) == ("3", "10")
