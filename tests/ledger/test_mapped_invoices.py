"""Invoices by a mapping file: the lines of any provider's bill, and what they say wrong is named."""

import textwrap
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from planner.core.errors import InvalidInput
from planner.core.invoice import InvoiceLine, Kind
from planner.core.units import Unit
from planner.ledger import mapped, mapping
from planner.ledger.mapping import read_mapping
from tests.ledger.samples import GIVEN, opened, refused, said

(MAPPED,) = mapped.FORMATS
EXAMPLE = textwrap.dedent((mapping.__doc__ or "").split("::\n")[3].partition("\nFurther")[0])
HEAD = "Line,Type,Amount,From,To,Meter,Quantity,List"
ROW = "1,usage,2.55,2026-09-01T00:00:00Z,2026-10-01T00:00:00Z,input_token,1000000,3.00"


def lines(folder: Path, *rows: str, text: str = EXAMPLE, **given: Any) -> list[InvoiceLine]:
    """Read lines by a mapping."""
    file = opened(folder, "\n".join([HEAD, *rows]) + "\n")
    found = said(MAPPED, file, replace(GIVEN, mapping=read_mapping(text), **given))
    return [one for one in found if isinstance(one, InvoiceLine)]


def test_the_documented_mapping_of_an_invoice_reads_its_lines(tmp_path: Path) -> None:
    """Usage with quantity and list price, and a tax that has neither."""
    usage, tax = lines(tmp_path, ROW, "2,tax,0.48,2026-09-01T00:00:00Z,2026-10-01T00:00:00Z,,,")
    assert usage == InvoiceLine(
        source="stream", id="1", kind=Kind.USAGE, amount=Decimal("2.55"), currency="EUR",
        start=datetime(2026, 9, 1, tzinfo=UTC), end=datetime(2026, 10, 1, tzinfo=UTC), provider="openai",
        usd_per_unit=Decimal("1.16"), unit=Unit.INPUT, quantity=1_000_000, list_amount=Decimal(3),
    )  # fmt: skip
    assert (tax.kind, tax.amount, tax.unit, tax.list_amount) == (Kind.TAX, Decimal("0.48"), None, None)


def test_amounts_may_be_in_the_smallest_coin_and_names_the_same_in_every_row(tmp_path: Path) -> None:
    """Cents and yen; who bills, if the file is silent, is said beside it."""
    text = EXAMPLE.replace('provider = "openai"', 'model = "small"\nper = "1000"\nkey = "k"').replace(
        'id = "Line"', 'id = "Line"\namount_unit = "minor"'
    )
    (line,) = lines(tmp_path, ROW.replace("2.55", "255").replace("3.00", "300"), text=text, provider="acme")
    assert (line.amount, line.list_amount, line.provider, line.model, line.per, line.key) == (
        Decimal("2.55"), Decimal(3), "acme", "small", 1_000, "k",
    )  # fmt: skip
    yen = text.replace('"EUR"', '"JPY"').replace('usd_per_unit = "1.16"', 'channel = "broker"')
    (line,) = lines(tmp_path, ROW.replace("2.55", "255"), text=yen)
    assert (line.amount, line.party, line.usd_per_unit) == (Decimal(255), "broker", None)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("usage", "bribe", "line_kind"),
        ("usage", "credit", "amount"),
        ("input_token", "word", "unit"),
        ("1000000", "0.5", "quantity"),
        ("2.55", "", "amount"),
        ("2.55", "many", "amount"),
        ("2026-10-01", "2026-08-01", "end"),
        ("1,usage", ",usage", "id"),
    ],
)
def test_a_line_that_cannot_be_is_refused_by_its_field(tmp_path: Path, old: str, new: str, field: str) -> None:
    """The others are read."""
    file = opened(tmp_path, "\n".join([HEAD, ROW.replace(old, new, 1), ROW]) + "\n")
    ((place, reason),) = refused(MAPPED.read(file, replace(GIVEN, mapping=read_mapping(EXAMPLE))))
    assert (place, reason.partition(":")[0]) == ("line 2", field)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('amount = "Amount"\n', "", "amount"),
        ('line_kind = "Type"', 'line_kind = "Type"\nitem_kind = "Type"', "item_kind"),
        ('line_kind = "Type"', 'line_kind = "Type"\ncounts = {}', "counts"),
        ("[constants]", '[constants]\nline_kind = "gift"', "line_kind"),
        ("[constants]", '[constants]\nunit = "input_token"', "unit"),
        ('kind = "invoice"', 'kind = "bill"', "kind"),
    ],
)
def test_a_mapping_that_is_none_is_refused_by_its_key(old: str, new: str, field: str) -> None:
    """What is missing, of another kind of mapping, no word, or said twice."""
    with pytest.raises(InvalidInput) as found:
        read_mapping(
            EXAMPLE.replace(f"\n{old}", f"\n{new}", 1) if not EXAMPLE.startswith(old) else EXAMPLE.replace(old, new, 1)
        )
    assert found.value.field == field
