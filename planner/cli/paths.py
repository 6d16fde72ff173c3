"""Direct, broker or gateway on the command line: every way in one table, and the verdict with its reasons."""

from typing import Any

from planner.api.body import checked
from planner.api.paths import PathsIn, paths_answer
from planner.api.shapes import Shape
from planner.cli import show
from planner.cli.asking import need_workload
from planner.cli.opened import known_view, now, read_settings

_RIGHT, _LEFT = "right", "left"
_SHOWN = 5


def paths(body: dict[str, Any], *, as_json: bool) -> None:
    """Compare the ways to what is recommended, from the local catalogue, and print them."""
    need_workload(body)
    settings = read_settings()
    asked = checked(PathsIn, body)
    view, present = known_view(settings, asked.known_at, now())
    shape = paths_answer(view, asked, settings.default_policy, present)
    if as_json:
        show.json_out(shape)
    else:
        _print(shape)


def _print(shape: Shape) -> None:
    show.table(
        f"ways to {shape['model'] or shape['offer']} under policy {shape['policy']} v{shape['policy_version']}",
        [
            ("way", _LEFT), ("offer", _LEFT), ("USD/period", _RIGHT), ("surcharge USD", _RIGHT), ("ms more", _RIGHT),
            ("upstreams", _RIGHT), ("not enforced", _LEFT), ("refused", _LEFT),
        ],
        [_row(way) for way in shape["ways"]],
    )  # fmt: skip
    said = shape["verdict"]
    show.line("")
    show.line(f"{shape['stage']}: take {said['take']}, run by {said['run']}")
    for number, link in enumerate(said["chain"], 1):
        show.line(f"  {number}. {link['offer']}  {link['cost_usd_per_period']} USD/period")
    for reason in said["reasons"]:
        show.line(f"because {reason}")
    for caution in said["cautions"]:
        show.line(f"but {caution}")
    stale = "; STALE: a source was not read lately" if shape["stale"] else ""
    show.line(f"revision {shape['revision']}, valid until {shape['valid_until'] or 'the next change'}{stale}")


def _row(way: Shape) -> tuple[object, ...]:
    same = way["same_model"] or {}
    # Of a way that does not reach the model there is nothing to compare, only why.
    refused = "" if same else ", ".join(f"{code} {count}" for code, count in list(way["refused"].items())[:_SHOWN])
    added = "unknown" if way["overhead_ms"] is None else way["overhead_ms"]
    return (
        way["name"], same.get("offer"), same.get("cost_usd_per_period"), way["surcharge_usd_per_period"],
        added if same else None, way["independent_upstreams"] if same else None,
        ", ".join(way["not_enforced"]) if same else None, refused,
    )  # fmt: skip
