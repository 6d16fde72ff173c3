"""What a provider, a channel or one offer does with prompts: tri-state facts with evidence and an expiry."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

DIRECT = "direct"
EVERYBODY = "all_credentials"
OWN_KEY = "own_key"
# What the request itself must ask for. Nobody enforces the header yet, so such a row grants nothing.
BY_HEADER = "request_header"
BROKER_SCOPE = "broker:"

CERTIFICATIONS = (
    "soc2_t1", "soc2_t2", "iso27001", "iso27701", "iso42001", "hipaa_baa", "gdpr_dpa", "fedramp", "pci", "c5",
)  # fmt: skip
"""Words for what an auditor or a contract attests."""

PURPOSES = ("abuse_monitoring", "debugging", "batch", "product", "unknown")
"""Why prompts are kept."""

ZDR_BASES = ("broker_list", "provider_default", "contract", "derived", "none")
"""What a claim of zero data retention rests on."""

EEA = frozenset(
    {
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI",
        "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
    }
)  # fmt: skip


class Confidence(IntEnum):
    """How good the evidence is; a policy may demand a minimum."""

    DERIVED = 1
    BROKER_CLAIM = 2
    VERIFIED = 3
    CONTRACT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """One row of evidence. Every fact is tri-state: None means nobody has told us.

    ``subject_kind`` is ``provider``, ``channel`` or ``offer``. ``zdr`` is zero data retention; ``zdr_scope`` says for
    whose credentials it and the retention facts hold: ``all_credentials`` or None, ``broker:<channel>`` (through that
    broker alone), ``own_key`` (with one's own key), ``request_header`` (where the request asks for it).
    ``headquarters`` is the legal home of who operates the API, ``datacenter_countries`` where prompts are processed or
    kept, both in ISO 3166 two-letter codes; an empty set of countries says nothing and is stored as None.
    ``certifications`` is what is held; an empty set means none is. Expired evidence is unknown. ``curated`` rows may
    grant; rows from a feed may only narrow.

    A row that contradicts itself is read the stricter way, and ``contradictory`` says so: kept for 0 days is kept,
    nobody knows how long; not kept, and kept for 30 days, is kept for 30 days.
    """

    id: str
    subject_kind: str
    subject: str
    trains_on_prompts: bool | None = None
    broker_may_train: bool | None = None
    retains_prompts: bool | None = None
    retention_days: int | None = None
    retention_purpose: str | None = None
    zdr: bool | None = None
    zdr_basis: str | None = None
    zdr_scope: str | None = None
    may_publish: bool | None = None
    requires_user_ids: bool | None = None
    sends_client_ip: bool | None = None
    moderated: bool | None = None
    human_review_possible: bool | None = None
    headquarters: str | None = None
    datacenter_countries: frozenset[str] | None = None
    serving_region: str | None = None
    us_jurisdiction_exposure: bool | None = None
    certifications: frozenset[str] | None = None
    tee_attested: bool | None = None
    e2ee: bool | None = None
    policy_url: str | None = None
    terms_url: str | None = None
    dpa_url: str | None = None
    trust_url: str | None = None
    source: str
    source_url: str
    observed_at: datetime
    verified_by: str | None = None
    verified_at: datetime | None = None
    expires_at: datetime | None = None
    confidence: Confidence = Confidence.DERIVED
    curated: bool = False
    contradictory: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        """Read a contradiction the stricter way."""
        retains, days = self.retains_prompts, self.retention_days
        if retains is True and days == 0:
            self._set(retention_days=None, contradictory=True)
        elif retains is False and days is not None and days > 0:
            self._set(retains_prompts=True, contradictory=True)
        elif retains is None and days is not None:
            # Days of keeping say that it is kept; 0 days, without a word on keeping, say nothing.
            self._set(retains_prompts=True if days > 0 else None, retention_days=days or None)
        elif retains is False:
            self._set(retention_days=0)
        if not self.datacenter_countries:
            self._set(datacenter_countries=None)

    def _set(self, **facts: object) -> None:
        for name, value in facts.items():
            object.__setattr__(self, name, value)

    def live(self, at: datetime) -> bool:
        """Tell whether the evidence has not expired at a moment."""
        return self.expires_at is None or at < self.expires_at

    def covers(self, channel: str) -> bool:
        """Tell whether what the row says of retention holds for who reaches the provider through a channel."""
        scope = self.zdr_scope
        if scope == OWN_KEY:
            return channel == DIRECT
        return scope in (None, EVERYBODY, f"{BROKER_SCOPE}{channel}")

    @property
    def eu_resident(self) -> bool | None:
        """Whether prompts stay in the European Economic Area, as far as region and countries tell."""
        outside = self.datacenter_countries is not None and not self.datacenter_countries <= EEA
        if outside or self.serving_region not in (None, "eu"):
            return False
        return True if self.serving_region == "eu" and self.datacenter_countries is not None else None
