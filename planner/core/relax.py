"""What each rule of a portfolio costs, and which ones would have to give way where nothing fits."""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from planner.core.assign import Left, Outcome, best, cheapest, every_option
from planner.core.dominance import undominated
from planner.core.optimise import OPTIMAL, TIME_LIMIT, Found, Program, solve
from planner.core.portfolio import (
    FALLBACK,
    PROVIDER_SHARE,
    Constraint,
    Options,
    Portfolio,
    Row,
    constraints_of,
    options_of,
    rows_of,
    without,
)


class Price(NamedTuple):
    """What one constraint costs: quality that could be had without it, in points, and USD a month for the same quality.

    None where the time was over before it was known.
    """

    quality_points: Fraction | None
    saving_usd: Fraction | None


class Relaxation(NamedTuple):
    """By how much a constraint has to give way.

    ``amount`` is USD per customer and month for a margin, USD a month for the burn of free plans, a share of all
    requests for a provider's share; None where a constraint only holds or does not.
    """

    constraint: Constraint
    amount: Fraction | None


class Remedies(NamedTuple):
    """What would let a portfolio without a solution have one.

    ``alone`` are relaxations each of which is enough; ``together`` the smallest that are enough, all at once, or None
    where none are. ``complete`` tells whether the time was enough to look at all of them.
    """

    alone: tuple[Relaxation, ...]
    together: tuple[Relaxation, ...] | None
    complete: bool


def price_of(
    portfolio: Portfolio,
    eased: Portfolio,
    outcome: Outcome,
    seconds_left: Left,
    gap: float = 0.0,
    *,
    options: Options | None = None,
) -> Price:
    """Return what is lost by what ``eased`` does without: both are solved, and the two answers compared.

    ``outcome`` is the best of ``portfolio``, with a choice; ``options`` are the portfolio's, where they are known.
    """
    chosen, rules = outcome.chosen or (), eased.rules
    alike = (rules.fallback, rules.fallback_drop_max) == (portfolio.rules.fallback, portfolio.rules.fallback_drop_max)
    if outcome.solves == 0 and alike and eased.slots == portfolio.slots:
        # Every slot already has the best of its options, and the cheapest of these: a bound less changes nothing.
        return Price(Fraction(), Fraction())
    known = zip(eased.slots, portfolio.slots, every_option(portfolio) if options is None else options, strict=True)
    every = tuple(own if alike and slot is old else options_of(slot, rules) for slot, old, own in known)
    quality, cost_usd = portfolio.quality(chosen), portfolio.cost_usd(chosen)
    free = best(eased, seconds_left, gap, at_least_cost=False, options=every)
    points = saving = None
    # Without fallbacks a request is charged in full where a cheaper fallback would have taken some: that may not fit.
    if free.status != TIME_LIMIT:
        points = Fraction() if free.chosen is None else max(eased.quality(free.chosen) - quality, Fraction())
    same = cheapest(eased, quality, seconds_left, gap, options=every)
    if same.status != TIME_LIMIT:
        saving = Fraction() if same.chosen is None else max(cost_usd - eased.cost_usd(same.chosen), Fraction())
    return Price(points, saving)


def remedies(portfolio: Portfolio, seconds_left: Left) -> Remedies:
    """Return which constraints would have to give way, and by how much, so that a portfolio has a solution."""
    every = every_option(portfolio)
    if not all(every):
        return _fallback_alone(portfolio, seconds_left)
    options = undominated(portfolio, every)
    rows = rows_of(portfolio, options)
    alone, complete = [], True
    for constraint in constraints_of(portfolio):
        own = [row for row in rows if row.constraint == constraint]
        if any(row.step is None for row in own) or not own:
            outcome = best(without(portfolio, constraint), seconds_left)
            status, amount = outcome.status, None
        else:
            found = _least(options, rows, [constraint], seconds_left)
            status, amount = found.status, _amount(portfolio, own, found.chosen)
        complete = complete and status != TIME_LIMIT
        if status == OPTIMAL:
            alone.append(Relaxation(constraint, amount))
    together = _together(portfolio, options, rows, seconds_left)
    return Remedies(tuple(alone), together, complete)


def _fallback_alone(portfolio: Portfolio, seconds_left: Left) -> Remedies:
    rule = Constraint(FALLBACK)
    if rule not in constraints_of(portfolio):
        return Remedies((), None, complete=True)
    outcome = best(without(portfolio, rule), seconds_left)
    alone = (Relaxation(rule, None),) if outcome.status == OPTIMAL else ()
    return Remedies(alone, alone or None, complete=outcome.status != TIME_LIMIT)


def _least(options: Options, rows: Sequence[Row], eased: Sequence[Constraint], seconds_left: Left) -> Found:
    """Find the choice for which some constraints have to give way least, each measured in steps of its rows."""
    nothing = tuple((Fraction(),) * len(each) for each in options)
    return solve(Program(gains=nothing, rows=rows, easing=dict.fromkeys(eased, Fraction(1))), seconds_left)


def _amount(portfolio: Portfolio, own: Sequence[Row], places: Sequence[int] | None) -> Fraction | None:
    if places is None:
        return None
    over = max(row.used(places) - row.limit for row in own)
    whole = portfolio.all_requests if own[0].constraint.kind == PROVIDER_SHARE else Fraction(1)
    return max(over, Fraction()) / whole


def _together(
    portfolio: Portfolio, options: Options, rows: Sequence[Row], seconds_left: Left
) -> tuple[Relaxation, ...] | None:
    soft = dict.fromkeys(row.constraint for row in rows if row.step is not None)
    stiff = list(dict.fromkeys(row.constraint for row in rows if row.step is None))
    # What cannot give way by a little is kept whole if anything fits with it, then given up one after the other.
    for count in range(len(stiff) + 1):
        dropped = stiff[:count]
        held = [row for row in rows if row.constraint not in dropped]
        found = _least(options, held, list(soft), seconds_left)
        if found.chosen is not None:
            amounts = (
                (one, _amount(portfolio, [row for row in rows if row.constraint == one], found.chosen)) for one in soft
            )
            needed = tuple(Relaxation(one, amount) for one, amount in amounts if amount)
            return (*needed, *(Relaxation(one, None) for one in dropped))
    return None
