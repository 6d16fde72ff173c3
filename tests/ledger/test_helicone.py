"""Helicone: every row is one request, of which nobody knows what was cached."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from planner.core.event import Event, Outcome, StatedBy
from planner.ledger import helicone
from planner.ledger.reading import open_file
from tests.data import shared
from tests.ledger.samples import GIVEN, HELICONE, csv_text, events, opened, refused

(REQUESTS,) = helicone.FORMATS


def read(folder: Path, **changes: Any) -> Event:
    """Read one row that differs from the sample in some columns."""
    (event,) = events(REQUESTS, opened(folder, csv_text({**HELICONE, **changes})))
    return event


def test_a_row_is_one_request_with_bounds_only(tmp_path: Path) -> None:
    """No column says what was cached, and the cost is an estimate; the body is not read."""
    assert read(tmp_path) == Event(
        source="stream",
        id="resp-9",
        at=datetime(2026, 9, 3, 8, 0, 0, 500_000, UTC),
        counts={"input_tokens": 700, "output_tokens": 80},
        includes_cached=None,
        model="gpt-4.1",
        plan="team",
        customer="cust-7",
        task="search",
        tags={"plan": "team", "feature": "search"},
        stated_usd=Decimal("0.00204"),
        stated_by=StatedBy.ESTIMATE,
        cache_stated=False,
    )
    assert REQUESTS.knows(opened(tmp_path, csv_text(HELICONE))) is not None


def test_its_json_says_the_same(tmp_path: Path) -> None:
    """The export tool writes lists and lines too."""
    row = {**HELICONE, "request_properties": {"plan": "team", "feature": "search"}, "prompt_tokens": 700}
    assert events(REQUESTS, opened(tmp_path, json.dumps([row]))) == [read(tmp_path)]


@pytest.mark.parametrize(("status", "outcome"), [("200", Outcome.OK), ("", Outcome.OK), ("302", Outcome.OK)])
def test_a_success_is_one(status: str, outcome: Outcome, tmp_path: Path) -> None:
    """Also where nothing is said."""
    assert read(tmp_path, response_status=status).outcome is outcome


@pytest.mark.parametrize("status", ["400", "429", "500", "-3", "0"])
def test_anything_else_is_a_failure(status: str, tmp_path: Path) -> None:
    """Errors of HTTP, and Helicone's own numbers for what was cancelled or blocked."""
    assert read(tmp_path, response_status=status).outcome is Outcome.FAILED


def test_a_cost_of_0_is_unknown_unless_nothing_was_used(tmp_path: Path) -> None:
    """A model Helicone has no price for costs 0 there."""
    assert read(tmp_path, cost="0").stated_usd is None
    assert read(tmp_path, cost="0", prompt_tokens="0", completion_tokens="0").stated_usd == 0
    assert read(tmp_path, cost="").stated_usd is None


def test_who_it_was_for_may_be_a_property(tmp_path: Path) -> None:
    """A property that names the customer says more than the user, and the user more than what was given."""
    given = replace(GIVEN, provider="openai", customer="nobody")
    body = csv_text(
        {**HELICONE, "request_properties": '{"customer": "acme"}'},
        {**HELICONE, "request_properties": ""},
        {**HELICONE, "request_properties": "", "request_user_id": ""},
    )
    found = events(REQUESTS, opened(tmp_path, body), given)
    assert [event.customer for event in found] == ["acme", "cust-7", "nobody"]
    assert {event.provider for event in found} == {"openai"}


def test_a_row_that_cannot_be_read_is_refused_by_its_field(tmp_path: Path) -> None:
    """And the others go on."""
    wrong: tuple[dict[str, str], ...] = (
        {"response_id": ""},
        {"request_created_at": ""},
        {"prompt_tokens": "many"},
        {"cost": "-1"},
        {},
    )
    body = csv_text(*({**HELICONE, **changes} for changes in wrong))
    found = refused(REQUESTS.read(opened(tmp_path, body), GIVEN))
    assert [reason.partition(":")[0] for _place, reason in found] == [
        *("response_id", "request_created_at", "prompt_tokens", "cost")
    ]


def test_the_recorded_sample() -> None:
    """One billed, one failed without tokens, and one of a model without a price."""
    found = events(REQUESTS, open_file(shared("usage", "helicone", "requests.csv")))
    assert [(event.outcome, event.stated_usd) for event in found] == [
        (Outcome.OK, Decimal("0.001238")),
        (Outcome.FAILED, Decimal(0)),
        (Outcome.OK, None),
    ]
    assert (found[0].plan, found[0].task, found[0].customer) == ("pro", "chat", "cust_42")
