"""Policies as files: every rule survives the way out and back, and a mistake is named by its place."""

from collections.abc import Callable
from typing import Any

import pytest

from planner.core.errors import InvalidInput, UnknownPolicy
from planner.core.policy import Policy, together
from planner.core.policy_files import read_csv, read_toml, write_csv, write_toml
from planner.core.policy_form import changed_rules, read_policy, write_policy

RULES: dict[str, Any] = {
    "deny_training": True, "require_zdr": True, "allow_free": True, "allow_unknown": True, "max_retention_days": 30,
    "allow_headquarters": ["DE", "US"], "deny_headquarters": ["CN"], "allow_data_countries": [],
    "deny_data_countries": ["CN"], "require_serving_regions": ["eu"], "allow_providers": ["acme"],
    "deny_providers": ["deepseek", "openrouter"], "allow_models": [], "deny_models": ["acme/large"],
    "require_certifications": ["soc2_t2"], "minimum_confidence": "verified", "allow_list": [["*", "direct:*"]],
    "all_of": ["no-training"],
}  # fmt: skip
HEAD = "policy,rule,value,offer_pattern\n"


def document(rules: dict[str, Any]) -> dict[str, Any]:
    """Write a policy of these rules, as the files hold it."""
    written = write_policy(read_policy("all-rules", 1, "Everything, at once", rules))
    return {name: written[name] for name in ("name", "title", "rules")}


@pytest.mark.parametrize(("write", "read"), [(write_toml, read_toml), (write_csv, read_csv)])
def test_every_rule_comes_back_from_a_file(write: Callable[..., str], read: Callable[..., Any]) -> None:
    """Also the empty set that refuses everybody; several policies in one file stay apart."""
    policies = [document(RULES), {**document({"allow_list": []}), "name": "nobody"}]
    assert policies[0]["rules"] == RULES
    assert read(write(policies)) == policies


def test_a_policy_without_a_title_or_rules_is_one() -> None:
    """Nothing but its name is needed."""
    assert read_toml('[[policy]]\nname = "a"\n') == [{"name": "a", "title": "", "rules": {}}]


@pytest.mark.parametrize(
    ("read", "text", "place"),
    [
        (read_toml, "[[policy]\n", "file"), (read_toml, "x = 1\n", "file"),
        (read_toml, "[[policy]]\nrules = 1\n", "policy 1"),
        (read_toml, '[[policy]]\nname = "a"\nrule = 1\n', "policy 1"),
        (read_toml, '[[policy]]\nname = "a"\n[[policy]]\nname = "a"\n', "file"),
        (read_csv, "", "line 1"), (read_csv, "a,b\n", "line 1"), (read_csv, '"', "file"), (read_csv, HEAD, "file"),
        (read_csv, f"{HEAD}a,title\n", "line 2"), (read_csv, f"{HEAD}a,deny_training,yes,\n", "line 2"),
        (read_csv, f"{HEAD}a,max_retention_days,1234567890,\n", "line 2"),
        (read_csv, f"{HEAD}a,allow_free,true,\na,allow_free,true,\n", "line 3"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_file_is_named_by_its_place(read: Callable[[str], object], text: str, place: str) -> None:
    """The number of the policy or of the line, where it is in one."""
    with pytest.raises(InvalidInput) as refused:
        read(text)
    assert refused.value.field == place


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("deny_training", "yes"), ("max_retention_days", -1), ("max_retention_days", True), ("deny_models", "x"),
        ("deny_models", [""]), ("deny_models", ["a", "a"]), ("allow_headquarters", ["USA"]),
        ("require_certifications", ["iso"]), ("minimum_confidence", "sure"), ("minimum_confidence", 1),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused_by_its_rule(rule: str, value: object) -> None:
    """Each kind of rule has its own."""
    with pytest.raises(InvalidInput) as refused:
        read_policy("p", 1, "", {rule: value})
    assert refused.value.field == f"rules.{rule}"


def test_a_rule_nobody_knows_is_refused() -> None:
    """A misspelt refusal would let everybody in."""
    with pytest.raises(InvalidInput, match="deny_trainings"):
        read_policy("p", 1, "", {"deny_trainings": True})


def test_two_versions_differ_in_the_rules_that_changed() -> None:
    """What came, what went and what moved; a rule that asks nothing is none."""
    old = read_policy("p", 1, "", {"deny_training": True, "deny_models": ["a/b"], "allow_free": True})
    new = read_policy("p", 2, "", {"deny_training": True, "deny_models": [], "max_retention_days": 0})
    assert changed_rules(old, new) == ("allow_free", "deny_models", "max_retention_days")
    assert changed_rules(old, old) == ()


def test_policies_asked_for_together_are_one() -> None:
    """One is itself; several are their parts and no more; one that nobody published is an error."""
    a, b = Policy(name="a", version=3), Policy(name="b", version=4)
    published = {"a": a, "b": b}
    assert together(published, ["a", "a"], 9) is a
    both = together(published, ["b", "a"], 9)
    assert (both.name, both.version, both.parts) == ("a+b", 9, (a, b))
    with pytest.raises(UnknownPolicy):
        together(published, ["a", "c"], 9)
