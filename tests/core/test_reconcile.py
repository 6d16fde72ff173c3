"""Many claims, one price: who is believed, what changes on the record, and which feeds are not believed at all."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from planner.core.claim import Claim, Reading, Score, Segment
from planner.core.doubt import Golden
from planner.core.guards import Accepted, Standing, about_as_bad, check_feed, not_waived
from planner.core.names import ProviderNames, Seat
from planner.core.offer import OfferFacts
from planner.core.price import RateTable
from planner.core.reconcile import Ranking, Span, believe, correct, redate
from planner.core.units import Unit
from tests import make
from tests.make import NOON, rates

RANKING = Ranking({"vendor": 10, "list": 50}, {"broker": "list"})
LATER = NOON + timedelta(days=1)


def claim(table: RateTable | None, channel: str = "direct", **facts: object) -> Claim:
    """Make a claim of one undated segment, or an unpriced one."""
    stated = OfferFacts(model_spelling="m", provider="acme", channel=channel, **facts)  # type: ignore[arg-type]  # by name
    segments = () if table is None else (Segment(None, None, table),)
    return Claim(offer_id="o", facts=stated, segments=segments, unpriced=None if table else "negative_price")


def test_the_most_trusted_price_is_believed_never_an_average() -> None:
    """The lower rank wins; a channel's own API wins on that channel; facts are filled in from the others."""
    claims = [
        ("list", claim(rates("9"), context_tokens=8)),
        ("vendor", claim(rates("1"), capabilities={"tools": True})),
    ]
    belief = believe(claims, RANKING, free=False)
    assert (belief.source, belief.facts.context_tokens, dict(belief.facts.capabilities)) == (
        "vendor",
        8,
        {"tools": True},
    )
    own = [("list", claim(rates("9"), "broker")), ("vendor", claim(rates("1"), "broker"))]
    assert believe(own, RANKING, free=False).source == "list"


def test_an_uptime_is_believed_with_its_own_window() -> None:
    """Where another source measured, its figure comes with its minutes; nobody's window goes with somebody else's."""
    day = claim(rates("9"), uptime=Decimal("0.9"), uptime_minutes=1_440)
    silent, bare = claim(rates("1")), claim(rates("1"), uptime=Decimal(1))
    for trusted, expected in ((silent, (Decimal("0.9"), 1_440)), (bare, (Decimal(1), None))):
        facts = believe([("list", day), ("vendor", trusted)], RANKING, free=False).facts
        assert (facts.uptime, facts.uptime_minutes) == expected


def test_an_observed_share_is_the_most_trusted_sources_that_states_one() -> None:
    """A share of cached tokens fills in where the believed source has none, is never averaged, and sets no price."""
    low, high = claim(rates("9"), cache_hit_share=Decimal("0.2")), claim(rates("1"), cache_hit_share=Decimal("0.9"))
    silent, unpriced = claim(rates("1")), claim(None, cache_hit_share=Decimal("0.9"))
    for trusted, source, share in ((silent, "vendor", "0.2"), (high, "vendor", "0.9"), (unpriced, "list", "0.2")):
        belief = believe([("list", low), ("vendor", trusted)], RANKING, free=False)
        assert (belief.source, belief.facts.cache_hit_share) == (source, Decimal(share))


def test_unknown_is_not_free() -> None:
    """A price of zero needs the curated flag; a claim without a price leaves the offer to the next source."""
    zero = rates("0", "0")
    assert believe([("vendor", claim(zero))], RANKING, free=False).unpriced == "zero_price"
    assert believe([("vendor", claim(zero))], RANKING, free=True).unpriced is None
    assert believe([("vendor", claim(None)), ("list", claim(rates()))], RANKING, free=False).source == "list"
    assert believe([("vendor", claim(None))], RANKING, free=False).unpriced == "negative_price"


def test_the_same_price_changes_nothing() -> None:
    """An unchanged claim leaves the record untouched."""
    record = [Span(make.SINCE, None, rates())]
    redating = redate(record, [Segment(None, None, rates())], NOON)
    assert (redating.close, redating.write) == ((), ())


def test_a_new_price_cuts_the_old_one() -> None:
    """The old span is closed on the record and written again with its end; the new one begins where it ended."""
    redating = redate([Span(make.SINCE, None, rates("1"))], [Segment(None, None, rates("2"))], NOON)
    assert redating.close == (Span(make.SINCE, None, rates("1")),)
    assert redating.write == (Span(make.SINCE, NOON, rates("1")), Span(NOON, None, rates("2")))


def test_dated_prices_hold_from_their_own_day() -> None:
    """A future price waits; a past date that repeats the price in force joins it; an undated past is counted."""
    segments = [Segment(None, LATER, rates("1")), Segment(LATER, None, rates("2"))]
    assert redate([], segments, NOON).write == (Span(NOON, LATER, rates("1")), Span(LATER, None, rates("2")))
    old = [Segment(None, make.SINCE, rates("3")), Segment(make.SINCE, None, rates("1"))]
    redating = redate([Span(NOON, None, rates("1"))], old, NOON)
    assert (redating.past_undated, redating.write) == (1, (Span(make.SINCE, None, rates("1")),))
    repeated = [Segment(NOON, None, rates("1"))]
    assert redate([Span(make.SINCE, None, rates("1"))], repeated, LATER).write == ()


def test_an_announced_price_can_be_cancelled() -> None:
    """The source takes back next month's price: its span is closed, and today's goes on as if it had never been."""
    today, announced = Span(make.SINCE, LATER, rates("1")), Span(LATER, None, rates("2"))
    redating = redate([today, announced], [Segment(None, None, rates("1"))], NOON)
    assert set(redating.close) == {today, announced}
    assert redating.write == (Span(make.SINCE, None, rates("1")),)


TENTH, TWENTIETH = make.SINCE + timedelta(days=10), make.SINCE + timedelta(days=20)
CORRECTED = Segment(TENTH, TWENTIETH, rates("7"))


def test_a_correction_stands_over_every_claim() -> None:
    """The stretch it is about says what the person found; before and after, and what a dated claim says, stay."""
    laid = (
        Span(make.SINCE, TENTH, rates("1")),
        Span(TENTH, TWENTIETH, rates("7")),
        Span(TWENTIETH, None, rates("1")),
    )
    record = [Span(make.SINCE, None, rates("1"))]
    assert correct(record, [CORRECTED]).write == laid
    assert redate(record, [Segment(None, None, rates("1"))], NOON, [CORRECTED]).write == laid
    assert redate(list(laid), [Segment(make.SINCE, None, rates("1"))], NOON, [CORRECTED]).write == ()
    assert correct(list(laid), [CORRECTED]) == correct([], [])
    inside = Span(TENTH + timedelta(days=2), TENTH + timedelta(days=3), rates("1"))
    assert correct([inside], [CORRECTED]).write == (laid[1],)


def test_an_offer_nobody_lists_ends() -> None:
    """Without a claim the span in force ends, and nothing begins."""
    assert redate([Span(make.SINCE, None, rates())], [], NOON).write == (Span(make.SINCE, NOON, rates()),)
    assert redate([], [], NOON).write == ()


def reading(count: int, price: str | None = "1", rows: int | None = None) -> Reading:
    """Make a reading of so many offers at one price."""
    claims = tuple(replace(claim(rates(price) if price else None), offer_id=f"o{n}") for n in range(count))
    return Reading(
        source="s", source_url="https://s", observed_at=NOON, rows_read=count if rows is None else rows, claims=claims
    )


SAID = {f"o{n}": rates("1") for n in range(50)}


def against(
    found: Reading, last: Accepted = Accepted(), *, said: Mapping[str, RateTable] = SAID,  # noqa: B008  # frozen
    waived: Mapping[str, str] = {}, **known: Any,
) -> list[str]:  # fmt: skip
    """Return everything that speaks against a reading of a source that said this, and is believed, until now."""
    named = replace(last, names=frozenset(said))
    standing = Standing(last=named, said=said, **{"believed": said, **known})
    return [each.reason for each in not_waived(check_feed(found, standing), waived)]


def test_everything_that_speaks_against_a_list_is_told_at_once() -> None:
    """A person who lets it through decides once; what nobody can waive is told first."""
    golden = [Golden(f"o{n}", Unit.INPUT, Fraction(1, 2), Fraction(2)) for n in range(4)]
    assert against(reading(30, "1000"), Accepted(50, 50), golden=golden, repeats=("d", NOON)) == [
        "rollback", "shrunk", "unpriced", "renamed", "scaled", "golden",
    ]  # fmt: skip
    assert against(reading(0), Accepted(50, 50)) == ["empty", "shrunk", "renamed"]


def test_a_list_that_says_what_is_believed_passes() -> None:
    """After a wrong list was let through and its prices wait, the right one is neither an old one nor scaled."""
    wrong = {offer: rates("0.001") for offer in SAID}
    assert against(reading(50), Accepted(50, 50), said=wrong, believed=SAID, repeats=("d", NOON)) == []
    assert against(reading(50, "0.001"), Accepted(50, 50), said=wrong, believed=SAID) == []
    assert against(reading(50, "2"), Accepted(50, 50), said=wrong, believed=SAID, repeats=("d", NOON)) == ["rollback"]
    assert against(reading(50, "9"), Accepted(50, 50), said=wrong, believed=SAID) == ["scaled"]


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (reading(0), "empty"),
        (reading(40, None), "unpriced"),
        (reading(30, rows=30), "shrunk"),
        (reading(30, rows=50), "unpriced"),
        (reading(50, "1000"), "scaled"),
        (reading(50, "0.001"), "scaled"),
    ],
)
def test_feeds_that_cannot_be_meant_are_refused(found: Reading, reason: str) -> None:
    """Empty, shrunk, priceless or scaled feeds are refused whole, with a reason."""
    assert against(found, Accepted(50, 50))[0] == reason


def test_an_ordinary_feed_passes() -> None:
    """The same prices, twice the prices, a first reading, and offers not seen before are all believable."""
    assert against(reading(50), Accepted(50, 50)) == []
    assert against(reading(60, "2"), Accepted(50, 50)) == []
    assert against(reading(50, "1000"), said={}) == []
    few = replace(reading(50, "1000"), claims=reading(50, None).claims[:49] + reading(1).claims)
    assert against(few, Accepted(live=False)) == []
    assert against(reading(50), said={"o1": RateTable({})}) == []


def test_several_wrong_well_known_prices_refuse_a_list_and_one_does_not() -> None:
    """One of ten may really have moved; three of ten is another list. Few facts that all hold refuse nothing."""

    def facts(wrong: int) -> list[Golden]:
        bounds = [(2, 5) if n < wrong else (1, 5) for n in range(10)]
        return [Golden(f"o{n}", Unit.INPUT, Fraction(low), Fraction(high)) for n, (low, high) in enumerate(bounds)]

    assert [against(reading(50), said={}, golden=facts(n)) for n in (1, 2, 3)] == [[], [], ["golden"]]


def test_a_person_may_waive_one_reason_and_no_other() -> None:
    """What was looked at passes; the next reason still refuses."""
    assert against(reading(10), Accepted(50, 10), waived={"shrunk": "10", "renamed": "10"}) == []
    assert against(reading(30, "1000"), Accepted(50, 50), waived={"shrunk": "30"}) == [
        "unpriced", "renamed", "scaled",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("found", "waived", "passes"),
    [
        (reading(30, rows=30), {"shrunk": "30", "renamed": "30", "unpriced": "30"}, True),
        (reading(27, rows=27), {"shrunk": "30", "renamed": "30", "unpriced": "30"}, True),
        (reading(26, rows=26), {"shrunk": "30", "renamed": "30", "unpriced": "30"}, False),
        (reading(50, "1050"), {"scaled": "1000"}, True),
        (reading(50, "1200"), {"scaled": "1000"}, False),
        (reading(50, "800"), {"scaled": "1000"}, False),
    ],
)
def test_a_waiver_is_for_what_was_looked_at(found: Reading, waived: dict[str, str], passes: bool) -> None:
    """About as bad passes once it was approved; clearly worse, or other, is another question."""
    assert (against(found, Accepted(50, 50), waived=waived) == []) == passes


def test_a_waived_number_of_wrong_well_known_prices_is_the_most() -> None:
    """Three that were looked at let two through and not four; yesterday's bytes are waived by their digest alone."""
    assert about_as_bad("golden", "2", "3")
    assert not about_as_bad("golden", "4", "3")
    assert about_as_bad("rollback", "d1", "d1")
    assert not about_as_bad("rollback", "d2", "d1")


def test_other_names_for_everything_are_another_list() -> None:
    """Offers that are not listed any more are missed, however many others came instead; a bundle is not missed."""
    renamed = replace(reading(50), claims=tuple(replace(c, offer_id=c.offer_id + "/v2") for c in reading(50).claims))
    assert against(renamed, Accepted(50, 50)) == ["renamed"]
    assert against(renamed, Accepted(50, 50, live=False)) == []


def test_a_list_of_zeros_has_no_prices() -> None:
    """Zero is not stated, so all zeros are no prices; a curated offer may be free."""
    nothing = (Segment(None, None, rates("0", "0")),)
    zeros = replace(reading(50), claims=tuple(replace(claim, segments=nothing) for claim in reading(50).claims))
    assert against(zeros, said={}) == ["unpriced"]
    assert against(zeros, said={}, free=frozenset(f"o{n}" for n in range(50))) == []


def test_a_list_of_scores_alone_is_no_empty_one() -> None:
    """A source of quality has no prices and is not refused for it."""
    score = Score(model="m", index="i", score=Decimal(1), as_of=NOON.date(), source="s", source_url="https://s")
    assert against(replace(reading(0), rows_read=1, scores=(score,)), said={}) == []


def test_claims_are_dated() -> None:
    """A claim's rates are those of the segment in force; before the first there are none."""
    dated = replace(claim(None), segments=(Segment(make.SINCE, NOON, rates("1")), Segment(NOON, LATER, rates("2"))))
    assert dated.rates_at(NOON) == rates("2")
    assert dated.rates_at(make.SINCE) == rates("1")
    assert dated.rates_at(LATER) is None


def test_provider_words_are_exact() -> None:
    """A known word has its seat, an unknown one stands for itself, another's id is refused."""
    names = ProviderNames(
        {"gemini": "google"}, {"hub": "hub"}, {"hub_google": ("hub", "google")}, frozenset({"google", "hub"})
    )
    assert names.seat("gemini") == Seat("google", "direct")
    assert names.seat("hub") == Seat("hub", "hub")
    assert names.seat("hub_google") == Seat("google", "hub")
    assert names.seat("Gemini") == Seat("Gemini", "direct", known=False)
    assert names.seat("google") is None
    assert names.upstream("gemini") == Seat("google", "direct")
    assert names.upstream("new") == Seat("new", "direct", known=False)
    assert names.upstream("google") is None
    assert Decimal(1)
