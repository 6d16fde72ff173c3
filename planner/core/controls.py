"""What a caller can hold each way to a model to: one provider, no retention, no training, a region, one's own key.

Curated from the public pages named beside each entry; what a way is not known to offer is not in its row, and counts
as not enforceable. A flag is enforced by the broker and follows what its upstreams say tomorrow; a pin keeps requests
where today's evidence holds. So a policy is safe on a way that has the pin and the flag, and on no way without a pin.
"""

from collections.abc import Mapping
from typing import NamedTuple

from planner.core.policy import Policy
from planner.core.terms import DIRECT

PIN, NO_RETENTION, NO_TRAINING, REGION, OWN_KEY = "provider", "zero_retention", "no_training", "region", "own_key"
WORDS = (PIN, NO_RETENTION, NO_TRAINING, REGION, OWN_KEY)
GATEWAY = "gateway"


class Control(NamedTuple):
    """How a way is held to something, and the page that says so; None where it is yours to see to."""

    how: str
    source_url: str | None = None


_OWN_CONTRACT = Control("your own account and contract with the provider; no request carries it")
_HELD = {
    PIN: Control("the request goes to the provider itself"),
    NO_RETENTION: _OWN_CONTRACT,
    NO_TRAINING: _OWN_CONTRACT,
    REGION: Control("the provider's regional address, where the offer is one"),
    OWN_KEY: Control("there is no other key"),
}
_OPENROUTER = "https://openrouter.ai/docs/features/provider-routing"
_VERCEL = "https://vercel.com/docs/ai-gateway/security-and-compliance"
_HUGGINGFACE = "https://huggingface.co/docs/inference-providers/pricing"

CONTROLS: Mapping[str, Mapping[str, Control]] = {
    DIRECT: _HELD,
    GATEWAY: {**_HELD, PIN: Control("the gateway's list of deployments", "https://docs.litellm.ai/docs/proxy/configs")},
    "openrouter": {
        PIN: Control("provider.only with allow_fallbacks false", _OPENROUTER),
        NO_RETENTION: Control("provider.zdr true, or for the account", "https://openrouter.ai/docs/guides/privacy/zdr"),
        NO_TRAINING: Control('provider.data_collection "deny"', _OPENROUTER),
        REGION: Control(
            "eu.openrouter.ai or us.openrouter.ai, for Business and Enterprise accounts",
            "https://openrouter.ai/docs/guides/features/in-region-routing",
        ),
        OWN_KEY: Control("own provider keys", "https://openrouter.ai/docs/guides/overview/auth/byok"),
    },
    "requesty": {
        PIN: Control("provider/model@region as the model", "https://docs.requesty.ai/features/latency-routing"),
        REGION: Control("router.eu.requesty.ai", "https://docs.requesty.ai/features/performance-monitoring"),
        OWN_KEY: Control("own provider keys", "https://docs.requesty.ai/features/latency-routing"),
    },
    "vercel": {
        PIN: Control(
            "providerOptions.gateway.only", "https://vercel.com/docs/ai-gateway/models-and-providers/provider-options"
        ),
        NO_RETENTION: Control("zeroDataRetention true, for Pro and Enterprise; not for own keys", f"{_VERCEL}/zdr"),
        NO_TRAINING: Control("disallowPromptTraining true; not for own keys", f"{_VERCEL}/disallow-prompt-training"),
        OWN_KEY: Control("own provider keys", "https://vercel.com/docs/ai-gateway/authentication-and-byok/byok"),
    },
    "huggingface": {
        PIN: Control("model:provider as the model", "https://huggingface.co/docs/inference-providers/index"),
        OWN_KEY: Control("a custom provider key", _HUGGINGFACE),
    },
}


def needed(policy: Policy) -> tuple[str, ...]:
    """Return what a policy has to be held to on the way: the provider planner judged, and what its rules ask.

    Example:
        >>> needed(Policy(name="p", version=1, deny_training=True))
        ('provider', 'no_training')
    """
    found = {PIN}
    for rules in policy.rules:
        if rules.deny_training:
            found.add(NO_TRAINING)
        if rules.require_zdr or rules.retention_days_max is not None:
            found.add(NO_RETENTION)
        if rules.require_serving_regions is not None or rules.allow_data_countries is not None:
            found.add(REGION)
    return tuple(word for word in WORDS if word in found)


def not_enforced(channel: str, policy: Policy) -> tuple[str, ...]:
    """Return what a policy asks that a way is not known to be held to.

    Example:
        >>> not_enforced("requesty", Policy(name="p", version=1, deny_training=True))
        ('no_training',)
    """
    row = CONTROLS.get(channel, {})
    return tuple(word for word in needed(policy) if word not in row)
