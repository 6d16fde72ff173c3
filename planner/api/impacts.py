"""What a policy would change before it is published, and what each of its rules costs."""

from fractions import Fraction
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field

from planner.api.body import Sent, body_of, described
from planner.api.figures import ratio, usd
from planner.api.guard import GuardedRoute, now_of, view_of
from planner.api.problem import documented
from planner.api.shapes import Shape, policy_shape, standing_shape
from planner.core import errors
from planner.core.errors import NotFound
from planner.core.money import ratio_text, usd_text
from planner.core.privacy_price import RulePrice
from planner.core.usage import Usage
from planner.flows import policy as flow
from planner.flows.preview import PlanMove, Preview, Priced, Told, preview_policy, privacy_price

router = APIRouter(prefix="/v1", tags=["admin"], route_class=GuardedRoute)

_REFUSALS = documented(errors.NotFound, errors.UnknownPolicy)
_PolicyName = Annotated[str, Path(max_length=63, description="name of a policy")]
SHOWN = 200
_Tokens = Annotated[int, Query(ge=0, le=10_000_000, description="tokens of one request")]


class PreviewIn(Sent):
    """Rules to look at; without any, those of the draft."""

    title: Annotated[str, Field(max_length=200)] = ""
    rules: dict[str, Any] | None = None


def told_shape(told: Told) -> Shape:
    """Write what a plan and task is told."""
    return {
        "offer": told.offer,
        "cost_usd": usd(told.cost_usd),
        "cost_usd_per_period": usd(told.cost_usd_per_period),
        "refusal": told.refusal,
    }


def move_shape(move: PlanMove) -> Shape:
    """Write what a plan and task is told before and after."""
    return {
        "plan": move.plan,
        "task": move.task,
        "moved": move.moved,
        "before": told_shape(move.before),
        "after": told_shape(move.after),
        "delta_usd": usd(move.delta_usd),
        "says": move_sentence(move),
    }


def signed(amount: Fraction) -> str:
    """Write an amount in USD with its sign."""
    return f"{'-' if amount < 0 else '+'}${usd_text(abs(amount))}"


def move_sentence(move: PlanMove) -> str:
    """Say how a plan and task moves."""
    name = f"plan {move.plan}, task {move.task}"
    if move.after.offer is None:
        before = "" if move.before.offer is None else f" (it was {move.before.offer})"
        return f"{name} has no compliant offer left{before}: {move.after.refusal}"
    if move.before.offer is None:
        return f"{name} gets {move.after.offer} at ${usd_text(move.after.cost_usd or Fraction())} a request"
    if not move.moved:
        return f"{name} stays at {move.after.offer}"
    delta = signed(move.delta_usd or Fraction())
    return f"{name} moves from {move.before.offer} to {move.after.offer} at {delta} a request"


def preview_shape(name: str, preview: Preview) -> Shape:
    """Write what publishing would change; of long lists the first are shown, all are counted."""
    moved = [move for move in preview.plans if move.moved]
    sentences = [f"{len(preview.leave)} offers leave, {len(preview.join)} join, {preview.stay} stay"]
    return {
        "policy": name,
        "widens": preview.widens,
        "leave": len(preview.leave),
        "join": len(preview.join),
        "stay": preview.stay,
        "leaving": [{"offer": offer, "codes": list(codes)} for offer, codes in list(preview.leave.items())[:SHOWN]],
        "joining": list(preview.join[:SHOWN]),
        "plans": [move_shape(move) for move in preview.plans],
        "says": "; ".join([*sentences, *(move_sentence(move) for move in moved)]),
    }


_PREVIEW = {"rules": {"deny_training": True, "require_zdr": True}}


@router.post("/policies/{name}/preview", responses=_REFUSALS, openapi_extra=described(PreviewIn, _PREVIEW))
def post_preview(
    request: Request, name: _PolicyName, body: Annotated[PreviewIn, Depends(body_of(PreviewIn))]
) -> dict[str, Any]:
    """Return what publishing these rules, or the draft, would change; nothing is saved."""
    view, at = view_of(request), now_of(request)
    title, rules = body.title, body.rules
    with request.app.state.store.read() as connection:
        if rules is None:
            document = flow.draft_of(connection, name).document
            title, rules = document["title"], document["rules"]
        flow.checked(connection, name, title, rules)
    preview = preview_policy(view.catalogue, view.snapshot, name, title, rules, at)
    return {**preview_shape(name, preview), **standing_shape(view, at)}


def rule_shape(priced: Priced) -> Shape:
    """Write what one rule costs, over models and for every plan and task."""
    models = priced.models
    return {
        "policy": priced.variant.part,
        "rule": priced.variant.rule,
        "models_compared": models.compared,
        "models_dearer": len(models.dearer),
        "models_unavailable": list(models.unavailable),
        "mean_usd_per_request": usd(models.mean_usd),
        "mean_share": ratio(models.mean_share),
        "dearer": [
            {"model": model, "with_usd": usd_text(under), "without_usd": usd_text(without),
             "delta_usd": usd_text(under - without), "share": ratio_text(under / without - 1) if without else None}
            for model, under, without in models.dearer[:SHOWN]
        ],
        "plans": [move_shape(move) for move in priced.plans],
        "says": rule_sentence(priced.variant.rule, models),
    }  # fmt: skip


def rule_sentence(rule: str, models: RulePrice) -> str:
    """Say what a rule costs."""
    if models.mean_usd is None:
        return f"{rule}: no model may be used with it; {len(models.unavailable)} models unavailable"
    share = (
        "" if models.mean_share is None else f", {'+' if models.mean_share >= 0 else ''}{percent(models.mean_share)} %"
    )
    return f"{rule}: {signed(models.mean_usd)}/request{share}; {len(models.unavailable)} models unavailable"


def percent(share: Fraction) -> str:
    """Write a share in percent, to one place."""
    return f"{float(share * 100):.1f}"


@router.get("/policies/{name}/price", responses=_REFUSALS)
def get_price(
    request: Request,
    name: _PolicyName,
    input_tokens: _Tokens = 3_000,
    output_tokens: _Tokens = 1_000,
    cache_read_tokens: _Tokens = 0,
) -> dict[str, Any]:
    """Return what each rule of a policy costs: the same questions solved again without it, by model and by plan."""
    view, at = view_of(request), now_of(request)
    if name not in view.catalogue.policies:
        raise NotFound("policy", name)
    usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens, cache_read_tokens=cache_read_tokens)
    policy, found = privacy_price(view.catalogue, view.snapshot, name, usage, at)
    asked = {"input_tokens": input_tokens, "output_tokens": output_tokens, "cache_read_tokens": cache_read_tokens}
    return {"items": [rule_shape(priced) for priced in found], "usage": asked, **policy_shape(policy),
            "next_cursor": None, **standing_shape(view, at)}  # fmt: skip
