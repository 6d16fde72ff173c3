"""The door as a caller meets it: keys, the main question, costs, reads, and every kind of bad input."""

from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from math import prod
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.access import ROLES
from planner.app import build
from planner.settings import Settings
from planner.store.engine import Store
from tests.api.bad_bodies import BAD_BODIES
from tests.conftest import NOW

ADMIN = "pk_adminkey_0123456789abcdefghijklmnopqrstuvwxyz"
QUESTION: dict[str, Any] = {
    "workload": {"input_tokens": 2600, "cache_read_tokens": 1200, "output_tokens": 450, "requests_per_period": 900},
    "revenue_usd": "20.00",
    "payment_fee_percent": "2.9",
    "payment_fee_fixed_usd": "0.30",
    "charges_per_period": 1,
    "other_costs_usd": "1.00",
    "margin": "0.70",
    "policy": "no-training",
    "needs": {"capabilities": ["tools", "json_schema"], "context_tokens": 16000, "tiers": [1, 2]},
}


@pytest.fixture(scope="module")
def client(installed: Store) -> Iterator[TestClient]:
    """A client with the admin key, over the installed catalogue."""
    settings = Settings(admin_key=SecretStr(ADMIN), key_pepper=SecretStr("pepper"))
    app = build(settings, installed)
    with TestClient(app, headers={"Authorization": f"Bearer {ADMIN}"}, raise_server_exceptions=False) as made:
        yield made


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is a problem document and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["code"] == code
    return found


def test_the_main_question_is_answered(client: TestClient) -> None:
    """A choice that keeps the margin, two fallbacks on other upstreams, and every refusal counted."""
    answer = client.post("/v1/recommendations", json=QUESTION).json()
    choice = answer["choice"]
    assert answer["budget_usd"] == "4.12"
    assert float(choice["margin"]) >= 0.70
    assert len({link["provider"] for link in (choice, *answer["fallbacks"])}) == 3
    assert answer["considered"] == answer["eligible"] + sum(answer["refused"].values())
    assert choice["evidence"]["source_url"].startswith("https://")
    assert choice["terms_evidence"]


def test_an_answer_says_what_failover_comes_to(client: TestClient) -> None:
    """Availability is what its links' failures come to, and an answer costs more than the cheapest link."""
    answer = client.post("/v1/recommendations", json={**QUESTION, "common_cause_share": "0", "timeout_ms": 500}).json()
    chain, links = answer["chain"], answer["chain"]["links"]
    assert [link["offer"] for link in links] == [link["offer"] for link in (answer["choice"], *answer["fallbacks"])]
    assert len({link["upstream"] for link in links}) == 3
    failures = [Fraction(link["failure_share"]) for link in links]
    assert 0 <= 1 - prod(failures) - Fraction(chain["availability"]) < Fraction("0.00001")
    costs = [Fraction(link["cost_usd"]) for link in (answer["choice"], *answer["fallbacks"])]
    assert min(costs) < Fraction(chain["expected_cost_usd"]) < sum(costs)
    assert Fraction(chain["expected_margin"]) <= Fraction(answer["choice"]["margin"])
    assert (chain["common_cause_share"], chain["timeout_ms"]) == ("0", 500)
    assert "a link that fails is waited for 500 ms" in chain["assumptions"]


def test_a_common_cause_makes_a_chain_less_available(client: TestClient) -> None:
    """Ten percent of the best link's failures are everybody's where the question does not say otherwise."""
    chains = [
        client.post("/v1/recommendations", json={**QUESTION, **said}).json()["chain"]
        for said in ({"common_cause_share": "0.01"}, {}, {"common_cause_share": "1"})
    ]
    assert [chain["common_cause_share"] for chain in chains] == ["0.01", "0.1", "1"]
    shares = [chain["availability"] for chain in chains]
    assert shares == sorted(shares, reverse=True)
    assert len(set(shares)) == 3


@pytest.mark.parametrize(
    "said", [{"common_cause_share": "1.5"}, {"common_cause_share": 0.1}, {"timeout_ms": -1}, {"timeout_ms": "500"}]
)
def test_a_common_cause_is_a_share_and_a_timeout_a_count(client: TestClient, said: dict[str, Any]) -> None:
    """Anything else is refused by its field."""
    answer = client.post("/v1/recommendations", json={**QUESTION, **said})
    (wrong,) = problem(answer, 422, "invalid")["errors"]
    assert wrong["field"] == next(iter(said))


def test_a_stored_plan_is_polled_with_an_etag(client: TestClient) -> None:
    """The same bytes under the same ETag, and 304 without a body for who holds them."""
    path = "/v1/plans/pro/tasks/chat/recommendation"
    first = client.get(path)
    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert first.json()["choice"]["offer"]
    assert (again.status_code, again.content) == (304, b"")


def test_a_cost_is_the_sum_of_its_parts(client: TestClient) -> None:
    """Input, output and other add up to the total, to the last digit."""
    body = {"offer": "direct:openai/gpt-5.4", "usage": {"input_tokens": 271_999, "output_tokens": 1_000}}
    answer = client.post("/v1/costs", json=body).json()
    assert answer["total_usd"] == "0.6949975"
    assert answer["input_usd"] == "0.6799975"
    assert answer["evidence"]["source"]


def test_an_inline_card_with_bands_is_priced(client: TestClient) -> None:
    """One token above the threshold, the whole request costs the band's rate."""
    rates = [{"unit": "input_token", "usd": "2.5", "per": 1_000_000,
              "bands": [{"when": {"input_tokens_gt": 272_000}, "usd": "5"}]}]  # fmt: skip
    totals = [
        client.post("/v1/costs", json={"card": {"rates": rates}, "usage": {"input_tokens": tokens}}).json()["total_usd"]
        for tokens in (272_000, 272_001)
    ]
    assert totals == ["0.68", "1.360005"]


def test_ranking_is_cheapest_first(client: TestClient) -> None:
    """Every compliant offer, in order of what it costs with the channel's fees; the list price beside it."""
    items = client.post("/v1/costs/rank", json={"usage": {"input_tokens": 2600, "output_tokens": 450}}).json()["items"]
    totals = [float(item["total_usd"]) for item in items]
    assert len(items) > 500
    assert totals == sorted(totals)
    brokered = next(item for item in items if item["channel"] == "openrouter" and float(item["total_usd"]))
    assert Fraction(brokered["total_usd"]) == Fraction(brokered["list_total_usd"]) * Fraction("1.055")


def test_an_explanation_names_every_check(client: TestClient) -> None:
    """A refused offer's checks say which rule refused it."""
    offer = "openrouter:deepseek/deepseek/deepseek-v3.2"
    answer = client.post("/v1/explanations", json={**QUESTION, "offer": offer})
    if answer.status_code == 404:
        offers = client.get("/v1/offers", params={"provider": "deepseek", "limit": 1}).json()["items"]
        answer = client.post("/v1/explanations", json={**QUESTION, "offer": offers[0]["offer"]})
    checks = {check["check"]: check for check in answer.json()["checks"]}
    assert "policy:trains_on_prompts" in checks["policy"]["codes"]
    assert answer.json()["eligible"] is False


def test_catalogue_reads_answer(client: TestClient) -> None:
    """Models, providers, offers, prices, terms, tiers, changes and status all answer with a revision."""
    offer = "direct:openai/gpt-5"
    for path, params in (
        ("/v1/models", {}), ("/v1/models/openai/gpt-5", {}), ("/v1/providers", {}), ("/v1/providers/openai", {}),
        ("/v1/offers", {"model": "openai/gpt-5", "priced": "true"}), (f"/v1/offers/{offer}", {}),
        (f"/v1/offers/{offer}/prices", {}), ("/v1/offers/prices", {"id": offer}), (f"/v1/offers/{offer}/terms", {}),
        ("/v1/offers/terms", {"id": offer}), ("/v1/tiers", {"at": "2025-08-25T12:00:00Z"}),
        ("/v1/price-changes", {"since": "2026-01-01T00:00:00Z"}), ("/v1/status", {}),
    ):  # fmt: skip
        answer = client.get(path, params=params)
        assert answer.status_code == 200, (path, answer.text)
        assert {"revision": 2}.items() <= answer.json().items()
        assert {"valid_until", "stale"} <= answer.json().keys()


def test_an_answer_says_how_long_it_holds(client: TestClient) -> None:
    """A price ends when its source has been silent for too long; what was believed earlier never changes any more."""
    offer = "direct:openai/gpt-5"
    ask = {"offer": offer, "usage": {"input_tokens": 1}}
    now = datetime.now(UTC)  # noqa: TID251  # the server's clock is the real one
    present = client.post("/v1/costs", json=ask).json()
    assert now < datetime.fromisoformat(present["valid_until"])
    assert client.get("/v1/offers", params={"id": offer}).json()["valid_until"] == present["valid_until"]
    known = {"known_at": now.isoformat()}
    assert client.post("/v1/costs", json={**ask, **known}).json()["valid_until"] is None
    assert client.get("/v1/tiers", params=known).json()["valid_until"] is None


def test_offers_are_paged_without_gaps(client: TestClient) -> None:
    """Following the cursor meets every offer of a provider once."""
    seen: list[str] = []
    params: dict[str, Any] = {"provider": "groq", "limit": 7}
    while True:
        page = client.get("/v1/offers", params=params).json()
        seen += [item["offer"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert len(seen) == len(set(seen)) > 14


def test_the_essay_tiers_hold_in_august_2025(client: TestClient) -> None:
    """As of 25 August 2025 the labels are those of the founding essay, bargains included."""
    groups = client.get("/v1/tiers", params={"at": "2025-08-25T12:00:00Z"}).json()["items"]
    labels = {model["model"]: (group["tier"], model["bargain"]) for group in groups for model in group["models"]}
    for model in ("openai/gpt-5", "anthropic/claude-sonnet-4", "google/gemini-2.5-pro", "x-ai/grok-4"):
        assert labels[model][0] == 1, model
    for model in ("deepseek/deepseek-r1", "moonshotai/kimi-k2"):
        assert labels[model] == (2, True), model
    for model in ("google/gemini-2.5-flash", "qwen/qwen3-235b-a22b", "openai/gpt-oss-120b"):
        assert labels[model][0] == 2, model
    for model in ("google/gemma-3-4b-it", "meta-llama/llama-3.1-8b-instruct", "qwen/qwen3-8b"):
        assert labels[model][0] == 3, model


def test_no_answer_says_what_would_help(client: TestClient) -> None:
    """A margin nobody reaches is 409 with the price and the trim that would reach it."""
    body = {**QUESTION, "revenue_usd": "0.40"}
    found = problem(client.post("/v1/recommendations", json=body), 409, "margin_unreachable")
    assert found["cheapest_offer"]


def test_the_detail_of_a_refusal_is_a_sentence(client: TestClient) -> None:
    """Units and counts are named in it as in its facts, and not in Python's notation."""
    found = problem(
        client.post("/v1/costs", json={"offer": "direct:openai/gpt-5", "usage": {"pages": 1}}), 409, "unpriced"
    )
    assert found["detail"].startswith("A used unit has no price: units=page, ")


@pytest.mark.parametrize(
    ("change", "code"),
    [({"policy": "nope"}, "unknown_policy"), ({"needs": {"models": ["no/such"]}}, "unknown_model")],
)
def test_unknown_names_are_refused(client: TestClient, change: dict[str, Any], code: str) -> None:
    """A policy or model nobody has is 409 with its own code."""
    problem(client.post("/v1/recommendations", json={**QUESTION, **change}), 409, code)


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_bodies_are_refused_and_never_echoed(client: TestClient, name: str) -> None:
    """4xx problem+json, never 500, and never a word of what was sent."""
    for path in ("/v1/recommendations", "/v1/explanations", "/v1/costs", "/v1/costs/rank"):
        answer = client.post(path, content=BAD_BODIES[name])
        assert answer.status_code == 422, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert "secret-word" not in answer.text


@pytest.mark.parametrize(
    ("path", "body", "field", "said"),
    [
        ("/v1/costs", {"usage": {"tokens": 1}}, "usage.tokens", "an unknown field is present"),
        ("/v1/costs", {"usage": {"secret-word": 1}}, "usage", "an unknown field is present"),
        ("/v1/costs", {"usage": {}, "at": "yesterday"}, "at", "a time such as 2026-11-23T12:00:00Z is needed"),
        ("/v1/costs/rank", {"usage": {}, "needs": {"throughput_tps_min": "1e9"}}, "needs.throughput_tps_min", ""),
    ],
)
def test_what_is_wrong_is_said_of_its_field(
    client: TestClient, path: str, body: dict[str, Any], field: str, said: str
) -> None:
    """The field by its name alone, and what is needed there, without a word of the library that checks it."""
    (wrong,) = problem(client.post(path, json=body), 422, "invalid")["errors"]
    assert wrong["field"] == field
    assert wrong["problem"].startswith(said)


def test_a_wrong_parameter_is_said_the_same_way(client: TestClient) -> None:
    """A moment in the query is refused in the words a moment in a body is refused in."""
    (wrong,) = problem(client.get("/v1/fees", params={"known_at": "x"}), 422, "invalid")["errors"]
    assert wrong == {"field": "known_at", "problem": "a time such as 2026-11-23T12:00:00Z is needed"}


def test_a_large_body_is_413(client: TestClient) -> None:
    """More than a mebibyte is refused, whatever the headers say."""
    problem(client.post("/v1/costs", content=b" " * (1 << 21)), 413, "too_large")


def test_every_route_needs_a_key_but_the_open_ones(client: TestClient) -> None:
    """Anonymous callers, wrong keys and prefix twins get 401 everywhere except at /live, /ready and the way in."""
    for (method, path), roles in ROLES.items():
        address = path.replace("{id:path}", "x").replace("{id}", "x").replace("{plan}", "pro").replace("{task}", "chat")
        for header in (None, "Bearer wrong", f"Bearer {ADMIN[:11]}_other", ADMIN):
            headers = {"Authorization": header or ""}
            answer = client.request(method, address, headers=headers, content=b"{}")
            assert (answer.status_code == 401) == (roles is not None), (method, path, header)


def test_every_route_has_a_row_in_the_access_table(client: TestClient) -> None:
    """The table and the application list the same routes."""
    paths = client.get("/openapi.json").json()["paths"]
    served = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    listed = {(method, path.replace(":path", "")) for method, path in ROLES}
    assert served == listed - {("GET", "/openapi.json")}


def test_openapi_describes_the_contract(client: TestClient) -> None:
    """The description has every path and its problem documents."""
    paths = client.get("/openapi.json").json()["paths"]
    assert "application/problem+json" in paths["/v1/recommendations"]["post"]["responses"]["409"]["content"]
    assert "requestBody" in paths["/v1/costs"]["post"]


def test_unknown_paths_are_problems_too(client: TestClient) -> None:
    """404 for what does not exist, with the kind of thing that was looked for."""
    assert problem(client.get("/v1/offers/nope"), 404, "not_found")["kind"] == "offer"
    problem(client.get("/nothing"), 404, "not_found")
    problem(client.put("/v1/costs"), 405, "method_not_allowed")
    problem(client.get("/v1/tiers", params={"at": "yesterday"}), 422, "invalid")


def test_the_fixed_moment_is_in_the_future_of_the_bundle() -> None:
    """The tests' present is after the newest bundled price, as a reader's is."""
    assert NOW.year == 2026
