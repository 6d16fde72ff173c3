"""Runs inside the environment of OpenRouter's SDK: reads bodies of requests and writes what its models make of them."""

import json
import sys
from pathlib import Path
from typing import Any

from openrouter.components import ChatRequest  # type: ignore[import-not-found]  # installed where this runs
from pydantic import ValidationError

MESSAGES = [{"role": "user", "content": "hi"}]


def through(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return what is left of a body after the SDK has read and written it, None where it refuses it."""
    try:
        read = ChatRequest.model_validate({**body, "messages": MESSAGES})
    except ValidationError:
        return None
    written: dict[str, Any] = read.model_dump(mode="json", by_alias=True, exclude_unset=True)
    del written["messages"]
    return written


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps([through(body) for body in json.load(sys.stdin)]), "utf-8")
