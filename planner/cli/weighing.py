"""Cost against quality on the command line: the frontier of a question, and two offers for one task."""

from typing import Any

from planner.api.body import checked
from planner.api.frontier import FrontierIn, frontier_answer
from planner.api.mixtures import MixtureIn, mixture_answer
from planner.api.shapes import Shape
from planner.cli import show
from planner.cli.asking import need_workload, print_standing
from planner.cli.opened import known_view, now, read_settings

_RIGHT, _LEFT = "right", "left"


def frontier(body: dict[str, Any], *, as_json: bool) -> None:
    """Find the frontier of a question in the local catalogue, and print it."""
    need_workload(body)
    settings = read_settings()
    asked = checked(FrontierIn, body)
    view, present = known_view(settings, asked.known_at, now())
    shape = frontier_answer(view, asked, settings.default_policy, present)
    if as_json:
        show.json_out(shape)
    else:
        print_frontier(shape)


def print_frontier(shape: Shape) -> None:
    """Print the points of a frontier and the bargains as tables."""
    show.table(
        f"cost against {shape['index']} under policy {shape['policy']} v{shape['policy_version']}",
        [
            ("offer", _LEFT), ("tier", _RIGHT), ("score", _RIGHT), ("as of", _LEFT), ("USD/request", _RIGHT),
            ("USD/period", _RIGHT), ("margin", _RIGHT), ("next: USD/point", _RIGHT),
        ],
        [
            (
                point["offer"], point["tier"], point["quality"]["score"], point["quality"]["as_of"],
                point["cost_usd"], point["cost_usd_per_period"], point["margin"], point["usd_per_quality_point"],
            )
            for point in shape["points"]
        ],
    )  # fmt: skip
    if shape["bargains"]:
        show.line("")
        show.table(
            "bargains: a quality tier better than the price tier",
            [
                ("model", _LEFT), ("price tier", _RIGHT), ("quality tier", _RIGHT), ("cheapest offer", _LEFT),
                ("USD/request", _RIGHT), ("frontier", _LEFT),
            ],
            [
                (
                    bargain["model"], bargain["tier"], bargain["quality_tier"], bargain["offer"], bargain["cost_usd"],
                    "yes" if bargain["on_frontier"] else "",
                )
                for bargain in shape["bargains"]
            ],
        )  # fmt: skip
    show.line("")
    if shape["budget_usd"] is not None:
        show.line(f"budget     {shape['budget_usd']} USD per customer and period")
    equals = sum(point["equals"] for point in shape["points"])
    others = f"{shape['dominated']} dominated, {equals} equal to a point, {shape['unscored']} without a score"
    show.line(f"considered {shape['considered']} offers: {shape['eligible']} eligible, of them {others}")
    sources = sorted({point["quality"]["source_url"] for point in shape["points"]})
    show.line(f"scores     {', '.join(sources)}")
    print_standing(shape)


def mixture(body: dict[str, Any], *, as_json: bool) -> None:
    """Weigh two offers for one task in the local catalogue, and print what to do."""
    need_workload(body)
    settings = read_settings()
    asked = checked(MixtureIn, body)
    view, present = known_view(settings, asked.known_at, now())
    shape = mixture_answer(view, asked, settings.default_policy, present)
    if as_json:
        show.json_out(shape)
    else:
        print_mixture(shape)


def print_mixture(shape: Shape) -> None:
    """Print the two offers, every way of serving with them, and the verdict with its reasons."""
    rows = [_offer_row(name, shape[name]) for name in ("strong", "cheap", "alone") if shape[name] is not None]
    mixed, compared = shape["mixture"], shape["comparison"]
    if mixed is not None:
        rows.append(_way_row(f"mixture, {mixed['share']} strong", mixed))
    if compared is not None:
        rows += [
            _way_row(f"{way}, {compared['escalated_share']} strong", compared[way]) for way in ("router", "cascade")
        ]
    best = shape["best_mixture"]
    if best is not None and best["strong"]["offer"] != best["cheap"]["offer"]:
        rows.append(_way_row("best mixture", best))
        rows.append(_offer_row(f"- {best['share']} to", best["strong"]))
        rows.append(_offer_row("- the rest to", best["cheap"]))
    show.table(
        f"two offers by {shape['index']} under policy {shape['policy']} v{shape['policy_version']}",
        [
            ("", _LEFT), ("offer", _LEFT), ("score", _RIGHT), ("USD/request", _RIGHT), ("USD/period", _RIGHT),
            ("margin", _RIGHT),
        ],
        rows,
    )  # fmt: skip
    show.line("")
    show.line(f"verdict    {shape['verdict']}")
    for reason in shape["reasons"]:
        show.line(f"           {reason}")
    if shape["budget_usd"] is not None:
        show.line(f"budget     {shape['budget_usd_per_request']} USD per request, {shape['budget_usd']} per period")
    for assumption in shape["assumptions"]:
        show.line(f"assumed    {assumption}")
    print_standing(shape)


def _offer_row(name: str, link: Shape) -> tuple[object, ...]:
    score = None if link["quality"] is None else link["quality"]["score"]
    return (name, link["offer"], score, link["cost_usd"], link["cost_usd_per_period"], link["margin"])


def _way_row(name: str, way: Shape) -> tuple[object, ...]:
    return (name, "", way["quality"], way["cost_usd"], way["cost_usd_per_period"], way["margin"])
