"""Why a price waits for a person: each reason is a code with its figures, and a price without one is published.

Rises are published and announced, because believing a dear price too early costs nothing that cannot be seen. What
waits is what would let an offer win by mistake: a deep fall, a figure outside what anybody charges, another unit.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction

from planner.core.money import PICO, ratio_text, usd_text
from planner.core.moves import PLAIN, Fall, Point, TooManyConditions, falls, usd
from planner.core.price import Rate, RateTable, When
from planner.core.units import FALLBACK, REGISTRY, Dimension, Unit

MTOK = 1_000_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a price may move or stand apart before a person looks at it.

    ``fall_share_max``: the share of its old price by which a rate may fall without a second source, and ``fall_over``
    the time over which small falls add up. ``spread_max``: how many times cheaper or dearer than the median of its
    model's other offers. ``ahead_max``: how far in the future a price may begin.
    """

    fall_share_max: Fraction = Fraction(1, 2)
    fall_over: timedelta = timedelta(days=30)
    spread_max: int = 25
    peers_min: int = 3
    ahead_max: timedelta = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason to wait. ``code`` is stable; ``facts`` are texts: units, rates in USD per million units, factors."""

    code: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Golden:
    """A well-known price: whoever claims another one is asked again. USD per million units, both ends included."""

    offer: str
    unit: Unit
    usd_per_mtok_min: Fraction
    usd_per_mtok_max: Fraction

    def broken_by(self, rates: RateTable) -> bool:
        """Tell whether a table prices the unit outside the bounds."""
        if self.unit not in rates:
            return False
        return not self.usd_per_mtok_min <= usd(rates[self.unit].base) * MTOK <= self.usd_per_mtok_max


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What one offer's new price is held against.

    ``elsewhere`` are rates of the same offer from other sources, or through other channels, by a name for people.
    ``peers`` are what other providers charge for the same model, by unit, in USD per single unit, cheapest first and
    without those that charge nothing. ``siblings`` are rates of the same model by the same provider through the same
    channel. ``confirming`` are current claims of the same offer by other sources.
    """

    elsewhere: Mapping[str, RateTable] = field(default_factory=dict)
    peers: Mapping[Unit, Sequence[Fraction]] = field(default_factory=dict)
    siblings: Sequence[RateTable] = ()
    confirming: Sequence[RateTable] = ()
    golden: Sequence[Golden] = ()


NOTHING = Surroundings()


def doubts(
    earlier: Sequence[RateTable],
    after: RateTable,
    begins: datetime,
    at: datetime,
    around: Surroundings = NOTHING,
    bounds: Bounds = Bounds(),  # frozen
) -> tuple[Reason, ...]:
    """Return every reason why a new price has to wait.

    Args:
        earlier: the rates believed until now for the time it would cover, and lately; none for an offer that never
            had a price.
        after: the rates that would be believed.
        begins: when they would begin to hold.
        at: now.
        around: what else is known of this offer and its model.
        bounds: how much is too much.
    """
    try:
        moved = (*_falls(earlier, after, around.confirming, bounds), *_below(earlier, after, around.siblings, bounds))
    except TooManyConditions:
        moved = (Reason("too_many_bands"),)
    return (
        *outside(after),
        *_contradictions(after),
        *_zeros(after),
        *moved,
        *_other_units(after, around.elsewhere),
        *_jumps(earlier, after),
        *_spread(after, around.peers, bounds),
        *_part_free(after, around, bounds),
        *(
            Reason(
                "golden",
                {"unit": fact.unit.value, "usd_per_mtok": _mtok(after[fact.unit].base), **_range(fact)},
            )
            for fact in around.golden
            if fact.broken_by(after)
        ),
        *([Reason("far_future", {"valid_from": begins.isoformat()})] if begins > at + bounds.ahead_max else []),
    )


# What anybody was ever seen to charge, with a margin of about ten on both sides; USD per single unit. A rate of 0 is
# another question: it is "not stated" or free, and decided elsewhere. Source: the lists recorded in 2025 and 2026; the
# dearest token was 0.0006 USD (o1-pro, output), the cheapest 1e-8 (and 1e-9 read from a cache).
_TOKEN = (Fraction(1, 10**9), Fraction(1, 1000))
_CACHED = (Fraction(1, 10**10), Fraction(1, 1000))
_BY_DIMENSION: dict[Dimension, tuple[Fraction, Fraction]] = {
    Dimension.TOKEN: _TOKEN,
    Dimension.EVENT: (Fraction(1, 10**6), Fraction(1)),
    Dimension.PICTURE: (Fraction(1, 10**6), Fraction(10)),
    Dimension.PIXEL: (Fraction(1, 10**10), Fraction(1, 10**5)),
    Dimension.SECOND: (Fraction(1, 10**7), Fraction(5)),
    Dimension.CHARACTER: (Fraction(1, 10**9), Fraction(1, 1000)),
    Dimension.PAGE: (Fraction(1, 10**5), Fraction(1, 2)),
}
_READS = (Unit.CACHE_READ, Unit.CACHE_READ_AUDIO, Unit.CACHE_READ_IMAGE, Unit.CACHE_READ_VIDEO)


def limits_of(unit: Unit) -> tuple[Fraction, Fraction]:
    """Return the lowest and the highest believable rate of a unit, in USD per single unit."""
    return _CACHED if unit in _READS else _BY_DIMENSION[REGISTRY[unit].dimension]


def outside(rates: RateTable) -> Iterator[Reason]:
    """Yield every rate that is below the floor or above the ceiling of its unit."""
    for unit, rate in _all_rates(rates):
        floor, ceiling = limits_of(unit)
        if _within(rate, floor, ceiling):
            continue
        stated = {"unit": unit.value, "usd_per_mtok": _mtok(rate)}
        if usd(rate) < floor:
            yield Reason("below_floor", {**stated, "floor_usd_per_mtok": usd_text(floor * MTOK)})
        else:
            yield Reason("above_ceiling", {**stated, "ceiling_usd_per_mtok": usd_text(ceiling * MTOK)})


def _within(rate: Rate, floor: Fraction, ceiling: Fraction) -> bool:
    # In whole numbers, because every rate of every feed comes by here.
    if not rate.pico:
        return True
    if rate.pico * floor.denominator < floor.numerator * rate.pico_per * PICO:
        return False
    return rate.pico * ceiling.denominator <= ceiling.numerator * rate.pico_per * PICO


def _all_rates(rates: RateTable) -> Iterator[tuple[Unit, Rate]]:
    for unit, price in sorted(rates.items()):
        yield from ((unit, rate) for _when, rate in price.stated())


def _contradictions(rates: RateTable) -> Iterator[Reason]:
    """Reading what is kept already never costs more than reading it anew."""
    for unit in _READS:
        fresh = FALLBACK[unit]
        if unit in rates and fresh in rates and usd(rates[unit].base) > usd(rates[fresh].base):
            facts = {
                "unit": unit.value,
                "usd_per_mtok": _mtok(rates[unit].base),
                "input_usd_per_mtok": _mtok(rates[fresh].base),
            }
            yield Reason("cache_above_input", facts)


def _zeros(rates: RateTable) -> Iterator[Reason]:
    """Something that costs nothing under some condition, or in some part, while the rest is paid for."""
    for unit, price in sorted(rates.items()):
        if price.base.pico and any(not band.rate.pico for band in price.bands):
            yield Reason("zero_rate", {"unit": unit.value, "usd_per_mtok": _mtok(price.base)})
        stand_in = FALLBACK.get(unit)
        if stand_in is not None and stand_in in rates and not price.base.pico and rates[stand_in].base.pico:
            paid = {"beside": stand_in.value, "usd_per_mtok": _mtok(rates[stand_in].base)}
            yield Reason("zero_rate", {"unit": unit.value, **paid})


# Nobody was ever seen to read a cache for less than a fiftieth of reading anew; most charge a tenth or a quarter.
READ_SHARE_MIN = Fraction(1, 50)


def _falls(
    earlier: Sequence[RateTable], after: RateTable, confirming: Sequence[RateTable], bounds: Bounds
) -> Iterator[Reason]:
    """The deepest fall of every unit, against each of the earlier tables; small falls one after the other add up."""
    deepest: dict[Unit, Fall] = {}
    for before in dict.fromkeys(earlier):
        for fall in falls(before, after):
            # Reading a cache is cheap by nature: a rate of its own that is new is not the old one fallen.
            fresh = fall.unit in _READS and fall.unit not in before
            bound = 1 - READ_SHARE_MIN if fresh else bounds.fall_share_max
            known = deepest.get(fall.unit)
            if fall.share > bound and (known is None or fall.share > known.share) and not _confirmed(fall, confirming):
                deepest[fall.unit] = fall
    for unit, fall in sorted(deepest.items()):
        facts = {
            "before_usd_per_mtok": _mtok(fall.before), "after_usd_per_mtok": _mtok(fall.after),
            "percent": ratio_text(fall.share * 100, 1),
        }  # fmt: skip
        yield Reason("fall", {"unit": unit.value, **facts, **_circumstance(fall.point)})


def _circumstance(point: Point) -> dict[str, str]:
    if point == PLAIN:
        return {}
    context = {"service_tier": point.context.service_tier, "region": point.context.region or ""}
    stated = {name: text for name, text in context.items() if text not in ("standard", "")}
    return {"input_tokens": str(point.input_tokens), **stated, "utc": f"{point.at:%a %H:%M}"}


def _below(
    earlier: Sequence[RateTable], after: RateTable, siblings: Sequence[RateTable], bounds: Bounds
) -> Iterator[Reason]:
    """An offer nobody knew yet, far below what the same provider asks for the same model: another name, another price.

    Siblings differ among themselves, by precision and speed; a new one is held against the cheapest of them.
    """
    if earlier:
        return
    for unit in (Unit.INPUT, Unit.OUTPUT):
        asked = [usd(table[unit].base) for table in siblings if unit in table and table[unit].base.pico]
        # Another tier has to be asked for; a length or an hour comes by itself.
        rates = [rate for when, rate in _stated(after, unit) if when.service_tier in (None, "standard")]
        lowest = min(rates, key=usd, default=None)
        if lowest is not None and asked and usd(lowest) < min(asked) * (1 - bounds.fall_share_max):
            facts = {"usd_per_mtok": _mtok(lowest), "cheapest_usd_per_mtok": usd_text(min(asked) * MTOK)}
            yield Reason("below_sibling", {"unit": unit.value, **facts})


def _stated(rates: RateTable, unit: Unit) -> Iterator[tuple[When, Rate]]:
    if unit in rates:
        yield from rates[unit].stated()


CLOSE = Fraction(1, 100)
# Another unit, bought through a broker, differs by the broker's markup too (Requesty's 5 %, OpenRouter's 5.5 %).
MARKUP = Fraction(6, 100)


def _confirmed(fall: Fall, others: Sequence[RateTable]) -> bool:
    """Tell whether another source says about the same of this rate. A zero says nothing: it may be "not stated"."""
    if not fall.after.pico:
        return False
    for other in others:
        unit = other.rate_unit(fall.unit)
        if unit is not None and _near(usd(other[unit].select(*fall.point)), usd(fall.after)):
            return True
    return False


def _near(one: Fraction, other: Fraction, share: Fraction = CLOSE) -> bool:
    return abs(one - other) <= other * share


_FACTORS = tuple(Fraction(10) ** power for power in range(1, 7))
_LEAST_FACTOR = 10 * (1 - MARKUP)


# A price may really rise tenfold; a hundredfold is another unit.
_LEAST_JUMP = 100


def _other_units(rates: RateTable, elsewhere: Mapping[str, RateTable]) -> Iterator[Reason]:
    """Find rates that are a power of ten away from the same offer's elsewhere: another unit, not another price."""
    for name, other in elsewhere.items():
        factor = _power_of_ten(rates, other)
        if factor is not None:
            text = f"x{factor}" if factor > 1 else f"1/{1 / factor}"
            yield Reason("unit_error", {"factor": text, "elsewhere": name})


def _jumps(earlier: Sequence[RateTable], rates: RateTable) -> Iterator[Reason]:
    """Find rates that rose by a power of ten over night; such a fall waits already."""
    factors = {factor for before in dict.fromkeys(earlier) if (factor := _power_of_ten(rates, before)) is not None}
    for factor in sorted(factor for factor in factors if factor >= _LEAST_JUMP):
        yield Reason("unit_error", {"factor": f"x{factor}", "elsewhere": "its own price until now"})


def _power_of_ten(rates: RateTable, other: RateTable) -> Fraction | None:
    shared = [unit for unit in (Unit.INPUT, Unit.OUTPUT) if unit in rates and unit in other]
    ratios = [usd(rates[unit].base) / usd(other[unit].base) for unit in shared if other[unit].base.pico]
    if not ratios or len(ratios) < len(shared) or 1 / _LEAST_FACTOR < ratios[0] < _LEAST_FACTOR:
        return None
    wrong = (factor for power in _FACTORS for factor in (power, 1 / power))
    return next((factor for factor in wrong if all(_near(ratio, factor, MARKUP) for ratio in ratios)), None)


def _spread(rates: RateTable, peers: Mapping[Unit, Sequence[Fraction]], bounds: Bounds) -> Iterator[Reason]:
    for unit, paid in peers.items():
        charged = [rate for _when, rate in _stated(rates, unit) if rate.pico]
        if not charged or len(paid) < bounds.peers_min:
            continue
        middle, lowest, base = paid[len(paid) // 2], min(charged, key=usd), rates[unit].base
        cheap = usd(lowest) * bounds.spread_max < middle
        if cheap or usd(base) > middle * bounds.spread_max:
            asked = lowest if cheap else base
            yield Reason(
                "spread",
                {"unit": unit.value, "usd_per_mtok": _mtok(asked), "median_usd_per_mtok": usd_text(middle * MTOK)},
            )


def _part_free(rates: RateTable, around: Surroundings, bounds: Bounds) -> Iterator[Reason]:
    """Prompts or answers that cost nothing, beside something paid for, where others ask for both."""
    if not any(price.base.pico for price in rates.values()):
        return
    for unit in (Unit.INPUT, Unit.OUTPUT):
        if unit not in rates or rates[unit].base.pico:
            continue
        paid = around.peers.get(unit, ())
        asked = [usd(table[unit].base) for table in around.siblings if unit in table and table[unit].base.pico]
        if asked or len(paid) >= bounds.peers_min:
            others = min(asked) if asked else paid[len(paid) // 2]
            yield Reason("zero_rate", {"unit": unit.value, "others_usd_per_mtok": usd_text(others * MTOK)})


def _mtok(rate: Rate) -> str:
    return rate.usd_per_mtok()


def _range(fact: Golden) -> dict[str, str]:
    return {
        "min_usd_per_mtok": usd_text(fact.usd_per_mtok_min),
        "max_usd_per_mtok": usd_text(fact.usd_per_mtok_max),
    }


def broken_golden(golden: Iterable[Golden], rates: Mapping[str, RateTable]) -> tuple[int, int]:
    """Return (checked, broken) golden facts among the rates a reading claims, by offer id."""
    checked = [fact for fact in golden if fact.offer in rates and fact.unit in rates[fact.offer]]
    return len(checked), sum(1 for fact in checked if fact.broken_by(rates[fact.offer]))
