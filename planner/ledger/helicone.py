"""Helicone's export has one row for every request, and says nothing of what was cached."""

from collections.abc import Iterator, Mapping
from datetime import UTC
from decimal import Decimal
from typing import Any

from planner.core.event import Event, Outcome, Role, StatedBy
from planner.ledger import cells
from planner.ledger.format import File, Format, Given, Read, Refused, Row, Skipped
from planner.ledger.tables import columns, each, named, table, tags

_COLUMNS = frozenset(
    {"response_id", "response_status", "request_created_at", "request_user_id", "model", "prompt_tokens", "cost"}
)
# A status of HTTP that is no success, or one of Helicone's own below zero: cancelled, blocked, or never answered.
_SUCCESS = range(200, 400)


class Requests:
    """Rows of ``@helicone/export``.

    Cached tokens are among the others, so that a cost has bounds only. Costs are Helicone's own arithmetic, and a model
    it has no price for costs 0 there. Bodies of requests are never looked at.

    Source: imports.md; the export tool at github.com/Helicone/helicone, examples/export/typescript.
    """

    name = "helicone"
    title = "Helicone: requests, as its export tool writes them"
    role = Role.LEDGER
    mutable = False

    def knows(self, file: File) -> str | None:
        """Tell by the columns of the export."""
        return "it has the columns of Helicone's export" if columns(file) >= _COLUMNS else None

    def read(self, file: File, given: Given) -> Iterator[Read | Refused | Skipped]:
        """Yield every request."""
        return each(table(file), lambda row: _event(row, given))


FORMATS: tuple[Format, ...] = (Requests(),)


def _event(row: Row, given: Given) -> Event:
    values = row.values
    labels = cells.json_object(values, "request_properties")
    user = cells.text(values, "request_user_id")
    plan, customer, task = named(labels, given, user)
    stated = {
        "input_tokens": cells.count(values, "prompt_tokens"),
        "output_tokens": cells.count(values, "completion_tokens"),
    }
    counts = {name: number for name, number in stated.items() if number is not None}
    return Event(
        source=given.source,
        id=cells.needed(cells.text(values, "response_id"), "response_id"),
        at=cells.needed(cells.moment(values, "request_created_at", UTC), "request_created_at"),
        counts=counts,
        includes_cached=given.includes_cached,
        channel=given.channel or "direct",
        provider=given.provider,
        model=cells.text(values, "model"),
        plan=plan,
        customer=customer,
        task=task,
        tags=tags(labels),
        outcome=_outcome(values),
        stated_usd=_cost(values, used=any(counts.values())),
        stated_by=StatedBy.ESTIMATE,
        cache_stated=False,
    )


def _outcome(values: Mapping[str, Any]) -> Outcome:
    status = cells.decimal(values, "response_status")
    return Outcome.OK if status is None or status in _SUCCESS else Outcome.FAILED


def _cost(values: Mapping[str, Any], *, used: bool) -> Decimal | None:
    cost = cells.cost(values, "cost")
    return None if cost == 0 and used else cost
