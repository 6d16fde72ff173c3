"""How providers spell a model: the parts of a spelling that a vendor documents as its own grammar, taken off.

A decoder answers where to look next, never which model it is: what remains must stand in the curated aliases, byte for
byte, or the spelling stays pending. It only takes characters away, at places the cited page defines. Snapshot dates,
``-latest``, ``-maas``, ``-fast`` and quantizations are left alone: whether ``gpt-4o-2024-08-06`` has the weights of
``gpt-4o`` is a fact about that model, and a curated row's business. Refused: lower-casing, similarity, a table of
regular expressions in the database; each would settle a name that nobody looked at.
"""

import re
from collections.abc import Callable, Mapping

Place = tuple[str, str]
"""A namespace of the curated aliases, and a spelling in it."""


def decode(namespace: str, spelling: str) -> Place | None:
    """Return where to look for a spelling that has no curated row of its own, or None where no grammar applies.

    Repeated, it ends: each step shortens the spelling or moves it to a namespace without a decoder.

    Example:
        >>> decode("amazon-bedrock", "eu.anthropic.claude-sonnet-4-20250514-v1:0")
        ('amazon-bedrock', 'anthropic.claude-sonnet-4-20250514-v1:0')
        >>> decode("oci", "xai.grok-4")
        ('xai', 'grok-4')
        >>> decode("openai", "gpt-4o-2024-08-06") is None
        True
    """
    decoder = DECODERS.get(namespace)
    return None if decoder is None else decoder(spelling)


def amazon_bedrock(spelling: str) -> Place | None:
    """Take off where a Bedrock model runs and for how long it is bought; what remains is the base model id.

    An inference profile's id is a geography, a dot and the id of the one model it routes to. In LiteLLM's keys a
    Region, ``*`` for any Region, and the commitment term of Provisioned Throughput precede the model id with a slash.

    Source:
        https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html (profiles),
        https://docs.aws.amazon.com/cdk/api/v2/docs/@aws-cdk_aws-bedrock-alpha.CrossRegionInferenceProfileRegion.html
        (the geographies),
        https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html (model ids are ``vendor.model``),
        https://docs.aws.amazon.com/general/latest/gr/bedrock.html (Region codes),
        https://docs.aws.amazon.com/bedrock/latest/userguide/prov-throughput.html (terms of one and six months).
    """
    return _rest(_BEDROCK, spelling, "amazon-bedrock")


def azure(spelling: str) -> Place | None:
    """Take off the deployment zone; a bare name of OpenAI's families is OpenAI's own model of that name.

    Zones are Global, the Data Zones EU and US; Azure lists OpenAI's models under OpenAI's ids. ``gpt-35-turbo`` is
    Azure's own spelling and needs its row, and so does every name that follows the newest (``-latest``).

    Source:
        https://learn.microsoft.com/azure/ai-foundry/foundry-models/concepts/deployment-types (zones),
        https://learn.microsoft.com/azure/ai-foundry/foundry-models/concepts/models-sold-directly-by-azure (ids).
    """
    if zone := _rest(_AZURE_ZONE, spelling, "azure"):
        return zone
    moving = spelling.endswith("-latest")
    return ("openai", spelling) if _OPENAI_FAMILY.fullmatch(spelling) and not moving else None


def cloudflare(spelling: str) -> Place | None:
    """Take off the catalogue's mark: ``@cf/`` for models Cloudflare serves, before ``author/model``.

    ``@hf/`` marks community conversions, whose weights somebody else made; it stays.

    Source:
        https://developers.cloudflare.com/workers-ai/models/ (the ids of the catalogue).
    """
    return _rest(_CLOUDFLARE, spelling, "cloudflare")


def databricks(spelling: str) -> Place | None:
    """Take off ``databricks-`` of a pay-per-token endpoint, or ``system.ai.`` of the same model in Unity Catalog.

    Source:
        https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/supported-models (endpoints),
        https://docs.databricks.com/aws/en/generative-ai/pretrained-models (the ``system.ai`` schema).
    """
    return _rest(_DATABRICKS, spelling, "databricks")


def digitalocean(spelling: str) -> Place | None:
    """Take off ``openai-``: the platform lists OpenAI's commercial models under OpenAI's ids behind that word.

    Source:
        https://docs.digitalocean.com/products/gradient-ai-platform/details/models/ (model ids).
    """
    return _rest(_OPENAI_DASH, spelling, "openai")


def fireworks(spelling: str) -> Place | None:
    """Take off the path of a model in Fireworks' own account; LiteLLM puts the same path before a bare name.

    Models of other accounts, and routers, which choose among deployments, keep their path.

    Source:
        https://docs.fireworks.ai/getting-started/concepts (``accounts/<account>/models/<model>``),
        https://docs.litellm.ai/docs/providers/fireworks_ai (bare names).
    """
    return _rest(_FIREWORKS, spelling, "fireworks")


def google_ai_studio(spelling: str) -> Place | None:
    """Take off ``models/``, with which the Gemini API writes a model's resource name.

    Source:
        https://ai.google.dev/api/models (``name``: ``models/{model}``).
    """
    return _rest(_GEMINI, spelling, "google-ai-studio")


def google_vertex(spelling: str) -> Place | None:
    """Take off LiteLLM's ``vertex_ai/``, or ``@default``, which asks for the version a bare name gets as well.

    Any other version (``@20240229``, ``@2411``, ``@001``) may be other weights than its neighbour, and stays.

    Source:
        https://docs.litellm.ai/docs/providers/vertex (prefix),
        https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude (``@`` and the version).
    """
    return _rest(_VERTEX, spelling, "google-vertex")


def oci(spelling: str) -> Place | None:
    """Split OCI's ``vendor.model``: of these four vendors it lists the model under the vendor's own id.

    Meta's models carry other names there (``meta.llama-3.3-70b-instruct``) and need their rows.

    Source:
        https://docs.oracle.com/en-us/iaas/Content/generative-ai/pretrained-models.htm (OCI model names).
    """
    vendor, _dot, model = spelling.partition(".")
    return (_OCI_VENDORS[vendor], model) if vendor in _OCI_VENDORS and model else None


def snowflake(spelling: str) -> Place | None:
    """Take off ``openai-``: Cortex lists OpenAI's models under OpenAI's ids behind that word.

    Source:
        https://docs.snowflake.com/en/user-guide/snowflake-cortex/aisql (model names).
    """
    return _rest(_OPENAI_DASH, spelling, "openai")


# AWS names exactly these geographies; a new one stays pending until its page says so. Each part stands once and in this
# order: what still begins like one of them afterwards is no model id.
_REGION, _TERM = r"(?:\*|[a-z]{2}(?:-gov)?-[a-z]+-[1-9])/", r"[16]-month-commitment/"
_GEOGRAPHY = r"(?:us|us-gov|eu|apac|jp|au|global)\.(?=[a-z0-9]+\.)"
_BEDROCK = re.compile(rf"(?:{_REGION})?(?:{_TERM})?(?:{_GEOGRAPHY})?(?!{_REGION}|{_TERM}|{_GEOGRAPHY})(.+)", re.ASCII)
_AZURE_ZONE = re.compile(r"(?:global|global-standard|eu|us)/([^/]+)", re.ASCII)
_OPENAI_FAMILY = re.compile(r"(?:gpt-[0-9]|o[1-9](?=-|$)|codex-mini|computer-use-preview)[a-z0-9.-]*", re.ASCII)
_CLOUDFLARE = re.compile(r"@cf/([^@]+)", re.ASCII)
_DATABRICKS = re.compile(r"(?:databricks-|system\.ai\.)((?!databricks-|system\.ai\.).+)", re.ASCII)
_OPENAI_DASH = re.compile(r"openai-((?:gpt-[0-9]|o[1-9](?=-|$))[a-z0-9.-]*)", re.ASCII)
_FIREWORKS = re.compile(r"accounts/fireworks/models/([^/]+)", re.ASCII)
_GEMINI = re.compile(r"models/([^/]+)", re.ASCII)
_VERTEX = re.compile(r"vertex_ai/(?P<named>(?!vertex_ai/).+)|(?P<bare>[^@]+)@default", re.ASCII)
_OCI_VENDORS = {"cohere": "cohere", "google": "google-ai-studio", "openai": "openai", "xai": "xai"}

DECODERS: Mapping[str, Callable[[str], Place | None]] = {
    "amazon-bedrock": amazon_bedrock,
    "azure": azure,
    "cloudflare": cloudflare,
    "databricks": databricks,
    "digitalocean": digitalocean,
    "fireworks": fireworks,
    "google-ai-studio": google_ai_studio,
    "google-vertex": google_vertex,
    "oci": oci,
    "snowflake": snowflake,
}


def _rest(grammar: re.Pattern[str], spelling: str, namespace: str) -> Place | None:
    """Return what the grammar's group leaves of a spelling that has this grammar from end to end."""
    found = grammar.fullmatch(spelling)
    rest = spelling if found is None else found[found.lastindex or 0]
    return None if rest == spelling else (namespace, rest)
