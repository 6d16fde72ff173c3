"""Direct, broker or gateway: the stored plan and task, or a question spelled out, laid along every way."""

from planner.core.ask import Ask
from planner.core.paths import Gateway, Paths, Setting, paths
from planner.flows.answer import Question, recommend, stored_task
from planner.flows.current import View


def setting_of(view: View, question: Question, stage: str | None, customers: int | None, gateway: Gateway) -> Setting:
    """Return what the comparison is for: what was said, else what the stored plan and task say.

    Raises:
        NotFound: the plan or the task does not exist.
    """
    if question.plan is None or question.task is None:
        return Setting(stage or "production", customers, "month", gateway)
    plan, task = stored_task(view.catalogue, question.plan, question.task)
    return Setting(
        stage=task.stage if stage is None else stage,
        customers=plan.subscribers if customers is None else customers,
        period=plan.period,
        gateway=gateway,
    )


def ways(view: View, ask: Ask, setting: Setting) -> Paths:
    """Lay the ways to the recommended model side by side.

    Raises:
        NoAnswer: nothing is recommended, so there is nothing to reach.
    """
    labels = view.snapshot.labels(ask.at)
    return paths(view.catalogue, ask, recommend(view, ask), view.snapshot.rank(ask), labels, setting)
