"""Offers nobody lists, over HTTP: a person enters a price, in any currency, for now or for later, and takes it back."""

from typing import Any

from starlette.testclient import TestClient

from tests.api.test_contract import QUESTION, problem
from tests.api.test_desk import client, store

__all__ = ["client", "store"]


def test_an_own_offer_is_priced_at_once_and_private_to_nobody_knows_whom(client: TestClient) -> None:
    """It serves its model at its own price; its terms are unknown, so the default policy refuses it."""
    body = {
        "provider": "our-gpus", "model_spelling": "llama", "model": "meta-llama/llama-3.3-70b-instruct",
        "rates": [
            {"unit": "input_token", "usd": "0.4", "per": 1_000_000},
            {"unit": "output_token", "usd": "0.4", "per": 1_000_000},
        ],
        "context_tokens": 131_072, "source_url": "https://wiki.test/gpu", "reason": "allocation",
    }  # fmt: skip
    offer = client.post("/v1/offers", json=body).json()["offer"]
    assert offer == "self-hosted:our-gpus/llama"
    found = client.get("/v1/offers", params={"id": offer}).json()["items"][0]
    assert (found["model"], found["input_usd_per_mtok"]) == ("meta-llama/llama-3.3-70b-instruct", "0.4")
    ask = {**QUESTION, "offer": offer, "needs": {"models": [found["model"]]}}
    checks = {check["check"]: check["codes"] for check in client.post("/v1/explanations", json=ask).json()["checks"]}
    assert checks["policy"] == ["policy:unknown_terms"]
    client.post("/v1/offers", json={**body, "rates": None})
    assert client.get("/v1/offers", params={"id": offer}).json()["items"][0]["priced"] is False
    problem(client.post("/v1/offers", json={**body, "provider": "a b"}), 422, "invalid")
    problem(client.post("/v1/offers", json={**body, "model": "no/such"}), 422, "invalid")
    for field, word in (("region", "r\x1b[31m"), ("region", "a b"), ("reason", " "), ("source_url", "a\x07")):
        problem(client.post("/v1/offers", json={**body, field: word}), 422, "invalid")


def test_an_own_price_says_what_became_of_it(client: TestClient) -> None:
    """Published at once; a deep fall waits, also beside one for later, and blocks nothing once rejected."""

    def enter(usd: str, **others: str) -> dict[str, Any]:
        rates = [{"unit": unit, "usd": usd, "per": 1_000_000} for unit in ("input_token", "output_token")]
        body = {
            "provider": "our-gpus", "model_spelling": "m", "rates": rates, "source_url": "https://w.test",
            "reason": "ours", **others,
        }  # fmt: skip
        made: dict[str, Any] = client.post("/v1/offers", json=body).json()
        return made

    assert [enter("0.4")["outcome"], enter("0.4")["outcome"]] == ["published", "unchanged"]
    assert enter("0")["code"] == "invalid"
    held = enter("0.1")
    assert held["outcome"] == "held"
    assert client.get(f"/v1/holds/{held['hold']}").json()["offer"] == held["offer"] == "self-hosted:our-gpus/m"
    both = enter("0.5", valid_from="2100-01-01T00:00:00Z")
    assert (both["outcome"], client.get(f"/v1/holds/{both['hold']}").json()["diff"] != []) == ("held", True)
    etag = client.get(f"/v1/holds/{both['hold']}").headers["etag"]
    client.post(f"/v1/holds/{both['hold']}/reject", json={"reason": "no"}, headers={"If-Match": etag})
    assert enter("0.45")["outcome"] == "published"


def test_an_own_price_ends_when_it_is_said_to(client: TestClient) -> None:
    """From 2027 there is none, and what was planned for later is taken back; until then everything holds."""
    rates = [{"unit": "input_token", "usd": "1", "per": 1_000_000}]
    body = {"provider": "our-gpus", "model_spelling": "z", "source_url": "https://w.test", "reason": "ours"}
    dearer = [{**rates[0], "usd": "2"}]
    client.post("/v1/offers", json={**body, "rates": rates})
    for usd, day in ((dearer, "2026-12-20"), (rates, "2027-03-01")):
        client.post("/v1/offers", json={**body, "rates": usd, "valid_from": f"{day}T00:00:00Z"})
    ended = client.post("/v1/offers", json={**body, "rates": None, "valid_from": "2027-01-01T00:00:00Z"})
    assert ended.json()["outcome"] == "published"

    def costs(day: str) -> str:
        ask = {"offer": "self-hosted:our-gpus/z", "usage": {"input_tokens": 1_000_000}, "at": f"{day}T00:00:00Z"}
        answer = client.post("/v1/costs", json=ask).json()
        return str(answer.get("total_usd") or answer["code"])

    found = [costs(day) for day in ("2026-12-01", "2026-12-31", "2027-01-01", "2027-03-02")]
    assert found == ["1", "2", "unpriced", "unpriced"]
    past = client.post("/v1/offers", json={**body, "rates": None, "valid_from": "2026-01-01T00:00:00Z"})
    problem(past, 422, "invalid")


def test_an_own_price_in_another_currency_is_in_dollars_at_the_rate_of_its_day(client: TestClient) -> None:
    """0.40 EUR at 1.1 is 0.44 USD, and stays so when the euro moves; before any rate is known there is no price."""
    rates = [
        {"unit": "input_token", "usd": "0.4", "per": 1_000_000},
        {"unit": "output_token", "usd": "1", "per": 10**6},
    ]
    body = {
        "provider": "our-gpus", "model_spelling": "e", "rates": rates, "currency": "EUR", "source_url": "https://w.test",
        "reason": "leasing",
    }  # fmt: skip
    problem(client.post("/v1/offers", json=body), 404, "not_found")
    bank = {"currency": "EUR", "source": "bank", "source_url": "https://b.test", "reason": "daily"}
    for day, usd in (("2026-11-01", "1.1"), ("2026-12-01", "2")):
        assert client.post("/v1/fx", json={**bank, "day": day, "usd": usd}).status_code == 200
    offer = client.post("/v1/offers", json=body).json()["offer"]
    ask = {"offer": offer, "usage": {"input_tokens": 1_000_000, "output_tokens": 1000}, "at": "2026-12-24T00:00:00Z"}
    assert client.post("/v1/costs", json=ask).json()["total_usd"] == "0.4411"
    problem(client.post("/v1/offers", json={**body, "currency": "eur"}), 422, "invalid")


def test_a_price_entered_for_later_survives_one_from_now(client: TestClient) -> None:
    """Dearer from 2027 on, then another price today: today's holds until 2027, and both can be seen."""

    def enter(usd: str, **others: str) -> str:
        rates = [{"unit": unit, "usd": usd, "per": 1_000_000} for unit in ("input_token", "output_token")]
        body = {"provider": "our-gpus", "model_spelling": "n", "rates": rates, "source_url": "https://w.test", **others}
        made: dict[str, str] = client.post("/v1/offers", json={**body, "reason": "ours"}).json()
        assert made["outcome"] == "published"
        return made["offer"]

    def costs(offer: str, at: str) -> str:
        ask = {"offer": offer, "usage": {"input_tokens": 1_000_000}, "at": at}
        total: str = client.post("/v1/costs", json=ask).json()["total_usd"]
        return total

    offer = enter("0.4")
    for usd, others in (("0.6", {"valid_from": "2027-01-01T00:00:00Z"}), ("0.5", {})):
        enter(usd, **others)
    assert [costs(offer, at) for at in ("2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z")] == ["0.5", "0.6"]
    enter("0.7", valid_from="2027-01-01T00:00:00Z")
    assert [costs(offer, at) for at in ("2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z")] == ["0.5", "0.7"]


def test_a_price_entered_for_a_nearer_day_survives_those_around_it(client: TestClient) -> None:
    """2 from the 2nd, 3 from the 10th, 4 from the 6th, then 1.1 from now: each holds until the next."""

    def enter(usd: str, **others: str) -> None:
        rates = [{"unit": unit, "usd": usd, "per": 1_000_000} for unit in ("input_token", "output_token")]
        body = {"provider": "our-gpus", "model_spelling": "p", "rates": rates, "source_url": "https://w.test", **others}
        assert client.post("/v1/offers", json={**body, "reason": "ours"}).json()["outcome"] == "published"

    enter("1")
    for usd, day in (("2", "02"), ("3", "10"), ("4", "06")):
        enter(usd, valid_from=f"2026-12-{day}T00:00:00Z")
    enter("1.1")
    found = []
    for day in ("01", "02", "05", "06", "09", "10", "20"):
        ask = {
            "offer": "self-hosted:our-gpus/p",
            "usage": {"input_tokens": 1_000_000},
            "at": f"2026-12-{day}T00:00:00Z",
        }
        found.append(client.post("/v1/costs", json=ask).json()["total_usd"])
    assert found == ["1.1", "2", "2", "4", "4", "3", "3"]


def test_a_tier_that_is_priced_for_long_prompts_only_is_asked_about(client: TestClient) -> None:
    """An own offer has to say what the tier costs otherwise; a card that came with a question has no price there."""
    long = {"when": {"service_tier": "priority", "input_tokens_gt": 1000}, "usd": "9"}
    plain = {"when": {"service_tier": "priority"}, "usd": "8"}

    def rates(*bands: object) -> list[dict[str, object]]:
        return [{"unit": "input_token", "usd": "5", "per": 1_000_000, "bands": bands}]

    def cost(tokens: int, *bands: object) -> object:
        body = {"card": {"rates": rates(*bands)}, "usage": {"input_tokens": tokens}}
        answer = client.post("/v1/costs", json={**body, "context": {"service_tier": "priority"}}).json()
        return answer.get("total_usd") or answer["code"]

    assert [cost(1000, long), cost(2000, long)] == ["unpriced", "0.018"]
    assert [cost(1000, plain, long), cost(2000, plain, long)] == ["0.008", "0.018"]
    body = {"provider": "our-gpus", "model_spelling": "t", "source_url": "https://w.test", "reason": "ours"}
    refused = client.post("/v1/offers", json={**body, "rates": rates(long)})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "rates")
    assert client.post("/v1/offers", json={**body, "rates": rates(plain, long)}).status_code == 200
