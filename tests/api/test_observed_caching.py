"""A share of cached prompt tokens that a feed observed: what it changes over HTTP, and everything it leaves alone."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from starlette.testclient import TestClient

from planner.flows.bundle import read_bundle
from planner.places import seeds_dir
from planner.store import tables as t
from planner.store.engine import Store
from planner.store.load import load_catalogue
from planner.store.publish import publish
from planner.store.record import Published
from tests.api.test_desk import LATER, client, store

__all__ = ["client", "store"]

POLLED = "/v1/plans/small/tasks/chat/recommendation"
SHARE = Decimal("0.93")


def plan(client: TestClient, *, observed: bool) -> dict[str, Any]:
    """Write a plan whose task goes by observed shares, or does not, and return what is chosen for it."""
    workload = {"input_tokens": 1_800, "output_tokens": 350, "requests_per_period": 400, "cache_hit_observed": observed}
    task = {"id": "chat", "workload": workload, "needs": {"models": ["deepseek/deepseek-v3.2"]}}
    document = {"name": "Small", "price_usd": "9.00", "tasks": [task], "reason": "for the test"}
    assert client.put("/v1/plans/small", json=document).status_code == 200
    return chosen(client)


def chosen(client: TestClient) -> dict[str, Any]:
    """Return what is chosen for the plan's task."""
    choice: dict[str, Any] = client.get(POLLED).json()["choice"]
    return choice


def observe(store: Store, offer: str) -> Published:
    """Publish the bundled OpenRouter list once more, now with a share of one offer."""
    bundle = seeds_dir() / "catalogue-2026-11-23.jsonl.gz"
    reading = next(reading for reading in read_bundle(bundle) if reading.source == "openrouter")
    claims = tuple(
        replace(claim, facts=replace(claim.facts, cache_hit_share=SHARE)) if claim.offer_id == offer else claim
        for claim in reading.claims
    )
    assert claims != reading.claims
    with store.write() as connection:
        return publish(connection, [replace(reading, claims=claims)], at=LATER, actor="t", reason="t")


def test_an_observed_share_makes_a_task_that_goes_by_it_cheaper(client: TestClient, store: Store) -> None:
    """Of the same offer 93 % of the prompt is read from its cache; a task that does not go by it has no hits."""
    before = plan(client, observed=True)
    assert {line["unit"] for line in before["lines"]} == {"input_token", "output_token"}
    observe(store, before["offer"])
    after = chosen(client)
    assert after["offer"] == before["offer"]
    assert {line["unit"]: line["quantity"] for line in after["lines"]} == {
        "input_token": 126, "cache_read_token": 1_674, "output_token": 350,
    }  # fmt: skip
    assert Decimal(after["cost_usd"]) < Decimal(before["cost_usd"])
    assert plan(client, observed=False)["cost_usd"] == before["cost_usd"]


def test_an_offer_shows_its_observed_share(client: TestClient, store: Store) -> None:
    """Null where nobody stated one."""
    offer = "openrouter:novita/deepseek/deepseek-v3.2@fp8"
    shown = [client.get("/v1/offers", params={"id": offer}).json()["items"][0]["cache_hit_share"]]
    observe(store, offer)
    shown.append(client.get("/v1/offers", params={"id": offer}).json()["items"][0]["cache_hit_share"])
    assert shown == [None, "0.93"]


def test_an_observed_share_moves_no_price(store: Store) -> None:
    """No card opens or closes, nothing begins or ceases to wait, no offer comes or goes, and nobody is told."""

    def standing() -> tuple[object, ...]:
        with store.read() as connection:
            catalogue = load_catalogue(connection)
            held = connection.execute(sa.select(t.holds).order_by(t.holds.c.id)).all()
            alerts = connection.scalar(sa.select(sa.func.count()).select_from(t.alerts))
        unshared = [replace(o, facts=replace(o.facts, cache_hit_share=None)) for o in catalogue.offers]
        return unshared, dict(catalogue.cards), held, alerts

    before = standing()
    done = observe(store, "openrouter:novita/deepseek/deepseek-v3.2@fp8")
    assert (done.quotes["openrouter"], done.withdrawn["openrouter"], done.opened, done.closed) == (1, 0, 0, 0)
    assert standing() == before
