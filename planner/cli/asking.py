"""The questions on the command line: what to use, what a request costs, which tier a model is."""

from typing import Any

from planner.api.asked import CostIn, RecommendationIn, moment
from planner.api.body import checked
from planner.api.questions import answered, cost_answer
from planner.api.reads import tiers_answer
from planner.api.shapes import Shape
from planner.cli import show
from planner.cli.opened import known_view, now, read_settings
from planner.core.errors import InvalidInput
from planner.core.usage import COUNTS
from planner.flows.current import View

_RIGHT, _LEFT = "right", "left"
# A count has 64 bits.
COUNT_DIGITS_MAX = 19


def need_workload(body: dict[str, Any]) -> None:
    """Refuse a question about no workload in the words of the command line."""
    if not {"plan", "task", "workload"} & body.keys():
        raise InvalidInput("workload", "--plan and --task are needed, or --input-tokens and --output-tokens")


def recommend(body: dict[str, Any], *, as_json: bool) -> None:
    """Answer the main question from the local catalogue, and print the answer."""
    need_workload(body)
    settings = read_settings()
    asked = checked(RecommendationIn, body)
    view, present = known_view(settings, asked.known_at, now())
    shape = answered(view, asked.question(), settings.default_policy, present)
    if as_json:
        show.json_out(shape)
    else:
        print_answer(shape)


def print_answer(shape: Shape) -> None:
    """Print the answer to the main question as tables."""
    links = [("choice", shape["choice"]), *((f"fallback {n}", link) for n, link in enumerate(shape["fallbacks"], 1))]
    show.table(
        f"{shape['objective']} under policy {shape['policy']} v{shape['policy_version']}",
        [
            ("", _LEFT), ("offer", _LEFT), ("provider", _LEFT), ("tier", _RIGHT),
            ("USD/request", _RIGHT), ("USD/period", _RIGHT), ("margin", _RIGHT), ("fails", _RIGHT),
        ],
        [
            (
                name, link["offer"], link["provider"], link["tier"],
                link["cost_usd"], link["cost_usd_per_period"], link["margin"], failing["failure_share"],
            )
            for (name, link), failing in zip(links, shape["chain"]["links"], strict=True)
        ],
    )  # fmt: skip
    choice = shape["choice"]
    show.line("")
    print_chain(shape["chain"])
    show.line("")
    print_lines(choice["lines"])
    evidence = choice["evidence"]
    show.line("")
    show.line(f"price      {evidence['source']}, observed {evidence['observed_at']}, {evidence['source_url']}")
    if choice["quality"] is not None:
        quality = choice["quality"]
        show.line(
            f"quality    {quality['score']} on {quality['index']} as of {quality['as_of']}, {quality['source_url']}"
        )
    if choice["expected_seconds"] is not None:
        show.line(f"expected   {choice['expected_seconds']} s to the last token")
    if shape["objective"] != "cheapest":
        show.line(f"decided by {shape['objective_rule']}")
    if shape["objective_note"] is not None:
        show.line(f"note       {shape['objective_note']}")
    if shape["budget_usd"] is not None:
        show.line(f"budget     {shape['budget_usd']} USD per customer and period")
    refused = ", ".join(f"{code} {count}" for code, count in shape["refused"].items())
    show.line(f"considered {shape['considered']} offers: {shape['eligible']} eligible; refused: {refused or 'none'}")
    for other in shape["alternatives"]:
        show.line(f"not chosen {other['offer']}: {other['why_not']}")
    print_standing(shape)


def print_standing(shape: Shape) -> None:
    """Print which prices an answer rests on, and until when it holds."""
    stale = "; STALE: its source was not read lately" if shape["stale"] else ""
    show.line(f"revision   {shape['revision']}, valid until {shape['valid_until'] or 'the next change'}{stale}")


def print_chain(chain: Shape) -> None:
    """Print what failover comes to, and what it takes for granted."""
    show.line(f"chain      answers at least {chain['availability']} of all requests")
    if chain["expected_cost_usd"] is not None:
        margin = "" if chain["expected_margin"] is None else f", margin {chain['expected_margin']}"
        period = f"{chain['expected_cost_usd_per_period']} USD/period"
        show.line(f"expected   {chain['expected_cost_usd']} USD per answered request, {period}{margin}")
    if chain["expected_latency_ms"] is not None:
        show.line(f"expected   {chain['expected_latency_ms']} ms to the whole answer")
    for assumption in chain["assumptions"]:
        show.line(f"assumed    {assumption}")


def print_lines(lines: list[Shape]) -> None:
    """Print the priced units of a request."""
    show.table(
        "one request at list price",
        [("unit", _LEFT), ("quantity", _RIGHT), ("rate USD", _RIGHT), ("per", _RIGHT), ("USD", _RIGHT)],
        [(line["unit"], line["quantity"], line["usd"], line["per"], line["amount_usd"]) for line in lines],
    )


def cost(offer: str, counts: list[str], context: dict[str, Any], moments: dict[str, str], *, as_json: bool) -> None:
    """Price one usage on one offer, and print the bill."""
    body = checked(CostIn, {"offer": offer, "usage": _counts(counts), "context": context, **moments})
    view, present = known_view(read_settings(), body.known_at, now())
    shape = cost_answer(view, body, present)
    if as_json:
        show.json_out(shape)
        return
    show.line(offer)
    print_lines(shape["lines"])
    sums = f"input {shape['input_usd']} + output {shape['output_usd']} + other {shape['other_usd']}"
    show.line(f"total      {shape['total_usd']} USD  ({sums})")
    if shape["effective_factor"] != "1":
        factor = f"list price x {shape['effective_factor']}, after discounts, with fees"
        show.line(f"effective  {shape['effective_usd']} USD  ({factor})")
    evidence = shape["evidence"]
    show.line(f"price      {evidence['source']}, observed {evidence['observed_at']}, {evidence['source_url']}")


def is_count(word: str) -> bool:
    """Return whether a word is a whole number that a count can hold."""
    return word.isascii() and word.isdigit() and len(word) <= COUNT_DIGITS_MAX


def _counts(words: list[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in words:
        name, equals, number = word.partition("=")
        if not (equals and is_count(number)):
            raise InvalidInput(name[:40], "counts are written as name=number, such as input_tokens=2600")
        if name not in COUNTS:
            raise InvalidInput(name[:40], f"an unknown field, known are {', '.join(COUNTS)}")
        if name in counts:
            raise InvalidInput(name, "it is counted twice")
        counts[name] = int(number)
    return counts


def tiers(at: str | None, known_at: str | None, *, as_json: bool) -> None:
    """Print the tiers at a moment."""
    view, present = known_view(read_settings(), None if known_at is None else _moment("known_at", known_at), now())
    shape = tiers_answer(view, present if at is None else _moment("at", at), present)
    if as_json:
        show.json_out(shape)
        return
    rows = [
        (
            group["tier"], model["model"], model["output_usd_per_mtok"], model["quality_tier"],
            "bargain" if model["bargain"] else "", model["offer"],
        )
        for group in shape["items"]
        for model in group["models"]
    ]  # fmt: skip
    show.table(
        f"tiers at {shape['at']}",
        [
            ("tier", _RIGHT), ("model", _LEFT), ("output USD/M", _RIGHT), ("quality tier", _RIGHT),
            ("", _LEFT), ("priced by", _LEFT),
        ],
        rows,
    )  # fmt: skip


def _moment(field: str, text: str) -> Any:  # noqa: ANN401  # a datetime
    try:
        return moment(text)
    except ValueError as error:
        raise InvalidInput(field, str(error)) from None


def demo(view: View, default_policy: str) -> Shape:
    """Answer the worked question of `planner up`: the demo plan pro and its task chat."""
    question = checked(RecommendationIn, {"plan": "pro", "task": "chat"}).question()
    return answered(view, question, default_policy, now())
