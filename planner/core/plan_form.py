"""The written form of plans and tasks, in seeds, database and over HTTP; money is text, counts are integers."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

from planner.core.ask import FALLBACKS_MAX
from planner.core.errors import InvalidInput
from planner.core.money import parse_decimal
from planner.core.plan import OBJECTIVES, PERIODS, STAGES, Needs, Plan, Task
from planner.core.usage import COUNT_MAX, COUNTS, Usage
from planner.core.workload import Habits, Request, Workload, lognormal_requests

_PLAN_KEYS = {
    "id", "name", "demo", "price", "price_usd", "currency", "period", "margin", "payment_fee_percent",
    "payment_fee_fixed_usd", "charges_per_period", "other_costs_usd", "customer_budget_usd", "subscribers", "policy",
    "tax_inclusive_rate", "allow_tier1", "task",
}  # fmt: skip
_TASK_KEYS = {"id", "kind", "workload", "needs", "objective", "fallbacks", "policy", "stage"}
_NEEDS_KEYS = {
    "capabilities", "context_tokens", "input_modalities", "output_modalities", "models", "tiers", "quality",
    "ttft_ms_max", "throughput_tps_min", "regions", "service_tiers",
}  # fmt: skip
_SHARES = ("cache_hit_share", "cache_write_share", "failed_share", "failed_billed_share")
_WORKLOAD_KEYS = {
    "requests_per_period", "mix", "distribution", "cache_hit_observed", "cache_write_lifetime", "reasoning_multiplier",
    *_SHARES, *COUNTS,
}  # fmt: skip
LIFETIMES = ("5m", "1h")
_NOTHING = Usage().parts
Read = TypeVar("Read")


def read_plan(document: Mapping[str, Any], version: int = 1) -> Plan:
    """Read a plan with its tasks.

    A plan without a price gets no tier 1 unless it says ``allow_tier1``: somebody else pays for its tokens.

    Raises:
        InvalidInput: an unknown key, or a value that does not fit.
    """
    where = f"plan.{document.get('id', '')}"
    _only(document, _PLAN_KEYS, where)
    if "price" in document and "price_usd" in document:
        raise InvalidInput(f"{where}.price", "either price with its currency, or price_usd is needed")
    currency = document.get("currency", "USD")
    if "price_usd" in document and currency != "USD":
        raise InvalidInput(f"{where}.price_usd", f"is in USD; give price for an amount in {currency}")
    price = _usd(document, "price" if "price" in document else "price_usd", where)
    tasks = tuple(_read_task(task, where) for task in document.get("task", ()))
    if len({task.id for task in tasks}) != len(tasks):
        raise InvalidInput(f"{where}.task", "two tasks have the same id")
    return Plan(
        id=document["id"],
        name=document["name"],
        policies=(document["policy"],),
        allow_tier1=document.get("allow_tier1", price > 0),
        demo=document.get("demo", False),
        tasks=tasks,
        price=price,
        currency=currency,
        period=_one_of(document.get("period", "month"), PERIODS, f"{where}.period"),
        margin=_optional(document, "margin", where, _decimal),
        payment_fee_percent=_usd(document, "payment_fee_percent", where),
        payment_fee_fixed_usd=_usd(document, "payment_fee_fixed_usd", where),
        charges_per_period=_count(document.get("charges_per_period", 1), f"{where}.charges_per_period"),
        other_costs_usd=_usd(document, "other_costs_usd", where),
        customer_budget_usd=_optional(document, "customer_budget_usd", where, _decimal),
        tax_inclusive_rate=_optional(document, "tax_inclusive_rate", where, _decimal),
        subscribers=_optional(document, "subscribers", where, _count),
        version=version,
    )


def _read_task(document: Mapping[str, Any], where: str) -> Task:
    where = f"{where}.{document.get('id', '')}"
    _only(document, _TASK_KEYS, where)
    fallbacks = _count(document.get("fallbacks", 2), f"{where}.fallbacks")
    if fallbacks > FALLBACKS_MAX:
        raise InvalidInput(f"{where}.fallbacks", f"at most {FALLBACKS_MAX} are possible")
    return Task(
        id=document["id"],
        workload=read_workload(document["workload"], f"{where}.workload"),
        needs=_read_needs(document.get("needs", {}), document.get("kind", "chat"), where),
        objective=_one_of(document.get("objective", "cheapest"), OBJECTIVES, f"{where}.objective"),
        fallbacks=fallbacks,
        policies=(document["policy"],) if "policy" in document else (),
        stage=_one_of(document.get("stage", "production"), STAGES, f"{where}.stage"),
    )


def read_workload(document: Mapping[str, Any], where: str = "workload") -> Workload:
    """Read the requests of a task: counts of one, a mix of several kinds, or a distribution of prompt lengths.

    Raises:
        InvalidInput: an unknown key, a value that does not fit, or two ways of saying the same.
    """
    _only(document, _WORKLOAD_KEYS, where)
    counts = {name: document[name] for name in COUNTS if name in document}
    try:
        return _workload(document, counts, where)
    except InvalidInput as error:
        if error.field.startswith(where):
            raise
        # A workload does not know which task it is of.
        refused = type(error)(f"{where}.{error.field}", error.problem)
        raise refused from None


def _workload(document: Mapping[str, Any], counts: Mapping[str, int], where: str) -> Workload:
    habits = Habits(
        **{name: _share(document[name], f"{where}.{name}") for name in _SHARES if document.get(name) is not None},
        cache_hit_observed=document.get("cache_hit_observed", False),
        writes_for_an_hour=_one_of(document.get("cache_write_lifetime", "5m"), LIFETIMES, where) == "1h",
        reasoning_multiplier=_share(document.get("reasoning_multiplier", "1"), f"{where}.reasoning_multiplier"),
    )
    requests = _read_requests(document, counts, where)
    if not any(usage.parts != _NOTHING for usage, _of in requests):
        raise InvalidInput(where, "counts of a request are needed, such as input_tokens and output_tokens")
    return Workload(
        requests=requests,
        requests_per_period=_count(document.get("requests_per_period", 1), f"{where}.requests_per_period"),
        habits=habits,
    )


def _read_requests(document: Mapping[str, Any], counts: Mapping[str, int], where: str) -> tuple[Request, ...]:
    mix, spread = document.get("mix"), document.get("distribution")
    if (mix is not None) + (spread is not None) > 1 or (mix is not None and counts):
        raise InvalidInput(where, "either counts, or a mix, or a distribution of prompt lengths is needed")
    if mix is not None:
        return tuple(_read_kind(kind, f"{where}.mix") for kind in mix)
    if spread is None:
        return (Request(Usage.of(counts)),)
    if set(counts) - {"output_tokens"}:
        raise InvalidInput(where, "beside a distribution of prompt lengths only output_tokens are counted")
    _only(spread, {"median_input_tokens", "sigma"}, f"{where}.distribution")
    median = _count(spread.get("median_input_tokens"), f"{where}.distribution.median_input_tokens")
    sigma = _decimal(spread.get("sigma"), f"{where}.distribution.sigma")
    return lognormal_requests(median, float(sigma), counts.get("output_tokens", 0))


def _read_kind(document: Mapping[str, Any], where: str) -> Request:
    counts = dict(document)
    return Request(Usage.of({name: value for name, value in counts.items() if name != "share"}),
                   _share(counts.get("share"), f"{where}.share"))  # fmt: skip


def _read_needs(document: Mapping[str, Any], kind: str, where: str) -> Needs:
    _only(document, _NEEDS_KEYS, f"{where}.needs")
    quality = document.get("quality")
    speed = document.get("throughput_tps_min")
    models, tiers, regions = document.get("models"), document.get("tiers"), document.get("regions")
    return Needs(
        kind=kind,
        output_modalities=tuple(document.get("output_modalities", ("text",))),
        input_modalities=tuple(document.get("input_modalities") or ()),
        service_tiers=tuple(document.get("service_tiers", ("standard",))),
        capabilities=tuple(document.get("capabilities", ())),
        context_tokens=document.get("context_tokens"),
        models=None if models is None else tuple(models),
        tiers=None if tiers is None else tuple(tiers),
        quality_index=None if quality is None else quality["index"],
        quality_min=_quality_min(quality, f"{where}.needs.quality.min"),
        ttft_ms_max=document.get("ttft_ms_max"),
        throughput_tps_min=None if speed is None else Decimal(speed),
        regions=None if regions is None else tuple(regions),
    )


def _quality_min(quality: Mapping[str, Any] | None, where: str) -> Decimal | None:
    # An index without a minimum only says by which scores the objective decides.
    return None if quality is None or quality.get("min") is None else _decimal(quality["min"], where)


def _usd(document: Mapping[str, Any], key: str, where: str) -> Decimal:
    return _decimal(document.get(key, "0"), f"{where}.{key}")


def _optional(document: Mapping[str, Any], key: str, where: str, read: Callable[[object, str], Read]) -> Read | None:
    return None if document.get(key) is None else read(document[key], f"{where}.{key}")


def _decimal(text: object, where: str) -> Decimal:
    if not isinstance(text, str):
        raise InvalidInput(where, "a decimal string is needed")
    return parse_decimal(text, field=where)


def _share(text: object, where: str) -> Fraction:
    return Fraction(_decimal(text, where))


def _count(value: object, where: str) -> int:
    if type(value) is not int or not 0 <= value <= COUNT_MAX:
        raise InvalidInput(where, "an integer from 0 to 2**63 - 1 is needed")
    return value


def _one_of(word: object, words: tuple[str, ...], where: str) -> str:
    if not isinstance(word, str) or word not in words:
        raise InvalidInput(where, f"one of {', '.join(words)} is needed")
    return word


def _only(document: Mapping[str, Any], keys: set[str], where: str) -> None:
    unknown = sorted(set(document) - keys)
    if unknown:
        raise InvalidInput(where, f"no field is called {unknown[0][:40]!a}")
