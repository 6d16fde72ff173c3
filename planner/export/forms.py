"""What a gateway's configuration may look like, strictly: closed words, no unknown keys, no fallback to nothing.

The vendors' own loaders are too kind to rely on. OpenRouter's SDK drops what it does not know, so that a misspelt
``data_collection`` would be a privacy rule that vanished; LiteLLM takes a fallback to a model that does not exist. So
nothing leaves planner that has not passed here.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from planner.core.errors import NotExportable, what_is_wrong

Text = Annotated[str, StringConstraints(min_length=1, max_length=400)]
UsdPerMtok = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]*)(\.[0-9]+)?$", max_length=42)]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Place = Annotated[int, Field(ge=1, le=11)]
Tags = Annotated[list[Text], Field(min_length=1, max_length=11)]

Quantization = Literal[
    "int4", "int8", "fp4", "mxfp4", "nvfp4", "fp6", "fp8", "mxfp8", "fp16", "bf16", "fp32", "unknown"
]  # fmt: skip
"""OpenRouter's words for quantizations.

Source:
    `Quantization` of its Python SDK, PyPI openrouter 1.3.84.
"""
RoutedTier = Literal["flex", "priority", "fast", "ultrafast", "scale"]


class Form(BaseModel):
    """A part of a configuration: nothing is converted, nothing unknown is dropped."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())


class MaxPrice(Form):
    """Prices above which a request fails rather than being served: USD per million tokens, and per request."""

    prompt: UsdPerMtok
    completion: UsdPerMtok
    request: UsdPerMtok | None = None


class Provider(Form):
    """OpenRouter's `provider` object: where a request may go. ``only`` is never missing."""

    only: Tags
    order: Tags | None = None
    allow_fallbacks: bool
    require_parameters: Literal[True]
    data_collection: Literal["deny", "allow"] | None = None
    zdr: Literal[True] | None = None
    max_price: MaxPrice
    quantizations: list[Quantization] | None = None

    @model_validator(mode="after")
    def order_within_only(self) -> Self:
        """Refuse an order that names what ``only`` does not allow, and fallbacks around a single pin."""
        if self.order is not None and self.order != self.only:
            raise ValueError("order and only must name the same")
        if self.allow_fallbacks and len(self.only) == 1:
            raise ValueError("a pin allows no fallbacks")
        return self


class OpenRouterBody(Form):
    """The part of a chat request to OpenRouter, or of a preset, that enforces a recommendation."""

    model: Text
    models: Annotated[list[Text], Field(min_length=2, max_length=11)] | None = None
    provider: Provider
    service_tier: RoutedTier | None = None

    @model_validator(mode="after")
    def first_model_first(self) -> Self:
        """Refuse models that do not begin with the model."""
        if self.models is not None and (self.models[0] != self.model or len(set(self.models)) != len(self.models)):
            raise ValueError("models must begin with model, and name each once")
        return self


class ExtraBody(Form):
    """What LiteLLM passes on to OpenRouter."""

    provider: Provider


class LiteLLMParams(Form):
    """Where a deployment sends a request and what it costs: USD per single token."""

    model: Text
    api_key: Annotated[str, StringConstraints(pattern=r"^os\.environ/[A-Z][A-Z0-9_]+$")]
    api_base: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$")] | None = None
    order: Place
    input_cost_per_token: Price
    output_cost_per_token: Price
    cache_read_input_token_cost: Price
    cache_creation_input_token_cost: Price
    cache_creation_input_token_cost_above_1hr: Price | None = None
    output_cost_per_reasoning_token: Price | None = None
    service_tier: RoutedTier | None = None
    extra_body: ExtraBody | None = None


class ModelInfo(Form):
    """What a deployment says of itself, so that spend can be led back to the recommendation."""

    id: Text
    planner_recommendation_id: Text
    policy: Text
    policy_version: int
    offer: Text
    price_version: Text
    max_input_tokens: Annotated[int, Field(ge=1)] | None = None


class Deployment(Form):
    """One link of the chain."""

    model_name: Text
    litellm_params: LiteLLMParams
    model_info: ModelInfo


Fallbacks = Annotated[list[dict[str, list[str]]], Field(max_length=1)]


class RouterSettings(Form):
    """How LiteLLM goes down the chain."""

    routing_strategy: Literal["simple-shuffle"]
    enable_pre_call_checks: Literal[True]
    num_retries: Literal[0]
    max_fallbacks: Annotated[int, Field(ge=0, le=10)]
    fallbacks: Fallbacks
    context_window_fallbacks: Fallbacks


class LiteLLMSettings(Form):
    """Discounts and fees by LiteLLM's word for the provider, as shares of the cost."""

    cost_discount_config: dict[Text, Annotated[float, Field(ge=0, le=1)]]
    cost_margin_config: dict[Text, Share]


class LiteLLMConfig(Form):
    """A `config.yaml` of LiteLLM: every model that is named exists, every link is reached, in order."""

    model_list: Annotated[list[Deployment], Field(min_length=1, max_length=11)]
    router_settings: RouterSettings
    litellm_settings: LiteLLMSettings

    @model_validator(mode="after")
    def chain_is_whole(self) -> Self:
        """Refuse a fallback to a model that is not there, and links that stand twice or out of order."""
        names = [each.model_name for each in self.model_list]
        if len(set(names)) != len(names):
            raise ValueError("two links have the same model_name")
        if len({each.model_info.id for each in self.model_list}) != len(names):
            raise ValueError("two links have the same id")
        wanted = [{names[0]: names[1:]}] if names[1:] else []
        settings = self.router_settings
        for field in ("fallbacks", "context_window_fallbacks"):
            listed: list[dict[str, list[str]]] = getattr(settings, field)
            missing = {name for entry in listed for key, others in entry.items() for name in (key, *others)}
            if missing - set(names):
                raise ValueError(f"{field} name {', '.join(sorted(missing - set(names)))}, which no model_list has")
        if settings.fallbacks != wanted or settings.max_fallbacks != len(names) - 1:
            raise ValueError("fallbacks must be all further links, in order")
        places = [each.litellm_params.order for each in self.model_list]
        if places != sorted(set(places)):
            raise ValueError("order must rise along the chain")
        return self


_FORMS: Mapping[str, type[Form]] = {"litellm": LiteLLMConfig, "openrouter": OpenRouterBody}


def checked(format_: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration, after holding it against its form.

    Raises:
        NotExportable: it is not of the form; each place with what is wrong there.
    """
    try:
        _FORMS[format_].model_validate(config)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise NotExportable(format_, {_place(each["loc"]): what_is_wrong(each["msg"]) for each in found}) from None
    return config


def _place(steps: Iterable[object]) -> str:
    return ".".join(map(str, steps)) or "config"
