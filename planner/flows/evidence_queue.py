"""The queue of evidence to read: every stored plan asked again as if it were there, or, without plans, every model."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from planner.core.ask import Ask
from planner.core.catalogue import Catalogue
from planner.core.errors import NoAnswer
from planner.core.plan import Needs
from planner.core.policy import Policy, all_of
from planner.core.ranking import Ranked
from planner.core.snapshot import Snapshot
from planner.core.terms_queue import Entry, Question, queue
from planner.core.usage import Usage
from planner.core.workload import Workload
from planner.flows.answer import plan_ask, policy_named

REFERENCE = Usage(input_tokens=3_000, output_tokens=1_000)
"""The request whose cost is compared, model by model, where no plan is stored."""
_ANY_TERMS = all_of("any terms", 0)


@dataclass(frozen=True, slots=True)
class Queue:
    """What to read, dearest first, for which policies; ``usage`` is the reference request, None where plans were asked.

    ``unasked`` are the plans and tasks that cannot be asked, with the code of the refusal.
    """

    entries: list[Entry]
    policies: list[str]
    usage: Usage | None
    unasked: dict[tuple[str, str], str]


def evidence_queue(
    catalogue: Catalogue, snapshot: Snapshot, unsaid: frozenset[str], policy: str | None, default: str, at: datetime
) -> Queue:
    """Return whose evidence to read next; ``policy`` is asked instead of each plan's own, or of the default one.

    Raises:
        UnknownPolicy: no policy has this name.
    """
    named = None if policy is None else policy_named(catalogue, policy)
    unasked: dict[tuple[str, str], str] = {}
    if catalogue.plans:
        questions = [*_of_plans(catalogue, snapshot, named, at, unasked)]
    else:
        questions = [*_of_models(snapshot, named or policy_named(catalogue, default), at)]
    return Queue(
        entries=queue(catalogue, questions, unsaid, at),
        policies=sorted({question.policy.name for question in questions}),
        usage=None if catalogue.plans else REFERENCE,
        unasked=unasked,
    )


def _of_plans(
    catalogue: Catalogue, snapshot: Snapshot, policy: Policy | None, at: datetime, unasked: dict[tuple[str, str], str]
) -> Iterator[Question]:
    for plan in catalogue.plans.values():
        for task in plan.tasks:
            try:
                ask = plan_ask(catalogue, plan, task, at)
                ranked = snapshot.rank(replace(ask, policy=_ANY_TERMS))
            except NoAnswer as error:
                unasked[plan.id, task.id] = error.code
                continue
            yield Question(
                plan=plan.id, task=task.id, policy=policy or ask.policy, ranked=ranked,
                requests_per_period=ask.workload.requests_per_period,
            )  # fmt: skip


def _of_models(snapshot: Snapshot, policy: Policy, at: datetime) -> Iterator[Question]:
    ask = Ask(workload=Workload.of(REFERENCE), policy=_ANY_TERMS, needs=Needs(), at=at, decided_at=at)
    by_model: dict[str, list[Ranked]] = {}
    for ranked in snapshot.rank(ask):
        if ranked.offer.model is not None:
            by_model.setdefault(ranked.offer.model, []).append(ranked)
    for model, offers in by_model.items():
        yield Question(model=model, policy=policy, ranked=offers)
