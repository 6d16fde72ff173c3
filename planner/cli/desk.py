"""The admin's desk on the command line: prices that wait, pending spellings, histories and corrections."""

import csv
import io
import json
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from planner.api.asked import moment
from planner.api.operations import hold_shape
from planner.api.shapes import card_shape, change_shape
from planner.cli import show
from planner.cli.administering import actor, changed, done
from planner.cli.opened import file_bytes, now, read_settings, store_of, view_of
from planner.core import strict_json
from planner.core.claim import Segment
from planner.core.errors import InvalidInput
from planner.core.rate_form import read_rates
from planner.flows import alias, answer, correct, history, hold, status, word
from planner.store import holds
from planner.store.engine import Connection
from planner.store.json_text import time_text

LEFT, RIGHT = "left", "right"


def at_of(text: str, field: str) -> datetime:
    """Read a moment from an option.

    Raises:
        InvalidInput: not an RFC 3339 time with an offset.
    """
    try:
        return moment(text)
    except ValueError as error:
        raise InvalidInput(field, str(error)) from None


def one_of(field: str, word: str | None, words: Iterable[str]) -> None:
    """Refuse a filter nobody could match: a slip of the pen must not read as "there is nothing".

    Raises:
        InvalidInput: not one of the words.
    """
    allowed = list(words)
    if word is not None and word not in allowed:
        raise InvalidInput(field, f"{word[:40]!a} is not one of {', '.join(allowed)}")


def list_holds(state: str | None, source: str | None, limit: int, *, as_json: bool) -> None:
    """Print the prices that wait, or waited."""
    one_of("state", state, holds.STATES)
    one_of("source", source, (row.source for row in status.sources(store_of(read_settings()), everything=True)))
    rows = [hold_shape(row) for row in hold.queue(store_of(read_settings()), state=state, source=source, limit=limit)]
    if as_json:
        show.json_out(rows)
        return
    columns = [("id", RIGHT), *((name, LEFT) for name in ("state", "source", "offer", "why", "change USD/M", "since"))]
    show.table(
        "prices that wait" if state == "waiting" else "holds",
        columns,
        [
            (
                row["id"], row["state"], row["source"], row["offer"] or "(the whole feed)",
                ", ".join(_why(reason) for reason in row["reasons"]) + _contested(row),
                ", ".join(_move(move) for move in row["diff"]), row["opened_at"],
            )
            for row in rows
        ],
    )  # fmt: skip


def _why(reason: dict[str, Any]) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in reason.items() if name != "code")
    return f"{reason['code']} ({facts})" if facts else str(reason["code"])


def _contested(row: dict[str, Any]) -> str:
    newer = row["contested_by"]
    return "" if newer is None else f"; the newest answer says something else, see hold {newer}"


def _move(move: dict[str, Any]) -> str:
    when = "" if move["when"] is None else f" when {json.dumps(move['when'])}"
    before = "none" if move["before_usd_per_mtok"] is None else move["before_usd_per_mtok"]
    return f"{move['unit']} {before} -> {move['after_usd_per_mtok']}{when}"


def decide(ids: list[int], verb: str, reason: str, *, as_json: bool) -> None:
    """Approve or reject holds, all or none."""
    settings = read_settings()
    present, bounds = now(), settings.bounds()

    def story(connection: Connection) -> list[dict[str, Any]]:
        return hold.decide_all(connection, ids, verb, at=present, actor=actor(), reason=reason, bounds=bounds)

    rows = store_of(settings).tell(story)
    if as_json:
        show.json_out([hold_shape(row) for row in rows])
    else:
        for row in rows:
            show.line(f"{row['state']}: hold {row['id']}, {row['offer_id'] or row['source']}")


def list_pending(namespace: str | None, limit: int, *, as_json: bool) -> None:
    """Print the spellings nobody has settled, those first on which most offers wait."""
    found = [row for row in alias.pending(view_of(read_settings()).catalogue) if namespace in (None, row.namespace)]
    offers = sum(row.offers for row in found)
    if as_json:
        items = [asdict(row) for row in found[:limit]]
        show.json_out({"items": items, "pending": len(found), "offers": offers})
        return
    show.table(
        f"{len(found)} spellings are pending, {offers} offers wait on them",
        [("namespace", LEFT), ("spelling", LEFT), ("named by a feed", LEFT), ("offers", RIGHT), ("for example", LEFT)],
        [(row.namespace, row.spelling, row.model or "", row.offers, row.example) for row in found[:limit]],
    )


def list_words(limit: int, *, as_json: bool) -> None:
    """Print the words of feeds that mean no curated provider yet, those first on which most offers wait."""
    found = alias.pending_providers(store_of(read_settings()))
    if as_json:
        show.json_out({"items": [row._asdict() for row in found[:limit]], "pending": len(found)})
        return
    show.table(
        f"{len(found)} words are pending, {sum(row.offers for row in found)} offers wait on them",
        [("feed", LEFT), ("word", LEFT), ("offers", RIGHT), ("for example", LEFT)],
        [tuple(row) for row in found[:limit]],
    )


def settle_words(words: list[str], new: list[str], reason: str, *, as_json: bool) -> None:
    """Say which providers words mean, given as FEED:WORD=PROVIDER, all or none."""
    rows = [(feed, spelling, provider or "") for feed, spelling, provider in map(_alias, words)]
    fresh = [_new_model(text) for text in new]
    reply = changed(word.SETTLE, f"{len(rows)} words", word.body_of(rows, fresh), reason)
    told = f"{reply.get('settled')} of {len(set(rows))} words settled; the next refresh uses them"
    done(reply, told, as_json=as_json)


def settle(words: list[str], file: Path | None, new: list[str], reason: str, *, as_json: bool) -> None:
    """Settle spellings given as NAMESPACE:SPELLING=MODEL, or in a CSV with those three columns, all or none."""
    rows = [_alias(word) for word in words] + ([] if file is None else list(_alias_rows(file)))
    if not rows:
        raise InvalidInput("aliases", "NAMESPACE:SPELLING=MODEL or --file is needed")
    models = [_new_model(word) for word in new]
    settings = read_settings()
    present, bounds = now(), settings.bounds()
    settled = store_of(settings).tell(
        lambda connection: alias.settle(
            connection, rows, models, at=present, actor=actor(), reason=reason, bounds=bounds
        )
    )
    if as_json:
        show.json_out(settled)
        return
    show.line(f"{settled['settled']} of {len(set(rows))} spellings settled anew")
    if settled["held"]:
        show.line(f"{settled['held']} prices stand apart from others of their model and wait now: planner holds list")


def _new_model(word: str) -> tuple[str, str]:
    id_, equals, name = word.partition("=")
    if not (equals and name):
        raise InvalidInput(word[:80], "ID=NAME is needed, such as acme/one=Acme One")
    return id_, name


def _alias(word: str) -> tuple[str, str, str | None]:
    left, equals, model = word.rpartition("=")
    namespace, colon, spelling = left.partition(":")
    if not (equals and colon):
        raise InvalidInput(word[:80], "NAMESPACE:SPELLING=MODEL is needed; an empty MODEL takes an alias back")
    return namespace, spelling, model or None


_COLUMNS = ["namespace", "spelling", "model"]


def _alias_rows(path: Path) -> list[tuple[str, str, str | None]]:
    try:
        # Spreadsheets put a mark before the first character.
        text = file_bytes(path, "file").decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        if next(reader, None) != _COLUMNS:
            raise InvalidInput("file", "the columns namespace, spelling and model are needed, in this order")
        return [_alias_row(row, reader.line_num) for row in reader if row]
    except (UnicodeDecodeError, csv.Error):
        raise InvalidInput("file", "not a CSV file in UTF-8") from None


def _alias_row(row: list[str], line: int) -> tuple[str, str, str | None]:
    if len(row) != len(_COLUMNS):
        problem = f"{len(row)} cells, where 3 are needed; an empty model takes an alias back"
        raise InvalidInput(f"line {line}", problem)
    namespace, spelling, model = row
    return namespace, spelling, model or None


def prices(offer: str, known_at: str | None, *, as_json: bool) -> None:
    """Print what an offer cost when, as known now or at a moment."""
    settings = read_settings()
    answer.known_offer(view_of(settings).catalogue, offer)
    known = None if known_at is None else at_of(known_at, "known_at")
    cards = history.prices(store_of(settings), offer, None, None, known)
    shapes = [{**card_shape(card), "known_from": time_text(since)} for card, since in cards]
    if as_json:
        show.json_out({"offer": offer, "items": shapes})
        return
    show.table(
        offer,
        [(name, LEFT) for name in ("from", "to", "known from", "rates in USD", "source")],
        [
            (
                shape["valid_from"], shape["valid_to"], shape["known_from"],
                ", ".join(_rate(rate) for rate in shape["rates"]), shape["evidence"]["source"],
            )
            for shape in shapes
        ],
    )  # fmt: skip


def _rate(rate: dict[str, Any]) -> str:
    bands = f" and {len(rate['bands'])} bands" if rate.get("bands") else ""
    return f"{rate['unit']} {rate['usd']}/{rate['per']}{bands}"


def changes(since: str, known_at: str | None, limit: int, *, by_record: bool, as_json: bool) -> None:
    """Print the prices that began or ended since a moment, newest first."""
    found = history.price_changes(
        store_of(read_settings()),
        at_of(since, "since"),
        by_record=by_record,
        known_at=None if known_at is None else at_of(known_at, "known_at"),
        before=None,
        limit=limit,
    )
    shapes = [change_shape(change) for change in found]
    if as_json:
        show.json_out(shapes)
        return
    show.table(
        f"prices since {since}",
        [("offer", LEFT), ("at", LEFT), ("known from", LEFT), ("moves, USD per million", LEFT)],
        [(shape["offer"], shape["at"], shape["known_from"], _change(shape)) for shape in shapes],
    )


def _change(shape: dict[str, Any]) -> str:
    moved = ", ".join(_move(move) for move in shape["moves"])
    if shape["kind"] != "began":
        return f"{shape['kind']}: {moved}" if moved else str(shape["kind"])
    return "new" if shape["before"] is None else moved or "conditions"


def correct_price(
    offer: str, begins: str, ends: str, rates: Path, source_url: str, reason: str, *, as_json: bool
) -> None:
    """Correct a past price; the rates come from a TOML or JSON file with the list ``rates``."""
    settings = read_settings()
    stretch = Segment(at_of(begins, "from"), at_of(ends, "to"), read_rates(_rates(rates)))
    present, bounds = now(), settings.bounds()
    moved = store_of(settings).tell(
        lambda connection: correct.correct_price(
            connection, offer, stretch, source_url=source_url, at=present, actor=actor(), reason=reason, bounds=bounds
        )
    )
    if as_json:
        show.json_out({"offer": offer, "revision": moved.revision, "cards_opened": moved.opened})
    else:
        show.line(f"revision {moved.revision}: {moved.closed} cards closed on the record, {moved.opened} opened")


def _rates(path: Path) -> list[dict[str, Any]]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
        document = tomllib.loads(text) if path.suffix == ".toml" else strict_json.read(text.encode(), name="rates")
    except (OSError, ValueError, RecursionError):
        raise InvalidInput("rates", "no file of TOML or JSON in UTF-8") from None
    if isinstance(document, dict) and set(document) - {"rates"}:
        raise InvalidInput("rates", "an unknown key stands beside `rates`")
    listed = document.get("rates") if isinstance(document, dict) else document
    if not isinstance(listed, list) or not all(isinstance(row, dict) for row in listed):
        raise InvalidInput("rates", "a list of {unit, usd, per} is needed, under `rates`")
    return listed
