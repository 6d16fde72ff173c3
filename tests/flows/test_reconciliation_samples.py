"""The recorded cost reports run through the reconciliation, and what planner exports of itself differs in nothing."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from planner.core.event import Role
from planner.flows.focus_report import focus_report
from planner.flows.import_file import Import, import_file
from planner.flows.reconciliation import reconcile
from planner.flows.reconciliation_rows import Question
from planner.store import tables as t
from planner.store.engine import Store
from tests.billing_worlds import Wrong, asked, causes, check, moment, priced, requests, use
from tests.data import shared
from tests.ledger.samples import CHARGE, csv_text
from tests.ledger_books import event, take

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
PICO = 10**12


def taken(store: Store, *path: str, role: Role | None = None, **words: Any) -> None:
    """Import a sample."""
    asked_ = Import(path=shared("usage", *path), name=path[-1], words=words, role=role)
    assert import_file(store, asked_, now=lambda: NOW, by="test").refused_rows == 0


def month(store: Store, first: date, last: date, **more: Any) -> dict[str, Any]:
    """Reconcile a span of days."""
    with store.read() as connection:
        document = reconcile(connection, Question(since=first, until=last, **more))
    check(document)
    return document


def test_anthropics_cents_meet_its_own_usage_report(installed_copy: Store) -> None:
    """$1.3378912 by unit: searches match to the cent; the sample's tokens do not, and no report says how many."""
    taken(installed_copy, "anthropic", "cost_report_legacy.json")
    taken(installed_copy, "anthropic", "usage_report_messages_legacy.json")
    document = month(installed_copy, date(2026, 9, 1), date(2026, 10, 1))
    assert (document["total"]["invoice_usd"], document["coverage"]["matched"]) == ("1.3378912", "1.0000")
    rows = {(row["model"], row["unit"], row["service_tier"]): row for row in document["rows"]}
    assert causes(rows[None, "web_search", None]) == {}
    prompt = rows["anthropic/claude-opus-4.6", "input_token", "standard"]
    assert (prompt["project"], prompt["ledger_usd"], prompt["indistinct"][0]) == ("wrkspc_example", "0.0075", "volume")
    assert causes(prompt) == {"residual": 1_230_391_200_000}
    assert any(note.startswith("Anthropic states cents") for note in document["notes"])


def test_a_negotiated_discount_is_seen_in_the_newer_report(installed_copy: Store) -> None:
    """94.61382 at list price and 80.42175 billed: 15 % off, whatever else cannot be told."""
    taken(installed_copy, "anthropic", "analytics_cost_beta.json")
    taken(installed_copy, "anthropic", "analytics_usage_beta.json")
    document = month(installed_copy, date(2026, 11, 1), date(2026, 12, 1))
    (row,) = document["rows"]
    assert (row["invoice_list_usd"], row["invoice_usd"]) == ("94.61382", "80.42175")
    assert causes(row)["discount"] == -14_192_070_000_000
    assert set(causes(row)) == {"discount", "residual"}


def test_openais_days_are_held_against_everything_it_served(installed_copy: Store) -> None:
    """Without line items there are neither models nor units."""
    taken(installed_copy, "openai", "costs_page.json")
    document = month(installed_copy, date(2024, 11, 1), date(2024, 12, 1))
    assert causes(document["total"]) == {"missing": 60_000_000_000}
    assert document["notes"][0].startswith("OpenAI states costs by the day and late")


@pytest.mark.parametrize(
    ("name", "usd"),
    [
        ("ai_prompt_caching_a", "33.9"),
        ("ai_prompt_caching_b", "38.4"),
        ("cached_tokens_via_csp_marketplace", "47.5"),
        ("drawdown_via_prepayment_ai_model_api", "50"),
        ("per_token_ai_model_api", "94.5"),
    ],
)
def test_focus_samples_are_bills_of_what_was_never_booked(installed_copy: Store, name: str, usd: str) -> None:
    """All of it is missing, by meter and month."""
    taken(installed_copy, "focus", f"{name}.csv")
    document = month(installed_copy, date(2025, 1, 1), date(2025, 12, 1))
    assert document["total"]["waterfall"]["missing_usd"] == document["total"]["invoice_usd"] == usd
    assert all(" to " in row["period"] for row in document["rows"])


def test_what_planner_exports_is_what_it_has_booked(store: Store, tmp_path: Path) -> None:
    """Its own FOCUS file, read as somebody's bill, differs in nothing: quantity, list price and cost."""
    priced(store)
    use(store, tmp_path, requests(), Wrong())
    with store.read() as connection:
        text, _counts = focus_report(connection, date(2026, 9, 1), date(2026, 10, 1))
    path = tmp_path / "focus.csv"
    path.write_text(text)
    import_file(store, Import(path=path, name="focus.csv", words={}), now=lambda: NOW, by="test")
    document = asked(store)
    check(document)
    assert (causes(document["total"]), document["coverage"]) == ({}, {"matched": "1.0000", "counted": "1.0000"})
    assert Decimal(document["total"]["invoice_usd"]) > 0
    assert {row["difference_usd"] for row in document["rows"]} == {"0"}


def test_a_bill_spells_its_provider_in_its_own_words(store: Store, tmp_path: Path) -> None:
    """Once somebody said who that is, its usage and its tax are of one provider, and meet the ledger's."""
    priced(store)
    with store.write() as connection:
        spelled = {
            "feed": "focus",
            "spelling": "Acme Intelligence, Inc.",
            "provider_id": "acme",
            "channel_id": "direct",
        }
        connection.execute(sa.insert(t.provider_spellings).values(**spelled))
    row = {**CHARGE, "ServiceProviderName": "Acme Intelligence, Inc.", "SubAccountId": "", "CredentialId": ""}
    details = json.dumps({"ModelId": "small", "TokenDirection": "Input"})
    usage = {**row, "SkuPriceDetails": details, "ListCost": "9.75"}
    tax = {**row, "ChargeCategory": "Tax", "EffectiveCost": "1.85", "ConsumedQuantity": "", "ListCost": ""}
    take(store, event("1", moment(2), provider="acme", model="small", input_tokens=3_250_000))
    for name, rows in (("tax.csv", [tax]), ("usage.csv", [usage])):
        path = tmp_path / name
        path.write_text(csv_text(*rows))
        import_file(store, Import(path=path, name=name, words={}), now=lambda: NOW, by="test")
    document = asked(store)
    check(document)
    assert {(row["provider"], row["kind"], row["difference_usd"]) for row in document["rows"]} == {
        ("acme", "usage", "0"), ("acme", "tax", "1.85"),
    }  # fmt: skip
    (statement,) = document["evidence"]["statements"]
    assert [one["file"] for one in statement["imports"]] == ["tax.csv", "usage.csv"]


def test_a_brokers_activity_is_a_bill_of_the_broker(installed_copy: Store) -> None:
    """Whoever ran the models stands beside; where keys of our own paid, its dollars are an estimate."""
    taken(installed_copy, "openrouter", "activity.json", role=Role.EVIDENCE)
    document = month(installed_copy, date(2025, 1, 1), date(2026, 11, 1))
    (row,) = document["rows"]
    assert (row["provider"], bool(row["upstream"]), causes(row)) == ("openrouter", True, {"missing": 27_000_000_000})
    assert document["notes"][0].startswith("Where a key of our own paid the upstream")


def test_a_charge_that_becomes_a_correction_and_back_is_what_it_said_last(store: Store, tmp_path: Path) -> None:
    """Usage of FOCUS is evidence and what lowers it a line of an invoice: under one id one of them counts."""
    priced(store)
    for number, cost in enumerate(("5", "-5", "5", "-2", "7")):
        path = tmp_path / f"{number}.csv"
        path.write_text(csv_text({**CHARGE, "ServiceProviderName": "acme", "EffectiveCost": cost}))
        import_file(store, Import(path=path, name=path.name, words={}), now=lambda: NOW, by="test")
        assert asked(store)["total"]["invoice_usd"] == cost
