"""A file on the command line: its format guessed, its rows taken in under a progress bar, a summary at the end."""

import tomllib
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from planner.api.imports import summary_shape
from planner.api.shapes import Shape
from planner.cli import show
from planner.cli.administering import actor
from planner.cli.bookkeeping import booked_anew
from planner.cli.opened import file_bytes, now, read_settings, store_of
from planner.core.errors import InvalidInput
from planner.core.event import NO_CACHE, Role
from planner.flows.import_file import BAD_ROWS, Import, import_file
from planner.flows.import_in_place import import_in_place

EXIT_STOPPED = 1


def import_(
    file: Path, format_: str | None, mapping: Path | None, *, role: str | None, account: str, strict: bool,
    dry_run: bool, in_place: bool, given: dict[str, Any], as_json: bool,
) -> None:  # fmt: skip
    """Take a file in, or with ``in_place`` book what its rows come to and leave them where they are."""
    if role is not None and role not in set(Role):
        raise InvalidInput("role", "ledger or evidence is needed")
    if not file.is_file():
        raise InvalidInput("file", "no such file")
    columns: dict[str, Any] = {}
    if mapping is not None:
        columns, format_ = read_mapping(mapping), format_ or "mapping"
    asked = Import(
        path=file, name=file.name, words=given, mapping=columns, format=format_, account=account, strict=strict,
        role=None if role is None else Role(role), dry_run=dry_run,
    )  # fmt: skip
    bars = (TextColumn("{task.description:<8}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*bars, console=show.err, disable=not show.err.is_terminal, transient=True) as bar:
        task = bar.add_task("reading", total=None)
        summary = (import_in_place if in_place else import_file)(
            store_of(read_settings()), asked, now=now, by=actor(),
            progress=lambda what, done, total: bar.update(task, description=what, completed=done, total=total),
        )  # fmt: skip
    if not dry_run and summary.stopped is None:
        booked_anew()
    shape = summary_shape(summary)
    if as_json:
        show.json_out(shape)
    else:
        _print(shape)
    if summary.stopped is not None:
        raise SystemExit(EXIT_STOPPED)


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a mapping file.

    Raises:
        InvalidInput: it is not there, or not TOML.
    """
    try:
        return tomllib.loads(file_bytes(path, "mapping").decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput("mapping", f"not TOML: {error}") from None


def _print(shape: Shape) -> None:
    show.line(f"{shape['file']}: {shape['format']} ({shape['format_because']})")
    show.line(f"stream     {shape['source']}, role {shape['role']}; bad rows: {shape['bad_rows']}")
    if shape["repeats_import"] is not None:
        show.line(f"known      exactly this file was imported before, as number {shape['repeats_import']}")
    elif shape["in_place"]:
        show.line("in place   the rows stay in their file, which has to stay where it is; their sums are booked")
    for one in shape["containment"]:
        if one["because"] == NO_CACHE:
            continue
        inside = {True: "contain", False: "do not contain", None: "may or may not contain"}[one["includes_cached"]]
        show.line(f"prompts    of {one['provider'] or 'no named provider'} {inside} cached tokens ({one['because']})")
    show.line(f"rows       {shape['rows']}: {_counts(shape['outcomes'])}")
    for reason, count in shape["skipped"].items():
        show.line(f"left out   {count}: {reason}")
    if shape["refused_rows"]:
        show.line(f"refused    {shape['refused_rows']}")
        show.table("", [("place", "left"), ("reason", "left")], [(r["place"], r["reason"]) for r in shape["refused"]])
    _print_sums(shape)
    amounts = [("revenue", one) for one in shape["revenue"]] + [("invoiced", one) for one in shape["invoiced"]]
    for title, one in amounts:
        show.line(f"{title:<11}{one['kind']} {one['amount']} {one['currency']}")
    if shape["dry_run"] and shape["previewed_rows"] is not None:
        show.line(f"dry run    the first {shape['previewed_rows']} rows were tried; nothing was stored")
    if shape["stopped"]:
        hint = "; --skip leaves such rows out" if shape["stopped"] == BAD_ROWS else ""
        show.note(f"stopped    {shape['stopped']}{hint}")


def _print_sums(shape: Shape) -> None:
    said = ("requests", "input_tokens", "output_tokens")
    if any(shape[name] for name in said) or (shape["rated_usd"], shape["stated_usd"]) != ("0", "0"):
        upper = "" if shape["rated_max_usd"] == shape["rated_usd"] else f" to {shape['rated_max_usd']}"
        show.line(f"rated      {shape['rated_usd']}{upper} USD; stated by the file {shape['stated_usd']} USD")
        show.line(f"tokens     {shape['input_tokens']} in, {shape['output_tokens']} out, {shape['requests']} requests")
    if shape["evidence_usd"] != "0":
        show.line(f"evidence   rows that do not count state {shape['evidence_usd']} USD")
    if shape["unpriced"]:
        show.line(f"unpriced   {_counts(shape['unpriced'])}")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"
