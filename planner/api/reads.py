"""Catalogue reads: models, providers, offers with prices and terms, price changes, tiers."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BeforeValidator

from planner.api.asked import moment
from planner.api.guard import ReadRoute, granted, known_view, now_of, view_of
from planner.api.pages import Cursor, Limit, cursor_of, page, read_cursor
from planner.api.problem import documented
from planner.api.shapes import (
    Shape,
    card_shape,
    change_shape,
    effective_terms_shape,
    offer_shape,
    standing_shape,
    terms_shape,
    tier_shape,
)
from planner.core import errors
from planner.core.errors import InvalidInput, NotFound
from planner.core.money import parse_decimal, plain
from planner.core.offer import Offer
from planner.core.price import PriceCard
from planner.core.units import Unit
from planner.flows import answer as flow
from planner.flows import history
from planner.flows.current import View
from planner.store.json_text import time_text

router = APIRouter(prefix="/v1", tags=["catalogue"], route_class=ReadRoute)

_REFUSALS = documented(errors.NotFound)
_Text = Annotated[str | None, Query(max_length=400)]
_At = Annotated[datetime | None, BeforeValidator(moment), Query(description="RFC 3339 time with an offset")]
_Known = Annotated[
    datetime | None, BeforeValidator(moment), Query(description="answer with what was known then, RFC 3339 with offset")
]
_OfferId = Annotated[str, Query(min_length=1, max_length=400, description="the exact id of an offer")]


@router.get("/models", responses=_REFUSALS)
def get_models(request: Request, limit: Limit = 100, cursor: Cursor = None, known_at: _Known = None) -> dict[str, Any]:
    """List canonical models with their tier and how many offers serve them."""
    view, now = known_view(request, known_at)
    served = flow.count_served(view.catalogue)
    rows = [
        (id_, lambda id_=id_: _model(view, id_, served.get(id_, 0), now)) for id_ in sorted(view.catalogue.model_ids)
    ]
    return page(rows, limit, cursor, standing_shape(view, now))


@router.get("/models/{id:path}", responses=_REFUSALS)
def get_model(
    request: Request,
    id: str,
    at: _At = None,
    known_at: _Known = None,
) -> dict[str, Any]:
    """Return one canonical model and the ids of the offers that serve it."""
    view, now = known_view(request, known_at)
    if id not in view.catalogue.model_ids:
        raise NotFound("model", id)
    offers = [offer.id for offer in view.catalogue.offers if offer.model == id]
    shape = _model(view, id, len(offers), at or now)
    return {**shape, "offer_ids": offers, **standing_shape(view, now, at)}


def _model(view: View, model: str, offers: int, now: datetime) -> Shape:
    facts = view.catalogue.models.get(model)
    label = view.snapshot.labels(now).get(model)
    return {
        "model": model,
        "name": model if facts is None else facts.name,
        "author": model.partition("/")[0] if facts is None else facts.author,
        "open_weights": None if facts is None else facts.open_weights,
        "released": None if facts is None or facts.released is None else facts.released.isoformat(),
        "offers": offers,
        "tier": None if label is None else label.tier,
        "label": None if label is None else tier_shape(label),
    }


@router.get("/providers", responses=_REFUSALS)
def get_providers(
    request: Request, limit: Limit = 100, cursor: Cursor = None, known_at: _Known = None
) -> dict[str, Any]:
    """List known providers and brokers with the rows of evidence about their terms."""
    view, now = known_view(request, known_at)
    rows = [(id_, lambda id_=id_: _provider(view, id_)) for id_ in sorted(view.catalogue.providers)]
    return page(rows, limit, cursor, standing_shape(view, now))


@router.get("/providers/{id}", responses=_REFUSALS)
def get_provider(request: Request, id: str, known_at: _Known = None) -> dict[str, Any]:
    """Return one provider with the rows of evidence about its terms."""
    view, now = known_view(request, known_at)
    if id not in view.catalogue.providers:
        raise NotFound("provider", id)
    return {**_provider(view, id), **standing_shape(view, now)}


def _provider(view: View, provider: str) -> Shape:
    facts = view.catalogue.providers[provider]
    rows = (
        *view.catalogue.terms.get(("provider", provider), ()),
        *view.catalogue.terms.get(("channel", provider), ()),
    )
    return {
        "provider": provider,
        "name": facts.name,
        "kind": facts.kind,
        "headquarters": facts.headquarters,
        "creator_of": sorted(facts.creator_of),
        "upstream": facts.upstream or facts.id,
        "terms": [terms_shape(row) for row in rows],
    }


@router.get("/offers", responses=documented(errors.UnknownPolicy, errors.PolicyNotGranted))
def get_offers(  # one parameter per filter of the contract
    request: Request,
    id: _Text = None,
    model: _Text = None,
    provider: _Text = None,
    channel: _Text = None,
    tier: Annotated[int | None, Query(ge=1, le=9)] = None,
    capability: _Text = None,
    policy: _Text = None,
    input_usd_per_mtok_max: _Text = None,
    output_usd_per_mtok_max: _Text = None,
    priced: Annotated[bool | None, Query()] = None,
    at: _At = None,
    known_at: _Known = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List offers with their price at a moment; every filter is exact."""
    granted(request, policy)
    view, now = known_view(request, known_at)
    catalogue, moment_ = view.catalogue, at or now
    rules = None if policy is None else flow.policy_named(catalogue, policy)
    labels = view.snapshot.labels(moment_)
    ceilings = {
        Unit.INPUT: _ceiling("input_usd_per_mtok_max", input_usd_per_mtok_max),
        Unit.OUTPUT: _ceiling("output_usd_per_mtok_max", output_usd_per_mtok_max),
    }
    wanted = {"provider": provider, "channel": channel}

    def keeps(offer: Offer) -> bool:
        label = labels.get(offer.model or "")
        return (
            (id is None or offer.id == id)
            and (model is None or offer.model == model)
            and all(value is None or getattr(offer.facts, name) == value for name, value in wanted.items())
            and (tier is None or (label is not None and label.tier == tier))
            and (capability is None or offer.facts.capabilities.get(capability) is True)
            and (rules is None or not catalogue.refusals_by(rules, offer, now))
        )

    def shape(offer: Offer, card: PriceCard | None) -> Shape:
        return offer_shape(offer, card, labels.get(offer.model or ""), catalogue.factor(offer, moment_))

    rows, cards = [], []
    for offer in filter(keeps, catalogue.offers):
        card = catalogue.card(offer.id, moment_)
        if (priced is None or priced == (card is not None)) and _within(card, ceilings):
            rows.append((offer.id, lambda offer=offer, card=card: shape(offer, card)))
            cards.append(card)
    return page(rows, limit, cursor, standing_shape(view, now, at, cards))


def _ceiling(name: str, text: str | None) -> Decimal | None:
    return None if text is None else parse_decimal(text, field=name)


def _within(card: PriceCard | None, ceilings: dict[Unit, Decimal | None]) -> bool:
    for unit, ceiling in ceilings.items():
        if ceiling is None:
            continue
        price = None if card is None else card.rates.get(unit)
        if price is None or Decimal(price.base.usd_per_mtok()) > ceiling:
            return False
    return True


# The two reads below also answer under the offer's own path; an id holds slashes, so `?id=` is the easy way.


@router.get("/offers/prices", responses=_REFUSALS)
def get_prices_by_query(  # the contract's parameters
    request: Request,
    id: _OfferId,
    from_: Annotated[datetime | None, BeforeValidator(moment), Query(alias="from")] = None,
    to: _At = None,
    known_at: _At = None,
) -> dict[str, Any]:
    """Return the price history of an offer named by ``?id=``."""
    return _prices(request, id, from_, to, known_at)


@router.get("/offers/terms", responses=_REFUSALS)
def get_terms_by_query(
    request: Request,
    id: _OfferId,
    at: _At = None,
    known_at: _Known = None,
) -> dict[str, Any]:
    """Return the terms of an offer named by ``?id=``."""
    return _terms(request, id, at, known_at)


@router.get("/offers/{id:path}/prices", responses=_REFUSALS)
def get_prices(  # the contract's parameters
    request: Request,
    id: str,
    from_: Annotated[datetime | None, BeforeValidator(moment), Query(alias="from")] = None,
    to: _At = None,
    known_at: _At = None,
) -> dict[str, Any]:
    """Return the price history of an offer: what held when, as known at a moment."""
    return _prices(request, id, from_, to, known_at)


def _prices(
    request: Request, offer_id: str, from_: datetime | None, to: datetime | None, known_at: datetime | None
) -> dict[str, Any]:
    view, now = view_of(request), now_of(request)
    flow.known_offer(view.catalogue, offer_id)
    cards = history.prices(request.app.state.store, offer_id, from_, to, known_at)
    return {
        "offer": offer_id,
        "items": [{**card_shape(card), "known_from": time_text(known)} for card, known in cards],
        "next_cursor": None,
        **standing_shape(view, now, cards=[card for card, _known in cards[-1:]]),
    }


@router.get("/offers/{id:path}/terms", responses=_REFUSALS)
def get_terms(
    request: Request,
    id: str,
    at: _At = None,
    known_at: _Known = None,
) -> dict[str, Any]:
    """Return what is known of an offer's terms at a moment, and every row of evidence behind it."""
    return _terms(request, id, at, known_at)


def _terms(request: Request, offer_id: str, at: datetime | None, known_at: datetime | None) -> dict[str, Any]:
    view, now = known_view(request, known_at)
    catalogue = view.catalogue
    offer = flow.offer_named(catalogue, offer_id)
    facts = offer.facts
    subjects = [("offer", offer.id), ("provider", facts.provider), ("channel", facts.channel)]
    return {
        "offer": offer.id,
        "effective": effective_terms_shape(catalogue.terms_of(offer, at or now)),
        "rows": [terms_shape(row) for subject in subjects for row in catalogue.terms.get(subject, ())],
        **standing_shape(view, now, at),
    }


@router.get("/offers/{id:path}", responses=_REFUSALS)
def get_offer(  # the contract's parameters
    request: Request,
    id: str,
    at: _At = None,
    known_at: _Known = None,
) -> dict[str, Any]:
    """Return one offer with its price at a moment."""
    view, now = known_view(request, known_at)
    catalogue, moment_ = view.catalogue, at or now
    offer = flow.known_offer(catalogue, id)
    label, card = view.snapshot.labels(moment_).get(offer.model or ""), catalogue.card(offer.id, moment_)
    return {
        **offer_shape(offer, card, label, catalogue.factor(offer, moment_)),
        "listed": offer.id not in catalogue.gone,
        **standing_shape(view, now, at, [card]),
    }


@router.get("/price-changes", responses=_REFUSALS)
def get_price_changes(
    request: Request,
    since: Annotated[datetime, BeforeValidator(moment), Query()],
    by: Annotated[
        Literal["valid", "recorded"],
        Query(description="count a change by when its price began or ceased to hold, or by when that was recorded"),
    ] = "valid",
    known_at: _Known = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List the prices that began or ended since a moment, newest first: before, after, and how each rate moved.

    By ``recorded``, also what was cancelled before it began, and what was to end and goes on.
    """
    view, now = view_of(request), now_of(request)
    place = read_cursor(cursor, r"[0-9T:.+-]{19,40} [0-9]{1,18}")
    before = None
    if place is not None:
        try:
            before = (moment(place.split(" ")[0]), int(place.split(" ")[1]))
        except ValueError:
            raise InvalidInput("cursor", "not a cursor of this list") from None
    found = history.price_changes(
        request.app.state.store, since, by_record=by == "recorded", known_at=known_at, before=before, limit=limit + 1
    )
    shown = found[:limit]
    last = shown[-1] if len(found) > limit else None
    return {
        "items": [change_shape(change) for change in shown],
        "next_cursor": None if last is None else cursor_of(f"{last.place[0].isoformat()} {last.place[1]}"),
        **standing_shape(view, now),
    }


@router.get("/tiers", responses=_REFUSALS)
def get_tiers(request: Request, at: _At = None, known_at: _Known = None) -> dict[str, Any]:
    """Return the tier bands and every labelled model at a moment, tier by tier, dearest first."""
    view, now = known_view(request, known_at)
    return tiers_answer(view, at or now, now)


def tiers_answer(view: View, at: datetime, now: datetime) -> Shape:
    """Write the tiers at a moment."""
    labels = sorted(view.snapshot.labels(at).values(), key=lambda label: (-label.output_usd_per_mtok, label.model))
    bands = view.catalogue.tier_bands.in_force(at.date())
    return {
        "bands": [
            {"tier": band.tier, "output_usd_per_mtok_min": plain(band.usd_per_mtok_min)} for band in bands.prices
        ],
        "quality_bands": [
            {"index": band.index, "tier": band.tier, "score_min": plain(band.score_min)} for band in bands.qualities
        ],
        "items": [
            {"tier": tier, "models": [tier_shape(label) for label in labels if label.tier == tier]}
            for tier in sorted({label.tier for label in labels})
        ],
        "at": time_text(at),
        **standing_shape(view, now, at, [view.catalogue.card(label.offer, at) for label in labels]),
    }
