"""What planner exports is loaded by the vendors' own code, in environments apart, and does there what planner said."""

import contextlib
import json
import re
import subprocess
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from planner.core.ask import Pick
from planner.core.errors import NoAnswer, NotExportable
from planner.core.recommend import recommend
from planner.core.usage import Usage
from planner.export import litellm, openrouter
from planner.export.document import Recommendation
from planner.export.forms import checked
from planner.export.litellm_providers import DIRECT, OPENROUTER
from planner.flows.answer import Question, ask_of
from planner.flows.current import Current, View
from planner.store.engine import Store
from tests import make
from tests.conftest import NOW
from tests.export.test_litellm import FEE, contract
from tests.export.test_openrouter import endpoint
from tests.gateways.venvs import interpreter

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LOCKS = ("litellm", "openrouter", "installer")


def driven(name: str, asked: object, folder: Path) -> Any:
    """Run a driver in its own environment, without anything of ours in its way, and return what it wrote."""
    out = folder / f"{name}.json"
    command = [str(interpreter(name)), "-I", str(HERE / f"drive_{name}.py"), str(out)]
    run = subprocess.run(command, input=json.dumps(asked), text=True, check=False, capture_output=True, cwd=folder)
    assert run.returncode == 0, run.stderr[-2_000:]
    return json.loads(out.read_text("utf-8"))


@pytest.fixture(scope="module")
def view(installed: Store) -> View:
    """The bundled catalogue."""
    return Current(installed, b"pepper", lambda: NOW).view()


def made_up() -> Recommendation:
    """Return a chain with everything: a discount, a fee, prices of a cache, odd digits, and five links in a row."""
    usage = Usage(input_tokens=2_600, cache_read_tokens=1_200, output_tokens=450)
    odd = make.rates("0.0750000000000000001", "0.3", cache_read="0.0075", cache_write_5m="0.09", cache_write_1h="0.12")
    priced = {
        make.offer("direct:groq/small", provider="groq", model_spelling="small"): odd,
        endpoint("a/b", "acme", "fp8", quantization="fp8"): make.rates("0.1", "0.4", cache_read="0.05"),
        make.offer("direct:deepinfra/x/y", provider="deepinfra", model_spelling="x/y"): make.rates("0.2", "0.4"),
        endpoint("c/d", "bolt"): make.rates("0.3", "0.4"),
        make.offer("direct:mistral/z", provider="mistral", model_spelling="z"): make.rates("0.4", "0.4"),
    }
    catalogue = make.catalogue(dict(priced), contracts=(contract(10),), fees=(FEE,))
    ask = make.ask(usage, fallbacks=4)
    return Recommendation(ask, recommend(catalogue, ask), catalogue, None, "made", "up")


def of_plan(view: View, plan: str, task: str) -> Recommendation:
    """Return what a bundled plan is recommended."""
    ask = ask_of(view.catalogue, Question(plan=plan, task=task), "", NOW)
    return Recommendation(ask, view.snapshot.recommend(ask), view.catalogue, None, plan, task)


@pytest.fixture(scope="module")
def chains(view: View) -> list[Recommendation]:
    """A chain with everything, and those of two bundled plans, which go directly and through a broker."""
    return [made_up(), of_plan(view, "pro", "chat"), of_plan(view, "business", "chat")]


@pytest.fixture(scope="module")
def loaded(chains: list[Recommendation], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What LiteLLM makes of them."""
    asked = {
        "chains": [{"yaml": litellm.text(each, litellm.export(each)), "alias": each.alias} for each in chains],
        "words": sorted({way.prefix for way in (OPENROUTER, *DIRECT.values())}),
    }
    found: dict[str, Any] = driven("litellm", asked, tmp_path_factory.mktemp("litellm"))
    return found


def picks(chain: Recommendation) -> list[Pick]:
    """Return the links of a chain."""
    return [chain.answer.choice, *chain.answer.fallbacks]


def test_the_yaml_is_what_was_meant(chains: list[Recommendation], loaded: dict[str, Any]) -> None:
    """Another reader of YAML finds the same configuration in it, to the last digit of every price."""
    for chain, found in zip(chains, loaded["chains"], strict=True):
        assert found["config"] == litellm.export(chain).config


def test_litellm_goes_down_the_chain_in_its_order(chains: list[Recommendation], loaded: dict[str, Any]) -> None:
    """With the first n links down, each is asked, in order, and the next one serves; one client tries thrice."""
    for chain, found in zip(chains, loaded["chains"], strict=True):
        length = len(chain.links)
        for failing, run in enumerate(found["runs"]):
            asked = [each["place"] for each in run["asked"]]
            assert list(dict.fromkeys(asked)) == list(range(1, min(failing + 1, length) + 1))
            assert asked == sorted(asked)
            again = {chain.links[place - 1].pick.offer.facts.provider for place in asked if asked.count(place) > 1}
            assert again <= {"deepinfra"}
            assert run["served"] == (f"{chain.id}-{failing + 1}" if failing < length else None)


def test_what_enforces_the_policy_arrives_upstream(chains: list[Recommendation], loaded: dict[str, Any]) -> None:
    """OpenRouter gets the pin of every link it serves, byte for byte, and others get nothing they do not know."""
    for chain, found in zip(chains, loaded["chains"], strict=True):
        pins = openrouter.places(chain)
        for asked in found["runs"][-1]["asked"]:
            pin = pins[asked["place"]]
            if isinstance(pin, openrouter.Pin):
                assert asked["provider"] == openrouter.provider_block(chain, [pin])
                assert asked["model"] == pin.model
            else:
                assert asked["provider"] is None


def test_prices_in_litellm_are_planners(chains: list[Recommendation], loaded: dict[str, Any]) -> None:
    """Every price LiteLLM looks up for a link is the card's, as the nearest double."""
    for chain, found in zip(chains, loaded["chains"], strict=True):
        for entry in litellm.export(chain).config["model_list"]:
            prices = {name: value for name, value in entry["litellm_params"].items() if "cost" in name}
            known = found["prices"][entry["model_info"]["id"]]
            assert {name: known[name] for name in prices} == prices


def test_litellm_counts_what_planner_expects(chains: list[Recommendation], loaded: dict[str, Any]) -> None:
    """A request with a cached prompt, its discount and the broker's fee, on every link: both come to the same USD."""
    priced = 0
    for chain, found in zip(chains, loaded["chains"], strict=True):
        for pick, run in zip(picks(chain), found["runs"], strict=False):
            if (pick.kinds[0].usage.input_tokens, pick.kinds[0].usage.cache_read_tokens) != (2_600, 1_200):
                continue
            counted = Fraction(Decimal(repr(run["cost_usd"])))
            assert abs(counted / pick.cost_usd - 1) < Fraction(1, 10**12)
            priced += 1
    assert priced >= len(chains[0].links)


def test_every_word_for_a_provider_is_litellms(loaded: dict[str, Any]) -> None:
    """Each prefix is known there and taken off the model; one stands for an address of somebody else."""
    assert {word: found["word"] for word, found in loaded["words"].items()} == {word: word for word in loaded["words"]}
    assert {found["model"] for found in loaded["words"].values()} == {"some/model"}
    assert "dashscope-intl" not in loaded["words"]["dashscope"]["api_base"]


def test_litellm_takes_a_fallback_to_nothing(loaded: dict[str, Any]) -> None:
    """Which is why planner looks for itself that every link exists."""
    assert loaded["takes_a_fallback_to_nothing"] is True


def test_openrouters_sdk_loses_nothing_of_a_body(view: View, tmp_path: Path) -> None:
    """Every body of every bundled plan, and one with everything, comes out of it as it went in."""
    bodies = []
    recommendations = [made_up()]
    for plan in view.catalogue.plans.values():
        for task in plan.tasks:
            with contextlib.suppress(NoAnswer):
                recommendations.append(of_plan(view, plan.id, task.id))
    for each in recommendations:
        with contextlib.suppress(NotExportable):
            made = openrouter.export(each)
            bodies += [made.config, *made.then]
    bodies.append({**bodies[0], "models": [bodies[0]["model"], "c/d"], "service_tier": "flex"})
    bodies[-1]["provider"] = {**bodies[0]["provider"], "quantizations": ["fp8"], "order": ["a"]}
    assert len(bodies) > len(recommendations) / 2
    assert driven("openrouter", bodies, tmp_path) == bodies


def test_openrouters_sdk_loses_what_planner_refuses(tmp_path: Path) -> None:
    """A misspelt rule, quantization or key vanishes; a price that is a number takes the whole block with it."""
    body = openrouter.export(made_up()).config
    careless = [
        {**body, "provider": {**body["provider"], **change}}
        for change in (
            {"data_collection": "never"},
            {"quantizations": ["q4"]},
            {"zrd": True},
            {"max_price": {"prompt": 0.1, "completion": 0.2}},
        )
    ]
    for kept, sent in zip(driven("openrouter", careless, tmp_path), careless, strict=True):
        assert kept != sent
        with pytest.raises(NotExportable):
            checked("openrouter", sent)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_everything_by_hash_and_names_no_host(name: str) -> None:
    """Names, versions and digests, as in planner's own, which none of them is part of."""
    lock = (HERE / f"{name}.lock").read_text("utf-8")
    pinned = re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)
    assert pinned
    assert all(re.search(rf"^{each}==[^\n]*\\\n    --hash=sha256:", lock, re.MULTILINE) for each in pinned)
    assert "://" not in lock
    ours = (ROOT / "requirements.lock").read_text("utf-8")
    assert not re.search(r"^(litellm|openrouter|uv)==", ours, re.MULTILINE)
