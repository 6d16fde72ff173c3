"""The queue on the bundled catalogue says what happens once the evidence is entered, or has ended."""

from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction

import pytest

from planner.core.catalogue import Catalogue
from planner.core.errors import UnknownPolicy
from planner.core.policy import Policy
from planner.core.snapshot import Snapshot
from planner.core.terms import Confidence
from planner.core.terms_queue import EXPIRING, Entry
from planner.flows.answer import plan_ask
from planner.flows.evidence_queue import REFERENCE, Queue, evidence_queue
from planner.store.engine import Store
from planner.store.load import load_catalogue
from tests import make
from tests.conftest import NOW

DEFAULT = "no-training"


@pytest.fixture(scope="module")
def catalogue(installed: Store) -> Catalogue:
    """The catalogue that travels with planner, with its demo plans."""
    with installed.read() as connection:
        return load_catalogue(connection)


def asked(catalogue: Catalogue, policy: str | None = None, at: datetime = NOW) -> Queue:
    """Return the queue."""
    return evidence_queue(catalogue, Snapshot(catalogue), frozenset(), policy, DEFAULT, at)


def costs(catalogue: Catalogue, policy: Policy | None = None, at: datetime = NOW) -> dict[tuple[str, str], Fraction]:
    """Return what the cheapest compliant offer costs every plan and task per period, solved from scratch."""
    snapshot, found = Snapshot(catalogue), {}
    for plan in catalogue.plans.values():
        for task in plan.tasks:
            ask = plan_ask(catalogue, plan, task, at)
            ranking = snapshot.rank(ask if policy is None else replace(ask, policy=policy))
            if ranking:
                found[plan.id, task.id] = ranking[0].cost_usd * task.workload.requests_per_period
    return found


def entered(catalogue: Catalogue, entry: Entry) -> Catalogue:
    """Return the catalogue in which the best that can be said of a subject was entered about it."""
    kind, subject = entry.subject
    row = make.terms(subject, kind, id="best", zdr=True, retains_prompts=False, confidence=Confidence.CONTRACT)
    rows = catalogue.terms.get(entry.subject, ())
    return replace(catalogue, terms={**catalogue.terms, entry.subject: (*rows, row)})


def ended(catalogue: Catalogue, entry: Entry) -> Catalogue:
    """Return the catalogue without what is about to end of a subject."""
    rows = tuple(row for row in catalogue.terms[entry.subject] if row.expires_at != entry.expires_at)
    return replace(catalogue, terms={**catalogue.terms, entry.subject: rows})


@pytest.mark.parametrize("policy", [None, "zero-retention"])
def test_a_saving_is_what_entering_the_evidence_saves(catalogue: Catalogue, policy: str | None) -> None:
    """Every plan is solved again from scratch with the evidence entered, under the same policy."""
    named = None if policy is None else catalogue.policies[policy]
    found, today = asked(catalogue, policy), costs(catalogue, named)
    saving = [entry for entry in found.entries if entry.usd]
    assert len(saving) > 3
    for entry in (saving[0], saving[2], found.entries[-1]):
        then = costs(entered(catalogue, entry), named)
        assert sum(today[key] - then[key] for key in today) == entry.usd
        named_plans = {(effect.question.plan, effect.question.task) for effect in entry.effects}
        assert named_plans == {key for key in then if then[key] != today.get(key)}


def test_the_dearest_comes_first(catalogue: Catalogue) -> None:
    """Ties go by offers."""
    keys = [(-entry.usd, -entry.unpriced, -entry.offers) for entry in asked(catalogue).entries]
    assert keys == sorted(keys)


def test_a_loss_is_what_the_end_of_the_evidence_costs(catalogue: Catalogue) -> None:
    """Two weeks before the first evidence ends, every plan is solved again without it."""
    ends = min(row.expires_at for rows in catalogue.terms.values() for row in rows if row.expires_at is not None)
    at = ends - timedelta(days=14)
    entries = [entry for entry in asked(catalogue, at=at).entries if entry.kind == EXPIRING]
    dear = [entry for entry in entries if entry.usd]
    assert dear
    today = costs(catalogue, at=at)
    for entry in (dear[0], entries[-1]):
        then = costs(ended(catalogue, entry), at=at)
        assert sum(then[key] - today[key] for key in then) == entry.usd


def test_without_plans_every_model_is_asked_for(catalogue: Catalogue) -> None:
    """One request of the reference workload, under the default policy."""
    bare = replace(catalogue, plans={})
    found = asked(bare)
    assert (found.usage, found.policies) == (REFERENCE, [DEFAULT])
    entry = found.entries[0]
    ask = make.ask(REFERENCE, policy=bare.policies[DEFAULT], at=NOW, decided_at=NOW)
    today, then = (
        {ranked.offer.model: ranked.cost_usd for ranked in reversed(Snapshot(one).rank(ask))}
        for one in (bare, entered(bare, entry))
    )
    assert sum(today[model] - then[model] for model in today if model is not None) == entry.usd > 0


def test_a_plan_that_cannot_be_asked_is_said(catalogue: Catalogue) -> None:
    """Its policy is gone; the others are asked all the same."""
    lost = replace(catalogue.plans["pro"], policies=("gone",))
    found = asked(replace(catalogue, plans={**catalogue.plans, "pro": lost}))
    assert set(found.unasked.values()) == {"unknown_policy"}
    assert {plan for plan, _task in found.unasked} == {"pro"}
    assert found.entries


def test_a_policy_that_nobody_knows_is_refused(catalogue: Catalogue) -> None:
    """With plans and without."""
    for one in (catalogue, replace(catalogue, plans={})):
        with pytest.raises(UnknownPolicy):
            asked(one, "gone")
