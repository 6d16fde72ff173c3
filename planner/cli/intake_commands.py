"""Commands that bring usage and costs in, and what was paid in advance; added by `planner.cli.main`."""

from pathlib import Path
from typing import Annotated

import typer

from planner.cli.commands import Json, Number, Reason

commitments = typer.Typer(help="What was paid or promised in advance.", no_args_is_help=True)


def add_to(cli: typer.Typer) -> None:
    """Add these commands to the command line."""
    cli.command("import")(import_)
    cli.command("pull")(pull)
    cli.add_typer(commitments, name="commitments")


def import_(
    file: Annotated[Path, typer.Argument(help="CSV, JSON, JSON Lines or Parquet, gzip or not.")],
    format: Annotated[str | None, typer.Option(help="The format; guessed from the file by default.")] = None,
    source: Annotated[str | None, typer.Option(help="The stream its rows belong to; by default the format.")] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="TOML that says which column is what, for any other file.")
    ] = None,
    provider: Annotated[str | None, typer.Option(help="Who served the requests, where the file does not say.")] = None,
    channel: Annotated[str | None, typer.Option(help="Through whom, where the file does not say.")] = None,
    plan: Annotated[str | None, typer.Option(help="The plan of rows that name none.")] = None,
    customer: Annotated[str | None, typer.Option(help="The customer of rows that name none.")] = None,
    task: Annotated[str | None, typer.Option(help="The task of rows that name none.")] = None,
    role: Annotated[
        str | None, typer.Option(help="ledger: its rows count. evidence: they are held against it.")
    ] = None,
    account: Annotated[str, typer.Option(help="Whose account at the provider, where there are several.")] = "",
    includes_cached: Annotated[
        bool | None, typer.Option("--cache-inside/--cache-beside", help="Whether input counts contain cached tokens.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict/--skip", help="Stop at a bad row with nothing stored, or leave such rows out.")
    ] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Leave the rows in the file, and book only what they come to.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take a file of usage, costs or revenue in; again, it changes nothing."""
    from planner.cli import importing

    importing.import_(
        file, format, mapping, role=role, account=account, strict=strict, dry_run=dry_run, in_place=in_place,
        as_json=as_json,
        given={
            "source": source, "provider": provider, "channel": channel, "plan": plan, "customer": customer,
            "task": task, "includes_cached": includes_cached,
        },
    )  # fmt: skip


def pull(
    vendor: Annotated[str | None, typer.Argument(help="openai, anthropic or openrouter.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", help="The first day; by default what may still change.")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", help="The day after the last one; by default today.")] = None,
    only: Annotated[str | None, typer.Option(help="usage or costs; by default both.")] = None,
    role: Annotated[
        str | None, typer.Option(help="With --only: whether its rows count, ledger or evidence; kept from then on.")
    ] = None,
    accept_less: Annotated[
        bool, typer.Option("--accept-less", help="Also where these days held far more before.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask, show what would be done, and store nothing.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="Show instead how every report is.")] = False,
    as_json: Json = False,
) -> None:
    """Pull what a vendor counted and billed into the ledger; again, only what changed is booked."""
    from planner.cli import pulling

    if listed or vendor is None:
        pulling.list_pulls(as_json=as_json)
    else:
        pulling.pull(
            vendor, since=since, until=until, only=only, role=role, less=accept_less, dry_run=dry_run, as_json=as_json
        )  # fmt: skip


@commitments.command("list")
def commitments_list(as_json: Json = False) -> None:
    """List what was paid or promised in advance."""
    from planner.cli import committing

    committing.list_commitments(as_json=as_json)


@commitments.command("add")
def commitments_add(
    name: Annotated[str, typer.Option(help="What you call it.")],
    kind: Annotated[str, typer.Option(help="prepaid, spend or throughput.")],
    provider: Annotated[str, typer.Option(help="Provider whose usage it covers.")],
    amount: Annotated[str, typer.Option(help="How much, in its currency.")],
    valid_from: Annotated[str, typer.Option(help="From when, RFC 3339 with offset.")],
    valid_to: Annotated[str, typer.Option(help="Until when.")],
    reference: Annotated[str, typer.Option(help="Where the signed paper is.")],
    reason: Reason,
    currency: Annotated[str, typer.Option(help="Turned into dollars at the rate of its first day.")] = "USD",
    channel: Annotated[str, typer.Option(help="Channel it holds through.")] = "direct",
    model: Annotated[str | None, typer.Option(help="Canonical model; all of the provider's by default.")] = None,
    service_tier: Annotated[str | None, typer.Option(help="Only this tier; all of them by default.")] = None,
    as_json: Json = False,
) -> None:
    """Record an amount paid or promised in advance; reports count it once, with the usage it covers."""
    from planner.cli import committing

    options = {
        "name": name, "kind": kind, "provider": provider, "amount": amount, "valid_from": valid_from,
        "valid_to": valid_to, "reference": reference, "reason": reason, "currency": currency, "channel": channel,
        "model": model, "service_tier": service_tier,
    }  # fmt: skip
    committing.add_commitment(options, as_json=as_json)


@commitments.command("void")
def commitments_void(id: Number, reason: Reason, as_json: Json = False) -> None:
    """Take a commitment off the record; what it cost in closed months is taken back in the first open one."""
    from planner.cli import committing

    committing.void_commitment(id, reason, as_json=as_json)
