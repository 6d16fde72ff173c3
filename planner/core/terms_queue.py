"""Which evidence is worth reading next: what is missing of whom, and what it costs that it is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

from planner.core.catalogue import Catalogue
from planner.core.offer import Offer
from planner.core.parties import BROKER, PartyTerms, Stated, parties
from planner.core.policy import UNKNOWN_TERMS, WEAK_EVIDENCE, Policy, identity_codes, terms_codes
from planner.core.ranking import Ranked
from planner.core.terms import CERTIFICATIONS, Confidence, Terms
from planner.core.terms_form import FACTS

SOON = timedelta(days=30)
EXPIRED, UNSAID, CONFLICT, UNKNOWN = WHYS = ("expired", "unsaid", "conflict", "unknown")
"""Why a fact is missing: its evidence ended, its feed says it no more, its rows disagree, or nobody ever said it."""
EXPIRING = "expiring"

Subject = tuple[str, str]
"""(kind, id): a provider, a channel or an offer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of the catalogue: by a plan's task, or for one model.

    ``ranked`` are the offers that pass everything but the policy and the margin, cheapest first.
    """

    plan: str | None = None
    task: str | None = None
    model: str | None = None
    policy: Policy
    requests_per_period: int = 1
    ranked: Sequence[Ranked]


@dataclass(frozen=True, slots=True)
class Effect:
    """What evidence is worth to one question: the offer it would be told, and the difference per period in USD.

    ``usd`` is None where there is no compliant offer today, or, for evidence that ends, none would be left: then
    ``offer`` is None too.
    """

    question: Question
    offer: str | None
    usd: Fraction | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One subject whose evidence is missing or about to end.

    ``kind`` is one of `WHYS` or `EXPIRING`; ``facts`` maps each fact to why it is missing, or to `EXPIRING`.
    ``expires_at`` is when the first of it ended or will; ``offers`` counts the listed offers whose prompts the subject
    sees. ``effects`` tell what the evidence would save, or, of what is about to end, what losing it would cost.
    """

    subject: Subject
    kind: str
    facts: Mapping[str, str]
    expires_at: datetime | None
    offers: int
    effects: tuple[Effect, ...]

    @property
    def usd(self) -> Fraction:
        """The sum over all questions that have an offer before and after, in USD per period."""
        return sum((effect.usd for effect in self.effects if effect.usd is not None), Fraction())

    @property
    def unpriced(self) -> int:
        """How many questions would get their first offer, or lose their last."""
        return sum(effect.usd is None for effect in self.effects)


def queue(catalogue: Catalogue, questions: Sequence[Question], unsaid: frozenset[str], at: datetime) -> list[Entry]:
    """Return whose evidence is missing or about to end, the dearest first, ties by offers and id.

    A subject is looked at by itself: an offer counts as let in by it where the facts it lacks are all that refuses the
    offer. ``unsaid`` are the ids of the rows that their feeds do not say any more.
    """
    evidence = _Evidence(catalogue, unsaid, at)
    under = {policy: _Under(evidence, policy) for policy in dict.fromkeys(one.policy for one in questions)}
    saves: dict[Subject, list[Effect]] = {}
    costs: dict[Subject, list[Effect]] = {}
    for question in questions:
        for found, into in zip(_effects(question, under[question.policy]), (saves, costs), strict=True):
            for subject, effect in found.items():
                into.setdefault(subject, []).append(effect)
    entries = []
    for subject, facts in evidence.missing(under.values()).items():
        kind = next(why for why in WHYS if why in facts.values())
        entries.append(evidence.entry(subject, kind, facts, saves.get(subject, ())))
    for subject, rows in evidence.ending.items():
        entries.append(evidence.entry(subject, EXPIRING, dict.fromkeys(_said(rows), EXPIRING), costs.get(subject, ())))
    return sorted(entries, key=lambda entry: (-entry.usd, -entry.unpriced, -entry.offers, entry.subject, entry.kind))


def _effects(question: Question, under: "_Under") -> tuple[dict[Subject, Effect], dict[Subject, Effect]]:
    """Return what each subject's evidence would save, and what losing what is about to end would cost."""
    first: dict[Subject, Ranked] = {}
    today, at_risk = None, frozenset[Subject]()
    costs: dict[Subject, Effect] = {}
    for ranked in question.ranked:
        gaps = under.gaps(ranked.offer)
        if gaps:
            subjects = {gap.subject for gap in gaps}
            if today is None and len(subjects) == 1:
                first.setdefault(subjects.pop(), ranked)
        elif gaps is not None:
            lost = under.lost(ranked.offer)
            if today is None:
                today, at_risk = ranked, lost
            for subject in at_risk - lost:
                more = (ranked.cost_usd - today.cost_usd) * question.requests_per_period
                costs[subject] = Effect(question, ranked.offer.id, more)
            at_risk &= lost
            if not at_risk:
                break
    costs |= {subject: Effect(question, None, None) for subject in at_risk}
    saves = {
        subject: Effect(question, to.offer.id, None if today is None else _less(question, today, to))
        for subject, to in first.items()
        if today is None or to.cost_usd < today.cost_usd
    }
    return saves, costs


def _less(question: Question, today: Ranked, to: Ranked) -> Fraction:
    return (today.cost_usd - to.cost_usd) * question.requests_per_period


# --- what is missing --------------------------------------------------------------------------------------


class Gap(NamedTuple):
    """A fact of a subject that stands between a policy and an offer, though it may turn out well, and why."""

    subject: Subject
    fact: str
    why: str


class _Way(NamedTuple):
    """How prompts travel; ``own`` is the offer where it has rows of its own."""

    provider: str
    channel: str
    own: str

    def subjects(self) -> Iterator[Subject]:
        yield "provider", self.provider
        yield "channel", self.channel
        if self.own:
            yield "offer", self.own


_FINE = Stated(known=True, values=frozenset())
# For each fact a rule asks for, what passes every rule about it.
_GOOD: dict[str, dict[str, Any]] = {
    "trains_on_prompts": {"trains_on_prompts": False},
    "may_publish": {"may_publish": False},
    "zdr": {"zdr": True},
    "retention_days": {"retention_days": 0, "days_stated": 0},
    "headquarters": {"headquarters": _FINE},
    "datacenter_countries": {"data_countries": _FINE},
    "serving_region": {"serving_regions": _FINE},
    "certifications": {"certifications": frozenset(CERTIFICATIONS), "papers_stated": None},
    "confidence": {"confidence": Confidence.CONTRACT},
}
_KEEPING = ("zdr", "retains_prompts", "retention_days")
# What a row may say that decides a fact, besides the fact itself.
_ALSO: dict[str, tuple[str, ...]] = {
    "trains_on_prompts": ("broker_may_train", "zdr"),
    "zdr": ("retains_prompts", "trains_on_prompts"),
    "retention_days": _KEEPING,
    "confidence": FACTS,
}
_SOFT = frozenset({UNKNOWN_TERMS, WEAK_EVIDENCE})


def _said(rows: Iterable[Terms]) -> list[str]:
    listed = list(rows)
    return [fact for fact in FACTS if any(getattr(row, fact) is not None for row in listed)]


def _speaks(row: Terms, fact: str) -> bool:
    return any(getattr(row, name) is not None for name in (fact, *_ALSO.get(fact, ())) if name in FACTS)


class _Evidence:
    """The rows on record, judged as they are, as if none had expired, and without what no feed says any more."""

    def __init__(self, catalogue: Catalogue, unsaid: frozenset[str], at: datetime) -> None:
        self.catalogue, self.unsaid, self.at = catalogue, unsaid, at
        self.offers: dict[Subject, int] = {}
        self.ways: set[_Way] = set()
        for offer in catalogue.offers:
            way = self.way(offer)
            self.ways.add(way)
            for subject in way.subjects():
                self.offers[subject] = self.offers.get(subject, 0) + 1
        self.ending = {subject: rows for subject in self.offers if (rows := [*self._ending(subject)])}

    def way(self, offer: Offer) -> _Way:
        own = offer.id if ("offer", offer.id) in self.catalogue.terms else ""
        return _Way(offer.facts.provider, offer.facts.channel, own)

    def rows(self, subject: Subject) -> tuple[Terms, ...]:
        return self.catalogue.terms.get(subject, ())

    def _ending(self, subject: Subject) -> Iterator[Terms]:
        for row in self.rows(subject):
            if row.curated and row.expires_at is not None and self.at < row.expires_at <= self.at + SOON:
                yield row

    def gone(self, row: Terms) -> bool:
        return row.curated and not row.live(self.at)

    def judged(
        self, way: _Way, minimum: Confidence | None, *, revived: bool = False, without: frozenset[str] = frozenset()
    ) -> tuple[PartyTerms, ...]:
        """Return what is known of everybody on a way, with expired rows as if they held, or without some rows."""
        provider, broker, own = (
            [replace(row, expires_at=None) if revived and self.gone(row) else row
             for row in self.rows(subject) if row.id not in without]
            for subject in (("provider", way.provider), ("channel", way.channel), ("offer", way.own))
        )  # fmt: skip
        return parties([*own, *provider], broker, self.at, channel=way.channel, minimum=minimum)

    def subject(self, way: _Way, party: str, fact: str, why: str) -> Subject:
        """Return about whom evidence for a fact is to be read: the offer itself where its own row is the matter."""
        if party == BROKER:
            return "channel", way.channel
        own = any(_speaks(row, fact) and self._concerned(row, why) for row in self.rows(("offer", way.own)))
        return ("offer", way.own) if own else ("provider", way.provider)

    def _concerned(self, row: Terms, why: str) -> bool:
        return why == CONFLICT or (why == EXPIRED and self.gone(row)) or (why == UNSAID and row.id in self.unsaid)

    def missing(self, asked: Iterable["_Under"]) -> dict[Subject, dict[str, str]]:
        """Return, by subject, the facts that policies lack, and whatever expired, is unsaid or contradicts itself."""
        found: dict[Subject, dict[str, str]] = {}
        gaps = (gap for under in asked for offer in self.catalogue.offers for gap in under.gaps(offer) or ())
        for subject, fact, why in (*gaps, *self._conflicts(), *self._ended()):
            facts = found.setdefault(subject, {})
            facts[fact] = min(why, facts.get(fact, why), key=WHYS.index)
        return found

    def _conflicts(self) -> Iterator[Gap]:
        for way in self.ways:
            for party in self.judged(way, None):
                for fact in party.conflicts:
                    yield Gap(self.subject(way, party.party, fact, CONFLICT), fact, CONFLICT)

    def _ended(self) -> Iterator[Gap]:
        """Yield what only expired rows of a subject say, and what rows say that no feed says any more."""
        for subject in self.offers:
            rows = self.rows(subject)
            held = _said(row for row in rows if row.curated and row.live(self.at))
            expired = _said(row for row in rows if self.gone(row))
            yield from (Gap(subject, fact, EXPIRED) for fact in expired if fact not in held)
            yield from (Gap(subject, fact, UNSAID) for fact in _said(row for row in rows if row.id in self.unsaid))

    def entry(self, subject: Subject, kind: str, facts: Mapping[str, str], effects: Iterable[Effect]) -> Entry:
        ends = {EXPIRING: self.ending.get(subject, ()), EXPIRED: [row for row in self.rows(subject) if self.gone(row)]}
        moments = [row.expires_at for row in ends.get(kind, ()) if row.expires_at is not None]
        return Entry(
            subject=subject, kind=kind, facts=facts, expires_at=min(moments, default=None),
            offers=self.offers[subject], effects=tuple(effects),
        )  # fmt: skip


class _Under:
    """One policy over the evidence; what it lacks of a way is found once."""

    def __init__(self, evidence: _Evidence, policy: Policy) -> None:
        self.evidence, self.policy = evidence, policy
        self._gaps: dict[_Way, frozenset[Gap] | None] = {}
        self._lost: dict[_Way, frozenset[Subject]] = {}

    def gaps(self, offer: Offer) -> frozenset[Gap] | None:
        """Return what is missing for an offer: nothing where it may be used, None where no evidence would let it in."""
        known = self.evidence.catalogue
        registered, settled = offer.facts.provider in known.providers, known.settled(offer)
        if any(
            any(identity_codes(rules, offer, registered=registered, settled=settled)) for rules in self.policy.rules
        ):
            return None
        way = self.evidence.way(offer)
        if way not in self._gaps:
            found = set(self._find(way))
            self._gaps[way] = None if None in found else frozenset(gap for gap in found if gap is not None)
        return self._gaps[way]

    def lost(self, offer: Offer) -> frozenset[Subject]:
        """Return the subjects without whose rows that are about to end an offer would be refused."""
        way = self.evidence.way(offer)
        if way not in self._lost:
            self._lost[way] = frozenset(self._find_lost(way))
        return self._lost[way]

    def _find_lost(self, way: _Way) -> Iterator[Subject]:
        for subject in way.subjects():
            without = frozenset(row.id for row in self.evidence.ending.get(subject, ()))
            if without and any(
                any(terms_codes(rules, party))
                for rules in self.policy.rules
                for party in self.evidence.judged(way, rules.minimum_confidence, without=without)
            ):
                yield subject

    def _find(self, way: _Way) -> Iterator[Gap | None]:
        """Yield every gap, and None for a fact that refuses and is not open."""
        judged, unsaid = self.evidence.judged, self.evidence.unsaid
        for rules in self.policy.rules:
            minimum = rules.minimum_confidence
            for place, party in enumerate(judged(way, minimum)):
                if not any(terms_codes(rules, party)):
                    continue
                revived, said = (
                    known[place] for known in (judged(way, minimum, revived=True), judged(way, minimum, without=unsaid))
                )
                for fact in _GOOD:
                    codes = _codes(rules, party, fact)
                    if not codes:
                        continue
                    if codes <= _SOFT:
                        why = UNKNOWN if _codes(rules, revived, fact) else EXPIRED
                    elif _codes(rules, said, fact) <= _SOFT:
                        why = UNSAID
                    elif {fact, *_ALSO.get(fact, ())} & {*party.conflicts}:
                        why = CONFLICT
                    else:
                        yield None
                        return
                    yield Gap(self.evidence.subject(way, party.party, fact, why), fact, why)


def _codes(rules: Policy, party: PartyTerms, fact: str) -> set[str]:
    """Return what refuses a party were everything but one fact fine."""
    fine = {name: value for other, values in _GOOD.items() if other != fact for name, value in values.items()}
    return set(terms_codes(rules, replace(party, **fine)))
