"""Every moment and every prompt lies in one piece, and costs there what it costs alone."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.event import Event
from planner.core.money import half_even
from planner.core.price import Band, Context, PriceCard, Rate, RateTable, UnitPrice, When
from planner.core.rate_pieces import PerUnit, Piece, Span, pieces_of
from planner.core.rating import rate
from planner.core.units import Unit
from tests import make

SUNDAY = datetime(2026, 9, 6, tzinfo=UTC)
UNITS = (Unit.INPUT, Unit.CACHE_READ, Unit.CACHE_WRITE_5M, Unit.OUTPUT, Unit.REASONING, Unit.REQUEST)
ALL_DAY = RateTable.flat({Unit.INPUT: Rate(Decimal("0.0000025")), Unit.OUTPUT: Rate(Decimal(1), 3_600)})


def span(table: RateTable | None, factor: str = "1") -> Span:
    """Make all of time at one card."""
    return Span(None, None, None if table is None else make.card("o", table), Fraction(factor))


def found(table: RateTable | None, context: Context = Context(), **more: bool) -> list[Piece]:  # noqa: B008  # frozen
    """Return the pieces of a card."""
    return list(pieces_of([span(table)], UNITS, context, **more))


def holds(piece: Piece, at: datetime, tokens: int) -> bool:
    """Tell whether a request lies in a piece."""
    minute = at.hour * 60 + at.minute
    return tokens in piece.tokens and minute in piece.minutes and at.isoweekday() in piece.weekdays


def test_a_card_without_bands_is_one_piece() -> None:
    """Reads cost the input's rate, reasoning the output's, a request nothing; a cache write has no price."""
    (piece,) = found(ALL_DAY)
    assert piece.prices[Unit.CACHE_READ].low == PerUnit(2_500_000, 1)
    assert piece.prices[Unit.REASONING].high == PerUnit(2_500_000_000, 9)
    assert piece.prices[Unit.REQUEST].listed == PerUnit(0, 1)
    assert piece.unpriced == {Unit.CACHE_WRITE_5M: "no_rate:cache_write_5m_token"}
    assert piece.band(UNITS) == "base"


def test_without_a_card_nothing_has_a_price() -> None:
    """Its piece is there all the same: every row has to find one."""
    (piece,) = found(None)
    assert (piece.prices, piece.unpriced, piece.band(UNITS), piece.why_not(UNITS)) == ({}, {}, "", None)


def test_what_is_paid_is_in_lowest_terms() -> None:
    """A discount and a fee are part of the price, and list price stays beside it."""
    (piece,) = pieces_of([span(ALL_DAY, "0.9495")], (Unit.INPUT,), Context())
    assert piece.prices[Unit.INPUT].low == PerUnit(2_373_750, 1)
    assert piece.prices[Unit.INPUT].listed == PerUnit(2_500_000, 1)


def test_a_tier_that_is_not_priced_has_no_price() -> None:
    """Tokens need a rate of their own there; a unit without any rate is the reason that is named."""
    batch = UnitPrice(make.rate("1"), (Band(When(service_tier="batch"), make.rate("0.5")),))
    table = RateTable({Unit.INPUT: batch, Unit.OUTPUT: UnitPrice(make.rate("2"))})
    (piece,) = found(table, Context("batch"))
    assert piece.prices[Unit.INPUT].low == PerUnit(500_000, 1)
    assert piece.why_not([Unit.INPUT]) is None
    assert piece.why_not([Unit.INPUT, Unit.OUTPUT]) == "no_tier_price"
    assert piece.why_not([Unit.OUTPUT, Unit.CACHE_WRITE_5M]) == "no_rate:cache_write_5m_token"


def test_prompts_of_streams_that_do_not_tell_have_bounds() -> None:
    """Any text may have been read from a cache, or written to one."""
    (piece,) = found(make.rates("3", "15", cache_read="0.3", cache_write_5m="3.75"), cache_stated=False)
    assert (piece.prices[Unit.INPUT].low, piece.prices[Unit.INPUT].high) == (
        PerUnit(300_000, 1), PerUnit(3_750_000, 1),
    )  # fmt: skip
    assert piece.prices[Unit.OUTPUT].low == piece.prices[Unit.OUTPUT].high


WHENS = st.builds(
    lambda **said: When(**{name: value for name, value in said.items() if value is not None}),
    input_tokens_gt=st.sampled_from((None, 0, 1_000, 200_000)),
    input_tokens_gte=st.sampled_from((None, 1, 1_001)),
    service_tier=st.sampled_from((None, None, "batch", "flex")),
    region=st.sampled_from((None, None, "eu")),
    weekdays=st.sampled_from((None, None, frozenset({6, 7}), frozenset({1}))),
) | st.builds(When, utc_start=st.sampled_from((0, 90, 1_000)), utc_end=st.sampled_from((0, 60, 1_439)))
RATES = st.builds(
    Rate, st.sampled_from([Decimal(text) for text in ("0", "0.0000025", "0.00000033333333333", "7")]),
    st.sampled_from((1, 3_600, 1_000_000)),
)  # fmt: skip
PRICES = st.builds(
    UnitPrice, RATES,
    st.lists(st.builds(Band, WHENS.filter(lambda when: when != When()), RATES), max_size=3).map(tuple),
)  # fmt: skip
TABLES = st.dictionaries(st.sampled_from(UNITS), PRICES, min_size=1).map(RateTable)


@given(
    table=TABLES, tier=st.sampled_from(("standard", "batch")), region=st.sampled_from((None, "eu")),
    factor=st.sampled_from(("1", "0.85", "1.055")), minutes=st.integers(0, 20_000),
    counts=st.tuples(*[st.sampled_from((0, 1, 7, 1_001, 200_001))] * 4), stated=st.booleans(),
)  # fmt: skip
def test_a_row_costs_in_its_piece_what_it_costs_alone(
    table: RateTable, tier: str, region: str | None, factor: str, minutes: int, counts: tuple[int, ...], stated: bool
) -> None:
    """Whatever the bands: one piece holds it, with the amounts, the band and the reason of the row's own rating."""
    names = ("cache_read_tokens", "cache_write_tokens", "output_tokens", "input_tokens")
    said = dict(zip(names, counts, strict=True))
    said["input_tokens"] += said["cache_read_tokens"] + said["cache_write_tokens"]
    at, share = SUNDAY + timedelta(minutes=minutes), Fraction(factor)
    row = Event(source="s", id="1", at=at, counts=said, service_tier=tier, region=region, cache_stated=stated)
    alone = rate(row, [make.card("o", table)], share, includes_cached=True, region=None)
    pieces = list(pieces_of([span(table, factor)], UNITS, Context(tier, region), cache_stated=stated))
    (piece,) = (one for one in pieces if holds(one, at, said["input_tokens"]))
    used = [one.unit for one in alone.units]
    if alone.unpriced == "nothing_counted":
        return
    assert piece.why_not(used) == alone.unpriced
    if alone.unpriced is None:
        for one in alone.units:
            price = piece.prices[one.unit]
            amounts = [half_even(one.quantity * rate_.pico, rate_.per) for rate_ in price]
            assert amounts == [one.low_pico, one.high_pico, one.list_pico]
        assert alone.band in (piece.band(used), "unknown")


@pytest.mark.parametrize("tokens", [0, 271_999, 272_000, 272_001, 10**13])
def test_lengths_are_cut_at_every_threshold(tokens: int) -> None:
    """Above and from on are not the same; the longest prompt has a piece too."""
    price = UnitPrice(
        make.rate("1"),
        (Band(When(input_tokens_gte=272_000), make.rate("2")), Band(When(input_tokens_gt=272_000), make.rate("3"))),
    )
    pieces = found(RateTable({Unit.INPUT: price}))
    (piece,) = (one for one in pieces if tokens in one.tokens)
    expected = 1 if tokens < 272_000 else 2 if tokens == 272_000 else 3
    assert piece.prices[Unit.INPUT].low == PerUnit(expected * 1_000_000, 1)
    assert isinstance(piece.span.card, PriceCard)
