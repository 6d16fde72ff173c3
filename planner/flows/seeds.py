"""The curated files that travel with planner, read into rows and values."""

import csv
import hashlib
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from planner.core.claim import Score
from planner.core.terms import Confidence, Terms
from planner.core.terms_form import FLAGS, SETS, URLS, WORDS

PLANNER = "planner"
# Raised where the rows made of the same files hold more than before: every database takes them in again then.
_LAYOUT = b"3"
_FLAGS = {"yes": True, "no": False, "": None}


def curated_rows(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Read every curated table of a seeds folder: table name -> rows."""
    providers = _toml(folder / "providers.toml")["provider"]
    tiers = _toml(folder / "tiers.toml")
    brokers = [provider for provider in providers if provider["kind"] == "broker"]
    fees = _toml(folder / "fees.toml")["fee"]
    timed = {row["id"]: row for row in _toml(folder / "channels.toml")["channel"]}
    named = {provider["id"]: provider["name"] for provider in brokers}
    channels = {"direct": "direct", **{fee["channel"]: fee["channel"] for fee in fees}, **named}
    return {
        "providers": [_provider(provider) for provider in providers],
        "channels": [_channel(id_, name, timed.get(id_, {})) for id_, name in channels.items()],
        "provider_spellings": [row for provider in providers for row in _spellings(provider)],
        "models": [_model(row) for row in _csv(folder / "models.csv")],
        "aliases": [
            {
                "namespace": row["namespace"],
                "spelling": row["spelling"],
                "model_id": row["model"],
                "basis": row["basis"],
            }
            for row in _csv(folder / "aliases.csv")
        ],
        "free_offers": [_free(row) for row in _csv(folder / "free.csv")],
        "sources": [_source(source) for source in _toml(folder / "sources.toml")["source"]],
        "fees": [_fee(number, fee) for number, fee in enumerate(fees, 1)],
        "golden_facts": [_golden(fact) for fact in _toml(folder / "golden.toml")["golden"]],
        "price_bands": [
            {"tier": band["tier"], "usd_per_mtok_min": band["output_usd_per_mtok_min"], **_days(band)}
            for band in tiers["price_band"]
        ],
        "quality_bands": _quality_bands(tiers["quality_band"]),
        "plans": _toml(folder / "plans.toml")["plan"],
    }


def policies(folder: Path) -> list[dict[str, Any]]:
    """Read the starter policies."""
    listed: list[dict[str, Any]] = _toml(folder / "policies.toml")["policy"]
    return listed


def terms(folder: Path) -> list[Terms]:
    """Read the curated evidence about providers and channels; each row's id is a digest of what it says."""
    return [_terms(row) for row in _csv(folder / "terms.csv")]


def scores(folder: Path) -> list[Score]:
    """Read the quality scores, each with the date of the list it comes from."""
    return [
        Score(
            model=row["model"],
            index=row["index"],
            score=Decimal(row["score"]),
            as_of=date.fromisoformat(row["as_of"]),
            source=row["source"],
            source_url=row["source_url"],
            note=row["note"],
        )
        for row in _csv(folder / "quality.csv")
    ]


def digest(folder: Path) -> str:
    """Return one digest over the curated files: they are loaded again only when it moved."""
    hashed = hashlib.sha256(_LAYOUT)
    for path in sorted((*folder.glob("*.toml"), *folder.glob("*.csv"))):
        hashed.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return hashed.hexdigest()


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _provider(provider: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": provider["id"],
        "name": provider["name"],
        "kind": provider["kind"],
        "headquarters": provider.get("headquarters"),
        "creator_of": provider.get("creator_of", []),
        "upstream": provider.get("upstream"),
    }


def _channel(id_: str, name: str, timed: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": id_,
        "name": name,
        "overhead_ms": timed.get("overhead_ms"),
        "overhead_source_url": timed.get("source_url"),
        "overhead_observed_at": timed.get("observed_at"),
    }


def _spellings(provider: Mapping[str, Any]) -> list[dict[str, Any]]:
    own = provider["id"] if provider["kind"] == "broker" else "direct"
    rows = [
        {"feed": feed, "spelling": word, "provider_id": provider["id"], "channel_id": own}
        for feed, words in provider.get("spellings", {}).items()
        for word in words
    ]
    rows += [
        {
            "feed": via["feed"],
            "spelling": via["spelling"],
            "provider_id": via["upstream"],
            "channel_id": provider["id"],
        }
        for via in provider.get("via", ())
    ]
    return rows


def _model(row: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "author": row["author"],
        "open_weights": _FLAGS[row["open_weights"]],
        "released": date.fromisoformat(row["released"]) if row["released"] else None,
        "kind": row["kind"],
        "settled_by": PLANNER,
    }


def _free(row: Mapping[str, str]) -> dict[str, Any]:
    return {
        "offer_id": row["offer"],
        "basis": row["basis"],
        "source_url": row["source_url"],
        "observed_at": _day(row["observed_at"]),
    }


def _source(source: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": source["name"],
        "title": source["title"],
        "url": source["default_url"],
        "licence": source["licence"],
        "rank": source["rank"],
        "own_channel": next(iter(source.get("authoritative_for", ())), None),
        "interval_minutes": source.get("interval_minutes"),
        "stale_after_hours": source.get("stale_after_hours"),
        "frozen_after_days": source.get("frozen_after_days"),
    }


def _fee(number: int, fee: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": number,
        "channel_id": fee["channel"],
        "percent": fee["percent"],
        "basis": fee["basis"],
        "valid_from": fee["valid_from"],
        "valid_to": fee.get("valid_to"),
        "source": fee["source"],
        "source_url": fee["source_url"],
        "payment": fee.get("payment", "credit"),
        "allowance_usd_per_month": fee.get("allowance_usd_per_month"),
        "minimum_usd": fee.get("minimum_usd"),
    }


def _golden(fact: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "offer_id": fact["offer"],
        "unit": fact["unit"],
        "usd_per_mtok_min": fact["min"],
        "usd_per_mtok_max": fact["max"],
        "source_url": fact["source_url"],
        "checked_on": fact["checked_on"],
    }


def _quality_bands(bands: list[dict[str, Any]]) -> list[dict[str, Any]]:
    order = list(dict.fromkeys(band["index"] for band in bands))
    return [
        {
            "index": band["index"],
            "tier": band["tier"],
            "score_min": band["min_score"],
            **_days(band),
            "position": order.index(band["index"]),
        }
        for band in bands
    ]


def _days(band: Mapping[str, Any]) -> dict[str, Any]:
    return {"valid_from": band["valid_from"], "valid_to": band.get("valid_to")}


def _terms(row: Mapping[str, str]) -> Terms:
    said = "\0".join(f"{name}={value}" for name, value in sorted(row.items()))
    facts: dict[str, Any] = {flag: _FLAGS[row[flag]] for flag in FLAGS if flag in row}
    facts |= {text: row[text] or None for text in (*WORDS, *URLS, "verified_by") if text in row}
    facts |= {name: frozenset(row[name].split()) for name in SETS if row.get(name)}
    short = hashlib.sha256(said.encode()).hexdigest()[:12]
    return Terms(
        id=f"{row['source']}:{row['subject_kind']}:{row['subject']}:{short}",
        subject_kind=row["subject_kind"],
        subject=row["subject"],
        **facts,
        retention_days=int(row["retention_days"]) if row["retention_days"] else None,
        source=row["source"],
        source_url=row["source_url"],
        observed_at=_day(row["observed_at"]),
        verified_at=_day(row["verified_at"]) if row["verified_at"] else None,
        expires_at=_day(row["expires_at"]) if row["expires_at"] else None,
        confidence=Confidence[row["confidence"].upper()],
        curated=True,
        note=row["note"],
    )


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
