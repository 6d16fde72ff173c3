"""Evidence as a person enters it: what it needs, what cannot be, and what a second reading takes away."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from planner.core.errors import InvalidInput
from planner.core.terms import Confidence
from planner.core.terms_form import no_wider, read_entry, read_facts, same_words, says_something, write_facts
from tests import make
from tests.make import NOON

GOOD: dict[str, Any] = {
    "trains_on_prompts": False, "retains_prompts": False, "zdr": True, "zdr_scope": "all_credentials",
    "source_url": "https://acme.example/privacy", "verified_at": NOON - timedelta(days=1),
    "expires_at": NOON + timedelta(days=300), "confidence": "contract",
}  # fmt: skip


def entry(**change: Any) -> Any:
    """Read evidence about a provider, with something changed; None leaves it out."""
    return read_entry("provider", "acme", {**GOOD, **change}, at=NOON, by="ada")


def test_what_is_entered_is_a_curated_row() -> None:
    """With who read it, when, and until when it counts."""
    row = entry(retention_days=0, certifications=["soc2_t2"], datacenter_countries=["DE", "FR"], note="read")
    assert (row.subject_kind, row.subject, row.curated, row.verified_by) == ("provider", "acme", True, "ada")
    assert (row.confidence, row.zdr, row.retention_days) == (Confidence.CONTRACT, True, 0)
    assert row.datacenter_countries == {"DE", "FR"}
    assert same_words(row, entry(retention_days=0, certifications=["soc2_t2"], datacenter_countries=["FR", "DE"],
                                 note="read"))  # fmt: skip
    assert not same_words(row, entry())


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"retains_prompts": True, "retention_days": 0}, "retention_days"), ({"retention_days": -1}, "retention_days"),
        ({"retention_days": True}, "retention_days"), ({"retention_days": 36_501}, "retention_days"),
        ({"retains_prompts": False, "retention_days": 30}, "retention_days"),
        ({"zdr": 1}, "zdr"), ({"zdr": "yes"}, "zdr"),
        ({"headquarters": "USA"}, "headquarters"), ({"zdr_scope": "everybody"}, "zdr_scope"),
        ({"certifications": ["iso"]}, "certifications"), ({"certifications": ["c5", "c5"]}, "certifications"),
        ({"certifications": "c5"}, "certifications"), ({"certifications": [1]}, "certifications"),
        ({"datacenter_countries": []}, "datacenter_countries"),
        ({"datacenter_countries": ["x"]}, "datacenter_countries"),
        ({"source_url": "http://acme.example"}, "source_url"), ({"source_url": None}, "source_url"),
        ({"serving_region": "EU"}, "serving_region"), ({"zdr_basis": "hearsay"}, "zdr_basis"),
        ({"note": "x" * 1_001}, "note"), ({"note": "a\x00b"}, "note"), ({"note": 1}, "note"),
        ({"verified_at": NOON + timedelta(seconds=1)}, "verified_at"), ({"verified_at": "2026"}, "verified_at"),
        ({"verified_at": datetime(2026, 1, 1)}, "verified_at"),  # noqa: DTZ001  # a moment without its place
        ({"expires_at": NOON}, "expires_at"), ({"expires_at": NOON + timedelta(days=1_099)}, "expires_at"),
        ({"confidence": "sure"}, "confidence"), ({"secret": 1}, "terms"),
        ({"trains_on_prompts": None, "retains_prompts": None, "zdr": None, "zdr_scope": None}, "terms"),
    ],
)  # fmt: skip
def test_evidence_that_cannot_be_is_refused_by_its_field(change: dict[str, Any], field: str) -> None:
    """A contradiction, a word nobody knows, evidence without its source, its day or its end."""
    with pytest.raises(InvalidInput) as refused:
        entry(**change)
    assert refused.value.field == field


def test_a_row_that_only_names_pages_says_nothing() -> None:
    """An address is where somebody may read, not what is written there."""
    silent = make.terms("acme", trains_on_prompts=None, policy_url="https://acme.example")
    assert not says_something(silent)
    assert says_something(make.terms("acme"))


def test_facts_come_back_as_they_were_written() -> None:
    """Also the contradiction somebody found in them, and the day they were read."""
    row = make.terms(
        "acme", retains_prompts=False, certifications=frozenset({"c5"}), note="n", contradictory=True,
        verified_at=datetime(2026, 11, 1, tzinfo=UTC), policy_url="https://acme.example",
    )  # fmt: skip
    written = write_facts(row)
    assert written["contradictory"] is True
    again = make.terms("acme", **{"trains_on_prompts": None, **read_facts(written)})
    assert again == row


@pytest.mark.parametrize(
    ("old", "new", "holds"),
    [
        ({"retains_prompts": True}, {"retains_prompts": True}, True),
        ({"retains_prompts": True}, {"retains_prompts": False}, False),
        ({"retains_prompts": True}, {}, False),
        ({"zdr": False}, {"zdr": None}, False),
        ({"retains_prompts": True}, {"retains_prompts": True, "retention_days": 30}, False),
        ({"retains_prompts": True, "retention_days": 30}, {"retains_prompts": True, "retention_days": 31}, True),
        ({"retains_prompts": True, "retention_days": 30}, {"retains_prompts": True, "retention_days": 29}, False),
        ({"headquarters": "US"}, {"headquarters": "US"}, True),
        ({"headquarters": "US"}, {"headquarters": "DE"}, False),
        ({"headquarters": "US"}, {}, False),
        ({}, {"headquarters": "US", "zdr": False}, True),
    ],
)  # fmt: skip
def test_a_second_reading_that_takes_less_away_is_wider(old: dict[str, Any], new: dict[str, Any], holds: bool) -> None:
    """Every strict word and every stated place of the older one must still be there, and no fewer days."""
    assert no_wider(make.terms("acme", **new), make.terms("acme", **old)) is holds
