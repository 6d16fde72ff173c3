"""Whose evidence to read next: what is missing, why, of whom, and what it is worth."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest

from planner.core.catalogue import Catalogue, Provider
from planner.core.offer import Offer
from planner.core.policy import Policy
from planner.core.ranking import Ranked
from planner.core.terms import Confidence, Terms
from planner.core.terms_queue import Entry, Question, queue
from tests import make
from tests.make import NOON

NO_TRAINING = Policy(name="no-training", version=1, deny_training=True)
NONE: frozenset[str] = frozenset()
DAY = timedelta(days=1)


def world(costs: Mapping[Offer, int], *rows: Terms) -> tuple[Catalogue, Sequence[Ranked]]:
    """Make a catalogue of offers, and their ranking by these costs in USD."""
    providers = {offer.facts.provider: Provider(id=offer.facts.provider, name="") for offer in costs}
    catalogue = make.catalogue(dict.fromkeys(costs), terms=make.by_subject(*rows), providers=providers)
    ranked = [Ranked(offer, Fraction(cost), Fraction(cost)) for offer, cost in costs.items()]
    return catalogue, sorted(ranked, key=lambda one: one.cost_usd)


def ask(
    costs: Mapping[Offer, int], *rows: Terms, policy: Policy = NO_TRAINING, unsaid: frozenset[str] = NONE, **parts: Any
) -> list[Entry]:
    """Return the queue for one question about a world."""
    catalogue, ranked = world(costs, *rows)
    question = Question(**{"plan": "pro", "task": "chat", "policy": policy, "ranked": ranked, **parts})
    return queue(catalogue, [question], unsaid, NOON)


def offer(provider: str, channel: str = "direct", **facts: Any) -> Offer:
    """Make an offer of a provider."""
    return make.offer(f"{channel}:{provider}/small", provider=provider, channel=channel, **facts)


KNOWN, CHEAP, CHEAPEST = offer("known"), offer("cheap"), offer("cheapest")
GOOD = make.terms("known")


def dollars(entry: Entry) -> int:
    """Return what an entry is worth; these worlds know whole dollars only."""
    assert entry.usd.denominator == 1
    return entry.usd.numerator


def brief(entries: list[Entry]) -> list[tuple[str, str, int]]:
    """Return (subject, kind, USD) of each entry."""
    return [(entry.subject[1], entry.kind, dollars(entry)) for entry in entries]


def test_what_is_unknown_saves_the_difference_to_the_cheapest_offer_of_today() -> None:
    """Each subject by itself, times requests, the dearest first."""
    found = ask({KNOWN: 10, CHEAP: 7, CHEAPEST: 4}, GOOD, requests_per_period=3)
    assert brief(found) == [("cheapest", "unknown", 18), ("cheap", "unknown", 9)]
    [effect] = found[0].effects
    assert (effect.question.plan, effect.offer) == ("pro", CHEAPEST.id)
    assert (found[0].facts, found[0].expires_at, found[0].offers) == ({"trains_on_prompts": "unknown"}, None, 1)


def test_who_is_dearer_than_today_saves_nothing() -> None:
    """Its evidence is missing all the same."""
    [entry] = ask({KNOWN: 1, CHEAP: 7}, GOOD)
    assert (entry.subject, dollars(entry), entry.effects) == (("provider", "cheap"), 0, ())


def test_who_costs_the_same_as_today_saves_nothing() -> None:
    """No plan is named for it."""
    [entry] = ask({CHEAP: 7, KNOWN: 7}, GOOD)
    assert entry.effects == ()


def test_where_nobody_is_compliant_there_is_an_offer_and_no_saving() -> None:
    """The first offer of a question has nothing to be compared with, and comes before what saves nothing at all."""
    nobody = Policy(name="p", version=1, deny_training=True, deny_providers=frozenset({"known"}))
    first, second = ask({KNOWN: 10, CHEAP: 7, offer("dear"): 9}, GOOD, policy=nobody)
    assert [(dollars(one), one.unpriced) for one in (first, second)] == [(0, 1), (0, 1)]
    assert first.effects[0].usd is None
    assert {first.effects[0].offer, second.effects[0].offer} == {CHEAP.id, offer("dear").id}


def test_what_no_evidence_lets_in_is_not_in_the_queue() -> None:
    """Neither who is denied by name, nor who is known to train."""
    denies = Policy(name="p", version=1, deny_training=True, deny_providers=frozenset({"cheap"}))
    bad = make.terms("cheapest", trains_on_prompts=True)
    assert ask({KNOWN: 10, CHEAP: 7, CHEAPEST: 4}, GOOD, bad, policy=denies) == []


def test_an_offer_that_two_lack_evidence_for_is_let_in_by_neither_alone() -> None:
    """The broker and the provider are both in the queue, and neither saves anything by itself."""
    found = ask({KNOWN: 10, offer("cheap", "broker"): 1}, GOOD)
    assert brief(found) == [("broker", "unknown", 0), ("cheap", "unknown", 0)]
    assert [entry.subject[0] for entry in found] == ["channel", "provider"]


def test_a_broker_lets_in_what_passes_through_it() -> None:
    """Where the provider is known, the broker alone is missing."""
    found = ask({KNOWN: 10, offer("known", "broker"): 1}, GOOD)
    assert brief(found) == [("broker", "unknown", 9)]


def test_expired_evidence_is_told_with_its_day() -> None:
    """What it said is missing because it expired; what it never said is unknown."""
    ended = make.terms("cheap", expires_at=NOON - DAY)
    [entry] = ask({KNOWN: 10, CHEAP: 7}, GOOD, ended, policy=replace(NO_TRAINING, require_zdr=True))[:1]
    assert (entry.kind, entry.expires_at) == ("expired", NOON - DAY)
    assert entry.facts == {"trains_on_prompts": "expired", "zdr": "unknown"}


def test_what_expired_and_is_said_again_is_not_missing() -> None:
    """A newer row of the same subject says the same."""
    rows = (make.terms("cheap", id="a", expires_at=NOON - DAY), make.terms("cheap", id="b"))
    assert ask({KNOWN: 10, CHEAP: 7}, GOOD, *rows) == []


def test_what_no_feed_says_any_more_is_told_and_may_turn_out_well() -> None:
    """The row still refuses; without it, and with evidence, the offer would be let in."""
    heard = make.terms("cheap", id="f:1", curated=False, trains_on_prompts=True)
    assert ask({KNOWN: 10, CHEAP: 7}, GOOD, heard) == []
    [entry] = ask({KNOWN: 10, CHEAP: 7}, GOOD, heard, unsaid=frozenset({"f:1"}))
    assert (entry.kind, entry.facts, dollars(entry)) == ("unsaid", {"trains_on_prompts": "unsaid"}, 3)


def test_rows_that_disagree_are_told_and_may_turn_out_well() -> None:
    """A feed against a curated row: one of them is wrong, and it is worth finding out which."""
    heard = make.terms("cheap", id="f:1", curated=False, trains_on_prompts=True)
    [entry] = ask({KNOWN: 10, CHEAP: 7}, GOOD, make.terms("cheap"), heard)
    assert (entry.kind, entry.facts, dollars(entry)) == ("conflict", {"trains_on_prompts": "conflict"}, 3)


def test_a_broker_that_a_providers_row_warns_of_is_in_conflict_itself() -> None:
    """What is said of the broker is read about the broker, wherever it stood."""
    through = offer("known", "broker")
    warned = replace(GOOD, broker_may_train=True)
    [entry] = ask({KNOWN: 10, through: 7}, warned, make.terms("broker", "channel"))
    assert (entry.subject, entry.kind, dollars(entry)) == (("channel", "broker"), "conflict", 3)
    assert entry.facts == {"trains_on_prompts": "conflict", "broker_may_train": "conflict"}


@pytest.mark.parametrize(
    ("row", "unsaid", "kind"),
    [
        (make.terms(CHEAP.id, "offer", expires_at=NOON - DAY), NONE, "expired"),
        (make.terms(CHEAP.id, "offer", id="f", curated=False, trains_on_prompts=True), frozenset({"f"}), "unsaid"),
        (make.terms(CHEAP.id, "offer", trains_on_prompts=True), NONE, "conflict"),
    ],
)
def test_an_offers_own_row_is_read_about_the_offer(row: Terms, unsaid: frozenset[str], kind: str) -> None:
    """Where the row that matters is the offer's, so is the entry."""
    other = make.terms(CHEAP.id, "offer", id="other", moderated=True, trains_on_prompts=None)
    provider = [make.terms(CHEAP.id, "offer", id="x", expires_at=NOON + 300 * DAY)] if kind == "conflict" else []
    found = ask({KNOWN: 10, CHEAP: 7}, GOOD, row, other, *provider, unsaid=unsaid)
    assert [(entry.subject, entry.kind, dollars(entry)) for entry in found] == [(("offer", CHEAP.id), kind, 3)]


def test_what_an_offers_own_row_does_not_say_is_read_about_its_provider() -> None:
    """One page about the provider serves all of its offers."""
    own = make.terms(CHEAP.id, "offer", moderated=True, trains_on_prompts=None)
    [entry] = ask({KNOWN: 10, CHEAP: 7}, GOOD, own)
    assert (entry.subject, entry.kind) == (("provider", "cheap"), "unknown")


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"deny_training": True}, {"zdr": True}),
        ({"require_zdr": True}, {"retains_prompts": False, "trains_on_prompts": False}),
        ({"retention_days_max": 7}, {"zdr": True}),
        ({"minimum_confidence": Confidence.BROKER_CLAIM}, {"moderated": True}),
    ],
)
def test_an_expired_row_of_an_offer_is_read_again_where_it_decided(rules: dict[str, Any], said: dict[str, Any]) -> None:
    """Also where it said another fact from which the one that is asked for follows."""
    own = make.terms(CHEAP.id, "offer", **{"trains_on_prompts": None, **said, "expires_at": NOON - DAY})
    entries = ask({CHEAP: 7}, own, policy=Policy(name="p", version=1, **rules))
    assert [(entry.subject, entry.kind, entry.unpriced) for entry in entries] == [(("offer", CHEAP.id), "expired", 1)]


def test_a_providers_row_is_read_about_the_provider_though_the_offer_has_its_own() -> None:
    """Whose row expired, or is unsaid, decides, and not who else speaks."""
    own = make.terms(CHEAP.id, "offer", confidence=Confidence.DERIVED)
    strong = replace(NO_TRAINING, minimum_confidence=Confidence.VERIFIED)
    gone = make.terms("cheap", confidence=Confidence.CONTRACT, expires_at=NOON - DAY)
    [entry] = ask({CHEAP: 7}, own, gone, policy=strong)
    assert (entry.subject, entry.kind) == (("provider", "cheap"), "expired")
    heard = make.terms("cheap", id="f", curated=False, trains_on_prompts=True)
    found = ask({CHEAP: 7}, replace(own, confidence=Confidence.CONTRACT), heard, unsaid=frozenset({"f"}))
    assert [(entry.subject, entry.kind, entry.unpriced) for entry in found if entry.unpriced] == [
        (("provider", "cheap"), "unsaid", 1)
    ]


@pytest.mark.parametrize(
    ("rules", "one", "other"),
    [
        ({"require_zdr": True}, {"retains_prompts": True}, {"retains_prompts": False}),
        ({"retention_days_max": 7}, {"retains_prompts": True, "retention_days": 30}, {"retains_prompts": False}),
    ],
)
def test_a_fact_that_follows_from_a_conflict_may_turn_out_well(
    rules: dict[str, Any], one: dict[str, Any], other: dict[str, Any]
) -> None:
    """Where the rows agree on what it follows from, it does."""
    rows = [
        make.terms("cheap", **{"id": id_, "trains_on_prompts": None, **said})
        for id_, said in (("a", one), ("b", other))
    ]
    [entry] = ask({CHEAP: 7}, *rows, policy=Policy(name="p", version=1, **rules))
    assert (entry.kind, entry.unpriced) == ("conflict", 1)


def test_a_conflict_that_no_rule_asks_about_is_told_too() -> None:
    """Somebody is wrong, though it costs nothing today."""
    rows = (replace(GOOD, headquarters="DE"), make.terms("known", id="other", headquarters="US"))
    [entry] = ask({KNOWN: 10}, *rows)
    assert (entry.kind, entry.facts, entry.effects) == ("conflict", {"headquarters": "conflict"}, ())


def test_what_a_feed_said_until_a_day_is_neither_expired_nor_expiring() -> None:
    """It granted nothing, so nothing ends."""
    days = (NOON - DAY, NOON + DAY)
    heard = [make.terms("known", id=f"f:{day}", curated=False, expires_at=day, moderated=True) for day in days]
    assert ask({KNOWN: 10}, GOOD, *heard) == []


EVERY_RULE = Policy(
    name="all", version=1, deny_training=True, require_zdr=True, retention_days_max=0,
    allow_headquarters=frozenset({"DE"}), deny_data_countries=frozenset({"US"}),
    require_serving_regions=frozenset({"eu"}), require_certifications=frozenset({"iso27001"}),
    minimum_confidence=Confidence.VERIFIED,
)  # fmt: skip


def test_every_fact_a_rule_asks_for_can_be_missing() -> None:
    """All are named, once each, and weak evidence is missing the strength."""
    weak = make.terms("cheap", moderated=True)
    [entry] = ask({CHEAP: 7}, weak, policy=EVERY_RULE)
    assert set(entry.facts) == {
        "trains_on_prompts", "zdr", "retention_days", "headquarters", "datacenter_countries", "serving_region",
        "certifications", "confidence",
    }  # fmt: skip
    assert entry.unpriced == 1


def test_where_unknown_is_allowed_nothing_is_missing() -> None:
    """The policy lets in whom nobody knows."""
    assert ask({KNOWN: 10, CHEAP: 7}, policy=replace(NO_TRAINING, allow_unknown=True)) == []


def test_a_part_of_a_policy_asks_too() -> None:
    """What one part lacks and what another lacks are missing together."""
    whole = make.joined(NO_TRAINING, Policy(name="zdr", version=1, require_zdr=True))
    [entry] = ask({CHEAP: 7}, policy=whole)
    assert entry.facts == {"trains_on_prompts": "unknown", "zdr": "unknown"}


def test_the_strongest_reason_of_two_policies_stands() -> None:
    """A fact that is too weak for one policy and expired for the other has expired."""
    catalogue, ranked = world({KNOWN: 10, CHEAP: 7}, GOOD, make.terms("cheap", expires_at=NOON - DAY))
    strong = replace(NO_TRAINING, name="strong", minimum_confidence=Confidence.CONTRACT)
    questions = [Question(policy=policy, ranked=ranked) for policy in (strong, NO_TRAINING)]
    entries = {entry.subject[1]: entry for entry in queue(catalogue, questions, NONE, NOON)}
    assert entries["cheap"].facts["trains_on_prompts"] == "expired"
    assert entries["known"].facts == {"trains_on_prompts": "unknown", "confidence": "unknown"}


# --- what is about to end ---------------------------------------------------------------------------------


def ending(subject: str, kind: str = "provider", **facts: Any) -> Terms:
    """Make a row that ends in ten days."""
    return make.terms(subject, kind, **{"expires_at": NOON + 10 * DAY, **facts})


def test_what_is_about_to_end_costs_the_way_to_the_next_offer() -> None:
    """The next that still stands without it, though others of the same subject are cheaper."""
    again = make.offer("direct:known/other", provider="known")
    rows = (ending("known"), ending("known", id="later", expires_at=NOON + 20 * DAY), make.terms("cheapest"))
    found = ask({KNOWN: 1, again: 2, CHEAP: 3, CHEAPEST: 5}, *rows, requests_per_period=3)
    assert brief(found) == [("known", "expiring", 12), ("cheap", "unknown", 0)]
    assert (found[0].expires_at, found[0].facts) == (NOON + 10 * DAY, {"trains_on_prompts": "expiring"})
    assert [effect.offer for effect in found[0].effects] == [CHEAPEST.id]
    assert found[0].offers == 2


def test_what_no_recommendation_rests_on_costs_nothing_when_it_ends() -> None:
    """It is in the queue, last."""
    found = ask({KNOWN: 1, CHEAP: 3}, GOOD, ending("cheap"))
    assert [(entry.subject[1], entry.effects) for entry in found] == [("cheap", ())]


def test_where_nobody_else_is_left_the_question_loses_its_offer() -> None:
    """There is no cost to name."""
    [entry] = ask({KNOWN: 1}, ending("known"))
    assert (dollars(entry), entry.unpriced, entry.effects[0].offer) == (0, 1, None)


def test_what_is_said_twice_does_not_end_with_one_of_its_rows() -> None:
    """Another row, that lasts longer, says it too."""
    [entry] = ask({KNOWN: 1, CHEAP: 3}, ending("known", id="a"), GOOD, make.terms("cheap"))
    assert (entry.kind, entry.effects) == ("expiring", ())


def test_each_of_those_who_see_a_prompt_may_be_the_one_whose_evidence_ends() -> None:
    """The offer's own row, its provider's and its broker's are looked at one by one."""
    through = offer("known", "broker")
    rows = (ending("known"), ending("broker", "channel"), ending(through.id, "offer", moderated=True, zdr=None))
    found = ask({through: 1, KNOWN: 2, CHEAP: 4}, *rows, make.terms("cheap"))
    costs = {entry.subject: (dollars(entry), [effect.offer for effect in entry.effects]) for entry in found}
    assert costs["channel", "broker"] == (1, [KNOWN.id])
    assert costs["provider", "known"] == (0, [])
    assert costs["offer", through.id] == (0, [])


@pytest.mark.parametrize(("days", "kinds"), [(30, ["expiring"]), (31, []), (0, ["expired"])])
def test_thirty_days_are_soon(days: int, kinds: list[str]) -> None:
    """Exactly thirty days ahead counts, and what ends now has ended."""
    found = ask({KNOWN: 1}, make.terms("known", expires_at=NOON + days * DAY))
    assert [entry.kind for entry in found] == kinds


def test_a_first_offer_comes_before_many_offers() -> None:
    """A plan without any offer waits for it."""
    small = make.offer("direct:small/m", provider="small", free=True)
    big = [make.offer(f"openrouter:big/{place}", provider="big", channel="openrouter") for place in range(3)]
    found = ask({small: 9, big[0]: 1, big[1]: 1, big[2]: 1}, policy=replace(NO_TRAINING, allow_free=True))
    assert [(entry.subject[1], entry.unpriced, entry.offers) for entry in found] == [
        ("small", 1, 1), ("openrouter", 0, 3), ("big", 0, 3),
    ]  # fmt: skip


def test_ties_go_by_offers_and_then_by_id() -> None:
    """Who has more offers first."""
    more = make.offer("direct:zeta/two", provider="zeta")
    found = ask({KNOWN: 1, offer("zeta"): 2, more: 3, offer("beta"): 4, offer("alpha"): 5}, GOOD)
    assert [(entry.subject[1], entry.offers) for entry in found] == [("zeta", 2), ("alpha", 1), ("beta", 1)]
