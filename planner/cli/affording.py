"""A plan's price, its tiers and its cuts on the command line."""

from typing import Any

from planner.api.affording import PriceIn, TrimIn, price_answer, tiers_answer, trim_answer
from planner.api.body import checked
from planner.api.shapes import Shape
from planner.cli import show
from planner.cli.asking import print_standing
from planner.cli.opened import known_view, now, read_settings

_RIGHT, _LEFT = "right", "left"


def price(plan: str, body: dict[str, Any], *, as_json: bool) -> None:
    """Print what a plan must cost."""
    asked = checked(PriceIn, body)
    view, present = known_view(read_settings(), asked.known_at, now())
    shape = price_answer(view, plan, asked, present)
    if as_json:
        show.json_out(shape)
        return
    show.table(
        f"plan {plan} at {shape['revenue_usd']} USD a period, aiming at {shape['target_margin'] or 'no margin'}",
        [
            ("task", _LEFT), ("offer", _LEFT), ("USD/period", _RIGHT), ("price min USD", _RIGHT),
            ("overage USD/M", _RIGHT), ("overage USD/request", _RIGHT), ("hangs most on", _LEFT),
        ],
        [_price_row(task) for task in shape["tasks"]],
    )  # fmt: skip
    totals = {
        "tokens USD/period": shape["cost_usd_per_period"], "budget USD/period": shape["budget_usd"],
        "margin": shape["margin"], "price min USD": shape["minimum_price_usd"],
        "before other costs USD": shape["contribution_usd"], "burn USD/period": shape["burn_usd"],
    }  # fmt: skip
    show.line("all tasks  " + ", ".join(f"{name} {value}" for name, value in totals.items() if value is not None))
    for task in shape["tasks"]:
        _print_cliffs(task["task"], task["cliffs"])
    print_standing(shape)


def _price_row(task: Shape) -> tuple[object, ...]:
    choice = task["choice"]
    if choice is None:
        return (task["task"], task["refusal"], "", "", "", "", "")
    # That everything costs more where more is asked is no news.
    most = next((one["driver"] for one in task["sensitivity"] if one["driver"] != "requests"), "")
    return (
        task["task"], choice["offer"], choice["cost_usd_per_period"], task["minimum_price_usd"],
        task["overage_usd_per_mtok"], task["overage_usd_per_request"], most,
    )  # fmt: skip


def tiers(plan: str, task: str | None, at: str | None, known_at: str | None, *, as_json: bool) -> None:
    """Print what every tier costs the tasks of a plan."""
    moments = {name: text for name, text in (("at", at), ("known_at", known_at)) if text is not None}
    asked = checked(PriceIn, moments)
    view, present = known_view(read_settings(), asked.known_at, now())
    shape = tiers_answer(view, plan, task, asked.at, present)
    if as_json:
        show.json_out(shape)
        return
    show.table(
        f"tiers of plan {plan}",
        [
            ("task", _LEFT), ("tier", _RIGHT), ("allowed", _LEFT), ("fits", _LEFT), ("cheapest", _LEFT),
            ("USD/period", _RIGHT), ("margin", _RIGHT), ("tokens/period", _RIGHT), ("best that fits", _LEFT),
        ],
        [_tier_row(item["task"], option) for item in shape["items"] for option in item["tiers"]],
    )  # fmt: skip
    for item in shape["items"]:
        strongest = item["strongest_affordable"]
        show.line(
            f"{item['task']}: {'no tier' if strongest is None else f'tier {strongest}'} is the strongest it affords"
        )
    print_standing(shape)


def _tier_row(task: str, option: Shape) -> tuple[object, ...]:
    cheapest, best = option["cheapest"], option["best"]
    said = {True: "yes", False: "no", None: ""}
    start = (task, option["tier"], said[option["allowed"]], said[option["affordable"]])
    if cheapest is None:
        return (*start, option["refusal"], "", "", "", "")
    return (
        *start, cheapest["offer"], cheapest["cost_usd_per_period"], cheapest["margin"], option["tokens_affordable"],
        "" if best is None else best["offer"],
    )  # fmt: skip


def trim(plan: str, body: dict[str, Any], *, as_json: bool) -> None:
    """Print how much text a task must lose."""
    asked = checked(TrimIn, body)
    view, present = known_view(read_settings(), asked.known_at, now())
    shape = trim_answer(view, plan, asked, present)
    if as_json:
        show.json_out(shape)
        return
    before, found = shape["now"], shape["trim"]
    show.line(
        f"{before['offer']} costs {before['cost_usd_per_period']} USD a period, the budget is {shape['budget_usd']}"
    )
    if found["feasible"]:
        show.table(
            f"cut {found['cut']}: {found['ratio']} of the text, rounded up",
            [
                ("share", _RIGHT), ("prompt tokens cut", _RIGHT), ("of them cached", _RIGHT),
                ("completion tokens cut", _RIGHT), ("prompt tokens left", _RIGHT), ("completion tokens left", _RIGHT),
            ],
            [
                (
                    kind["share"], kind["input_tokens_cut"], kind["cached_tokens_cut"], kind["output_tokens_cut"],
                    kind["input_tokens_left"], kind["output_tokens_left"],
                )
                for kind in found["kinds"]
            ],
        )  # fmt: skip
        show.line(f"then       {found['cost_usd_per_period']} USD a period, margin {found['margin']}")
    else:
        left = f"{found['cost_usd_per_period']} USD a period stay when all of it is gone"
        show.line(f"cut {found['cut']}: not enough ({found['why_not']}); {left}")
    down = shape["next_tier_down"]
    if down is not None:
        saving = shape["next_tier_saving_usd_per_period"]
        show.line(f"one tier down: {down['offer']} saves {saving} USD a period")
    _print_cliffs(shape["task"], shape["cliffs"])
    print_standing(shape)


def _print_cliffs(task: str, cliffs: list[Shape]) -> None:
    for cliff in cliffs:
        step = f"{cliff['tokens_over']} tokens less than {cliff['input_tokens']} go below a step of the price"
        show.line(f"{task}: {step}, which saves {cliff['saving_usd_per_period']} USD a period")
