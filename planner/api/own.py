"""Offers nobody lists, and prices only you get, as people enter them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.responses import Response

from planner.api.asked import Capability, KindName, Moment
from planner.api.body import Count, Name, body_of, described
from planner.api.desk import DecisionIn
from planner.api.guard import GuardedRoute, now_of
from planner.api.problem import documented
from planner.api.shapes import Shape
from planner.api.writing import actor_of, written
from planner.core import errors
from planner.core.offer import Kind, OfferFacts
from planner.core.rate_form import read_rates
from planner.flows import own_offer
from planner.store.engine import Connection

router = APIRouter(prefix="/v1", tags=["admin"], route_class=GuardedRoute)

_REFUSALS = documented(errors.NotFound, errors.Conflict, errors.Changed)


class OwnOfferIn(DecisionIn):
    """An offer nobody lists: a model you run yourself, or a price only you get.

    Rates null end its price, now or at `valid_from`; what was entered for later is taken back with it.
    Every `usd` of its rates is in the offer's `currency`; another one than USD becomes dollars at the exchange rate
    (`/v1/fx`) of the day the price begins, and stays what it became.
    """

    channel: Name = "self-hosted"
    provider: Name
    model_spelling: Name
    model: Name | None = None
    region: Name | None = None
    kind: KindName = "chat"
    rates: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=100)] | None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "USD"
    valid_from: Moment | None = None
    capabilities: Annotated[list[Capability], Field(max_length=50)] = Field(default_factory=list)
    context_tokens: Count | None = None
    max_output_tokens: Count | None = None
    source_url: Name

    def own(self) -> own_offer.OwnOffer:
        """Return the offer in core terms.

        Raises:
            InvalidInput: a rate that cannot be read.
        """
        return own_offer.OwnOffer(
            facts=OfferFacts(
                model_spelling=self.model_spelling,
                provider=self.provider,
                channel=self.channel,
                region=self.region,
                kind=Kind(self.kind),
                capabilities=dict.fromkeys(self.capabilities, True),
                context_tokens=self.context_tokens,
                max_output_tokens=self.max_output_tokens,
            ),
            model=self.model,
            rates=None if self.rates is None else read_rates(self.rates),
            valid_from=self.valid_from,
            source_url=self.source_url,
            currency=self.currency,
        )


_OWN = {
    "provider": "our-gpus", "model_spelling": "llama-3.3-70b", "model": "meta-llama/llama-3.3-70b-instruct",
    "rates": [
        {"unit": "input_token", "usd": "0.4", "per": 1_000_000},
        {"unit": "output_token", "usd": "0.4", "per": 1_000_000},
    ],
    "context_tokens": 131_072, "source_url": "https://wiki.example.com/gpu-costs", "reason": "allocation of October",
}  # fmt: skip


@router.post("/offers", responses=_REFUSALS, openapi_extra=described(OwnOfferIn, _OWN))
def post_offer(request: Request, body: Annotated[OwnOfferIn, Depends(body_of(OwnOfferIn))]) -> Response:
    """Enter an offer nobody lists, or its new price. Its terms are unknown until an admin enters them."""
    at, bounds = now_of(request), request.app.state.bounds
    own = body.own()

    def story(connection: Connection) -> Shape:
        done = own_offer.set_offer(connection, own, at=at, actor=actor_of(request), reason=body.reason, bounds=bounds)
        return done._asdict()

    return written(request, body.model_dump(mode="json"), story)
