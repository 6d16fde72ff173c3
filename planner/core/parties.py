"""Who sees a prompt and what is known of each: the provider and, on the way to it, the broker, each judged alone.

How rows of evidence combine, for each fact by itself:

- Only a *granting* row gives a protective fact: a curated one, as strong as the policy demands. Any other live row, of
  a feed or too weak, can take one away and never give one.
- A granting row about the offer stands before the curated rows about its provider. Feeds are always heard.
- Rows that disagree: the stricter one counts, and the fact is listed among the conflicts.
- Expired rows say nothing, and a fact nobody states is unknown.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from planner.core.terms import DIRECT, Confidence, Terms

UPSTREAM, BROKER = "upstream", "broker"
OFFER = "offer"


@dataclass(frozen=True, slots=True)
class Stated:
    """The countries or regions that are stated of a party; ``known`` once a granting row states one."""

    known: bool
    values: frozenset[str]

    @property
    def single(self) -> str | None:
        """The one value everybody states, or None."""
        return next(iter(self.values)) if self.known and len(self.values) == 1 else None


NOTHING = Stated(known=False, values=frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyTerms:
    """What is known of one party at one time.

    ``trains_on_prompts`` of a broker is whether the broker may train. ``retention_days`` and ``certifications`` are
    known once a granting row states them; ``days_stated``, the most days anybody states, and ``papers_stated``, what
    nobody denies, refuse even where they are not: few days are a promise, many are a warning. ``confidence`` is that of
    the best live curated row. ``evidence`` are the ids of the live rows that were asked, ``conflicts`` the facts on
    which they disagree.
    """

    party: str
    trains_on_prompts: bool | None = None
    retains_prompts: bool | None = None
    retention_days: int | None = None
    days_stated: int | None = None
    zdr: bool | None = None
    may_publish: bool | None = None
    headquarters: Stated = NOTHING
    data_countries: Stated = NOTHING
    serving_regions: Stated = NOTHING
    certifications: frozenset[str] | None = None
    papers_stated: frozenset[str] | None = None
    confidence: Confidence | None = None
    evidence: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()


def parties(
    upstream: Iterable[Terms], broker: Iterable[Terms], at: datetime, *, channel: str, minimum: Confidence | None = None
) -> tuple[PartyTerms, ...]:
    """Return what is known of everybody who sees a prompt: the provider, and the broker unless the channel is direct.

    Args:
        upstream: every row about the offer and about its provider, in any order.
        broker: every row about the channel.
        at: the moment of the decision; rows expired by then say nothing.
        channel: how the offer is reached.
        minimum: the weakest evidence that may grant.
    """
    live = sorted((row for row in upstream if row.live(at)), key=lambda row: row.id)
    provider = _Judged(live, channel, minimum)
    found = (provider.facts(UPSTREAM, provider.flag("trains_on_prompts", strict=True)),)
    if channel == DIRECT:
        return found
    between = _Judged(sorted((row for row in broker if row.live(at)), key=lambda row: row.id), channel, minimum)
    # A broker that trains on what one provider's customers send is as strict a fact wherever it was read.
    warned = any(row.broker_may_train for row in live)
    said = [between.flag(fact, strict=True) for fact in ("trains_on_prompts", "broker_may_train")]
    trains = True if warned or True in said else next((value for value in said if value is not None), None)
    if warned and False in said:
        between.conflicts.append("broker_may_train")
    return (*found, between.facts(BROKER, trains))


Value = TypeVar("Value")


class _Judged:
    """The live rows about one party, asked fact by fact."""

    def __init__(self, rows: Sequence[Terms], channel: str, minimum: Confidence | None) -> None:
        self.rows, self.channel, self.minimum = rows, channel, minimum
        self.conflicts: list[str] = []

    def grants(self, row: Terms) -> bool:
        return row.curated and (self.minimum is None or row.confidence >= self.minimum)

    def asked(self, says: Callable[[Terms], Value | None]) -> Iterator[tuple[Terms, Value]]:
        """Yield the rows that are asked about a fact, each with what it says."""
        said = [(row, value) for row in self.rows if (value := says(row)) is not None]
        own = any(row.subject_kind == OFFER and self.grants(row) for row, _value in said)
        for row, value in said:
            if not own or row.subject_kind == OFFER or not row.curated:
                yield row, value

    def flag(self, fact: str, *, strict: bool, scoped: bool = False) -> bool | None:
        def says(row: Terms) -> bool | None:
            value: bool | None = getattr(row, fact)
            if value is None or value is strict:
                return value
            return value if self.grants(row) and (not scoped or row.covers(self.channel)) else None

        said = {value for _row, value in self.asked(says)}
        if len(said) > 1:
            self.conflicts.append(fact)
        return None if not said else strict if strict in said else not strict

    def stated(self, fact: str, values: Callable[[Terms], Iterable[str | None]]) -> Stated:
        said = list(self.asked(lambda row: frozenset(value for value in values(row) if value) or None))
        found = frozenset[str]().union(*(value for _row, value in said))
        if len({value for _row, value in said}) > 1:
            self.conflicts.append(fact)
        return Stated(any(self.grants(row) for row, _value in said), found)

    def certified(self) -> tuple[frozenset[str] | None, frozenset[str] | None]:
        """Return the papers that are known to be held, and those that nobody who speaks of papers denies."""
        said = list(self.asked(lambda row: row.certifications))
        if len({value for _row, value in said}) > 1:
            self.conflicts.append("certifications")
        if not said:
            return None, None
        stated = frozenset.intersection(*(value for _row, value in said))
        return stated if any(self.grants(row) for row, _value in said) else None, stated

    def days(self) -> tuple[int | None, int | None]:
        """Return for how many days prompts are known to be kept, and the most days that anybody states.

        Known only where a granting row states them and no row keeps prompts without saying for how long.
        """
        kept = [row for row, retains in self.asked(self._retains) if retains]
        days = [row.retention_days for row in kept if row.retention_days is not None]
        most = max(days, default=None)
        granted = any(self.grants(row) and row.retention_days is not None for row in kept)
        return most if granted and len(days) == len(kept) else None, most

    def _retains(self, row: Terms) -> bool | None:
        value = row.retains_prompts
        return value if value is not False or (self.grants(row) and row.covers(self.channel)) else None

    def facts(self, party: str, trains: bool | None) -> PartyTerms:  # noqa: FBT001  # the one fact parties differ in
        retains = self.flag("retains_prompts", strict=True, scoped=True)
        zdr = self.flag("zdr", strict=False, scoped=True)
        if zdr is None:
            zdr = True if (trains, retains) == (False, False) else False if trains or retains else None
        elif zdr and (trains or retains):
            zdr = False
            self.conflicts.append("zdr")
        if zdr:
            # What is not kept cannot be trained on either.
            trains, retains = False, False
        days, most = (0, 0) if retains is False else self.days()
        held, stated = self.certified()
        return PartyTerms(
            party=party,
            trains_on_prompts=trains,
            retains_prompts=retains,
            retention_days=days,
            days_stated=most,
            zdr=zdr,
            may_publish=self.flag("may_publish", strict=True),
            headquarters=self.stated("headquarters", lambda row: (row.headquarters,)),
            data_countries=self.stated("datacenter_countries", lambda row: row.datacenter_countries or ()),
            serving_regions=self.stated(
                "serving_region", lambda row: [row.serving_region] if row.serving_region else []
            ),
            certifications=held,
            papers_stated=stated,
            confidence=max((row.confidence for row in self.rows if row.curated), default=None),
            evidence=tuple(row.id for row in self.rows),
            conflicts=tuple(dict.fromkeys(self.conflicts)),
        )


def wider(  # noqa: C901  # one branch per fact
    before: Sequence[PartyTerms], after: Sequence[PartyTerms]
) -> tuple[str, ...]:
    """Return the facts, as ``party.fact``, that protect more after a change of evidence: a policy may let more through.

    Read off the facts alone: a fact that was bad and is unknown, or was unknown and is good, is wider; so are fewer
    countries, more certifications and stronger evidence.
    """
    old = {party.party: party for party in before}
    found = []
    for party in after:
        was = old.get(party.party, PartyTerms(party=party.party))
        for fact, strict in (
            ("trains_on_prompts", True),
            ("retains_prompts", True),
            ("zdr", False),
            ("may_publish", True),
        ):
            if _protection(getattr(party, fact), strict=strict) > _protection(getattr(was, fact), strict=strict):
                found.append(f"{party.party}.{fact}")
        if party.retention_days is not None and (
            was.retention_days is None or party.retention_days < was.retention_days
        ):
            found.append(f"{party.party}.retention_days")
        if was.days_stated is not None and (party.days_stated is None or party.days_stated < was.days_stated):
            found.append(f"{party.party}.days_stated")
        for fact in ("headquarters", "data_countries", "serving_regions"):
            now, then = getattr(party, fact), getattr(was, fact)
            if now.known > then.known or not now.values >= then.values:
                found.append(f"{party.party}.{fact}")
        if party.certifications is not None and not party.certifications <= (was.certifications or frozenset()):
            found.append(f"{party.party}.certifications")
        if was.papers_stated is not None and not (party.papers_stated or _ANY) <= was.papers_stated:
            found.append(f"{party.party}.papers_stated")
        if (party.confidence or 0) > (was.confidence or 0):
            found.append(f"{party.party}.confidence")
    return tuple(found)


def _protection(value: bool | None, *, strict: bool) -> int:  # noqa: FBT001  # a tri-state fact
    return 1 if value is None else 0 if value is strict else 2


# Where nobody speaks of papers, none is denied.
_ANY = frozenset({"*"})
