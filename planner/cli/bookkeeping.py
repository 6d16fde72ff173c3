"""Streams, customers, periods and lines on the command line: the same stories as over HTTP."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from planner.api.asked import moment
from planner.api.imports import rerated_shape
from planner.api.joining import customer_shape, stranger_shape
from planner.api.ledger import line_shape, period_shape, stream_shape
from planner.api.shapes import Shape
from planner.api.usage import result_shape
from planner.cli import show
from planner.cli.administering import actor, done, told
from planner.cli.governing import read
from planner.cli.opened import now, read_settings, store_of
from planner.core.errors import InvalidInput
from planner.core.event import Role
from planner.flows import bulk, joining, rebook, roles
from planner.flows import close as closing
from planner.flows import void as flow
from planner.flows.margin_report import statement_digest
from planner.flows.second import By, Reply
from planner.store import customers, periods, streams, usage
from planner.store.customers import Assignment
from planner.store.engine import Connection

_LEFT, _RIGHT = "left", "right"


def booked_anew() -> rebook.Rebooked:
    """Book everything anew that waits for it, and show that it goes on."""
    with _going_on("booking anew"):
        return rebook.catch_up(store_of(read_settings()), now)


@contextmanager
def _going_on(what: str) -> Iterator[None]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=show.err, disable=not show.err.is_terminal, transient=True) as bar:
        bar.add_task(what, total=None)
        yield


def _table(title: str, columns: Sequence[str], rows: Sequence[Shape], *, as_json: bool) -> None:
    if as_json:
        show.json_out(list(rows))
        return
    numbers = ("rows", "token_cost_usd", "revenue_usd", "delta_usd", "line")
    headings = [(name, _RIGHT if name in numbers else _LEFT) for name in columns]
    show.table(title, headings, [[row[name] for name in columns] for row in rows])


def list_streams(*, as_json: bool) -> None:
    """Print the streams."""
    rows = [stream_shape(stream) for stream in read(streams.every)]
    _table("streams", ("source", "role", "chosen", "account", "spellings_of"), rows, as_json=as_json)


def set_stream(source: str, role: str, reason: str, *, as_json: bool) -> None:
    """Choose the role of a stream."""
    if role not in set(Role):
        raise InvalidInput("role", "ledger or evidence is needed")
    reply = told(reason, lambda connection, by: stream_shape(roles.choose(connection, source, Role(role), by)))
    booked = booked_anew()
    done(reply, f"{source} is {role} now; {booked.lines} lines booked", as_json=as_json)


def list_customers(limit: int, *, as_json: bool) -> None:
    """Print the customers."""
    found = read(lambda connection: customers.every(connection, "", limit))
    shapes = [customer_shape(one) for one in found]
    if as_json:
        show.json_out(shapes)
        return
    rows = [
        (
            shape["id"],
            shape["name"],
            " ".join(f"{one['source']}={one['id']}" for one in shape["external_ids"]),
            " ".join(f"{one['plan']} from {one['valid_from'][:10]}" for one in shape["plans"]),
        )
        for shape in shapes
    ]
    show.table("customers", [(name, _LEFT) for name in ("customer", "name", "ids", "plans")], rows)


def set_customer(customer: str, name: str, ids: Sequence[str], reason: str, *, as_json: bool) -> None:
    """Write a customer."""
    pairs = [_pair(word) for word in ids]
    reply = told(
        reason, lambda connection, by: customer_shape(joining.put(connection, customer, name or customer, pairs, by))
    )
    booked = booked_anew()
    done(reply, f"{customer} has {len(pairs)} ids in other sources; {booked.lines} lines booked", as_json=as_json)


def _pair(word: str) -> tuple[str, str]:
    source, equals, external = word.partition("=")
    if not (source and equals and external):
        raise InvalidInput("id", "SOURCE=ID is needed, such as stripe=cus_1")
    return source, external


def assign(customer: str, plan: str, since: str, until: str | None, reason: str, *, as_json: bool) -> None:
    """Put a customer on a plan."""
    said = Assignment(plan, _moment("from", since), None if until is None else _moment("to", until))
    reply = told(reason, lambda connection, by: customer_shape(joining.assign(connection, customer, said, by)))
    booked = booked_anew()
    done(reply, f"{customer} is on {plan} from {since}; {booked.lines} lines booked", as_json=as_json)


def _moment(field: str, text: str) -> datetime:
    try:
        return moment(text)
    except ValueError as error:
        raise InvalidInput(field, str(error)) from None


def list_unmapped(limit: int, *, as_json: bool) -> None:
    """Print the ids nobody knows."""
    rows = [stranger_shape(one) for one in read(customers.strangers)[:limit]]
    _table(
        "ids nobody said the customer of", ("source", "id", "token_cost_usd", "revenue_usd", "rows"), rows,
        as_json=as_json,
    )  # fmt: skip


def map_price(source: str, price: str, plan: str, reason: str, *, as_json: bool) -> None:
    """Say which plan a price means."""

    def story(connection: Connection, by: By) -> Reply:
        joining.map_price(connection, source, price, plan, by)
        return {"source": source, "price": price, "plan": plan}

    reply = told(reason, story)
    booked = booked_anew()
    done(reply, f"{price} of {source} means {plan}; {booked.lines} lines booked", as_json=as_json)


def list_periods(*, as_json: bool) -> None:
    """Print the accounting periods."""
    rows = [period_shape(row) for row in read(periods.every)]
    _table("periods", ("period", "state", "changed_at", "changed_by", "reason"), rows, as_json=as_json)


def close(period: str, reason: str, *, as_json: bool) -> None:
    """Close a period."""
    booked_anew()

    def story(connection: Connection, by: By) -> Reply:
        return period_shape(closing.close(connection, period, by, statement_digest(connection, period)))

    reply = told(reason, story)
    done(reply, f"{period} is closed; the digest of its report is {reply['report_digest']}", as_json=as_json)


def reopen(period: str, reason: str, *, as_json: bool) -> None:
    """Open a period again."""
    reply = told(reason, lambda connection, by: period_shape(closing.reopen(connection, period, by)))
    done(reply, f"{period} is open again", as_json=as_json)


def list_lines(
    source: str | None, id_: str | None, booked_in: str | None, limit: int, *, deltas: bool, as_json: bool
) -> None:
    """Print lines."""
    wanted = usage.Wanted(source, id_, booked_in, deltas)
    rows = [line_shape(row) for row in read(lambda connection: list(usage.lines(connection, wanted, limit)))]
    columns = (
        "line", "kind", "source", "id", "usage_at", "booked_in", "recorded_at", "price_version_old",
        "price_version_new", "delta_usd",
    )  # fmt: skip
    _table("lines", columns, rows, as_json=as_json)


def void(source: str, id_: str, reason: str, *, as_json: bool) -> None:
    """Take a row of usage back."""
    reply = told(
        reason,
        lambda connection, by: {"source": source, "id": id_, **result_shape(flow.void(connection, source, id_, by))},
    )
    done(reply, f"{source} {id_} is taken back", as_json=as_json)


def rerate(id_: int, reason: str, *, as_json: bool) -> None:
    """Rate a file again where it lies."""
    with _going_on("rating again"):
        by = By(actor=actor(), at=now(), reason=reason)
        reply = rerated_shape(bulk.rerate(store_of(read_settings()), id_, now, by))
    changed = f"{reply['delta_usd']} USD in {reply['cells']} cells" if reply["cells"] else "nothing else than before"
    done(reply, f"{reply['file']}: {reply['rows']} rows rated again, {changed}", as_json=as_json)


def catch_up(*, as_json: bool) -> None:
    """Book everything anew that waits for it."""
    booked = booked_anew()
    reply = {"rows": booked.rows, "lines": booked.lines, "waiting": booked.waiting}
    done(reply, f"{booked.rows} rows looked at, {booked.lines} lines booked", as_json=as_json)
