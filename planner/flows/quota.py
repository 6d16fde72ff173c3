"""Finance asks how many tokens a plan may include: every rule's quota, and what would come of it."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from planner.core import quota as rules
from planner.core.errors import InvalidInput
from planner.core.plan import Economics
from planner.core.quota import Interval, Portfolio
from planner.core.spread import Observed, Spread
from planner.core.usage import COUNT_MAX
from planner.flows.answer import Question, ask_of, stored_task
from planner.flows.blended import Blended, blended
from planner.flows.current import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """The question: a stored plan and task, how customers are spread, and what may be risked.

    ``subscribers`` None are the plan's own, and so is ``margin``. ``tail_budget_usd`` bounds what the heaviest share
    ``alpha`` of customers may cost on average. ``usd_per_token`` is what a token was measured to cost; without it, it
    costs what the recommended offer takes for the task. ``customers`` are the observations of a measured spread,
    customer by customer, with what moves all of them taken out; None: the spread has one of each.
    """

    plan: str
    task: str
    spread: Spread
    subscribers: int | None = None
    alpha: float = 0.05
    sigma_g: float = rules.SIGMA_G
    margin: Decimal | None = None
    tail_budget_usd: Decimal | None = None
    at: datetime | None = None
    usd_per_token: Fraction | None = None
    customers: tuple[tuple[int, ...], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One rule: its quota per customer and period (None: no cap is needed), and what would come of it.

    Shares and probabilities are from 0 to 1. ``margin_at_risk`` is what all but ``alpha`` of the periods keep;
    ``tail_usd`` what a customer of the heaviest share ``alpha`` costs on average. What no mean exists of is None.
    """

    rule: str
    quota_tokens: int | None
    expected_cost_usd: Fraction | None
    expected_margin: Fraction | None
    margin_at_risk: Fraction | None
    miss_probability: float
    reached_share: float
    breakage: float | None
    tail_usd: Fraction | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """The answer: every rule's outcome, and how little few observed customers say about the rule ``portfolio``.

    ``sampled`` None: a spread is stated, or so many customers were observed that they are taken at their word.
    ``overage_usd_per_token`` is the least to charge for a token beyond the quota so that it keeps the margin as well;
    None where no price does.
    """

    api: Blended
    economics: Economics
    budget_usd: Fraction
    usd_per_token: Fraction
    portfolio: Portfolio
    uncapped_usd: Fraction | None
    outcomes: tuple[Outcome, ...]
    sampled: Interval | None
    overage_usd_per_token: Fraction | None

    @property
    def recommended_tokens(self) -> int | None:
        """The quota of the rule ``portfolio``, or the low end of its interval where few customers were observed."""
        found = next(outcome.quota_tokens for outcome in self.outcomes if outcome.rule == "portfolio")
        if self.sampled is None or self.sampled.low_tokens is None:
            return found
        return self.sampled.low_tokens if found is None else min(found, self.sampled.low_tokens)


def few(asked: Simulation) -> bool:
    """Tell whether a spread rests on fewer observed customers than a tail can be seen in, however long each was."""
    if not isinstance(asked.spread, Observed):
        return False
    return len(asked.spread.tokens_per_user if asked.customers is None else asked.customers) < rules.FEW_USERS


def simulate(view: View, asked: Simulation, now: datetime) -> Simulated:
    """Return the quota of every rule at the cost of the recommended offer.

    Raises:
        NotFound: no such plan or task.
        InvalidInput: the plan has no target margin or no subscribers, and none were given.
        NoAnswer: no offer is compliant, or none has a price.
    """
    plan, _task = stored_task(view.catalogue, asked.plan, asked.task)
    ask = ask_of(view.catalogue, Question(plan=asked.plan, task=asked.task, fallbacks=0, at=asked.at), "", now)
    subscribers = plan.subscribers if asked.subscribers is None else asked.subscribers
    if subscribers is None:
        raise InvalidInput("subscribers", "the plan does not say how many it has")
    portfolio = Portfolio(spread=asked.spread, subscribers=subscribers, sigma_g=asked.sigma_g)
    economics = ask.economics or plan.economics(ask.at.date(), view.catalogue.fx)
    if asked.margin is not None:
        economics = replace(economics, margin=asked.margin)
    budget = economics.budget_usd
    if budget is None:
        raise InvalidInput("margin", "the plan has no target margin, so nothing bounds a quota")
    api = blended(view, replace(ask, economics=economics))
    price = api.usd_per_token if asked.usd_per_token is None else asked.usd_per_token
    if not price:
        raise InvalidInput("task", "tokens are free, so no quota is needed")
    tokens = rules.tokens_of(budget, price)
    alone = replace(portfolio, sigma_g=0.0)
    found = {
        "worst_case": rules.worst_case_quota(tokens),
        "per_user": rules.per_user_quota(asked.spread, tokens, asked.alpha),
        "portfolio": rules.portfolio_quota(portfolio, tokens, asked.alpha),
        "portfolio_if_independent": rules.portfolio_quota(alone, tokens, asked.alpha),
        "expected_value": rules.expected_quota(portfolio, tokens),
    }
    if asked.tail_budget_usd is not None:
        bound = rules.tokens_of(Fraction(asked.tail_budget_usd), price)
        found["tail"] = rules.tail_quota(asked.spread, bound, asked.alpha)
    outcomes = tuple(
        _outcome(rule, cap, portfolio, economics, price, asked.alpha)
        for rule, cap in [*found.items(), ("no_cap", None)]
    )
    mean = rules.uncapped_mean(portfolio)
    return Simulated(
        api=api,
        economics=economics,
        budget_usd=budget,
        usd_per_token=price,
        portfolio=portfolio,
        uncapped_usd=None if mean is None else Fraction(mean) * price,
        outcomes=outcomes,
        sampled=rules.bootstrap(portfolio, tokens, asked.alpha, customers=asked.customers) if few(asked) else None,
        overage_usd_per_token=economics.overage_usd(price),
    )


def _outcome(
    rule: str, cap: int | None, portfolio: Portfolio, economics: Economics, price: Fraction, alpha: float
) -> Outcome:
    budget = economics.budget_usd or Fraction()
    if cap is None and rules.uncapped_mean(portfolio) is None:
        return Outcome(
            rule=rule, quota_tokens=None, expected_cost_usd=None, expected_margin=None, margin_at_risk=None,
            miss_probability=1.0, reached_share=0.0, breakage=None, tail_usd=None,
        )  # fmt: skip
    if cap == 0:
        # Nothing is included, so nothing is used: the margin is what fees and other costs leave.
        kept = economics.margin_at(Fraction())
        return Outcome(
            rule=rule, quota_tokens=0, expected_cost_usd=Fraction(), expected_margin=kept, margin_at_risk=kept,
            miss_probability=1.0 if budget < 0 else 0.0, reached_share=1.0, breakage=None, tail_usd=Fraction(),
        )  # fmt: skip
    limit = COUNT_MAX if cap is None else cap
    load = portfolio.load(limit)
    cost = Fraction(load.mean_tokens) * price
    return Outcome(
        rule=rule,
        quota_tokens=cap,
        expected_cost_usd=cost,
        expected_margin=economics.margin_at(cost),
        margin_at_risk=economics.margin_at(Fraction(load.at_risk(alpha)) * price),
        # A cap that the budget pays for in full cannot miss, whatever the normal curve says.
        miss_probability=0.0 if limit * price <= budget else 1 - load.within(float(budget / price)),
        reached_share=0.0 if cap is None else portfolio.share_above(limit),
        breakage=None if cap is None else rules.breakage(portfolio, cap),
        tail_usd=Fraction(rules.tail_mean(portfolio.spread, limit, alpha)) * price,
    )
