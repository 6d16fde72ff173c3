"""The written form of a row of evidence, and how two readings of one subject compare."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from planner.core.terms import Terms

FLAGS = (
    "trains_on_prompts", "broker_may_train", "retains_prompts", "zdr", "may_publish", "requires_user_ids",
    "sends_client_ip", "moderated", "human_review_possible", "us_jurisdiction_exposure", "tee_attested", "e2ee",
)  # fmt: skip
"""The tri-state facts."""
WORDS = ("retention_purpose", "zdr_basis", "zdr_scope", "headquarters", "serving_region")
URLS = ("policy_url", "terms_url", "dpa_url", "trust_url")
SETS = ("datacenter_countries", "certifications")
FACTS = (*FLAGS, "retention_days", *WORDS, *SETS)
"""Every fact about a subject; the other fields of a row are its evidence."""

# For each rule-bearing flag, the value that protects less.
STRICT = {
    "trains_on_prompts": True, "broker_may_train": True, "retains_prompts": True, "zdr": False, "may_publish": True,
}  # fmt: skip
_STATED = ("headquarters", "datacenter_countries", "serving_region", "certifications")
_TEXTS = ("verified_by", "note")


def write_facts(row: Terms) -> dict[str, Any]:
    """Write what a row says beside its subject and source; what it does not say is left out."""
    said: dict[str, Any] = {
        name: value
        for name in (*FLAGS, "retention_days", *WORDS, *URLS, *_TEXTS)
        if (value := getattr(row, name)) not in (None, "")
    }
    said |= {name: sorted(value) for name in SETS if (value := getattr(row, name)) is not None}
    if row.contradictory:
        said["contradictory"] = True
    if row.verified_at is not None:
        said["verified_at"] = row.verified_at.isoformat()
    return said


def read_facts(said: Mapping[str, Any]) -> dict[str, Any]:
    """Read what `write_facts` wrote, as arguments of a row."""
    facts = dict(said)
    facts |= {name: frozenset(facts[name]) for name in SETS if name in facts}
    if "verified_at" in facts:
        facts["verified_at"] = datetime.fromisoformat(facts["verified_at"])
    return facts


def narrows(row: Terms) -> bool:
    """Tell whether a row takes something away, whoever says it."""
    flags = any(getattr(row, fact) is strict for fact, strict in STRICT.items())
    return flags or any(getattr(row, fact) is not None for fact in _STATED)


def no_wider(new: Terms, old: Terms) -> bool:
    """Tell whether a reading takes away everything an older one of the same subject took away."""
    if any(getattr(old, fact) is strict is not getattr(new, fact) for fact, strict in STRICT.items()):
        return False
    sooner = new.retention_days is not None and (old.retention_days is None or new.retention_days < old.retention_days)
    if old.retains_prompts and sooner:
        return False
    return all(getattr(old, fact) in (None, getattr(new, fact)) for fact in _STATED)
