"""The bundled catalogue: what the recorded feeds said, line by line, so that planner answers without a network.

A bundle is a list of readings: a header line per source, then its claims, each in the written form of
`planner.core.claim_form`. It is loaded through the same door as a live feed, so a price from a bundle has its true
date and its evidence like any other.
"""

import gzip
import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from planner.core.claim import ModelFacts, Reading, Refused, Score
from planner.core.claim_form import read_claim, write_claim
from planner.core.offer import Kind

FORMAT = "planner catalogue bundle 1"


def write_bundle(path: Path, readings: Iterable[Reading], licences: dict[str, str]) -> int:
    """Write readings as a bundle, the same bytes for the same readings; returns the number of claims."""
    count = 0
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as file:
        for reading in readings:
            lines = [
                _header(reading, licences.get(reading.source, "")),
                *(write_claim(claim) for claim in reading.claims),
            ]
            for line in lines:
                file.write(json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
            count += len(reading.claims)
    return count


def _header(reading: Reading, licence: str) -> dict[str, Any]:
    return {
        "bundle": FORMAT,
        "source": reading.source,
        "source_url": reading.source_url,
        "licence": licence,
        "observed_at": reading.observed_at.isoformat(),
        # OpenRouter's answers are hundreds of payloads; their digests are kept with the live feed only.
        "digests": dict(reading.digests) if len(reading.digests) == 1 else {},
        "rows_read": reading.rows_read,
        "merged": reading.merged,
        "refused": [[refused.row, refused.code] for refused in reading.refused],
        "notes": dict(reading.notes),
        "models": [_model(model) for model in reading.models],
        "scores": [_score(score) for score in reading.scores],
    }


def _model(model: ModelFacts) -> list[Any]:
    released = None if model.released is None else model.released.isoformat()
    return [model.id, model.name, model.author, model.open_weights, released, model.kind.value]


def _score(score: Score) -> list[str]:
    return [
        score.model,
        score.index,
        str(score.score),
        score.as_of.isoformat(),
        score.source,
        score.source_url,
        score.note,
    ]


def read_bundle(path: Path) -> Iterator[Reading]:
    """Read the readings of a bundle, in order."""
    header: dict[str, Any] | None = None
    claims: list[dict[str, Any]] = []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            document = json.loads(line)
            if "bundle" in document:
                if header is not None:
                    yield _reading(header, claims)
                header, claims = document, []
            else:
                claims.append(document)
    if header is not None:
        yield _reading(header, claims)


def _reading(header: dict[str, Any], claims: list[dict[str, Any]]) -> Reading:
    return Reading(
        source=header["source"],
        source_url=header["source_url"],
        observed_at=datetime.fromisoformat(header["observed_at"]),
        rows_read=header["rows_read"],
        merged=header["merged"],
        claims=tuple(read_claim(claim) for claim in claims),
        refused=tuple(Refused(row=row, code=code) for row, code in header["refused"]),
        notes=header["notes"],
        digests=header["digests"],
        models=tuple(_read_model(*row) for row in header["models"]),
        scores=tuple(_read_score(*row) for row in header["scores"]),
    )


def _read_model(
    id_: str,
    name: str,
    author: str,
    open_weights: bool | None,  # noqa: FBT001  # a column of the row
    released: str | None,
    kind: str,
) -> ModelFacts:  # the columns of one row
    day = None if released is None else date.fromisoformat(released)
    return ModelFacts(id=id_, name=name, author=author, open_weights=open_weights, released=day, kind=Kind(kind))


def _read_score(
    model: str, index: str, score: str, as_of: str, source: str, url: str, note: str
) -> Score:  # the columns of one row
    return Score(
        model=model, index=index, score=Decimal(score), as_of=date.fromisoformat(as_of), source=source, source_url=url,
        note=note,
    )  # fmt: skip
