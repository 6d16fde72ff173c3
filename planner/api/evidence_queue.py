"""Which evidence to read next, over HTTP: whose terms are missing or about to end, the dearest first."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from planner.api.figures import usd
from planner.api.guard import GuardedRoute, now_of, view_of
from planner.api.pages import Cursor, Limit, cursor_of, read_cursor
from planner.api.problem import documented
from planner.api.shapes import Shape, standing_shape
from planner.core import errors
from planner.core.money import usd_text
from planner.core.terms_form import FACTS
from planner.core.terms_queue import EXPIRING, Effect, Entry
from planner.flows.evidence_queue import Queue, evidence_queue
from planner.store import terms
from planner.store.json_text import time_text

router = APIRouter(prefix="/v1", tags=["admin"], route_class=GuardedRoute)

MODELS_SHOWN = 50
_NO_PLAN = "no plan is stored: models are compared, one request of each"


def entry_shape(entry: Entry, *, plans: bool) -> Shape:
    """Write one subject; ``plans`` tells whether stored plans were asked, or models for the reference request.

    Of a row that is about to end the amounts are what losing it costs, otherwise what the evidence would save.
    """
    what = "costs" if entry.kind == EXPIRING else "saves"
    amounts: dict[str, str | None] = {
        f"{name}_usd_per_{per}": None for name in ("saves", "costs") for per in ("period", "request")
    }
    said = None if entry.unpriced and entry.unpriced == len(entry.effects) else usd_text(entry.usd)
    amounts[f"{what}_usd_per_{'period' if plans else 'request'}"] = said
    effects = sorted(entry.effects, key=lambda effect: (effect.usd is not None, -(effect.usd or 0)))
    place = [*FACTS].index
    return {
        "subject_kind": entry.subject[0],
        "subject": entry.subject[1],
        "kind": entry.kind,
        "facts": [
            {"fact": fact, "why": entry.facts[fact]}
            for fact in sorted(entry.facts, key=lambda fact: place(fact) if fact in FACTS else len(FACTS))
        ],
        "expires_at": time_text(entry.expires_at),
        "offers": entry.offers,
        **amounts,
        "reason": _reason(entry, plans=plans),
        "plans": [_effect_shape(effect) for effect in effects] if plans else [],
        "models": [] if plans else [_effect_shape(effect) for effect in effects[:MODELS_SHOWN]],
        "affected": len(effects),
    }


def _effect_shape(effect: Effect) -> Shape:
    question, amount = effect.question, usd(effect.usd)
    if question.model is not None:
        return {"model": question.model, "offer": effect.offer, "usd_per_request": amount}
    return {"plan": question.plan, "task": question.task, "offer": effect.offer, "usd_per_period": amount}


def _reason(entry: Entry, *, plans: bool) -> str | None:
    """Say why an amount is missing, or is not all there is to say."""
    said = [] if plans else [_NO_PLAN]
    if entry.unpriced:
        whose = "plans and tasks" if plans else "models"
        verb = "lose their last" if entry.kind == EXPIRING else "get their first"
        said.append(f"{entry.unpriced} {whose} would {verb} compliant offer: no amount says that")
    return "; ".join(said) or None


def queue_shape(found: Queue) -> Shape:
    """Write what was asked: under which policies, and the reference request where no plan is stored."""
    usage = found.usage
    return {
        "policies": found.policies,
        "usage": None
        if usage is None
        else {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, "requests": usage.requests},
        "unasked": [{"plan": plan, "task": task, "code": code} for (plan, task), code in found.unasked.items()],
    }


@router.get("/terms/queue", responses=documented(errors.UnknownPolicy))
def get_queue(
    request: Request,
    policy: Annotated[str | None, Query(max_length=63, description="asked instead of each plan's own")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List whose evidence is missing or about to end, by what it would save or cost every stored plan.

    Without plans every model is asked for, one request of 3,000 tokens in and 1,000 out, under the default policy.
    """
    begin = int(read_cursor(cursor, r"\d{1,6}") or 0)
    view, at = view_of(request), now_of(request)
    with request.app.state.store.read() as connection:
        unsaid = terms.unsaid(connection)
    found = evidence_queue(view.catalogue, view.snapshot, unsaid, policy, request.app.state.default_policy, at)
    end = begin + limit
    shown = found.entries[begin:end]
    return {
        "items": [entry_shape(entry, plans=found.usage is None) for entry in shown],
        "next_cursor": cursor_of(str(end)) if end < len(found.entries) else None,
        **queue_shape(found),
        **standing_shape(view, at),
    }
