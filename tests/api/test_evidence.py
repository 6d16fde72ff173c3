"""Evidence over HTTP: what is entered grants, what is ended does not, and a feed is believed row by row."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from planner.core.terms import Confidence
from planner.store import audit, terms
from planner.store.engine import Store
from planner.store.revision import bump
from tests import make
from tests.api.test_policies import WHY, open_client

NOW = datetime.now(UTC)  # noqa: TID251  # the server's clock is the real one
STAMPS = {
    "source_url": "https://acme.example/privacy", "verified_at": (NOW - timedelta(days=1)).isoformat(),
    "expires_at": (NOW + timedelta(days=300)).isoformat(), "confidence": "contract",
}  # fmt: skip
GOOD = {
    "trains_on_prompts": False,
    "retains_prompts": False,
    "zdr": True,
    "zdr_scope": "all_credentials",
    **STAMPS,
    **WHY,
}
RANK = {"usage": {"input_tokens": 1_000, "output_tokens": 100}, "policy": "zero-retention"}


@pytest.fixture
def client(installed_copy: Store) -> Iterator[TestClient]:
    """A client with the admin key, over a catalogue it may write."""
    with open_client(installed_copy) as made:
        yield made


def allowed(client: TestClient, provider: str) -> int:
    """Count the direct offers of a provider that pass zero-retention."""
    items = client.post("/v1/costs/rank", json=RANK).json()["items"]
    return sum(item["provider"] == provider and item["channel"] == "direct" for item in items)


def test_a_contract_that_is_entered_lets_in_and_out_again(client: TestClient) -> None:
    """One's own key passes with one's own agreement; the stricter of two stands until a person ends it."""
    assert allowed(client, "deepinfra") == 0
    first = client.post("/v1/providers/deepinfra/terms", json=GOOD).json()
    assert "upstream.zdr" in first["widens"]
    assert allowed(client, "deepinfra") > 5
    worse = client.post("/v1/providers/deepinfra/terms", json={**GOOD, "trains_on_prompts": True}).json()
    assert worse["ended"] == first["entered"]
    assert worse["widens"] == []
    assert allowed(client, "deepinfra") == 0
    ended = client.post(f"/v1/terms/{worse['entered'][0]}/end", json=WHY).json()
    assert ended["ended"] == worse["entered"]
    assert client.post(f"/v1/terms/{worse['entered'][0]}/end", json=WHY).status_code == 404


def test_an_offers_own_row_stands_before_its_providers(client: TestClient) -> None:
    """For that offer alone; and a broker's row for everybody who goes through it."""
    offer = client.get("/v1/offers", params={"provider": "openai", "channel": "direct"}).json()["items"][0]["offer"]
    assert client.post(f"/v1/offers/{offer}/terms", json=GOOD).status_code == 200
    (upstream,) = client.get(f"/v1/offers/{offer}/terms").json()["effective"]["parties"]
    assert (upstream["zdr"], upstream["conflicts"]) == (True, [])
    assert client.post("/v1/providers/deepinfra/terms", json=GOOD).status_code == 200
    bad = {"broker_may_train": True, **STAMPS, **WHY}
    assert client.post("/v1/channels/openrouter/terms", json=bad).status_code == 200
    items = client.post("/v1/costs/rank", json=RANK).json()["items"]
    assert items
    assert not any(item["channel"] == "openrouter" for item in items)


def test_a_feed_is_believed_row_by_row(client: TestClient, installed_copy: Store) -> None:
    """Accepted as it stood, a claim grants; a stricter word of the feed takes it away; its row can be dismissed."""
    said = make.terms(
        "groq", id="feed:1", source="openrouter_all_providers", curated=False, trains_on_prompts=False,
        retains_prompts=False, confidence=Confidence.BROKER_CLAIM,
    )  # fmt: skip
    with installed_copy.write() as connection:
        terms.close(connection, [row.id for row in terms.load(connection)["provider", "groq"]], NOW, by="t")
        terms.insert(connection, [said], NOW)
        bump(connection, policy=True)
    assert allowed(client, "groq") == 0
    body = {"expires_at": STAMPS["expires_at"], **WHY}
    assert client.post("/v1/terms/feed:1/accept", json=body).status_code == 200
    assert allowed(client, "groq") > 0
    strict = make.terms("groq", id="feed:2", source="openrouter_all_providers", curated=False, retains_prompts=True)
    with installed_copy.write() as connection:
        terms.hear(connection, [strict], NOW)
        bump(connection, policy=True)
    assert allowed(client, "groq") == 0
    rows = client.get("/v1/terms", params={"subject": "groq"}).json()["items"]
    assert {row["source"] for row in rows} == {"openrouter_all_providers"}
    accepted = next(row["id"] for row in rows if row["curated"])
    assert client.post(f"/v1/terms/{accepted}/accept", json=body).json()["code"] == "conflict"
    assert client.post("/v1/terms/feed:2/end", json=WHY).status_code == 200
    assert allowed(client, "groq") > 0
    past = {"expires_at": "2020-01-01T00:00:00Z", **WHY}
    assert client.post("/v1/terms/feed:2/accept", json=past).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [({"retains_prompts": True, "retention_days": 0}, "retention_days"), ({"confidence": "sure"}, "confidence")],
)
def test_evidence_that_cannot_be_is_refused(client: TestClient, change: dict[str, Any], field: str) -> None:
    """422 with the fact, and nothing is on record."""
    answer = client.post("/v1/providers/deepinfra/terms", json={**GOOD, **change})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert client.get("/v1/terms", params={"source": "entered"}).json()["items"] == []


def test_nobody_enters_evidence_about_a_stranger(client: TestClient) -> None:
    """A misspelt provider is not a new one."""
    for path in ("/v1/providers/DeepInfra/terms", "/v1/channels/none/terms", "/v1/offers/direct:x/y/terms"):
        assert client.post(path, json=GOOD).status_code == 404
    only = {**STAMPS, **WHY}
    assert client.post("/v1/providers/deepinfra/terms", json=only).status_code == 422


@pytest.mark.parametrize("form", ["csv", "toml"])
def test_an_export_is_taken_in_again_without_a_change(client: TestClient, installed_copy: Store, form: str) -> None:
    """Every row survives the way out and back; one changed fact is one entry; one mistake is none."""
    client.post("/v1/providers/deepinfra/terms", json={**GOOD, "certifications": [], "datacenter_countries": ["DE"]})
    text = client.get("/v1/terms/export", params={"format": form}).text
    ask = {"format": form, "reason": "again"}
    told = client.post("/v1/terms/import", params=ask, content=text).json()["terms"]
    assert len(told) >= 90
    assert {line["outcome"] for line in told} == {"unchanged"}
    changed = text.replace("DE", "FI", 1) if form == "toml" else text.replace(",DE,", ",FI,", 1)
    assert (
        client.post("/v1/terms/import", params=ask, content=changed.replace("deepinfra", "deepinfro")).status_code
        == 422
    )
    more = client.post("/v1/terms/import", params=ask, content=changed).json()["terms"]
    assert [line["subject"] for line in more if line["outcome"] == "entered"] == ["deepinfra"]
    with installed_copy.read() as connection:
        assert len([row for row in terms.load(connection)["provider", "deepinfra"] if row.source == "entered"]) == 1
        assert audit.verify(connection) is None


@pytest.mark.parametrize(
    ("form", "text", "place"),
    [
        ("csv", "subject_kind,subject,zdr\nprovider,groq,maybe\n", "line 2: zdr"),
        ("csv", "subject_kind,subject,zdr\nprovider,groq,yes\n", "line 2: source_url"),
        ("csv", "subject_kind,subject,note\nprovider,groq,n\n", "line 2: terms"),
        ("toml", '[[terms]]\nsubject_kind = "provider"\nsubject = "groq"\nzdr = 1\n', "terms 1: zdr"),
        ("toml", '[[terms]]\nsubject_kind = "provider"\nsubject = "groq"\nsecret = 1\n', "terms 1: terms"),
        ("toml", '[[terms]]\nsubject_kind = "provider"\nsubject = "groq"\nnote = 1\n', "terms 1: note"),
        ("toml", '[[terms]]\nsubject_kind = "provider"\nsubject = "x"\nconfidence = "sure"\n', "terms 1: confidence"),
        ("toml", '[[terms]]\nsubject_kind = "model"\nsubject = "x"\nzdr = true\n', "terms 1: source_url"),
        ("toml", '[[terms]]\nsubject_kind = "provider"\nsubject = "groq"\nverified_at = 1\n', "terms 1: verified_at"),
    ],
)  # fmt: skip
def test_one_mistake_in_a_file_stores_nothing(client: TestClient, form: str, text: str, place: str) -> None:
    """The line and the fact are named."""
    answer = client.post("/v1/terms/import", params={"format": form, "reason": "r"}, content=text)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, place)


def test_what_grants_more_waits_for_a_second_person(installed_copy: Store) -> None:
    """What takes away is entered at once."""
    with open_client(installed_copy, two_people=True) as client:
        waits = client.post("/v1/providers/deepinfra/terms", json=GOOD).json()
        assert waits["state"] == "waiting"
        strict = {"trains_on_prompts": True, **STAMPS, "confidence": "derived", **WHY}
        assert "entered" in client.post("/v1/providers/openai/terms", json=strict).json()
