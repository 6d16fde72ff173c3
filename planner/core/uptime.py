"""How often an offer fails: what was measured of it, read as badly as the length of the measurement allows.

Source:
    OpenRouter and Vercel state the uptime of an endpoint over a window of 5 minutes to a day. OpenRouter's is the share
    of requests that succeed, rate-limited ones left out (``PublicEndpoint`` in its API reference,
    https://openrouter.ai/docs/sdks/go/api-reference/models/publicendpoint); Vercel's is of live requests too
    (https://vercel.com/docs/ai-gateway/models-and-providers/uptime). Neither says how many requests there were, so
    every minute of the window counts as one observation. The bound is Wilson's, one-sided (E. B. Wilson, 1927, Journal
    of the American Statistical Association 22).
"""

from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from math import ceil, isqrt
from typing import NamedTuple

from planner.core.offer import OfferFacts

Z = Fraction(1_644_854, 1_000_000)
"""One-sided 95 %: only an offer that is worse than measured can hurt."""

ASSUMED_MINUTES = 30
"""The window of an uptime that was stored without one: the shortest that planner read before it wrote windows down."""

UNMEASURED = Fraction(1, 10)
"""How often an offer fails of which nobody states an uptime: of 840 endpoints that OpenRouter measured on 22 July 2026,
nine in ten were up more than 92 % of the last half hour. No flawless half hour proves more, so silence is not rewarded.
"""

PLACES = 9
_SQUARE_PLACES = 12


class Basis(StrEnum):
    """What a failure share rests on."""

    MEASURED = "measured"
    WINDOW_ASSUMED = "window_assumed"  # measured, over a window that was not written down
    UNMEASURED = "unmeasured"


class Failure(NamedTuple):
    """How often an offer fails at most, and what that rests on: a measured uptime over so many minutes, if any."""

    share: Fraction
    basis: Basis
    uptime: Decimal | None = None
    minutes: int | None = None


def failure_of(facts: OfferFacts) -> Failure:
    """Return how often an offer fails, at most, by what its feed measured of it.

    Example:
        >>> facts = OfferFacts(model_spelling="m", provider="p", channel="c", uptime=Decimal(1), uptime_minutes=1_440)
        >>> failure_of(facts).share, failure_of(OfferFacts(model_spelling="m", provider="p", channel="c")).share
        (Fraction(14651, 7812500), Fraction(1, 10))
    """
    minutes = ASSUMED_MINUTES if facts.uptime_minutes is None else facts.uptime_minutes
    if facts.uptime is None or minutes < 1:
        return Failure(UNMEASURED, Basis.UNMEASURED)
    basis = Basis.WINDOW_ASSUMED if facts.uptime_minutes is None else Basis.MEASURED
    return Failure(1 - lower_bound(Fraction(facts.uptime), minutes), basis, facts.uptime, minutes)


@lru_cache(maxsize=8_192)
def lower_bound(uptime: Fraction, observations: int) -> Fraction:
    """Return the uptime that a measured one proves with 95 % confidence, rounded down to 1e-9.

    The fewer the observations, the lower. Minutes are not really independent, an outage lasts many of them; what the
    bound misses by that it partly regains by counting all requests of a minute as one observation.

    Args:
        uptime: the measured share of requests that succeeded, from 0 to 1.
        observations: minutes of a window, or requests one by one; at least 1.

    Example:
        >>> float(lower_bound(Fraction(1), 30)), float(lower_bound(Fraction(1), 1_440))
        (0.917275657, 0.998124672)
    """
    square = Z * Z / observations
    spread = _root_above(square * (uptime * (1 - uptime) + square / 4))
    bound = (uptime + square / 2 - spread) / (1 + square)
    return max(Fraction(), 1 - Fraction(ceil((1 - bound) * 10**PLACES), 10**PLACES))


def _root_above(value: Fraction) -> Fraction:
    return Fraction(isqrt(ceil(value * 100**_SQUARE_PLACES)) + 1, 10**_SQUARE_PLACES)
