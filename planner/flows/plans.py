"""After a publication: what every stored plan and task would be told now, and whom that moves."""

from datetime import datetime
from decimal import Decimal

from planner.core.ask import Answer
from planner.core.catalogue import Catalogue
from planner.core.errors import NoAnswer
from planner.core.money import ratio_text, usd_text
from planner.core.plan import Plan, Task
from planner.core.snapshot import Snapshot, compile_catalogue
from planner.flows.answer import plan_ask
from planner.store import alerts, plan_states
from planner.store import plans as stored
from planner.store.engine import Connection
from planner.store.load import load_catalogue
from planner.store.plan_states import PlanState

ANSWERED = "answered"


def review(connection: Connection, at: datetime, plan: str | None = None) -> int:
    """Ask the main question for every plan and task, in the transaction that moved something, and alert about changes.

    Args:
        connection: the transaction, with what it wrote.
        at: the present.
        plan: the one that is asked for, where nothing else can have moved; it may be gone.

    Returns:
        How many alerts were written. Of a plan that is asked for the first time only a refusal is news.
    """
    moved = [id_ for id_ in stored.load(connection) if plan in (None, id_)]
    if not moved:
        plan_states.save(connection, {}, 0, plan)
        return 0
    catalogue = load_catalogue(connection, at=at)
    snapshot = compile_catalogue(catalogue)
    before = plan_states.load(connection)
    found = {
        (id_, task.id): _state(catalogue, snapshot, catalogue.plans[id_], task, at)
        for id_ in moved
        for task in catalogue.plans[id_].tasks
    }
    plan_states.save(connection, found, catalogue.revision, plan)
    count = 0
    for key, now in found.items():
        was = before.get(key, PlanState(ANSWERED, now.offer))
        kind = _kind(was, now)
        if kind is not None:
            facts = {
                "before": was.offer, "after": now.offer, "before_cost_usd": was.cost_usd,
                "after_cost_usd": now.cost_usd, "before_margin": was.margin, "after_margin": now.margin,
                "verdict": now.verdict,
            }  # fmt: skip
            alerts.add(connection, at, kind, "/".join(key), facts, catalogue.revision)
            count += 1
    return count


def _state(catalogue: Catalogue, snapshot: Snapshot, plan: Plan, task: Task, at: datetime) -> PlanState:
    try:
        ask = plan_ask(catalogue, plan, task, at)
        answer: Answer = snapshot.recommend(ask)
    except NoAnswer as error:
        return PlanState(error.code)
    pick = answer.choice
    margin = ask.margin_at(pick.cost_usd)
    return PlanState(ANSWERED, pick.offer.id, usd_text(pick.cost_usd), None if margin is None else ratio_text(margin))


def _kind(was: PlanState, now: PlanState) -> str | None:
    if was.verdict == ANSWERED and now.verdict == "margin_unreachable":
        return "plan_under_margin"
    if was.verdict == ANSWERED and now.verdict != ANSWERED:
        return "plan_without_offer"
    if was.verdict != now.verdict or was.offer == now.offer:
        return None
    cheaper = was.cost_usd is not None and now.cost_usd is not None and Decimal(now.cost_usd) < Decimal(was.cost_usd)
    return "cheaper_offer" if cheaper else "plan_moved"
