"""Every check of the project, cheapest first, stopping at the first that fails: `python3 -m planner test`."""

import subprocess
import sys
from pathlib import Path

# The suite runs on both cores. Counting lines makes tests half as slow again, so core is counted under the tests that
# ask it directly, which have to reach all of it, and everything else runs without.
PYTEST = [sys.executable, "-m", "pytest", "-n", "2"]
OF_CORE = ("tests/core", "tests/export", "tests/test_identity.py", "tests/test_oracle.py")
CHECKS: tuple[tuple[str, list[str]], ...] = (
    ("lint", [sys.executable, "-m", "ruff", "check", "."]),
    ("format", [sys.executable, "-m", "ruff", "format", "--check", "."]),
    ("types", [sys.executable, "-m", "mypy"]),
    # As a module it would do nothing, and say that nothing is wrong.
    ("imports", [str(Path(sys.executable).with_name("lint-imports"))]),
    ("tests of core", [*PYTEST, *OF_CORE, "--cov", "--cov-report=term"]),
    ("tests of the rest", [*PYTEST, *(f"--ignore={path}" for path in OF_CORE)]),
)


def main(arguments: list[str]) -> int:
    """Run the checks; arguments go to pytest, which then runs alone."""
    chosen = CHECKS if not arguments else (("tests", [*PYTEST, *arguments]),)
    for name, command in chosen:
        print(f"--- {name}", flush=True)
        code = subprocess.run(command, check=False).returncode
        if code:
            print(f"{name} failed", flush=True)
            return code
    return 0


sys.exit(main(sys.argv[1:]))
