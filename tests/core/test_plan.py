"""What a plan affords, what a policy says, and what their written forms refuse."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from planner.core.errors import InvalidInput, MarginUnreachable, NothingCompliant, UnknownModel, Unpriced
from planner.core.offer import Route
from planner.core.plan import Economics, Needs
from planner.core.plan_form import read_plan
from planner.core.policy import AllowPair, Policy
from planner.core.policy_form import read_policy, write_policy, write_rules
from planner.core.recommend import priced, recommend
from planner.core.snapshot import compile_catalogue
from planner.core.strict_json import read
from planner.core.terms import Confidence
from planner.core.tier import TierBands
from tests import make
from tests.make import rates

PRO = Economics(
    revenue_usd=Decimal(20), payment_fee_percent=Decimal("2.9"), payment_fee_fixed_usd=Decimal("0.30"),
    other_costs_usd=Decimal(1), margin=Decimal("0.70"),
)  # fmt: skip


def test_the_budget_and_the_minimum_price_of_the_maths() -> None:
    """$20 at 70 % with fees and $1 of other costs leaves $4.12; $5 of tokens needs $23.2472."""
    assert PRO.budget_usd == Fraction("4.12")
    price = PRO.minimum_price_usd(Fraction(5))
    assert price is not None
    assert price == Fraction(63, 10) / Fraction("0.271")
    assert PRO.margin_at(Fraction("4.12")) == Fraction("0.7")


def test_plans_without_margin_or_revenue() -> None:
    """No target, no budget; no revenue, no margin; fees beyond the margin, no price."""
    free = Economics(revenue_usd=Decimal(0))
    assert (free.budget_usd, free.margin_at(Fraction(1)), free.minimum_price_usd(Fraction(1))) == (None, None, None)
    assert replace(PRO, payment_fee_percent=Decimal(40)).minimum_price_usd(Fraction(1)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"revenue_usd": Decimal(-1)},
        {"charges_per_period": -1},
        {"margin": Decimal(1)},
        {"revenue_usd": Decimal(0)},
    ],
)
def test_impossible_economics_are_refused(wrong: dict[str, object]) -> None:
    """Negative money, a margin of one, or a margin of nothing."""
    with pytest.raises(InvalidInput):
        replace(PRO, **wrong)  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize("wrong", [{"objective": "best"}, {"fallbacks": 11}])
def test_impossible_questions_are_refused(wrong: dict[str, Any]) -> None:
    """Objectives planner does not have and chains nobody wants."""
    with pytest.raises(InvalidInput):
        make.ask(**wrong)


def test_plans_are_read_strictly() -> None:
    """Money is text; an unknown field is a mistake."""
    plan = {"id": "p", "name": "P", "policy": "x", "price_usd": "1"}
    assert read_plan(plan).task("none") is None
    task = {
        "id": "t",
        "workload": {"input_tokens": 1},
        "needs": {"quality": {"index": "i", "min": "4"}, "throughput_tps_min": 3},
    }
    assert read_plan({**plan, "task": [task]}).tasks[0].needs.quality_min == 4
    named = {**task, "needs": {"quality": {"index": "i"}}}
    needs = read_plan({**plan, "task": [named]}).tasks[0].needs
    assert (needs.quality_index, needs.quality_min) == ("i", None)
    for wrong in ({**plan, "price_usd": 1}, {**plan, "prise": "1"}):
        with pytest.raises(InvalidInput):
            read_plan(wrong)


RULES = {
    "deny_training": True, "max_retention_days": 30, "allow_headquarters": ["US"], "deny_headquarters": ["CN"],
    "allow_providers": [], "deny_providers": ["x"], "deny_models": ["m"], "minimum_confidence": "verified",
    "allow_list": [["*", "direct:*"]],
}  # fmt: skip


def test_policies_survive_being_written_and_read() -> None:
    """Every rule keeps its meaning; an empty list of providers is a rule, not its absence."""
    policy = read_policy("p", 3, "title", RULES)
    assert policy.allow_providers == frozenset()
    assert read_policy("p", 3, "title", write_rules(policy)) == policy
    assert write_policy(Policy(name="n", version=1)) == {"name": "n", "version": 1, "title": "", "rules": {}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"deny_trainning": True}, {"deny_training": "yes"}, {"max_retention_days": True}, {"max_retention_days": -1},
        {"deny_models": "m"}, {"minimum_confidence": "certain"}, {"allow_list": "all"}, {"allow_list": [["m"]]},
        {"deny_headquarters": ["USA"]}, {"require_certifications": ["iso"]}, {"deny_models": ["m", "m"]},
        {"allow_list": [["m", "*x"]]}, {"allow_list": [["m*", "x"]]}, {"allow_list": [["m", "x"], ["m", "x"]]},
    ],
)  # fmt: skip
def test_unreadable_policies_are_refused(wrong: dict[str, object]) -> None:
    """A misspelt rule must never be a rule that is not there."""
    with pytest.raises(InvalidInput):
        read_policy("p", 1, "", wrong)


def test_an_empty_allow_list_admits_nothing() -> None:
    """Nothing on the list means nothing is allowed, not everything."""
    offer = make.offer("direct:acme/small")
    world = make.catalogue({offer: rates()})
    nobody, some = replace(make.OPEN, allow_list=frozenset()), frozenset({AllowPair("acme/small", "direct:acme/*")})
    assert world.refusals_by(nobody, offer, make.NOON) == ("policy:not_on_allow_list",)
    assert world.refusals_by(replace(make.OPEN, allow_list=some), offer, make.NOON) == ()


def test_refusals_fit_their_reason() -> None:
    """Unknown models, missing prices, terms and margins each have their own refusal, in both searches."""
    good = make.offer("direct:acme/small")
    world = make.catalogue({good: rates()})
    strict = Policy(name="strict", version=1, deny_training=True, minimum_confidence=Confidence.VERIFIED)
    dear = make.ask(economics=make.economics("0.001"))
    for search in (lambda ask: recommend(world, ask), compile_catalogue(world).recommend):
        with pytest.raises(UnknownModel):
            search(make.ask(needs=Needs(models=("no/such",))))
        with pytest.raises(NothingCompliant):
            search(make.ask(policy=strict))
        with pytest.raises(MarginUnreachable) as refused:
            search(dear)
        assert refused.value.cheapest_offer == good.id
    empty = make.catalogue({good: None, make.offer("direct:acme/b", route=Route.ROUTER): None})
    with pytest.raises(Unpriced):
        recommend(empty, make.ask())


def test_another_tier_may_be_what_helps() -> None:
    """When the asked tier is too dear, the refusal names the tier that would do, or none."""
    dear, cheap = make.offer("direct:acme/a", model="acme/a"), make.offer("direct:acme/b", model="acme/b")
    question = make.ask(economics=make.economics("0.02", "0.5"), needs=Needs(tiers=(1,)))
    both = make.catalogue({dear: rates("15", "60"), cheap: rates("0.1", "0.2")})
    alone = make.catalogue({dear: rates("15", "60")})
    for world, tier in ((both, 3), (alone, None)):
        with pytest.raises(MarginUnreachable) as refused:
            recommend(world, question)
        assert refused.value.feasible_tier == tier


def test_a_long_list_is_ordered_to_its_end() -> None:
    """More offers than the shortlist holds come in exact order, ties by id."""
    offers = {make.offer(f"direct:p{n:03d}/m", provider=f"p{n:03d}"): rates(str(1 + n % 7)) for n in range(200)}
    world = make.catalogue(offers)
    question = make.ask(fallbacks=10)
    assert compile_catalogue(world).recommend(question) == recommend(world, question)
    assert [pick.offer.id for pick in recommend(world, question).fallbacks][:1] == ["direct:p007/m"]
    same = make.catalogue({make.offer(f"direct:acme/{n:03d}"): rates() for n in range(120)})
    assert compile_catalogue(same).recommend(question) == recommend(same, question)


def test_kept_results_are_bounded() -> None:
    """Many shapes of questions do not grow the memory without end."""
    snapshot = compile_catalogue(make.catalogue({make.offer("direct:acme/small"): rates()}))
    for tokens in range(300):
        snapshot.recommend(
            make.ask(
                needs=Needs(
                    context_tokens=None, ttft_ms_max=None, regions=None, models=None, tiers=(1, 2, 3, 10 + tokens)
                )
            )
        )
    assert len(snapshot.laid.judged.shapes) == 256


def test_without_bands_everything_is_tier_one() -> None:
    """No cut-offs, no second label."""
    assert TierBands(()).price_tier(Fraction(1)) == 1
    assert TierBands(()).quality_tier("an index", Decimal(1)) is None


def test_json_is_read_strictly() -> None:
    """Escapes are looked into; ordinary documents pass, decimals exact."""
    assert read(b'{"a": ["\\u00e9", 1.10], "b": {"c": null}}') == {"a": ["é", Decimal("1.10")], "b": {"c": None}}
    for wrong in (b'["\\ud800"]', b'{"\\u0000": 1}', b'[["\\u0000"]]'):
        with pytest.raises(InvalidInput):
            read(wrong)


def test_refusals_read_as_sentences() -> None:
    """A refusal's text carries its facts, and only those that say something."""
    assert str(UnknownModel("m")) == "No offer serves this model: model=m"
    assert str(Unpriced()) == "A used unit has no price"


def test_an_offer_without_a_card_cannot_be_priced() -> None:
    """Pricing what has no price is refused, with the offer's id."""
    offer = make.offer("direct:acme/small")
    with pytest.raises(Unpriced) as refused:
        priced(make.catalogue({offer: None}), make.ask(), offer, {})
    assert refused.value.offer == offer.id
