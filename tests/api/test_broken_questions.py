"""Questions broken in every way a caller's bug may break them: an answer or a problem, never a 500."""

import copy
import json
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.access import ROLES
from planner.app import build
from planner.settings import Settings
from planner.store.engine import Store
from tests.sources.mutations import BYTES, VALUES, spots

ADMIN = "pk_adminkey_0123456789abcdefghijklmnopqrstuvwxyz"
BROKEN = 250

WHEN = {"input_tokens_gt": 1000, "service_tier": "flex", "region": "eu", "utc_start": "22:00", "utc_end": "06:00"}
RATES = [
    {"unit": "input_token", "usd": "1.25", "per": 1_000_000, "bands": [{"when": WHEN, "usd": "2.5", "per": 1_000_000}]},
    {"unit": "output_token", "usd": "10", "per": 1_000_000},
]
PLAN = {
    "workload": {"input_tokens": 2600, "cache_read_tokens": 1200, "output_tokens": 450, "requests_per_period": 900},
    "revenue_usd": "20.00", "payment_fee_percent": "2.9", "payment_fee_fixed_usd": "0.30", "charges_per_period": 1,
    "other_costs_usd": "1.00", "margin": "0.70", "policy": "no-training", "objective": "cheapest", "fallbacks": 2,
    "independent_upstreams": True, "at": "2026-11-24T12:00:00Z",
    "needs": {"capabilities": ["tools"], "context_tokens": 16000, "tiers": [1, 2], "models": ["openai/gpt-5"]},
}  # fmt: skip
QUESTIONS: dict[str, list[Any]] = {
    "/v1/recommendations": [PLAN, {"plan": "pro", "task": "chat"}],
    "/v1/paths": [
        {**PLAN, "stage": "internal", "customers": 5, "gateway_usd_per_month": "120", "gateway_overhead_ms": 3}
    ],
    "/v1/explanations": [{**PLAN, "offer": "direct:openai/gpt-5"}],
    "/v1/costs": [
        {"offer": "direct:openai/gpt-5", "usage": {"input_tokens": 5, "requests": 1}, "at": "2026-11-24T12:00:00Z"},
        {
            "card": {"rates": RATES},
            "usage": {"input_tokens": 2000},
            "context": {"service_tier": "flex", "region": "eu"},
        },
    ],
    "/v1/costs/rank": [
        {"usage": {"input_tokens": 5, "output_tokens": 5}, "policy": "no-training", "needs": PLAN["needs"]}
    ],
}
TEXTS = (
    "", " ", "x" * 5_000, "\u0000", "\U0001f600", "../../etc/passwd", "' OR 1=1 --", "<script>", "%00", "9" * 400,
    "-1", "1e999999999", "2026-11-24", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
    "2026-11-24T12:00:00+99:99", "true", "null", "openai/gpt-5", "direct:openai/gpt-5", "eyJvIjoiLi4uIn0=",
)  # fmt: skip


@pytest.fixture(scope="module")
def client(installed: Store) -> Iterator[TestClient]:
    """A client with the admin key; a 500 is an answer here, not an exception."""
    app = build(Settings(admin_key=SecretStr(ADMIN), key_pepper=SecretStr("pepper")), installed)
    with TestClient(app, headers={"Authorization": f"Bearer {ADMIN}"}, raise_server_exceptions=False) as made:
        yield made


def check(answer: Any, sent: object) -> None:
    """Check that an answer is a JSON document or a problem the caller can act on."""
    assert answer.status_code < 500, (answer.status_code, sent)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", sent
        assert answer.json()["code"], sent
    else:
        # Exports are files; everything else is JSON.
        kinds = ("application/json", "application/jsonl", "application/toml", "text/csv; charset=utf-8")
        assert answer.headers["content-type"] in kinds, sent


@pytest.mark.parametrize("path", QUESTIONS)
def test_the_questions_are_sound_before_they_are_broken(client: TestClient, path: str) -> None:
    """Each of them is understood: answered, or refused for what the catalogue says."""
    for question in QUESTIONS[path]:
        assert client.post(path, json=question).status_code in (200, 409)


@pytest.mark.parametrize("path", QUESTIONS)
def test_a_broken_question_is_never_a_500(client: TestClient, path: str) -> None:
    """Any value of any field replaced, dropped, renamed, swapped or scaled."""
    for seed in range(BROKEN):
        dice = random.Random(seed)
        body = copy.deepcopy(dice.choice(QUESTIONS[path]))
        way = dice.choice([*VALUES, *BYTES])
        if way in BYTES:
            content = BYTES[way](dice, json.dumps(body).encode())
        else:
            VALUES[way](dice, body, dice.choice(list(spots(body))))
            content = json.dumps(body).encode()
        check(client.post(path, content=content), content[:300])


def test_broken_addresses_are_never_a_500(client: TestClient) -> None:
    """Any text in any place of a path or a query."""
    names = (
        "at",
        "from",
        "to",
        "known_at",
        "since",
        "limit",
        "cursor",
        "id",
        "model",
        "provider",
        "channel",
        "q",
        "priced",
    )
    for seed in range(BROKEN * 4):
        dice = random.Random(seed)
        path = dice.choice([path for method, path in ROLES if method == "GET"])
        for place in ("{id:path}", "{id}", "{plan}", "{task}"):
            path = path.replace(place, quote(dice.choice(TEXTS)) or "x")
        query = {name: dice.choice(TEXTS) for name in dice.sample(names, dice.randint(0, 4))}
        check(client.get(path, params=query), (path, query))


def test_answers_add_up(client: TestClient) -> None:
    """Whatever is asked: counts add up, the margin is kept, nothing offered is cheaper than the choice."""
    answered = 0
    for seed in range(60):
        dice = random.Random(seed)
        workload = {
            "input_tokens": dice.choice((100, 2_600, 150_000)), "output_tokens": dice.choice((0, 450, 4_000)),
            "requests_per_period": dice.choice((1, 900)),
        }  # fmt: skip
        needs = dice.choice(({}, {"capabilities": ["tools"]}, {"tiers": [1]}, {"models": ["openai/gpt-5"]}))
        margin = dice.choice(("0.1", "0.7", "0.95"))
        question = {**PLAN, "workload": workload, "needs": needs, "margin": margin}
        answer = client.post("/v1/recommendations", json=question)
        if answer.status_code != 200:
            continue
        answered += 1
        found = answer.json()
        assert found["considered"] == found["eligible"] + sum(found["refused"].values())
        assert Decimal(found["choice"]["margin"]) >= Decimal(margin)
        costs = [Decimal(link["cost_usd"]) for link in (found["choice"], *found["fallbacks"])]
        assert costs == sorted(costs)
        explained = client.post("/v1/explanations", json={**question, "offer": found["choice"]["offer"]}).json()
        assert (explained["eligible"], explained["cost_usd"]) == (True, found["choice"]["cost_usd"])
    assert answered > 20
