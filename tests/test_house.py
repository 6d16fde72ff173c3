"""The house keeps its own rules: what stands at its top, who may import what, how long a file gets."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"planner", "migrations", "seeds", "tests"}
FILES = {"pyproject.toml", "alembic.ini", "README.md", "LICENSE", "requirements.lock"}
LINES_MAX = 400
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
# Distribution -> module, where they differ; some are named in text or looked for by others, and not imported here.
MODULES = {
    "argon2-cffi": "argon2", "opentelemetry-proto": "opentelemetry", "protobuf": "google", "psycopg[binary]": "psycopg",
    "pydantic-settings": "pydantic_settings",
}  # fmt: skip
NAMED_ONLY = {"httptools", "sniffio", "tzdata"}


def tracked() -> list[Path]:
    """Return the files of the project as they are committed or about to be."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    return [ROOT / line for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()]


def dependencies() -> set[str]:
    """Return the distributions planner runs on, without versions."""
    return {re.split(r"[<>=]", line)[0] for line in PROJECT["project"]["dependencies"]}


def imported(folder: str) -> set[str]:
    """Return the top names of every module a folder imports."""
    found = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                found.add(node.module.partition(".")[0])
    return found


def test_the_top_level_is_what_its_owner_fixed() -> None:
    """Nothing else, but for dot-files."""
    names = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert {name for name in names if not name.startswith(".")} == FOLDERS | FILES


def test_every_dependency_is_used_and_every_import_is_one() -> None:
    """What is declared is imported, and no library arrives only because another one brings it."""
    declared = {MODULES.get(name, name) for name in dependencies()}
    used = imported("planner") | imported("migrations")
    assert declared - used <= NAMED_ONLY
    assert used & {"starlette", "httpcore", "anyio", "mako"} <= {"starlette"}


def test_core_is_forbidden_every_dependency() -> None:
    """The contract names each of them, but for numpy and highspy: who may import these, two more contracts say."""
    contracts = {contract["id"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]}
    named = {MODULES.get(name, name) for name in dependencies()} - {"numpy", "highspy"}
    assert named <= set(contracts["core"]["forbidden_modules"])
    assert contracts["highs"]["allowed_importers"] == ["planner.core.optimise"]


def test_the_lock_pins_every_dependency_by_hash_and_names_no_host() -> None:
    """Names, versions and digests; where they come from is the reader's business."""
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    pinned = set(re.findall(r"^([a-z0-9-]+(?:\[[a-z]+\])?)==", lock, re.MULTILINE))
    assert {name.partition("[")[0] for name in dependencies()} <= {name.partition("[")[0] for name in pinned}
    assert lock.count("--hash=sha256:") >= len(pinned)
    assert "://" not in lock


def test_files_stay_short() -> None:
    """A file of more than 400 lines is two files."""
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in tracked() if path.suffix == ".py"}
    assert {path.name: count for path, count in lengths.items() if count > LINES_MAX} == {}
