"""What a compiled catalogue has laid out, and which of it holds for another catalogue as well.

Most revisions move little: an admin edits a policy, a plan gets a task. What follows from equal offers and prices is
equal, and is not made again.
"""

import itertools
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from planner.core import edges
from planner.core.catalogue import Catalogue
from planner.core.kept import Kept
from planner.core.pricing import Floats
from planner.core.shortlist import Figures

KEPT_STRETCHES, KEPT_SHAPES, KEPT_FIELDS, KEPT_SERVED = 6, 256, 64, 16
# Plans and policies are no part: they come with the question.
_PRICED_BY = ("offers", "cards", "models", "providers", "scores", "fees", "contracts", "fx", "tier_bands")
_JUDGED_BY = ("terms", "stale_from")


class Priced:
    """What follows from the offers and their prices, whatever is asked and whatever a policy says."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Lay out what no question changes."""
        offers = catalogue.offers
        self.context = _limits(offer.facts.context_tokens for offer in offers)
        self.output = _limits(offer.facts.max_output_tokens for offer in offers)
        self.figures = Figures(catalogue)
        self.edges = edges.of_prices(catalogue)
        self.minutes = edges.of_the_day(catalogue)
        self.stretches, self.served, self.ways = Kept(KEPT_STRETCHES), Kept(KEPT_SERVED), Kept(KEPT_FIELDS)


class Judged:
    """What follows from evidence as well: every refusal by policy and needs, as a number for its code."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Begin with nothing decided."""
        self.edges = edges.of_terms(catalogue)
        self.codes, self.shapes, self.fields = Kept(KEPT_SHAPES), Kept(KEPT_SHAPES), Kept(KEPT_FIELDS)
        self.names: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._fresh = itertools.count(1)

    def number(self, code: str | None) -> int:
        """Return the number of a code; 0 is that of none."""
        if code is None:
            return 0
        number = self._numbers.get(code)
        if number is None:
            # The name is there before its number is; who comes second to a code takes the first one's number.
            fresh = next(self._fresh)
            self.names[fresh] = code
            number = self._numbers.setdefault(code, fresh)
        return number


class Laid(NamedTuple):
    """A catalogue with what follows from it."""

    catalogue: Catalogue
    priced: Priced
    judged: Judged


def lay_out(catalogue: Catalogue, earlier: Iterable[Laid] = ()) -> Laid:
    """Lay a catalogue out, or take over what follows from an earlier one just as well."""
    priced: Priced | None = None
    for laid in earlier:
        if _equal(laid.catalogue, catalogue, _PRICED_BY):
            if _equal(laid.catalogue, catalogue, _JUDGED_BY):
                return laid._replace(catalogue=catalogue)
            priced = laid.priced
    return Laid(catalogue, priced or Priced(catalogue), Judged(catalogue))


def _limits(stated: Iterable[int | None]) -> Floats:
    # Nothing is known to be too long for an unknown limit.
    return np.array([np.inf if limit is None else limit for limit in stated], np.float64)


def _equal(one: Catalogue, other: Catalogue, names: Iterable[str]) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in names)
