"""The client against planner itself, served on loopback with the installed catalogue."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import SecretStr

from planner.app import build
from planner.client import (
    AccessRefused,
    AsyncPlanner,
    InvalidQuestion,
    MarginUnreachable,
    NotFound,
    NothingCompliant,
    Planner,
    UnknownModel,
    Unpriced,
)
from planner.settings import Settings
from planner.store.engine import Store
from tests.conftest import NOW
from tests.test_door import within

PATIENCE_SECONDS = 120
KEY = "pk_adminkey_0123456789abcdefghijklmnopqrstuvwxyz"
WORKLOAD = {"input_tokens": 2600, "cache_read_tokens": 1200, "output_tokens": 450, "requests_per_period": 900}
USAGE = {"input_tokens": 271_999, "output_tokens": 1_000}


@pytest.fixture(scope="module")
def url(installed: Store) -> Iterator[str]:
    """A server with the bundled catalogue, on the day the examples are about."""
    settings = Settings(admin_key=SecretStr(KEY), key_pepper=SecretStr("pepper"))
    with within(build(settings, installed, lambda: NOW), settings) as port:
        served = f"http://127.0.0.1:{port}"
        # Loading the catalogue may take a busy machine longer than a backend would wait.
        with Planner(served, KEY, timeout=PATIENCE_SECONDS, deadline=PATIENCE_SECONDS) as first:
            first.status()
        yield served


@pytest.fixture
def planner(url: str) -> Iterator[Planner]:
    """A client of it."""
    with Planner(url, KEY) as made:
        yield made


def test_the_polled_question(planner: Planner) -> None:
    """A whole chain that keeps the margin, and the same from the ETag."""
    found = planner.recommendation("pro", "chat")
    assert found.choice.margin is not None
    assert found.choice.margin >= Decimal("0.70")
    assert len({link.provider for link in found.links}) == 3
    assert found.considered == found.eligible + sum(found.refused.values())
    assert found.valid_until is not None
    assert found.valid_until > NOW
    assert sum(line.amount_usd for line in found.choice.lines) == found.choice.list_cost_usd
    again = planner.recommendation("pro", "chat")
    assert again.raw is found.raw


def test_the_main_question(planner: Planner) -> None:
    """By its fields, with exact decimals, or as one body; nothing unknown is sent."""
    question = {"workload": WORKLOAD, "revenue_usd": Decimal("20.00"), "margin": "0.70", "needs": {"tiers": [1, 2]}}
    found = planner.recommend(question)
    assert found == planner.recommend(**question, policy=None)
    assert found.budget_usd == Decimal(6)
    dated = planner.recommend(workload=WORKLOAD, at=datetime(2026, 11, 24, 12, tzinfo=UTC), fallbacks=0)
    assert dated.at == datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert dated.fallbacks == ()


@pytest.mark.parametrize("question", [{"margin": 0.7}, {"needs": {"quality": {"min": 40.0}}}, {"workload": [0.5]}])
def test_a_float_never_leaves(planner: Planner, question: dict[str, object]) -> None:
    """It is refused before anything is sent, however deep it lies."""
    with pytest.raises(TypeError, match="float"):
        planner.recommend(question)
    with pytest.raises(TypeError, match="not both"):
        planner.recommend({"workload": WORKLOAD}, margin="0.7")


def test_costs_ranks_and_explanations(planner: Planner) -> None:
    """The other questions, typed."""
    cost = planner.cost(offer="direct:openai/gpt-5.4", usage=USAGE)
    assert cost.total_usd == Decimal("0.6949975") == cost.input_usd + cost.output_usd + cost.other_usd
    assert cost.effective_usd == cost.total_usd
    ranking = planner.rank(usage=USAGE, needs={"models": ["openai/gpt-5.4"]})
    assert [item.total_usd for item in ranking.items] == sorted(item.total_usd for item in ranking.items)
    assert {item.model for item in ranking.items} == {"openai/gpt-5.4"}
    explained = planner.explain(offer="direct:openai/gpt-5.4", workload=WORKLOAD)
    assert explained.eligible == all(check.passed for check in explained.checks)
    assert explained.cost_usd is not None
    assert planner.status().revision == ranking.revision == explained.revision


def test_refusals_are_told_apart(planner: Planner, url: str) -> None:
    """By their kind, with planner's own codes and facts."""
    with pytest.raises(NotFound) as lost:
        planner.recommendation("pro", "nothing")
    assert lost.value.facts == {"kind": "task", "id": "nothing"}
    with pytest.raises(UnknownModel):
        planner.rank(usage=USAGE, needs={"models": ["acme/nothing"]})
    with pytest.raises(Unpriced):
        planner.cost(offer="direct:openai/gpt-5.4", usage={"input_tokens": 1, "pages": 7})
    with pytest.raises(NothingCompliant) as refused:
        planner.recommend(workload=WORKLOAD, needs={"regions": ["atlantis"]})
    assert sum(refused.value.facts["refused"].values()) == refused.value.facts["considered"]
    with pytest.raises(MarginUnreachable) as dear:
        planner.recommend(workload=WORKLOAD, revenue_usd="0.02", margin="0.99", needs={"tiers": [1]})
    assert dear.value.feasible_price_usd is not None
    with pytest.raises(InvalidQuestion) as wrong:
        planner.recommend(workload=WORKLOAD, surprise=1)
    assert wrong.value.facts["errors"]
    with Planner(url, "pk_nobody") as nobody, pytest.raises(AccessRefused) as closed:
        nobody.status()
    assert closed.value.code == "unauthenticated"


def test_the_awaiting_client_says_the_same(planner: Planner, url: str) -> None:
    """Question by question."""

    async def ask() -> None:
        async with AsyncPlanner(url, KEY) as other:
            assert await other.recommendation("pro", "chat") == planner.recommendation("pro", "chat")
            question = {"workload": WORKLOAD, "policy": "no-training"}
            assert await other.recommend(question) == planner.recommend(question)
            asked = {"offer": "direct:openai/gpt-5.4", "usage": USAGE}
            assert await other.cost(asked) == planner.cost(asked)
            assert await other.rank(usage=USAGE) == planner.rank(usage=USAGE)
            explained = {"offer": "direct:openai/gpt-5.4", "workload": WORKLOAD}
            assert await other.explain(explained) == planner.explain(explained)
            assert (await other.status()).revision == planner.status().revision

    asyncio.run(ask())


def test_importing_it_loads_nothing_of_the_server() -> None:
    """A backend that only asks has httpx, and no database, no framework and no other room of planner."""
    names = [
        "fastapi",
        "sqlalchemy",
        "pydantic",
        "starlette",
        "uvicorn",
        "numpy",
        "planner.core",
        "planner.api",
        "planner.store",
    ]
    code = f"import sys, planner.client; print(sorted(set({names}) & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == "[]\n"
