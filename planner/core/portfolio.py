"""Every task of every plan, the offers that may serve it, and the rules that tie the choices together; as values.

A choice for a task is an `Option`: a primary offer and the fallback behind it. The fallback counts in no rule but
through the cost under failover, so the cheapest one that is allowed is the best one, and a primary has one option.
All of it is exact; `planner.core.optimise` may work in doubles because what it finds is judged by `Row.holds`.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple

from planner.core.errors import InvalidInput

SHARED_BY = ("requests", "spend")

ZERO = Fraction()
"""What an option that has no part in a row adds to it."""

MARGIN, FREE_BURN, PROVIDER_SHARE, MONOTONE, FALLBACK = "margin", "free_burn", "provider_share", "monotone", "fallback"


class Candidate(NamedTuple):
    """An offer that passes everything a task needs but its budget.

    ``group`` fails as a whole: the upstream whose machines it runs on. ``cost_usd`` is expected, per request;
    ``quality`` in points of one index, its lower bound where one is known; ``failure_share`` of the requests go to the
    fallback.
    """

    offer: str
    group: str
    cost_usd: Fraction
    quality: Fraction
    failure_share: Fraction = Fraction(0)


class Option(NamedTuple):
    """A primary, its fallback, and what a request costs under failover: ``(1 - u) * primary + u * fallback``, USD."""

    primary: Candidate
    fallback: Candidate | None
    cost_usd: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Customers:
    """The customers of one plan; ``price_usd`` and ``budget_usd`` for tokens per customer and month, None: no limit."""

    plan: str
    count: int
    price_usd: Fraction
    budget_usd: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One task of one plan: how many requests a customer makes in a month, and who may serve them."""

    plan: str
    task: str
    requests: Fraction
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What ties the choices together.

    ``fallback`` asks for one in another group; ``fallback_drop_max`` is how many points it may be worse than its
    primary. ``free_burn_usd`` bounds what all free plans cost in a month. No group serves as primary more than
    ``provider_share_max`` of the requests, or of what primaries cost, by ``shared_by``. ``monotone``: of the same task
    a dearer plan gets no worse quality.
    """

    fallback: bool = True
    fallback_drop_max: Fraction | None = None
    free_burn_usd: Fraction | None = None
    provider_share_max: Fraction | None = None
    shared_by: str = "requests"
    monotone: bool = False

    def __post_init__(self) -> None:
        """Refuse bounds that bound nothing."""
        if self.shared_by not in SHARED_BY:
            raise InvalidInput("share_by", f"one of {', '.join(SHARED_BY)} is needed")
        if self.provider_share_max is not None and not 0 < self.provider_share_max <= 1:
            raise InvalidInput("provider_share_max", "a share above 0 and up to 1 is needed")
        for name in ("fallback_drop_max", "free_burn_usd"):
            value: Fraction | None = getattr(self, name)
            if value is not None and value < 0:
                raise InvalidInput(name, "must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """All plans with customers, their tasks, and the rules; at least one slot, every one with requests above 0."""

    customers: tuple[Customers, ...]
    slots: tuple[Slot, ...]
    rules: Rules = field(default_factory=Rules)

    def __post_init__(self) -> None:
        """Refuse a portfolio in which nothing is asked for."""
        if not self.slots or any(self.requests(slot) <= 0 for slot in self.slots):
            raise InvalidInput("plans", "at least one task is needed, and each with customers and requests")

    def of(self, slot: Slot) -> Customers:
        """Return the customers of a slot's plan."""
        return self.customers_of(slot.plan)

    def customers_of(self, plan: str | None) -> Customers:
        """Return the customers of the plan that a slot or a constraint names."""
        return next(customers for customers in self.customers if customers.plan == plan)

    def requests(self, slot: Slot) -> Fraction:
        """Return the requests of all customers for a slot in a month."""
        return self.of(slot).count * slot.requests

    @property
    def all_requests(self) -> Fraction:
        """The requests of a month."""
        return sum((self.requests(slot) for slot in self.slots), Fraction())

    def cost_usd(self, chosen: Sequence[Option]) -> Fraction:
        """Return what all requests of a month cost under failover."""
        pairs = zip(self.slots, chosen, strict=True)
        return sum((self.requests(slot) * option.cost_usd for slot, option in pairs), Fraction())

    def quality(self, chosen: Sequence[Option]) -> Fraction:
        """Return the mean quality of the primaries over all requests, in points."""
        pairs = zip(self.slots, chosen, strict=True)
        points = sum((self.requests(slot) * option.primary.quality for slot, option in pairs), Fraction())
        return points / self.all_requests

    def above(self, slot: Slot) -> Iterator[int]:
        """Yield the slots that must not be worse than this one: of the same task, in the next dearer plans."""
        price = self.of(slot).price_usd
        dearer = [
            (self.of(other).price_usd, number)
            for number, other in enumerate(self.slots)
            if other.task == slot.task and self.of(other).price_usd > price
        ]
        yield from (number for dear, number in dearer if dear == min(dearer)[0])


class Constraint(NamedTuple):
    """What one or several rows say together; ``plan`` where it is of one plan."""

    kind: str
    plan: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One bound: of every slot in ``terms`` the chosen option's term, summed up, is at most ``limit``.

    ``step`` is what the limit grows by when its constraint is eased by 1, for those that can be eased.
    """

    constraint: Constraint
    terms: Mapping[int, tuple[Fraction, ...]]
    limit: Fraction
    step: Fraction | None = None
    group: str | None = None

    def used(self, chosen: Sequence[int]) -> Fraction:
        """Return what a choice, one option's place per slot, uses of the limit."""
        return sum((terms[chosen[slot]] for slot, terms in self.terms.items()), Fraction())

    def holds(self, chosen: Sequence[int]) -> bool:
        """Tell whether a choice stays within the limit, exactly."""
        return self.used(chosen) <= self.limit


Options = tuple[tuple[Option, ...], ...]
"""The options of every slot."""


def options_of(slot: Slot, rules: Rules) -> tuple[Option, ...]:
    """Return every primary of a slot with its cheapest fallback; ties go to quality, then to the offer's id."""
    ordered = sorted(
        slot.candidates, key=lambda one: (float(one.cost_usd), one.cost_usd, -one.quality, one.offer.encode())
    )
    if not rules.fallback:
        return tuple(Option(one, None, one.cost_usd) for one in ordered)
    found: dict[int, Option] = {}
    # Whole numbers in the order of the qualities: comparing exact ones again and again is what takes the time.
    qualities = sorted({one.quality for one in ordered})
    drop = rules.fallback_drop_max
    least = {one: 0 if drop is None else bisect_left(qualities, one - drop) for one in qualities}
    grades = {quality: grade for grade, quality in enumerate(qualities)}
    grade_of = [grades[one.quality] for one in ordered]
    waiting = sorted(range(len(ordered)), key=grade_of.__getitem__)
    # From the best primary down more and more are good enough to stand behind it; of these the cheapest is kept, and
    # the cheapest of any other group.
    first: int | None = None
    second: int | None = None
    for place in sorted(range(len(ordered)), key=lambda place: -grade_of[place]):
        one = ordered[place]
        while waiting and grade_of[waiting[-1]] >= least[one.quality]:
            new = waiting.pop()
            if first is None or new < first:
                if first is not None and ordered[first].group != ordered[new].group:
                    second = first
                first = new
            elif ordered[new].group != ordered[first].group and (second is None or new < second):
                second = new
        # The primary itself is good enough by its own measure, so there is a first.
        behind = second if first is not None and ordered[first].group == one.group else first
        if behind is not None:
            fallback, share = ordered[behind], one.failure_share
            found[place] = Option(one, fallback, (1 - share) * one.cost_usd + share * fallback.cost_usd)
    return tuple(found[place] for place in sorted(found))


def constraints_of(portfolio: Portfolio) -> list[Constraint]:
    """Return every constraint a portfolio has."""
    rules = portfolio.rules
    found = [Constraint(MARGIN, one.plan) for one in portfolio.customers if one.budget_usd is not None]
    given = {
        FREE_BURN: rules.free_burn_usd is not None,
        PROVIDER_SHARE: rules.provider_share_max is not None,
        MONOTONE: rules.monotone,
        FALLBACK: rules.fallback,
    }
    return [*found, *(Constraint(kind) for kind, there in given.items() if there)]


def without(portfolio: Portfolio, constraint: Constraint) -> Portfolio:
    """Return the portfolio without one constraint."""
    if constraint.kind == MARGIN:
        eased = (
            replace(one, budget_usd=None) if one.plan == constraint.plan else one for one in portfolio.customers
        )  # fmt: skip
        return replace(portfolio, customers=tuple(eased))
    off: dict[str, Rules] = {
        FREE_BURN: replace(portfolio.rules, free_burn_usd=None),
        PROVIDER_SHARE: replace(portfolio.rules, provider_share_max=None),
        MONOTONE: replace(portfolio.rules, monotone=False),
        FALLBACK: replace(portfolio.rules, fallback=False, fallback_drop_max=None),
    }
    return replace(portfolio, rules=off[constraint.kind])


def rows_of(portfolio: Portfolio, options: Options) -> list[Row]:
    """Return every bound of a portfolio over some options of its slots."""
    return [
        *_margin_rows(portfolio, options),
        *_burn_rows(portfolio, options),
        *_share_rows(portfolio, options),
        *_monotone_rows(portfolio, options),
    ]


def _margin_rows(portfolio: Portfolio, options: Options) -> Iterator[Row]:
    for one in portfolio.customers:
        if one.budget_usd is not None:
            terms = {
                number: tuple(slot.requests * option.cost_usd for option in options[number])
                for number, slot in enumerate(portfolio.slots)
                if slot.plan == one.plan
            }
            step = one.budget_usd if one.budget_usd > 0 else Fraction(1)
            yield Row(constraint=Constraint(MARGIN, one.plan), terms=terms, limit=one.budget_usd, step=step)


def _burn_rows(portfolio: Portfolio, options: Options) -> Iterator[Row]:
    limit = portfolio.rules.free_burn_usd
    if limit is None:
        return
    terms = {
        number: tuple(portfolio.requests(slot) * option.cost_usd for option in options[number])
        for number, slot in enumerate(portfolio.slots)
        if portfolio.of(slot).price_usd == 0
    }
    yield Row(constraint=Constraint(FREE_BURN), terms=terms, limit=limit, step=limit or Fraction(1))


def _share_rows(portfolio: Portfolio, options: Options) -> Iterator[Row]:
    share, whole = portfolio.rules.provider_share_max, portfolio.all_requests
    if share is None:
        return
    by_spend = portfolio.rules.shared_by == "spend"
    limit, step = (ZERO, None) if by_spend else (share * whole, whole)
    requests = [portfolio.requests(slot) for slot in portfolio.slots]
    # Of spend the whole depends on the choice too: the bound is on the group's part less its share of all.
    loads = [
        [count * (option.primary.cost_usd if by_spend else 1) for option in each]
        for count, each in zip(requests, options, strict=True)
    ]
    others = [[-share * load if by_spend else ZERO for load in each] for each in loads]
    members: defaultdict[str, dict[int, list[int]]] = defaultdict(dict)
    for number, each in enumerate(options):
        for place, option in enumerate(each):
            members[option.primary.group].setdefault(number, []).append(place)
    for group in sorted(members):
        terms: dict[int, tuple[Fraction, ...]] = {}
        for number in range(len(options)) if by_spend else members[group]:
            row = others[number].copy()
            for place in members[group].get(number, ()):
                row[place] += loads[number][place]
            terms[number] = tuple(row)
        yield Row(constraint=Constraint(PROVIDER_SHARE), terms=terms, limit=limit, step=step, group=group)


def _monotone_rows(portfolio: Portfolio, options: Options) -> Iterator[Row]:
    if not portfolio.rules.monotone:
        return
    for number, slot in enumerate(portfolio.slots):
        for other in portfolio.above(slot):
            terms = {
                number: tuple(option.primary.quality for option in options[number]),
                other: tuple(-option.primary.quality for option in options[other]),
            }
            yield Row(constraint=Constraint(MONOTONE), terms=terms, limit=Fraction())


def shares_of(portfolio: Portfolio, chosen: Sequence[Option]) -> dict[str, Fraction]:
    """Return which share of the requests, or of what primaries cost, each group serves as primary; largest first."""
    loads: defaultdict[str, Fraction] = defaultdict(Fraction)
    for slot, option in zip(portfolio.slots, chosen, strict=True):
        cost = option.primary.cost_usd if portfolio.rules.shared_by == "spend" else 1
        loads[option.primary.group] += portfolio.requests(slot) * cost
    whole = sum(loads.values(), Fraction())
    found = {group: load / whole if whole else Fraction() for group, load in loads.items()}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
