"""Random books: offers with dated, banded prices, what was agreed beyond them, and rows of usage of every kind.

Everything is written down plainly, so that `tests.reference_ledger` reads it without any help of planner's own.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from planner.core.claim import Claim, Segment
from planner.core.event import Event, Outcome, StatedBy
from planner.core.price import Band, Rate, RateTable, UnitPrice, When
from planner.core.units import Unit
from planner.flows.correct import correct_price
from planner.store import agreements, customers
from planner.store.customers import Assignment
from planner.store.engine import Connection, Store
from tests.ledger_books import DAY, HOUR, LAX, SINCE, claim, know, listed
from tests.make import MTOK

BEGINS, ENDS = datetime(2026, 8, 1, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC)
CLOSED, REOPENS = "2026-08", datetime(2026, 9, 1, tzinfo=UTC)
"""The month that is closed before anything late becomes known, and when the first open one begins."""

INCLUSIVE, EXCLUSIVE = "backend", "gateway"
PLANS, TASKS = ("free", "pro", "team"), ("chat", "search", "summary")
_MINUTES = (0, 30, 480, 990, 1_395)


class PlainBand(NamedTuple):
    """A rate under conditions, by their names in `When`."""

    when: Mapping[str, Any]
    usd: str


class PlainPrice(NamedTuple):
    """Dollars per so many of a unit."""

    usd: str
    per: int
    bands: tuple[PlainBand, ...] = ()


class PlainCard(NamedTuple):
    """What everything costs from a moment on, until before another."""

    since: datetime
    until: datetime | None
    prices: Mapping[str, PlainPrice]

    def segment(self) -> Segment:
        """Return it as planner reads it."""
        return Segment(self.since, self.until, self.table())

    def table(self) -> RateTable:
        """Return its rates as planner reads them."""
        return RateTable(
            {
                Unit(unit): UnitPrice(
                    Rate(Decimal(price.usd), price.per),
                    tuple(Band(When(**band.when), Rate(Decimal(band.usd), price.per)) for band in price.bands),
                )
                for unit, price in self.prices.items()
            }
        )


class PlainOffer(NamedTuple):
    """One offer with its cards in time order."""

    id: str
    channel: str
    provider: str
    model: str
    region: str | None
    cards: tuple[PlainCard, ...]

    def claim(self) -> Claim:
        """Return it as a list tells it."""
        return claim(self.id, *(card.segment() for card in self.cards))


@dataclass(frozen=True)
class World:
    """What is known at a time.

    ``discounts`` are percent by (channel, provider) and since when, ``fees`` by channel. ``customers`` are the plans of
    those that are known, by the id that streams call them.
    """

    offers: Mapping[str, PlainOffer]
    discounts: Mapping[tuple[str, str], tuple[str, datetime]]
    fees: Mapping[str, tuple[str, datetime]]
    customers: Mapping[str, tuple[tuple[str, datetime, datetime | None], ...]]


class Late(NamedTuple):
    """What becomes known late: stretches of the past that were priced wrong, and the world as it is known then."""

    corrections: tuple[tuple[str, PlainCard], ...]
    world: World


# --- what is known ----------------------------------------------------------------------------------------------


def world(dice: random.Random) -> World:
    """Make a world of a dozen offers, directly and through a broker, one model of which runs in two places."""
    offers = {}
    for number in range(12):
        channel = "broker" if number % 3 == 2 else "direct"
        model, region = f"m{number // 2 if number < 2 else number}", "eu" if number == 1 else None
        id_ = f"{channel}:acme/{model}" + (f"@{region}" if region else "")
        offers[id_] = PlainOffer(id_, channel, "acme", model, region, tuple(_cards(dice)))
    return World(
        offers,
        discounts={("direct", "acme"): ("12.5", BEGINS + 20 * DAY)},
        fees={"broker": ("5.5", SINCE)},
        customers={
            f"c{number}": (("free", SINCE, BEGINS + number * DAY), ("pro", BEGINS + number * DAY, None))
            for number in range(20)
        },
    )


def later(dice: random.Random, known: World) -> Late:
    """Make what becomes known late: a corrected fortnight here and there, an offer nobody had listed, a discount."""
    offers, corrections = dict(known.offers), []
    for id_ in dice.sample(sorted(offers), 5):
        since = BEGINS + dice.randint(5, 80) * DAY + dice.randint(0, 95) * timedelta(minutes=15)
        corrected = PlainCard(since, since + dice.randint(1, 14) * DAY, _prices(dice))
        corrections.append((id_, corrected))
        offers[id_] = offers[id_]._replace(cards=tuple(_laid_over(offers[id_].cards, corrected)))
    new = PlainOffer("direct:bolt/new", "direct", "bolt", "new", None, (PlainCard(SINCE, None, _prices(dice)),))
    offers[new.id] = new
    discounts = {**known.discounts, ("broker", "acme"): ("3", BEGINS + 10 * DAY)}
    return Late(tuple(corrections), replace(known, offers=offers, discounts=discounts))


def _laid_over(cards: tuple[PlainCard, ...], over: PlainCard) -> Iterator[PlainCard]:
    if over.until is None:
        raise AssertionError("a correction has an end")
    for card in cards:
        if card.since < over.since:
            yield card._replace(until=over.since if card.until is None else min(card.until, over.since))
    yield over
    for card in cards:
        if card.until is None or card.until > over.until:
            yield card._replace(since=max(card.since, over.until))


def _cards(dice: random.Random) -> Iterator[PlainCard]:
    since = dice.choice((SINCE, SINCE, BEGINS + 10 * DAY))
    if dice.random() < 0.5:
        change = BEGINS + dice.randint(15, 90) * DAY + dice.randint(0, 95) * timedelta(minutes=15)
        yield PlainCard(since, change, _prices(dice))
        gap = dice.choice((0, 0, 0, 2)) * DAY
        yield PlainCard(change + gap, None, _prices(dice))
    else:
        yield PlainCard(since, None, _prices(dice))


def _prices(dice: random.Random) -> dict[str, PlainPrice]:
    per = dice.choice((MTOK, MTOK, 1_000, 3_600_000))
    prompt = dice.choice(("0.15", "0.6", "1.25", "3", "2.7182818"))
    answer = dice.choice(("0.6", "2.5", "10", "15.01"))
    if per == 1_000:
        prompt, answer = (str(Decimal(usd).scaleb(-3)) for usd in (prompt, answer))
    whens = [when for when in _whens(dice) if dice.random() < 0.35]
    made = {"input_token": _price(dice, prompt, per, whens), "output_token": _price(dice, answer, per, whens)}
    for unit, share in (("cache_read_token", "0.1"), ("cache_write_5m_token", "1.25"), ("cache_write_1h_token", "2")):
        if dice.random() < 0.9:
            made[unit] = _price(dice, str(Decimal(prompt) * Decimal(share)), per, whens)
    for unit, usd, of in (
        ("reasoning_token", answer, per), ("input_audio_token", "40", MTOK), ("request", "0.3", 1_000),
        ("web_search", "10", 1_000),
    ):  # fmt: skip
        if dice.random() < 0.8:
            made[unit] = _price(dice, usd, of, whens)
    return made


def _whens(dice: random.Random) -> list[dict[str, Any]]:
    return [
        {"input_tokens_gt": dice.choice((8_000, 272_000))},
        {"input_tokens_gte": 200_000},
        {"utc_start": dice.choice(_MINUTES), "utc_end": dice.choice(_MINUTES)},
        {"weekdays": frozenset(dice.sample(range(1, 8), 2))},
        {"service_tier": "batch"},
        {"region": "eu", "input_tokens_gte": 20_000},
    ]


def _price(dice: random.Random, usd: str, per: int, whens: list[dict[str, Any]]) -> PlainPrice:
    factors = ("0.5", "0.75", "1.5", "2")
    bands = [PlainBand(when, str(Decimal(usd) * Decimal(dice.choice(factors)))) for when in whens]
    return PlainPrice(usd, per, tuple(bands))


# --- in a database ------------------------------------------------------------------------------------------------


def begin(store: Store, known: World) -> None:
    """Let a database with nothing but the schema know a world."""
    know(store)
    listed(store, *(offer.claim() for offer in known.offers.values()))

    def agree(connection: Connection) -> None:
        for (channel, provider), terms in known.discounts.items():
            agreements.add_contract(
                connection, _contract(channel, provider, terms), at=SINCE, actor="test", reason="signed"
            )
        for channel, (percent, since) in known.fees.items():
            row = {
                "channel_id": channel, "percent": percent, "basis": "added_to_top_up", "payment": "credit",
                "valid_from": since, "valid_to": None, "source": "s", "source_url": "https://s.test",
                "allowance_usd_per_month": None, "minimum_usd": None,
            }  # fmt: skip
            agreements.add_fee(connection, row, at=SINCE, actor="test", reason="told")
        for id_, plans in known.customers.items():
            customers.put(connection, id_, id_, SINCE, "test")
            for plan in plans:
                customers.assign(connection, id_, Assignment(*plan), SINCE, "test")

    store.tell(agree)


def learn(store: Store, late: Late, known: World, at: datetime) -> None:
    """Let it know what becomes known late."""
    new = [offer.claim() for id_, offer in late.world.offers.items() if id_ not in known.offers]
    listed(store, *new, at=at)

    def story(connection: Connection) -> None:
        for offer, card in late.corrections:
            correct_price(
                connection, offer, card.segment(), source_url="https://i.test", at=at, actor="test", reason="invoice",
                bounds=LAX,
            )  # fmt: skip
        for place, terms in late.world.discounts.items():
            if place not in known.discounts:
                agreements.add_contract(connection, _contract(*place, terms), at=at, actor="test", reason="signed")

    store.tell(story)


def _contract(channel: str, provider: str, terms: tuple[str, datetime]) -> dict[str, Any]:
    percent, since = terms
    return {
        "name": "c", "channel_id": channel, "provider_id": provider, "model_id": None, "discount_percent": percent,
        "commitment_usd": None, "commitment_period": None, "valid_from": since, "valid_to": None, "reference": "paper",
    }  # fmt: skip


# --- rows ---------------------------------------------------------------------------------------------------------


def rows(dice: random.Random, known: World, count: int) -> list[Event]:
    """Make rows of two streams, one of which tells what was cached beside its prompts."""
    ids = [*sorted(known.offers), "direct:bolt/new"]
    return [_row(dice, known, ids, number) for number in range(count)]


def _row(dice: random.Random, known: World, ids: list[str], number: int) -> Event:
    source = dice.choice((INCLUSIVE, INCLUSIVE, EXCLUSIVE))
    at = BEGINS + timedelta(seconds=dice.randrange(int((ENDS - BEGINS).total_seconds())))
    facts: dict[str, Any] = _who(dice, known, dice.choice(ids))
    kind = dice.random()
    counts = _counts(dice, inclusive=source == INCLUSIVE)
    if kind < 0.02:
        at, more = _aggregate(dice, at, counts)
        facts |= more
    elif kind < 0.07:
        facts["outcome"] = dice.choice((Outcome.FAILED, Outcome.GATEWAY_CACHE))
        counts = counts if dice.random() < 0.6 else {}
    elif kind < 0.10:
        facts["service_tier"] = dice.choice(("batch", "batch", "flex"))
    if dice.random() < 0.02:
        facts["rateable"] = False
    if dice.random() < 0.03:
        facts["cache_stated"] = False
        counts = {name: count for name, count in counts.items() if not name.startswith("cache")}
    if dice.random() < 0.1:
        facts["stated_usd"] = Decimal(dice.randrange(10**9)).scaleb(-dice.choice((9, 12, 14)))
        facts["stated_by"] = dice.choice(tuple(StatedBy))
    return Event(
        source=source, id=f"r{number}", at=at, counts=counts, includes_cached=source == INCLUSIVE,
        task=dice.choice((None, *TASKS)), customer=dice.choice((None, *(f"c{n}" for n in range(30)))),
        plan=dice.choice((None, None, None, *PLANS)), project=dice.choice((None, "p1", "p2")),
        request_id=f"{source} {number}" if dice.random() < 0.5 else None, **facts,
    )  # fmt: skip


def _who(dice: random.Random, known: World, id_: str) -> dict[str, Any]:
    """Say who served a row: by an exact id, or by names, now and then with a region."""
    region = dice.choice((None,) * 8 + ("eu", "us"))
    offer = known.offers.get(id_)
    if offer is None or offer.region is not None or dice.random() < 0.5:
        return {"offer": id_, "region": region}
    return {"channel": offer.channel, "provider": offer.provider, "model": offer.model, "region": region}


def _counts(dice: random.Random, *, inclusive: bool) -> dict[str, int]:
    text, read = dice.randrange(12_000), dice.choice((0, 0, dice.randrange(20_000), 250_000))
    write, hour = dice.choice((0, 0, dice.randrange(3_000))), dice.choice((0, 0, 0, dice.randrange(900)))
    audio, thought = dice.choice((0,) * 9 + (500,)), dice.choice((0, 0, dice.randrange(900)))
    # Some say how much was written for how long, some how much in all, of which a part for an hour.
    written = write + hour
    lifetimes = {"cache_write_5m_tokens": write} if dice.random() < 0.5 else {"cache_write_tokens": written}
    counts = {
        "input_tokens": text + audio + (read + written if inclusive else 0), "cache_read_tokens": read, **lifetimes,
        "cache_write_1h_tokens": hour, "input_audio_tokens": audio,
        "output_tokens": thought + dice.randrange(2_000), "reasoning_tokens": thought,
        "web_searches": dice.choice((0,) * 12 + (2,)),
    }  # fmt: skip
    return {name: count for name, count in counts.items() if count}


def _aggregate(dice: random.Random, at: datetime, counts: dict[str, int]) -> tuple[datetime, dict[str, Any]]:
    """Make many requests of one: those of an hour, a day, a week or a month; some say how long prompts were."""
    times = dice.choice((3, 40, 900))
    for name in counts:
        counts[name] *= times
    counts["requests"] = times
    length = dice.choice((HOUR, DAY, DAY, DAY, 7 * DAY, 31 * DAY))
    start = at.replace(minute=0, second=0) if length == HOUR else at.replace(hour=0, minute=0, second=0)
    window = dice.choice((None, (0, 199_999), (200_000, MTOK)))
    if window is None or (window[0] and counts.get("input_tokens", 0) < 200_000 * times):
        return start, {"until": start + length}
    return start, {"until": start + length, "prompt_min": window[0], "prompt_max": window[1]}
