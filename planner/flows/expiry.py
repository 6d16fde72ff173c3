"""Evidence that is about to expire, or has: told once for every row and day, with what rests on it."""

from datetime import datetime

from planner.core.terms import Terms
from planner.core.terms_form import FACTS
from planner.core.terms_queue import SOON
from planner.store import alerts, plan_states, terms
from planner.store.engine import Connection
from planner.store.plan_states import Told

EXPIRING, EXPIRED = "terms_expiring", "terms_expired"


def remind(connection: Connection, at: datetime) -> int:
    """Write an alert for every row on record that expires within 30 days, and one when it has; return how many.

    What expired while nobody looked is told as expired and not first as expiring. The recommendations that rest on a
    row are those of before it expired, so this comes before the plans are asked again.
    """
    ending = terms.ending(connection, at + SOON)
    if not ending:
        return 0
    told = {
        (kind, facts["terms"], facts["expires_at"])
        for kind in (EXPIRING, EXPIRED)
        for facts in alerts.facts_of(connection, kind)
    }
    standing = plan_states.told(connection)
    count = 0
    for row in ending:
        kind = EXPIRING if row.live(at) else EXPIRED
        expires_at = "" if row.expires_at is None else row.expires_at.isoformat()
        if (kind, row.id, expires_at) in told:
            continue
        facts = {
            "terms": row.id,
            "expires_at": expires_at,
            "says": [fact for fact in FACTS if getattr(row, fact) is not None],
            "offers": terms.count_offers(connection, row.subject_kind, row.subject),
            "plans": [f"{plan.plan}/{plan.task}" for plan in standing if _rests(plan, row)],
        }
        alerts.add(connection, at, kind, f"{row.subject_kind} {row.subject}", facts, None)
        count += 1
    return count


def _rests(told: Told, row: Terms) -> bool:
    seen = {"offer": told.offer, "provider": told.provider, "channel": told.channel}
    return seen[row.subject_kind] == row.subject
