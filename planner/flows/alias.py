"""Spellings nobody has settled yet, how much waits on each, and settling them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from planner.core.catalogue import Catalogue
from planner.core.doubt import Bounds
from planner.core.offer import Offer, Route
from planner.flows import plans
from planner.store import aliases, provider_words, recall
from planner.store.engine import Connection, Store
from planner.store.publish import reconsider


@dataclass(frozen=True, slots=True)
class Pending:
    """A spelling nobody has settled: where it is used, how many offers wait on it, and one of them.

    ``model`` is the name that a feed gave it, None where it has none.
    """

    namespace: str
    spelling: str
    offers: int
    example: str
    model: str | None


def pending(catalogue: Catalogue) -> list[Pending]:
    """Return every spelling that waits to be settled, most offers first. Moving names and routers wait for nobody."""
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], Offer] = {}
    for offer in catalogue.offers:
        facts = offer.facts
        if not catalogue.settled(offer) and facts.route is Route.ENDPOINT:
            key = (facts.provider if facts.channel == "direct" else facts.channel, facts.model_spelling)
            counts[key] += 1
            examples.setdefault(key, offer)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [Pending(*key, count, examples[key].id, examples[key].model) for key, count in ordered]


def settle(
    connection: Connection,
    rows: Sequence[aliases.Settled],
    new_models: Sequence[tuple[str, str]],
    *,
    at: datetime,
    actor: str,
    reason: str,
    bounds: Bounds,
) -> dict[str, int]:
    """Register models, given as (id, name), and settle spellings, all or none.

    The prices of offers that have a model by now are held against what others ask for it: one that is doubtful then
    is believed no more, and waits.

    Raises:
        InvalidInput: names the first row that cannot be settled.
    """
    aliases.check_namespaces(connection, rows)
    registered = [
        aliases.register_model(connection, id_, name, at=at, actor=actor, reason=reason) for id_, name in new_models
    ]
    before = recall.models_of(connection)
    settled = aliases.settle(connection, rows, at=at, actor=actor, reason=reason)
    after = recall.models_of(connection) if settled else before
    named = [offer for offer, model in after.items() if model is not None and model != before[offer]]
    held = 0
    if named:
        why = f"{settled} spellings settled: {reason}"
        held = len(reconsider(connection, named, at=at, actor=actor, reason=why, bounds=bounds, named=True).held)
        plans.review(connection, at)
    return {"settled": settled, "registered": sum(registered), "held": held}


def pending_providers(store: Store) -> list[provider_words.Word]:
    """Return the words of feeds that mean no curated provider yet, most offers first."""
    with store.read() as connection:
        return provider_words.pending(connection)


def listed(
    store: Store, *, namespace: str | None, model: str | None, after: tuple[str, str], limit: int
) -> list[dict[str, Any]]:
    """Return settled spellings in order."""
    with store.read() as connection:
        return aliases.listed(connection, namespace=namespace, model=model, after=after, limit=limit)
