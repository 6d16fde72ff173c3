"""What a provider, a channel or one offer does with prompts: tri-state facts with evidence and an expiry."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class Confidence(IntEnum):
    """How good the evidence is; a policy may demand a minimum."""

    DERIVED = 1
    BROKER_CLAIM = 2
    VERIFIED = 3
    CONTRACT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """One row of evidence. Every boolean is tri-state: None means nobody has told us.

    ``subject_kind`` is ``provider``, ``channel`` or ``offer``. ``retention_days`` is None while unknown and
    0 only where nothing is retained. ``zdr`` is zero data retention; ``zdr_scope`` says for whose
    credentials it and the retention facts hold: ``broker:<channel>`` says nothing about one's own key, or
    about another broker. Expired evidence is unknown. ``curated`` rows may grant; rows from a feed may only narrow.
    """

    id: str
    subject_kind: str
    subject: str
    trains_on_prompts: bool | None = None
    broker_may_train: bool | None = None
    retains_prompts: bool | None = None
    retention_days: int | None = None
    zdr: bool | None = None
    zdr_basis: str | None = None
    zdr_scope: str | None = None
    may_publish: bool | None = None
    requires_user_ids: bool | None = None
    sends_client_ip: bool | None = None
    headquarters: str | None = None
    policy_url: str | None = None
    source: str
    source_url: str
    observed_at: datetime
    verified_by: str | None = None
    verified_at: datetime | None = None
    expires_at: datetime | None = None
    confidence: Confidence = Confidence.DERIVED
    curated: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveTerms:
    """What is known of one offer at one time, after expiry, inheritance and the stricter-wins rule.

    ``evidence`` are the ids of the rows that were used, ``conflicts`` the facts on which rows disagreed.
    ``confidence`` is the lowest of the rows used, None without any.
    """

    trains_on_prompts: bool | None = None
    broker_may_train: bool | None = None
    retains_prompts: bool | None = None
    retention_days: int | None = None
    zdr: bool | None = None
    may_publish: bool | None = None
    headquarters: str | None = None
    confidence: Confidence | None = None
    evidence: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()


UNKNOWN = EffectiveTerms()

# For each fact, the value that protects less. Where rows disagree it is assumed.
_STRICT: dict[str, bool] = {
    "trains_on_prompts": True,
    "broker_may_train": True,
    "retains_prompts": True,
    "zdr": False,
    "may_publish": True,
}


_AGREED = ("zdr", "retains_prompts")


def effective(rows: Iterable[Terms], at: datetime, *, channel: str) -> EffectiveTerms:
    """Combine the rows about one offer: its own, its provider's and its channel's.

    Args:
        rows: every row about the three subjects; order does not matter.
        at: the moment of the decision: rows expired by then say nothing.
        channel: how the offer is reached; a broker's agreement holds through that broker only.

    Returns:
        The combined facts. Only curated rows grant a protective fact; a feed's row can only take one
        away. Where rows disagree the stricter is assumed and the fact is listed in ``conflicts``.
    """
    live = sorted((row for row in rows if row.expires_at is None or at < row.expires_at), key=lambda row: row.id)
    if not live:
        return UNKNOWN
    found: dict[str, bool | None] = {}
    conflicts: list[str] = []
    for fact, strict in _STRICT.items():
        said = {value for row in live if (value := _said(row, fact, strict=strict, channel=channel)) is not None}
        found[fact] = None if not said else strict if strict in said else not strict
        if len(said) > 1:
            conflicts.append(fact)
    retains = found["retains_prompts"]
    days = [row.retention_days for row in live if row.retention_days is not None and row.retains_prompts]
    silent = any(row.retains_prompts and row.retention_days is None for row in live)
    countries = sorted({row.headquarters for row in live if row.headquarters and row.subject_kind != "channel"})
    if len(countries) > 1:
        conflicts.append("headquarters")
    return EffectiveTerms(
        trains_on_prompts=found["trains_on_prompts"],
        broker_may_train=found["broker_may_train"],
        retains_prompts=found["retains_prompts"],
        zdr=found["zdr"],
        may_publish=found["may_publish"],
        # One row that retains without saying for how long leaves the longest time unknown.
        retention_days=0 if retains is False else None if silent or not days else max(days),
        headquarters=countries[0] if len(countries) == 1 else None,
        confidence=min(row.confidence for row in live if row.curated) if any(row.curated for row in live) else None,
        evidence=tuple(row.id for row in live),
        conflicts=tuple(conflicts),
    )


def _said(row: Terms, fact: str, *, strict: bool, channel: str) -> bool | None:
    value: bool | None = getattr(row, fact)
    if value is None:
        return None
    bound = row.zdr_scope is not None and row.zdr_scope.startswith("broker:")
    # What is not kept under the broker's agreement may well be kept under one's own key.
    if bound and fact in _AGREED and value is not strict and row.zdr_scope != f"broker:{channel}":
        return None
    if value is not strict and not row.curated:
        return None
    return value
