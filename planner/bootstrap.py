"""From a fresh checkout and a bare Python to a planner that runs: make `.venv` once, then step into it.

Debian refuses a system-wide `pip install`, and a newcomer has no reason to learn virtual environments first. So
`python3 -m planner` makes `.venv` beside the package, installs the hash-pinned lock into it, remembers in a stamp which
lock that was, and starts itself again with that interpreter. An installed planner (`pip install .`, `uv run planner`)
has its libraries already and goes straight through.

Only the standard library is imported here, and only syntax that an old Python can parse is used: this file is what
tells the owner of Python 3.9 why nothing works.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent.parent

# Written into the stamp before the first change to `.venv`, replaced after the last one. A power cut in between leaves
# a half-written package that pip would take for a whole one, so such a `.venv` is made anew.
UNFINISHED = "unfinished"

# pip's words, once its retries are used up, for "nobody answered".
NO_ANSWER = "after connection broken by"
WRONG_BYTES = "DO NOT MATCH THE HASHES"
NO_WHEEL = "No matching distribution found for"


class CannotInstallError(Exception):
    """The libraries cannot be had here. The message is one paragraph for the person at the terminal."""


def enter(arguments: list[str]) -> None:
    """Return when this interpreter can run planner; otherwise become one that can, with the same arguments.

    ``test`` goes to ``python -m tests``: the checks belong to a checkout and need the libraries of `.venv`.

    Raises:
        SystemExit: the libraries cannot be installed; the reason is the message.
    """
    testing = arguments[:1] == ["test"]
    try:
        refuse_old_python(sys.version_info[:2])
        interpreter = right_interpreter(ROOT, testing=testing)
    except CannotInstallError as problem:
        raise SystemExit(f"planner: {problem}") from None
    except KeyboardInterrupt:
        raise SystemExit("planner: stopped; the next start begins the installation anew.") from None
    if testing:
        os.chdir(ROOT)
        become(interpreter, "tests", arguments[1:])
    elif interpreter != sys.executable:
        become(interpreter, "planner", arguments)


def become(interpreter: str, module: str, arguments: list[str]) -> None:
    """Replace this process, so that signals and the exit code reach the caller unchanged."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(interpreter, [interpreter, "-m", module, *arguments])  # noqa: S606 (no shell is wanted)


def refuse_old_python(version: tuple[int, int]) -> None:
    """Raise `CannotInstallError` when ``version`` (major, minor) is older than planner's code."""
    if version < OLDEST:
        raise CannotInstallError(
            "this is Python {}.{} and planner needs Python {}.{} or newer. On Debian 12, Ubuntu 24.04 and later "
            "`apt install python3 python3-venv` brings one; then start planner with that interpreter, "
            "for example `python3.11 -m planner up`.".format(*version, *OLDEST)
        )


def right_interpreter(root: Path, *, testing: bool) -> str:
    """Path of the interpreter that has the libraries, installing them into ``root/.venv`` when none has."""
    lock = root / "requirements.lock"
    if not lock.exists():
        if testing:
            raise CannotInstallError(
                "the tests are in the source tree, and this is an installed planner. "
                "Clone the repository and run `python3 -m planner test` there."
            )
        return sys.executable
    stamp = stamp_of(lock)
    home = root / ".venv"
    inside = str(home / "bin" / "python")
    if read(home / "planner.stamp") != stamp or not os.access(inside, os.X_OK):
        # Tests run against the locked versions only: those are the ones a green run speaks for.
        if not testing and installed_here():
            return sys.executable
        install_once(home, lock, stamp)
    # The prefix, not the path, tells whether we are inside: `bin/python` and `bin/python3` are the same interpreter.
    return sys.executable if Path(sys.prefix) == home else inside


def stamp_of(lock: Path) -> str:
    """What `.venv` was made from: the lock's digest and the Python it was made for."""
    import hashlib

    return "{} python{}.{}".format(hashlib.sha256(lock.read_bytes()).hexdigest(), *sys.version_info[:2])


def read(path: Path) -> str:
    """Text of ``path`` without the line's end, or nothing when there is no such file."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def installed_here() -> bool:
    """Whether this planner, and with it everything it needs, was installed into the running interpreter.

    The console script is what tells it from an unrelated distribution of the same name.
    """
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        scripts = distribution("planner").entry_points
    except PackageNotFoundError:
        return False
    return any(script.value == "planner.cli:main" for script in scripts)


def install_once(home: Path, lock: Path, stamp: str) -> None:
    """Bring ``home`` to what ``lock`` says, while any other planner that starts now waits."""
    try:
        import fcntl
    except ImportError:
        raise CannotInstallError("planner runs on Linux and macOS; on Windows, start it inside WSL.") from None

    try:
        turn = home.with_name(".venv.lock").open("a", encoding="utf-8")
    except OSError as error:
        raise CannotInstallError(
            f"the libraries belong into {home}, which cannot be written ({error.strerror}). "
            "Give this user the folder, or install planner elsewhere with `pip install .`."
        ) from None
    with turn:
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another planner is installing the libraries; waiting for it")
            fcntl.flock(turn, fcntl.LOCK_EX)
        if read(home / "planner.stamp") != stamp:
            install(home, lock, stamp)


def install(home: Path, lock: Path, stamp: str) -> None:
    """Make or mend ``home`` and install ``lock`` into it. The caller holds the turn."""
    import time

    started = time.monotonic()
    remembered = home / "planner.stamp"
    say(f"installing the libraries into {home} (once, under a minute on most lines)")
    before = read(remembered)
    made_for_this_python = before.endswith(stamp.split()[1])
    if not before or not made_for_this_python or not os.access(home / "bin" / "python", os.X_OK):
        # A `.venv` without our stamp was made by someone else, by uv for example: it is completed, not emptied.
        make_home(home, empty=bool(before))
    remembered.write_text(UNFINISHED + "\n", encoding="utf-8")
    run_pip(home, lock)
    remembered.write_text(stamp + "\n", encoding="utf-8")
    say(f"installed in {time.monotonic() - started:.0f} s")


def make_home(home: Path, *, empty: bool) -> None:
    """Create the virtual environment ``home`` with pip in it; ``empty`` throws away what was there."""
    import importlib.util
    import subprocess

    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        raise CannotInstallError(
            f"this Python cannot make a virtual environment (its module `{missing[0]}` is missing; Debian and Ubuntu ship it "  # noqa: E501  # one sentence
            "apart). Run `apt install python3-venv` as root and start planner again."
        )
    # A virtual environment made from inside another would die with it, hence the base interpreter.
    base = getattr(sys, "_base_executable", sys.executable)
    command = [base, "-m", "venv", *(["--clear"] if empty else []), str(home)]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if made.returncode:
        raise CannotInstallError(
            f"`{' '.join(command)}` failed: {last_words(made.stdout + made.stderr)} "
            "If it speaks of ensurepip, run `apt install python3-venv` as root and start planner again."
        )


def run_pip(home: Path, lock: Path) -> None:
    """Install ``lock`` with pip, showing one line of progress where somebody watches."""
    import subprocess
    import tempfile

    # The lock is whole, so pip need not look for dependencies: it installs what is written and nothing else.
    command = [str(home / "bin" / "python"), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    command += ["--require-hashes", "--only-binary", ":all:", "--no-deps", "--retries", "3", "--progress-bar", "off"]
    command += ["-r", str(lock)]
    wanted = sum(1 for line in lock.read_text(encoding="utf-8").splitlines() if "==" in line and line[0] not in " #")
    seen = 0
    # A setting for installs outside of virtual environments would make pip refuse this one.
    environment = {**os.environ, "PIP_USER": "0"}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints, text=True, env=environment) as pip:
            assert pip.stdout is not None  # noqa: S101 (for the type checker: stdout=PIPE was asked for)
            for line in pip.stdout:
                if line.startswith("Collecting "):
                    seen += 1
                    show_progress(f"{seen} of {wanted}: {line.split()[1].split('==')[0]}")
                elif line.startswith("Installing "):
                    show_progress("writing the files")
        show_progress("")
        complaints.seek(0)
        if pip.returncode:
            raise CannotInstallError(why_pip_failed(complaints.read()))


def why_pip_failed(complaints: str) -> str:
    """One paragraph for a person, from what pip wrote on its error channel."""
    if WRONG_BYTES in complaints:
        return (
            "a downloaded package is not the one that requirements.lock names, so nothing was installed. A damaged "
            "download or an altered package: try again, and if it stays, report it. pip said: " + last_words(complaints)
        )
    if NO_ANSWER in complaints:
        return (
            "the package index does not answer, and the first start needs it to fetch the libraries (about 60 MB). "
            "Connect to the network, or point pip at your mirror with PIP_INDEX_URL, and start planner again; "
            "after that it runs offline."
        )
    if NO_WHEEL in complaints:
        return (
            "a library has no ready-made build for this machine's Python {}.{}; try another Python from {}.{} on. "
            "pip said: {}".format(*sys.version_info[:2], *OLDEST, last_words(complaints))
        )
    return "pip could not install the libraries: " + last_words(complaints)


def last_words(output: str) -> str:
    """The last three lines of ``output`` in one: what a tool says when it gives up stands at the end."""
    return " ".join(line.strip() for line in output.strip().splitlines()[-3:])


def say(text: str) -> None:
    """Tell the person at the terminal, without mixing into the output of a command."""
    print(f"planner: {text}", file=sys.stderr, flush=True)


def show_progress(text: str) -> None:
    """Rewrite the last line on a terminal; be silent in a log file."""
    if sys.stderr.isatty():
        # Longer lines would wrap, and a wrapped line cannot be rewritten.
        print(f"\r\x1b[2K{text[:70]}", end="", file=sys.stderr, flush=True)
