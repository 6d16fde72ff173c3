"""The service tier of a request, in planner's words, whatever a vendor calls its ordinary one."""

from planner.core.errors import InvalidInput
from planner.core.units import SERVICE_TIERS

# Source: OpenAI's API reference, `service_tier`: ``auto`` is a wish of the request, and what was served without a tier
# of its own is ``default``. A tier that is not stated is the ordinary one too.
_ORDINARY = frozenset({None, "", "default", "auto", "standard"})


def service_tier(word: str | None) -> str:
    """Return planner's word for a tier.

    Raises:
        InvalidInput: a word that planner does not know; what such a tier costs nobody could say.
    """
    if word in _ORDINARY:
        return "standard"
    if word in SERVICE_TIERS:
        return word
    raise InvalidInput("service_tier", f"one of {', '.join(SERVICE_TIERS)} is needed")
