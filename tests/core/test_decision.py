"""The decision is what the plain procedure says, and no change that should narrow ever lets anybody in."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from planner.core.policy import CODES, Policy, at_least_as_strict
from planner.core.terms import Confidence
from tests import make
from tests.decision_worlds import AT, COUNTRIES, PAPERS, REGISTERED, SETTLED, World, policy, row, world
from tests.reference_decision import refused

WORLDS = 5_000
SOME = range(600)


def decided(given: World) -> list[tuple[str, ...]]:
    """Return what the code says of every offer."""
    catalogue = given.catalogue()
    return [catalogue.refusals_by(given.policy, offer, AT) for offer in given.offers]


def expected(given: World) -> list[set[str]]:
    """Return what the plain procedure says of every offer."""
    return [refused(given.policy, offer, given.rows, (*REGISTERED, *SETTLED), AT) for offer in given.offers]


def allowed(given: World) -> set[str]:
    """Return who may be used."""
    return {offer.id for offer, codes in zip(given.offers, decided(given), strict=True) if not codes}


def test_the_decision_is_the_plain_procedures() -> None:
    """Random worlds, no difference; every code occurs, and so does leave."""
    seen: Counter[str] = Counter()
    for seed in range(WORLDS):
        given = world(seed)
        found = decided(given)
        assert [set(codes) for codes in found] == expected(given), seed
        seen.update(code for codes in found for code in codes or ("allowed",))
    assert set(seen) == {*CODES, "allowed"}
    assert min(seen.values()) > 20


def _narrower(dice: random.Random, rules: Policy) -> Policy:
    """Return a policy with one more thing denied or demanded."""
    steps: tuple[Callable[[], Policy], ...] = (
        lambda: replace(rules, deny_training=True),
        lambda: replace(rules, require_zdr=True),
        lambda: replace(rules, retention_days_max=0),
        lambda: replace(rules, deny_headquarters=rules.deny_headquarters | {dice.choice(COUNTRIES)}),
        lambda: replace(rules, deny_data_countries=rules.deny_data_countries | {dice.choice(COUNTRIES)}),
        lambda: replace(rules, require_certifications=rules.require_certifications | {dice.choice(PAPERS)}),
        lambda: replace(rules, deny_providers=rules.deny_providers | {dice.choice((*REGISTERED, "openrouter"))}),
        lambda: replace(rules, deny_models=rules.deny_models | {dice.choice(SETTLED)}),
        lambda: replace(rules, allow_free=False),
        lambda: replace(rules, allow_unknown=False),
        lambda: replace(rules, allow_list=frozenset(sorted(rules.allow_list or ())[1:])),
        lambda: replace(rules, minimum_confidence=Confidence.CONTRACT),
        lambda: make.joined(rules, *rules.parts, policy(dice, (make.offer("x:y/z"),), "more", 0.3)),
    )
    return dice.choice(steps)()


def test_a_denial_never_adds_a_candidate() -> None:
    """Whatever is denied or demanded besides, nobody comes in; and the new policy is known to be stricter."""
    fewer = 0
    for seed in SOME:
        given, dice = world(seed), random.Random(seed)
        narrower = _narrower(dice, given.policy)
        after = allowed(given._replace(policy=narrower))
        assert after <= allowed(given), seed
        assert at_least_as_strict(narrower, given.policy), seed
        fewer += after != allowed(given)
    assert fewer > 30


def test_a_policy_taken_for_stricter_admits_no_more() -> None:
    """Two policies of chance: where one is taken for as strict as the other, it admits nobody besides."""
    compared = 0
    for seed in range(6_000):
        given, dice = world(seed), random.Random(-seed)
        one, two = (policy(dice, given.offers, "q", 0.06) for _ in range(2))
        if at_least_as_strict(one, two):
            compared += 1
            assert allowed(given._replace(policy=one)) <= allowed(given._replace(policy=two)), seed
    assert compared > 200


def test_an_unrelated_row_never_changes_an_answer() -> None:
    """What is said of others is nothing said of this offer."""
    for seed in SOME:
        given, dice = world(seed), random.Random(seed)
        others = [row(dice, kind, "somebody-else", 9) for kind in ("provider", "channel", "offer")]
        assert decided(given._replace(rows=(*given.rows, *others))) == decided(given), seed


def test_order_never_matters() -> None:
    """Rows, offers and parts in another order, and a part by itself, give the same codes in the same order."""
    for seed in SOME:
        given, dice = world(seed), random.Random(seed)
        rows = dice.sample(given.rows, len(given.rows))
        parts = tuple(dice.sample(given.policy.parts, len(given.policy.parts)))
        other = given._replace(rows=tuple(rows), policy=replace(given.policy, parts=parts))
        assert decided(other) == decided(given), seed


@pytest.mark.parametrize("minimum", [None, Confidence.VERIFIED])
def test_a_feed_never_lets_anybody_in(minimum: Confidence | None) -> None:
    """One more row of a feed, whatever it says, adds no candidate."""
    for seed in range(3_000):
        given, dice = world(seed), random.Random(seed)
        offer = dice.choice(given.offers)
        kind, subject = dice.choice(
            [("provider", offer.facts.provider), ("offer", offer.id), ("channel", offer.facts.channel)]
        )
        feed = replace(row(dice, kind, subject, 9), curated=False)
        given = given._replace(policy=replace(given.policy, minimum_confidence=minimum))
        assert allowed(given._replace(rows=(*given.rows, feed))) <= allowed(given), seed


def test_better_evidence_demanded_never_lets_anybody_in() -> None:
    """Raising the minimum turns grants into warnings, and nothing else."""
    for seed in range(3_000):
        given = world(seed)
        raised = replace(given.policy, minimum_confidence=Confidence.CONTRACT)
        assert allowed(given._replace(policy=raised)) <= allowed(given), seed


def test_few_days_are_a_promise_and_a_feed_promises_nothing() -> None:
    """Kept for one day, says a feed: unknown. Kept for ninety, says anybody: too long, whoever else is silent."""
    offer = make.offer("direct:acme/small")
    short = make.terms("acme", id="feed", curated=False, retains_prompts=True, retention_days=1)
    silent, long = make.terms("acme", id="silent"), replace(short, id="long", retention_days=90)
    rules = Policy(name="p", version=1, retention_days_max=30, allow_free=True)
    for rows in ((short,), (silent, short)):
        assert decided(World((offer,), rows, rules)) == [("policy:unknown_terms",)]
    vague = replace(short, id="vague", retention_days=None)
    assert decided(World((offer,), (long, vague), replace(rules, allow_unknown=True))) == [("policy:retention_days",)]
    assert decided(World((offer,), (replace(short, curated=True),), rules)) == [()]
