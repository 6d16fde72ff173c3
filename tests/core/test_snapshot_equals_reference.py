"""The compiled catalogue answers what the plain search answers, in every field, refusals included."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.agreement import Fee
from planner.core.ask import Answer, Ask
from planner.core.catalogue import Catalogue
from planner.core.errors import NoAnswer
from planner.core.price import Band, Rate, RateTable, UnitPrice, When
from planner.core.ranking import Ranked
from planner.core.recommend import rank, recommend
from planner.core.snapshot import Snapshot, compile_catalogue
from planner.core.units import Unit
from planner.core.usage import COUNTS, Usage
from planner.core.workload import Request
from tests import make
from tests.worlds import world

WORLDS = 5_000


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
    """5,000 random worlds: the same choice, chain, alternatives, counts and refusals."""
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
