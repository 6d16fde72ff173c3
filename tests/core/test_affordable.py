"""Which tier a task's revenue affords, on the published figures; and every change that is named makes an answer."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from planner.core.affordable import (
    TierOption,
    input_share,
    requests_affordable,
    strongest_affordable,
    tier_options,
    tokens_affordable,
    trims,
)
from planner.core.ask import Answer, Ask, Pick
from planner.core.catalogue import Catalogue
from planner.core.errors import MarginUnreachable, NoAnswer
from planner.core.money import ratio_text
from planner.core.plan import Economics, Needs
from planner.core.recommend import recommend
from planner.core.snapshot import compile_catalogue
from planner.core.trim import trim
from planner.core.usage import Usage
from planner.core.workload import Request, Workload
from tests import make
from tests.core.test_trim import tariff_of
from tests.worlds import world

PRO = Economics(
    revenue_usd=Decimal(20), payment_fee_percent=Decimal("2.9"), payment_fee_fixed_usd=Decimal("0.30"),
    other_costs_usd=Decimal(1), margin=Decimal("0.70"),
)  # fmt: skip
# 5.5 tokens in for each one out.
CHAT = Workload.of(Usage(input_tokens=5_500, output_tokens=1_000), 200)
LADDER = make.catalogue(
    {
        make.offer("direct:acme/large", model="acme/large"): make.rates("3", "15"),
        make.offer("direct:acme/mid", model="acme/mid"): make.rates("0.25", "1"),
        make.offer("direct:acme/small"): make.rates("0.025", "0.10"),
    }
)


def of(ask: Ask, catalogue: Catalogue = LADDER) -> tuple[TierOption, ...]:
    """Return the tiers of a task by the plain search."""
    return tier_options(ask, (1, 2, 3), lambda other: recommend(catalogue, other))


def pick(input: str, output: str, workload: Workload = CHAT) -> tuple[Ask, Pick]:
    """Price a workload on one offer."""
    ask = replace(make.ask(), workload=workload)
    return ask, recommend(make.catalogue({make.offer("direct:acme/small"): make.rates(input, output)}), ask).choice


@pytest.mark.parametrize(
    ("input", "output", "millions"),
    [("3", "15", "0.85"), ("1", "3", "3.15"), ("0.25", "1", "11.3"), ("0.025", "0.10", "113")],
)
def test_how_many_tokens_a_plan_buys(input: str, output: str, millions: str) -> None:
    """$20 at 70 % leaves $4.12: 0.85 million tokens of tier 1, 3.15 of frontier-open, 11.3 of tier 2, 113 of tier 3."""
    assert PRO.budget_usd == Fraction("4.12")
    ask, found = pick(input, output)
    tokens = tokens_affordable(ask, found, Fraction("4.12"))
    assert tokens is not None
    places = len(millions.partition(".")[2])
    assert ratio_text(Fraction(tokens, 1_000_000), places) == millions or places == 0
    assert round(tokens / 1e6, places) == float(millions)


def test_the_share_of_prompts_depends_on_the_task() -> None:
    """52 % of the cost at 5.5 in for one out, 94 % at 73.4; a mix of 4 to 1 makes code look 8.7 times too cheap."""
    code = Workload.of(Usage(input_tokens=7_340, output_tokens=100))
    shares = [input_share(pick("3", "15", workload)[1]) for workload in (CHAT, code)]
    assert [ratio_text(share, 2) for share in shares if share is not None] == ["0.52", "0.94"]
    four = Workload.of(Usage(input_tokens=400, output_tokens=100))
    real, assumed = (pick("3", "15", workload)[1].cost_usd for workload in (code, four))
    assert ratio_text(real / assumed, 1) == "8.7"
    assert input_share(pick("0", "0")[1]) is None


def test_the_strongest_tier_a_plan_affords() -> None:
    """Chat of 200 requests costs $6.30, $0.475 and 4.75 cents: tier 2 it is; the drop and the cuts that avoid it."""
    first, second, third = of(replace(make.ask(), workload=CHAT, economics=PRO))
    assert [option.affordable for option in (first, second, third)] == [False, True, True]
    assert strongest_affordable((first, second, third)) == 2
    assert (first.cost_usd_per_period, first.saving_usd_per_period) == (Fraction("6.3"), None)
    assert second.saving_usd_per_period == Fraction("6.3") - Fraction("0.475")
    assert second.requests_affordable == 1_734
    assert first.best is None
    assert second.best == second.cheapest
    assert [(cut.cut, cut.why_not) for cut in first.trims] == [("input", None), ("output", None), ("both", None)]
    assert second.trims == ()


def test_what_a_plan_keeps_out_is_priced_all_the_same() -> None:
    """Without a margin nothing is too dear; tiers the task does not let in are marked, tiers nobody serves refused."""
    asked = make.ask(needs=Needs(tiers=(2, 3)), economics=make.economics("0", None))
    first, second, third = of(asked)
    assert (first.allowed, second.allowed, third.allowed) == (False, True, True)
    assert first.cost_usd_per_period is not None
    assert (first.affordable, first.tokens_affordable, first.requests_affordable) == (None, None, None)
    assert strongest_affordable((first, second, third)) is None
    assert of(make.ask())[0].margin is None
    [_first, _second, empty] = of(make.ask(), make.catalogue({make.offer("direct:acme/large"): make.rates("3", "15")}))
    assert (empty.cheapest, empty.refusal) == (None, "nothing_compliant")
    ask, found = pick("3", "15")
    assert trims(ask, found) == ()


def test_what_costs_nothing_has_no_end() -> None:
    """No number of tokens or requests uses a budget up; a budget below nothing buys none."""
    ask, free = pick("0", "0")
    assert tokens_affordable(ask, free, Fraction(1)) is None
    assert requests_affordable(free, Fraction(1)) is None
    ask, paid = pick("3", "15")
    assert tokens_affordable(ask, paid, Fraction(-1)) == requests_affordable(paid, Fraction(-1)) == 0


def refusal(catalogue: Catalogue, ask: Ask) -> MarginUnreachable:
    """Return the refusal of a question whose answer is too dear."""
    with pytest.raises(MarginUnreachable) as refused:
        recommend(catalogue, ask)
    return refused.value


def changed(ask: Ask, change: Mapping[str, Any], catalogue: Catalogue) -> Ask:
    """Return the question after one of the changes that were named."""
    economics = ask.economics
    assert economics is not None
    kind = change["change"]
    if kind == "price":
        return replace(ask, economics=replace(economics, revenue_usd=Decimal(change["price_usd"])))
    if kind == "margin":
        return replace(ask, economics=replace(economics, margin=Decimal(change["margin"])))
    if kind == "quota":
        return replace(ask, workload=replace(ask.workload, requests_per_period=change["requests_per_period"]))
    if kind == "tier":
        tiers = None if change["tier"] is None else (change["tier"],)
        return replace(ask, needs=replace(ask.needs, tiers=tiers))
    cheapest = recommend(catalogue, replace(ask, economics=None, objective="cheapest")).choice
    return replace(ask, workload=next(c for c in trims(ask, cheapest) if f"trim_{c.cut}" == kind).workload)


def too_dear(seed: int) -> tuple[Catalogue, Ask] | None:
    """Return a random world with a question whose cheapest answer costs more than the revenue leaves, or None."""
    catalogue, ask = world(seed)
    ask = replace(ask, economics=None, objective="cheapest")
    try:
        found = recommend(catalogue, ask).choice
    except NoAnswer:
        return None
    cost = found.cost_usd * ask.workload.requests_per_period
    if seed % 2 and found.tier is not None:
        ask = replace(ask, needs=replace(ask.needs, tiers=(found.tier,)))
    # Between a twentieth and all of what it would cost.
    revenue = Decimal(f"{float(cost) * (1 + seed % 19) / 20:.12f}")
    return (catalogue, replace(ask, economics=Economics(revenue_usd=revenue, margin=Decimal(0)))) if revenue else None


def test_every_change_that_is_named_makes_an_answer() -> None:
    """On random worlds: charge, cut or allow what is said, and the same question is answered; both searches agree."""
    tried: set[object] = set()
    for catalogue, ask in filter(None, map(too_dear, range(250))):
        refused = refusal(catalogue, ask)
        with pytest.raises(MarginUnreachable) as compiled:
            compile_catalogue(catalogue).recommend(ask)
        assert compiled.value.facts() == refused.facts()
        for change in refused.changes:
            assert isinstance(recommend(catalogue, changed(ask, change, catalogue)), Answer), change
            tried.add(change["change"])
    assert tried == {"price", "margin", "quota", "trim_input", "trim_output", "trim_both", "tier"}


def test_the_changes_of_the_worked_case() -> None:
    """$5.25 of chat on a $20 plan: each way out with its figures, in the answer itself, and in its old fields."""
    chat = Workload.of(Usage(input_tokens=1_500, output_tokens=400), 500)
    both = make.catalogue(
        {
            make.offer("direct:acme/large", model="acme/large"): make.rates("3", "15"),
            make.offer("direct:acme/small"): make.rates("0.025", "0.10"),
        }
    )
    ask = replace(make.ask(needs=Needs(tiers=(1,))), workload=chat, economics=PRO)
    found = refusal(both, ask)
    assert [(change["change"], change["says"]) for change in found.changes] == [
        ("price", "charge 24.17 USD a period"),
        ("trim_input", "cut every prompt by 50.23 %, 754 tokens a request"),
        ("trim_output", "cut every completion by 37.67 %, 151 tokens a request"),
        ("trim_both", "cut every prompt and every completion by 21.53 %, 410 tokens a request"),
        ("quota", "allow 392 requests a period instead of 500"),
        ("tier", "allow tier 3: direct:acme/small costs 0.03875 USD a period"),
        ("margin", "accept a margin of 0.6435"),
    ]
    assert (found.feasible_price_usd, found.feasible_trim_percent, found.feasible_tier) == ("24.17", "21.53", 3)
    with pytest.raises(MarginUnreachable) as refused:
        compile_catalogue(both).recommend(ask)
    assert refused.value.facts() == found.facts()
    nothing_left = replace(PRO, other_costs_usd=Decimal(10))
    kinds = [change["change"] for change in refusal(both, replace(ask, economics=nothing_left)).changes]
    assert kinds == ["price", "margin"]
    greedy = replace(PRO, margin=Decimal("0.99"), payment_fee_percent=Decimal(2), other_costs_usd=Decimal(0))
    assert [change["change"] for change in refusal(both, replace(ask, economics=greedy)).changes] == ["margin"]


def test_requests_that_cannot_shrink_are_not_told_to() -> None:
    """Where the fee of a request alone is too dear, no cut of text and no share of one is named."""
    table = make.rates("1", "2", request="100000")
    found = refusal(make.catalogue({make.offer("direct:acme/small"): table}), make.ask(economics=make.economics("0.1")))
    assert [change["change"] for change in found.changes] == ["price", "margin"]
    assert found.feasible_trim_percent is None


def test_a_refusal_trims_no_endless_mixes() -> None:
    """What is answered to everybody is bounded: of more than 20 kinds of requests no cut is worked out."""
    world_ = make.catalogue({make.offer("direct:acme/small"): make.rates("3", "15")})
    for count, cuts in ((20, 3), (21, 0)):
        kinds = tuple(Request(Usage(input_tokens=100 + n, output_tokens=50), Fraction(1, count)) for n in range(count))
        workload = Workload(requests=kinds, requests_per_period=100)
        ask = replace(make.ask(economics=make.economics("0.3")), workload=workload)
        named = [change["change"] for change in refusal(world_, ask).changes]
        assert sum(str(kind).startswith("trim") for kind in named) == cuts


def test_a_cut_can_be_checked_by_asking_again() -> None:
    """What is left after a cut is a workload: priced like any other, it costs what was said."""
    found = trim(tariff_of(make.rates("3", "15"), CHAT), CHAT, Fraction("4.12"), "both")
    assert tariff_of(make.rates("3", "15"), found.workload).cost_usd(found.workload) == found.cost_usd
