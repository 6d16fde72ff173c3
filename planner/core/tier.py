"""Tiers are labels: from a model's output price, and from its quality score; who beats the price tier is a bargain."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from statistics import median_low
from typing import Self

from planner.core.claim import Score
from planner.core.money import PICO
from planner.core.price import RateTable
from planner.core.units import Unit

MTOK = 1_000_000


@dataclass(frozen=True, slots=True)
class PriceBand:
    """Tier ``tier`` begins at ``usd_per_mtok_min`` dollars per million output tokens, between two days."""

    tier: int
    usd_per_mtok_min: Decimal
    valid_from: date = date.min
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class QualityBand:
    """Quality tier ``tier`` begins at ``score_min`` on ``index``, a published cut-off, between two days."""

    index: str
    tier: int
    score_min: Decimal
    valid_from: date = date.min
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class TierBands:
    """The cut-offs in force: price bands and quality bands, both data."""

    prices: tuple[PriceBand, ...]
    qualities: tuple[QualityBand, ...] = ()

    def in_force(self, day: date) -> Self:
        """Return the cut-offs that hold on one day."""

        def holds(band: PriceBand | QualityBand) -> bool:
            return band.valid_from <= day and (band.valid_to is None or day < band.valid_to)

        return type(self)(tuple(filter(holds, self.prices)), tuple(filter(holds, self.qualities)))

    @property
    def indexes(self) -> tuple[str, ...]:
        """Indexes with published cut-offs, in the order in which they are asked."""
        return tuple(dict.fromkeys(band.index for band in self.qualities))

    def price_tier(self, output_usd_per_mtok: Fraction) -> int:
        """Return the label of an output price; the lowest tier has no floor."""
        for band in sorted(self.prices, key=lambda band: band.tier):
            if output_usd_per_mtok >= Fraction(band.usd_per_mtok_min):
                return band.tier
        return max((band.tier for band in self.prices), default=0) + 1

    def quality_tier(self, index: str, score: Decimal) -> int | None:
        """Return the label of a score, or None for an index without published cut-offs."""
        bands = sorted((band for band in self.qualities if band.index == index), key=lambda band: band.tier)
        if not bands:
            return None
        return next((band.tier for band in bands if score >= band.score_min), bands[-1].tier + 1)


def dearest_output(rates: RateTable) -> Fraction | None:
    """Return dollars per million output tokens at the dearest hour of the day, at standard tier and base length.

    A vendor that halves its price at night sells the same model by day; the label follows the day price.
    """
    price = rates.get(Unit.OUTPUT)
    if price is None:
        return None
    windows = [
        band.rate
        for band in price.bands
        if band.when.utc_start is not None
        and band.when.service_tier in (None, "standard")
        and band.when.region is None
        and band.when.input_tokens_gt is None
        and band.when.input_tokens_gte is None
    ]
    return max(Fraction(rate.pico * MTOK, rate.pico_per * PICO) for rate in (price.base, *windows))


@dataclass(frozen=True, slots=True)
class PricedOffer:
    """What the label of a model is computed from: one priced offer of it."""

    offer: str
    by_creator: bool
    free: bool
    regional: bool
    output_usd_per_mtok: Fraction


@dataclass(frozen=True, slots=True)
class ModelTier:
    """The label of one model, which offer's output price it rests on, and which score its quality label does."""

    model: str
    tier: int
    offer: str
    output_usd_per_mtok: Fraction
    quality_tier: int | None = None
    quality: Score | None = None

    @property
    def bargain(self) -> bool:
        """Whether the quality label beats the price label."""
        return self.quality_tier is not None and self.quality_tier < self.tier


def representative(offers: Iterable[PricedOffer]) -> PricedOffer | None:
    """Pick the offer whose price labels a model: its creator's direct offer, else the median paid one.

    Of several direct offers of the creator the dearest counts, one without a region before one that
    costs more for its region; of an even number of paid offers the lower middle one; equal prices are
    told apart by offer id.
    """
    paid = [offer for offer in offers if not offer.free and offer.output_usd_per_mtok > 0]
    if not paid:
        return None
    by_creator = [offer for offer in paid if offer.by_creator]
    if by_creator:
        return max(by_creator, key=lambda offer: (not offer.regional, offer.output_usd_per_mtok, offer.offer))
    middle = median_low((offer.output_usd_per_mtok, offer.offer) for offer in paid)
    return next(offer for offer in paid if (offer.output_usd_per_mtok, offer.offer) == middle)
