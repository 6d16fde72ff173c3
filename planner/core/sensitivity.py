"""What a plan's margin hangs on: each rate, the length of texts, the share of a cache and how often is asked."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor

from planner.core.plan import Economics
from planner.core.tariff import Tariff
from planner.core.tier import MTOK
from planner.core.units import Unit
from planner.core.usage import COUNTS, Usage
from planner.core.workload import Request, Workload

SWING = Fraction(1, 10)
_WHOLES = ("input_tokens", "output_tokens")
_PROMPT = tuple(name for name in COUNTS if name.startswith(("input_", "cache_")) and name.endswith("_tokens"))
_COMPLETION = tuple(name for name in COUNTS if name.startswith(("output_", "reasoning_")) and name.endswith("_tokens"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """One thing the margin hangs on, and what a tenth more or less of it does; margins are None without revenue.

    ``unit`` is that of a rate, with what of the cost it prices; ``margin_per_usd_per_mtok`` is how far the margin moves
    when the rate rises by $1 a million, and ``break_even_rise`` by which share the rate may rise before the budget is
    used up, below 0 where it is already; None where there is no budget to use up.
    """

    name: str
    cost_usd_less: Fraction
    cost_usd_more: Fraction
    margin_less: Fraction | None
    margin_more: Fraction | None
    unit: Unit | None = None
    cost_usd: Fraction | None = None
    margin_per_usd_per_mtok: Fraction | None = None
    break_even_rise: Fraction | None = None

    @property
    def swing_usd(self) -> Fraction:
        """How far the cost of a period moves between less and more."""
        return abs(self.cost_usd_more - self.cost_usd_less)


def drivers(tariff: Tariff, workload: Workload, economics: Economics) -> tuple[Driver, ...]:
    """Return everything the margin hangs on, what moves it most first; costs are of one customer per period."""
    found = [*_rates(tariff, workload, economics), *_habits(tariff, workload, economics)]
    return tuple(sorted(found, key=lambda driver: (-driver.swing_usd, driver.name)))


def paid_by_unit(tariff: Tariff, workload: Workload) -> Mapping[Unit, tuple[Fraction, Fraction]]:
    """Return how many of each unit are paid for in a period, attempts that fail included, and what they cost in USD."""
    found: dict[Unit, tuple[Fraction, Fraction]] = {}
    scale = tariff.scale(workload.habits) * workload.requests_per_period
    for kind in tariff.kinds(workload):
        for line in kind.cost.lines:
            count, usd = found.get(line.unit, (Fraction(), Fraction()))
            times = kind.share * scale
            found[line.unit] = count + times * line.quantity, usd + times * line.exact_usd
    return found


def _rates(tariff: Tariff, workload: Workload, economics: Economics) -> Iterator[Driver]:
    paid, revenue, budget = paid_by_unit(tariff, workload), Fraction(economics.revenue_usd), economics.budget_usd
    total = sum((usd for _count, usd in paid.values()), Fraction())
    for unit, (count, usd) in paid.items():
        if not usd:
            continue
        # The margin is a straight line in every rate: its slope is the count over the revenue.
        yield replace(
            _driver(f"price:{unit.value}", economics, total - SWING * usd, total + SWING * usd),
            unit=unit,
            cost_usd=usd,
            margin_per_usd_per_mtok=-count / MTOK / revenue if revenue else None,
            break_even_rise=None if budget is None else (budget - total) / usd,
        )


def _driver(name: str, economics: Economics, less: Fraction, more: Fraction) -> Driver:
    return Driver(
        name=name,
        cost_usd_less=less,
        cost_usd_more=more,
        margin_less=economics.margin_at(less),
        margin_more=economics.margin_at(more),
    )


def _habits(tariff: Tariff, workload: Workload, economics: Economics) -> Iterator[Driver]:
    requests = workload.requests_per_period
    total = tariff.cost_usd(workload) * requests
    yield _driver("requests", economics, total * (1 - SWING), total * (1 + SWING))
    changes = {"prompt": _longer(_PROMPT), "completion": _longer(_COMPLETION), "cache": _cached}
    for name, change in changes.items():
        less, more = (tariff.cost_usd(change(workload, times)) * requests for times in (1 - SWING, 1 + SWING))
        if less != more:
            yield _driver(name, economics, less, more)


def _longer(names: tuple[str, ...]) -> Callable[[Workload, Fraction], Workload]:
    """Return what makes some counts of every request larger or smaller; a whole is rounded up, its parts down."""

    def change(workload: Workload, times: Fraction) -> Workload:
        return _each(
            workload,
            lambda usage: {name: (ceil if name in _WHOLES else floor)(times * getattr(usage, name)) for name in names},
        )

    return change


def _cached(workload: Workload, times: Fraction) -> Workload:
    """Return the workload with more or less of its prompts read from a cache, at most what is not written to one."""
    habits = workload.habits
    if habits.cached:
        share = habits.cache_hit_share
        most = 1 - habits.cache_write_share
        return (
            workload
            if share is None
            else replace(workload, habits=replace(habits, cache_hit_share=min(times * share, most)))
        )

    def change(usage: Usage) -> dict[str, int]:
        parts = dict(usage.parts)
        read, plain = parts.get(Unit.CACHE_READ, 0), parts.get(Unit.INPUT, 0)
        return {"cache_read_tokens": usage.cache_read_tokens - read + min(floor(times * read), read + plain)}

    return _each(workload, change)


def _each(workload: Workload, change: Callable[[Usage], Mapping[str, int]]) -> Workload:
    requests = tuple(
        Request(request.usage.changed(change(request.usage)), request.share) for request in workload.requests
    )
    return replace(workload, requests=requests)
