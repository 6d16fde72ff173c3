"""What a rule costs is the difference between two answers, and every rule that asks something is priced once."""

from dataclasses import replace
from fractions import Fraction

from planner.core.policy import Policy
from planner.core.privacy_price import EVERYTHING, cheapest, price, variants
from tests import make

BASE = Policy(name="p", version=1, deny_training=True, require_zdr=True, allow_free=True, allow_unknown=True)


def test_each_rule_that_asks_something_is_left_out_once() -> None:
    """Also those of the parts, and last all of them together."""
    part = replace(make.OPEN, name="part", deny_models=frozenset({"acme/small"}))
    found = list(variants(make.joined(BASE, part)))
    assert [(one.part, one.rule) for one in found] == [
        ("p", "deny_training"), ("p", "require_zdr"), ("part", "deny_models"), ("p", EVERYTHING),
    ]  # fmt: skip
    by_rule = {one.rule: one.policy for one in found}
    assert not by_rule["deny_training"].deny_training
    assert by_rule["deny_training"].require_zdr
    assert [rules.deny_models for rules in by_rule["deny_training"].parts] == [frozenset({"acme/small"})]
    assert not any(rules.deny_models for rules in by_rule["deny_models"].rules)
    assert not any(rules.require_zdr or rules.deny_models for rules in by_rule[EVERYTHING].rules)


def test_models_are_compared_where_both_answers_have_them() -> None:
    """Dearer ones by share, what cost nothing first; what only the freer answer has is unavailable."""
    cent = Fraction(1, 100)
    under = cheapest([("a", 2 * cent), ("a", 3 * cent), (None, cent), ("b", cent), ("free", cent)])
    without = {"a": cent, "b": cent, "free": Fraction(), "gone": cent}
    found = price(under, without)
    assert (found.compared, found.unavailable) == (3, ("gone",))
    assert found.dearer == (("free", cent, Fraction()), ("a", 2 * cent, cent))
    assert (found.mean_usd, found.mean_share) == (Fraction(2, 300), Fraction(1, 2))
    nothing = price({}, without)
    assert (nothing.mean_usd, nothing.mean_share, nothing.compared) == (None, None, 0)
