"""The written form of plans and tasks, as in the seeds and in the database; money is text, counts are integers."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from planner.core.errors import InvalidInput
from planner.core.money import parse_decimal
from planner.core.plan import Economics, Needs, Plan, Task, Workload
from planner.core.usage import Usage

_PLAN_KEYS = {
    "id", "name", "demo", "price_usd", "period", "margin", "payment_fee_percent", "payment_fee_fixed_usd",
    "charges_per_period", "other_costs_usd", "policy", "allow_tier1", "task",
}  # fmt: skip
_TASK_KEYS = {"id", "kind", "workload", "needs", "objective", "fallbacks", "policy"}
_NEEDS_KEYS = {
    "capabilities", "context_tokens", "input_modalities", "output_modalities", "models", "tiers", "quality",
    "ttft_ms_max", "throughput_tps_min", "regions", "service_tiers",
}  # fmt: skip


def read_plan(document: Mapping[str, Any]) -> Plan:
    """Read a plan with its tasks.

    Raises:
        InvalidInput: an unknown key, or a value that does not fit.
    """
    where = f"plan.{document.get('id', '')}"
    _only(document, _PLAN_KEYS, where)
    margin = document.get("margin")
    return Plan(
        id=document["id"],
        name=document["name"],
        policies=(document["policy"],),
        allow_tier1=document.get("allow_tier1", True),
        demo=document.get("demo", False),
        tasks=tuple(_read_task(task, where) for task in document.get("task", ())),
        economics=Economics(
            revenue_usd=_usd(document, "price_usd", where),
            payment_fee_percent=_usd(document, "payment_fee_percent", where),
            payment_fee_fixed_usd=_usd(document, "payment_fee_fixed_usd", where),
            charges_per_period=document.get("charges_per_period", 1),
            other_costs_usd=_usd(document, "other_costs_usd", where),
            margin=None if margin is None else parse_decimal(margin, field=f"{where}.margin"),
        ),
    )


def _read_task(document: Mapping[str, Any], where: str) -> Task:
    where = f"{where}.{document.get('id', '')}"
    _only(document, _TASK_KEYS, where)
    counts = dict(document["workload"])
    requests = counts.pop("requests_per_period", 1)
    return Task(
        id=document["id"],
        workload=Workload(usage=Usage.of(counts), requests_per_period=requests),
        needs=_read_needs(document.get("needs", {}), document.get("kind", "chat"), where),
        objective=document.get("objective", "cheapest"),
        fallbacks=document.get("fallbacks", 2),
        policies=(document["policy"],) if "policy" in document else (),
    )


def _read_needs(document: Mapping[str, Any], kind: str, where: str) -> Needs:
    _only(document, _NEEDS_KEYS, f"{where}.needs")
    quality = document.get("quality")
    speed = document.get("throughput_tps_min")
    models, tiers, regions = document.get("models"), document.get("tiers"), document.get("regions")
    return Needs(
        kind=kind,
        output_modalities=tuple(document.get("output_modalities", ("text",))),
        input_modalities=tuple(document.get("input_modalities", ())),
        service_tiers=tuple(document.get("service_tiers", ("standard",))),
        capabilities=tuple(document.get("capabilities", ())),
        context_tokens=document.get("context_tokens"),
        models=None if models is None else tuple(models),
        tiers=None if tiers is None else tuple(tiers),
        quality_index=None if quality is None else quality["index"],
        quality_min=None if quality is None else parse_decimal(quality["min"], field=f"{where}.needs.quality.min"),
        ttft_ms_max=document.get("ttft_ms_max"),
        throughput_tps_min=None if speed is None else Decimal(speed),
        regions=None if regions is None else tuple(regions),
    )


def _usd(document: Mapping[str, Any], key: str, where: str) -> Decimal:
    text = document.get(key, "0")
    if not isinstance(text, str):
        raise InvalidInput(f"{where}.{key}", "a decimal string is needed")
    return parse_decimal(text, field=f"{where}.{key}")


def _only(document: Mapping[str, Any], keys: set[str], where: str) -> None:
    unknown = sorted(set(document) - keys)
    if unknown:
        raise InvalidInput(where, f"no field is called {unknown[0][:40]!a}")
