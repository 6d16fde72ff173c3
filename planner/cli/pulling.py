"""Pulling on the command line: what a vendor counted and billed, taken in as a file of the same pages would be."""

from datetime import UTC, datetime

from planner.api.pulls import pulled_shape, state_shape
from planner.api.shapes import Shape
from planner.cli import show
from planner.cli.administering import actor
from planner.cli.bookkeeping import booked_anew
from planner.cli.opened import now, read_settings, store_of
from planner.configured import accounts_of
from planner.core.errors import InvalidInput
from planner.core.event import Role
from planner.flows.pull import Wish
from planner.flows.pull import pull as pull_flow
from planner.sources.usage_apis import VENDORS
from planner.store import pulls

EXIT_NOTHING_PULLED = 1


def pull(
    vendor: str, *, since: str | None, until: str | None, only: str | None, role: str | None, less: bool,
    dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Pull the reports of a vendor; exit 1 where one of them could not be."""
    settings = read_settings()
    if vendor not in VENDORS:
        raise InvalidInput("vendor", f"one of {', '.join(VENDORS)} is needed")
    account = accounts_of(settings).get(vendor)
    if account is None:
        key = VENDORS[vendor].key_name
        raise InvalidInput(key, f"{VENDORS[vendor].title} is needed there to pull from {vendor}")
    if role is not None and role not in set(Role):
        raise InvalidInput("role", "ledger or evidence is needed")
    wish = Wish(
        only=only, since=_day(since, "from"), until=_day(until, "to"), role=None if role is None else Role(role),
        less=less, dry_run=dry_run,
    )  # fmt: skip
    with show.err.status(f"asking {vendor}") as bar:
        done = pull_flow(
            store_of(settings), account, wish, now=now, by=actor(),
            told=lambda report, pages: bar.update(f"{vendor} {report}: {pages} pages"),
        )  # fmt: skip
    if not dry_run:
        booked_anew()
    shapes = [pulled_shape(one) for one in done]
    if as_json:
        show.json_out({"vendor": vendor, "dry_run": dry_run, "reports": shapes})
    else:
        for shape in shapes:
            _print(shape, dry_run=dry_run)
    if any(one.error is not None for one in done):
        raise SystemExit(EXIT_NOTHING_PULLED)


def _day(said: str | None, field: str) -> datetime | None:
    if said is None:
        return None
    try:
        return datetime.strptime(said, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidInput(field, "a day such as 2026-11-01 is needed") from None


def _print(shape: Shape, *, dry_run: bool) -> None:
    name = f"{shape['vendor']} {shape['report']}, {shape['from'][:10]} to {shape['to'][:10]}"
    if shape["lost_from"] is not None:
        show.note(f"{name}: the days from {shape['lost_from'][:10]} on were never pulled, and are told no more")
    if shape["error"] is not None:
        show.note(
            f"{name}: not pulled ({shape['error']['code']}): {shape['error']['detail']}; nothing of it counts yet"
        )
        return
    summary = shape["summary"]
    outcomes = ", ".join(f"{status} {count}" for status, count in summary["outcomes"].items()) or "nothing new"
    show.line(f"{name}: {summary['rows']} rows of {summary['pages']} pages into {shape['stream']}, as {shape['role']}")
    show.line(f"  {'would be: ' if dry_run else ''}{outcomes}; complete through {shape['through'][:10]}")
    if summary["vanished"]:
        show.line(f"  {summary['vanished']} rows on record were not told again, and count nothing now")
    for path in summary["missing"]:
        show.note(f"  {path} is not there")


def list_pulls(*, as_json: bool) -> None:
    """Print how every report is that was ever pulled."""
    settings, present = read_settings(), now()
    with store_of(settings).read() as connection:
        rows = [state_shape(found, present) for found in pulls.states(connection)]
    keys = list(accounts_of(settings))
    if as_json:
        show.json_out({"keys": keys, "pull_minutes": settings.pull_minutes, "reports": rows})
        return
    columns = ("vendor", "report", "state", "last_attempt", "last_success", "through", "rows")
    cells = [(*(row[name] for name in columns), row["error"] and row["error"]["code"]) for row in rows]
    show.table("pulls", [*((name, "left") for name in columns), ("error", "left")], cells)
    every = f"every {settings.pull_minutes} minutes" if keys else "never"
    show.line(f"There is a key for {', '.join(keys) or 'no vendor'}; a worker pulls {every}.")
