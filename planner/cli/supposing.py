"""What-if on the command line: the same answer as over HTTP, of as many rows as there are, under a progress bar."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from planner.api.body import checked
from planner.api.shapes import Shape
from planner.api.what_if import WhatIfIn, answered
from planner.cli import show
from planner.cli.asking import is_count
from planner.cli.opened import file_bytes, read_settings, store_of
from planner.core import strict_json
from planner.core.errors import InvalidInput

_LEFT, _RIGHT = "left", "right"
_SHOWN = ("revenue_usd", "token_cost_usd", "payment_fees_usd", "other_costs_usd", "gross_profit_usd", "margin",
          "coverage")  # fmt: skip


def each(given: Sequence[str], field: str) -> Iterator[tuple[str, str]]:
    """Yield NAME=VALUE as it was given.

    Raises:
        InvalidInput: it is none.
    """
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InvalidInput(field, "NAME=VALUE is needed, such as plan=pro")
        yield name, value


def pairs(given: Sequence[str] | None, field: str) -> dict[str, str]:
    """Return what NAME=VALUE say, each name once."""
    found = list(each(given or (), field))
    if len(dict(found)) < len(found):
        raise InvalidInput(field, "each name once; a file given as --scenario can say more")
    return dict(found)


def lists(given: Sequence[str] | None, field: str) -> dict[str, list[str]]:
    """Return what NAME=VALUE say, the values of each name together."""
    found: dict[str, list[str]] = {}
    for name, value in each(given or (), field):
        found.setdefault(name, []).append(value)
    return found


def narrows(given: Sequence[str] | None, field: str, of: str, *, said: bool) -> None:
    """Refuse an option that says of what something holds, where that is not ``said``.

    Raises:
        InvalidInput: it would be passed over.
    """
    if given and not said:
        raise InvalidInput(field, f"it is of {of} alone, and none of them is said")


def plans(prices: Sequence[str] | None, subscribers: Sequence[str] | None) -> dict[str, Any]:
    """Return the part of a scenario that is about plans; nothing where nothing is said."""
    priced, counted = pairs(prices, "plan-price"), pairs(subscribers, "subscribers")
    if any(not is_count(number) for number in counted.values()):
        raise InvalidInput("subscribers", "PLAN=NUMBER is needed")
    found = [
        {"plan": plan, **({"price": priced[plan]} if plan in priced else {}),
         **({"subscribers": int(counted[plan])} if plan in counted else {})}
        for plan in dict.fromkeys((*priced, *counted))
    ]  # fmt: skip
    return {"plans": found} if found else {}


def what_if(
    body: dict[str, Any], said: dict[str, Any], file: Path | None, compare: tuple[str | None, str | None], *,
    as_json: bool,
) -> None:  # fmt: skip
    """Print what usage would have cost, or why it cost otherwise than before."""
    if compare != (None, None):
        if None in compare or said or file is not None:
            raise InvalidInput("compare-from", "both days of the period before are needed, and no scenario")
        body["compare"] = {"from": compare[0], "to": compare[1]}
    else:
        body["scenario"] = {**_scenario(file), **said}
    asked = checked(WhatIfIn, body)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        Progress(*columns, console=show.err, disable=not show.err.is_terminal, transient=True) as bar,
        store_of(read_settings()).read() as connection,
    ):
        task = bar.add_task("rows", total=None)
        shape = answered(
            connection, asked, progress=lambda done, total: bar.update(task, completed=done, total=max(done, total))
        )
    if as_json:
        show.json_out(shape)
    else:
        print_answer(shape)


def _scenario(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    found = strict_json.read(file_bytes(file, "scenario"))
    if not isinstance(found, dict):
        raise InvalidInput("scenario", "a JSON object is needed")
    return found


def print_answer(shape: Shape) -> None:
    """Print both sides, every term, and what the figures rest on."""
    if "compared_with" in shape:
        before = shape["compared_with"]
        title, sides = f"why {shape['from']} to {shape['to']} cost otherwise", (before["from"], shape["from"])
    else:
        title, sides = f"what if, {shape['from']} to {shape['to']}", ("before", "after")
    title += ", usage, USD" if shape["tz"] == "UTC" else f" in {shape['tz']}, usage, USD"
    figures = [(_words(name), *(_figure(shape[side], name) for side in ("before", "after"))) for name in _SHOWN]
    show.line(title)
    show.table("", [("", _LEFT), *((name, _RIGHT) for name in sides)], [row for row in figures if any(row[1:])])
    show.line("")
    profit = shape["profit"]
    left = {} if profit is None else {one["term"]: one["usd"] for one in profit["terms"]}
    cost = {one["term"]: one["usd"] for one in shape["terms"]}
    heads = [("term", _LEFT), ("token cost", _RIGHT), *([] if profit is None else [("gross profit", _RIGHT)])]
    rows = [(_words(name), cost.get(name), left.get(name))[: len(heads)] for name in {**cost, **left}]
    total = ("difference", shape["difference_usd"], None if profit is None else profit["difference_usd"])
    show.table("", heads, [*rows, total[: len(heads)]])
    if shape["by"]:
        _print_rows(shape)
    show.line("")
    _print_rest(shape)


def _print_rows(shape: Shape) -> None:
    terms = [one["term"] for one in shape["terms"]]
    show.line("")
    show.table(
        "",
        [*((name, _LEFT) for name in shape["by"]), ("before", _RIGHT), *((_words(name), _RIGHT) for name in terms),
         ("after", _RIGHT)],
        [
            (
                *(row[name] for name in shape["by"]), _cost(row, "before"),
                *({one["term"]: one["usd"] for one in row["terms"]}.get(name) for name in terms),
                _cost(row, "after"),
            )
            for row in shape["rows"]
        ],
    )  # fmt: skip


def _cost(row: Mapping[str, Any], side: str) -> str:
    found: str = row[f"{side}_usd"] if f"{side}_usd" in row else row[side]["token_cost_usd"]
    return found


def _print_rest(shape: Shape) -> None:
    rises = [(shape["profit"] or {}).get(f"break_even_rise_{side}") for side in ("before", "after")]
    if None not in rises:
        show.line(
            f"rise       token prices may rise by {rises[0]} before and {rises[1]} after; below 0 a target is missed"
        )
    reporting = shape.get("reporting")
    if reporting is not None:
        told = ", ".join(f"{_words(one['term'])} {one['amount']}" for one in reporting["terms"])
        show.line(f"{reporting['currency']}        {reporting['token_cost_before']} to {reporting['token_cost_after']}"
                  f", {reporting['difference']} more: {told}")  # fmt: skip
    for one in shape.get("unpriced", ()):
        whose = f"{one['provider']} {one['model']}"
        show.line(f"unpriced   {one['when']} {one['rows']} rows with {one['tokens']} tokens of {whose}")
    for one in shape.get("stale_imports", ()):
        show.line(f"stale      {one['file']} of {one['source']}: {one['problem']}")
    if not shape.get("as_booked", True):
        show.line(f"booked     {shape['booked_usd']} USD, which is another figure than before: planner ledger catch-up")
    for said in shape["notes"]:
        show.line(f"note       {said}")
    if shape["pending_work"]:
        show.line(f"waiting    {shape['pending_work']} pieces of work: planner ledger catch-up")


def _words(name: str) -> str:
    return name.removesuffix("_usd").replace("_", " ")


def _figure(side: Mapping[str, Any], name: str) -> str | None:
    found: str | None = side[name]
    if name == "token_cost_usd":
        most = side["token_cost_max_usd"]
        return f">= {found}" if most is None else found if most == found else f"{found} to {most}"
    if name == "margin" and found is None and side["margin_max"] is not None:
        return f"<= {side['margin_max']}"
    return found
