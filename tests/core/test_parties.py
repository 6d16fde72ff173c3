"""How evidence combines: who may grant, who may only narrow, and what stands where two say different things."""

from dataclasses import replace
from datetime import timedelta

from planner.core.parties import BROKER, UPSTREAM, PartyTerms, Stated, parties, wider
from planner.core.policy import AllowPair, Policy, at_least_as_strict
from planner.core.policy_form import resolve
from planner.core.terms import Confidence, Terms
from planner.core.terms_form import narrows, no_wider
from tests import make
from tests.make import NOON


def judged(*rows: Terms, channel: str = "direct", minimum: Confidence | None = None) -> PartyTerms:
    """Return what rows say of the provider."""
    return parties(rows, (), NOON, channel=channel, minimum=minimum)[0]


def test_a_feed_narrows_and_never_grants() -> None:
    """Its protective words count for nothing, its strict ones stand against a contract."""
    feed = make.terms("acme", id="feed", curated=False)
    assert judged(feed).trains_on_prompts is None
    signed = make.terms("acme", id="signed", confidence=Confidence.CONTRACT)
    found = judged(signed, replace(feed, trains_on_prompts=True))
    assert (found.trains_on_prompts, found.conflicts) == (True, ("trains_on_prompts",))


def test_the_stricter_of_two_curated_rows_stands() -> None:
    """And the disagreement is visible, whatever it is about."""
    one = make.terms("acme", id="a", headquarters="US", certifications=frozenset({"soc2_t2", "c5"}))
    two = make.terms("acme", id="b", trains_on_prompts=True, headquarters="CN", certifications=frozenset({"c5"}))
    found = judged(one, two)
    assert found.trains_on_prompts is True
    assert found.headquarters.values == {"US", "CN"}
    assert found.headquarters.single is None
    assert found.certifications == frozenset({"c5"})
    assert set(found.conflicts) == {"trains_on_prompts", "headquarters", "certifications"}
    assert judged(one).headquarters.single == "US"


def test_an_offer_overrides_its_provider_in_what_it_says() -> None:
    """A curated row about the offer stands before the provider's default, for that fact alone; not before a feed."""
    default = make.terms("acme", id="default", trains_on_prompts=True, headquarters="CN")
    own = make.terms("direct:acme/small", "offer", id="own", confidence=Confidence.CONTRACT)
    found = judged(default, own)
    assert (found.trains_on_prompts, found.headquarters.single) == (False, "CN")
    feed = make.terms("acme", id="feed", trains_on_prompts=True, curated=False)
    assert judged(default, own, feed).trains_on_prompts is True
    assert judged(default, replace(own, confidence=Confidence.DERIVED), minimum=Confidence.VERIFIED).trains_on_prompts


def test_weak_evidence_is_no_evidence_and_still_narrows() -> None:
    """Below the minimum a row grants nothing; what it takes away it still takes away."""
    weak = make.terms("acme", headquarters="US", certifications=frozenset({"c5"}))
    found = judged(weak, minimum=Confidence.CONTRACT)
    assert (found.trains_on_prompts, found.headquarters.known, found.certifications) == (None, False, None)
    assert found.confidence is Confidence.BROKER_CLAIM
    assert judged(replace(weak, trains_on_prompts=True), minimum=Confidence.CONTRACT).trains_on_prompts is True


def test_expired_evidence_is_unknown() -> None:
    """From its last moment on a row says nothing."""
    assert judged(make.terms("acme", expires_at=NOON)).evidence == ()
    assert judged(make.terms("acme", expires_at=NOON + timedelta(seconds=1))).trains_on_prompts is False


def test_a_contradiction_is_read_the_stricter_way() -> None:
    """Kept for 0 days is kept, nobody knows how long; not kept, and kept for 30 days, is kept for 30 days."""
    zero = make.terms("acme", retains_prompts=True, retention_days=0)
    assert (zero.retains_prompts, zero.retention_days, zero.contradictory) == (True, None, True)
    both = make.terms("acme", retains_prompts=False, retention_days=30)
    assert (both.retains_prompts, both.retention_days, both.contradictory) == (True, 30, True)
    assert make.terms("acme", retention_days=30).retains_prompts is True
    assert make.terms("acme", retention_days=0).retention_days is None
    assert make.terms("acme", retains_prompts=False).retention_days == 0
    assert make.terms("acme", datacenter_countries=frozenset()).datacenter_countries is None


def test_the_longest_retention_counts() -> None:
    """Two rows that keep: the longer one; one of them silent: nobody knows."""
    month, week = (make.terms("acme", id=str(days), retains_prompts=True, retention_days=days) for days in (30, 7))
    assert judged(month, week).retention_days == 30
    assert judged(month, make.terms("acme", id="silent", retains_prompts=True)).retention_days is None
    assert judged(month, make.terms("acme", id="never", retains_prompts=False)).retention_days == 30


def test_what_is_not_kept_cannot_be_trained_on() -> None:
    """Zero data retention says both; where a row says otherwise it is none, and that is a conflict."""
    zero = make.terms("acme", trains_on_prompts=None, zdr=True)
    found = judged(zero)
    assert (found.trains_on_prompts, found.retains_prompts, found.retention_days) == (False, False, 0)
    kept = judged(zero, make.terms("acme", id="kept", retains_prompts=True))
    assert (kept.zdr, kept.conflicts) == (False, ("zdr",))
    assert judged(make.terms("acme", retains_prompts=False)).zdr is True
    assert judged(make.terms("acme", retains_prompts=True)).zdr is False
    assert judged(make.terms("acme")).zdr is None


def test_a_brokers_agreement_holds_through_that_broker() -> None:
    """Not for one's own key, not through another broker; one's own agreement holds for the direct way alone."""
    agreed = make.terms("acme", trains_on_prompts=None, retains_prompts=False, zdr_scope="broker:openrouter")
    scopes = {
        channel: judged(agreed, channel=channel).retains_prompts for channel in ("openrouter", "requesty", "direct")
    }
    assert scopes == {"openrouter": False, "requesty": None, "direct": None}
    own = replace(agreed, zdr_scope="own_key")
    assert (judged(own).retains_prompts, judged(own, channel="openrouter").retains_prompts) == (False, None)
    assert judged(replace(agreed, zdr_scope="all_credentials")).retains_prompts is False
    assert judged(replace(agreed, zdr_scope="request_header")).retains_prompts is None


def test_the_broker_is_judged_too() -> None:
    """Who passes a prompt on sees it: the broker's own rows decide, and a warning counts wherever it stands."""
    provider = make.terms("acme")
    broker = make.terms("openrouter", "channel", id="broker", trains_on_prompts=None, broker_may_train=False)
    both = parties([provider], [broker], NOON, channel="openrouter")
    assert [(party.party, party.trains_on_prompts) for party in both] == [(UPSTREAM, False), (BROKER, False)]
    assert parties([provider], [], NOON, channel="openrouter")[1].trains_on_prompts is None
    warned = parties([replace(provider, broker_may_train=True)], [broker], NOON, channel="openrouter")[1]
    assert (warned.trains_on_prompts, warned.conflicts) == (True, ("broker_may_train",))


def test_countries_of_one_region() -> None:
    """A region pinned to the European Union and data centres inside the EEA; one outside denies it."""
    inside = make.terms("acme", serving_region="eu", datacenter_countries=frozenset({"FI", "ES"}))
    assert inside.eu_resident is True
    assert replace(inside, datacenter_countries=frozenset({"FI", "US"})).eu_resident is False
    assert replace(inside, serving_region="us").eu_resident is False
    assert make.terms("acme").eu_resident is None


def test_a_reading_is_compared_with_an_older_one() -> None:
    """It may take the older one's place only where it takes away as much."""
    old = make.terms("acme", trains_on_prompts=None, retains_prompts=True, retention_days=30)
    assert narrows(old)
    assert not narrows(make.terms("acme"))
    assert narrows(make.terms("acme", headquarters="US"))
    assert no_wider(replace(old, retention_days=60), old)
    assert no_wider(replace(old, retention_days=None), old)
    assert not no_wider(replace(old, retention_days=7), old)
    assert not no_wider(old, replace(old, retention_days=None))
    assert not no_wider(make.terms("acme", retains_prompts=False), old)
    assert not no_wider(old, replace(old, headquarters="CN"))


def test_who_is_not_registered_may_be_who_is_denied() -> None:
    """A provider whose word nobody settled passes no policy that denies any."""
    known, stranger = make.offer("direct:acme/a"), make.offer("direct:DeepSeek/a", provider="DeepSeek")
    world = make.catalogue({known: make.rates(), stranger: make.rates()}, providers={"acme": object()})
    denying = replace(make.OPEN, deny_providers=frozenset({"deepseek"}))
    assert world.refusals_by(denying, known, NOON) == ()
    assert world.refusals_by(denying, stranger, NOON) == ("policy:provider_pending",)


def test_parts_must_pass_as_well_in_any_order() -> None:
    """Each by its own rules; a part nobody published, or a circle, admits nobody."""
    offer = make.offer("direct:acme/a", free=True)
    world = make.catalogue({offer: make.rates()}, providers={"acme": object()})
    deny = replace(make.OPEN, name="deny", deny_models=frozenset({"acme/small"}))
    paid = replace(make.OPEN, name="paid", allow_free=False)
    policies = {policy.name: policy for policy in (deny, paid)}
    both = [replace(make.OPEN, name="both", all_of=frozenset(names)) for names in (("deny", "paid"), ("paid", "deny"))]
    for policy in both:
        whole = resolve({**policies, "both": policy})["both"]
        assert world.refusals_by(whole, offer, NOON) == ("policy:model_denied", "policy:free_variant")
        assert at_least_as_strict(whole, deny)
        assert not at_least_as_strict(deny, whole)
    lost = resolve({"a": replace(make.OPEN, name="a", all_of=frozenset({"none"}))})["a"]
    circle = resolve({"a": replace(make.OPEN, name="a", all_of=frozenset({"a"}))})["a"]
    for policy in (lost, circle):
        assert "policy:not_on_allow_list" in world.refusals_by(policy, offer, NOON)


def test_no_part_hides_another_of_its_name() -> None:
    """Two versions of one policy side by side: what either refuses is refused, in any order."""
    offer = make.offer("direct:acme/a")
    world = make.catalogue({offer: make.rates()})
    old, new = (
        replace(make.OPEN, name="a"),
        replace(make.OPEN, name="a", version=2, deny_models=frozenset({"acme/small"})),
    )
    for whole in (make.joined(make.OPEN, old, new), make.joined(make.OPEN, new, old), make.joined(new, old)):
        assert world.refusals_by(whole, offer, NOON) == ("policy:model_denied",)


def test_an_allow_list_knows_models_ids_and_prefixes() -> None:
    """A pair admits its own model, by an exact id or a prefix of it; a star stands for any model."""
    offer = make.offer("openrouter:acme/small@fp8", channel="openrouter")
    world = make.catalogue({offer: make.rates()})

    def admits(model: str, pattern: str) -> bool:
        policy = replace(make.OPEN, allow_list=frozenset({AllowPair(model, pattern)}))
        return not world.refusals_by(policy, offer, NOON)

    assert admits("acme/small", offer.id)
    assert admits("*", "openrouter:acme/*")
    assert admits("*", "*")
    assert not admits("acme/large", "*")
    assert not admits("*", "openrouter:Acme/*")
    assert not admits("*", "openrouter:acme/small")


def test_a_policy_is_compared_by_its_rules_alone() -> None:
    """Stricter in one rule and as strict in all others; when in doubt it is taken for wider."""
    base = Policy(name="p", version=1, retention_days_max=30, allow_headquarters=frozenset({"US", "DE"}))
    stricter = replace(base, retention_days_max=7, deny_training=True, allow_headquarters=frozenset({"DE"}))
    assert at_least_as_strict(stricter, base)
    assert not at_least_as_strict(base, stricter)
    assert not at_least_as_strict(replace(base, retention_days_max=None), base)
    assert not at_least_as_strict(replace(base, allow_headquarters=None), base)
    assert not at_least_as_strict(replace(base, allow_unknown=True), base)


def test_what_protects_more_is_wider() -> None:
    """From bad to unknown, from unknown to good, fewer days, fewer countries, more papers, stronger evidence."""
    strict = PartyTerms(
        party=UPSTREAM, trains_on_prompts=True, retains_prompts=True, retention_days=30, zdr=False,
        headquarters=Stated(known=True, values=frozenset({"US", "CN"})), certifications=frozenset({"c5"}),
        confidence=Confidence.BROKER_CLAIM,
    )  # fmt: skip
    assert wider([strict], [strict]) == ()
    assert wider([], [strict]) == (
        "upstream.retention_days", "upstream.headquarters", "upstream.certifications", "upstream.confidence",
    )  # fmt: skip
    steps: dict[str, object] = {
        "trains_on_prompts": None, "retention_days": 7, "certifications": frozenset({"c5", "pci"}), "zdr": True,
        "headquarters": Stated(known=True, values=frozenset({"US"})), "confidence": Confidence.CONTRACT,
        "data_countries": Stated(known=True, values=frozenset()),
    }  # fmt: skip
    for fact, value in steps.items():
        after = replace(strict, **{fact: value})  # type: ignore[arg-type]  # facts by name
        assert wider([strict], [after]) == (f"upstream.{fact}",)
    assert wider([strict], [replace(strict, retention_days=None, certifications=None, confidence=None)]) == ()
    warned = replace(strict, days_stated=90, papers_stated=frozenset({"c5"}))
    for fact, value in {"days_stated": 30, "papers_stated": None}.items():
        assert wider([warned], [replace(warned, **{fact: value})]) == (f"upstream.{fact}",)  # type: ignore[arg-type]  # by name
    assert wider([strict], [replace(strict, days_stated=None)]) == ()
