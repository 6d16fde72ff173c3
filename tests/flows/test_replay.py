"""Two recorded days of OpenRouter one after the other, and the same day with every price multiplied."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from planner.core.doubt import Bounds
from planner.flows import hold
from planner.flows.refresh import RefreshSummary, refresh_from_file
from planner.flows.setup import install
from planner.sources import ADAPTERS
from planner.store import tables as t
from planner.store.engine import Store
from planner.store.registry import load_names
from tests.data import shared

FIRST, SECOND = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 7, 22, tzinfo=UTC)
LATER = datetime(2026, 7, 23, tzinfo=UTC)
SOURCE = "openrouter"


def capture(day: datetime) -> dict[str, Any]:
    """Read a recorded day."""
    path = shared(f"openrouter/or_endpoints_allmodels_{day:%Y-%m-%d}.json.gz")
    document: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()), parse_float=Decimal)
    return document


def replay(store: Store, document: dict[str, Any], at: datetime) -> RefreshSummary:
    """Refresh from a recorded day."""
    body = json.dumps(document, default=str).encode()
    adapter = ADAPTERS[SOURCE]
    return refresh_from_file(store, SOURCE, adapter, {adapter.file_url: body}, at, actor="test")


@pytest.fixture
def recorded(store: Store) -> Store:
    """A database with the registry that has read the first day."""
    install(store, FIRST, bundle=False)
    replay(store, capture(FIRST), FIRST)
    return store


def rows(document: dict[str, Any]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return the pricing objects of every (model, tag) as sent."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for model in document["models"]:
        for endpoint in model["endpoints"] or ():
            found.setdefault((model["id"], endpoint["tag"]), []).append(endpoint["pricing"])
    return found


def repriced_in_the_files(store: Store) -> set[str]:
    """Return the offers of which a price key is present on both days with another value, from the raw files alone."""
    before, after = rows(capture(FIRST)), rows(capture(SECOND))
    with store.read() as connection:
        names = load_names(connection, SOURCE)
    offers = set()
    for model, tag in set(before) & set(after):
        # Both days hold the same two pairs of twins, with the same prices.
        old, new = before[model, tag][-1], after[model, tag][-1]
        keys = (set(old) & set(new)) - {"discount", "overrides"}
        if any(Decimal(old[key]) != Decimal(new[key]) for key in keys):
            slug, _slash, rest = tag.partition("/")
            seat = names.upstream(slug)
            assert seat is not None
            offers.add(f"openrouter:{seat.provider}/{model}" + (f"@{rest}" if rest else ""))
    return offers


def test_exactly_the_repriced_offers_are_published_or_held(recorded: Store) -> None:
    """80 offers have a price key that differs; each is published or waits, and no other is; one fell by more."""
    summary = replay(recorded, capture(SECOND), SECOND)
    wanted = repriced_in_the_files(recorded)
    with recorded.read() as connection:
        query = sa.select(t.holds.c.offer_id).where(t.holds.c.opened_at == SECOND, t.holds.c.diff != "[]")
        held = set(connection.execute(query).scalars())
    assert len(wanted) == 80
    assert set(summary.repriced) | held == wanted
    assert not set(summary.repriced) & held
    assert len(held) == 1


def test_the_same_day_twice_is_no_news(recorded: Store) -> None:
    """The same bytes again publish nothing; also when they are laid out in another order of keys."""
    again = replay(recorded, capture(FIRST), SECOND)
    assert (again.revision, again.repriced, again.held) == (None, (), ())
    reordered = dict(reversed(capture(FIRST).items()))
    other = replay(recorded, reordered, SECOND)
    assert (other.revision, other.repriced, other.held) == (None, (), ())


def scaled(document: dict[str, Any], factor: Decimal) -> dict[str, Any]:
    """Multiply every price of a day."""

    def change(node: Any, inside: bool) -> Any:
        if isinstance(node, dict):
            return {key: change(value, inside or key == "pricing") for key, value in node.items()}
        if isinstance(node, list):
            return [change(value, inside) for value in node]
        return str((Decimal(node) * factor).normalize()) if inside and isinstance(node, str) else node

    made: dict[str, Any] = change(document, False)
    return made


@pytest.mark.parametrize("factor", ["0.001", "1000"])
def test_another_unit_is_never_published(recorded: Store, factor: str) -> None:
    """Every price a thousandth or a thousandfold: nothing is published, and the whole feed waits for a person."""
    summary = replay(recorded, scaled(capture(FIRST), Decimal(factor)), SECOND)
    assert (summary.revision, summary.sources[0].error_code) == (None, "scaled")
    with recorded.read() as connection:
        waiting = connection.execute(sa.select(t.holds).where(t.holds.c.offer_id.is_(None))).one()
    assert (waiting.source, waiting.state) == (SOURCE, "waiting")
    assert {reason["code"] for reason in json.loads(waiting.reasons)} == {"scaled", "golden"}


def test_another_unit_let_in_by_mistake_is_undone_by_the_right_list(recorded: Store) -> None:
    """One approval lets a thousandth of every price in: all of them wait, and the day as it was ends that by itself."""
    replay(recorded, scaled(capture(FIRST), Decimal("0.001")), SECOND)
    bounds = Bounds()
    recorded.tell(
        lambda connection: hold.decide(
            connection, hold.queue(recorded)[0]["id"], hold.APPROVE, at=SECOND, actor="ada", reason="seems right",
            bounds=bounds,
        )
    )  # fmt: skip
    wrong = replay(recorded, scaled(capture(FIRST), Decimal("0.001")), SECOND)
    assert (wrong.sources[0].error_code, wrong.repriced, len(wrong.held)) == (None, (), 870)
    right = replay(recorded, capture(FIRST), LATER)
    assert (right.sources[0].error_code, right.repriced, right.held) == (None, (), ())
    assert hold.queue(recorded, state="waiting") == []


def test_a_small_rise_is_published_and_announced(recorded: Store) -> None:
    """Every price 5 % dearer: published at once, with one alert per offer; nothing waits for it."""
    summary = replay(recorded, scaled(capture(FIRST), Decimal("1.05")), SECOND)
    with recorded.read() as connection:
        alerts = connection.execute(sa.select(sa.func.count()).where(t.alerts.c.kind == "price_rise")).scalar()
    assert len(summary.repriced) == alerts
    assert len(summary.repriced) > 850
    assert summary.held == ()


def only(document: dict[str, Any], slug: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Change the endpoints of one provider."""
    models = [
        {
            **model,
            "endpoints": [
                change(endpoint) if endpoint["tag"].partition("/")[0] == slug else endpoint
                for endpoint in model["endpoints"] or ()
            ],
        }
        for model in document["models"]
    ]
    return {**document, "models": models}


def test_a_provider_cannot_win_by_underselling_itself(recorded: Store) -> None:
    """One provider's prices at a thousandth: none is published, every one waits, the others go on."""
    document = only(capture(SECOND), "deepinfra", lambda endpoint: scaled(endpoint, Decimal("0.001")))
    summary = replay(recorded, document, SECOND)
    cheap = [offer for offer in summary.repriced if offer.startswith("openrouter:deepinfra/")]
    held = [offer for offer in summary.held if offer.startswith("openrouter:deepinfra/")]
    assert cheap == []
    assert len(held) > 40
    assert len(summary.repriced) > 50
