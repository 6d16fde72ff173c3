"""The reconciliation on the command line: files in, the waterfall printed, and a table written."""

import csv
from pathlib import Path

import pytest

from planner.store.engine import Store, open_store
from tests.billing_worlds import ALL, bill, check, euro, priced, requests, use
from tests.cli.test_commands import Planner, planner

__all__ = ["planner"]

SEPTEMBER = ("--from", "2026-09-01", "--to", "2026-10-01")


@pytest.fixture
def desk(planner: Planner, schema: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planner:
    """Run planner over books whose invoice has everything wrong at once."""
    path = tmp_path / "books.sqlite3"
    path.write_bytes(schema.read_bytes())
    store: Store = open_store(f"sqlite:///{path}")
    priced(store)
    euro(store)
    use(store, tmp_path, requests(), ALL)
    bill(store, tmp_path, requests(), ALL)
    store.close()
    monkeypatch.setenv("PLANNER_DATABASE_URL", f"sqlite:///{path}")
    monkeypatch.setenv("PLANNER_KEY_PEPPER", "pepper")
    return planner


def test_the_waterfall_is_printed_from_the_ledger_to_the_invoice(desk: Planner) -> None:
    """With the keys that differ most, and what has to be known; the residual stands there even where it is 0."""
    document = desk("report", "reconciliation", *SEPTEMBER, "--json").json
    check(document)
    said = desk("report", "reconciliation", *SEPTEMBER)
    assert said.code == 0
    for name in ("ledger", "volume", "price", "discount", "credit", "fee", "tax", "fx", "residual", "invoice"):
        assert name in said.out
    for usd in (document["total"]["ledger_usd"], document["total"]["invoice_usd"]):
        assert usd in said.out
    assert "keys beyond the tolerance" in said.out
    assert "more beyond are in --json and --output" in said.out
    assert "statement  invoice" in said.out


def test_it_is_written_as_a_table(desk: Planner, tmp_path: Path) -> None:
    """One row a key, and the total; nothing else than CSV."""
    path = tmp_path / "rows.csv"
    written = desk("report", "reconciliation", *SEPTEMBER, "--by", "month,model", "--output", str(path))
    assert (written.code, written.out) == (0, "")
    *rows, total = csv.DictReader(path.read_text().splitlines())
    assert {row["period"] for row in rows} == {"2026-09"}
    assert (total["period"], total["waterfall_credit_usd"]) == ("total", "-15.425")
    refused = desk("report", "reconciliation", *SEPTEMBER, "--output", str(tmp_path / "rows.xlsx"))
    assert (refused.code, ".csv" in refused.err) == (2, True)


def test_other_providers_and_the_zone_are_said(desk: Planner) -> None:
    """Asked for somebody who billed nothing, the ledger's others stand beside."""
    said = desk("report", "reconciliation", *SEPTEMBER, "--provider", "bolt", "--tz", "Asia/Kolkata")
    assert "2026-09-01 to 2026-10-01 in Asia/Kolkata" in said.out
    assert "unstated   acme" in said.out
    assert "Nothing was billed" in said.out
    assert desk("report", "reconciliation", *SEPTEMBER, "--tolerance", "half").code == 2
