"""Every check of the project, cheapest first, stopping at the first that fails: `python3 -m planner test`."""

import subprocess
import sys

# The suite runs on both cores. Counting lines makes tests half as slow again: who has no part in it runs without,
# and the coverage of core is judged over the others.
CHECKS: tuple[tuple[str, list[str]], ...] = (
    ("lint", ["ruff", "check", "."]),
    ("format", ["ruff", "format", "--check", "."]),
    ("types", ["mypy"]),
    ("imports", ["importlinter.cli", "lint"]),
    ("tests", ["pytest", "-n", "2", "-m", "not no_cover", "--cov", "--cov-report=term"]),
    ("tests of the door", ["pytest", "-n", "2", "-m", "no_cover"]),
)


def main(arguments: list[str]) -> int:
    """Run the checks; arguments go to pytest, which then runs alone."""
    chosen = CHECKS if not arguments else (("tests", ["pytest", "-n", "2", *arguments]),)
    for name, command in chosen:
        print(f"--- {name}", flush=True)
        code = subprocess.run([sys.executable, "-m", *command], check=False).returncode
        if code:
            print(f"{name} failed", flush=True)
            return code
    return 0


sys.exit(main(sys.argv[1:]))
