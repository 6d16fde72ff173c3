"""The compiled catalogue answers what the plain search answers, in every field, refusals included."""

from dataclasses import fields, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.agreement import Fee
from planner.core.ask import Answer, Ask
from planner.core.catalogue import Catalogue
from planner.core.errors import NoAnswer
from planner.core.fx import FxRate
from planner.core.price import Band, Rate, RateTable, UnitPrice, When
from planner.core.ranking import Ranked
from planner.core.recommend import rank, recommend
from planner.core.snapshot import Snapshot, compile_catalogue
from planner.core.tier import TierBands
from planner.core.units import Unit
from planner.core.usage import COUNTS, Usage
from planner.core.workload import Request
from tests import make
from tests.worlds import world

WORLDS = 2_000


def plain(catalogue: Catalogue, ask: Ask) -> object:
    """Answer with the plain search; a refusal is its code and facts."""
    try:
        return recommend(catalogue, ask)
    except NoAnswer as error:
        return error.code, error.facts()


def compiled(catalogue: Catalogue, ask: Ask) -> object:
    """Answer with the catalogue compiled for this one question."""
    return asked(compile_catalogue(catalogue), ask)


def asked(snapshot: Snapshot, ask: Ask) -> object:
    """Answer with a compiled catalogue; a refusal is its code and facts."""
    try:
        return snapshot.recommend(ask)
    except NoAnswer as error:
        return error.code, error.facts()


def ranked(catalogue: Catalogue, ask: Ask) -> list[Ranked] | str:
    """Rank with the plain search."""
    try:
        return rank(catalogue, ask)
    except NoAnswer as error:
        return error.code


def test_compiled_and_plain_search_agree_on_random_worlds() -> None:
    """2,000 random worlds: the same choice, chain, alternatives, counts and refusals."""
    answers = 0
    for seed in range(WORLDS):
        catalogue, ask = world(seed)
        expected = plain(catalogue, ask)
        assert compiled(catalogue, ask) == expected, f"seed {seed}"
        answers += isinstance(expected, Answer)
    # A test of refusals alone would prove little.
    assert answers > WORLDS // 7


def test_one_snapshot_answers_question_after_question() -> None:
    """What a snapshot keeps between questions never changes an answer: tokens, hour and budget move, the rest stays."""
    for seed in range(300):
        catalogue, first = world(seed)
        snapshot = compile_catalogue(catalogue)
        for turn in range(4):
            requests = tuple(
                Request(Usage.of({name: getattr(usage, name) * (turn + 1) for name in COUNTS}), share)
                for usage, share in first.workload.requests
            )
            workload = replace(first.workload, requests=requests)
            ask = replace(first, workload=workload, at=first.at + timedelta(hours=5 * turn))
            assert asked(snapshot, ask) == plain(catalogue, ask), f"seed {seed}, turn {turn}"


def test_what_an_earlier_catalogue_left_never_changes_an_answer() -> None:
    """One catalogue after another, each different in one part: laid out is what differs, answered is what is asked."""
    taken_over = 0
    for seed in range(30):
        (catalogue, ask), (other, _ask) = world(seed), world(seed + 1)
        held = compile_catalogue(catalogue)
        asked(held, ask)
        # Random worlds differ in everything but these.
        parts = {part.name: getattr(other, part.name) for part in fields(Catalogue)} | {
            "models": {offer.model: make.model(offer.model) for offer in catalogue.offers if offer.model},
            "providers": {}, "tier_bands": TierBands(()), "stale_from": {"a": ask.at + timedelta(hours=1)},
        }  # fmt: skip
        for name, part in parts.items():
            later = replace(catalogue, **{name: part})
            snapshot, fresh = compile_catalogue(later), Snapshot(later)
            assert asked(snapshot, ask) == plain(later, ask), f"seed {seed}, {name}"
            assert snapshot.labels(ask.at) == fresh.labels(ask.at)
            assert snapshot.valid_until(ask.at, ask.at) == fresh.valid_until(ask.at, ask.at)
            taken_over += snapshot.laid.judged is held.laid.judged
    # Plans, policies, channels, numbers and what is gone move nothing that is laid out.
    assert taken_over > 30 * 5


def test_equal_prices_are_laid_out_once() -> None:
    """Other evidence leaves prices as they are laid out; another price or exchange rate leaves nothing."""
    offers = {make.offer("direct:acme/small"): make.rates()}
    held = compile_catalogue(make.catalogue(offers))
    judged = compile_catalogue(make.catalogue(offers, stale_from={"models_dev": make.NOON}))
    assert (judged.laid.priced is held.laid.priced, judged.laid.judged is held.laid.judged) == (True, False)
    tomorrow = FxRate("EUR", date(2026, 11, 25), Decimal(1), "somebody")
    assert compile_catalogue(make.catalogue(offers, fx=(tomorrow,))).laid.priced is not held.laid.priced
    dearer = compile_catalogue(make.catalogue({make.offer("direct:acme/small"): make.rates("9")}))
    assert dearer.laid.priced is not held.laid.priced


def test_compiled_and_plain_ranking_agree() -> None:
    """The ranking of every offer is the same, order and exact cost."""
    for seed in range(300):
        catalogue, ask = world(seed)
        try:
            found: object = list(compile_catalogue(catalogue).rank(ask))
        except NoAnswer as error:
            found = error.code
        assert found == ranked(catalogue, ask), f"seed {seed}"


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from((1, 3, 7, 1_000_000))), min_size=1, max_size=12),
    st.booleans(),
)
def test_rates_that_are_not_whole_rank_exactly(rates: list[tuple[int, int]], brokered: bool) -> None:
    """Thirds of a trillionth of a dollar, equal costs, a broker's fee: order and sums are those of the plain search."""
    channel = "openrouter" if brokered else "direct"
    offers = {
        make.offer(f"{channel}:acme/m{number}", channel=channel): RateTable.flat(
            {Unit.INPUT: make.rate("1"), Unit.OUTPUT: Rate(Decimal(usd).scaleb(-12), per)}
        )
        for number, (usd, per) in enumerate(rates)
    }
    fee = Fee(
        channel="openrouter", percent=Fraction(11, 2), basis="b", valid_from=make.SINCE, valid_to=None, source="s",
        source_url="u",
    )  # fmt: skip
    catalogue = make.catalogue(offers, fees=(fee,))
    ask = make.ask(Usage(input_tokens=1, output_tokens=21))
    ranking = compile_catalogue(catalogue).rank(ask)
    assert list(ranking) == rank(catalogue, ask)
    assert ranking[:2] == list(ranking)[:2]


@pytest.mark.parametrize("tokens", [2**63 - 2, 2**63 - 1, 10**20])
def test_a_band_beyond_every_prompt_does_not_stop_the_answers(tokens: int) -> None:
    """A feed may state any length: the longest prompt is priced as the plain search prices it."""
    rate = make.rate("1")
    banded = UnitPrice(rate, (Band(When(input_tokens_gt=tokens), make.rate("2")),))
    table = RateTable({Unit.INPUT: banded, Unit.OUTPUT: UnitPrice(rate)})
    catalogue = make.catalogue({make.offer("direct:acme/small"): table})
    for usage in (Usage(input_tokens=1), Usage(input_tokens=2**63 - 1)):
        ask = make.ask(usage)
        assert compiled(catalogue, ask) == plain(catalogue, ask)
        assert list(compile_catalogue(catalogue).rank(ask)) == rank(catalogue, ask)


def test_a_fee_of_many_digits_is_exact() -> None:
    """Where a fee's fraction fits no column, the offers are priced one by one."""
    fee = Fee(
        channel="direct", percent=Fraction("5.12345678901234567891"), basis="b", valid_from=make.SINCE, valid_to=None,
        source="s", source_url="u",
    )  # fmt: skip
    offers = {make.offer(f"direct:acme/m{number}"): make.rates(output=str(number)) for number in (3, 1, 2)}
    catalogue, ask = make.catalogue(offers, fees=(fee,)), make.ask()
    assert compiled(catalogue, ask) == plain(catalogue, ask)
    assert list(compile_catalogue(catalogue).rank(ask)) == rank(catalogue, ask)


def test_every_offer_is_counted_once() -> None:
    """Considered is eligible plus refused, whatever is asked."""
    for seed in range(300):
        catalogue, ask = world(seed)
        found = plain(catalogue, ask)
        if isinstance(found, Answer):
            assert found.considered == found.eligible + sum(found.refused.values())


def test_an_answer_holds_until_its_edge() -> None:
    """Asked again just before ``valid_until``, the answer is the same."""
    for seed in range(400):
        catalogue, ask = world(seed)
        snapshot = compile_catalogue(catalogue)
        edge = snapshot.valid_until(ask.at, ask.decided_at)
        if edge is None:
            continue
        assert edge > ask.decided_at
        before = edge - timedelta(microseconds=1)
        later = replace(ask, decided_at=before, at=before if ask.at == ask.decided_at else ask.at)
        first, second = plain(catalogue, ask), plain(catalogue, later)
        assert _chain(first) == _chain(second), f"seed {seed}"


def _chain(found: object) -> object:
    if not isinstance(found, Answer):
        return found
    return [(pick.offer.id, pick.cost_usd) for pick in (found.choice, *found.fallbacks)], dict(found.refused)
