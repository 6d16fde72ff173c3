"""Evidence that ends is told in time and once, with what rests on it, however long nobody looked."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from planner.core.terms import Terms
from planner.flows import deliver, expiry, plans, turn
from planner.store import alerts, plan_states, terms
from planner.store.engine import Store
from planner.store.load import load_catalogue
from tests import make
from tests.conftest import NOW

DAY = timedelta(days=1)
ENDS = NOW + 100 * DAY


def row(id: str = "acme:1", **facts: Any) -> Terms:
    """Make a curated row that ends after a hundred days."""
    return make.terms("acme", **{"id": id, "expires_at": ENDS, **facts})


def known(store: Store, *rows: Terms) -> None:
    """Put rows on record."""
    store.tell(lambda connection: terms.insert(connection, rows, NOW))


def look(store: Store, at: datetime) -> int:
    """Look at a moment for what nobody causes."""
    return store.tell(lambda connection: deliver.remind(connection, at))


def told(store: Store, *moments: datetime) -> Sequence[tuple[str, str]]:
    """Look at these moments, and return what was told of which row, oldest first."""
    for at in moments:
        look(store, at)
    with store.read() as connection:
        listed = alerts.listed(connection)[::-1]
    return [(alert["kind"], alert["facts"]["terms"]) for alert in listed if alert["kind"].startswith("terms_")]


def test_a_row_is_told_thirty_days_ahead_and_when_it_has_ended(store: Store) -> None:
    """Each once, at whatever moment in between somebody looks, also exactly on the day."""
    known(store, row())
    assert told(store, ENDS - 31 * DAY) == []
    assert told(store, ENDS - 30 * DAY) == [("terms_expiring", "acme:1")]
    assert told(store, ENDS - 29 * DAY) == [("terms_expiring", "acme:1")]
    both = [("terms_expiring", "acme:1"), ("terms_expired", "acme:1")]
    assert told(store, ENDS, ENDS + DAY, ENDS + 400 * DAY) == both


def test_what_ended_while_nobody_looked_is_told_once(store: Store) -> None:
    """After months it has expired; that it would is no news any more."""
    known(store, row())
    assert told(store, ENDS + 90 * DAY, ENDS + 91 * DAY) == [("terms_expired", "acme:1")]


def test_closed_rows_and_rows_of_feeds_are_not_told(store: Store) -> None:
    """Nobody decides by a closed row, and what a feed says was never granted."""
    known(store, row("closed"), row("feed", curated=False), row("for ever", expires_at=None))
    store.tell(lambda connection: terms.close(connection, ["closed"], NOW + DAY))
    assert told(store, ENDS - DAY, ENDS + DAY) == []


def test_the_row_that_takes_its_place_is_told_too(store: Store) -> None:
    """Another row has another day, and both of its alerts to come."""
    known(store, row())
    told(store, ENDS - DAY)
    store.tell(lambda connection: terms.close(connection, ["acme:1"], ENDS - DAY))
    known(store, row("acme:2", expires_at=ENDS + 100 * DAY))
    assert told(store, ENDS + 99 * DAY)[1:] == [("terms_expiring", "acme:2")]


def test_the_worker_that_has_the_turn_tells_it(store: Store) -> None:
    """The alert is written in the transaction that claims the hour, by one worker of many."""
    with store.read() as connection:
        now = store.clock(connection)
    known(store, row(expires_at=now + DAY))
    first, second = (turn.hourly(store, "remind", owner, deliver.remind) for owner in ("a", "b"))
    assert (first, second) == (True, False)
    with store.read() as connection:
        [alert] = alerts.listed(connection, kind="terms_expiring")
    assert (alert["subject"], alert["facts"]["expires_at"]) == ("provider acme", (now + DAY).isoformat())


@pytest.mark.parametrize("kind", ["provider", "channel", "offer"])
def test_an_alert_names_what_rests_on_the_row(installed_copy: Store, kind: str) -> None:
    """How many offers, and the plans that are told to use one of them, before they are told another one."""
    with installed_copy.write() as connection:
        plans.review(connection, NOW)
        standing = plan_states.told(connection)
        offers = load_catalogue(connection).offers
    chosen = standing[0]
    subject = getattr(chosen, kind)
    ends = make.terms(subject, kind, id="mine", expires_at=NOW + 5 * DAY)
    known(installed_copy, ends)
    told(installed_copy, NOW + 6 * DAY)
    with installed_copy.read() as connection:
        [alert] = alerts.listed(connection, kind="terms_expired", subject=f"{kind} {subject}")
    facts = alert["facts"]
    assert facts["plans"] == [f"{one.plan}/{one.task}" for one in standing if getattr(one, kind) == subject]
    seen = [{"offer": one.id, "provider": one.facts.provider, "channel": one.facts.channel}[kind] for one in offers]
    assert facts["offers"] == seen.count(subject)
    assert facts["says"] == ["trains_on_prompts"]


def test_a_provider_is_not_the_channel_of_its_name(installed_copy: Store) -> None:
    """No plan rests on a provider because it goes through a channel that is called the same."""
    with installed_copy.write() as connection:
        plans.review(connection, NOW)
    known(installed_copy, make.terms("direct", id="mine", expires_at=NOW))
    told(installed_copy, NOW)
    with installed_copy.read() as connection:
        [alert] = alerts.listed(connection, kind="terms_expired", subject="provider direct")
    assert (alert["facts"]["plans"], alert["facts"]["offers"]) == ([], 0)


def test_the_alerts_are_kinds_a_receiver_may_ask_for() -> None:
    """A webhook can be registered for them alone."""
    assert {expiry.EXPIRING, expiry.EXPIRED} <= set(alerts.KINDS)
