"""Months of a plan, drawn customer by customer: what a quota really does, for tests and sweeps."""

from math import log, log1p, sqrt

import numpy as np

from planner.core.quota import Portfolio
from planner.core.spread import Lognormal, Observed, Pareto

Numbers = np.ndarray[tuple[int], np.dtype[np.float64]]


def missed(portfolio: Portfolio, cap_tokens: int, tokens: float, *, months: int, seed: int) -> float:
    """Return the share of simulated months whose load per subscriber exceeds ``tokens`` under a cap."""
    dice = np.random.default_rng(seed)
    spread = sqrt(log1p(portfolio.sigma_g**2))
    factors = np.exp(dice.normal(-spread * spread / 2, spread, months))
    loads = (np.minimum(factor * customers(portfolio, dice), cap_tokens).mean() for factor in factors)
    return float(sum(load > tokens for load in loads)) / months


def customers(portfolio: Portfolio, dice: np.random.Generator) -> Numbers:
    """Draw what every subscriber uses in a month in which nothing moves all of them."""
    spread, count = portfolio.spread, portfolio.subscribers
    if isinstance(spread, Lognormal):
        return dice.lognormal(log(spread.median_tokens), spread.sigma, count)
    if isinstance(spread, Pareto):
        return spread.minimum_tokens * (1 + dice.pareto(spread.exponent, count))
    assert isinstance(spread, Observed)
    return dice.choice(np.array(spread.tokens_per_user, dtype=np.float64), count)
