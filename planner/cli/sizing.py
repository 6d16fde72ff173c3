"""Self-host or API, and quotas, on the command line: the same answers as over HTTP, as tables."""

from pathlib import Path
from typing import Any

from planner.api.body import checked
from planner.api.quota import SimulationIn, simulation_answer
from planner.api.selfhost import SelfHostIn, self_host_answer
from planner.api.shapes import Shape
from planner.cli import show
from planner.cli.asking import is_count, print_standing
from planner.cli.opened import file_bytes, known_view, now, read_settings, store_of
from planner.core.errors import InvalidInput

_RIGHT, _LEFT = "right", "left"


def self_host(body: dict[str, Any], *, as_json: bool) -> None:
    """Print whether renting machines pays, and why."""
    settings = read_settings()
    asked = checked(SelfHostIn, body)
    view, present = known_view(settings, asked.known_at, now())
    shape = self_host_answer(view, asked, settings.default_policy, present)
    if as_json:
        show.json_out(shape)
    else:
        print_self_host(shape)


def print_self_host(shape: Shape) -> None:
    """Print a verdict, what it rests on, and the cost of other volumes."""
    own, api, demand, even = shape["self_host"], shape["api"], shape["demand"], shape["break_even"]
    show.line(f"verdict    {shape['verdict'].replace('_', '-')}")
    for reason in shape["reasons"]:
        show.line(f"because    {reason['says']}  ({reason['code']})")
    peak = f"peak {demand['peak_to_mean']} times the mean"
    show.line(f"demand     {demand['tokens_per_month']} tokens a month, {peak}")
    rows = [
        (
            "self-host", own["usd_per_mtok"], own["input_usd_per_mtok"], own["output_usd_per_mtok"],
            own["usd_per_month"], own["replicas"], own["utilisation"],
        )
    ]  # fmt: skip
    if api is not None:
        rows.append((f"API {api['offer']}", api["usd_per_mtok"], None, None, api["usd_per_month"], None, None))
    show.line("")
    columns = ("USD/M tokens", "input USD/M", "output USD/M", "USD/month", "replicas", "utilisation")
    show.table("now", [("", _LEFT), *((name, _RIGHT) for name in columns)], rows)
    show.line(f"at {own['utilisation_max']} utilisation {own['usd_per_mtok_at_utilisation_max']} USD/M tokens")
    if even is not None:
        share = f"{even['share_of_capacity']} of the capacity of {even['replicas']} replicas"
        reach = f"reachable {even['reachable_utilisation']}"
        show.line(f"break-even {even['tokens_per_month']} tokens a month, {share}; {reach}")
    show.line("")
    show.table(
        "other volumes",
        [
            ("tokens/month", _RIGHT), ("replicas", _RIGHT), ("utilisation", _RIGHT), ("self-host USD/month", _RIGHT),
            ("API USD/month", _RIGHT), ("cheaper", _LEFT),
        ],
        [
            (
                point["tokens_per_month"], point["replicas"], point["utilisation"], point["self_host_usd_per_month"],
                point["api_usd_per_month"], point["cheaper"],
            )
            for point in shape["curve"]
        ],
    )  # fmt: skip
    for said in shape["assumptions"]:
        show.line(f"assumed    {said}")
    print_standing(shape)


def quota(plan: str, body: dict[str, Any], figures: dict[str, Any], file: Path | None, *, as_json: bool) -> None:
    """Print the quota of every rule."""
    asked = checked(SimulationIn, {**body, "distribution": _distribution(figures, file)})
    view, present = known_view(read_settings(), asked.known_at, now())
    shape = simulation_answer(store_of(read_settings()), view, plan, asked, present)
    if as_json:
        show.json_out(shape)
    else:
        print_quota(shape)


def _distribution(figures: dict[str, Any], file: Path | None) -> dict[str, Any]:
    if file is not None:
        return {"kind": "observed", "tokens_per_user": [_count(line) for line in _lines(file)], **figures}
    if "from" in figures or "to" in figures:
        return {"kind": "measured", **figures}
    if not figures:
        ways = "--from and --to, --median-tokens and --sigma, --minimum-tokens and --exponent, or --tokens-file"
        raise InvalidInput("distribution", f"how much customers use is needed: {ways}")
    return {"kind": "pareto" if "minimum_tokens" in figures else "lognormal", **figures}


def _lines(file: Path) -> list[str]:
    return file_bytes(file, "tokens-file").decode("utf-8-sig", "replace").split()


def _count(word: str) -> int:
    if not is_count(word):
        raise InvalidInput("tokens-file", "a whole number of tokens on every line is needed")
    return int(word)


def print_quota(shape: Shape) -> None:
    """Print the quota of every rule, and what would come of it."""
    show.table(
        f"quota of {shape['plan']}/{shape['task']} per customer and period, {shape['subscribers']} subscribers",
        [
            ("rule", _LEFT), ("tokens", _RIGHT), ("USD/customer", _RIGHT), ("margin", _RIGHT),
            (f"margin at risk {shape['alpha']}", _RIGHT), ("misses", _RIGHT), ("reach it", _RIGHT), ("unused", _RIGHT),
        ],
        [
            (
                row["rule"], "no cap" if row["quota_tokens"] is None else row["quota_tokens"],
                row["expected_cost_usd"], row["expected_margin"], row["margin_at_risk"], row["miss_probability"],
                row["reached_share"], row["breakage"],
            )
            for row in shape["items"]
        ],
    )  # fmt: skip
    recommended = shape["recommended_quota_tokens"]
    told = "no cap is needed" if recommended is None else f"{recommended} tokens"
    requests = "" if recommended is None else f", {shape['recommended_quota_requests']} requests of the task"
    show.line("")
    show.line(f"recommend  {told}{requests}")
    if shape["sampled"] is not None:
        ends = [("no cap" if end is None else str(end)) for end in shape["sampled"].values()]
        show.line(f"sampled    {' to '.join(ends)} tokens")
    if shape["overage_usd_per_mtok"] is not None:
        show.line(f"overage    at least {shape['overage_usd_per_mtok']} USD per million tokens beyond the quota")
    show.line(f"budget     {shape['budget_usd']} USD per customer and period, for a margin of {shape['target_margin']}")
    measured = shape["measured"]
    by = f"at {shape['offer']}" if measured is None else "as its customers used it"
    show.line(f"price      {shape['usd_per_mtok']} USD per million tokens {by}")
    if measured is not None:
        show.line(
            f"measured   {measured['customers']} customers, {measured['periods']} periods,"
            f" {measured['observations']} of both, coverage {measured['coverage']}"
        )
    for said in shape["notes"]:
        show.line(f"note       {said}")
    print_standing(shape)
