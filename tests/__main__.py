"""Every check of the project, cheapest first, stopping at the first that fails: `python3 -m planner test`."""

import subprocess
import sys

# The suite runs on both cores; the coverage of core is judged over both halves together.
CHECKS: tuple[tuple[str, list[str]], ...] = (
    ("lint", ["ruff", "check", "."]),
    ("format", ["ruff", "format", "--check", "."]),
    ("types", ["mypy"]),
    ("imports", ["importlinter.cli", "lint"]),
    ("tests", ["pytest", "-n", "2", "--cov", "--cov-report=term"]),
)


def main(arguments: list[str]) -> int:
    """Run the checks; arguments go to pytest, which then runs alone."""
    chosen = CHECKS if not arguments else [(name, [*command, *arguments]) for name, command in CHECKS[-1:]]
    for name, command in chosen:
        print(f"--- {name}", flush=True)
        code = subprocess.run([sys.executable, "-m", *command], check=False).returncode
        if code:
            print(f"{name} failed", flush=True)
            return code
    return 0


sys.exit(main(sys.argv[1:]))
