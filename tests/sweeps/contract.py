"""What the description allows, and what it does not, asked of a real server: ``python -m tests.sweeps.contract``."""

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from planner.flows.setup import install
from planner.store import keys
from planner.store.engine import Store, open_store
from planner.store.migrate import upgrade
from tests.revocation import PEPPER, present, served

ROLES = ("backend", "finance", "admin", "anonymous")
CONFIG = """
[cache]
enabled = false

# What a description cannot say is refused too: a period that ends before it begins, an offer beside a card.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 412, 422, 429]

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 429]

# A policy or an offer may have this name, so that GET is answered here as well.
[[operations]]
include-path = ["/v1/policies/import", "/v1/offers/corrections"]
checks.allow_header_conformance.enabled = false
"""


def new_key(store: Store, role: str) -> str:
    """Make a key of a role."""
    made = {"name": role, "role": role, "policies": None, "expires_at": None, "actor": "test"}
    return store.tell(lambda connection: keys.create(connection, PEPPER.encode(), **made, at=present()))  # type: ignore[arg-type]  # they are


def ask(url: str, key: str | None, description: Path, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Ask everything that is described, with all checks and in all phases, and return the report."""
    report, config = folder / "report.json", folder / "schemathesis.toml"
    config.write_text(CONFIG)
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run", str(description),
        "--url", url, "--phases", options.phases, "--max-examples", str(options.examples),
        "--seed", str(options.seed), "--generation-database", "none", "--continue-on-failure",
        "--report", "json", "--report-json-path", str(report), "--no-color", "--request-timeout", "60",
        *options.more, *([] if key is None else ["--header", f"Authorization: Bearer {key}"]),
    ]  # fmt: skip
    with (folder / "output.txt").open("wb") as output:
        subprocess.run(command, stdout=output, stderr=output, cwd=folder, check=False)
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def line(role: str, found: dict[str, Any]) -> str:
    """Say what one run came to."""
    cases, operations = found["test_cases"], found["operations"]
    kinds = [f"{kind['count']} x {kind['title']} ({', '.join(kind['operations'][:3])})" for kind in found["failures"]]
    return (
        f"{role}: {operations['tested']} of {operations['total']} operations, {cases['generated']} requests, "
        f"{cases['with_failures']} failures, {cases['errored']} errors, {found['running_time']:.0f} s, "
        f"{found['stop_reason']}" + "".join(f"\n  {kind}" for kind in kinds)
    )


def main() -> int:
    """Run for the roles that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--role", choices=(*ROLES, "all"), default="all")
    parser.add_argument("--examples", type=int, default=50, help="generated for each operation, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--phases", default="examples,coverage,fuzzing,stateful")
    parser.add_argument("--database", help="URL of an empty database; a SQLite file without one")
    parser.add_argument("--output", type=Path, help="folder that keeps the reports")
    parser.add_argument("more", nargs="*", help="further options of schemathesis, after --")
    options = parser.parse_args()
    wrong, asked = 0, ROLES if options.role == "all" else (options.role,)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = options.database or f"sqlite:///{folder / 'planner.sqlite3'}"
        upgrade(url)
        store = open_store(url)
        stack.callback(store.close)
        install(store, present())
        made = {role: new_key(store, role) for role in ROLES[:-1]}
        base = stack.enter_context(served(url, 1))
        answer = httpx.get(f"{base}/openapi.json", headers={"Authorization": f"Bearer {made['admin']}"}, timeout=30)
        description = folder / "openapi.json"
        description.write_bytes(answer.content)
        for role in asked:
            place = (options.output or folder) / role
            place.mkdir(parents=True, exist_ok=True)
            found = ask(base, made.get(role), description, options, place.resolve())
            wrong += found["test_cases"]["with_failures"] + found["test_cases"]["errored"]
            print(line(role, found), flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
