"""What a plan brings in when it is supposed to be otherwise."""

from fractions import Fraction

from planner.core.scenario import Dimension
from planner.core.statement import Takings
from planner.core.supposed_revenue import Ratios

# $100 with $19 of tax; the fee is 2.9 % of $119 and 30 cents for each of 10 charges; $5 were given back.
SOLD = Takings(revenue=100_000, refund=5_000, fee=3_451 + 3_000, tax=19_000, other=2_000)
DEARER = Ratios(volume=Fraction(2), price=Fraction(3, 2), fx=Fraction(1, 2), fee_share=Fraction("0.029"))


def test_nothing_changes_before_anything_does() -> None:
    """And a plan that nobody supposes anything of stays what it is in every state."""
    assert DEARER.supposed(SOLD, ()) == SOLD
    assert Ratios().supposed(SOLD, tuple(Dimension)) == SOLD


def test_twice_the_subscribers_are_twice_of_everything() -> None:
    """Fees per charge among it."""
    assert DEARER.supposed(SOLD, {Dimension.VOLUME}) == Takings(*(2 * amount for amount in SOLD))


def test_a_price_moves_what_comes_in_and_the_fee_on_it() -> None:
    """The fee per charge and what else a customer costs stay."""
    assert DEARER.supposed(SOLD, {Dimension.PLAN_PRICE}) == Takings(150_000, 7_500, 5_176 + 3_000, 28_500, 2_000)
    assert DEARER.supposed(SOLD, {Dimension.FX}).revenue == 50_000
    assert DEARER.supposed(SOLD, {Dimension.VOLUME, Dimension.PLAN_PRICE, Dimension.FX}).revenue == 150_000


def test_what_only_costs_is_no_share_of_anything() -> None:
    """A fee without revenue grows with the charges, one that was given back is no share at all."""
    assert DEARER.supposed(Takings(fee=300), {Dimension.PLAN_PRICE, Dimension.VOLUME}).fee == 600
    assert DEARER.supposed(Takings(revenue=1_000, fee=-30), {Dimension.PLAN_PRICE}).fee == -30
