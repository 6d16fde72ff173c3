"""The portfolio optimiser on the command line."""

from typing import Any

from planner.api.body import checked
from planner.api.portfolios import PortfolioIn, portfolio_shape
from planner.api.shapes import Shape
from planner.cli import show
from planner.cli.asking import is_count, print_standing
from planner.cli.opened import now, read_settings, view_of
from planner.core.errors import InvalidInput
from planner.flows.portfolio import plan_portfolio

_RIGHT, _LEFT = "right", "left"


def portfolio(body: dict[str, Any], subscribers: list[str], margins: list[str], *, as_json: bool) -> None:
    """Solve the portfolio over the local catalogue, and print it.

    Raises:
        SystemExit: with 1 where there is no assignment, after saying why.
    """
    overrides: dict[str, dict[str, Any]] = {}
    for plan, value in _pairs("subscribers", subscribers):
        if not is_count(value):
            raise InvalidInput("subscribers", "PLAN=COUNT is needed, such as pro=800")
        overrides.setdefault(plan, {})["subscribers"] = int(value)
    for plan, value in _pairs("margin", margins):
        overrides.setdefault(plan, {})["margin"] = value
    wish = checked(PortfolioIn, {**body, "overrides": overrides}).wish()
    present = now()
    view = view_of(read_settings())
    shape = portfolio_shape(view, wish, plan_portfolio(view, wish, present, show.note), present)
    if as_json:
        show.json_out(shape)
    else:
        print_portfolio(shape)
    if shape["quality"] is None:
        raise SystemExit(1)


def _pairs(option: str, given: list[str]) -> list[tuple[str, str]]:
    pairs = [text.partition("=") for text in given]
    if not all(plan and value for plan, _equals, value in pairs):
        raise InvalidInput(option, "PLAN=VALUE is needed")
    return [(plan, value) for plan, _equals, value in pairs]


def print_portfolio(shape: Shape) -> None:
    """Print the answer as tables."""
    if shape["quality"] is None:
        print_remedies(shape)
        return
    _print_tasks(shape)
    show.line("")
    show.table(
        "plans",
        [
            ("plan", _LEFT), ("subscribers", _RIGHT), ("budget USD/customer", _RIGHT), ("cost USD/customer", _RIGHT),
            ("cost USD/month", _RIGHT), ("margin", _RIGHT), ("target", _RIGHT),
        ],
        [
            (
                plan["plan"], plan["subscribers"], plan["budget_usd"], plan["cost_usd_per_customer"],
                plan["cost_usd_per_period"], plan["margin"], plan["margin_target"],
            )
            for plan in shape["plans"]
        ],
    )  # fmt: skip
    show.line("")
    totals, solver = shape["totals"], shape["solver"]
    show.line(f"total      {totals['cost_usd_per_period']} USD/month of {totals['revenue_usd_per_period']} USD revenue")
    if totals["free_burn_usd_per_period"] != "0":
        show.line(f"free plans {totals['free_burn_usd_per_period']} USD/month")
    shares = ", ".join(f"{one['provider']} {one['share']}" for one in shape["providers"])
    show.line(f"providers  {shares} of the {shape['share_by']}")
    for one in shape["constraints"]:
        if one["binding"] is not False:
            show.line(f"rule       {one['says']}")
    if shape["left_out"]:
        show.line(f"left out   {', '.join(shape['left_out'])}")
    show.line(f"solver     {solver['name']}, {solver['solves']} solves, gap {shape['gap']}")
    print_standing(shape)


def _print_tasks(shape: Shape) -> None:
    rows = []
    for plan in shape["plans"]:
        for task in plan["tasks"]:
            for name, link in (("primary", task["primary"]), ("fallback", task["fallback"])):
                if link is not None:
                    first = name == "primary"
                    rows.append(
                        (
                            plan["plan"] if first else "", task["task"] if first else "", name, link["offer"],
                            link["quality"], link["cost_usd"], task["cost_usd_per_period"] if first else "",
                        )
                    )  # fmt: skip
    show.table(
        f"{shape['status']}: quality {shape['quality']} on {shape['quality_index']}",
        [
            ("plan", _LEFT), ("task", _LEFT), ("", _LEFT), ("offer", _LEFT), ("quality", _RIGHT),
            ("USD/request", _RIGHT), ("USD/month", _RIGHT),
        ],
        rows,
    )  # fmt: skip


def print_remedies(shape: Shape) -> None:
    """Print why there is no assignment, and what would have to give way."""
    show.line(f"no assignment: {shape['status']}")
    for slot in shape["unserved"]:
        refused = ", ".join(f"{code} {count}" for code, count in slot["refused"].items())
        show.line(f"unserved   {slot['plan']}/{slot['task']}: {refused or 'no scored offer with a fallback elsewhere'}")
    found = shape["relaxations"] or {"alone": [], "together": None}
    for one in found["alone"]:
        show.line(f"enough     {one['says']}")
    if not found.get("complete", True):
        show.line("the time was over before every rule was looked at; --seconds gives more")
    for one in found["together"] or []:
        show.line(f"together   {one['says']}")
