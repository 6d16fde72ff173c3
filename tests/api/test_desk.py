"""The admin's desk over HTTP: what waits, what is pending, what was agreed; every write for one state, and once."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.app import build
from planner.core.claim import Reading
from planner.core.units import Unit
from planner.settings import Settings
from planner.store import audit, keys
from planner.store.engine import Store, open_store
from planner.store.load import load_catalogue
from planner.store.publish import publish
from tests import make
from tests.api.test_contract import ADMIN, problem
from tests.loopback import Feed, listing

PEPPER = "pepper"
LATER = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
def store(installed: Store, tmp_path: Path) -> Iterator[Store]:
    """A copy of the installed database that a test may write."""
    path = tmp_path / "desk.sqlite3"
    with (
        closing(sqlite3.connect(installed.engine.url.database or "")) as source,
        closing(sqlite3.connect(path)) as made,
    ):
        source.backup(made)
    opened = open_store(f"sqlite:///{path}")
    yield opened
    opened.close()


@pytest.fixture
def client(store: Store) -> Iterator[TestClient]:
    """A client with the admin key."""
    settings = Settings(admin_key=SecretStr(ADMIN), key_pepper=SecretStr(PEPPER), webhook_hosts="127.0.0.1:9")
    with TestClient(build(settings, store), headers={"Authorization": f"Bearer {ADMIN}"}) as made:
        yield made


def key(store: Store, role: str) -> dict[str, str]:
    """Make a key of a role and return its header."""
    made = store.tell(
        lambda connection: keys.create(
            connection, PEPPER.encode(), name=role, role=role, policies=None, expires_at=None, actor="t",
            at=datetime(2026, 1, 1, tzinfo=UTC),
        )
    )  # fmt: skip
    return {"Authorization": f"Bearer {made}"}


def test_a_hold_is_approved_once_and_published(client: TestClient, store: Store) -> None:
    """The bundled catalogue's doubtful prices wait; approving one publishes it, and it leaves the queue."""
    listed = client.get("/v1/holds").json()["items"]
    held = next(hold for hold in listed if hold["reasons"][0]["code"] == "cache_above_input")
    offer = client.get("/v1/offers", params={"id": held["offer"]}).json()["items"][0]
    assert offer["priced"] is False
    revision = client.get("/v1/status").json()["revision"]
    answer = client.post(f"/v1/holds/{held['id']}/approve", json={"reason": "the vendor's page says so"})
    assert (answer.status_code, answer.json()["state"], answer.json()["decided_by"]) == (
        200, "approved", "key:PLANNER_ADMIN_KEY",
    )  # fmt: skip
    after = client.get("/v1/offers", params={"id": held["offer"]}).json()
    assert (after["items"][0]["priced"], after["revision"]) == (True, revision + 1)
    problem(client.post(f"/v1/holds/{held['id']}/reject", json={"reason": "no"}), 409, "conflict")
    problem(client.post("/v1/holds/4711/reject", json={"reason": "no"}), 404, "not_found")
    problem(client.post(f"/v1/holds/{held['id']}/approve", json={}), 422, "invalid")
    assert held["id"] not in {hold["id"] for hold in client.get("/v1/holds").json()["items"]}
    with store.read() as connection:
        assert audit.verify(connection) is None


def test_a_decision_is_for_the_state_before_it_was_reopened(client: TestClient) -> None:
    """Rejected, looked at, reopened by somebody else: the first one's If-Match does not hold any more."""
    hold = client.get("/v1/holds").json()["items"][0]
    assert hold["diff"], "what would be published is shown, also where nothing was believed before"
    client.post(f"/v1/holds/{hold['id']}/reject", json={"reason": "odd"})
    seen = client.get(f"/v1/holds/{hold['id']}").headers["etag"]
    assert client.post(f"/v1/holds/{hold['id']}/reopen", json={"reason": "again"}).status_code == 200
    approved = client.post(f"/v1/holds/{hold['id']}/approve", json={"reason": "so"}, headers={"If-Match": seen})
    assert approved.status_code == 412


def test_lists_go_on_where_the_page_before_ended(client: TestClient) -> None:
    """Page by page everything comes once; a cursor of another list is refused."""
    whole = [hold["id"] for hold in client.get("/v1/holds").json()["items"]]
    found, cursor = [], None
    while True:
        page = client.get("/v1/holds", params={"limit": 7, **({"cursor": cursor} if cursor else {})}).json()
        found += [hold["id"] for hold in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == whole
    for path in (
        "/v1/holds",
        "/v1/aliases",
        "/v1/alerts",
        "/v1/refreshes",
        "/v1/price-changes?since=2026-01-01T00:00:00Z",
    ):
        problem(client.get(path, params={"cursor": "Z2FyYmFnZQ=="}), 422, "invalid")


def test_a_write_is_for_the_state_that_was_looked_at(client: TestClient) -> None:
    """Two admins look, the first writes, the second hears 412 and has changed nothing."""
    tag = client.get("/v1/contracts").headers["etag"]
    body = {
        "name": "frame", "provider": "openai", "discount_percent": "10", "valid_from": "2026-01-01T00:00:00Z",
        "reference": "17", "reason": "signed",
    }  # fmt: skip
    first = client.post("/v1/contracts", json=body, headers={"If-Match": tag})
    assert (first.status_code, first.headers["etag"] != tag) == (200, True)
    problem(client.post("/v1/contracts", json=body, headers={"If-Match": tag}), 412, "changed")
    assert len(client.get("/v1/contracts").json()["items"]) == 1


def test_the_same_write_twice_is_one_write(client: TestClient) -> None:
    """Under one key the second gets the first one's answer; another request under that key is refused."""
    body = {"currency": "EUR", "day": "2026-11-20", "usd": "1.1", "source": "ECB", "source_url": "u", "reason": "r"}
    headers = {"Idempotency-Key": "once"}
    first, second = (client.post("/v1/fx", json=body, headers=headers) for _ in range(2))
    assert first.json() == second.json() == {"currency": "EUR", "day": "2026-11-20", "usd": "1.1"}
    problem(client.post("/v1/fx", json={**body, "usd": "2"}, headers=headers), 409, "conflict")
    problem(client.post("/v1/fx", json=body, headers={"Idempotency-Key": ""}), 422, "invalid")
    assert client.get("/v1/fx", params={"currency": "EUR"}).json()["items"][0]["usd"] == "1.1"


def test_pending_spellings_are_settled_in_bulk_all_or_none(client: TestClient) -> None:
    """Those with most waiting offers come first; one wrong row refuses all; settled ones are offers of their model."""
    pending = client.get("/v1/aliases", params={"pending": True, "limit": 5}).json()
    assert pending["offers"] >= pending["pending"] > 100
    assert [row["offers"] for row in pending["items"]] == sorted(
        (row["offers"] for row in pending["items"]), reverse=True
    )
    one, two = pending["items"][:2]
    rows = [{"namespace": row["namespace"], "spelling": row["spelling"], "model": "acme/new-1"} for row in (one, two)]
    problem(client.post("/v1/aliases", json={"aliases": rows, "reason": "page"}), 422, "invalid")
    fresh = [{"model": "acme/new-1", "name": "New 1"}]
    done = client.post("/v1/aliases", json={"aliases": rows, "new_models": fresh, "reason": "the provider's page"})
    assert done.json() == {"settled": 2, "registered": 1, "held": 0}
    assert client.get("/v1/offers", params={"model": "acme/new-1"}).json()["items"][0]["model"] == "acme/new-1"
    after = client.get("/v1/aliases", params={"pending": True}).json()
    # What a documented grammar leads back to a settled spelling is settled with it.
    assert after["offers"] <= pending["offers"] - one["offers"] - two["offers"]
    found = client.get("/v1/aliases", params={"model": "acme/new-1"}).json()["items"]
    assert {row["settled_by"] for row in found} == {"key:PLANNER_ADMIN_KEY"}
    undone = [{**rows[0], "model": None}]
    assert client.post("/v1/aliases", json={"aliases": undone, "reason": "it is not"}).json()["settled"] == 1
    look_alike = [{"namespace": "deepseek", "spelling": "d\u0435epseek", "model": "acme/new-1"}]
    problem(client.post("/v1/aliases", json={"aliases": look_alike, "reason": "x"}), 422, "invalid")


def test_a_correction_separates_what_was_true_from_what_was_believed(client: TestClient) -> None:
    """October at another price, entered now: ``known_at`` before today still answers as it did."""
    offer = "direct:openai/gpt-4o-mini"
    ask: dict[str, Any] = {"offer": offer, "usage": {"input_tokens": 1_000_000}, "at": "2026-10-15T00:00:00Z"}
    before = client.post("/v1/costs", json=ask).json()
    seen = datetime.now(UTC).isoformat()  # noqa: TID251  # the server's clock is the real one
    body = {
        "valid_from": "2026-10-01T00:00:00Z", "valid_to": "2026-11-01T00:00:00Z",
        "rates": [{"unit": "input_token", "usd": "0.3", "per": 1_000_000}], "source_url": "https://invoice.test",
        "reason": "the invoice of October",
    }  # fmt: skip
    done = client.post("/v1/offers/corrections", params={"id": offer}, json=body)
    assert done.status_code == 200, done.text
    assert client.post("/v1/costs", json=ask).json()["total_usd"] == "0.3"
    assert client.post("/v1/costs", json={**ask, "known_at": seen}).json()["total_usd"] == before["total_usd"]
    assert (
        client.post("/v1/costs", json={**ask, "at": "2026-11-01T00:00:00Z"}).json()["total_usd"] == before["total_usd"]
    )
    changes = client.get("/v1/price-changes", params={"since": seen, "by": "recorded"}).json()["items"]
    told = [change["after"] for change in changes if change["offer"] == offer]
    assert {card["evidence"]["source"] for card in told} >= {"correction"}
    history = client.get("/v1/offers/prices", params={"id": offer}).json()["items"]
    believed = client.get("/v1/offers/prices", params={"id": offer, "known_at": seen}).json()["items"]
    assert len(history) == len(believed) + 2
    future = {**body, "valid_to": "2099-01-01T00:00:00Z"}
    problem(client.post("/v1/offers/corrections", params={"id": offer}, json=future), 422, "invalid")
    problem(client.post("/v1/offers/corrections", params={"id": "direct:no/body"}, json=body), 404, "not_found")


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/providers", "/v1/offers", "/v1/tiers", "/v1/offers/direct:openai/gpt-4o-mini/terms"]
)
def test_every_read_answers_for_an_earlier_knowledge(client: TestClient, path: str) -> None:
    """Before the installation nothing was believed; the revision says so."""
    then = {"known_at": "2026-11-24T11:00:00Z"}
    answer = client.get(path, params=then)
    if "terms" in path:
        problem(answer, 404, "not_found")
    else:
        assert (answer.status_code, answer.json()["revision"]) == (200, 0)
    assert client.get(path, params={"known_at": "2100-01-01T00:00:00Z"}).json()["revision"] > 0


def test_the_past_of_an_offer_that_is_gone_is_still_answered(client: TestClient, store: Store) -> None:
    """Last month's usage has its price, its history is there, and nobody is recommended it any more."""
    offer = "direct:openai/gpt-4o-mini"
    with store.read() as connection:
        catalogue = load_catalogue(connection)
    card = catalogue.cards[offer][-1]
    done = Reading(source=card.evidence.source, source_url="u", observed_at=LATER, rows_read=0, claims=(), whole=True)
    others = [source for source in catalogue.stale_from if source != card.evidence.source]
    with store.write() as connection:
        for source in (card.evidence.source, *others):
            publish(connection, [replace(done, source=source)], at=LATER, actor="t", reason="t", announce=False)
    question = {"offer": offer, "usage": {"input_tokens": 1_000_000}}
    before = client.post("/v1/costs", json={**question, "at": "2026-11-24T12:00:00Z"})
    assert before.json()["total_usd"] == card.rates[Unit.INPUT].base.usd_per_mtok()
    problem(client.post("/v1/costs", json={**question, "at": "2027-01-02T00:00:00Z"}), 409, "unpriced")
    history = client.get("/v1/offers/prices", params={"id": offer}).json()["items"]
    assert history[-1]["valid_to"] == "2026-11-25T00:00:00Z"
    assert client.get(f"/v1/offers/{offer}").json()["listed"] is False
    problem(client.get("/v1/offers/prices", params={"id": "direct:nobody/ever"}), 404, "not_found")


def test_a_mistyped_name_in_the_query_is_refused(client: TestClient) -> None:
    """Nobody reads ``att``, so nobody is told that the answer is of that moment; the polled route takes both dates."""
    problem(client.get("/v1/models", params={"att": "2026-01-01T00:00:00Z"}), 422, "invalid")
    path = "/v1/plans/pro/tasks/chat/recommendation"
    problem(client.get(path, params={"att": "x"}), 422, "invalid")
    problem(client.get(path, params={"at": "yesterday"}), 422, "invalid")
    dated = client.get(path, params={"at": "2026-11-24T12:00:00Z"}).json()
    assert dated["at"] == "2026-11-24T12:00:00Z"
    assert client.get(path, params={"known_at": "2026-11-24T12:00:30Z"}).status_code == 200


def test_what_was_only_cut_is_no_change_on_record(client: TestClient) -> None:
    """A correction is one change, of its stretch; the pieces around it say what they said."""
    offer = {"id": "direct:openai/gpt-4o"}
    body = {
        "valid_from": "2026-11-01T00:00:00Z", "valid_to": "2026-11-02T00:00:00Z", "source_url": "https://i.test",
        "rates": [{"unit": "input_token", "usd": "1", "per": 1000000}], "reason": "invoice",
    }  # fmt: skip
    assert client.post("/v1/offers/corrections", params=offer, json=body).status_code == 200
    params = {"since": "2026-11-24T12:00:30Z", "by": "recorded"}
    items = client.get("/v1/price-changes", params=params).json()["items"]
    begun = sorted(row["at"] for row in items if row["offer"] == offer["id"])
    assert begun == ["2026-11-01T00:00:00Z"]


def test_words_for_providers_are_settled_at_the_desk(client: TestClient, store: Store) -> None:
    """Those nobody has settled are listed with how much waits on each; settling them is all or none."""
    make.stranger(store, LATER)
    found = client.get("/v1/providers/words").json()
    assert found["pending"] == len(found["items"]) > 0
    assert found["offers"] == sum(row["offers"] for row in found["items"])
    first = found["items"][0]
    row = {"feed": first["feed"], "word": first["word"], "provider": "acme-inc"}
    problem(client.post("/v1/providers/words", json={"words": [row], "reason": "x"}), 422, "invalid")
    body = {"words": [row], "new_providers": [{"id": "acme-inc", "name": "Acme"}], "reason": "their page"}
    assert client.post("/v1/providers/words", json=body).json() == {"settled": 1}


def test_a_word_that_is_to_mean_a_provider_waits_for_a_second_person(store: Store) -> None:
    """The provider's evidence would speak for offers of nobody knows whom; agreed to, it is settled."""
    make.stranger(store, LATER)
    made = {"name": "second", "role": "admin", "policies": None, "expires_at": None, "actor": "t", "at": LATER}
    key = store.tell(lambda connection: keys.create(connection, PEPPER.encode(), **made))  # type: ignore[arg-type]  # they are
    settings = Settings(admin_key=SecretStr(ADMIN), key_pepper=SecretStr(PEPPER), two_people=True)
    with TestClient(build(settings, store), headers={"Authorization": f"Bearer {ADMIN}"}) as client:
        first = client.get("/v1/providers/words").json()["items"][0]
        row = {"feed": first["feed"], "word": first["word"], "provider": "deepinfra"}
        waits = client.post("/v1/providers/words", json={"words": [row], "reason": "their page"}).json()
        assert (waits["state"], waits["widens"]) == ("waiting", [f"{row['feed']}:{row['word']} as deepinfra"])
        place = f"/v1/proposals/{waits['proposal']}/approve"
        problem(client.post(place, json={"reason": "me too"}), 409, "conflict")
        other = {"Authorization": f"Bearer {key}"}
        assert client.post(place, json={"reason": "read it"}, headers=other).json() == {"settled": 1}


def test_a_source_is_refreshed_on_demand(store: Store) -> None:
    """A list that shrank to a handful waits; approved, it is read; a name that is not enabled is not found."""
    feed = Feed()
    feed.body = listing()
    with feed.serving() as url:
        settings = Settings(
            admin_key=SecretStr(ADMIN), key_pepper=SecretStr(PEPPER), sources="models_dev", models_dev_url=url
        )
        with TestClient(build(settings, store), headers={"Authorization": f"Bearer {ADMIN}"}) as client:
            first = client.post("/v1/sources/models_dev/refresh").json()
            waiting = client.get("/v1/holds", params={"source": "models_dev"}).json()["items"]
            held = next(row for row in waiting if row["offer"] is None)
            client.post(f"/v1/holds/{held['id']}/approve", json={"reason": "they closed shop"})
            answer = client.post("/v1/sources/models_dev/refresh").json()
            problem(client.post("/v1/sources/litellm/refresh"), 404, "not_found")
            refreshes = client.get("/v1/refreshes", params={"source": "models_dev"}).json()["items"]
            state = next(row for row in client.get("/v1/sources").json()["items"] if row["source"] == "models_dev")
    assert first["sources"][0]["error"]["code"] == held["reasons"][0]["code"] == "shrunk"
    assert (answer["sources"][0]["outcome"], answer["sources"][0]["priced"]) == ("published", 60)
    assert refreshes[0]["outcome"] == answer["sources"][0]["outcome"]
    assert state["state"] == "fresh"


def test_webhooks_and_alerts_are_managed(client: TestClient) -> None:
    """The secret is shown once; addresses that lead inwards are refused unless the settings trust them."""
    made = client.post("/v1/webhooks", json={"url": "http://127.0.0.1:9/hook", "kinds": ["price_rise"]})
    assert made.json()["secret"].startswith("whsec_")
    listed = client.get("/v1/webhooks").json()["items"]
    assert "secret" not in json.dumps(listed)
    assert client.post(f"/v1/webhooks/{made.json()['id']}/disable").status_code == 200
    problem(client.post("/v1/webhooks", json={"url": "http://127.0.0.1:8/hook"}), 422, "invalid")
    problem(client.post("/v1/webhooks", json={"url": "https://example.com/", "kinds": ["gossip"]}), 422, "invalid")
    assert client.get("/v1/alerts", params={"kind": "price_rise", "since": "2026-01-01T00:00:00Z"}).status_code == 200
    assert client.get("/v1/alerts/deliveries", params={"state": "dead"}).json() == {"items": [], "next_cursor": None}
    problem(client.post("/v1/alerts/deliveries/1/retry"), 404, "not_found")


@pytest.mark.parametrize("role", ["backend", "finance"])
def test_only_admins_write(client: TestClient, store: Store, role: str) -> None:
    """A backend reads none of the desk, finance reads it, and neither writes."""
    header = key(store, role)
    reads = (
        "/v1/holds",
        "/v1/aliases",
        "/v1/sources",
        "/v1/refreshes",
        "/v1/fees",
        "/v1/contracts",
        "/v1/fx",
        "/v1/alerts",
    )
    for path in reads:
        assert client.get(path, headers=header).status_code == (403 if role == "backend" else 200), path
    for path in (
        "/v1/holds/1/approve",
        "/v1/aliases",
        "/v1/fees",
        "/v1/contracts",
        "/v1/fx",
        "/v1/offers",
        "/v1/webhooks",
    ):
        problem(client.post(path, json={}, headers=header), 403, "forbidden")


def test_the_worst_case_of_time_is_an_answer(client: TestClient) -> None:
    """The first and the last moment there are, for both kinds of time."""
    for moment in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
        for name in ("at", "known_at"):
            assert client.get("/v1/tiers", params={name: moment}).status_code == 200
    last = {"since": "9999-12-30T00:00:00Z"}
    assert client.get("/v1/price-changes", params=last).json()["items"] == []
