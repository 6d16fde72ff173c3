"""The queue of evidence over HTTP: whose to read next, why, and what it is worth, for finance and admins."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from starlette.testclient import TestClient

from planner.store import keys, tables, terms
from planner.store.engine import Store
from planner.store.revision import bump
from tests import make
from tests.api.test_policies import PEPPER, POLLED, open_client

NOW = datetime.now(UTC)  # noqa: TID251  # the server's clock is the real one
QUEUE = "/v1/terms/queue"


@pytest.fixture
def client(installed_copy: Store) -> Iterator[TestClient]:
    """A client with the admin key, over a catalogue it may write."""
    with open_client(installed_copy) as made:
        yield made


def queue(client: TestClient, **asked: str | int) -> dict[str, Any]:
    """Return a page of the queue."""
    answer = client.get(QUEUE, params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_first_entry_says_what_to_read_and_what_it_saves(client: TestClient) -> None:
    """Its plans add up to its saving, and the facts are those that the API's body takes."""
    page = queue(client)
    first = page["items"][0]
    saved = [Fraction(plan["usd_per_period"]) for plan in first["plans"]]
    assert sum(saved) == Fraction(first["saves_usd_per_period"]) > 0
    assert saved == sorted(saved, reverse=True)
    assert (first["subject_kind"], first["kind"], first["costs_usd_per_period"]) == ("provider", "unknown", None)
    assert {"fact": "trains_on_prompts", "why": "unknown"} in first["facts"]
    assert (page["usage"], page["policies"], page["unasked"]) == (None, ["no-training", "zero-retention"], [])
    amounts = [Fraction(item["saves_usd_per_period"]) for item in page["items"]]
    assert amounts == sorted(amounts, reverse=True)


def test_pages_add_up_to_the_whole(client: TestClient) -> None:
    """A cursor goes on where the page before ended, and one of another list is refused."""
    whole = queue(client, limit=1000)["items"]
    page = queue(client, limit=90)
    pages = page["items"]
    while page["next_cursor"] is not None:
        page = queue(client, limit=90, cursor=page["next_cursor"])
        pages += page["items"]
    assert pages == whole
    assert client.get(QUEUE, params={"cursor": "bm9uc2Vuc2U="}).status_code == 422


def test_a_policy_may_be_asked_for_all_plans(client: TestClient) -> None:
    """Instead of their own; one that nobody knows is refused."""
    assert queue(client, policy="zero-retention")["policies"] == ["zero-retention"]
    refused = client.get(QUEUE, params={"policy": "none"})
    assert (refused.status_code, refused.json()["code"]) == (409, "unknown_policy")


def test_evidence_that_is_about_to_end_says_what_its_loss_costs(client: TestClient, installed_copy: Store) -> None:
    """Where a plan rests on it, the way to the next offer; and when it ends."""
    provider = client.get(POLLED).json()["choice"]["provider"]
    ends = NOW + timedelta(days=10)
    with installed_copy.write() as connection:
        held = terms.load(connection)["provider", provider]
        terms.close(connection, [row.id for row in held], NOW)
        terms.insert(connection, [make.terms(provider, id="mine", expires_at=ends)], NOW)
        bump(connection, policy=True)
    [entry] = [item for item in queue(client, limit=1000)["items"] if item["kind"] == "expiring"]
    assert entry["subject"] == provider
    assert datetime.fromisoformat(entry["expires_at"]) == ends
    assert Fraction(entry["costs_usd_per_period"]) > 0
    assert ("pro", "chat") in {(plan["plan"], plan["task"]) for plan in entry["plans"]}
    assert entry["saves_usd_per_period"] is None


def test_a_plan_that_would_get_its_first_offer_has_no_amount(client: TestClient, installed_copy: Store) -> None:
    """The reason says so, and the plan is named."""
    with installed_copy.write() as connection:
        held = [row.id for rows in terms.load(connection).values() for row in rows]
        terms.close(connection, held, NOW)
        bump(connection, policy=True)
    first = queue(client)["items"][0]
    assert first["saves_usd_per_period"] is None
    assert "would get their first compliant offer" in first["reason"]
    assert first["plans"][0]["usd_per_period"] is None


def test_without_plans_models_are_compared(client: TestClient, installed_copy: Store) -> None:
    """One request of the reference workload each; there is no period, and the reason says why."""
    with installed_copy.write() as connection:
        for table in (tables.plan_states, tables.plan_versions):
            connection.execute(table.delete())
        bump(connection, policy=True)
    page = queue(client)
    assert page["usage"] == {"input_tokens": 3_000, "output_tokens": 1_000, "requests": 1}
    assert page["policies"] == ["no-training"]
    first = page["items"][0]
    assert (first["saves_usd_per_period"], first["plans"]) == (None, [])
    assert first["reason"].startswith("no plan is stored")
    assert Fraction(first["saves_usd_per_request"]) > 0
    assert {"model", "offer", "usd_per_request"} == set(first["models"][0])


@pytest.mark.parametrize(("role", "status"), [("backend", 403), ("finance", 200)])
def test_finance_reads_the_queue_and_a_backend_does_not(installed_copy: Store, role: str, status: int) -> None:
    """It tells what plans cost."""
    with installed_copy.write() as connection:
        key = keys.create(
            connection, PEPPER.encode(), name=role, role=role, policies=None, expires_at=None, actor="test", at=NOW
        )  # fmt: skip
    with open_client(installed_copy, key) as made:
        assert made.get(QUEUE).status_code == status
