"""What the vendors' loaders would swallow is refused here, and what they need is there."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from planner.core.errors import NotExportable
from planner.core.recommend import recommend
from planner.export import litellm, openrouter
from planner.export.document import Recommendation
from planner.export.forms import checked
from tests import make
from tests.export.test_openrouter import endpoint

Change = Callable[[dict[str, Any]], object]


def recommendation() -> Recommendation:
    """Return one whose three links LiteLLM can all be told, and OpenRouter two."""
    offers = (
        endpoint("a/b", "acme", "fp8"),
        make.offer("direct:groq/small", provider="groq"),
        endpoint("a/b", "bolt"),
    )
    catalogue = make.catalogue(dict.fromkeys(offers, make.rates()))
    return Recommendation(make.ask(), recommend(catalogue, make.ask()), catalogue, None, "pro", "chat")


def refused(format_: str, config: dict[str, Any], change: Change) -> dict[str, object]:
    """Return what is wrong with a configuration after a change."""
    changed = deepcopy(config)
    change(changed)
    with pytest.raises(NotExportable) as refusal:
        checked(format_, changed)
    reasons: dict[str, object] = refusal.value.facts()["reasons"]  # type: ignore[assignment]  # a mapping of places
    return reasons


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda body: body["provider"].update(data_collection="never"), "provider.data_collection"),
        (lambda body: body["provider"].update(quantizations=["q4"]), "provider.quantizations.0"),
        (lambda body: body["provider"].update(zrd=True), "provider.zrd"),
        (lambda body: body["provider"].update(zdr=False), "provider.zdr"),
        (lambda body: body["provider"].update(require_parameters=False), "provider.require_parameters"),
        (lambda body: body["provider"].update(only=[]), "provider.only"),
        (lambda body: body["provider"].pop("only"), "provider.only"),
        (lambda body: body["provider"]["max_price"].update(prompt=1.0), "provider.max_price.prompt"),
        (lambda body: body["provider"]["max_price"].update(prompt="1E-7"), "provider.max_price.prompt"),
        (lambda body: body["provider"].update(order=["elsewhere"]), "provider"),
        (lambda body: body["provider"].update(only=["acme"], order=["acme"]), "provider"),
        (lambda body: body.update(models=["a/b", "a/b"]), "config"),
        (lambda body: body.update(models=["c/d", "a/b"]), "config"),
        (lambda body: body.update(service_tier="batch"), "service_tier"),
        (lambda body: body.update(temperature=0), "temperature"),
    ],
)
def test_a_body_with_one_thing_wrong_is_refused(change: Change, place: str) -> None:
    """Each with its place; several of them are what OpenRouter's SDK drops without a word."""
    assert place in refused("openrouter", openrouter.export(recommendation()).config, change)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda config: config["model_list"].pop(), "config"),
        (lambda config: config["router_settings"]["fallbacks"][0]["plan-pro-chat"].append("nobody"), "config"),
        (lambda config: config["router_settings"].update(context_window_fallbacks=[{"nobody": []}]), "config"),
        (lambda config: config["router_settings"]["fallbacks"][0]["plan-pro-chat"].reverse(), "config"),
        (lambda config: config["model_list"][1].update(model_name="plan-pro-chat"), "config"),
        (lambda config: config["model_list"][1]["model_info"].update(config["model_list"][0]["model_info"]), "config"),
        (lambda config: config["model_list"][1]["litellm_params"].update(order=1), "config"),
        (
            lambda config: config["router_settings"].update(routing_strategy="cost-based-routing"),
            "router_settings.routing_strategy",
        ),
        (
            lambda config: config["model_list"][0]["litellm_params"].update(api_key="sk-secret"),
            "model_list.0.litellm_params.api_key",
        ),
        (
            lambda config: config["model_list"][0]["litellm_params"].update(input_cost_per_token="0.1"),
            "model_list.0.litellm_params.input_cost_per_token",
        ),
        (
            lambda config: config["model_list"][1]["litellm_params"]["extra_body"].update(providers={}),
            "model_list.1.litellm_params.extra_body.providers",
        ),
        (lambda config: config.update(general_settings={}), "general_settings"),
    ],
)
def test_a_config_with_one_thing_wrong_is_refused(change: Change, place: str) -> None:
    """Each with its place: a missing fallback is what LiteLLM takes without a word."""
    assert place in refused("litellm", litellm.export(recommendation()).config, change)


def test_the_missing_one_is_named() -> None:
    """A fallback to nobody, by its name."""
    wrong = refused(
        "litellm",
        litellm.export(recommendation()).config,
        lambda config: config["router_settings"].update(fallbacks=[{"plan-pro-chat": ["nobody"]}]),
    )
    assert "nobody" in str(wrong["config"])
