"""Feeds only narrow: with every privacy flag of the recorded feeds turned to its best, nobody new is recommended."""

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.app import build
from planner.flows.refresh import refresh_from_file
from planner.settings import Settings
from planner.sources import ADAPTERS
from planner.sources.openrouter import MODELS_PATH, PROVIDERS_PATH
from planner.store.engine import Store
from tests.conftest import NOW
from tests.data import shared
from tests.databases import furnished

ADMIN = "pk_adminkey_0123456789abcdefghijklmnopqrstuvwxyz"
HOUR = timedelta(hours=1)
POLICIES = ("no-training", "zero-retention", "any-terms", "few-days")
NEEDS: tuple[dict[str, Any], ...] = (
    {},
    {"capabilities": ["tools"]},
    {"capabilities": ["tools", "json_schema"], "context_tokens": 100_000},
    {"input_modalities": ["text", "image"]},
    {"models": ["deepseek/deepseek-v3.2"]},
    {"service_tiers": ["flex", "standard"]},
)
OBJECTIVES = ("cheapest", "balanced")
# How each feed spells its flags, with the best and the worst they can say.
BEST = {
    "training": False, "trainingOpenRouter": False, "retainsPrompts": False, "canPublish": False,
    "data_retention": False, "data_retention_days": 0, "data_used_for_training": False,
}  # fmt: skip
WORST = {
    "training": True, "trainingOpenRouter": True, "retainsPrompts": True, "canPublish": True,
    "data_retention": True, "data_retention_days": 0, "data_used_for_training": True,
}  # fmt: skip
# Few days sound harmless, and are a promise all the same.
SHORT = {**BEST, "retainsPrompts": True, "retentionDays": 1, "data_retention": True, "data_retention_days": 1}

Seen = dict[tuple[str, int], set[tuple[str, str]]]


def flags(row: dict[str, Any]) -> dict[str, Any]:
    """Return where a row of either feed keeps its flags."""
    found = row.get("dataPolicy", row)
    return found if isinstance(found, dict) else {}


def turned(to: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Return a change that says ``to`` of everybody, in the words of the feed."""

    def turn(row: dict[str, Any]) -> None:
        said = flags(row)
        stated = {name: value for name, value in to.items() if name.startswith("data_") is ("dataPolicy" not in row)}
        said.pop("retentionDays", None)
        said.update(stated)

    return turn


def silent(row: dict[str, Any]) -> None:
    """Say nothing."""
    said = flags(row)
    for name in {*BEST, "retentionDays"} & said.keys():
        del said[name]


def recorded(_row: dict[str, Any]) -> None:
    """Leave a row as it was recorded."""


def say(store: Store, change: Callable[[dict[str, Any]], None], at: datetime) -> None:
    """Publish the recorded feeds with the flags of every row changed."""
    providers = json.loads(gzip.decompress(shared("openrouter", "or_2026-07-28_providers.json.gz").read_bytes()))
    requesty = json.loads(shared("requesty", "requesty_models_2026-09-20_9rec.json").read_bytes())
    listed = requesty["data"] if isinstance(requesty, dict) else requesty
    for row in (*providers, *listed):
        change(row)
    capture = gzip.decompress(shared("openrouter", "or_endpoints_allmodels_2026-07-22.json.gz").read_bytes())
    base = "https://openrouter.ai"
    payloads = {
        "openrouter": {f"{base}{MODELS_PATH}": capture, f"{base}{PROVIDERS_PATH}": json.dumps(providers).encode()},
        "requesty": {ADAPTERS["requesty"].file_url: json.dumps({"data": listed}).encode()},
    }
    for name, urls in payloads.items():
        done = refresh_from_file(store, name, ADAPTERS[name], urls, at, actor="test")
        assert done.sources[0].outcome in {"published", "unchanged"}, done


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A database that has heard of no prices."""
    made = furnished(f"sqlite:///{tmp_path / 'planner.sqlite3'}", NOW)
    yield made
    made.close()


def recommended(store: Store) -> Seen:
    """Return every (offer, provider) that any answer recommends, by policy and needs."""
    app = build(Settings(admin_key=SecretStr(ADMIN), key_pepper=SecretStr("pepper")), store)
    headers = {"Authorization": f"Bearer {ADMIN}"}
    found: Seen = {}
    with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
        if client.get("/v1/policies/few-days").status_code != 200:
            rules = {"max_retention_days": 30}
            body = {"title": "Kept for a month at most", "rules": rules, "reason": "test"}
            assert client.put("/v1/policies/few-days/draft", json=body).status_code == 200
            assert client.post("/v1/policies/few-days/publish", json={"reason": "test"}).status_code == 200
        for policy in POLICIES:
            for number, needs in enumerate(NEEDS):
                asked = {"policy": policy, "needs": needs}
                usage = {"input_tokens": 2_600, "output_tokens": 450}
                ranked = client.post("/v1/costs/rank", json={"usage": usage, **asked})
                assert ranked.status_code == 200, ranked.text
                everybody = {(item["offer"], item["provider"]) for item in ranked.json()["items"]}
                for objective in OBJECTIVES:
                    question = {"workload": usage, "objective": objective, "fallbacks": 10, **asked}
                    answer = client.post("/v1/recommendations", json=question)
                    assert answer.status_code in {200, 409}, answer.text
                    told = answer.json()
                    links = [told["choice"], *told["fallbacks"], *told["alternatives"]] if "choice" in told else []
                    # Whoever is recommended is ranked, so the ranking is the whole of who may be recommended.
                    assert {link["offer"] for link in links} <= {offer for offer, _provider in everybody}
                found[policy, number] = everybody
    return found


def within(after: Seen, before: Seen) -> bool:
    """Tell whether nobody is recommended who was not."""
    return all(after[asked] <= before[asked] for asked in before)


def providers(seen: Seen) -> int:
    """Count who is recommended for what."""
    return sum(len({provider for _offer, provider in those}) for those in seen.values())


def test_the_best_of_flags_lets_nobody_in(store: Store) -> None:
    """The recorded feeds, then the same with everything turned to its best, or to one harmless day."""
    say(store, recorded, NOW)
    before = recommended(store)
    assert providers(before) > 50
    # A policy that lets nobody in would prove nothing.
    assert {policy for policy, number in before if before[policy, number]} == set(POLICIES)
    for hours, said in enumerate((BEST, SHORT, BEST), 1):
        say(store, turned(said), NOW + hours * HOUR)
        after = recommended(store)
        assert within(after, before)
        before = after


def test_the_best_of_flags_is_worth_no_more_than_silence(store: Store, tmp_path: Path) -> None:
    """A feed that praises everybody from its first day on gets nobody in who would not be in without a word."""
    say(store, turned(BEST), NOW)
    quiet, short = (furnished(f"sqlite:///{tmp_path / f'{name}.sqlite3'}", NOW) for name in ("quiet", "short"))
    say(quiet, silent, NOW)
    say(short, turned(SHORT), NOW)
    asked = recommended(quiet)
    assert recommended(store) == asked
    assert within(recommended(short), asked)
    quiet.close()
    short.close()


def test_who_was_caught_does_not_come_back_by_a_better_word(store: Store) -> None:
    """Everybody trains, says the feed; an hour later, nobody: who left waits for a person."""
    say(store, recorded, NOW)
    before = recommended(store)
    say(store, turned(WORST), NOW + HOUR)
    caught = recommended(store)
    assert within(caught, before)
    # Under rules that ask for nothing, nothing that is said matters.
    assert [key for key in before if caught[key] != before[key]]
    assert all(caught[key] == before[key] for key in before if key[0] == "any-terms")
    for hours, change in enumerate((turned(BEST), silent, recorded), 2):
        say(store, change, NOW + hours * HOUR)
        assert recommended(store) == caught
