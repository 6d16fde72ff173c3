"""How much text has to go: published vectors, every whole cut by brute force, caches, mixes, steps of the price."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.agreement import Fee
from planner.core.cliff import cliffs
from planner.core.errors import InvalidInput
from planner.core.money import ratio_text, usd_text
from planner.core.offer import Kind
from planner.core.plan import Needs
from planner.core.price import Band, RateTable, UnitPrice, When
from planner.core.recommend import priced
from planner.core.tariff import Tariff
from planner.core.trim import CUTS, Trim, shortened, trim
from planner.core.units import Unit
from planner.core.usage import Usage
from planner.core.workload import Habits, Request, Workload
from tests import make

CHAT = Workload.of(Usage(input_tokens=1_500, output_tokens=400), 500)
DEAR = make.rates("3", "15")


def tariff_of(
    table: RateTable, workload: Workload, *, facts: dict[str, Any] | None = None, fees: tuple[Fee, ...] = ()
) -> Tariff:
    """Return the tariff of the one offer of a catalogue."""
    offer = make.offer("direct:acme/small", **(facts or {}))
    world = make.catalogue({offer: table}, fees=fees)
    ask = replace(make.ask(needs=Needs(kind=offer.facts.kind.value)), workload=workload)
    return Tariff.of(priced(world, ask, offer, {}), ask)


def cut_of(
    table: RateTable,
    workload: Workload,
    budget: str,
    cut: str,
    *,
    facts: dict[str, Any] | None = None,
    fees: tuple[Fee, ...] = (),
) -> Trim:
    """Trim a workload on the one offer of a catalogue."""
    return trim(tariff_of(table, workload, facts=facts, fees=fees), workload, Fraction(budget), cut)


def banded(*rates: tuple[str, str, str], tokens: int, operator: str = "input_tokens_gt") -> RateTable:
    """Make a table of (unit, base, rate from so many prompt tokens on)."""
    return RateTable(
        {
            Unit[unit]: UnitPrice(make.rate(base), (Band(When(**{operator: tokens}), make.rate(long)),))  # type: ignore[arg-type]  # a condition by name
            for unit, base, long in rates
        }
    )


@pytest.mark.parametrize(
    ("cut", "percent", "left"),
    [("input", "50.2", (746, 400)), ("output", "37.7", (1_500, 249)), ("both", "21.5", (1_177, 313))],
)
def test_the_published_cuts(cut: str, percent: str, left: tuple[int, int]) -> None:
    """$5.25 against $4.12: prompts by 50.2 %, or completions by 37.7 %, or both by 21.5 %; whole tokens fit."""
    found = cut_of(DEAR, CHAT, "4.12", cut)
    assert found.ratio is not None
    assert ratio_text(found.ratio * 100, 1) == percent
    usage = found.workload.usages[0]
    assert (usage.input_tokens, usage.output_tokens) == left
    assert found.cost_usd * 500 <= Fraction("4.12")
    assert usd_text(tariff_of(DEAR, CHAT).cost_usd(CHAT) * 500) == "5.25"


def test_prompts_alone_may_not_be_enough() -> None:
    """At 2,000 requests completions alone cost more than the budget: no prompt is short enough, and it is said why."""
    often = replace(CHAT, requests_per_period=2_000)
    found = cut_of(DEAR, often, "4.12", "input")
    assert (found.ratio, found.why_not) == (None, "too_dear")
    assert usd_text(found.cost_usd * 2_000) == "12"
    assert found.workload.usages[0].input_tokens == 0
    assert cut_of(DEAR, often, "-1", "both").why_not == "no_budget"


def test_what_fits_needs_no_cut() -> None:
    """Within the budget nothing goes; a task nobody uses fits every budget that is not below nothing."""
    assert cut_of(DEAR, CHAT, "5.25", "both").ratio == 0
    unused = replace(CHAT, requests_per_period=0)
    assert cut_of(DEAR, unused, "0", "input").ratio == 0
    assert cut_of(DEAR, unused, "-0.01", "input").why_not == "no_budget"
    empty = Workload.of(Usage(images=1), 10)
    assert cut_of(RateTable.flat({Unit.PICTURE: make.rate("1", 1)}), empty, "1", "both").why_not == "too_dear"
    with pytest.raises(InvalidInput):
        cut_of(DEAR, CHAT, "1", "half")


def test_uncached_text_goes_first_and_cached_text_saves_its_own_price() -> None:
    """800 uncached tokens save $3 a million each; only then the cached ones, at $0.30."""
    cached = Workload.of(Usage(input_tokens=2_000, cache_read_tokens=1_200, output_tokens=100), 1_000)
    table = make.rates("3", "15", cache_read="0.3")
    # Uncached 2.40, cached 0.36, completions 1.50.
    first = cut_of(table, cached, "3.06", "input")
    assert (first.losses[0].of(Unit.INPUT), first.losses[0].of(Unit.CACHE_READ)) == (400, 0)
    both = cut_of(table, cached, "1.68", "input")
    assert (both.losses[0].of(Unit.INPUT), both.losses[0].of(Unit.CACHE_READ)) == (800, 600)
    assert both.ratio == Fraction(1_400, 2_000)
    assert both.cost_usd == Fraction("0.00168")


def test_what_is_written_to_a_cache_goes_before_what_is_read() -> None:
    """The end of a prompt goes first: uncached, written for 5 minutes, for 1 hour, and what is read last."""
    usage = Usage(
        input_tokens=1_000, cache_read_tokens=400, cache_write_5m_tokens=200, cache_write_1h_tokens=300,
        output_tokens=50, reasoning_tokens=30,
    )  # fmt: skip
    left = shortened(usage, 450, 20)
    assert (left.cache_read_tokens, left.cache_write_5m_tokens, left.cache_write_1h_tokens) == (400, 0, 150)
    assert (left.output_tokens, left.reasoning_tokens) == (30, 18)
    assert dict(shortened(usage, 900, 50).parts)[Unit.CACHE_READ] == 100


def test_fees_of_requests_and_searches_are_not_trimmed() -> None:
    """What is billed per request or per search stays, whatever is cut."""
    table = RateTable.flat(
        {Unit.INPUT: make.rate("1"), Unit.OUTPUT: make.rate("2"), Unit.REQUEST: make.rate("0.001", 1),
         Unit.WEB_SEARCH: make.rate("0.01", 1)}
    )  # fmt: skip
    searching = Workload.of(Usage(input_tokens=1_000, output_tokens=500, web_searches=2), 10)
    found = cut_of(table, searching, "0.2", "both")
    assert (found.why_not, usd_text(found.cost_usd)) == ("too_dear", "0.021")
    assert cut_of(table, searching, "0.22", "both").ratio == Fraction(1, 2)


def test_media_are_not_text() -> None:
    """Only the text of a prompt and of a completion is cut; pictures and sound stay."""
    table = make.rates("1", "2", input_audio="10", output_image="30")
    usage = Usage(input_tokens=1_000, input_audio_tokens=400, output_tokens=300, output_image_tokens=100)
    found = cut_of(table, Workload.of(usage), "0.0070", "both")
    assert found.why_not is None or found.ratio is None
    left = found.workload.usages[0]
    assert left.input_audio_tokens == 400
    assert left.output_image_tokens == 100
    assert cut_of(table, Workload.of(usage), "0.0075", "both").ratio == Fraction(1, 2)


def test_a_prompt_just_below_the_step_is_cheaper_as_a_whole() -> None:
    """500 tokens above 200,000 double the whole prompt; cutting them is enough, though a fortieth would not be."""
    table = banded(("INPUT", "3", "6"), ("OUTPUT", "15", "22.5"), tokens=200_000)
    long = Workload.of(Usage(input_tokens=200_500, output_tokens=2_000), 10)
    found = cut_of(table, long, "7", "input")
    assert found.workload.usages[0].input_tokens == 200_000
    assert found.ratio == Fraction(500, 200_500)
    assert usd_text(found.cost_usd) == "0.63"
    inclusive = banded(("INPUT", "3", "6"), ("OUTPUT", "15", "22.5"), tokens=200_000, operator="input_tokens_gte")
    assert cut_of(inclusive, long, "7", "input").workload.usages[0].input_tokens == 199_999


def test_a_near_step_is_reported_even_where_the_margin_is_met() -> None:
    """The threshold, the tokens above it, and what they cost in a period: 10 x ($1.248 - $0.63)."""
    table = banded(("INPUT", "3", "6"), ("OUTPUT", "15", "22.5"), tokens=200_000)
    long = Workload.of(Usage(input_tokens=200_500, output_tokens=2_000), 10)
    [cliff] = cliffs(tariff_of(table, long), long)
    assert (cliff.input_tokens_below, cliff.tokens_over) == (200_000, 500)
    assert (usd_text(cliff.saving_usd_per_request), usd_text(cliff.saving_usd_per_period)) == ("0.618", "6.18")
    for tokens in (200_000, 300_000):
        other = Workload.of(Usage(input_tokens=tokens, output_tokens=2_000), 10)
        assert cliffs(tariff_of(table, other), other) == ()


def test_a_step_that_makes_nothing_cheaper_is_no_cliff() -> None:
    """A rate that falls with length, one for another service tier, and a prompt of pictures are not reported."""
    long = Workload.of(Usage(input_tokens=1_001, output_tokens=10), 10)
    falling = banded(("INPUT", "3", "2"), ("OUTPUT", "15", "15"), tokens=1_000)
    assert cliffs(tariff_of(falling, long), long) == ()
    when = When(input_tokens_gt=1_000, service_tier="batch")
    batch = RateTable(
        {
            Unit.INPUT: UnitPrice(make.rate("3"), (Band(when, make.rate("6")),)),
            Unit.OUTPUT: UnitPrice(make.rate("15")),
            Unit.WEB_SEARCH: UnitPrice(make.rate("1")),
        }
    )
    assert cliffs(tariff_of(batch, long), long) == ()
    shown = Workload.of(Usage(input_tokens=1_001, input_image_tokens=1_001, output_tokens=10))
    pictures = banded(("INPUT_IMAGE", "3", "6"), ("OUTPUT", "15", "15"), tokens=1_000)
    assert cliffs(tariff_of(pictures, shown), shown) == ()


def test_discounts_fees_and_failed_attempts_count() -> None:
    """A broker's fee and attempts that fail make the cut larger; what is left costs what the budget leaves."""
    habits = Habits(failed_share=Fraction(1, 5), failed_billed_share=Fraction(1, 2))
    failing = replace(CHAT, habits=habits)
    fee = Fee(
        channel="openrouter", percent=Fraction(11, 2), basis="added_to_top_up", valid_from=make.SINCE, valid_to=None,
        source="s", source_url="u",
    )  # fmt: skip
    found = cut_of(DEAR, failing, "4.12", "both", facts={"channel": "openrouter"}, fees=(fee,))
    factor = Fraction("1.055") * Fraction(9, 8)
    assert found.ratio == 1 - Fraction("4.12") / (Fraction("5.25") * factor)
    assert 0 <= Fraction("4.12") / 500 - found.cost_usd < Fraction("0.00003")


def test_shares_of_a_cache_hold_for_the_shorter_prompt() -> None:
    """Half is read from a cache before and after; below the shortest prompt that is cached all of it is plain."""
    habits = Habits(cache_hit_share=Fraction(1, 2), cache_write_share=Fraction(1, 4), reasoning_multiplier=Fraction(2))
    table = make.rates("4", "8", cache_read="0.4", cache_write_5m="5")
    shared = replace(CHAT, habits=habits)
    # Per prompt token 0.5 x 0.4 + 0.25 x 5 + 0.25 x 4 = 2.45 a million; completions are doubled to 800 tokens.
    left = (Fraction(4, 500) - Fraction("0.0064")) / Fraction("0.00000245")
    found = cut_of(table, shared, "4", "input")
    assert found.ratio is not None
    assert abs(found.ratio - (1 - left / 1_500)) < Fraction(1, 1_000)
    assert found.losses[0].of(Unit.CACHE_READ) == 750 - found.workload.usages[0].input_tokens // 2
    plain = cut_of(table, shared, "4", "input", facts={"cacheable_tokens_min": 1_200})
    assert plain.ratio == Fraction(1_100, 1_500)
    assert plain.cost_usd == Fraction(4, 500)


def test_a_card_that_cannot_price_a_shorter_prompt_is_said_so() -> None:
    """Below the shortest cached prompt the text is plain, and this card has no rate for plain text."""
    habits = Habits(cache_hit_share=Fraction(1))
    workload = replace(Workload.of(Usage(input_tokens=1_000), 1_000), habits=habits)
    table = RateTable.flat({Unit.CACHE_READ: make.rate("3")})
    facts: dict[str, Any] = {"cacheable_tokens_min": 500, "kind": Kind.EMBEDDING}
    assert cut_of(table, workload, "1", "input", facts=facts).why_not == "unpriced"
    near = RateTable({Unit.CACHE_READ: UnitPrice(make.rate("3"), (Band(When(input_tokens_gt=950), make.rate("4")),))})
    assert len(cliffs(tariff_of(near, workload, facts=facts), workload)) == 1
    facts["cacheable_tokens_min"] = 980
    assert cliffs(tariff_of(near, workload, facts=facts), workload) == ()


def test_free_offers_and_units_without_a_price_stay_free() -> None:
    """Where nothing is charged there is no factor to find, and nothing to cut."""
    found = cut_of(make.rates("0", "0"), CHAT, "0", "both")
    assert found.ratio == found.cost_usd == 0


PRICE = st.sampled_from(("0", "0.3", "1", "3", "4", "15"))
STEP = st.sampled_from((5, 9, 17, 30))


@st.composite
def tables(draw: st.DrawFn) -> RateTable:
    """Draw a small card with bands; what is written to a cache costs at least a plain token."""
    found = {}
    for unit in (Unit.INPUT, Unit.OUTPUT, Unit.CACHE_READ, Unit.REASONING):
        bands = draw(st.lists(st.tuples(st.booleans(), STEP, PRICE), max_size=2))
        made = tuple(
            Band(When(input_tokens_gt=step) if above else When(input_tokens_gte=step), make.rate(usd))
            for above, step, usd in bands
        )
        if unit in (Unit.INPUT, Unit.OUTPUT) or draw(st.booleans()):
            found[unit] = UnitPrice(make.rate(draw(PRICE)), made)
    found[Unit.CACHE_WRITE_5M] = UnitPrice(make.rate("15"))
    if draw(st.booleans()):
        found[Unit.REQUEST] = UnitPrice(make.rate("0.00001", 1))
    return RateTable(found)


@st.composite
def usages(draw: st.DrawFn, *, cached: bool = True) -> Usage:
    """Draw a small request."""
    tokens, output = draw(st.integers(0, 40)), draw(st.integers(0, 12))
    read = draw(st.integers(0, tokens)) if cached else 0
    written = draw(st.integers(0, tokens - read)) if cached else 0
    reasoning = draw(st.integers(0, output)) if cached else 0
    return Usage(
        input_tokens=tokens, cache_read_tokens=read, cache_write_5m_tokens=written, output_tokens=output,
        reasoning_tokens=reasoning,
    )  # fmt: skip


SHARED = st.builds(
    Habits,
    cache_hit_share=st.sampled_from((Fraction(0), Fraction(1, 3), Fraction(1, 2))),
    cache_write_share=st.sampled_from((Fraction(0), Fraction(2, 7))),
    reasoning_multiplier=st.sampled_from((Fraction(1), Fraction(17, 5))),
    failed_share=st.sampled_from((Fraction(0), Fraction(1, 12))),
)


def every_cut(workload: Workload, cut: str) -> list[tuple[Fraction, Workload]]:
    """Return every different cut of a workload with its share, in order: by brute force, share by share."""
    usages_ = workload.usages
    totals = {usage.input_tokens for usage in usages_} if cut != "output" else set()
    totals |= {usage.output_tokens for usage in usages_} if cut != "input" else set()
    shares = sorted({Fraction(n, total) for total in totals for n in range(1, total + 1)} | {Fraction()})

    def without(share: Fraction) -> Workload:
        made = []
        for request in workload.requests:
            gone = -(-(share * request.usage.input_tokens) // 1) if cut != "output" else 0
            gone_out = -(-(share * request.usage.output_tokens) // 1) if cut != "input" else 0
            made.append(Request(shortened(request.usage, int(gone), int(gone_out)), request.share))
        return replace(workload, requests=tuple(made))

    return [(share, without(share)) for share in shares]


@given(tables(), st.data(), st.sampled_from(CUTS), st.integers(0, 100), st.booleans(), st.booleans())
def test_no_smaller_cut_fits(
    table: RateTable, data: st.DataObject, cut: str, percent: int, mixed: bool, shared: bool
) -> None:
    """Of every whole number of tokens that may go, the first that fits is what is found; None where none does."""
    kinds = [data.draw(usages(cached=not shared)) for _ in range(2 if mixed else 1)]
    requests = tuple(Request(usage, share) for usage, share in zip(kinds, _shares(len(kinds)), strict=True))
    habits = data.draw(SHARED) if shared else Habits()
    workload = Workload(requests=requests, requests_per_period=7, habits=habits)
    facts = {"cacheable_tokens_min": data.draw(st.sampled_from((None, 12)))}
    tariff = tariff_of(table, workload, facts=facts)
    budget = tariff.cost_usd(workload) * 7 * percent / 100
    found = trim(tariff, workload, budget, cut)
    fitting = [made for _share, made in every_cut(workload, cut) if tariff.cost_usd(made) * 7 <= budget]
    assert (found.why_not is None) == bool(fitting)
    if fitting:
        assert found.workload == fitting[0]
        assert found.cost_usd * 7 <= budget
        if len(kinds) == 1 and not shared and cut == "input":
            assert found.ratio is not None
            lost = kinds[0].input_tokens - fitting[0].usages[0].input_tokens
            assert -(-(found.ratio * kinds[0].input_tokens) // 1) == lost


def _shares(count: int) -> tuple[Fraction, ...]:
    return (Fraction(1),) if count == 1 else (Fraction(1, 3), Fraction(2, 3))


def test_a_cost_that_rises_as_prompts_get_shorter_is_followed() -> None:
    """A card may charge short prompts more: the smallest cut is found on the right side of the jump."""
    table = RateTable(
        {
            Unit.INPUT: UnitPrice(make.rate("10"), (Band(When(input_tokens_gt=30), make.rate("5")),)),
            Unit.OUTPUT: UnitPrice(make.rate("0")),
        }
    )
    workload = Workload.of(Usage(input_tokens=40, output_tokens=1))
    found = trim(tariff_of(table, workload), workload, Fraction(160, 1_000_000), "input")
    assert found.workload.usages[0].input_tokens == 32
    lower = trim(tariff_of(table, workload), workload, Fraction(154, 1_000_000), "input")
    assert (lower.workload.usages[0].input_tokens, lower.ratio) == (15, Fraction(25, 40))
