"""Operations as JSON: what waits, what was refreshed, how each source is; the same over HTTP and behind ``--json``."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from planner.api.shapes import Shape
from planner.flows.refresh import RefreshSummary
from planner.store.json_text import time_text
from planner.store.status import SourceStatus


def hold_shape(row: Mapping[str, Any]) -> Shape:
    """Write a price that waits, or waited, with its reasons and what would change."""
    return {
        "id": row["id"],
        "state": row["state"],
        "source": row["source"],
        "offer": row["offer_id"],
        "reasons": row["reasons"],
        "diff": row["diff"],
        "contested_by": row["contested_by"],
        "opened_at": time_text(row["opened_at"]),
        "last_seen_at": time_text(row["last_seen_at"]),
        "announced_at": time_text(row["announced_at"]),
        "decided_at": time_text(row["decided_at"]),
        "decided_by": row["decided_by"],
        "decision": row["decision"],
    }


def job_shape(row: Mapping[str, Any]) -> Shape:
    """Write the newest slot of a scheduled job: who had it, and how it ended."""
    return {
        "job": row["job"],
        "slot_start": time_text(row["slot_start"]),
        "owner": row["owner"],
        "state": row["state"],
        "lease_until": time_text(row["lease_until"]),
        "finished_at": time_text(row["finished_at"]),
    }


def refresh_shape(row: Mapping[str, Any]) -> Shape:
    """Write what became of one refresh of one source."""
    return {
        "id": row["id"],
        "source": row["source"],
        "started_at": time_text(row["started_at"]),
        "finished_at": time_text(row["finished_at"]),
        "outcome": row["outcome"],
        "revision": row["revision"],
        "summary": row["summary"],
    }


def source_shape(row: SourceStatus, now: datetime) -> Shape:
    """Write the state of one source; ages are whole seconds."""
    succeeded = row.last_success_at
    return {
        "source": row.source,
        "title": row.title,
        "licence": row.licence,
        "rank": row.rank,
        "interval_minutes": row.interval_minutes,
        "state": row.state(now),
        "failures": row.failures,
        "retry_at": time_text(row.retry_at),
        "last_attempt": time_text(row.last_attempt_at),
        "last_success": time_text(succeeded),
        "last_change": time_text(row.last_change_at),
        "age_seconds": None if succeeded is None else int((now - succeeded).total_seconds()),
        "rows": row.rows_read,
        "priced": row.offers_priced,
        "unpriced": row.offers_unpriced,
        "refused": row.rows_refused,
        "holds": row.holds,
        "error": None if row.error_code is None else {"code": row.error_code, "detail": row.error_detail},
    }


def summary_shape(summary: RefreshSummary) -> Shape:
    """Write a refresh summary."""
    return {
        "revision": summary.revision,
        "cards_opened": summary.cards_opened,
        "cards_closed": summary.cards_closed,
        "alerts": summary.alerts,
        "repriced": len(summary.repriced),
        "held": len(summary.held),
        "sources": [
            {
                "source": line.source,
                "outcome": line.outcome,
                "rows_read": line.rows_read,
                "priced": line.priced,
                "unpriced": line.unpriced,
                "refused": line.refused,
                "merged": line.merged,
                "held": line.held,
                "unpriced_reasons": dict(line.unpriced_reasons),
                "refused_reasons": dict(line.refused_reasons),
                "notes": dict(line.notes),
                "error": None if line.error_code is None else {"code": line.error_code, "detail": line.error_detail},
            }
            for line in summary.sources
        ],
    }
