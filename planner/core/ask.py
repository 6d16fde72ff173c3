"""The main question and its answer, as values: which offer may this workload use and still keep its margin."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from planner.core.errors import InvalidInput
from planner.core.expected import Priced, list_usd
from planner.core.offer import Offer
from planner.core.plan import OBJECTIVES, Economics, Needs
from planner.core.policy import Policy
from planner.core.price import PriceCard
from planner.core.workload import Workload

FALLBACKS_MAX = 10
ALTERNATIVES = 5
COMMON_CAUSE_SHARE = Fraction(1, 10)
"""The share of failures that take every link of a chain at once, where nobody says: the upper end of the 1 to 10 % of
IEC 61508-6:2010, annex D. Providers share more than machines do there: networks, models, and everybody's evening peak.
"""
TIMEOUT_MS = 30_000
"""How long a link that fails is waited for, where nobody says. Client libraries wait 10 minutes unless they are told
(https://github.com/openai/openai-python#timeouts), and no failover is worth that wait.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One question.

    ``at`` selects prices, bands and tiers; ``decided_at`` is the day whose policy and terms decide.
    ``economics`` None asks for no margin. ``independent_upstreams`` lets no upstream serve twice in a chain.
    ``common_cause_share`` of its failures take all links of a chain at once; ``timeout_ms`` is how long one that fails
    is waited for.
    """

    workload: Workload
    policy: Policy
    needs: Needs
    at: datetime
    decided_at: datetime
    economics: Economics | None = None
    objective: str = "cheapest"
    fallbacks: int = 2
    independent_upstreams: bool = True
    common_cause_share: Fraction = COMMON_CAUSE_SHARE
    timeout_ms: int = TIMEOUT_MS

    def __post_init__(self) -> None:
        """Refuse an objective planner does not have and chains nobody can want."""
        if self.objective not in OBJECTIVES:
            raise InvalidInput("objective", f"one of {', '.join(OBJECTIVES)} is needed")
        if not 0 <= self.fallbacks <= FALLBACKS_MAX:
            raise InvalidInput("fallbacks", f"an integer from 0 to {FALLBACKS_MAX} is needed")
        if not 0 <= self.common_cause_share <= 1:
            raise InvalidInput("common_cause_share", "a share from 0 to 1 is needed")

    @property
    def budget_usd(self) -> Fraction | None:
        """The token budget per period, or None where no margin is asked."""
        return None if self.economics is None else self.economics.budget_usd

    def per_period_usd(self, cost_usd: Fraction) -> Fraction:
        """Return what the requests of a period cost, from what one costs."""
        return cost_usd * self.workload.requests_per_period

    def margin_at(self, cost_usd: Fraction) -> Fraction | None:
        """Return the margin that a cost per request leaves, or None where there is no revenue or none is asked."""
        return None if self.economics is None else self.economics.margin_at(self.per_period_usd(cost_usd))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """One eligible offer with its price for this workload.

    ``kinds`` are the kinds of requests at list price, one attempt each; ``cost_usd`` is exact and expected, per
    request, with failed attempts, the contract's discount and the channel's fee.
    ``service_tier`` is the tier it was priced at; ``quality`` the score on the index asked for.
    """

    offer: Offer
    card: PriceCard
    kinds: tuple[Priced, ...]
    cost_usd: Fraction
    service_tier: str
    quality: Decimal | None = None
    tier: int | None = None

    @property
    def list_usd(self) -> Fraction:
        """What one attempt costs at list price, over all kinds of requests."""
        return list_usd(self.kinds)

    @property
    def latency_ms(self) -> Fraction | None:
        """The time to the last token: median time to the first, plus the output at median throughput; None: unknown."""
        ttft, speed = self.offer.facts.ttft_ms, self.offer.facts.throughput_tps
        if ttft is None or speed is None or speed <= 0:
            return None
        tokens = sum((kind.share * kind.usage.output_tokens for kind in self.kinds), Fraction())
        return ttft + 1000 * tokens / Fraction(speed)

    @property
    def expected_seconds(self) -> Fraction | None:
        """The same in seconds."""
        return None if self.latency_ms is None else self.latency_ms / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The choice, its fallbacks in order, and why everybody else was refused.

    ``considered`` = ``eligible`` + the sum of ``refused``; each refused offer counts once, under its
    first reason. ``alternatives`` are the next best eligible offers that are not in the chain. ``compared`` of the
    eligible have the figure that the objective compares by; the others come last.
    """

    choice: Pick
    fallbacks: tuple[Pick, ...]
    alternatives: tuple[Pick, ...]
    considered: int
    eligible: int
    compared: int
    refused: Mapping[str, int]


def list_refusals(codes: Mapping[str, int]) -> dict[str, int]:
    """Return refusal counts without zeros, most frequent first, then by code."""
    return dict(sorted(((code, n) for code, n in codes.items() if n), key=lambda item: (-item[1], item[0])))
