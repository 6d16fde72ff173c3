"""Stored plans are asked again whenever prices move: what moves for one is an alert of the same transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from planner.core.claim import Claim, Reading, Segment
from planner.core.price import Rate, RateTable
from planner.flows import deliver, plans
from planner.store import alerts, plan_states
from planner.store import plans as stored
from planner.store.engine import Store
from planner.store.load import load_catalogue
from planner.store.plan_states import PlanState
from planner.store.publish import publish
from tests.conftest import NOW

HOUR = timedelta(hours=1)
PLAN = ("pro", "chat")


@pytest.fixture
def asked(installed_copy: Store) -> Store:
    """The installed catalogue, in which every demo plan was told something."""
    with installed_copy.write() as connection:
        plans.review(connection, NOW)
    return installed_copy


def remind(store: Store, at: datetime) -> int:
    """Look at a moment for what nobody causes."""
    return store.tell(lambda connection: deliver.remind(connection, at))


def state(store: Store) -> PlanState:
    """Return what plan pro was told last for chat."""
    with store.read() as connection:
        return plan_states.load(connection)[PLAN]


def say(store: Store, offers: Sequence[str], factor: Fraction) -> None:
    """Let people enter another price for offers: so many times what they cost."""
    with store.read() as connection:
        catalogue = load_catalogue(connection)
    claims = []
    for id_ in offers:
        card = catalogue.card(id_, NOW)
        assert card is not None
        tables = {
            unit: Rate(card.rates[unit].base.usd * factor.numerator, card.rates[unit].base.per * factor.denominator)
            for unit in card.rates
        }
        facts = catalogue.offers_by_id[id_].facts
        claims.append(Claim(offer_id=id_, facts=facts, segments=(Segment(None, None, RateTable.flat(tables)),)))
    reading = Reading(
        source="own", source_url="https://x", observed_at=NOW + HOUR, rows_read=len(claims), claims=tuple(claims),
        whole=False,
    )  # fmt: skip
    with store.write() as connection:
        publish(connection, [reading], at=NOW + HOUR, actor="test", reason="test")
        plans.review(connection, NOW + HOUR)


def told(store: Store) -> list[dict[str, Any]]:
    """Return the alerts about the plan, oldest first."""
    with store.read() as connection:
        return alerts.listed(connection, subject="/".join(PLAN))[::-1]


def test_a_plan_that_cannot_be_answered_from_the_beginning_is_told(installed_copy: Store) -> None:
    """There is no answer to fall from; that there is none is news all the same, once."""
    with installed_copy.read() as connection:
        assert alerts.listed(connection) == []
        assert plan_states.load(connection)[PLAN].verdict == plans.ANSWERED
    with installed_copy.write() as connection:
        poor = {**(stored.document(connection, "pro") or {}), "id": "poor", "price_usd": "0.10"}
        stored.write(connection, "poor", poor, at=NOW, by="test")
        assert plans.review(connection, NOW) > 0
        assert plans.review(connection, NOW) == 0
        assert {row["kind"] for row in alerts.listed(connection)} == {"plan_under_margin"}


def test_a_plan_hears_that_its_offer_got_dearer_than_another(asked: Store) -> None:
    """The offer it was told to use costs twice as much: it is told another one, and somebody hears of both costs."""
    before = state(asked)
    assert before.offer is not None
    say(asked, [before.offer], Fraction(2))
    after = state(asked)
    assert after.offer not in (None, before.offer)
    (alert,) = told(asked)
    assert (alert["kind"], alert["facts"]["before"], alert["facts"]["after"]) == (
        "plan_moved", before.offer, after.offer,
    )  # fmt: skip


def test_a_plan_hears_of_a_cheaper_offer_that_may_be_used(asked: Store) -> None:
    """Another compliant offer falls below: one alert that names it and what a request costs with it."""
    first = state(asked).offer or ""
    say(asked, [first], Fraction(9, 5))
    assert state(asked).offer != first
    say(asked, [first], Fraction(95, 100))
    assert state(asked).offer == first
    moved, cheaper = told(asked)
    assert (moved["kind"], cheaper["kind"], cheaper["facts"]["after"]) == ("plan_moved", "cheaper_offer", first)


def test_a_plan_falls_under_its_margin(asked: Store) -> None:
    """Its target is what the cheapest offers just keep; one after the other gets dearer, until none keeps it."""
    before = state(asked)
    with asked.write() as connection:
        document = {**(stored.document(connection, "pro") or {}), "margin": before.margin}
        stored.write(connection, "pro", document, at=NOW, by="test")
    for _ in range(20):
        offer = state(asked).offer
        if offer is not None:
            say(asked, [offer], Fraction(2))
    assert state(asked).verdict == "margin_unreachable"
    assert [alert["kind"] for alert in told(asked)][-1] == "plan_under_margin"


def test_a_plan_moves_by_itself_when_evidence_expires(asked: Store) -> None:
    """Nothing is published, and yet nobody may be used any more: the hourly look finds it out."""
    with asked.read() as connection:
        edges = [row.expires_at for rows in load_catalogue(connection).terms.values() for row in rows if row.expires_at]
    assert remind(asked, NOW) == 0 or told(asked) == []
    remind(asked, max(edges) + HOUR)
    assert [alert["kind"] for alert in told(asked)] == ["plan_without_offer"]
