"""Policies as files people keep and compare: TOML as in the seeds, and CSV with one line for every value."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from planner.core.errors import InvalidInput
from planner.core.tables import csv_rows, csv_text, toml_tables, toml_value

Document = dict[str, Any]
"""A policy as written: ``name``, ``title`` and ``rules``."""
COLUMNS = ("policy", "rule", "value", "offer_pattern")
TITLE, ALLOW_LIST = "title", "allow_list"
_KEYS = {"name", "title", "description", "rules"}


def write_toml(policies: Iterable[Mapping[str, Any]]) -> str:
    """Write policies as TOML."""
    blocks = []
    for policy in policies:
        lines = ["[[policy]]", f"name = {toml_value(policy['name'])}", f"title = {toml_value(policy['title'])}", ""]
        lines += ["[policy.rules]", *(f"{rule} = {toml_value(value)}" for rule, value in policy["rules"].items())]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def read_toml(text: str) -> list[Document]:
    """Read policies from TOML.

    Raises:
        InvalidInput: not TOML, or not policies; names the one that is wrong.
    """
    found = []
    for number, policy in enumerate(toml_tables(text, "policy"), 1):
        unknown = sorted(set(policy) - _KEYS)
        name, rules = policy.get("name"), policy.get("rules", {})
        if unknown or not isinstance(name, str) or not isinstance(rules, dict):
            raise InvalidInput(f"policy {number}", f"name, title and rules are needed, and nothing else{unknown}")
        found.append({"name": name, "title": str(policy.get("title", "")), "rules": rules})
    return _once(found)


def write_csv(policies: Iterable[Mapping[str, Any]]) -> str:
    """Write policies as CSV: one line for every value of every rule; an empty set is a line without a value."""
    lines: list[Sequence[str]] = [COLUMNS]
    for policy in policies:
        lines.append((policy["name"], TITLE, policy["title"], ""))
        for rule, value in policy["rules"].items():
            if isinstance(value, list):
                rows = [tuple(item) if rule == ALLOW_LIST else (item, "") for item in value] or [("", "")]
                lines += [(policy["name"], rule, *row) for row in rows]
            else:
                lines.append((policy["name"], rule, json.dumps(value) if not isinstance(value, str) else value, ""))
    return csv_text(lines)


def read_csv(text: str) -> list[Document]:
    """Read policies from CSV.

    Raises:
        InvalidInput: names the line that cannot be read.
    """
    rows = csv_rows(text)
    if not rows or tuple(rows[0]) != COLUMNS:
        raise InvalidInput("line 1", f"the columns are {', '.join(COLUMNS)}")
    found: dict[str, Document] = {}
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(COLUMNS):
            raise InvalidInput(f"line {number}", f"{len(COLUMNS)} columns are needed")
        name, rule, value, pattern = row
        policy = found.setdefault(name, {"name": name, "title": "", "rules": {}})
        if rule == TITLE:
            policy["title"] = value
        else:
            _add(policy["rules"], rule, value, pattern, f"line {number}")
    if not found:
        raise InvalidInput("file", "it names no policy")
    return list(found.values())


def _add(rules: dict[str, Any], rule: str, value: str, pattern: str, place: str) -> None:
    if rule in SCALARS:
        if rule in rules:
            raise InvalidInput(place, f"{rule} is there twice")
        rules[rule] = _scalar(rule, value, place)
        return
    held = rules.setdefault(rule, [])
    if value or pattern:
        held.append([value, pattern] if rule == ALLOW_LIST else value)


SCALARS = frozenset(
    {"deny_training", "require_zdr", "allow_free", "allow_unknown", "max_retention_days", "minimum_confidence"}
)
"""The rules that have one value; all others have a list."""


def _scalar(rule: str, value: str, place: str) -> object:
    if rule == "minimum_confidence":
        return value
    words: dict[str, object] = {"true": True, "false": False}
    if value in words:
        return words[value]
    if value.isascii() and value.isdigit() and len(value) < 10:  # noqa: PLR2004  # far above any number of days
        return int(value)
    raise InvalidInput(place, "true, false or a whole number is needed")


def _once(policies: list[Document]) -> list[Document]:
    seen: set[str] = set()
    for policy in policies:
        if policy["name"] in seen:
            raise InvalidInput("file", f"policy {policy['name'][:64]!a} is there twice")
        seen.add(policy["name"])
    return policies
