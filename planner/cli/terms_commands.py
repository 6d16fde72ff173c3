"""Commands about evidence: what was read of providers, brokers and offers, by whom, and until when it holds."""

from pathlib import Path
from typing import Annotated

import typer

from planner.cli.commands import Json, Limit, Reason

terms = typer.Typer(help="Evidence of what is done with prompts.", no_args_is_help=True)

Format = Annotated[str | None, typer.Option("--format", help="csv or toml; by default what the file's name ends in.")]
Row = Annotated[str, typer.Argument(metavar="ID", help="A row of evidence, as `list` names it.")]
Until = Annotated[str, typer.Option("--expires-at", help="A day, or a moment, within three years.")]


def add_to(cli: typer.Typer) -> None:
    """Add this group of commands to the command line."""
    cli.add_typer(terms, name="terms")


@terms.command("list")
def terms_list(
    subject: Annotated[str | None, typer.Option(help="Only this provider, channel or offer.")] = None,
    source: Annotated[
        str | None, typer.Option(help="Only what this source says; `entered` is what people say.")
    ] = None,
    limit: Limit = 1_000,
    as_json: Json = False,
) -> None:
    """List the rows of evidence on record."""
    from planner.cli import evidencing

    evidencing.list_terms(subject, source, limit, as_json=as_json)


@terms.command("show")
def terms_show(offer: Annotated[str, typer.Argument(help="An offer's exact id.")], as_json: Json = False) -> None:
    """Show what is known of everybody who sees an offer's prompts, and who says what."""
    from planner.cli import evidencing

    evidencing.show_terms(offer, as_json=as_json)


@terms.command("queue")
def terms_queue(
    policy: Annotated[str | None, typer.Option(help="Ask under this policy instead of each plan's own.")] = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """Show whose evidence to read next: missing or about to end, by what it would save or cost the stored plans."""
    from planner.cli import evidencing

    evidencing.show_queue(policy, limit, as_json=as_json)


@terms.command("set")
def terms_set(
    kind: Annotated[str, typer.Argument(help="provider, channel or offer.")],
    subject: Annotated[str, typer.Argument(help="Its exact id.")],
    reason: Reason,
    fact: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE, such as trains_on_prompts=no; may be repeated, and goes before the file's."),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="TOML or JSON with the same names as the API's body.")] = None,
    as_json: Json = False,
) -> None:
    """Enter what you read of a subject; it takes the place of what was entered about it before.

    Needed besides at least one fact: source_url, verified_at, expires_at and confidence.
    """
    from planner.cli import evidencing

    evidencing.set_terms(kind, subject, fact or [], file, reason, as_json=as_json)


@terms.command("end")
def terms_end(id: Row, reason: Reason, as_json: Json = False) -> None:
    """End a row of evidence, whoever said it; it does not come back by itself."""
    from planner.cli import evidencing

    evidencing.end(id, reason, as_json=as_json)


@terms.command("accept")
def terms_accept(id: Row, expires_at: Until, reason: Reason, as_json: Json = False) -> None:
    """Believe one row of a feed as it stands, until a day; what the feed says later can only narrow it."""
    from planner.cli import evidencing

    evidencing.accept(id, expires_at, reason, as_json=as_json)


@terms.command("export")
def terms_export(
    out: Annotated[Path | None, typer.Option(help="File to write; by default the terminal.")] = None,
    format_: Format = None,
) -> None:
    """Write the curated evidence as CSV or TOML; importing it again changes nothing."""
    from planner.cli import evidencing

    evidencing.export_terms(out, format_)


@terms.command("import")
def terms_import(
    file: Annotated[Path, typer.Argument(help="CSV or TOML, as `export` writes it.")],
    reason: Reason,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what it would do; nothing is written.")] = False,
    format_: Format = None,
    as_json: Json = False,
) -> None:
    """Take evidence in from a file, all or none; what is on record already is left alone."""
    from planner.cli import evidencing

    evidencing.import_terms(file, format_, reason, dry_run=dry_run, as_json=as_json)
