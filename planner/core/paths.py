"""Every way to the recommended model, side by side: direct, through each broker, through a gateway of one's own.

The same workload is priced on the cheapest offer each way has of the same model, with discounts and fees; beside it
stand the time the way adds, what it can be held to, and how many upstreams it reaches. `planner.core.path_verdict`
says which way to take.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import ceil
from typing import NamedTuple

from planner.core.agreement import Fee
from planner.core.ask import Answer, Ask
from planner.core.catalogue import Catalogue, Channel
from planner.core.controls import not_enforced
from planner.core.objective import order
from planner.core.offer import Offer
from planner.core.plan import MONTHS
from planner.core.ranking import Ranked
from planner.core.recommend import affordable_at, priced, refusals
from planner.core.terms import DIRECT
from planner.core.tier import ModelTier


class Gateway(NamedTuple):
    """A gateway of one's own: what it costs to run in USD per month, None not known, and the time it adds, in ms.

    Source:
        LiteLLM proxy, four instances at 1,170 requests a second: median 2 ms, 95th percentile 8 ms,
        https://docs.litellm.ai/docs/benchmarks. (With prompts of 50,000 tokens and more the same page has 31 ms.)
    """

    usd_per_month: Fraction | None = None
    overhead_ms: int = 2
    overhead_ms_p95: int | None = 8
    overhead_source_url: str | None = "https://docs.litellm.ai/docs/benchmarks"


class Setting(NamedTuple):
    """What the comparison is for: how far the product is, how many customers (None not known), which period."""

    stage: str = "production"
    customers: int | None = None
    period: str = "month"
    gateway: Gateway = Gateway()

    @property
    def months(self) -> Fraction:
        """Months in a period."""
        return MONTHS[self.period]


class Reach(NamedTuple):
    """One offer on a way, with its exact cost per request in USD, with discounts and fees, and at list price."""

    offer: Offer
    cost_usd: Fraction
    list_usd: Fraction
    affordable: bool


class FeeHere(NamedTuple):
    """A fee of a broker and what it comes to for this workload, in USD per customer and period.

    An allowance counts where the customers are known. A purchase of credit below ``purchase_usd_min`` costs more than
    the percentage, since the fee has a minimum.
    """

    fee: Fee
    usd_per_period: Fraction
    purchase_usd_min: Fraction | None


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to reach models.

    ``same`` is its cheapest eligible offer of the recommended model, ``best`` its best of any model, by the objective
    asked for; ``refused`` counts its other offers of the recommended model by their first reason. ``upstreams`` are
    the independent providers it reaches for that model within the budget. ``fee_known`` False: nobody has said what
    the broker charges, and unknown is not free. ``not_enforced`` is what the policy asks and the way cannot be held to.
    """

    channel: Channel
    same: Reach | None
    best: Reach | None
    refused: Mapping[str, int]
    upstreams: Mapping[str, Reach]
    fees: tuple[FeeHere, ...]
    fee_known: bool
    not_enforced: tuple[str, ...]

    @property
    def direct(self) -> bool:
        """Whether nobody stands in between."""
        return self.channel.id == DIRECT

    @property
    def overhead_ms(self) -> int | None:
        """The time the way adds to every request, in ms; None is not known."""
        return 0 if self.direct else self.channel.overhead_ms


@dataclass(frozen=True, kw_only=True)
class Paths:
    """The ways to one model, direct first, then by what they cost; and the gateway, which goes the direct ones.

    Costs are in USD per customer and period.
    """

    ask: Ask
    setting: Setting
    choice: Offer
    ways: tuple[Way, ...]

    @cached_property
    def direct(self) -> Way | None:
        """The direct way, if it reaches the model within the budget."""
        return next((way for way in self.ways if way.direct and _open(way)), None)

    @cached_property
    def brokers(self) -> tuple[Way, ...]:
        """The brokers that reach the model within the budget, cheapest first, those with unknown fees last."""
        return tuple(sorted((way for way in self.ways if not way.direct and _open(way)), key=lambda w: not w.fee_known))

    def per_period(self, reach: Reach) -> Fraction:
        """Return what an offer costs per customer and period."""
        return self.ask.per_period_usd(reach.cost_usd)

    def cost(self, way: Way) -> Fraction:
        """Return what the model costs on a way that reaches it, per customer and period."""
        if way.same is None:
            raise AssertionError("only ways that reach the model are compared")
        return self.per_period(way.same)

    def surcharge(self, way: Way) -> Fraction | None:
        """Return what a way costs more than the direct one, per customer and period; None where one of them is none."""
        return None if way.same is None or self.direct is None else self.cost(way) - self.cost(self.direct)

    @property
    def gateway_usd_per_period(self) -> Fraction | None:
        """What a gateway costs to run, for all customers together; None is not known."""
        monthly = self.setting.gateway.usd_per_month
        return None if monthly is None else monthly * self.setting.months

    def gateway_customers_min(self, brokers: Sequence[Way]) -> int | None:
        """Return from how many customers on a gateway costs no more than the first broker; None where none is enough.

        It is rounded up: one customer less, and the broker's surcharge would not yet pay for it.
        """
        infrastructure = self.gateway_usd_per_period
        if infrastructure is None or not brokers:
            return None
        saved = self.surcharge(brokers[0])
        if saved is None or saved <= 0:
            return None
        return ceil(infrastructure / saved)


def _open(way: Way) -> bool:
    return way.same is not None and way.same.affordable


def paths(
    catalogue: Catalogue,
    ask: Ask,
    found: Answer,
    ranked: Iterable[Ranked],
    labels: Mapping[str, ModelTier],
    setting: Setting,
) -> Paths:
    """Lay the ways to the recommended model side by side.

    Args:
        catalogue: at one revision.
        ask: the question.
        found: its answer; the model of its choice is the one that is reached.
        ranked: every offer that passes everything but the margin, cheapest first.
        labels: the tier of every model at the moment of the question.
        setting: what the comparison is for.
    """
    by_channel: dict[str, list[Reach]] = {}
    for offer, cost_usd, list_usd in ranked:
        reach = Reach(offer, cost_usd, list_usd, affordable_at(ask, cost_usd))
        by_channel.setdefault(offer.facts.channel, []).append(reach)
    choice = found.choice.offer
    passed = {reach.offer.id for listed in by_channel.values() for reach in listed}
    refused: dict[str, Counter[str]] = {}
    for offer in catalogue.offers:
        if _same_model(offer, choice) and offer.id not in passed:
            code = next(refusals(catalogue, ask, offer, labels), "margin")
            refused.setdefault(offer.facts.channel, Counter())[code] += 1
    ways = [
        _way(
            _Question(catalogue, ask, choice, labels, setting),
            channel,
            by_channel.get(channel, []),
            refused.get(channel, Counter()),
        )
        for channel in sorted({*by_channel, *refused})
    ]
    ways.sort(key=lambda way: (not way.direct, way.same is None, 0 if way.same is None else way.same.cost_usd))
    return Paths(ask=ask, setting=setting, choice=choice, ways=tuple(ways))


def _same_model(offer: Offer, choice: Offer) -> bool:
    """Tell whether two offers serve the same weights; of a model nobody has named only the offer itself does."""
    return offer.id == choice.id if choice.model is None else offer.model == choice.model


class _Question(NamedTuple):
    catalogue: Catalogue
    ask: Ask
    choice: Offer
    labels: Mapping[str, ModelTier]
    setting: Setting


def _way(asked: _Question, channel: str, reaches: list[Reach], refused: Counter[str]) -> Way:
    catalogue, ask = asked.catalogue, asked.ask
    same = [reach for reach in reaches if _same_model(reach.offer, asked.choice)]
    upstreams: dict[str, Reach] = {}
    for reach in same:
        if reach.affordable:
            upstreams.setdefault(catalogue.upstream_of(reach.offer), reach)
    charged = [fee for fee in catalogue.fees if fee.channel == channel and fee.in_force(ask.at)]
    return Way(
        channel=catalogue.channels.get(channel, Channel(id=channel, name=channel)),
        same=same[0] if same else None,
        best=_best(asked, reaches),
        refused=dict(refused.most_common()),
        upstreams=upstreams,
        fees=tuple(_fee(asked, fee, reach) for reach in same[:1] for fee in charged),
        fee_known=channel == DIRECT or any(fee.chosen for fee in charged),
        not_enforced=not_enforced(channel, ask.policy),
    )


def _fee(asked: _Question, fee: Fee, reach: Reach) -> FeeHere:
    setting, workload = asked.setting, asked.ask.workload
    at_list = reach.list_usd * workload.habits.retry_factor * workload.requests_per_period
    if setting.customers is not None:
        fee = replace(fee, list_usd_per_month=at_list * setting.customers / setting.months)
    smallest = None
    if fee.minimum_usd is not None and fee.percent:
        smallest = fee.minimum_usd / (fee.percent / 100)
    return FeeHere(fee, at_list * fee.share, smallest)


def _best(asked: _Question, reaches: list[Reach]) -> Reach | None:
    """Return the best offer of a way by the objective: within the budget if any is, else the cheapest."""
    fitting = [reach for reach in reaches if reach.affordable]
    if not fitting or asked.ask.objective == "cheapest":
        return next(iter(fitting or reaches), None)
    key = order(asked.ask)
    return min(fitting, key=lambda reach: key(priced(asked.catalogue, asked.ask, reach.offer, asked.labels)))
