"""Refreshing on the command line: a progress bar per source, then a table of what came of each."""

import gzip
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from planner.cli import show
from planner.cli.opened import file_bytes, now, read_settings, store_of, view_of
from planner.configured import enabled, mapped_of, named
from planner.core.errors import InvalidInput
from planner.flows.refresh import RefreshSummary, Sources, SourceSummary, refresh_from_file
from planner.flows.refresh import refresh as refresh_flow
from planner.flows.setup import know_layouts
from planner.flows.status import unmapped, unmapped_keys
from planner.sources import ADAPTERS, RECORDED
from planner.sources.feed import Source

EXIT_NOTHING_TAKEN = 1
KEYS_SHOWN_MAX = 5


def refresh(source: str | None, from_file: Path | None, *, keys: bool, as_json: bool) -> None:
    """Refresh the enabled sources, or one, or one from a file; exit 1 when no source was taken."""
    settings = read_settings()
    named(settings)  # a file goes by no feed, and a wrong setting is none the better for it
    store = store_of(settings)
    began = time.monotonic()
    mapped = mapped_of(settings)
    know_layouts(store, [one.layout for one in mapped])
    if from_file is not None:
        readable: dict[str, Source] = {**ADAPTERS, **{one.name: one for one in mapped}}
        adapter = readable.get(source or "")
        if adapter is None:
            raise InvalidInput("source", f"--from-file needs one of {', '.join(readable)}")
        summary = refresh_from_file(
            store, adapter.name, adapter, {adapter.file_url: _bytes(from_file)}, now(), actor="cli",
            bounds=settings.bounds(),
        )  # fmt: skip
    else:
        sources = enabled(settings)
        if source is not None:
            if source not in sources:
                raise InvalidInput("source", _not_on(source, sources))
            sources = {source: sources[source]}
        with _bars() as bars:
            tasks: dict[str, TaskID] = {name: bars.add_task(name, total=None) for name in sources}
            summary = refresh_flow(
                store, sources, now(),
                lambda name, done, total: bars.update(tasks[name], completed=done, total=total), actor="cli",
                bounds=settings.bounds(),
            )  # fmt: skip
    if as_json:
        from planner.api.operations import summary_shape

        show.json_out(summary_shape(summary))
    else:
        print_summary(summary, time.monotonic() - began, keys_max=0 if keys else KEYS_SHOWN_MAX)
        if keys:
            print_keys(unmapped_keys(store, [line.source for line in summary.sources]))
    if summary.sources and all(line.error_code is not None for line in summary.sources):
        raise SystemExit(EXIT_NOTHING_TAKEN)


def _not_on(source: str, sources: Sources) -> str:
    others = [name for name in ADAPTERS if name not in sources]
    if source in others:
        on = ",".join([*(name for name in sources if name in ADAPTERS), source])
        return f"{source} is turned off, and PLANNER_SOURCES={on} planner refresh {source} turns it on"
    return (
        f"one of {', '.join(sources) or 'none (all are turned off)'} is needed; "
        f"PLANNER_SOURCES may also name {', '.join(others) or 'no other'}"
    )


def _bars() -> Progress:
    columns = (TextColumn("{task.description:<14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=show.err, disable=not show.err.is_terminal)


def _bytes(path: Path) -> bytes:
    body = file_bytes(path, "from_file")
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def print_summary(summary: RefreshSummary, seconds: float, *, keys_max: int = KEYS_SHOWN_MAX) -> None:
    """Print a line per source with the reasons by code, the commonest keys nobody has mapped, and how long it took."""
    headings = [("source", "left"), ("outcome", "left")]
    numbers = [(name, "right") for name in ("rows", "priced", "unpriced", "refused", "merged", "held")]
    show.table("refresh", [*headings, *numbers, ("why", "left")], [_row(line) for line in summary.sources])
    for line in summary.sources:
        if keys_max and (found := unmapped(line.notes)):
            listed = ", ".join(f"{key} {count}" for key, count in list(found.items())[:keys_max])
            more = f", and {len(found) - keys_max} more: planner status --keys" if len(found) > keys_max else ""
            show.note(f"{line.source}: price keys read and not mapped: {listed}{more}")
    if summary.revision is None:
        show.line(f"Nothing changed; nothing was published. ({seconds:.1f} s)")
    else:
        show.line(
            f"Published revision {summary.revision}: {summary.cards_opened} price cards opened, "
            f"{summary.cards_closed} closed, {summary.alerts} alerts. ({seconds:.1f} s)"
        )
    if summary.held:
        show.line(f"{len(summary.held)} new prices wait for a person: planner holds list")
    for line in summary.sources:
        if line.hold_state == "waiting":
            show.line(f"{line.source}: the whole list waits for a person as hold {line.hold}: planner holds list")
        elif line.hold is not None:
            show.line(f"{line.source}: such a list was rejected: planner holds reopen {line.hold} to think it over")


def print_keys(found: Mapping[str, Mapping[str, int]]) -> None:
    """Print every price key nobody has mapped, with how many rows of the last reading have it."""
    rows = [(source, key, count) for source, keys in found.items() for key, count in keys.items()]
    if not rows:
        show.line("Every price key of the last readings is mapped.")
        return
    show.table("price keys read and not mapped", [("source", "left"), ("key", "left"), ("rows", "right")], rows)


def _row(line: SourceSummary) -> tuple[object, ...]:
    why = line.error_code or ", ".join(
        f"{code} {count}" for code, count in {**line.unpriced_reasons, **line.refused_reasons}.items()
    )
    if line.error_detail:
        why = f"{why}: {line.error_detail}"
    if line.outcome != "published":
        return (line.source, line.outcome, "", "", "", "", "", "", why)
    counts = (line.rows_read, line.priced, line.unpriced, line.refused, line.merged, line.held)
    return (line.source, line.outcome, *counts, why)


def status(*, keys: bool, as_json: bool) -> None:
    """Print the revision and the state of every source, or the price keys each of them has and nobody has mapped."""
    from planner.api.operations import source_shape
    from planner.flows.status import sources as states

    settings = read_settings()
    names, present = named(settings), now()
    catalogue = view_of(settings).catalogue
    store = store_of(settings)
    rows = [source_shape(row, present) for row in states(store, names)]
    if as_json or keys:
        found = unmapped_keys(store, [row["source"] for row in rows])
        if not as_json:
            print_keys(found)
            return
        written = [{**row, "unmapped": found[row["source"]]} for row in rows]
        show.json_out({"revision": catalogue.revision, "stale": catalogue.stale(present), "sources": written})
        return
    columns = ("source", "state", "last_success", "last_change", "rows", "priced", "unpriced", "refused", "holds")
    stale = ", stale" if catalogue.stale(present) else ""
    show.table(
        f"revision {catalogue.revision}{stale}",
        [*((name, "left") for name in columns), ("error", "left")],
        [(*(row[name] for name in columns), _trouble(row)) for row in rows],
    )


def _trouble(row: Mapping[str, Any]) -> str:
    if row["error"] is None:
        return ""
    pause = f"; next asked after {row['retry_at']}" if row["state"] == "paused" else ""
    return f"{row['error']['code']}{pause}"


def bundle(out: Path, files: list[str], *, as_json: bool) -> None:
    """Write a bundle from recorded feeds, given as SOURCE=FILE@DATE."""
    from planner.flows.bundle import write_bundle
    from planner.flows.seeds import curated_rows
    from planner.places import seeds_dir
    from planner.store.registry import load_names

    licences = {row["name"]: row["licence"] for row in curated_rows(seeds_dir())["sources"]}
    store = store_of(read_settings())
    readings = []
    for word in files:
        name, equals, rest = word.partition("=")
        path, at, day = rest.rpartition("@")
        if not equals or not at or name not in RECORDED:
            raise InvalidInput(word[:80], f"SOURCE=FILE@DATE is needed, with a source of {', '.join(RECORDED)}")
        with store.read() as connection:
            names = load_names(connection, name)
        observed_at = datetime.fromisoformat(day).replace(tzinfo=UTC)
        readings.append(RECORDED[name](_bytes(Path(path)), names, observed_at))
    with show.err.status("writing"):
        count = write_bundle(out, readings, licences)
    if as_json:
        show.json_out({"file": out.name, "claims": count, "sources": len(readings), "bytes": out.stat().st_size})
    else:
        show.line(f"{out.name}: {count} claims of {len(readings)} sources, {out.stat().st_size} bytes")
