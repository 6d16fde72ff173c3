"""LiteLLM is told the chain in its order, at planner's prices, and nothing that would have to be guessed."""

import tomllib
from fractions import Fraction
from typing import Any

import pytest

from planner import places
from planner.core.agreement import Contract, Fee
from planner.core.errors import NotExportable
from planner.core.offer import Kind, Offer
from planner.core.plan import Needs
from planner.core.price import RateTable
from planner.core.recommend import recommend
from planner.export.document import Recommendation
from planner.export.litellm import LiteLLMExport, double, export, text
from planner.export.litellm_providers import DIRECT
from tests import make
from tests.export.test_openrouter import endpoint

FEE = Fee(
    channel="openrouter", percent=Fraction(11, 2), basis="added_to_top_up", valid_from=make.SINCE, valid_to=None,
    source="t", source_url="https://t.test",
)  # fmt: skip


def contract(percent: int, provider: str = "groq", model: str | None = None) -> Contract:
    """Make a discount."""
    return Contract(
        id=1, name="ours", channel="direct", provider=provider, model=model, discount_percent=Fraction(percent),
        valid_from=make.SINCE, valid_to=None, reference="t",
    )  # fmt: skip


def found(priced: dict[Offer, RateTable | None], needs: Needs | None = None, **parts: Any) -> Recommendation:
    """Recommend among these for the task chat of the plan pro."""
    catalogue = make.catalogue(priced, **parts)
    ask = make.ask(needs=needs or Needs())
    return Recommendation(ask, recommend(catalogue, ask), catalogue, None, "pro", "chat")


def one(offer: Offer, table: RateTable | None = None, needs: Needs | None = None, **parts: Any) -> LiteLLMExport:
    """Export a recommendation of one offer."""
    return export(found({offer: table or make.rates()}, needs, **parts))


GROQ = make.offer("direct:groq/small", provider="groq", model_spelling="small")


def test_a_chain_is_one_name_for_each_link_and_fallbacks_in_order() -> None:
    """The backend asks for the first; the others follow, each once, without retries in between."""
    chain = {
        GROQ: make.rates("1", "1"),
        endpoint("a/b", "acme", "fp8"): make.rates("2", "2"),
        make.offer("direct:openai/large", provider="openai", model_spelling="large"): make.rates("3", "3"),
    }
    config = export(found(dict(chain))).config
    assert [(each["model_name"], each["litellm_params"]["model"]) for each in config["model_list"]] == [
        ("plan-pro-chat", "groq/small"),
        ("plan-pro-chat-fallback-1", "openrouter/a/b"),
        ("plan-pro-chat-fallback-2", "openai/large"),
    ]
    settings = config["router_settings"]
    assert settings["fallbacks"] == [{"plan-pro-chat": ["plan-pro-chat-fallback-1", "plan-pro-chat-fallback-2"]}]
    assert (settings["num_retries"], settings["max_fallbacks"]) == (0, 2)


def test_a_chain_of_one_has_no_fallbacks() -> None:
    """And the lists are there all the same."""
    settings = one(GROQ).config["router_settings"]
    assert (settings["fallbacks"], settings["context_window_fallbacks"], settings["max_fallbacks"]) == ([], [], 0)


def prices(table: RateTable) -> dict[str, float]:
    """Return the prices of a deployment by their names."""
    params = one(GROQ, table).config["model_list"][0]["litellm_params"]
    return {name: value for name, value in params.items() if "cost" in name}


def test_a_cache_without_rates_is_priced_like_any_token() -> None:
    """Left out, LiteLLM would take its own map's price for it."""
    assert prices(make.rates("3", "15")) == {
        "input_cost_per_token": 0.000003,
        "output_cost_per_token": 0.000015,
        "cache_read_input_token_cost": 0.000003,
        "cache_creation_input_token_cost": 0.000003,
    }


def test_every_rate_that_litellm_knows_is_written() -> None:
    """Reads, writes of both lifetimes and reasoning."""
    table = make.rates("3", "15", cache_read="0.3", cache_write_5m="3.75", cache_write_1h="6", reasoning="20")
    assert prices(table) == {
        "input_cost_per_token": 0.000003,
        "output_cost_per_token": 0.000015,
        "cache_read_input_token_cost": 0.0000003,
        "cache_creation_input_token_cost": 0.00000375,
        "cache_creation_input_token_cost_above_1hr": 0.000006,
        "output_cost_per_reasoning_token": 0.00002,
    }


def test_a_price_is_the_nearest_double() -> None:
    """Of 23 digits a double keeps 17; no other one is nearer."""
    exact = Fraction("0.000000075000000000000001")
    assert abs(Fraction(double(exact)) - exact) < Fraction(1, 10**22)


def test_what_litellm_cannot_count_is_said() -> None:
    """A fee per request, and rates that hold under conditions."""
    notes = one(GROQ, make.rates(request="0.01")).notes
    assert notes == ("direct:groq/small also charges per request; LiteLLM will not count it",)


def shares(*offers: Offer, **parts: Any) -> tuple[dict[str, float], dict[str, float], tuple[str, ...]]:
    """Return discounts, margins and notes of a chain of these."""
    made = export(found(dict.fromkeys(offers, make.rates()), **parts))
    settings = made.config["litellm_settings"]
    return settings["cost_discount_config"], settings["cost_margin_config"], made.notes


def test_discounts_and_fees_are_told_by_litellms_word() -> None:
    """A contract with one provider, and the broker's fee."""
    assert shares(GROQ, endpoint("a/b", "acme"), contracts=(contract(10),), fees=(FEE,)) == (
        {"groq": 0.1}, {"openrouter": 0.055}, (),
    )  # fmt: skip


def test_a_discount_that_litellm_would_give_to_others_too_is_not_told() -> None:
    """OpenAI's own models and a compatible provider have one word, and only one of them has a contract."""
    offers = (
        make.offer("direct:openai/a", provider="openai"),
        make.offer("direct:siliconflow/a", provider="siliconflow"),
    )
    discounts, _margins, notes = shares(*offers, contracts=(contract(10, "openai"),))
    assert discounts == {}
    assert "it knows one of openai" in notes[0]


def test_nothing_is_left_to_add_a_fee_to_where_all_is_taken_off() -> None:
    """Then LiteLLM is told neither."""
    discounts, margins, notes = shares(GROQ, contracts=(contract(100),))
    assert (discounts, margins, len(notes)) == ({}, {}, 1)


@pytest.mark.parametrize(
    ("offer", "reason"),
    [
        (make.offer("direct:unheard/a", provider="unheard"), "nobody has said what LiteLLM calls the provider unheard"),
        (
            make.offer("requesty:groq/a", provider="groq", channel="requesty"),
            "nobody has said how LiteLLM reaches a provider through requesty",
        ),
        (
            make.offer("direct:groq/a@eu", provider="groq", region="eu"),
            "LiteLLM cannot be told to stay in the region eu",
        ),
    ],
)
def test_what_would_be_a_guess_is_left_out(offer: Offer, reason: str) -> None:
    """A word for a provider, a way through a broker, a region."""
    with pytest.raises(NotExportable) as refusal:
        one(offer)
    assert refusal.value.reasons == {offer.id: reason}


def test_only_chat_is_exported() -> None:
    """An embedding has a price and no chain of chats."""
    offer = make.offer("direct:groq/a", provider="groq", kind=Kind.EMBEDDING)
    with pytest.raises(NotExportable, match="it is for embedding"):
        one(offer, needs=Needs(kind="embedding"))


def test_a_service_tier_is_a_parameter() -> None:
    """Flex is asked for; batch cannot be."""
    offer = make.offer("direct:openai/a@flex", provider="openai", service_tier="flex")
    assert (
        one(offer, needs=Needs(service_tiers=("flex",))).config["model_list"][0]["litellm_params"]["service_tier"]
        == "flex"
    )
    batch = make.offer("direct:openai/a@batch", provider="openai", service_tier="batch")
    with pytest.raises(NotExportable, match="service tier batch"):
        one(batch, needs=Needs(service_tiers=("batch",)))


def test_every_provider_of_the_table_is_one() -> None:
    """Under the id of the registry: a name nobody has would never be looked up."""
    registry = tomllib.loads((places.seeds_dir() / "providers.toml").read_text("utf-8"))
    assert DIRECT.keys() <= {each["id"] for each in registry["provider"]}


def test_alibaba_outside_china_is_never_sent_to_china() -> None:
    """LiteLLM's own address for the prefix is the Chinese site, whose terms are others."""
    params = one(make.offer("direct:alibaba/a", provider="alibaba")).config["model_list"][0]["litellm_params"]
    assert params["api_base"].startswith("https://dashscope-intl.")


def test_a_deployment_says_what_it_rests_on() -> None:
    """The recommendation, the policy, the offer and its price, so that spend can be led back."""
    recommended = found({GROQ: make.rates()})
    info = export(recommended).config["model_list"][0]["model_info"]
    assert info == {
        "id": f"{recommended.id}-1",
        "planner_recommendation_id": recommended.id,
        "policy": "open",
        "policy_version": 1,
        "offer": "direct:groq/small",
        "price_version": "direct:groq/small#1",
    }


def test_the_file_says_where_it_comes_from_and_what_is_not_in_it() -> None:
    """Comments at its top: the recommendation, the state, and each link left out with the reason."""
    recommended = found({GROQ: make.rates(), make.offer("direct:unheard/a", provider="unheard"): make.rates("9")})
    lines = text(recommended, export(recommended)).splitlines()
    assert lines[0].startswith(f"# {recommended.id}: what planner recommends for plan-pro-chat")
    assert lines[1] == "# revision 1, policy open version 1"
    assert lines[3].startswith("# left out: direct:unheard/a: nobody has said")
    assert "      input_cost_per_token: 0.000001" in lines
