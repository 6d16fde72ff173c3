"""What is paid beyond the list price or below it: brokers' dated fees, and discounts that were negotiated."""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

CREDIT, OWN_KEY = "credit", "own_key"
"""How a broker is paid: with bought credit, or with one's own provider keys behind it."""

OF_LIST = "of_list_price"
"""The basis of a fee that a discount does not make smaller."""

PAYMENTS = (CREDIT, OWN_KEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee:
    """A channel's fee on top of its list prices, in percent of the list price, from ``valid_from`` to ``valid_to``.

    ``payment`` is the way of paying it belongs to, ``chosen`` whether that way is ours. Usage at list price up to
    ``allowance_usd_per_month`` is free of it; ``list_usd_per_month`` is how much is expected. ``minimum_usd`` is the
    least it costs per purchase: shown, and in no cost, since nobody knows how large a purchase is.
    """

    channel: str
    percent: Fraction
    basis: str
    valid_from: datetime
    valid_to: datetime | None
    source: str
    source_url: str
    id: int = 0
    payment: str = CREDIT
    allowance_usd_per_month: Fraction | None = None
    minimum_usd: Fraction | None = None
    chosen: bool = True
    list_usd_per_month: Fraction | None = None

    def in_force(self, at: datetime) -> bool:
        """Tell whether the fee is charged at a moment."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)

    @property
    def share(self) -> Fraction:
        """The fee as a share of list price, averaged over a month where part of it is free.

        Without an expected volume an allowance is not counted on: the full percentage is assumed.
        """
        full = self.percent / 100
        if self.allowance_usd_per_month is None or not self.list_usd_per_month:
            return full
        charged = max(Fraction(), self.list_usd_per_month - self.allowance_usd_per_month)
        return full * charged / self.list_usd_per_month


class Payment(NamedTuple):
    """How a channel is paid here from a moment on, until it says something else; before the first, with credit."""

    channel: str
    payment: str
    list_usd_per_month: Fraction | None
    valid_from: datetime


def as_paid(fees: Sequence[Fee], payments: Iterable[Payment]) -> tuple[Fee, ...]:
    """Return the fees cut where the way of paying changes, each part marked with whether it counts then.

    A broker that is said to be paid in a way nobody knows a fee of is charged as if paid with credit: unknown is not
    free.

    Args:
        fees: of all channels and ways of paying.
        payments: in time order for each channel.
    """
    known = {(fee.channel, fee.payment) for fee in fees}
    periods: dict[str, list[Payment]] = {}
    for payment in payments:
        periods.setdefault(payment.channel, []).append(payment)
    return tuple(part for fee in fees for part in _parts(fee, periods.get(fee.channel, []), known))


def _parts(fee: Fee, said: Sequence[Payment], known: Container[tuple[str, str]]) -> Iterator[Fee]:
    first = Payment(fee.channel, CREDIT, None, fee.valid_from)
    for word, following in zip((first, *said), (*said, None), strict=True):
        begins = max(fee.valid_from, word.valid_from)
        edges = fee.valid_to, None if following is None else following.valid_from
        ends = min((edge for edge in edges if edge is not None), default=None)
        if ends is None or ends > begins:
            way = word.payment if (fee.channel, word.payment) in known else CREDIT
            yield replace(
                fee, valid_from=begins, valid_to=ends, chosen=fee.payment == way,
                list_usd_per_month=word.list_usd_per_month,
            )  # fmt: skip


def gross_up(fees: Iterable[Fee], channel: str, at: datetime, kept: Fraction = Fraction(1)) -> Fraction:
    """Return list price -> price with fees for a channel, where ``kept`` is left of the list price by a discount.

    Most fees are a share of what is paid; one ``of_list_price`` is charged whatever the discount.
    """
    charged = [fee for fee in fees if fee.channel == channel and fee.chosen and fee.in_force(at)]
    of_list = sum((fee.share for fee in charged if fee.basis == OF_LIST), Fraction())
    return kept * (1 + sum((fee.share for fee in charged if fee.basis != OF_LIST), Fraction())) + of_list


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A discount on list price that was negotiated with one provider, reached through one channel.

    ``model`` None covers all its models. ``commitment_usd`` per ``commitment_period`` was promised in return; it
    changes no price here.
    """

    id: int
    name: str
    channel: str
    provider: str
    model: str | None
    discount_percent: Fraction
    valid_from: datetime
    valid_to: datetime | None
    reference: str
    commitment_usd: Fraction | None = None
    commitment_period: str | None = None

    def in_force(self, at: datetime) -> bool:
        """Tell whether the discount is granted at a moment."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)

    def covers(self, channel: str, provider: str, model: str | None) -> bool:
        """Tell whether the discount is for this provider's model, byte for byte."""
        return (self.channel, self.provider) == (channel, provider) and self.model in (None, model)


def discount(
    contracts: Sequence[Contract], channel: str, provider: str, model: str | None, at: datetime
) -> tuple[Fraction, Contract | None]:
    """Return the share taken off list price, and the contract that grants it.

    A contract for the model outranks one for all models; of two equal ones the smaller discount counts, because
    counting on too much is what hurts.
    """
    fitting = [c for c in contracts if c.in_force(at) and c.covers(channel, provider, model)]
    if not fitting:
        return Fraction(), None
    best = min(fitting, key=lambda c: (c.model is None, c.discount_percent, c.id))
    return best.discount_percent / 100, best
