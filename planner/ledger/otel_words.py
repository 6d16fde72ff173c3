"""What OpenTelemetry's GenAI conventions call providers, models, tiers and counts, by their new names and their old.

Source: open-telemetry/semantic-conventions-genai, model/gen-ai/registry.yaml, and its predecessors up to 1.27 of
semantic-conventions; names of single instrumentations are marked.
"""

from collections.abc import Mapping
from types import MappingProxyType

from planner.ledger import cells
from planner.ledger.tiers import service_tier

OPERATION = "gen_ai.operation.name"
# An operation that is not one of these may be of a provider's own naming; then its counts decide.
NOT_INFERENCE = frozenset(
    {
        "create_agent", "invoke_agent", "invoke_workflow", "execute_tool", "plan", "retrieval", "fetch_response",
        "create_memory", "create_memory_store", "delete_memory", "delete_memory_store", "search_memory",
        "update_memory", "upsert_memory",
    }
)  # fmt: skip

# Count -> the attributes that state it, best first.
SPAN_COUNTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "input_tokens": (
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.prompt_tokens",
            "llm.usage.prompt_tokens",  # OpenLLMetry
            "llm.token_count.prompt",  # OpenInference
            "usage.input_tokens",
            "usage.prompt_tokens",
        ),
        "output_tokens": (
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
            "llm.usage.completion_tokens",
            "llm.token_count.completion",
            "usage.output_tokens",
            "usage.completion_tokens",
        ),
        "cache_read_tokens": (
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",  # OpenLLMetry
            "gen_ai.usage.cached_tokens",
            "llm.token_count.prompt_details.cache_read",
            "usage.cached_tokens",
            "usage.input_cached_tokens",
            "usage.cache_read_input_tokens",
        ),
        "cache_write_tokens": (
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
            "llm.token_count.prompt_details.cache_write",
            "usage.cache_creation_input_tokens",
        ),
        "reasoning_tokens": (
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "llm.usage.reasoning_tokens",
            "llm.token_count.completion_details.reasoning",
            "usage.reasoning_tokens",
        ),
        "input_audio_tokens": ("gen_ai.usage.audio.input_tokens",),
        "input_image_tokens": ("gen_ai.usage.image.input_tokens",),
        "input_video_tokens": ("gen_ai.usage.video.input_tokens",),
        "output_audio_tokens": ("gen_ai.usage.audio.output_tokens",),
    }
)
TOTALS = ("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total", "usage.total_tokens")

_PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")
_REQUESTED = ("gen_ai.request.model", "llm.request.model")
_MODEL = ("gen_ai.response.model", "llm.response.model", *_REQUESTED, "llm.model_name")
_TIER = ("openai.response.service_tier", "gen_ai.openai.response.service_tier")
_CUSTOMER = ("planner.customer", "user.id", "enduser.id")
_ENVIRONMENT = ("deployment.environment.name", "deployment.environment")
RESPONSE_ID = ("gen_ai.response.id",)

# The registry's word for a provider -> its id with planner. ``gcp.gen_ai`` may be either of Google's two, and stays.
# The second half are the words of gen_ai.system that were renamed with it.
_PROVIDERS = {
    "aws.bedrock": "amazon-bedrock",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "gcp.gemini": "google-ai-studio",
    "gcp.vertex_ai": "google-vertex",
    "ibm.watsonx.ai": "watsonx",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "x_ai": "xai",
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "gemini": "google-ai-studio",
    "vertex_ai": "google-vertex",
}

KEPT = frozenset(
    {
        OPERATION, "service.name", "planner.plan", "planner.task", "gen_ai.conversation.id", "gen_ai.token.type",
        "gen_ai.token.modality", *TOTALS, *_PROVIDER, *_MODEL, *_TIER, *_CUSTOMER, *_ENVIRONMENT, *RESPONSE_ID,
        *(name for names in SPAN_COUNTS.values() for name in names),
    }
)  # fmt: skip
"""The attributes that are read. No other one is looked at: the others are where messages and their like are kept."""


def first(attributes: Mapping[str, object], names: tuple[str, ...]) -> str | None:
    """Return the first of these attributes that says something.

    Raises:
        InvalidInput: it is no text, or one that is too long for a name.
    """
    for name in names:
        found = cells.text(attributes, name) if name in attributes else None
        if found is not None:
            return found
    return None


def provider(attributes: Mapping[str, object]) -> str | None:
    """Return who served it: planner's id where the registry documents the word, or the word as it stands."""
    word = first(attributes, _PROVIDER)
    return None if word is None else _PROVIDERS.get(word, word)


def model(attributes: Mapping[str, object]) -> str | None:
    """Return the model that answered, or the one that was asked for where the answer does not say."""
    return first(attributes, _MODEL)


def tier(attributes: Mapping[str, object]) -> str:
    """Return the service tier it was served in.

    Raises:
        InvalidInput: a tier that planner does not know.
    """
    return service_tier(first(attributes, _TIER))


def customer(attributes: Mapping[str, object]) -> str | None:
    """Return whose request it was."""
    return first(attributes, _CUSTOMER)


def tags(attributes: Mapping[str, object]) -> dict[str, str]:
    """Return what else is worth keeping, all of it names."""
    kept = {
        "operation": first(attributes, (OPERATION,)),
        "request_model": first(attributes, _REQUESTED),
        "conversation": first(attributes, ("gen_ai.conversation.id",)),
        "environment": first(attributes, _ENVIRONMENT),
    }
    return {name: value for name, value in kept.items() if value is not None}
