"""Self-host or API over HTTP: what a task's demand costs on rented machines and by the offer it is told to use."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from planner.api.asked import RecommendationIn
from planner.api.body import Count, DecimalText, Sent, UsdText, body_of, described
from planner.api.figures import least
from planner.api.guard import GuardedRoute, granted, known_view
from planner.api.questions import REFUSALS
from planner.api.shapes import Shape, evidence_shape, policy_shape, standing_shape
from planner.core.errors import InvalidInput
from planner.core.money import ceiling_text, ratio_text, usd_text
from planner.core.selfhost import HOURS_PER_MONTH, BreakEven, Hosting, Mix, Point, Speeds, split
from planner.core.tier import MTOK
from planner.flows.blended import Blended
from planner.flows.current import View
from planner.flows.selfhost import Demand, Weighed, Weighing, weigh
from planner.store.json_text import time_text

router = APIRouter(prefix="/v1", tags=["finance"], route_class=GuardedRoute)

CENTS, MTOK_PLACES = 2, 6
VOLUMES_MAX = 100


class HardwareIn(Sent):
    """What a replica of the model runs on; USD per GPU and hour, tokens per second of one replica.

    ``tokens_per_second`` counts input and output at the workload's own mix; instead of it,
    ``prefill_tokens_per_second`` and ``decode_tokens_per_second`` say how fast a replica reads and writes when it does
    nothing else.
    ``utilisation_max`` is how busy replicas may be at peak. What only the peak needs may be rented at
    ``on_demand_gpu_hourly_usd`` for ``peak_hours_per_month``.
    """

    gpu_hourly_usd: UsdText
    gpus_per_replica: Annotated[int, Field(ge=1, le=100_000)] = 1
    tokens_per_second: UsdText | None = None
    prefill_tokens_per_second: UsdText | None = None
    decode_tokens_per_second: UsdText | None = None
    utilisation_max: DecimalText = Decimal("0.70")
    ops_usd_per_month: UsdText = Decimal(0)
    variable_usd_per_mtok: UsdText = Decimal(0)
    on_demand_gpu_hourly_usd: UsdText | None = None
    peak_hours_per_month: UsdText | None = None

    def speeds(self) -> Speeds | None:
        """Return how fast a replica reads and writes, where that is how its speed is stated.

        Raises:
            InvalidInput: neither way is stated in full, or both are.
        """
        prefill, decode = self.prefill_tokens_per_second, self.decode_tokens_per_second
        if (prefill is None) != (decode is None) or (prefill is None) == (self.tokens_per_second is None):
            raise InvalidInput("hardware.tokens_per_second", "either it, or prefill and decode speeds are needed")
        if prefill is None or decode is None:
            return None
        if not prefill or not decode:
            raise InvalidInput("hardware.prefill_tokens_per_second", "above 0 is needed, of both speeds")
        return Speeds(Fraction(prefill), Fraction(decode))

    def hosting(self, mix: Mix) -> Hosting:
        """Return a replica for requests of a mix.

        Raises:
            InvalidInput: machines nobody can rent.
        """
        speeds = self.speeds()
        speed = Fraction(self.tokens_per_second or 0) if speeds is None else speeds.tokens_per_second(mix)
        hourly, hours = self.on_demand_gpu_hourly_usd, self.peak_hours_per_month
        try:
            return Hosting(
                gpu_hourly_usd=Fraction(self.gpu_hourly_usd),
                tokens_per_second=speed,
                gpus_per_replica=self.gpus_per_replica,
                utilisation_max=Fraction(self.utilisation_max),
                ops_usd_per_month=Fraction(self.ops_usd_per_month),
                variable_usd_per_mtok=Fraction(self.variable_usd_per_mtok),
                on_demand_gpu_hourly_usd=None if hourly is None else Fraction(hourly),
                peak_hours_per_month=None if hours is None else Fraction(hours),
            )
        except InvalidInput as error:
            raise InvalidInput(f"hardware.{error.field}", error.problem) from None


class DemandIn(Sent):
    """How many customers, per which period, and the peak load over the mean load.

    Of a stored plan, ``customers`` are its subscribers unless given, and the period is its own.
    """

    customers: Count | None = None
    period: Literal["day", "week", "month", "quarter", "year"] | None = None
    peak_to_mean: DecimalText = Decimal(1)

    def demand(self) -> Demand:
        """Return the demand in core terms.

        Raises:
            InvalidInput: a peak below the mean.
        """
        if self.peak_to_mean < 1:
            raise InvalidInput("demand.peak_to_mean", "at least 1 is needed: no peak lies below the mean")
        return Demand(customers=self.customers, period=self.period, peak_to_mean=Fraction(self.peak_to_mean))


class ReasonsIn(Sent):
    """The three reasons to host a model yourself: start with APIs unless one of them holds.

    ``privacy_required``: prompts should not leave machines you control. ``fine_tuned_model``: the task needs weights of
    your own. ``fixed_workload``: the volume is known and steady for months.
    """

    privacy_required: bool = False
    fine_tuned_model: bool = False
    fixed_workload: bool = False


class SelfHostIn(RecommendationIn):
    """The main question, the machines, the demand, and the reasons; the API's side is the answer to the question."""

    hardware: HardwareIn
    demand: DemandIn = DemandIn()
    reasons: ReasonsIn = ReasonsIn()
    volumes_mtok: Annotated[list[UsdText], Field(max_length=VOLUMES_MAX)] = Field(default_factory=list)

    def weighing(self) -> Weighing:
        """Return the whole question in core terms."""
        self.hardware.speeds()
        return Weighing(
            question=self.question(),
            demand=self.demand.demand(),
            hosting=self.hardware.hosting,
            volumes_tokens=[Fraction(volume) * MTOK for volume in self.volumes_mtok],
            **self.reasons.model_dump(),
        )


_EXAMPLE: dict[str, Any] = {
    "workload": {"input_tokens": 2600, "cache_read_tokens": 1200, "output_tokens": 450, "requests_per_period": 900},
    "policy": "no-training",
    "hardware": {"gpu_hourly_usd": "2.50", "tokens_per_second": "2400", "ops_usd_per_month": "500"},
    "demand": {"customers": 1000, "period": "month", "peak_to_mean": "3"},
    "reasons": {"fixed_workload": True},
}


@router.post("/self-host", responses=REFUSALS, openapi_extra=described(SelfHostIn, _EXAMPLE))
def post_self_host(request: Request, body: Annotated[SelfHostIn, Depends(body_of(SelfHostIn))]) -> dict[str, Any]:
    """Compare renting machines with the recommended offer: cost per million tokens, break-even, replicas, a verdict."""
    granted(request, body.policy)
    view, now = known_view(request, body.known_at)
    return self_host_answer(view, body, request.app.state.default_policy, now)


def self_host_answer(view: View, body: SelfHostIn, default_policy: str, now: datetime) -> Shape:
    """Answer from one view, in the written form."""
    found = weigh(view, body.weighing(), default_policy, now)
    cards = [] if found.api is None else [found.api.pick.card]
    return {
        **weighed_shape(found, body.hardware.speeds()),
        **policy_shape(found.ask.policy),
        "at": time_text(found.ask.at),
        **standing_shape(view, now, found.ask.at, cards),
    }


def weighed_shape(found: Weighed, speeds: Speeds | None) -> Shape:
    """Write the verdict and everything it rests on; prices are rounded up, capacities down."""
    return {
        "verdict": found.verdict,
        "reasons": [reason._asdict() for reason in found.reasons],
        "api": None if found.api is None else _api_shape(found.api, found),
        "demand": _demand_shape(found),
        "self_host": _self_host_shape(found, speeds),
        "break_even": None if found.break_even is None else _break_even_shape(found.break_even),
        "curve": [_point_shape(point) for point in found.curve],
        "assumptions": assumptions(found, speeds),
    }


def _api_shape(api: Blended, found: Weighed) -> Shape:
    facts = api.pick.offer.facts
    return {
        "offer": api.pick.offer.id,
        "model": api.pick.offer.model,
        "provider": facts.provider,
        "channel": facts.channel,
        "cost_usd": usd_text(api.pick.cost_usd),
        "usd_per_mtok": _mtok(api.usd_per_token * MTOK),
        "usd_per_month": ceiling_text(api.usd_per_token * found.tokens_per_month, CENTS),
        "margin_kept": api.margin_kept,
        "price_version": api.pick.card.id,
        "evidence": evidence_shape(api.pick.card),
    }


def _demand_shape(found: Weighed) -> Shape:
    return {
        "customers": found.customers,
        "period": found.period,
        "input_tokens_per_request": usd_text(found.mix.input_tokens),
        "output_tokens_per_request": usd_text(found.mix.output_tokens),
        "tokens_per_month": ceil(found.tokens_per_month),
        "peak_to_mean": usd_text(found.peak_to_mean),
    }


def _self_host_shape(found: Weighed, speeds: Speeds | None) -> Shape:
    hosting, chosen, price = found.hosting, found.fleet, found.usd_per_mtok
    parts = None if price is None else split(price, found.mix, speeds)
    rent = found.rent_usd_per_mtok
    return {
        "usd_per_mtok": None if price is None else _mtok(price),
        "usd_per_mtok_at_utilisation_max": _mtok(found.usd_per_mtok_at_utilisation_max),
        "rent_usd_per_mtok": None if rent is None else _mtok(rent),
        "rent_usd_per_mtok_at_utilisation_max": _mtok(hosting.usd_per_mtok(hosting.utilisation_max)),
        "input_usd_per_mtok": None if parts is None else _mtok(parts.input_usd_per_mtok),
        "output_usd_per_mtok": None if parts is None else _mtok(parts.output_usd_per_mtok),
        "split_by": "time" if speeds is not None else "assumed_ratio",
        "usd_per_month": ceiling_text(chosen.usd_per_month, CENTS),
        "replicas": chosen.replicas,
        "replicas_on_demand": chosen.on_demand,
        "gpus": chosen.replicas * hosting.gpus_per_replica,
        "tokens_per_second": ratio_text(hosting.tokens_per_second, CENTS),
        "capacity_tokens_per_month": floor(chosen.capacity_tokens),
        "utilisation": ratio_text(chosen.utilisation),
        "utilisation_max": ratio_text(hosting.utilisation_max),
    }


def _mtok(usd: Fraction) -> str:
    return ceiling_text(usd, MTOK_PLACES)


def _break_even_shape(even: BreakEven) -> Shape:
    return {
        "tokens_per_month": ceil(even.tokens),
        "replicas": even.replicas,
        "capacity_tokens_per_month": floor(even.capacity_tokens),
        "share_of_capacity": ratio_text(even.required_utilisation),
        "required_utilisation": ratio_text(even.required_utilisation),
        "reachable_utilisation": ratio_text(even.reachable_utilisation),
        "feasible": even.feasible,
    }


def _point_shape(point: Point) -> Shape:
    there = point.api_usd_per_month
    return {
        "tokens_per_month": ceil(point.tokens),
        "replicas": point.fleet.replicas,
        "utilisation": ratio_text(point.fleet.utilisation),
        "self_host_usd_per_month": ceiling_text(point.fleet.usd_per_month, CENTS),
        "api_usd_per_month": least(there, CENTS),
        "cheaper": None if there is None else "self_host" if point.fleet.usd_per_month <= there else "api",
    }


def assumptions(found: Weighed, speeds: Speeds | None) -> list[str]:
    """Say in sentences what the figures take for granted."""
    hosting, habits = found.hosting, found.ask.workload.habits
    model = None if found.api is None else found.api.pick.offer.model
    said = [
        f"a month has {HOURS_PER_MONTH} hours, and rent is paid for all of them, busy or idle",
        "tokens are counted in and out, cached prompts included; the API's price is blended at the same mix",
        f"replicas come whole, none is spare, and a peak keeps {ratio_text(hosting.utilisation_max, 2)} of them busy",
        f"the model you would host does the task as well as {model or 'the recommended offer'}, at the stated speed",
    ]
    if found.break_even is not None:
        said.append("the break-even takes every replica for the whole month, at a load of the stated shape")
    if speeds is None:
        said.append("an output token is taken to cost 2.5 times an input token, since only their joint speed is stated")
    else:
        said.append("input and output share the cost by the seconds a replica would take for each alone")
    if hosting.on_demand_gpu_hourly_usd is not None:
        said.append("a peak that lasts the stated hours; at all others the load is what is left of the mean")
    if habits.failed_share:
        said.append("the API's price includes failed attempts that are billed; on your own machines none is counted")
    return said
