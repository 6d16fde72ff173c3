"""What customers use of their plans, on the command line: how unevenly, and what one of them has left."""

from planner.api.customers import headrooms_answer
from planner.api.distribution import HEAVIEST, PERCENTILES, distribution_shape
from planner.cli import show
from planner.cli.governing import read
from planner.cli.opened import known_view, now, read_settings
from planner.cli.reporting import day_of
from planner.flows.distribution import Question, measure

_LEFT, _RIGHT = "left", "right"


def distribution(plan: str, since: str, until: str, tz: str, *, parts: bool, as_json: bool) -> None:
    """Print how tokens and costs are spread over the customers of a plan."""
    asked = Question(plan=plan, since=day_of("from", since), until=day_of("to", until), tz=tz, parts=parts)
    at = now()
    shape = distribution_shape(read(lambda connection: measure(connection, asked, at)))
    if as_json:
        show.json_out(shape)
        return
    names = ["mean", *(f"p{p}" for p in PERCENTILES), "max", "gini", *(f"top_{p}_percent_share" for p in HEAVIEST)]
    show.table(
        f"use of {plan} by {shape['observations']} customers and periods, {since} to {until}",
        [("", _LEFT), *((name.replace("_percent_share", " %").replace("_", " "), _RIGHT) for name in names)],
        [
            (label, *(_text(shape[key][name]) for name in names))
            for label, key in (("tokens", "tokens"), ("USD", "cost_usd"))
        ],
    )
    show.line("")
    if shape["budget_usd"] is not None:
        show.line(
            f"budget     {shape['budget_usd']} USD per customer, passed by {_text(shape['share_above_budget'])} of them"
        )
    show.line(f"price      {_text(shape['usd_per_mtok'])} USD per million tokens at the mix that was used")
    show.line(f"coverage   {shape['coverage']} of tokens have a price")
    for period in shape["periods"]:
        left_out = f", {period['partial']}" if period["partial"] else ""
        show.line(
            f"{period['period']:<10} {period['customers']} customers, {period['joined_or_left']} for a part of it,"
            f" {period['strangers']} strangers{left_out}"
        )


def headroom(customer: str, *, as_json: bool) -> None:
    """Print what a customer has left of its plans."""
    view, at = known_view(read_settings(), None, now())
    shape = read(lambda connection: headrooms_answer(connection, view.catalogue, customer, at))
    if as_json:
        show.json_out(shape)
        return
    names = ("plan", "period_end", "budget_usd", "spent_usd", "left_usd", "share_used", "basis")
    rows = [
        (
            *(_text(one[name]) for name in names), _text(one["ledger"]["left_tokens"]), one["ledger"]["projected_usd"],
            one["ledger"]["coverage"],
        )
        for one in shape["items"]
    ]  # fmt: skip
    headings = [(name.replace("_", " "), _RIGHT if name.endswith(("usd", "used")) else _LEFT) for name in names]
    more = [("left tokens", _RIGHT), ("projected usd", _RIGHT), ("coverage", _RIGHT)]
    show.table(f"what {customer} has left", [*headings, *more], rows)


def _text(value: object) -> str:
    return "" if value is None else str(value)
