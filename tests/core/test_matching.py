"""An invoice and a ledger meet under the finest keys that both know."""

from fractions import Fraction
from typing import Any

import pytest

from planner.core.matching import HEADS, UNIT, Cell, Charges, Key, match
from planner.core.price import Band, PriceCard, RateTable, UnitPrice, When
from planner.core.units import Unit
from planner.core.waterfall import Booked, Pair, Stated
from tests.make import card, rate, rates

BY = (UNIT, *HEADS)


def key(unit: Unit | None = Unit.INPUT, first: int = 0, last: int | None = None, /, **heads: str | None) -> Key:
    """Make a key of one day of a model, unless it says something else."""
    said = {"model": "small", **heads}
    return Key(first, first if last is None else last, "acme", unit, tuple(said.get(name) for name in HEADS))


def cell(unit: Unit | None = Unit.INPUT, day: int = 0, /, *, cost: int = 10, **more: Any) -> Cell:
    """Make a cell of ten tokens."""
    priced = more.pop("card", None)
    said = {"model": "small", "service_tier": "standard", **more}
    booked = Booked(0 if unit is None else 10, 0, cost, cost, cost, whole=unit is None)
    return Cell(day, "acme", unit, tuple(said.get(name, "") for name in HEADS), booked, priced)


def met(lines: list[Key], cells: list[Cell], by: tuple[str, ...] = BY) -> dict[Key, Pair]:
    """Match lines of ten tokens each."""
    charges = Charges()
    for line in lines:
        charges.add(line, Stated(None if line.unit is None else 10, None, 12, 0, 12, 12))
    return match(charges, cells, by)


def sides(found: dict[Key, Pair]) -> dict[Key, tuple[int | None, int]]:
    """Return what the ledger has under each key, and what was billed."""
    return {
        place: (None if pair.ours is None else pair.ours.net, sum(one.amount for one in pair.theirs))
        for place, pair in found.items()
    }


def test_both_meet_under_everything_that_both_say() -> None:
    """Lines of one key and cells of one key are added up; what one side alone has stands alone."""
    lines = [key(project="a"), key(project="a"), key(project="b"), key(Unit.OUTPUT, project="a")]
    cells = [cell(project="a"), cell(project="a", service_tier="batch"), cell(project="c")]
    assert sides(met(lines, cells)) == {
        key(project="a"): (20, 24), key(project="b"): (None, 12), key(project="c"): (10, 0),
        key(Unit.OUTPUT, project="a"): (None, 12),
    }  # fmt: skip


def test_a_head_that_one_side_does_not_know_is_not_told_apart() -> None:
    """An invoice without projects, a ledger without keys, and whatever nobody asked for."""
    lines = [key(key="k"), key(service_tier="batch")]
    cells = [cell(project="a"), cell(project="b", service_tier="batch")]
    assert sides(met(lines, cells)) == {
        key(service_tier=""): (None, 12),
        key(service_tier="batch"): (10, 12),
        key(service_tier="standard"): (10, 0),
    }
    together = key(model=None)
    assert sides(met(lines, cells, (UNIT,))) == {together: (20, 24)}


def test_a_line_that_names_nobody_in_particular_is_a_value_where_others_do() -> None:
    """The default workspace is null on the invoice and nothing in the ledger."""
    assert sides(met([key(project="a"), key()], [cell(project="a"), cell()])) == {
        key(project="a"): (10, 12), key(project=""): (10, 12),
    }  # fmt: skip


def test_heads_are_those_of_the_unit() -> None:
    """Searches are billed without a model, tokens with one; what nobody billed is told apart as everything else is."""
    lines = [key(), key(Unit.WEB_SEARCH, model=None)]
    cells = [cell(), cell(Unit.WEB_SEARCH), cell(Unit.WEB_SEARCH, model="large"), cell(Unit.OUTPUT)]
    assert sides(met(lines, cells)) == {
        key(): (10, 12), key(Unit.WEB_SEARCH, model=None): (20, 12), key(Unit.OUTPUT): (10, 0),
    }  # fmt: skip


def test_an_invoice_of_what_the_ledger_never_heard_of_keeps_its_heads() -> None:
    """Nothing is on the other side that could know less."""
    assert sides(met([key(project="a", key="k")], [])) == {key(project="a", key="k"): (None, 12)}


def test_lines_that_overlap_are_one_time() -> None:
    """A month and a day within it, and the ledger's days with them; a day after it is a day."""
    lines = [key(Unit.INPUT, 0, 3), key(Unit.INPUT, 2), key(Unit.INPUT, 3, 5), key(Unit.INPUT, 6), key(Unit.OUTPUT, 2)]
    cells = [cell(Unit.INPUT, day) for day in range(8)]
    assert sides(met(lines, cells)) == {
        key(Unit.INPUT, 0, 5): (60, 36), key(Unit.INPUT, 6): (10, 12), key(Unit.INPUT, 7): (10, 0),
        key(Unit.OUTPUT, 2): (None, 12),
    }  # fmt: skip


@pytest.mark.parametrize("line", [key(None), key(None, model=None)])
def test_without_units_everything_is_one_amount(line: Key) -> None:
    """No side says how many, and the reasoning is there too."""
    found = met([line], [cell(), cell(Unit.OUTPUT)])
    assert sides(found) == {line: (20, 12)}
    assert not found[line].counted
    assert met([key()], [cell()], ("model",))[key(None)].counted is False


def test_a_cost_of_whole_requests_is_held_against_all_units_of_its_model() -> None:
    """Other models keep their units; where the invoice names no model, nothing does."""
    lines, whole = [key(), key(Unit.OUTPUT), key(model="large")], cell(None)
    cells = [whole, cell(Unit.INPUT, model="large")]
    assert sides(met(lines, cells)) == {key(None): (10, 24), key(model="large"): (10, 12)}
    nameless = [replace_model(line) for line in lines]
    assert sides(met(nameless, cells)) == {replace_model(key(None)): (20, 36)}


def replace_model(line: Key) -> Key:
    """Take the model away."""
    return line._replace(heads=tuple(None for _name in HEADS))


def test_what_is_billed_under_one_name_is_one_unit() -> None:
    """Reasoning is output, and writing for an hour is writing, unless the invoice tells them apart."""
    ours = [cell(Unit.OUTPUT), cell(Unit.REASONING), cell(Unit.CACHE_WRITE_1H)]
    together = met([key(Unit.OUTPUT), key(Unit.CACHE_WRITE_5M)], ours)
    assert sides(together) == {key(Unit.OUTPUT): (20, 12), key(Unit.CACHE_WRITE_5M): (10, 12)}
    apart = met([key(Unit.OUTPUT), key(Unit.REASONING), key(Unit.CACHE_WRITE_1H)], ours)
    assert {place.unit for place in apart} == {Unit.OUTPUT, Unit.REASONING, Unit.CACHE_WRITE_1H}


def test_lines_of_one_rate_are_added_up_and_others_are_not() -> None:
    """So that a line in another band keeps its price."""
    charges = Charges()
    for amount in (30, 30, 60):
        charges.add(key(), Stated(10, None, amount, 0, amount, amount))
    (pair,) = match(charges, [], BY).values()
    assert sorted((one.quantity, one.amount) for one in pair.theirs) == [(10, 60), (20, 60)]


def banded() -> PriceCard:
    """Make a card with a longer prompt at twice the price."""
    table = dict(rates("3", "15"))
    table[Unit.INPUT] = UnitPrice(rate("3"), (Band(When(input_tokens_gt=1), rate("6")),))
    return card("o", RateTable(table))


def test_a_key_knows_the_rates_of_the_ledgers_cards() -> None:
    """With and without conditions, also of a part that only the invoice has, and of what falls back on another."""
    lines = [key(), key(Unit.CACHE_READ), key(Unit.OUTPUT), key(Unit.WEB_SEARCH), key(Unit.INPUT, 1)]
    found = met(lines, [cell(card=banded()), cell(Unit.REASONING, card=banded()), cell(Unit.INPUT, 1, card=banded())])
    mtok = 10**6
    assert found[key()].known == found[key(Unit.INPUT, 1)].known == {Fraction(3 * mtok), Fraction(6 * mtok)}
    assert {found[key()].base, found[key(Unit.CACHE_READ)].base} == {Fraction(3 * mtok)}
    assert found[key(Unit.OUTPUT)].known == {Fraction(15 * mtok)}
    assert (found[key(Unit.WEB_SEARCH)].known, found[key(Unit.WEB_SEARCH)].base) == (frozenset(), None)
    other = met([key()], [replace_party(cell(card=banded()))])
    assert [pair.known for pair in other.values()] == [frozenset(), frozenset()]


def replace_party(one: Cell) -> Cell:
    """Pay somebody else."""
    return one._replace(party="bolt")
