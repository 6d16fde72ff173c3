"""What was measured of offers: written once, never changed, read newest first."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa

from planner.core.measurement import AGE_MAX, Measurement, as_measured, chosen
from planner.core.measurement_form import read_measurement, write_measurement
from planner.core.offer import Offer
from planner.store import json_text
from planner.store import tables as t

# Before it there is no moment a month earlier.
_FIRST = datetime.min.replace(tzinfo=UTC) + AGE_MAX


class Kept(NamedTuple):
    """A measurement on record: its number, who measured, and what."""

    id: int
    by: str
    measurement: Measurement


def write(connection: sa.Connection, measurement: Measurement, *, by: str) -> int:
    """Write a measurement and return its number."""
    row = {"offer_id": measurement.offer, "measured_at": measurement.measured_at, "measured_by": by}
    document = json_text.dump(write_measurement(measurement))
    insert = sa.insert(t.measurements).values(**row, document=document).returning(t.measurements.c.id)
    return int(connection.execute(insert).scalar_one())


def newest(connection: sa.Connection, offer: str | None, before: int | None, limit: int) -> list[Kept]:
    """Return the measurements of an offer, or of all, from before a number, newest first."""
    c = t.measurements.c
    query = sa.select(t.measurements).order_by(c.id.desc()).limit(limit)
    query = query if offer is None else query.where(c.offer_id == offer)
    query = query if before is None else query.where(c.id < before)
    return [
        Kept(row.id, row.measured_by, read_measurement(json_text.load(row.document), row.offer_id, row.measured_at))
        for row in connection.execute(query)
    ]


def laid_over(connection: sa.Connection, offers: Iterable[Offer], at: datetime) -> list[Offer]:
    """Put what was measured of offers in the place of what feeds claim, where it is young enough at a moment."""
    c = t.measurements.c
    young = sa.select(t.measurements).where(c.measured_at <= at, c.measured_at > max(at, _FIRST) - AGE_MAX)
    found: dict[str, list[Measurement]] = {}
    for row in connection.execute(young.order_by(c.measured_at.desc(), c.id.desc())):
        read = read_measurement(json_text.load(row.document), row.offer_id, row.measured_at)
        found.setdefault(row.offer_id, []).append(read)
    counted = {offer: chosen(listed, at) for offer, listed in found.items()}
    return [offer if (own := counted.get(offer.id)) is None else as_measured(offer, own) for offer in offers]
