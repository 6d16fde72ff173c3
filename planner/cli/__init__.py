"""The command line: the same flows as the API, with readable tables, or ``--json``."""

from planner.cli.main import main

__all__ = ["main"]
