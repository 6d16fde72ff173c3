"""Cost against quality over HTTP, on the real catalogue: frontiers, bargains, mixtures, scores with their source."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.app import build
from planner.settings import Settings
from planner.store.engine import Store
from tests.api.test_contract import ADMIN, QUESTION, problem

DEFAULT = "artificial_analysis_intelligence"
STORED = {"plan": "pro", "task": "chat"}
STANDING = {"revision", "stale", "valid_until", "policy", "policy_version", "policies", "at", "considered", "refused"}


@pytest.fixture(scope="module")
def client(installed: Store) -> Iterator[TestClient]:
    """A client with the admin key, over the installed catalogue."""
    settings = Settings(admin_key=SecretStr(ADMIN), key_pepper=SecretStr("pepper"))
    with TestClient(build(settings, installed), headers={"Authorization": f"Bearer {ADMIN}"}) as made:
        yield made


def asked(client: TestClient, path: str, **body: Any) -> dict[str, Any]:
    """Ask, and return the answer."""
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_along_a_frontier_cost_and_quality_rise(client: TestClient) -> None:
    """Every point costs more and scores more than the one before, keeps the margin, and names index, day and source."""
    found = asked(client, "/v1/frontier", **STORED)
    costs, scores = ([Fraction(figure(point)) for point in found["points"]] for figure in (_cost, _score))
    assert len(costs) >= 3
    assert costs == sorted(set(costs))
    assert scores == sorted(set(scores))
    assert all(Fraction(point["margin"]) >= Fraction("0.7") for point in found["points"])
    assert {point["quality"]["index"] for point in found["points"]} == {DEFAULT}
    assert all(point["quality"]["source_url"].startswith("https://") for point in found["points"])
    assert set(found) >= STANDING


def _cost(point: dict[str, Any]) -> str:
    return str(point["cost_usd"])


def _score(point: dict[str, Any]) -> str:
    return str(point["quality"]["score"])


def test_what_a_point_of_quality_costs_is_the_slope_to_the_next_offer(client: TestClient) -> None:
    """Dearer by so many dollars over better by so many points; nothing follows the last one."""
    points = asked(client, "/v1/frontier", **STORED)["points"]
    for point, after in pairwise(points):
        slope = (Fraction(_cost(after)) - Fraction(_cost(point))) / (Fraction(_score(after)) - Fraction(_score(point)))
        assert abs(Fraction(point["usd_per_quality_point"]) - slope) < Fraction(1, 10**11)
    assert points[-1]["usd_per_quality_point"] is None


def test_every_offer_of_a_frontier_is_accounted_for(client: TestClient) -> None:
    """Points and their equals, dominated and unscored are the eligible; with the refused they are all considered."""
    found = asked(client, "/v1/frontier", **STORED)
    points = sum(1 + point["equals"] for point in found["points"])
    assert found["eligible"] == points + found["dominated"] + found["unscored"]
    assert found["considered"] == found["eligible"] + sum(found["refused"].values())


def test_a_frontier_ends_at_the_best_quality(client: TestClient) -> None:
    """The last point is the best quality within the margin."""
    points = asked(client, "/v1/frontier", **STORED)["points"]
    best = asked(client, "/v1/recommendations", **STORED, objective="best_quality")["choice"]
    assert points[-1]["offer"] == best["offer"]
    assert (_cost(points[-1]), _score(points[-1])) == (best["cost_usd"], best["quality"]["score"])


def test_bargains_have_a_quality_tier_better_than_their_price_tier(client: TestClient) -> None:
    """Each once by model, the cheapest offer of it."""
    bargains = asked(client, "/v1/frontier", **STORED)["bargains"]
    assert bargains
    assert all(one["quality_tier"] < one["tier"] for one in bargains)
    assert len({one["model"] for one in bargains}) == len(bargains)


def test_a_frontier_is_drawn_on_the_index_that_is_named(client: TestClient) -> None:
    """At the top or in the needs; a minimum on another index still decides who is eligible."""
    assert asked(client, "/v1/frontier", **STORED, index="arena_text")["index"] == "arena_text"
    spelled = {**QUESTION, "needs": {"quality": {"index": "arena_text"}}}
    assert asked(client, "/v1/frontier", **spelled)["index"] == "arena_text"
    narrowed = {**QUESTION, "needs": {"quality": {"index": DEFAULT, "min": "40"}}}
    found = asked(client, "/v1/frontier", **narrowed, index="arena_text")
    assert found["index"] == "arena_text"
    assert found["refused"]["needs:quality"] > 0


def test_an_index_nobody_is_scored_on_is_refused(client: TestClient) -> None:
    """With the indexes there are."""
    found = problem(client.post("/v1/frontier", json={**STORED, "index": "beauty"}), 409, "unscored")
    assert DEFAULT in found["indexes"]
    problem(client.post("/v1/mixtures", json={**STORED, "index": "beauty"}), 409, "unscored")


def test_what_no_offer_passes_is_refused_as_the_main_question_is(client: TestClient) -> None:
    """A margin beyond reach names what would help; an objective has no place here."""
    for path in ("/v1/frontier", "/v1/mixtures"):
        found = problem(client.post(path, json={**QUESTION, "margin": "0.9199"}), 409, "margin_unreachable")
        assert found["feasible_price_usd"]
        problem(client.post(path, json={**QUESTION, "objective": "fastest"}), 422, "invalid")


def test_the_score_in_an_answer_is_that_of_the_index_asked_for(client: TestClient) -> None:
    """With its date and where it stands, and null where the choice has none on it."""
    needs = {"quality": {"index": "arena_text", "min": "1400"}}
    quality = asked(client, "/v1/recommendations", **{**QUESTION, "needs": needs})["choice"]["quality"]
    assert quality["index"] == "arena_text"
    assert Fraction(quality["score"]) >= 1400
    assert quality["as_of"] in ("2025-12-17", "2026-04-19")
    assert quality["source"]
    unscored = {**QUESTION, "needs": {"quality": {"index": "beauty"}}}
    found = asked(client, "/v1/recommendations", **unscored, objective="best_quality")
    assert found["choice"]["quality"] is None
    assert found["objective_note"] == "no eligible offer has a score on beauty: answered as cheapest"


def test_an_objective_says_its_rule_and_whom_it_could_not_compare(client: TestClient) -> None:
    """No bundled feed says how quick an offer is, so the fastest answer says that cost decided."""
    found = {
        objective: asked(client, "/v1/recommendations", **STORED, objective=objective)
        for objective in ("cheapest", "best_quality", "fastest", "balanced")
    }
    assert found["cheapest"]["objective_note"] is None
    assert DEFAULT in found["best_quality"]["objective_rule"]
    assert "come last" in found["best_quality"]["objective_note"]
    assert "dollars per quality point" in found["balanced"]["objective_rule"]
    assert "answered as cheapest" in found["fastest"]["objective_note"]
    assert found["fastest"]["choice"]["expected_seconds"] is None
    assert found["fastest"]["choice"]["offer"] == found["cheapest"]["choice"]["offer"]


def test_a_mixture_spends_the_budget_and_not_more(client: TestClient) -> None:
    """The share is rounded down, so that the margin stays; one ten-thousandth more would miss it."""
    found = asked(client, "/v1/mixtures", **STORED)
    share, mixed = Fraction(found["share_max"]), found["mixture"]
    strong, cheap = Fraction(found["strong"]["cost_usd"]), Fraction(found["cheap"]["cost_usd"])
    budget = Fraction(found["budget_usd"]) / 900
    assert 0 < share < 1
    assert Fraction(mixed["cost_usd"]) == share * strong + (1 - share) * cheap <= budget
    assert (share + Fraction(1, 10_000)) * strong + (1 - share - Fraction(1, 10_000)) * cheap > budget
    assert share * 900 - 1 < found["requests_max"] <= 900 * (share + Fraction(1, 10_000))
    assert mixed["keeps_margin"] is True
    assert set(found) >= STANDING


def test_a_router_is_held_against_a_cascade(client: TestClient) -> None:
    """At the stated share, with what deciding costs: the cascade pays for the cheap answers it throws away."""
    body = {**STORED, "escalated_share": "0.05", "judge_cost_usd": "0.00005", "router_cost_usd": "0.0001"}
    found = asked(client, "/v1/mixtures", **body)
    strong, cheap = Fraction(found["strong"]["cost_usd"]), Fraction(found["cheap"]["cost_usd"])
    routed, cascaded = (Fraction(found["comparison"][way]["cost_usd"]) for way in ("router", "cascade"))
    share = Fraction(1, 20)
    assert routed == Fraction("0.0001") + share * strong + (1 - share) * cheap
    assert cascaded == cheap + Fraction("0.00005") + share * strong
    # One offer alone is better than either, and costs less.
    assert Fraction(found["alone"]["cost_usd"]) <= min(routed, cascaded)
    assert found["verdict"] == "best_alone"
    edge = 1 - (cheap + Fraction("0.00005")) / strong
    assert 0 <= edge - Fraction(found["escalated_share_break_even"]) < Fraction(1, 10_000)


def test_the_best_mixture_scores_at_least_what_one_offer_does_alone(client: TestClient) -> None:
    """And what the two ends mixed do, for the same budget."""
    found = asked(client, "/v1/mixtures", **STORED)
    best = Fraction(found["best_mixture"]["quality"])
    assert best >= Fraction(found["alone"]["quality"]["score"])
    assert best >= Fraction(found["mixture"]["quality"])
    assert found["verdict"] in ("best_alone", "fixed_share")


@pytest.mark.parametrize("plan", ["free", "starter"])
def test_a_plan_that_does_not_allow_tier_1_never_gets_it(client: TestClient, plan: str) -> None:
    """Neither as the strong offer nor in a mixture, though tier 1 has the best scores."""
    found = asked(client, "/v1/mixtures", plan=plan, task="chat")
    assert found["strong"]["tier"] in (2, 3)
    points = asked(client, "/v1/frontier", plan=plan, task="chat")["points"]
    assert {point["tier"] for point in points} <= {2, 3}


def test_without_a_margin_nothing_limits_the_share(client: TestClient) -> None:
    """There is no budget to spend, and the answer says so."""
    found = asked(client, "/v1/mixtures", workload={"input_tokens": 1000, "output_tokens": 200})
    assert (found["share_max"], found["mixture"], found["best_mixture"]) == (None, None, None)
    assert found["verdict"] == "strong_alone"
    assert any("no margin is asked" in reason for reason in found["reasons"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"escalated_share": "1.5"},
        {"escalated_share": 0.3},
        {"judge_cost_usd": "-1"},
        {"workload": {"input_tokens": 10, "output_tokens": 10, "requests_per_period": 0}},
    ],
)
def test_shares_and_costs_that_are_none_are_refused(client: TestClient, wrong: dict[str, Any]) -> None:
    """A share above 1, a number where money is exact, a negative cost, no requests to share."""
    problem(client.post("/v1/mixtures", json={**QUESTION, **wrong}), 422, "invalid")
