"""Agreements and alerts on the command line: contracts, fees, exchange rates, own offers, receivers and messages."""

import json
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

from planner.api.agreements import FeeIn, FxIn, contract_shape, fee_shape
from planner.api.body import checked
from planner.api.own import OwnOfferIn
from planner.cli import show
from planner.cli.administering import actor
from planner.cli.desk import LEFT, RIGHT, at_of, one_of
from planner.cli.opened import file_bytes, now, read_settings, store_of
from planner.core.errors import InvalidInput
from planner.core.money import parse_decimal, plain
from planner.flows import agreement, deliver, own_offer
from planner.store import alerts
from planner.store.json_text import time_text

WITHDRAWN = "withdrawn"


def list_contracts(*, as_json: bool) -> None:
    """Print negotiated discounts and commitments."""
    rows = [contract_shape(contract) for contract in agreement.contracts(store_of(read_settings()))]
    if as_json:
        show.json_out(rows)
        return
    names = ("id", "name", "channel", "provider", "model", "discount_percent", "valid_from", "valid_to", "reference")
    show.table("contracts", [(name, LEFT) for name in names], [[row[name] for name in names] for row in rows])


def add_contract(options: dict[str, Any], reason: str, *, as_json: bool) -> None:
    """Record a negotiated discount."""
    percent = parse_decimal(options["discount_percent"], field="discount_percent")
    if not 0 <= percent <= 100:  # noqa: PLR2004  # percent
        raise InvalidInput("discount_percent", "0 to 100 percent are needed")
    row = {
        **options,
        "discount_percent": plain(percent),
        "valid_from": at_of(options["valid_from"], "valid_from"),
        "valid_to": None if options["valid_to"] is None else at_of(options["valid_to"], "valid_to"),
    }
    present = now()
    id_ = store_of(read_settings()).tell(
        lambda connection: agreement.add_contract(connection, row, at=present, actor=actor(), reason=reason)
    )
    show.json_out({"id": id_}) if as_json else show.line(f"contract {id_}")


def end(word: str, id_: int, ends: str | None, reason: str, *, as_json: bool) -> None:
    """Let a contract or a fee end at a moment, now by default."""
    present = now()
    moment = present if ends is None else at_of(ends, "to")
    done = store_of(read_settings()).tell(
        lambda connection: agreement.end(connection, word, id_, moment, at=present, actor=actor(), reason=reason)
    )
    show.json_out(done) if as_json else show.line(
        f"{word} {id_} ends at {done['ended_at']}"
        + ("" if done["goes_on_as"] is None else f", and is number {done['goes_on_as']} now")
    )


def void(word: str, id_: int, reason: str, *, as_json: bool) -> None:
    """Take a contract or a fee off the record as if it had never been."""
    present = now()
    done = store_of(read_settings()).tell(
        lambda connection: agreement.void(connection, word, id_, at=present, actor=actor(), reason=reason)
    )
    show.json_out(done) if as_json else show.line(f"{word} {id_} was never true")


def list_fees(*, as_json: bool) -> None:
    """Print what channels charge on top of list prices; those of our way of paying count."""
    rows = [fee_shape(fee) for fee in agreement.fees(store_of(read_settings()))]
    if as_json:
        show.json_out(rows)
        return
    names = (
        "id",
        "channel",
        "percent",
        "basis",
        "payment",
        "chosen",
        "allowance_usd_per_month",
        "valid_from",
        "valid_to",
    )
    show.table("fees", [(name, LEFT) for name in names], [[row[name] for name in names] for row in rows])


def add_fee(options: dict[str, Any], *, as_json: bool) -> None:
    """Record what a channel charges on top of list prices, from options named as the fields of the API's body."""
    body = checked(FeeIn, options)
    row, present = body.row(), now()
    id_ = store_of(read_settings()).tell(
        lambda connection: agreement.add_fee(connection, row, at=present, actor=actor(), reason=body.reason)
    )
    show.json_out({"id": id_}) if as_json else show.line(f"fee {id_}")


def pay(channel: str, payment: str, volume: str | None, begins: str | None, reason: str, *, as_json: bool) -> None:
    """Say how a channel is paid here from a moment on, now by default."""
    if payment not in ("credit", "own_key"):
        raise InvalidInput("payment", "credit or own_key is needed")
    amount = None if volume is None else plain(parse_decimal(volume, field="list_usd_per_month"))
    present = now()
    moment = present if begins is None else at_of(begins, "from")
    done = store_of(read_settings()).tell(
        lambda connection: agreement.pay(
            connection, channel, payment, amount, moment, at=present, actor=actor(), reason=reason
        )
    )
    show.json_out(done) if as_json else show.line(f"{channel} is paid by {payment} from {done['valid_from']} on")


def list_fx(currency: str | None, *, as_json: bool) -> None:
    """Print exchange rates, newest first."""
    rates = agreement.fx_rates(store_of(read_settings()), currency)
    rows = [{"currency": r.currency, "day": r.day.isoformat(), "usd": plain(r.usd), "source": r.source} for r in rates]
    if as_json:
        show.json_out(rows)
        return
    columns = [("currency", LEFT), ("day", LEFT), ("USD for one", RIGHT), ("source", LEFT)]
    show.table("exchange rates", columns, [list(row.values()) for row in rows])


def set_fx(currency: str, day: str, usd: str, source: str, source_url: str, *, as_json: bool) -> None:
    """Record the exchange rate of a day."""
    body = checked(
        FxIn,
        {"currency": currency, "day": day, "usd": usd, "source": source, "source_url": source_url, "reason": "entered"},
    )
    row = {**body.model_dump(exclude={"reason"}), "usd": plain(body.usd)}
    present = now()
    store_of(read_settings()).tell(
        lambda connection: agreement.set_fx(connection, row, at=present, actor=actor(), reason="entered")
    )
    done = {"currency": currency, "day": day, "usd": row["usd"]}
    show.json_out(done) if as_json else show.line(f"1 {currency} = {row['usd']} USD from {day} on")


def set_offer(file: Path, *, as_json: bool) -> None:
    """Enter an offer nobody lists from a TOML file in the form of the API's body."""
    try:
        document = tomllib.loads(file_bytes(file, "file").decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise InvalidInput("file", "not TOML") from None
    if isinstance(document.get("valid_from"), datetime):
        document["valid_from"] = document["valid_from"].isoformat()
    # TOML cannot say null: what ends a price is said by the word, never by a line that was forgotten.
    if document.get("rates") == WITHDRAWN:
        document["rates"] = None
    settings = read_settings()
    body = checked(OwnOfferIn, document)
    present, bounds = now(), settings.bounds()
    done = store_of(settings).tell(
        lambda connection: own_offer.set_offer(
            connection, body.own(), at=present, actor=actor(), reason=body.reason, bounds=bounds
        )
    )
    if as_json:
        show.json_out(done._asdict())
        return
    show.line(f"{done.outcome}: {done.offer}")
    if done.hold is not None:
        show.note(f"Its price waits: planner holds list, planner holds approve {done.hold}")


def list_alerts(kind: str | None, limit: int, *, as_json: bool) -> None:
    """Print alerts, newest first."""
    one_of("kind", kind, alerts.KINDS)
    with store_of(read_settings()).read() as connection:
        rows = alerts.listed(connection, kind=kind, limit=limit)
    if as_json:
        show.json_out(
            [{**row, "at": time_text(row["at"]), "delivered_at": time_text(row["delivered_at"])} for row in rows]
        )
        return
    columns = [("id", RIGHT), ("at", LEFT), ("kind", LEFT), ("subject", LEFT), ("facts", LEFT)]
    show.table(
        "alerts",
        columns,
        [(row["id"], time_text(row["at"]), row["kind"], row["subject"], _facts(row["facts"])) for row in rows],
    )


def _facts(facts: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in facts.items()
    )


def list_webhooks(*, as_json: bool) -> None:
    """Print the receivers, without their secrets."""
    with store_of(read_settings()).read() as connection:
        rows = alerts.receivers(connection, live=False)
    written = [
        {
            "id": row["id"], "url": row["url"], "kinds": row["kinds"], "created_at": time_text(row["created_at"]),
            "disabled_at": time_text(row["disabled_at"]),
        }
        for row in rows
    ]  # fmt: skip
    if as_json:
        show.json_out(written)
        return
    shown = [{**row, "kinds": "all" if row["kinds"] is None else " ".join(row["kinds"])} for row in written]
    names = ("id", "url", "kinds", "created_at", "disabled_at")
    show.table("receivers", [(name, LEFT) for name in names], [[row[name] for name in names] for row in shown])


def list_messages(state: str | None, limit: int, *, as_json: bool) -> None:
    """Print messages to receivers, newest first."""
    one_of("state", state, alerts.STATES)
    with store_of(read_settings()).read() as connection:
        rows = alerts.messages(connection, state=state, limit=limit)
    written = [
        {
            "id": row["id"], "target": row["target"], "kind": row["kind"], "alerts": len(row["alerts"]),
            "state": row["state"], "attempts": row["attempts"], "error": row["error"],
        }
        for row in rows
    ]  # fmt: skip
    if as_json:
        show.json_out(written)
        return
    names = ("id", "target", "kind", "alerts", "state", "attempts", "error")
    show.table("messages", [(name, LEFT) for name in names], [[row[name] for name in names] for row in written])


def retry(id_: int, reason: str, *, as_json: bool) -> None:
    """Make a dead message due again."""
    present = now()
    store_of(read_settings()).tell(
        lambda connection: alerts.retry(connection, id_, at=present, actor=actor(), reason=reason)
    )
    show.json_out({"id": id_, "state": "due"}) if as_json else show.line(f"message {id_} is due again")


def add_webhook(url: str, kinds: list[str] | None, reason: str, *, as_json: bool) -> None:
    """Register a receiver and print its signing secret, once."""
    settings = read_settings()
    present = now()
    done = store_of(settings).tell(
        lambda connection: deliver.add_webhook(
            connection, url, kinds or None, settings.trusted_hosts(), at=present, actor=actor(), reason=reason
        )
    )
    if as_json:
        show.json_out(done)
    else:
        show.line(f"webhook {done['id']}")
        show.line(done["secret"])
        show.note("The secret signs what is sent, and is shown once.")


def disable_webhook(id_: int, reason: str, *, as_json: bool) -> None:
    """Stop telling a receiver."""
    present = now()
    store_of(read_settings()).tell(
        lambda connection: alerts.disable_webhook(connection, id_, at=present, actor=actor(), reason=reason)
    )
    show.json_out({"id": id_}) if as_json else show.line(f"webhook {id_} is disabled")


def enable_webhook(id_: int, reason: str, *, as_json: bool) -> None:
    """Tell a disabled receiver again."""
    present = now()
    store_of(read_settings()).tell(
        lambda connection: alerts.enable_webhook(connection, id_, at=present, actor=actor(), reason=reason)
    )
    show.json_out({"id": id_}) if as_json else show.line(f"webhook {id_} is told again")
