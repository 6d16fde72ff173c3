"""An invoice that differs from the ledger in known ways: every cause is recovered, alone and together."""

import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.store.engine import Store, open_store
from tests.billing_worlds import ALL, Request, Wrong, asked, bill, causes, check, euro, priced, requests, use

ONE_BY_ONE = [
    Wrong(lost=33), Wrong(unbilled=40), Wrong(price=10), Wrong(discount=15), Wrong(credit=Decimal("12.34")),
    Wrong(fee=Decimal("3.5")), Wrong(tax=19), Wrong(euros=True), Wrong(split=True), ALL,
    replace(ALL, lost=0, unbilled=0, split=True),
]  # fmt: skip


@pytest.mark.parametrize("wrong", ONE_BY_ONE, ids=str)
def test_each_cause_is_recovered_to_the_last_digit(store: Store, tmp_path: Path, wrong: Wrong) -> None:
    """Lost rows, higher prices, a discount, a credit, a fee, taxes, exchange rates, alone and together; residual 0."""
    priced(store)
    euro(store)
    used = requests()
    use(store, tmp_path, used, wrong)
    expected = bill(store, tmp_path, used, wrong)
    document = asked(store)
    check(document)
    assert causes(document["total"]) == expected
    assert document["total"]["waterfall"]["residual_usd"] == "0"


def test_an_invoice_of_what_was_booked_differs_in_nothing(store: Store, tmp_path: Path) -> None:
    """Every key is within tolerance, and everything was matched and counted."""
    priced(store)
    used = requests()
    use(store, tmp_path, used, Wrong())
    assert bill(store, tmp_path, used, Wrong()) == {}
    document = asked(store)
    assert (document["total"]["difference_usd"], document["coverage"]) == (
        "0",
        {"matched": "1.0000", "counted": "1.0000"},
    )
    assert set(document["total"]["rows"]) == {"within", "outside", "stated"}
    assert {row["verdict"] for row in document["rows"]} == {"within"}


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Request], Wrong]:
    """Draw a few requests, so that whole keys are lost, and anything that may be wrong at once."""
    used = draw(
        st.lists(
            st.builds(
                Request, st.integers(0, 2), st.sampled_from(["small", "large"]), st.sampled_from(["", "a"]),
                st.integers(1, 40), st.integers(0, 40), st.integers(0, 40),
            ),
            min_size=4, max_size=24,
        )
    )  # fmt: skip
    split, lost = draw(st.booleans()), draw(st.booleans())
    wrong = Wrong(
        # Prompts are seen to be divided otherwise only where as many of them are on both sides; and nobody can tell
        # that from one request lost and another one not billed, which has as many.
        lost=draw(st.sampled_from([2, 3, 5])) if lost and not split else 0,
        unbilled=0 if split or lost else draw(st.sampled_from([0, 2, 3, 7])),
        price=draw(st.sampled_from([0, 1, 10, 25, -20])),
        discount=draw(st.sampled_from([0, 15, 40, 100])),
        split=split,
        credit=draw(st.decimals("0", "99", places=2)),
        fee=draw(st.decimals("0", "99", places=2)),
        tax=draw(st.sampled_from([0, 7, 19])),
        euros=draw(st.booleans()),
    )
    return used, wrong


@settings(max_examples=25)
@given(world=worlds())
def test_whatever_is_wrong_together_is_recovered(schema: Path, world: tuple[list[Request], Wrong]) -> None:
    """Any requests and any of the causes: each comes to what it was made of, and nothing is left."""
    used, wrong = world
    with TemporaryDirectory() as folder:
        place = Path(folder)
        store = open_store(f"sqlite:///{shutil.copy(schema, place / 'books.sqlite3')}")
        priced(store)
        euro(store)
        use(store, place, used, wrong)
        expected = bill(store, place, used, wrong)
        document = asked(store)
        store.close()
    check(document)
    assert causes(document["total"]) == expected
