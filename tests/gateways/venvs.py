"""Environments of the vendors' own loaders, apart from planner's: made once per lock, beside the checkout."""

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOME = HERE.parent.parent / ".gateway-venvs"
DONE = "done"


def interpreter(name: str) -> Path:
    """Return the Python that has what `NAME.lock` pins, installing it at the first time.

    Locks are written again with `uv pip compile`, as the one of the project is. uv is fetched for it, because it
    installs in seconds what takes pip a minute; where uv finds no index, pip has its way.
    """
    home = _home(name)
    HOME.mkdir(exist_ok=True)
    with (HOME / f"{name}.turn").open("a", encoding="utf-8") as turn:
        # Tests run in several processes, and two that fill one folder would spoil it.
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (home / DONE).exists():
            _make(home, name)
            (home / DONE).touch()
    return home / "bin" / "python"


def _home(name: str) -> Path:
    said = (HERE / f"{name}.lock").read_bytes() + sys.version.encode()
    return HOME / f"{name}-{hashlib.sha256(said).hexdigest()[:16]}"


def _make(home: Path, name: str) -> None:
    base = getattr(sys, "_base_executable", sys.executable)
    python = str(home / "bin" / "python")
    lock = ["--quiet", "--require-hashes", "--only-binary", ":all:", "--no-deps", "-r", str(HERE / f"{name}.lock")]
    if name != "installer":
        uv = str(interpreter("installer").with_name("uv"))
        steps = [
            [uv, "venv", "--quiet", "--clear", "--python", base, str(home)],
            [uv, "pip", "install", "--python", python, *lock],
        ]
        environment = {**os.environ, **_index()}
        if all(subprocess.run(step, check=False, env=environment).returncode == 0 for step in steps):
            return
    subprocess.run([base, "-m", "venv", "--clear", str(home)], check=True)
    pip = [python, "-m", "pip", "install", "--no-input", "--no-compile", *lock]
    subprocess.run(pip, check=True, env={**os.environ, "PIP_USER": "0"})


def _index() -> dict[str, str]:
    """Let uv ask the index that pip was told."""
    return {"UV_DEFAULT_INDEX": url} if (url := os.environ.get("PIP_INDEX_URL")) else {}
