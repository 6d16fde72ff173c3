"""Commands of finance: streams and customers, periods, and reports; added by `planner.cli.main`."""

from pathlib import Path
from typing import Annotated

import typer

from planner.cli.commands import Json, Limit, Number, Reason
from planner.cli.question_options import KnownAt
from planner.core.errors import UNSAID

report = typer.Typer(help="What tokens cost against revenue.", no_args_is_help=True)
streams = typer.Typer(help="Streams of usage, and whether they count.", no_args_is_help=True)
customers = typer.Typer(help="Who is who in every source.", no_args_is_help=True)
periods = typer.Typer(help="Accounting months, open and closed.", no_args_is_help=True)
ledger = typer.Typer(help="What was booked, row by row.", no_args_is_help=True)


def add_to(cli: typer.Typer) -> None:
    """Add these commands to the command line."""
    groups = {
        "report": report, "streams": streams, "customers": customers, "periods": periods, "ledger": ledger,
    }  # fmt: skip
    for name, group in groups.items():
        cli.add_typer(group, name=name)


By = Annotated[str, typer.Option(help="Heads, such as plan,month; also customer, task, model, provider, day, week.")]
From = Annotated[str, typer.Option("--from", help="The first day, such as 2026-09-01.")]
To = Annotated[str, typer.Option("--to", help="The day after the last one.")]
Zone = Annotated[str, typer.Option(help="The time zone of days, weeks and months.")]
CostBasis = Annotated[str, typer.Option(help="rated, reported, or best: rated, else reported, else unpriced.")]
Basis = Annotated[str, typer.Option(help="booked: closed months stay what they were. usage: by the time of use.")]
Currency = Annotated[str, typer.Option(help="Amounts in this currency beside dollars.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="A file to write: .csv, .xlsx or .json.")]


@report.command("margin")
def report_margin(
    since: From,
    until: To,
    by: By = "plan,month",
    tz: Zone = "UTC",
    cost_basis: CostBasis = "best",
    basis: Basis = "booked",
    reporting_currency: Currency = "USD",
    known_at: KnownAt = None,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Revenue, token cost and margin, with coverage and the evidence behind them."""
    from planner.cli import reporting

    asked = {
        "by": by, "from": since, "to": until, "tz": tz, "cost_basis": cost_basis, "basis": basis,
        "reporting_currency": reporting_currency, "known_at": known_at,
    }  # fmt: skip
    reporting.margin(asked, output, as_json=as_json)


@report.command("costs")
def report_costs(
    since: From,
    until: To,
    by: Annotated[str, typer.Option(help="Heads, such as model,unit,day.")] = "model,unit",
    tz: Zone = "UTC",
    cost_basis: CostBasis = "best",
    basis: Basis = "booked",
    reporting_currency: Currency = "USD",
    known_at: KnownAt = None,
    as_json: Json = False,
) -> None:
    """Token cost by kind of token, model, offer, price version and other heads."""
    from planner.cli import reporting

    asked = {
        "by": by, "from": since, "to": until, "tz": tz, "cost_basis": cost_basis, "basis": basis,
        "reporting_currency": reporting_currency, "known_at": known_at,
    }  # fmt: skip
    reporting.costs(asked, as_json=as_json)


@report.command("reconciliation")
def report_reconciliation(
    since: From,
    until: To,
    provider: Annotated[str | None, typer.Option(help="Who is paid; by default whoever billed.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Whose statements; by default all there are.")] = None,
    by: Annotated[str | None, typer.Option(help="Heads that may be told apart, such as day,model,unit.")] = None,
    tz: Zone = "UTC",
    tolerance: Annotated[str, typer.Option(help="What is little: a share of the larger side.")] = "0.005",
    tolerance_usd: Annotated[str, typer.Option(help="Or this much of each line.")] = "0.01",
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Why what was billed differs from the ledger, cause by cause; what nothing explains is the residual."""
    from planner.cli import reconciling

    reconciling.reconciliation(
        {
            "since": since, "until": until, "provider": provider, "sources": tuple(source or ()), "by": by, "tz": tz,
            "tolerance": tolerance, "tolerance_usd": tolerance_usd,
        },
        output, as_json=as_json,
    )  # fmt: skip


@report.command("distribution")
def report_distribution(
    plan: Annotated[str, typer.Argument(help="A stored plan.")],
    since: From,
    until: To,
    tz: Zone = "UTC",
    parts: Annotated[
        bool, typer.Option("--parts", help="Count periods and customers that are not whole, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """How unevenly the customers of a plan use it: percentiles, Gini, and the share of the heaviest."""
    from planner.cli import distributing

    distributing.distribution(plan, since, until, tz, parts=parts, as_json=as_json)


@report.command("forecast")
def report_forecast(
    month: Annotated[str | None, typer.Option(help="Such as 2026-11; by default the running one.")] = None,
    by: Annotated[str, typer.Option(help="plan, or nothing for the total alone.")] = "plan",
    tz: Zone = "UTC",
    cost_basis: CostBasis = "best",
    as_json: Json = False,
) -> None:
    """What tokens of a month cost so far, and what they are expected to at its end, at 80 % and 95 %."""
    from planner.cli import forecasting

    forecasting.forecast(month, by, tz, cost_basis, as_json=as_json)


@report.command("focus")
def report_focus(
    since: From,
    until: To,
    output: Annotated[Path, typer.Option("--output", "-o", help="The CSV file to write.")],
    as_json: Json = False,
) -> None:
    """Write costs in FOCUS 1.4, one row per day, meter and offer."""
    from planner.cli import reporting

    reporting.focus(since, until, output, as_json=as_json)


@streams.command("list")
def streams_list(as_json: Json = False) -> None:
    """List the streams that sent usage, with their roles."""
    from planner.cli import bookkeeping

    bookkeeping.list_streams(as_json=as_json)


@streams.command("set")
def streams_set(
    source: Annotated[str, typer.Argument(help="The stream.")],
    role: Annotated[str, typer.Argument(help="ledger or evidence.")],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Choose whether the rows of a stream count."""
    from planner.cli import bookkeeping

    bookkeeping.set_stream(source, role, reason, as_json=as_json)


Customer = Annotated[str, typer.Argument(help="The customer's id.")]


@customers.command("list")
def customers_list(limit: Limit = 100, as_json: Json = False) -> None:
    """List customers with their ids in other sources and their plans."""
    from planner.cli import bookkeeping

    bookkeeping.list_customers(limit, as_json=as_json)


@customers.command("set")
def customers_set(
    customer: Customer,
    reason: Reason,
    name: Annotated[str, typer.Option(help="The customer's name.")] = "",
    id: Annotated[list[str] | None, typer.Option(help="SOURCE=ID, such as stripe=cus_1; all there are.")] = None,
    as_json: Json = False,
) -> None:
    """Write a customer and its ids in other sources; what it used and paid is booked anew under it."""
    from planner.cli import bookkeeping

    bookkeeping.set_customer(customer, name, id or [], reason, as_json=as_json)


@customers.command("assign")
def customers_assign(
    customer: Customer,
    plan: Annotated[str, typer.Argument(help="The plan.")],
    since: Annotated[str, typer.Option("--from", help="From when on, RFC 3339.")],
    reason: Reason,
    until: Annotated[str | None, typer.Option("--to", help="Until when, RFC 3339.")] = None,
    as_json: Json = False,
) -> None:
    """Put a customer on a plan from a moment on."""
    from planner.cli import bookkeeping

    bookkeeping.assign(customer, plan, since, until, reason, as_json=as_json)


@customers.command("headroom")
def customers_headroom(customer: Customer, as_json: Json = False) -> None:
    """Say what a customer has left of each of its plans in the present period."""
    from planner.cli import distributing

    distributing.headroom(customer, as_json=as_json)


@customers.command("unmapped")
def customers_unmapped(limit: Limit = 100, as_json: Json = False) -> None:
    """List ids nobody said the customer of, the one most dollars hang on first."""
    from planner.cli import bookkeeping

    bookkeeping.list_unmapped(limit, as_json=as_json)


@customers.command("price")
def customers_price(
    source: Annotated[str, typer.Argument(help="The source, such as stripe.")],
    price: Annotated[str, typer.Argument(help="Its price, such as price_pro.")],
    plan: Annotated[str, typer.Argument(help="The plan it means.")],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Say which plan a price of a source means."""
    from planner.cli import bookkeeping

    bookkeeping.map_price(source, price, plan, reason, as_json=as_json)


@periods.command("list")
def periods_list(as_json: Json = False) -> None:
    """List the months that something is booked in."""
    from planner.cli import bookkeeping

    bookkeeping.list_periods(as_json=as_json)


Month = Annotated[str, typer.Argument(help="A month, such as 2026-09.")]


@periods.command("close")
def periods_close(period: Month, reason: Reason, as_json: Json = False) -> None:
    """Close a month: what becomes known of it later is booked in the next open one."""
    from planner.cli import bookkeeping

    bookkeeping.close(period, reason, as_json=as_json)


@periods.command("reopen")
def periods_reopen(period: Month, reason: Reason, as_json: Json = False) -> None:
    """Open the last closed month again."""
    from planner.cli import bookkeeping

    bookkeeping.reopen(period, reason, as_json=as_json)


@ledger.command("rate")
def ledger_rate(
    file: Annotated[Path, typer.Argument(help="Parquet, CSV, or any other file that can be imported.")],
    mapping: Annotated[Path | None, typer.Option(help="TOML that says which column is what.")] = None,
    by: Annotated[
        str, typer.Option(help="Heads, such as plan,model,month; also day, customer, task, offer, price_version.")
    ] = "offer,price_version",
    format: Annotated[str | None, typer.Option(help="The format; guessed from the file by default.")] = None,
    source: Annotated[str | None, typer.Option(help="The stream whose spellings of customers it uses.")] = None,
    provider: Annotated[str | None, typer.Option(help="Who served the requests, where the file does not say.")] = None,
    channel: Annotated[str | None, typer.Option(help="Through whom, where the file does not say.")] = None,
    plan: Annotated[str | None, typer.Option(help="The plan of rows that name none.")] = None,
    customer: Annotated[str | None, typer.Option(help="The customer of rows that name none.")] = None,
    task: Annotated[str | None, typer.Option(help="The task of rows that name none.")] = None,
    includes_cached: Annotated[
        bool | None, typer.Option("--cache-inside/--cache-beside", help="Whether input counts contain cached tokens.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict/--skip", help="Stop at a bad row, or leave such rows out.")] = True,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A CSV file to write the sums to.")] = None,
    as_json: Json = False,
) -> None:
    """Rate a file where it lies, millions of rows a second, and show what it comes to; nothing is booked."""
    from planner.cli import rating

    rating.rate(
        file, format, mapping, by, strict=strict, output=output, as_json=as_json,
        given={
            "source": source, "provider": provider, "channel": channel, "plan": plan, "customer": customer,
            "task": task, "includes_cached": includes_cached,
        },
    )  # fmt: skip


@ledger.command("lines")
def ledger_lines(
    source: Annotated[str | None, typer.Option(help="Only this stream.")] = None,
    id: Annotated[str | None, typer.Option(help="Only this row.")] = None,
    booked_in: Annotated[str | None, typer.Option(help="Only what is booked in this month.")] = None,
    deltas: Annotated[bool, typer.Option("--deltas", help="Only what changed what was booked before.")] = False,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List what was booked: each row of usage, and each change of it."""
    from planner.cli import bookkeeping

    bookkeeping.list_lines(source, id, booked_in, limit, deltas=deltas, as_json=as_json)


@ledger.command("void")
def ledger_void(
    source: Annotated[str, typer.Argument(help="The stream.")],
    id: Annotated[str, typer.Argument(help="The row.")],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Take a row of usage back."""
    from planner.cli import bookkeeping

    bookkeeping.void(source, id, reason, as_json=as_json)


@ledger.command("rerate")
def ledger_rerate(id: Number, reason: Reason = UNSAID, as_json: Json = False) -> None:
    """Rate a file that was imported in place again, by what is known now, and book the difference."""
    from planner.cli import bookkeeping

    bookkeeping.rerate(id, reason, as_json=as_json)


@ledger.command("catch-up")
def ledger_catch_up(as_json: Json = False) -> None:
    """Book everything anew that waits for it: late prices, customers, plans."""
    from planner.cli import bookkeeping

    bookkeeping.catch_up(as_json=as_json)
