"""A fresh database becomes one that answers: the curated registry, then the bundled catalogue, oldest first."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from planner.flows import seeds
from planner.flows.bundle import read_bundle
from planner.places import seeds_dir
from planner.sources.mapping import Layout
from planner.store import audit, fetches, json_text, plans, registry, terms
from planner.store.engine import Connection, Store
from planner.store.publish import publish
from planner.store.revision import bump, read_heads

ACTOR = seeds.PLANNER
BUNDLES = "catalogue-*.jsonl.gz"


def install(store: Store, at: datetime, folder: Path | None = None, *, bundle: bool = True) -> None:
    """Load what travels with planner into a database; what a person decided there is left alone.

    Each step is one transaction and leaves a mark in the audit trail, so that an interrupted install goes on
    where it stopped and a second one does nothing. Without ``bundle`` there are no prices before the first refresh.
    """
    source = folder or seeds_dir()
    store.tell(lambda connection: _load_registry(connection, source, at))
    paths = sorted(source.glob(BUNDLES)) if bundle else []
    loaded = [store.tell(lambda connection, path=path: _load_bundle(connection, path, at)) for path in paths]  # type: ignore[misc]  # bound per path
    if any(loaded):
        # Compiling the catalogue needs numpy, which a second start need not wait for.
        from planner.flows.plans import review  # noqa: PLC0415

        store.tell(lambda connection: review(connection, at))


def know_layouts(store: Store, layouts: Sequence[Layout]) -> None:
    """Make lists that are read by mapping files known as sources; their terms stay unknown until entered."""
    if not layouts:
        return

    def story(connection: Connection) -> None:
        for layout in layouts:
            row = {
                "name": layout.name,
                "title": layout.title,
                "url": layout.url,
                "licence": layout.licence,
                "rank": layout.rank,
                "own_channel": None if layout.channel == "direct" else layout.channel,
                "interval_minutes": layout.interval_minutes,
                "stale_after_hours": layout.stale_after_hours,
            }
            registry.register_source(connection, row, layout.channel, layout.provider)

    store.tell(story)


def _load_registry(connection: Connection, folder: Path, at: datetime) -> None:
    subject = f"seeds {seeds.digest(folder)[:16]}"
    if audit.happened(connection, "seeds.load", subject):
        return
    rows = seeds.curated_rows(folder)
    changed = registry.write_curated(connection, {**rows, **_as_text(rows)})
    plans.plant(connection, rows["plans"])
    registry.write_policies(connection, seeds.policies(folder), at, ACTOR)
    terms.plant(connection, seeds.terms(folder), at)
    registry.write_scores(connection, seeds.scores(folder))
    after = {**{table: len(listed) for table, listed in rows.items()}, "aliases_changed": changed}
    audit.record(
        connection, at=at, actor=ACTOR, action="seeds.load", subject=subject, after=after,
        before={"seeds": audit.newest(connection, "seeds.load")}, reason="what this version of planner knows by itself",
    )  # fmt: skip
    bump(connection, policy=True)


def _as_text(rows: dict[str, list[dict[str, object]]]) -> dict[str, list[dict[str, object]]]:
    return {
        "providers": [{**row, "creator_of": json_text.dump(row["creator_of"])} for row in rows["providers"]],
    }


def _load_bundle(connection: Connection, path: Path, at: datetime) -> bool:
    if audit.happened(connection, "bundle.load", path.name):
        return False
    readings = list(read_bundle(path))
    # Once a source was read live, its bundled words are older than what it said itself.
    spoken = fetches.spoken(connection)
    fresh = [reading for reading in readings if reading.source not in spoken]
    before = read_heads(connection).catalogue
    done = publish(connection, fresh, at=at, actor=ACTOR, reason=f"bundle {path.name}", announce=False)
    audit.record(
        connection, at=at, actor=ACTOR, action="bundle.load", subject=path.name, before={"revision": before},
        after={"revision": done.revision}, reason="prices to answer from before the first refresh",
    )  # fmt: skip
    return True
