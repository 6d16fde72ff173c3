"""Give every task of every plan its offer: the best quality the rules allow, and of that the cheapest."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from planner.core.dominance import undominated
from planner.core.optimise import INFEASIBLE, OPTIMAL, TIME_LIMIT, Found, Program, solve, split
from planner.core.portfolio import Constraint, Option, Options, Portfolio, Row, options_of, rows_of

Left = Callable[[], float]
"""How many seconds of work are left."""

QUALITY = Constraint("quality")
# Where choices may be split, shares come out a little different from those of whole choices.
SHARE_NEAR = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is best, and how sure that is.

    ``chosen`` has one option per slot, or is None. No portfolio has a quality above ``quality_bound``, and none of at
    least this quality costs less than ``cost_bound``, in USD a month. ``cheapest``: that is near enough. ``options``
    were possible, of which ``kept`` were not dominated; ``solves`` counts the runs of the solver. ``unserved`` are
    slots that have no option at all.
    """

    status: str
    chosen: tuple[Option, ...] | None = None
    quality_bound: Fraction | None = None
    cost_bound: Fraction | None = None
    cheapest: bool = False
    options: int = 0
    kept: int = 0
    solves: int = 0
    unserved: tuple[int, ...] = ()


def best(
    portfolio: Portfolio,
    seconds_left: Left,
    gap: float = 0.0,
    *,
    at_least_cost: bool = True,
    options: Options | None = None,
) -> Outcome:
    """Find the portfolio of the best mean quality over all requests, and of those the one that costs least.

    Args:
        portfolio: what is to be served, and the rules.
        seconds_left: how many seconds of work are left.
        gap: the share of quality, and then of cost, within which the search may end.
        at_least_cost: False ends with any portfolio of the best quality, whatever it costs.
        options: those of every slot, where they are known already.

    Example:
        >>> from planner.core.portfolio import Candidate, Customers, Rules, Slot
        >>> near = Candidate("direct:acme/large", "acme", Fraction(3), Fraction(60))
        >>> far = Candidate("direct:bolt/small", "bolt", Fraction(1), Fraction(40))
        >>> slot = Slot(plan="pro", task="chat", requests=Fraction(10), candidates=(near, far))
        >>> pro = Customers(plan="pro", count=5, price_usd=Fraction(50), budget_usd=Fraction(20))
        >>> rules = Rules(fallback=False)
        >>> found = best(Portfolio(customers=(pro,), slots=(slot,), rules=rules), lambda: 5.0)
        >>> found.chosen[0].primary.offer
        'direct:bolt/small'
    """
    every = every_option(portfolio) if options is None else options
    unserved = tuple(number for number, each in enumerate(every) if not each)
    count = sum(map(len, every))
    if unserved:
        return Outcome(status=INFEASIBLE, options=count, unserved=unserved)
    loose = replace(portfolio, rules=replace(portfolio.rules, provider_share_max=None))
    spent, bounds = 0, list[Fraction | None]()
    if loose != portfolio:
        # Without the bound on shares far fewer options matter, and often it holds all the same.
        thin = undominated(loose, every)
        bound, holds = _look(portfolio, loose, thin, seconds_left())
        bounds.append(bound)
        if holds:
            # Some of the time is for the other case.
            kept = seconds_left() / 8
            found = _best(loose, thin, lambda: seconds_left() - kept, gap, portfolio if at_least_cost else None)
            if found.status == INFEASIBLE or (found.chosen is not None and keeps(portfolio, found.chosen)):
                return replace(found, options=count)
            spent = found.solves
            bounds.append(found.quality_bound)
    found = _best(portfolio, undominated(portfolio, every), seconds_left, gap, portfolio if at_least_cost else None)
    least = min((bound for bound in (*bounds, found.quality_bound) if bound is not None), default=None)
    return replace(found, quality_bound=least, options=count, solves=found.solves + spent)


def _look(portfolio: Portfolio, loose: Portfolio, options: Options, seconds: float) -> tuple[Fraction | None, bool]:
    """Return a bound on quality, and whether shares stay about within their bound where nothing holds them to it."""
    found = split(Program(gains=qualities(loose, options), rows=rows_of(loose, options)), seconds)
    if found is None:
        return None, True
    loads: defaultdict[str, float] = defaultdict(float)
    for slot, each, shares in zip(loose.slots, options, found.shares, strict=True):
        requests = float(portfolio.requests(slot))
        for option, share in zip(each, shares, strict=True):
            usd = float(option.primary.cost_usd) if portfolio.rules.shared_by == "spend" else 1.0
            loads[option.primary.group] += requests * share * usd
    most = float(portfolio.rules.provider_share_max or 1) * sum(loads.values()) * SHARE_NEAR
    return found.bound / loose.all_requests, max(loads.values()) <= most


def _best(
    portfolio: Portfolio, options: Options, seconds_left: Left, gap: float, cheap_in: Portfolio | None
) -> Outcome:
    """Search for quality, then for cost; the latter only if the first choice keeps the bounds of ``cheap_in``."""
    if seconds_left() <= 0:
        return Outcome(status=TIME_LIMIT, kept=sum(map(len, options)))
    rows, whole = rows_of(portfolio, options), portfolio.all_requests
    found = solve(Program(gains=qualities(portfolio, options), rows=rows, gap=gap), seconds_left)
    kept = sum(map(len, options))
    bound = None if found.bound is None else found.bound / whole
    if found.chosen is None:
        return Outcome(status=found.status, quality_bound=bound, kept=kept, solves=found.solves)
    chosen = picked(options, found.chosen)
    cheapest, solves = found.solves == 0, found.solves
    cost_bound = portfolio.cost_usd(chosen) if cheapest else None
    if cheap_in is not None and not cheapest and seconds_left() > 0 and keeps(cheap_in, chosen):
        cheap = _cheapest(portfolio, options, rows, portfolio.quality(chosen), seconds_left, gap, found.chosen)
        solves += cheap.solves
        cheapest = cheap.status == OPTIMAL
        cost_bound = None if cheap.bound is None else -cheap.bound
        chosen = min(picked(options, cheap.chosen or found.chosen), chosen, key=portfolio.cost_usd)
    return Outcome(
        status=found.status,
        chosen=chosen,
        quality_bound=bound,
        cost_bound=cost_bound,
        cheapest=cheapest,
        kept=kept,
        solves=solves,
    )


def every_option(portfolio: Portfolio) -> Options:
    """Return all options of every slot."""
    return tuple(options_of(slot, portfolio.rules) for slot in portfolio.slots)


def cheapest(
    portfolio: Portfolio, quality_min: Fraction, seconds_left: Left, gap: float = 0.0, *, options: Options
) -> Outcome:
    """Find the portfolio that costs least of those with at least a mean quality over all requests."""
    thin = undominated(portfolio, options)
    found = _cheapest(portfolio, thin, rows_of(portfolio, thin), quality_min, seconds_left, gap)
    chosen = None if found.chosen is None else picked(thin, found.chosen)
    return Outcome(status=found.status, chosen=chosen, cheapest=found.status == OPTIMAL, solves=found.solves)


def _cheapest(
    portfolio: Portfolio,
    options: Options,
    rows: Sequence[Row],
    quality_min: Fraction,
    seconds_left: Left,
    gap: float,
    start: Sequence[int] | None = None,
) -> Found:
    points = qualities(portfolio, options)
    terms = {number: tuple(-gain for gain in gains) for number, gains in enumerate(points)}
    floor = Row(constraint=QUALITY, terms=terms, limit=-quality_min * portfolio.all_requests)
    requests = map(portfolio.requests, portfolio.slots)
    costs = tuple(
        tuple(-count * option.cost_usd for option in each) for count, each in zip(requests, options, strict=True)
    )
    return solve(Program(gains=costs, rows=[*rows, floor], gap=gap), seconds_left, start)


def qualities(portfolio: Portfolio, options: Options) -> tuple[tuple[Fraction, ...], ...]:
    """Return what every option adds to the quality of all requests."""
    requests = map(portfolio.requests, portfolio.slots)
    return tuple(
        tuple(count * option.primary.quality for option in each) for count, each in zip(requests, options, strict=True)
    )


def picked(options: Options, places: Sequence[int]) -> tuple[Option, ...]:
    """Return the options at some places, one of each slot."""
    return tuple(each[place] for each, place in zip(options, places, strict=True))


def keeps(portfolio: Portfolio, chosen: Sequence[Option]) -> bool:
    """Tell whether a choice keeps every bound of a portfolio, exactly."""
    alone = tuple((option,) for option in chosen)
    return all(row.holds((0,) * len(alone)) for row in rows_of(portfolio, alone))
