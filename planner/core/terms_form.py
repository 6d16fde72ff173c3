"""The written form of a row of evidence, and how two readings of one subject compare."""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from planner.core.errors import InvalidInput, readable
from planner.core.terms import (
    BROKER_SCOPE,
    BY_HEADER,
    CERTIFICATIONS,
    EVERYBODY,
    OWN_KEY,
    PURPOSES,
    ZDR_BASES,
    Confidence,
    Terms,
)

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


# --- what a person enters -----------------------------------------------------------------------------------

ENTERED = "entered"
LASTS_AT_MOST = timedelta(days=3 * 366)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_URL = re.compile(r"https://[^\s<>\"]{4,400}", re.ASCII)
_DAYS_MAX = 36_500
_ENTRY = frozenset({*FACTS, *URLS, "note", "source_url", "verified_at", "expires_at", "confidence"})
_VOCABULARY = {"retention_purpose": PURPOSES, "zdr_basis": ZDR_BASES}
_SERVING = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)


def read_entry(kind: str, subject: str, said: Mapping[str, Any], *, at: datetime, by: str) -> Terms:
    """Read evidence as a person enters it: facts by name, where, when and by whom they were read, and until when.

    Moments are datetimes, sets are lists; ``confidence`` is a word. The id is a digest of all of it.

    Raises:
        InvalidInput: a fact nobody knows, a value that does not fit, a contradiction, or evidence without its source,
            its day or its end.
    """
    unknown = sorted(set(said) - _ENTRY)
    if unknown:
        raise InvalidInput("terms", f"no fact is called {unknown[0][:40]!a}")
    facts = {name: _fact(name, value) for name, value in said.items() if value is not None}
    if not facts.keys() & set(FACTS):
        raise InvalidInput("terms", "at least one fact is needed")
    for name in ("source_url", "verified_at", "expires_at", "confidence"):
        if name not in facts:
            raise InvalidInput(name, "evidence needs its source, its day, its end and how good it is")
    if facts["verified_at"] > at:
        raise InvalidInput("verified_at", "it lies ahead")
    if not at < facts["expires_at"] <= at + LASTS_AT_MOST:
        raise InvalidInput("expires_at", "a moment within the next three years is needed: terms move")
    digest = hashlib.sha256(repr(sorted((name, str(value)) for name, value in facts.items())).encode())
    stamp = hashlib.sha256(f"{digest.hexdigest()} {by} {at.isoformat()}".encode()).hexdigest()[:12]
    row = Terms(
        id=f"{ENTERED}:{kind}:{subject}:{stamp}", subject_kind=kind, subject=subject, source=ENTERED,
        observed_at=facts["verified_at"], verified_by=by, curated=True, **facts,
    )  # fmt: skip
    if row.contradictory or (row.retention_days is None and facts.get("retention_days") is not None):
        raise InvalidInput("retention_days", "it contradicts retains_prompts: 0 days only where nothing is kept")
    return row


def says_something(row: Terms) -> bool:
    """Tell whether a row states any fact; some only name the pages of a subject nobody has read yet."""
    return any(getattr(row, fact) is not None for fact in FACTS)


def same_words(one: Terms, other: Terms) -> bool:
    """Tell whether two rows say the same of the same subject, on the same page, until the same day."""
    names = (*FACTS, *URLS, "subject_kind", "subject", "source_url", "expires_at", "confidence", "note")
    return all(getattr(one, name) == getattr(other, name) for name in names)


def _fact(name: str, value: object) -> Any:  # noqa: ANN401, C901  # one branch per kind of field
    if name in FLAGS:
        if not isinstance(value, bool):
            raise InvalidInput(name, "yes or no is needed; what nobody knows is left out")
        return value
    if name == "retention_days":
        if type(value) is not int or not 0 <= value <= _DAYS_MAX:
            raise InvalidInput(name, f"a number of days from 0 to {_DAYS_MAX} is needed")
        return value
    if name in SETS:
        words = (
            sorted(value) if isinstance(value, list | frozenset) and all(isinstance(w, str) for w in value) else None
        )
        if words is None or len(set(words)) < len(words) or (name == "datacenter_countries" and not words):
            raise InvalidInput(name, "a list of texts is needed, each once; what nobody knows is left out")
        for word in words:
            if name == "certifications" and word not in CERTIFICATIONS:
                raise InvalidInput(name, f"{word[:40]!a} is none of {', '.join(CERTIFICATIONS)}")
            if name == "datacenter_countries" and not _COUNTRY.fullmatch(word):
                raise InvalidInput(name, f"{word[:20]!a} is no ISO 3166 two-letter code, such as US")
        return frozenset(words)
    if name in ("verified_at", "expires_at"):
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise InvalidInput(name, "a moment is needed")
        return value
    if not isinstance(value, str) or not readable(value) or len(value) > 1_000:  # noqa: PLR2004  # a short text
        raise InvalidInput(name, "a text of printable characters is needed")
    return _text(name, value)


def _text(name: str, value: str) -> object:
    if name == "confidence":
        known = {level.name.lower(): level for level in Confidence}
        if value not in known:
            raise InvalidInput(name, f"one of {', '.join(known)} is needed")
        return known[value]
    fits = {
        "headquarters": _COUNTRY.fullmatch(value) is not None,
        "serving_region": _SERVING.fullmatch(value) is not None,
        "zdr_scope": value in (EVERYBODY, OWN_KEY, BY_HEADER) or value.startswith(BROKER_SCOPE),
        **{url: _URL.fullmatch(value) is not None for url in (*URLS, "source_url")},
        **{word: value in words for word, words in _VOCABULARY.items()},
    }
    if not fits.get(name, True):
        said = {**dict.fromkeys((*URLS, "source_url"), "an https address"), "headquarters": "a country such as US"}
        words = ", ".join(_VOCABULARY.get(name, ()))
        raise InvalidInput(name, f"{said.get(name) or words or 'a known word'} is needed")
    return value
