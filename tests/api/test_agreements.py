"""What was agreed beyond the list, over HTTP: fees, contracts, ways of paying and exchange rates have their days."""

import pytest
from starlette.testclient import TestClient

from tests.api.test_contract import QUESTION, problem
from tests.api.test_desk import client, store

__all__ = ["client", "store"]


def test_a_contract_makes_effective_costs_smaller_and_list_costs_stay(client: TestClient) -> None:
    """10 % off at one provider: its offer costs 0.9 of its list price, at once, and not before its first day."""
    question = {**QUESTION, "needs": {"models": ["openai/gpt-4o-mini"]}, "policy": "any-terms", "fallbacks": 0}
    before = client.post("/v1/explanations", json={**question, "offer": "direct:openai/gpt-4o-mini"}).json()
    body = {
        "name": "frame", "provider": "openai", "discount_percent": "10", "valid_from": "2026-01-01T00:00:00Z",
        "reference": "17", "reason": "signed",
    }  # fmt: skip
    id_ = client.post("/v1/contracts", json=body).json()["id"]
    after = client.post("/v1/explanations", json={**question, "offer": "direct:openai/gpt-4o-mini"}).json()
    assert float(after["cost_usd"]) == pytest.approx(float(before["cost_usd"]) * 0.9)
    choice = client.post("/v1/recommendations", json=question).json()["choice"]
    assert float(choice["cost_usd"]) <= float(choice["list_cost_usd"]) * 1.06
    early = client.post(
        "/v1/explanations", json={**question, "offer": "direct:openai/gpt-4o-mini", "at": "2025-12-31T00:00:00Z"}
    )
    assert early.json()["cost_usd"] == before["cost_usd"]
    ended = client.post(f"/v1/contracts/{id_}/end", json={"reason": "cancelled"}).json()
    on_record = [row["id"] for row in client.get("/v1/contracts").json()["items"]]
    assert (ended["contract"], [ended["goes_on_as"]]) == (id_, on_record)
    problem(client.post(f"/v1/contracts/{id_}/end", json={"reason": "again"}), 409, "conflict")
    again = client.post("/v1/explanations", json={**question, "offer": "direct:openai/gpt-4o-mini"}).json()
    assert again["cost_usd"] == before["cost_usd"]


def test_a_renewed_contract_ends_the_one_before(client: TestClient) -> None:
    """The new discount counts from its day on, also where it is the larger one; another overlap is refused."""
    body = {
        "name": "frame", "provider": "mistral", "discount_percent": "10", "valid_from": "2026-01-01T00:00:00Z",
        "reference": "17", "reason": "signed",
    }  # fmt: skip
    client.post("/v1/contracts", json=body)
    client.post("/v1/contracts", json={**body, "discount_percent": "20", "valid_from": "2026-11-01T00:00:00Z"})
    found = [row for row in client.get("/v1/contracts").json()["items"] if row["provider"] == "mistral"]
    assert sorted((row["discount_percent"], row["valid_to"]) for row in found) == [
        ("10", "2026-11-01T00:00:00Z"), ("20", None),
    ]  # fmt: skip
    problem(client.post("/v1/contracts", json={**body, "valid_from": "2026-06-01T00:00:00Z"}), 409, "conflict")


def test_paying_with_ones_own_keys_changes_the_brokers_fee(client: TestClient) -> None:
    """Credit costs 5.5 %; own keys nothing below the allowance, and 2.5 % at twice of it."""

    def fee() -> str:
        rows = client.get("/v1/fees").json()["items"]
        ours = [row for row in rows if row["channel"] == "openrouter" and row["chosen"] and not row["valid_to"]]
        return str(ours[0]["share_of_list_price"])

    assert fee() == "0.055"
    for volume, share in (("20000", "0"), ("50000", "0.025"), (None, "0.05")):
        body = {"channel": "openrouter", "payment": "own_key", "list_usd_per_month": volume}
        assert client.post("/v1/fees/payments", json=body).status_code == 200
        assert fee() == share
    problem(client.post("/v1/fees/payments", json={"channel": "nobody", "payment": "credit"}), 404, "not_found")


def test_a_fee_is_entered_and_ended(client: TestClient) -> None:
    """It has its number, its day and its source, and counts from then on; more than all of the price is refused."""
    body = {
        "channel": "requesty", "percent": "3", "basis": "markup", "valid_from": "2026-11-01T00:00:00Z",
        "source_url": "https://requesty.ai", "reason": "their page",
    }  # fmt: skip
    problem(client.post("/v1/fees", json={**body, "percent": "101"}), 422, "invalid")
    id_ = client.post("/v1/fees", json=body).json()["id"]
    assert id_ > 1_000
    assert client.post(f"/v1/fees/{id_}/end", json={"reason": "wrong"}).status_code == 200
    problem(client.post("/v1/fees/999/end", json={"reason": "wrong"}), 404, "not_found")


def share(client: TestClient, channel: str, at: str, known_at: str | None = None) -> list[str]:
    """Return the shares of list price a channel charges at a moment."""
    params = {} if known_at is None else {"known_at": known_at}
    rows = client.get("/v1/fees", params=params).json()["items"]
    return [
        row["share_of_list_price"]
        for row in rows
        if row["channel"] == channel and row["chosen"] and row["valid_from"] <= at
        and (row["valid_to"] is None or at < row["valid_to"])
    ]  # fmt: skip


def test_a_new_fee_takes_the_place_of_the_one_before(client: TestClient) -> None:
    """6 % from December on: 5.5 % until then, never 11.5 %; one that lies within another is refused."""
    body = {
        "channel": "openrouter", "percent": "6", "basis": "added_to_top_up", "valid_from": "2026-12-01T00:00:00Z",
        "source_url": "https://openrouter.ai", "reason": "announced",
    }  # fmt: skip
    assert client.post("/v1/fees", json=body).status_code == 200
    assert share(client, "openrouter", "2026-11-30T00:00:00Z") == ["0.055"]
    assert share(client, "openrouter", "2026-12-02T00:00:00Z") == ["0.06"]
    within = {**body, "valid_from": "2026-01-01T00:00:00Z", "valid_to": "2026-02-01T00:00:00Z"}
    problem(client.post("/v1/fees", json=within), 409, "conflict")
    backwards = {**body, "valid_from": "2027-02-01T00:00:00Z", "valid_to": "2027-01-01T00:00:00Z"}
    problem(client.post("/v1/fees", json=backwards), 422, "invalid")


def test_what_ends_today_held_until_today(client: TestClient) -> None:
    """A fee that ends in December is still charged in November; a fee that is voided was never true."""
    (fee,) = [row for row in client.get("/v1/fees").json()["items"] if row["channel"] == "requesty"]
    ends = {"reason": "they stop", "valid_to": "2026-12-01T00:00:00Z"}
    assert client.post(f"/v1/fees/{fee['id']}/end", json=ends).status_code == 200
    assert share(client, "requesty", "2026-11-30T00:00:00Z") == ["0.05"]
    assert share(client, "requesty", "2026-12-02T00:00:00Z") == []
    (left,) = [row for row in client.get("/v1/fees").json()["items"] if row["channel"] == "requesty"]
    later = {"reason": "x", "valid_to": "2027-01-01T00:00:00Z"}
    problem(client.post(f"/v1/fees/{left['id']}/end", json=later), 409, "conflict")
    assert client.post(f"/v1/fees/{left['id']}/void", json={"reason": "they never did"}).status_code == 200
    assert share(client, "requesty", "2026-11-30T00:00:00Z") == []
    problem(client.post(f"/v1/fees/{left['id']}/void", json={"reason": "x"}), 409, "conflict")


def test_how_a_broker_is_paid_has_a_date(client: TestClient) -> None:
    """Own keys from December on leave November as it was paid; what was known before stays known."""
    known = "2026-11-24T12:00:00Z"
    body = {
        "channel": "openrouter", "payment": "own_key", "list_usd_per_month": "50000",
        "valid_from": "2026-12-01T00:00:00Z",
    }  # fmt: skip
    assert client.post("/v1/fees/payments", json=body).status_code == 200
    assert share(client, "openrouter", "2026-11-30T00:00:00Z") == ["0.055"]
    assert share(client, "openrouter", "2026-12-02T00:00:00Z") == ["0.025"]
    assert share(client, "openrouter", "2026-12-02T00:00:00Z", known) == ["0.055"]
    unknown = {"channel": "requesty", "payment": "own_key"}
    assert client.post("/v1/fees/payments", json=unknown).status_code == 200
    # Nobody knows what Requesty charges for own keys: unknown is not free.
    assert share(client, "requesty", "2027-01-01T00:00:00Z") == ["0.05"]


def test_a_repeated_key_on_another_offer_is_another_request(client: TestClient) -> None:
    """The id stands in the query; the same key and body for another offer is refused, not answered."""
    body = {
        "valid_from": "2026-11-01T00:00:00Z", "valid_to": "2026-11-02T00:00:00Z", "source_url": "https://i.test",
        "rates": [{"unit": "input_token", "usd": "1", "per": 1000000}], "reason": "invoice",
    }  # fmt: skip
    one, other = ({"id": f"direct:openai/{name}"} for name in ("gpt-4o", "gpt-4o-mini"))
    headers = {"Idempotency-Key": "k1"}
    assert client.post("/v1/offers/corrections", params=one, json=body, headers=headers).status_code == 200
    problem(client.post("/v1/offers/corrections", params=other, json=body, headers=headers), 409, "conflict")
    nothing = {**body, "rates": [{"unit": "input_token", "usd": "0", "per": 1}]}
    problem(client.post("/v1/offers/corrections", params=one, json=nothing), 422, "invalid")


def test_exchange_rates_are_closed_and_not_forgotten(client: TestClient) -> None:
    """The second rate of a day is today's answer; an older state of the desk is refused; a dollar has no rate."""
    body = {
        "currency": "CHF", "day": "2026-11-23", "usd": "1.2", "source": "bank", "source_url": "https://b.test",
        "reason": "daily",
    }  # fmt: skip
    tag = client.get("/v1/fx").headers["etag"]
    assert client.post("/v1/fx", json=body, headers={"If-Match": tag}).status_code == 200
    problem(client.post("/v1/fx", json={**body, "usd": "1.3"}, headers={"If-Match": tag}), 412, "changed")
    assert client.post("/v1/fx", json={**body, "usd": "1.3"}).status_code == 200
    rates = client.get("/v1/fx", params={"currency": "CHF"}).json()["items"]
    assert [row["usd"] for row in rates] == ["1.3"]
    assert client.get("/v1/fx", params={"known_at": "2026-01-01T00:00:00Z"}).json()["items"] == []
    problem(client.post("/v1/fx", json={**body, "currency": "USD"}), 422, "invalid")
