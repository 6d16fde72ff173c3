"""Evidence on the command line: the same stories as over HTTP, told by whoever has the database."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from planner.cli import show
from planner.cli.administering import done, told
from planner.cli.governing import Reply, format_of, given_out, read, text_of
from planner.cli.opened import now, read_settings, view_of
from planner.core import terms_files
from planner.core.errors import InvalidInput
from planner.core.parties import PartyTerms
from planner.core.terms import Terms
from planner.core.terms_form import FACTS, says_something, write_facts
from planner.flows import evidence as flow
from planner.store import terms


def _facts(row: Terms) -> str:
    said = {name: value for name, value in write_facts(row).items() if name in FACTS}
    return " ".join(f"{name}={_word(value)}" for name, value in said.items())


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(value) or "none" if isinstance(value, list) else str(value)


def list_terms(subject: str | None, source: str | None, limit: int, *, as_json: bool) -> None:
    """Print the rows of evidence on record."""
    from planner.api.evidence import row_shape

    found = read(lambda connection: terms.listed(connection, subject=subject, source=source, limit=limit))
    if as_json:
        show.json_out([row_shape(line) for line in found])
        return
    show.table("evidence", _COLUMNS, [_cells(line["row"], line["unsaid_at"]) for line in found])


_COLUMNS = [(name, "left") for name in ("id", "subject", "grants", "until", "facts")]


def _cells(row: Terms, unsaid_at: object = None) -> list[object]:
    """Write a row for people; a row of a feed narrows and never grants."""
    grants = row.confidence.name.lower() if row.curated else "unsaid, narrows" if unsaid_at else "narrows"
    until = "" if row.expires_at is None else row.expires_at.date()
    return [row.id, f"{row.subject_kind} {row.subject}", grants, until, _facts(row)]


def show_terms(offer_id: str, *, as_json: bool) -> None:
    """Print what is known of everybody who sees an offer's prompts, and the rows behind it."""
    from planner.api.shapes import effective_terms_shape, terms_shape
    from planner.flows.answer import offer_named

    at, catalogue = now(), view_of(read_settings()).catalogue
    offer = offer_named(catalogue, offer_id)
    parties = catalogue.terms_of(offer, at)
    subjects = [("offer", offer.id), ("provider", offer.facts.provider), ("channel", offer.facts.channel)]
    rows = [row for subject in subjects for row in catalogue.terms.get(subject, ())]
    if as_json:
        effective, listed = effective_terms_shape(parties), [terms_shape(row) for row in rows]
        show.json_out({"offer": offer.id, "effective": effective, "rows": listed})
        return
    lines = [(fact, *(_effective(party, fact) for party in parties)) for fact in _EFFECTIVE]
    lines += [("conflicts", *(", ".join(party.conflicts) for party in parties))]
    headings = [("fact", "left"), *((party.party, "left") for party in parties)]
    show.line(offer.id)
    show.table("in effect", headings, lines)
    cells = [[*_cells(row), "" if row.live(at) else "expired", row.source_url] for row in rows]
    show.table("who says what", [*_COLUMNS, ("", "left"), ("read at", "left")], cells)


_EFFECTIVE = (
    "trains_on_prompts", "retains_prompts", "retention_days", "zdr", "may_publish", "headquarters", "data_countries",
    "serving_regions", "certifications", "confidence",
)  # fmt: skip


def _effective(party: PartyTerms, fact: str) -> str:
    value: Any = getattr(party, fact)
    if fact == "confidence":
        return "unknown" if value is None else value.name.lower()
    if fact in ("headquarters", "data_countries", "serving_regions"):
        words = ", ".join(sorted(value.values))
        return words if value.known else f"unknown (a feed says {words})" if words else "unknown"
    return "unknown" if value is None else _word(sorted(value) if isinstance(value, frozenset) else value)


def set_terms(kind: str, subject: str, words: list[str], file: Path | None, reason: str, *, as_json: bool) -> None:
    """Enter evidence about a subject."""
    said: dict[str, Any] = {}
    if file is not None:
        format_ = file.suffix.lstrip(".")
        if format_ not in ("toml", "json"):
            raise InvalidInput("file", "a name that ends in .toml or .json is needed")
        said = terms_files.read_facts_file(text_of(file), format_)
    said |= terms_files.read_words(words)
    reply = told(reason, lambda connection, by: flow.enter(connection, kind, subject, said, by))
    _done(reply, as_json=as_json)


def _done(reply: Reply, *, as_json: bool) -> None:
    parts = [f"{verb} {', '.join(reply[verb])}" for verb in ("entered", "ended") if reply.get(verb)]
    wide = f"; lets more through: {', '.join(reply['widens'])}" if reply["widens"] else ""
    done(reply, f"{'; '.join(parts)}{wide}; {reply.get('alerts')} plans moved", as_json=as_json)


def end(id_: str, reason: str, *, as_json: bool) -> None:
    """End a row of evidence."""
    _done(told(reason, lambda connection, by: flow.end(connection, id_, by)), as_json=as_json)


def accept(id_: str, expires_at: str, reason: str, *, as_json: bool) -> None:
    """Believe one row of a feed, until a day."""
    until = terms_files.moment("expires_at", expires_at)
    _done(told(reason, lambda connection, by: flow.accept(connection, id_, until, by)), as_json=as_json)


def export_terms(out: Path | None, given: str | None) -> None:
    """Write the curated evidence to a file or the terminal."""
    write: Callable[[list[Terms]], str] = (
        terms_files.write_toml if format_of(out, given, "csv") == "toml" else terms_files.write_csv
    )
    held = read(terms.load)
    rows = [row for place in sorted(held) for row in held[place] if row.curated and says_something(row)]
    given_out(write(rows), out, f"{len(rows)} rows")


def import_terms(file: Path, given: str | None, reason: str, *, dry_run: bool, as_json: bool) -> None:
    """Take evidence in from a file, or show what it would do."""
    reader = terms_files.read_toml if format_of(file, given) == "toml" else terms_files.read_csv
    entries = reader(text_of(file))
    reply = told(reason, lambda connection, by: flow.take_in(connection, entries, by), keep=not dry_run)
    if as_json:
        show.json_out({**reply, "dry_run": dry_run})
        return
    rows = [
        (
            line["place"], line["subject"],
            f"proposal {line['proposal']}" if "proposal" in line and not dry_run else line["outcome"],
            ", ".join(line.get("widens", ())),
        )
        for line in reply["terms"]
    ]  # fmt: skip
    columns = [(name, "left") for name in ("place", "subject", "outcome", "lets through")]
    show.table("evidence, nothing is written" if dry_run else "evidence", columns, rows)
    show.line(f"{reply['alerts']} plans {'would move' if dry_run else 'moved'}")


def show_queue(policy: str | None, limit: int, *, as_json: bool) -> None:
    """Print whose evidence to read next."""
    from planner.api.evidence_queue import entry_shape, queue_shape
    from planner.flows.evidence_queue import evidence_queue

    settings = read_settings()
    view, unsaid = view_of(settings), read(terms.unsaid)
    found = evidence_queue(view.catalogue, view.snapshot, unsaid, policy, settings.default_policy, now())
    plans = found.usage is None
    shapes = [entry_shape(entry, plans=plans) for entry in found.entries[:limit]]
    if as_json:
        show.json_out({"items": shapes, **queue_shape(found)})
        return
    per = "period" if plans else "request"
    rows = [
        (
            f"{shape['subject_kind']} {shape['subject']}", shape["kind"], (shape["expires_at"] or "")[:10],
            shape["offers"], shape[f"saves_usd_per_{per}"], shape[f"costs_usd_per_{per}"],
            " ".join(fact["fact"] for fact in shape["facts"]),
            " ".join(f"{plan['plan']}/{plan['task']}" for plan in shape["plans"]) if plans else shape["affected"],
        )
        for shape in shapes
    ]  # fmt: skip
    columns = (
        ("subject", "left"), ("kind", "left"), ("ends", "left"), ("offers", "right"),
        (f"saves USD/{per}", "right"), (f"losing it costs USD/{per}", "right"), ("facts", "left"),
        ("plans" if plans else "models", "left"),
    )  # fmt: skip
    what = "stored plans" if plans else "every model, one request of 3,000 tokens in and 1,000 out,"
    show.table(f"evidence to read, for {what} under {', '.join(found.policies)}", columns, rows)
    if limit < len(found.entries):
        show.note(f"{len(found.entries) - limit} more; --limit shows them")
