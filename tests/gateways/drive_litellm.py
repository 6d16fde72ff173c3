"""Runs inside LiteLLM's own environment: loads a configuration and goes down its chain over real HTTP on loopback.

Reads configurations as YAML from its input and writes what happened as JSON. Every deployment is sent to a server here
that refuses the first links with 500; which links were asked, in which order and with what, is the answer.
"""

import asyncio
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm  # type: ignore[import-not-found]  # installed where this runs, and told the map before
import openai  # type: ignore[import-not-found]  # LiteLLM's errors are its
import yaml  # type: ignore[import-untyped,unused-ignore]  # LiteLLM brings it

USAGE = {
    "prompt_tokens": 2600,
    "completion_tokens": 450,
    "total_tokens": 3050,
    "prompt_tokens_details": {"cached_tokens": 1200},
}


class Upstream:
    """Answers as an OpenAI-compatible provider does; the first ``failing`` links get 500."""

    def __init__(self) -> None:
        self.failing = 0
        self.asked: list[dict[str, Any]] = []

    def start(self) -> str:
        """Serve on a free port and return the base URL."""
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                place = int(self.path.split("/")[2])
                upstream.asked.append({"place": place, "model": body["model"], "provider": body.get("provider")})
                failed = place <= upstream.failing
                answer: dict[str, Any] = {"error": {"message": "down", "type": "server_error", "code": 500}}
                if not failed:
                    message = {"role": "assistant", "content": "hello"}
                    choice = {"index": 0, "finish_reason": "stop", "message": message}
                    answer = {
                        "id": "1", "object": "chat.completion", "created": 1, "model": body["model"],
                        "choices": [choice], "usage": USAGE, "service_tier": "default",
                    }  # fmt: skip
                text = json.dumps(answer).encode()
                self.send_response(500 if failed else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: object) -> None:
                """Keep the output for the answer."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"


async def go_down(text: str, alias: str) -> dict[str, Any]:
    """Load a configuration and ask it once more than it has links, with one link more down each time."""
    config = yaml.safe_load(text)
    found: dict[str, Any] = {"config": yaml.safe_load(text), "runs": []}
    upstream = Upstream()
    base = upstream.start()
    for name, value in config["litellm_settings"].items():
        setattr(litellm, name, value)
    for each in config["model_list"]:
        params = each["litellm_params"]
        os.environ[params["api_key"].removeprefix("os.environ/")] = "nothing"
        params["api_base"] = f"{base}/link/{params['order']}"
    router = litellm.Router(model_list=config["model_list"], **config["router_settings"])
    ids = [each["model_info"]["id"] for each in config["model_list"]]
    found["prices"] = {id_: dict(litellm.get_model_info(id_)) for id_ in ids}
    for failing in range(len(ids) + 1):
        upstream.failing, upstream.asked = failing, []
        run: dict[str, Any] = {"served": None, "cost_usd": None}
        try:
            answer = await router.acompletion(model=alias, messages=[{"role": "user", "content": "hi"}])
        except openai.APIError as error:
            run["error"] = str(error)
        else:
            run["served"] = answer._hidden_params["model_id"]
            run["cost_usd"] = answer._hidden_params["response_cost"]
        found["runs"].append({**run, "asked": upstream.asked})
    return found


async def run(asked: dict[str, Any]) -> dict[str, Any]:
    """Go down every chain, and look up every word for a provider."""
    known = {word: litellm.get_llm_provider(f"{word}/some/model") for word in asked["words"]}
    return {
        "chains": [await go_down(each["yaml"], each["alias"]) for each in asked["chains"]],
        "words": {word: {"model": found[0], "word": found[1], "api_base": found[3]} for word, found in known.items()},
        "takes_a_fallback_to_nothing": bool(
            litellm.Router(
                model_list=[{"model_name": "a", "litellm_params": {"model": "openai/a", "api_key": "nothing"}}],
                fallbacks=[{"a": ["nobody"]}],
            ).fallbacks
        ),
    }


if __name__ == "__main__":
    said = asyncio.run(run(json.load(sys.stdin)))
    Path(sys.argv[1]).write_text(json.dumps(said, default=str), "utf-8")
