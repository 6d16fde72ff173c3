"""An event as JSON: nothing is lost, what says nothing is left out, and the same moment is the same text."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from planner.core.event import Event, Outcome, StatedBy
from planner.core.event_form import read_event, write_event
from tests.make import NOON

FULL = Event(
    source="s", id="1", at=NOON, counts={"input_tokens": 5, "requests": 2}, includes_cached=None, total_tokens=9,
    until=NOON + timedelta(hours=1), request_id="r", offer="direct:acme/small", channel="openrouter", provider="acme",
    model="small", service_tier="batch", region="eu", prompt_min=0, prompt_max=200_000, plan="pro", customer="c",
    task="t", project="p", key="k", tags={"a": "b"}, outcome=Outcome.FAILED, stated_usd=Decimal("1.50"),
    stated_by=StatedBy.GATEWAY, cache_stated=False, rateable=False, updated_at=NOON + timedelta(days=1),
)  # fmt: skip


def again(row: Event) -> Event:
    """Write a row as text, and read it."""
    return read_event(json.loads(json.dumps(write_event(row))))


def test_everything_that_can_be_said_is_read_again() -> None:
    """Each field of an event, none at its default."""
    plain = Event(source="s", id="1", at=NOON, counts={})
    assert again(FULL) == FULL
    assert [field.name for field in fields(Event) if getattr(FULL, field.name) == getattr(plain, field.name)] == [
        "source", "id", "at",
    ]  # fmt: skip


def test_what_says_nothing_is_left_out() -> None:
    """A row that says little is written short, and a field that comes later changes no text of an earlier one."""
    row = Event(source="s", id="1", at=NOON, counts={"input_tokens": 5, "output_tokens": 0})
    assert write_event(row) == {
        "source": "s", "id": "1", "at": "2026-11-24T12:00:00+00:00", "counts": {"input_tokens": 5},
    }  # fmt: skip
    assert again(row) == replace(row, counts={"input_tokens": 5})


def test_no_request_at_all_is_something_else_than_one() -> None:
    """The one count whose default is not zero."""
    row = Event(source="s", id="1", at=NOON, counts={"requests": 0})
    assert again(row).counts == {"requests": 0}


def test_the_same_moment_is_the_same_text() -> None:
    """Whatever offset it was said with."""
    there = NOON.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert write_event(replace(FULL, at=there, until=None)) == write_event(replace(FULL, until=None))


def test_the_same_amount_is_the_same_text() -> None:
    """Whatever zeros or exponent it was said with; a stated zero is no silence."""
    written = {write_event(replace(FULL, stated_usd=Decimal(text)))["stated_usd"] for text in ("1.5", "1.50", "15E-1")}
    assert written == {"1.5"}
    assert write_event(replace(FULL, stated_usd=Decimal("0.00")))["stated_usd"] == "0"


TEXTS = st.none() | st.text(max_size=8)
MOMENTS = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001  # hypothesis adds the zone
    datetime(2100, 1, 1),  # noqa: DTZ001  # the same
    timezones=st.just(UTC),
)
FACTS: dict[str, st.SearchStrategy[Any]] = {
    "source": st.text(min_size=1, max_size=8),
    "id": st.text(min_size=1, max_size=8),
    "at": MOMENTS,
    "counts": st.dictionaries(st.sampled_from(["input_tokens", "requests", "pages"]), st.integers(1, 10**6)),
    "includes_cached": st.none() | st.booleans(),
    **dict.fromkeys(("request_id", "offer", "provider", "model", "region", "plan", "customer", "task", "key"), TEXTS),
    "tags": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3),
    "outcome": st.sampled_from(Outcome),
    "stated_usd": st.none() | st.decimals(0, 10**6, allow_nan=False),
    "stated_by": st.sampled_from(StatedBy),
    "cache_stated": st.booleans(),
    "rateable": st.booleans(),
    "updated_at": st.none() | MOMENTS,
}


@given(st.fixed_dictionaries(FACTS))
def test_any_row_is_read_again(facts: dict[str, Any]) -> None:
    """And written again in the same bytes."""
    row = Event(**facts)
    assert again(row) == row
    assert write_event(again(row)) == write_event(row)
