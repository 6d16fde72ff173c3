"""Every reason to wait has a case that waits and a case next to it that does not."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.doubt import Bounds, Golden, Surroundings, broken_golden, doubts, limits_of
from planner.core.market import Listed, Market
from planner.core.money import PICO
from planner.core.moves import moves
from planner.core.offer import OfferFacts, Route
from planner.core.price import Band, RateTable, UnitPrice, When
from planner.core.units import Unit
from tests.make import NOON, rate, rates

LONG = When(input_tokens_gt=200_000)


def codes(before: RateTable | None, after: RateTable, **around: object) -> list[str]:
    """Return the codes of the doubts about a price that begins now."""
    surroundings = Surroundings(**around)  # type: ignore[arg-type]  # fields by name
    earlier = () if before is None else (before,)
    return [reason.code for reason in doubts(earlier, after, NOON, NOON, surroundings)]


def banded(base: str, band: str | None = None, when: When = LONG) -> RateTable:
    """Make a table with one banded unit, USD per million."""
    bands = () if band is None else (Band(when, rate(band)),)
    return RateTable({Unit.INPUT: UnitPrice(rate(base), bands), Unit.OUTPUT: UnitPrice(rate("2"))})


def test_an_ordinary_price_is_not_doubted() -> None:
    """A first price, a rise, and a fall by just half are published."""
    assert codes(None, rates("1", "2")) == []
    assert codes(rates("1", "2"), rates("9", "2")) == []
    assert codes(rates("1", "2"), rates("0.5", "1")) == []


def test_a_deep_fall_waits_unless_another_source_says_the_same() -> None:
    """More than half needs a second source; one that says about the same is enough, one that says more is not."""
    before, after = rates("1", "2"), rates("0.49", "2")
    assert codes(before, after) == ["fall"]
    assert codes(before, after, confirming=(rates("0.4901", "9"),)) == []
    assert codes(before, after, confirming=(rates("0.6", "2"),)) == ["fall"]
    assert codes(before, after, confirming=(rates(None, "2"),)) == ["fall"]
    assert codes(before, rates("0", "2")) == ["fall"]


def test_a_fall_inside_a_band_or_by_losing_one_waits() -> None:
    """A band that falls, one that is gone, and one that comes are held against what they replace."""
    assert codes(banded("1", "4"), banded("1", "1.9")) == ["fall"]
    assert codes(banded("1", "4"), banded("1")) == ["fall"]
    assert codes(banded("1", "2"), banded("1")) == []
    assert codes(banded("1"), banded("1", "0.4")) == ["fall"]


def test_a_rate_that_is_taken_away_leaves_its_stand_in() -> None:
    """Reasoning at a third of its old price because its own rate is gone waits; the output price stands in."""
    assert codes(rates("1", "2", reasoning="8"), rates("1", "2")) == ["fall"]
    assert codes(rates("1", "2", reasoning="3"), rates("1", "2")) == []
    assert codes(rates("1", "2", web_search="3000"), rates("1", "2")) == []


def test_moves_tell_what_was_repriced_from_what_came_or_went() -> None:
    """A base rate both state is repriced; a band only one of them states is a condition that came or went."""
    same, up = moves(rates("1", "2"), rates("1", "2")), moves(rates("1", "2"), rates("2", "2"))
    assert same == ()
    assert [(move.unit, move.rises, move.repriced) for move in up] == [(Unit.INPUT, True, True)]
    (came,) = moves(banded("1"), banded("1", "3"))
    assert (came.when, came.rises, came.repriced) == (LONG, True, False)
    (moved,) = moves(banded("1", "3"), banded("1", "2"))
    assert (moved.when, moved.rises, moved.repriced) == (LONG, False, True)


def test_a_fall_is_looked_for_wherever_a_request_may_fall() -> None:
    """A window over the whole day undercuts what was dear for long prompts, though no two conditions are equal."""
    day = When(utc_start=0, utc_end=0)
    both = RateTable(
        {
            Unit.INPUT: UnitPrice(rate("4"), (Band(LONG, rate("8")), Band(day, rate("2")))),
            Unit.OUTPUT: UnitPrice(rate("2")),
        }
    )
    (reason,) = doubts((banded("4", "8"),), both, NOON, NOON)
    assert (reason.code, reason.facts["before_usd_per_mtok"], reason.facts["after_usd_per_mtok"]) == ("fall", "8", "2")
    assert reason.facts["input_tokens"] == "200001"
    flex, weekend = When(service_tier="flex", region="eu"), When(weekdays=frozenset({6, 7}), input_tokens_gte=5)
    (reason,) = doubts((banded("4", "4", flex),), banded("4", "1", flex), NOON, NOON)
    assert (reason.facts["service_tier"], reason.facts["region"]) == ("flex", "eu")
    (reason,) = doubts((banded("4"),), banded("4", "1", weekend), NOON, NOON)
    assert (reason.facts["utc"], reason.facts["input_tokens"]) == ("Sat 00:00", "5")


def test_more_conditions_than_anybody_has_wait() -> None:
    """A list that would keep us busy comparing is looked at by a person instead."""
    bands = tuple(Band(When(input_tokens_gt=n, utc_start=n, utc_end=n + 1), rate("4")) for n in range(100))
    many = RateTable({Unit.INPUT: UnitPrice(rate("4"), bands), Unit.OUTPUT: UnitPrice(rate("2"))})
    assert codes(banded("4"), many) == ["too_many_bands"]


def test_small_falls_add_up() -> None:
    """Each step is within the bound, both together are not: the dearest of the earlier prices counts."""
    steps = rates("4", "2"), rates("2.1", "2")
    found = doubts((steps[1], steps[0], steps[0]), rates("1.1", "2"), NOON, NOON)
    assert [(reason.code, reason.facts["before_usd_per_mtok"]) for reason in found] == [("fall", "4")]
    assert doubts((steps[1],), rates("1.1", "2"), NOON, NOON) == ()


def test_a_rate_of_its_own_is_held_against_what_stood_in() -> None:
    """Reasoning far below output waits; a cache read at a tenth of input is what everybody does, at a hundredth not."""
    assert codes(rates("1", "8"), rates("1", "8", reasoning="3")) == ["fall"]
    assert codes(rates("1", "8"), rates("1", "8", reasoning="4")) == []
    assert codes(rates("1", "8"), rates("1", "8", cache_read="0.1")) == []
    assert codes(rates("1", "8"), rates("1", "8", cache_read="0.01")) == ["fall"]
    assert codes(rates("1", "8", cache_read="0.5"), rates("1", "8", cache_read="0.2")) == ["fall"]


def test_nothing_is_free_by_the_way() -> None:
    """A band, a part or a time that costs nothing while the rest is paid for waits; what is all free does not."""
    assert codes(None, banded("1", "0")) == ["zero_rate"]
    assert codes(None, rates("1", "2", reasoning="0")) == ["zero_rate"]
    assert codes(None, rates("1", "2", cache_read="0")) == ["zero_rate"]
    assert codes(None, rates("0", "0", cache_read="0")) == []
    assert codes(None, rates("1", "2", cache_write_5m="0")) == []


def test_a_part_is_not_free_where_others_ask_for_it() -> None:
    """Prompts at nothing beside paid answers wait where a sibling, or three other providers, charge for prompts."""
    half_free, three = rates("0", "2"), {Unit.INPUT: [Fraction(1, 10**6)] * 3}
    assert codes(None, half_free) == []
    assert codes(None, half_free, peers=three) == ["zero_rate"]
    assert codes(None, half_free, peers={Unit.INPUT: three[Unit.INPUT][:2]}) == []
    assert codes(None, half_free, siblings=(rates("1", "2"),)) == ["below_sibling", "zero_rate"]
    assert codes(None, half_free, siblings=(rates("0", "2"),)) == []
    assert codes(None, rates("0", "0"), peers=three) == []


def test_a_zero_confirms_nothing() -> None:
    """Another list that says 0 may only mean that it does not say."""
    assert codes(rates("4", "2"), rates("0", "2"), confirming=(rates("0", "0"),)) == ["fall"]


def test_a_new_name_is_held_against_its_siblings() -> None:
    """Less than half of the cheapest of the same model, provider and channel waits; a known offer has a past."""
    siblings = rates("3", "9"), rates("2", "9"), rates("0", "9"), rates(None, "9")
    assert codes(None, rates("0.9", "9"), siblings=siblings) == ["below_sibling"]
    assert codes(None, rates("1", "9"), siblings=siblings) == []
    assert codes(rates("1", "9"), rates("0.9", "9"), siblings=siblings) == []
    assert codes(None, rates(None, "9"), siblings=siblings) == []


def test_a_hundredfold_rise_over_night_is_another_unit() -> None:
    """A tenfold rise is published and announced; both rates times a hundred wait."""
    assert codes(rates("1", "2"), rates("10", "20")) == []
    assert codes(rates("1", "2"), rates("100", "200")) == ["unit_error"]
    assert codes(rates("1", "2"), rates("100", "2")) == []


@pytest.mark.parametrize("unit", list(Unit))
def test_every_unit_has_a_floor_and_a_ceiling(unit: Unit) -> None:
    """Just inside is believed, just outside waits; a rate of 0 is decided elsewhere."""
    floor, ceiling = limits_of(unit)

    def of(usd: Fraction) -> RateTable:
        pico = usd * PICO * 1_000
        return RateTable.flat({unit: rate(str(pico.numerator // pico.denominator), 1_000 * PICO)})

    assert codes(None, of(floor)) == []
    assert codes(None, of(ceiling)) == []
    assert codes(None, of(floor * Fraction(99, 100))) == ["below_floor"]
    assert codes(None, of(ceiling * Fraction(101, 100))) == ["above_ceiling"]
    assert codes(None, of(Fraction())) == []


def test_reading_a_cache_never_costs_more_than_reading_anew() -> None:
    """Equal is believed; dearer waits."""
    assert codes(None, rates("1", "2", cache_read="1")) == []
    assert codes(None, rates("1", "2", cache_read="1.1")) == ["cache_above_input"]


def test_a_power_of_ten_is_another_unit() -> None:
    """Both rates ten, a hundred or a million times another's, or the other way round, is a mistake of units."""
    for factor in ("10", "1000", "1000000", "0.1", "0.001"):
        other = rates("1", "2")
        table = RateTable.flat({unit: rate(_times(other[unit].base.usd_per_mtok(), factor)) for unit in other})
        assert "unit_error" in codes(None, table, elsewhere={"somebody": other}), factor
    assert codes(None, rates("10", "2"), elsewhere={"somebody": rates("1", "2")}) == []
    assert "unit_error" in codes(None, rates("10.55", "21.1"), elsewhere={"somebody": rates("1", "2")}), (
        "a broker's markup"
    )
    assert codes(None, rates("9", "18"), elsewhere={"somebody": rates("1", "2")}) == []
    assert codes(None, rates("10", "20"), elsewhere={"somebody": rates("0", "2")}) == []
    assert codes(None, rates("10", "20"), elsewhere={"somebody": rates(None, None, web_search="1000")}) == []


def _times(text: str, factor: str) -> str:
    return str(Decimal(text) * Decimal(factor))


def test_far_from_everybody_else_waits() -> None:
    """25 times below or above the median of at least three others."""
    others = [Fraction(8, 10**7), Fraction(10, 10**7), Fraction(12, 10**7)]
    assert codes(None, rates("0.03", "2"), peers={Unit.INPUT: others}) == ["spread"]
    assert codes(None, rates("26", "30"), peers={Unit.INPUT: others}) == ["spread"]
    assert codes(None, rates("0.05", "2"), peers={Unit.INPUT: others}) == []
    assert codes(None, rates("0.03", "2"), peers={Unit.INPUT: others[:2]}) == []
    assert codes(None, rates(None, "2"), peers={Unit.INPUT: others}) == []


GOLDEN = Golden("o", Unit.INPUT, Fraction(1), Fraction(5))


def test_a_well_known_price_has_bounds() -> None:
    """Both ends belong to it; a table without the unit says nothing about it."""
    assert codes(None, rates("5", "9"), golden=(GOLDEN,)) == []
    assert codes(None, rates("5.1", "9"), golden=(GOLDEN,)) == ["golden"]
    assert codes(None, rates(None, "9"), golden=(GOLDEN,)) == []
    claimed = {"o": rates("9", "9"), "p": rates("9", "9")}
    assert broken_golden([GOLDEN, Golden("q", Unit.INPUT, Fraction(1), Fraction(5))], claimed) == (1, 1)


def test_a_price_of_next_year_waits_and_one_of_next_month_does_not() -> None:
    """What begins more than 400 days from now is a slip of the pen more often than a plan."""
    near, far = (doubts((), rates(), NOON + timedelta(days=days), NOON) for days in (30, 500))
    assert ([reason.code for reason in near], [reason.code for reason in far]) == ([], ["far_future"])


@given(percent=st.integers(1, 99), share=st.integers(1, 99))
def test_the_bound_of_a_fall_is_exact(percent: int, share: int) -> None:
    """A fall of exactly the bound is published, a hair more waits, whatever the bound."""
    before, after = rates("100", "2"), rates(str(100 - percent), "2")
    found = doubts((before,), after, NOON, NOON, bounds=Bounds(fall_share_max=Fraction(share, 100)))
    assert bool(found) == (percent > share)


def listed(provider: str, channel: str, price: str, **facts: object) -> Listed:
    """Make a believed price of one model."""
    stated = OfferFacts(model_spelling="m", provider=provider, channel=channel, **facts)  # type: ignore[arg-type]
    return Listed("acme/m", stated, rates(price, price), NOON)


def test_the_market_holds_an_offer_against_its_model_and_its_twins() -> None:
    """Peers are other providers; twins the same provider in another way; variants and moving names are neither."""
    own = listed("acme", "direct", "1")
    market = Market(
        {
            "own": own,
            "twin": listed("acme", "broker", "2"),
            "peer": listed("bolt", "direct", "3"),
            "free": listed("bolt", "broker", "0", variant="free"),
            "moving": listed("cirrus", "direct", "9", route=Route.ALIAS),
            "flex": listed("delta", "direct", "9", service_tier="flex"),
            "pending": Listed(None, own.facts, rates("7", "7"), NOON),
        },
        golden=[GOLDEN],
    )
    around = market.around("own", own, {"list": rates("5", "5")})
    assert sorted(around.elsewhere) == ["list", "twin"]
    assert around.peers == {Unit.INPUT: [Fraction(3, 10**6)], Unit.OUTPUT: [Fraction(3, 10**6)]}
    assert market.around("own", own, {}).peers == around.peers
    alone = market.around("o", Listed(None, own.facts, own.rates, NOON), {"list": rates("5", "5")})
    assert (dict(alone.peers), list(alone.elsewhere), list(alone.golden)) == ({}, ["list"], [GOLDEN])


def test_no_hostile_list_brings_its_own_witnesses() -> None:
    """What is claimed in the same breath counts only where too little is believed, and of registered providers only."""
    own = listed("acme", "direct", "1")
    believed = {f"b{n}": listed(f"known-{n}", "direct", "3") for n in range(3)}
    claimed = {f"c{n}": listed(f"known-{n}", "direct", "0.001", region=str(n)) for n in range(9)}
    claimed["stranger"] = listed("stranger", "direct", "0.001")
    registered = frozenset(f"known-{n}" for n in range(9))
    three = Market(believed, claimed, registered=registered).around("own", own, {})
    assert three.peers[Unit.INPUT] == [Fraction(3, 10**6)] * 3
    two = Market(dict(list(believed.items())[:2]), claimed, registered=registered).around("own", own, {})
    assert two.peers[Unit.INPUT] == [Fraction(1, 10**9)] * 7 + [Fraction(3, 10**6)] * 2


def test_many_offers_of_one_provider_are_one_voice() -> None:
    """The median of its offers speaks for a provider."""
    prices = {f"o{n}": listed("bolt", "direct", str(usd)) for n, usd in enumerate((1, 2, 30))}
    assert Market(prices).around("own", listed("acme", "direct", "1"), {}).peers[Unit.INPUT] == [Fraction(2, 10**6)]


def test_siblings_known_for_long_are_preferred() -> None:
    """Same model, provider and channel; one new name after the other cannot lead the price down."""
    own = listed("acme", "direct", "1")
    old = listed("acme", "direct", "4")._replace(since=NOON - timedelta(days=60))
    young = {"young": listed("acme", "direct", "2"), "elsewhere": listed("acme", "broker", "9")}
    assert list(Market(young).around("own", own, {}).siblings) == [young["young"].rates]
    assert list(Market({**young, "old": old}).around("own", own, {}).siblings) == [old.rates]
