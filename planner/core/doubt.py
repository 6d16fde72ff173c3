"""Why a price waits for a person: each reason is a code with its figures, and a price without one is published.

Rises are published and announced, because believing a dear price too early costs nothing that cannot be seen. What
waits is what would let an offer win by mistake: a deep fall, a figure outside what anybody charges, another unit.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction

from planner.core.money import PICO, ratio_text, usd_text
from planner.core.price import Rate, RateTable, UnitPrice, When
from planner.core.units import FALLBACK, REGISTRY, Dimension, Unit

MTOK = 1_000_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a price may move or stand apart before a person looks at it.

    ``fall_share_max``: the share of its old price by which a rate may fall without a second source. ``spread_max``:
    how many times cheaper or dearer than the median of its model's other offers. ``ahead_max``: how far in the future
    a price may begin.
    """

    fall_share_max: Fraction = Fraction(1, 2)
    spread_max: int = 25
    peers_min: int = 3
    ahead_max: timedelta = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason to wait. ``code`` is stable; ``facts`` are texts: units, rates in USD, factors."""

    code: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Move:
    """How one rate moved: the base rate of a unit, or its rate under the conditions ``when``.

    ``repriced``: both tables state this very rate; otherwise a condition came or went, and what it replaced is the
    other side of the move.
    """

    unit: Unit
    when: When | None
    before: Rate
    after: Rate
    repriced: bool = True

    @property
    def rises(self) -> bool:
        """Whether the new rate is dearer."""
        return _usd(self.after) > _usd(self.before)

    def falls_beyond(self, share: Fraction) -> bool:
        """Tell whether the new rate is lower by more than this share of the old one."""
        return _usd(self.after) < _usd(self.before) * (1 - share)


def moves(before: RateTable, after: RateTable) -> tuple[Move, ...]:
    """Return how every unit that both tables price moved, at base and under each condition either of them names."""
    found = []
    for unit in sorted(set(before) & set(after)):
        old, new = before[unit], after[unit]
        if old == new:
            continue
        whens = dict.fromkeys([None, *(band.when for band in old.bands), *(band.when for band in new.bands)])
        for when in whens:
            was, now = _under(old, when), _under(new, when)
            if _usd(was) != _usd(now):
                found.append(Move(unit, when, was, now, repriced=_names(old, when) and _names(new, when)))
    return tuple(found)


def _under(price: UnitPrice, when: When | None) -> Rate:
    """Return the rate under exactly these conditions, or the base rate where they are not named."""
    return next((band.rate for band in reversed(price.bands) if band.when == when), price.base)


def _names(price: UnitPrice, when: When | None) -> bool:
    return when is None or any(band.when == when for band in price.bands)


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
        return not self.usd_per_mtok_min <= _usd(rates[self.unit].base) * MTOK <= self.usd_per_mtok_max


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What one offer's new price is held against.

    ``elsewhere`` are rates of the same offer from other sources, or through other channels, by a name for people.
    ``peers`` are what other providers charge for the same model, by unit, in USD per single unit, cheapest first and
    without those that charge nothing. ``confirming`` are current claims
    of the same offer by other sources.
    """

    elsewhere: Mapping[str, RateTable] = field(default_factory=dict)
    peers: Mapping[Unit, Sequence[Fraction]] = field(default_factory=dict)
    confirming: Sequence[RateTable] = ()
    golden: Sequence[Golden] = ()


NOTHING = Surroundings()


def doubts(
    before: RateTable | None,
    after: RateTable,
    begins: datetime,
    at: datetime,
    around: Surroundings = NOTHING,
    bounds: Bounds = Bounds(),  # frozen
) -> tuple[Reason, ...]:
    """Return every reason why a new price has to wait.

    Args:
        before: the rates believed until now; None for an offer without a price.
        after: the rates that would be believed.
        begins: when they would begin to hold.
        at: now.
        around: what else is known of this offer and its model.
        bounds: how much is too much.
    """
    return (
        *_outside(after),
        *_contradictions(after),
        *_falls(before, after, around.confirming, bounds),
        *_other_units(after, around.elsewhere),
        *_spread(after, around.peers, bounds),
        *(
            Reason(
                "golden",
                {"unit": fact.unit.value, "usd_per_mtok": _mtok(after[fact.unit].base), "between": _range(fact)},
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


def _outside(rates: RateTable) -> Iterator[Reason]:
    for unit, rate in _all_rates(rates):
        floor, ceiling = limits_of(unit)
        if _within(rate, floor, ceiling):
            continue
        usd = _usd(rate)
        if usd < floor:
            yield Reason("below_floor", {"unit": unit.value, "usd": usd_text(usd), "floor_usd": usd_text(floor)})
        else:
            yield Reason("above_ceiling", {"unit": unit.value, "usd": usd_text(usd), "ceiling_usd": usd_text(ceiling)})


def _within(rate: Rate, floor: Fraction, ceiling: Fraction) -> bool:
    # In whole numbers, because every rate of every feed comes by here.
    if not rate.pico:
        return True
    if rate.pico * floor.denominator < floor.numerator * rate.pico_per * PICO:
        return False
    return rate.pico * ceiling.denominator <= ceiling.numerator * rate.pico_per * PICO


def _all_rates(rates: RateTable) -> Iterator[tuple[Unit, Rate]]:
    for unit, price in sorted(rates.items()):
        yield unit, price.base
        yield from ((unit, band.rate) for band in price.bands)


def _contradictions(rates: RateTable) -> Iterator[Reason]:
    """Reading what is kept already never costs more than reading it anew."""
    for unit in _READS:
        fresh = FALLBACK[unit]
        if unit in rates and fresh in rates and _usd(rates[unit].base) > _usd(rates[fresh].base):
            facts = {"unit": unit.value, "usd_per_mtok": _mtok(rates[unit].base), "input": _mtok(rates[fresh].base)}
            yield Reason("cache_above_input", facts)


def _falls(
    before: RateTable | None, after: RateTable, confirming: Sequence[RateTable], bounds: Bounds
) -> Iterator[Reason]:
    if before is None:
        return
    for move in moves(before, after):
        if move.falls_beyond(bounds.fall_share_max) and not _confirmed(move, confirming):
            share = 1 - _usd(move.after) / _usd(move.before)
            facts = {"before": _mtok(move.before), "after": _mtok(move.after), "percent": ratio_text(share * 100, 1)}
            yield Reason("fall", {"unit": move.unit.value, **facts})
    for unit in sorted(set(before) - set(after)):
        # A rate that is taken away leaves another one in its place, which may be much lower.
        stand_in = after.rate_unit(unit)
        if stand_in is not None and Move(unit, None, before[unit].base, after[stand_in].base).falls_beyond(
            bounds.fall_share_max
        ):
            facts = {"before": _mtok(before[unit].base), "after": _mtok(after[stand_in].base)}
            yield Reason("fall", {"unit": unit.value, **facts})


CLOSE = Fraction(1, 100)
# Another unit, bought through a broker, differs by the broker's markup too (Requesty's 5 %, OpenRouter's 5.5 %).
MARKUP = Fraction(6, 100)


def _confirmed(move: Move, others: Sequence[RateTable]) -> bool:
    """Tell whether another source says about the same of this rate."""
    return any(
        move.unit in other and _near(_usd(_under(other[move.unit], move.when)), _usd(move.after)) for other in others
    )


def _near(one: Fraction, other: Fraction, share: Fraction = CLOSE) -> bool:
    return abs(one - other) <= other * share


_FACTORS = tuple(Fraction(10) ** power for power in range(1, 7))
_LEAST_FACTOR = 10 * (1 - MARKUP)


def _other_units(rates: RateTable, elsewhere: Mapping[str, RateTable]) -> Iterator[Reason]:
    """Find rates that are a power of ten away from the same offer's elsewhere: another unit, not another price."""
    for name, other in elsewhere.items():
        shared = [unit for unit in (Unit.INPUT, Unit.OUTPUT) if unit in rates and unit in other]
        ratios = [_usd(rates[unit].base) / _usd(other[unit].base) for unit in shared if other[unit].base.pico]
        if not ratios or len(ratios) < len(shared) or 1 / _LEAST_FACTOR < ratios[0] < _LEAST_FACTOR:
            continue
        for factor in _FACTORS:
            for wrong in (factor, 1 / factor):
                if all(_near(ratio, wrong, MARKUP) for ratio in ratios):
                    text = f"x{factor}" if wrong > 1 else f"1/{factor}"
                    yield Reason("unit_error", {"factor": text, "elsewhere": name})


def _spread(rates: RateTable, peers: Mapping[Unit, Sequence[Fraction]], bounds: Bounds) -> Iterator[Reason]:
    for unit, paid in peers.items():
        own = rates.get(unit)
        if own is None or not own.base.pico or len(paid) < bounds.peers_min:
            continue
        middle, usd = paid[len(paid) // 2], _usd(own.base)
        if usd * bounds.spread_max < middle or usd > middle * bounds.spread_max:
            yield Reason(
                "spread",
                {"unit": unit.value, "usd_per_mtok": _mtok(own.base), "median_usd_per_mtok": usd_text(middle * MTOK)},
            )


def _usd(rate: Rate) -> Fraction:
    return Fraction(rate.pico, rate.pico_per * PICO)


def _mtok(rate: Rate) -> str:
    return rate.usd_per_mtok()


def _range(fact: Golden) -> str:
    return f"{usd_text(fact.usd_per_mtok_min)} and {usd_text(fact.usd_per_mtok_max)}"


def broken_golden(golden: Iterable[Golden], rates: Mapping[str, RateTable]) -> tuple[int, int]:
    """Return (checked, broken) golden facts among the rates a reading claims, by offer id."""
    checked = [fact for fact in golden if fact.offer in rates and fact.unit in rates[fact.offer]]
    return len(checked), sum(1 for fact in checked if fact.broken_by(rates[fact.offer]))
