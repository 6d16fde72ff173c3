"""An admin's work on evidence: entering what was read, ending what does not hold, accepting what a feed says."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from planner.core.catalogue import Catalogue
from planner.core.errors import Conflict, InvalidInput, NotFound
from planner.core.offer import Offer, OfferFacts
from planner.core.parties import wider
from planner.core.terms import DIRECT, Confidence, Terms
from planner.core.terms_files import Entry
from planner.core.terms_form import ENTERED, read_entry, read_facts, same_words, write_facts
from planner.flows import second
from planner.flows.second import By, Kind, Reply, Wish, change
from planner.store import audit, terms
from planner.store.engine import Connection
from planner.store.load import load_catalogue
from planner.store.revision import bump

ENTER, END, ACCEPT = "terms.enter", "terms.end", "terms.accept"
KINDS_OF_SUBJECTS = ("provider", "channel", "offer")


def enter(connection: Connection, kind: str, subject: str, said: dict[str, Any], by: By) -> Reply:
    """Enter evidence about a subject; it takes the place of what was entered about it before.

    Raises:
        NotFound: nobody knows the subject.
        InvalidInput: as `read_entry` does.
    """
    _check(connection, kind, subject)
    row = read_entry(kind, subject, said, at=by.at, by=by.actor)
    return change(connection, KINDS[ENTER], f"{kind} {subject}", _written(row), by)


def end(connection: Connection, id_: str, by: By) -> Reply:
    """End a row of evidence, whoever said it; it does not come back by itself.

    Raises:
        NotFound: no row on record has this id.
    """
    return change(connection, KINDS[END], id_, {"id": id_}, by)


def accept(connection: Connection, id_: str, expires_at: datetime, by: By) -> Reply:
    """Believe one row of a feed as it stands, until a day; what the feed says later can only narrow it.

    Raises:
        NotFound: no row on record has this id.
        Conflict: the row is no feed's.
    """
    body = {"id": id_, "expires_at": expires_at.isoformat(), "by": by.actor}
    return change(connection, KINDS[ACCEPT], id_, body, by)


def take_in(connection: Connection, entries: Sequence[Entry], by: By) -> Reply:
    """Take evidence in from a file, all or none; a row that is on record already is left alone.

    Raises:
        InvalidInput: names the place in the file that cannot be.
    """
    catalogue = load_catalogue(connection, at=by.at)
    held = [row for rows in catalogue.terms.values() for row in rows if row.curated]
    # Nothing but evidence moves meanwhile, so the catalogue is loaded once for all rows.
    kind_of_change = Kind(partial(_wish_enter, loaded=catalogue), _do_enter)
    lines: list[Reply] = []
    for place, kind, subject, said in entries:
        try:
            row = read_entry(kind, subject, said, at=by.at, by=by.actor)
            line = {"place": place, "outcome": "unchanged", "subject": subject}
            if not any(same_words(row, other) for other in held):
                _check(connection, kind, subject)
                done = second.change_unseen(connection, kind_of_change, f"{kind} {subject}", _written(row), by)
                line |= {"outcome": "entered", **done}
        except InvalidInput as error:
            raise InvalidInput(f"{place}: {error.field}", error.problem) from None
        except NotFound as error:
            raise InvalidInput(f"{place}: subject", str(error)) from None
        lines.append(line)
    return second.told(connection, {"terms": lines}, by)


# --- the changes --------------------------------------------------------------------------------------------


def _check(connection: Connection, kind: str, subject: str) -> None:
    if kind not in KINDS_OF_SUBJECTS:
        raise InvalidInput("subject_kind", f"one of {', '.join(KINDS_OF_SUBJECTS)} is needed")
    if not terms.known_subject(connection, kind, subject):
        raise NotFound(kind, subject)


_COLUMNS = ("id", "subject_kind", "subject", "source", "source_url", "curated")


def _written(row: Terms) -> dict[str, Any]:
    columns = {name: getattr(row, name) for name in _COLUMNS}
    moments = {"observed_at": row.observed_at.isoformat(), "expires_at": row.expires_at and row.expires_at.isoformat()}
    return {**columns, **moments, "confidence": row.confidence.name.lower(), "facts": write_facts(row)}


def _read(body: dict[str, Any]) -> Terms:
    columns = {name: body[name] for name in _COLUMNS}
    expires = body["expires_at"]
    return Terms(
        **columns, observed_at=datetime.fromisoformat(body["observed_at"]),
        expires_at=None if expires is None else datetime.fromisoformat(expires),
        confidence=Confidence[body["confidence"].upper()], **read_facts(body["facts"]),
    )  # fmt: skip


def _on_record(connection: Connection, id_: str) -> Terms:
    row = terms.one(connection, id_)
    if row is None:
        raise NotFound("terms", id_)
    return row


def _wish_enter(
    connection: Connection, subject: str, body: dict[str, Any], at: datetime, loaded: Catalogue | None = None
) -> Wish:
    row = _read(body)
    return _wish(connection, ENTER, subject, body, [row], _entered_before(connection, row), at, loaded)


def _do_enter(connection: Connection, wish: Wish, by: By) -> Reply:
    row = _read(wish.body)
    before = _entered_before(connection, row)
    terms.close(connection, [old.id for old in before], by.at, by=by.actor)
    terms.insert(connection, [row], by.at, by=by.actor)
    return _done(connection, wish, by, before, [row])


def _entered_before(connection: Connection, row: Terms) -> list[Terms]:
    held = terms.about(connection, row.subject_kind, row.subject)
    return [old for old in held if old.source == ENTERED and row.source == ENTERED]


def _wish_end(connection: Connection, subject: str, body: dict[str, Any], at: datetime) -> Wish:
    return _wish(connection, END, subject, body, [], [_on_record(connection, body["id"])], at)


def _do_end(connection: Connection, wish: Wish, by: By) -> Reply:
    row = _on_record(connection, wish.body["id"])
    terms.close(connection, [row.id], by.at, by=by.actor)
    return _done(connection, wish, by, [row], [])


def _wish_accept(connection: Connection, subject: str, body: dict[str, Any], at: datetime) -> Wish:
    return _wish(connection, ACCEPT, subject, body, [_accepted(connection, body, at)], [], at)


def _do_accept(connection: Connection, wish: Wish, by: By) -> Reply:
    row = _accepted(connection, wish.body, by.at)
    terms.insert(connection, [row], by.at, by=by.actor)
    return _done(connection, wish, by, [], [row])


def _accepted(connection: Connection, body: dict[str, Any], at: datetime) -> Terms:
    row = _on_record(connection, body["id"])
    expires_at = datetime.fromisoformat(body["expires_at"])
    if row.curated:
        raise Conflict("terms", row.id, "it is no feed's: a person entered it, or it came with planner")
    if expires_at <= at:
        raise InvalidInput("expires_at", "a moment ahead is needed")
    stamp = hashlib.sha256(f"{body['by']} {body['expires_at']}".encode()).hexdigest()[:12]
    return replace(
        row, id=f"accepted:{row.id}:{stamp}", curated=True, confidence=Confidence.BROKER_CLAIM, verified_by=body["by"],
        verified_at=at, expires_at=expires_at, note=f"accepted as the feed said it in {row.id}",
    )  # fmt: skip


def _wish(
    connection: Connection, kind: str, subject: str, body: dict[str, Any], added: list[Terms], ended: list[Terms],
    at: datetime, loaded: Catalogue | None = None,
) -> Wish:  # fmt: skip
    catalogue = loaded or load_catalogue(connection, at=at)
    about = (added or ended)[0]
    place = about.subject_kind, about.subject
    held = terms.about(connection, *place)
    catalogue = replace(catalogue, terms={**catalogue.terms, place: held})
    gone = {row.id for row in ended}
    rows = (*(row for row in held if row.id not in gone), *added)
    after = replace(catalogue, terms={**catalogue.terms, place: rows})
    offers = _concerned(catalogue, *place)
    return Wish(
        kind=kind,
        subject=subject,
        body=body,
        widens=tuple(sorted({fact for offer in offers for fact in _facts(catalogue, after, offer, at)})),
        basis=hashlib.sha256(" ".join(sorted(row.id for row in held)).encode()).hexdigest()[:16],
    )


def _concerned(catalogue: Catalogue, kind: str, subject: str) -> Iterable[Offer]:
    """Return one offer of every way on which a subject sees prompts, and one it may serve some day."""
    found: dict[tuple[str, ...], Offer] = {}
    for offer in (*catalogue.offers, *catalogue.gone.values()):
        facts = offer.facts
        if subject == {"offer": offer.id, "provider": facts.provider, "channel": facts.channel}[kind]:
            own = offer.id if ("offer", offer.id) in catalogue.terms or kind == "offer" else ""
            found[facts.provider, facts.channel, own] = offer
    provider, channel = (subject, DIRECT) if kind == "provider" else ("", subject)
    some_day = OfferFacts(model_spelling="", provider=provider, channel=channel)
    return [*found.values(), *([Offer(id="", facts=some_day)] if kind != "offer" else [])]


def _facts(before: Catalogue, after: Catalogue, offer: Offer, at: datetime) -> Iterable[str]:
    for minimum in (None, *Confidence):
        yield from wider(before.terms_of(offer, at, minimum), after.terms_of(offer, at, minimum))


def _done(connection: Connection, wish: Wish, by: By, ended: list[Terms], added: list[Terms]) -> Reply:
    audit.record(
        connection, at=by.at, actor=by.actor, action=wish.kind, subject=wish.subject,
        before=[_written(row) for row in ended], after=[_written(row) for row in added], reason=by.reason,
    )  # fmt: skip
    bump(connection, policy=True)
    return {
        "entered": [row.id for row in added],
        "ended": [row.id for row in ended],
        "widens": list(wish.widens),
    }


KINDS: dict[str, Kind] = {
    ENTER: Kind(_wish_enter, _do_enter),
    END: Kind(_wish_end, _do_end),
    ACCEPT: Kind(_wish_accept, _do_accept),
}
