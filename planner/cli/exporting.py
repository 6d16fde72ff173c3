"""A recommendation on its way to a gateway: the configuration printed, or written to a file."""

import json
import sys
from pathlib import Path

from planner.api.gateway import exported
from planner.cli import show
from planner.cli.opened import now, read_settings, view_of


def export(plan: str, task: str, format_: str, out: Path | None, *, as_json: bool) -> None:
    """Print or write the configuration of one gateway; what is not in it goes to the error channel.

    Raises:
        InvalidInput: a format that is not built.
        NoAnswer: there is no recommendation, or the gateway cannot be told any link of it.
    """
    made = exported(view_of(read_settings()), plan, task, format_, now())
    if as_json:
        show.json_out(made.shape)
    elif out is None:
        sys.stdout.write(made.yaml)
    if out is not None:
        text = json.dumps(made.config, indent=2) + "\n" if out.suffix == ".json" else made.yaml
        out.write_text(text, "utf-8")
        show.note(f"{made.shape['recommendation_id']} is written to {out}")
    for each in made.shape["left_out"]:
        show.note(f"left out   {each['offer']}: {each['reason']}")
    if made.shape.get("then"):
        show.note(f"apart      {made.shape['apart']}; --json has the bodies of the further links")
