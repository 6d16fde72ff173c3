"""What-if on the command line: every option is a part of the scenario, and the table says what the JSON says."""

import json
from pathlib import Path
from typing import Any

import pytest

from planner.cli import supposing
from planner.store.engine import Store, open_store
from tests.cli.test_commands import Planner, planner
from tests.cli.test_desk import desk
from tests.ledger_books import event, take

__all__ = ["desk", "planner"]

OFFER, CHEAP = "direct:openai/gpt-5.4", "direct:openai/gpt-5.4-mini"
DAYS = ("--from", "2026-09-01", "--to", "2026-10-01")


@pytest.fixture
def used(desk: Planner, installed_copy: Store) -> Planner:
    """Two requests of 100,000 in and 20,000 out, $0.55 each."""
    store = open_store(installed_copy.url)
    counts = {"input_tokens": 100_000, "output_tokens": 20_000}
    take(store, *(event(id_, offer=OFFER, plan=plan, **counts) for id_, plan in (("1", "pro"), ("2", "free"))))
    store.close()
    return desk


def test_options_make_a_scenario(used: Planner, tmp_path: Path) -> None:
    """The same as a file says, which takes what options say besides."""
    options = [
        "--volume", "2", "--of", "plan=pro", "--offer", CHEAP, "--output-token-factor", "1.5",
        "--cache-hit-share", "0.5", "--cache-write-share", "0", "--price-percent", "10", "--unit", "output_token",
        "--discount-percent", "12.5",
        "--offers", "provider=openai", "--fee", "direct=5", "--plan-price", "pro=25",
    ]  # fmt: skip
    found = used("what-if", *DAYS, *options, "--by", "plan", "--json").json
    file = tmp_path / "scenario.json"
    scenario = {
        "volume": "2", "swaps": [{"where": {"plan": "pro"}, "to": CHEAP, "output_token_factor": "1.5"}],
        "cache": [{"where": {"plan": "pro"}, "hit_share": "0.5", "write_share": "0"}],
        "prices": [{"where": {"provider": "openai"}, "percent": "10", "units": ["output_token"]}],
        "discounts": [{"where": {"provider": "openai"}, "percent": "12.5"}],
        "fees": [{"channel": "direct", "percent": "5"}],
    }  # fmt: skip
    file.write_text(json.dumps(scenario))
    assert (
        used("what-if", *DAYS, "--scenario", str(file), "--plan-price", "pro=25", "--by", "plan", "--json").json
        == found
    )
    assert found["changed"][0] == "volume"
    other = used("what-if", *DAYS, "--input-token-factor", "2", "--where", "plan=pro", "--shapley", "--json").json
    assert (other["changed"], other["where"], other["method"]) == (["token_intensity"], {"plan": ["pro"]}, "shapley")
    moment = used("what-if", *DAYS, "--prices-at", "2026-11-01T00:00:00Z", "--json").json
    assert moment["terms"] == [{"term": "price", "usd": "0"}]


def test_both_sides_and_every_term_are_printed(used: Planner) -> None:
    """With rows by plan, and what is taken for granted."""
    said = used("what-if", *DAYS, "--discount-percent", "10", "--by", "plan")
    assert said.code == 0
    for words in ("what if, 2026-09-01 to 2026-10-01, usage, USD", "token cost", "1.1", "0.99", "discount", "-0.11",
                  "difference", "rise       token prices", "free", "note       the same usage"):  # fmt: skip
        assert words in said.out
    why = used("what-if", *DAYS, "--compare-from", "2026-08-01", "--compare-to", "2026-09-01", "--by", "plan")
    assert "why 2026-09-01 to 2026-10-01 cost otherwise, usage, USD" in why.out
    assert "volume" in why.out
    zone = used("what-if", *DAYS, "--tz", "Asia/Kolkata", "--volume", "2")
    assert "in Asia/Kolkata, usage, USD" in zone.out


def test_what_is_not_known_is_printed_as_such(used: Planner, capsys: pytest.CaptureFixture[str]) -> None:
    """Bounds, files that are gone, another currency, and books that are behind."""
    found = used("what-if", *DAYS, "--volume", "2", "--json").json
    found["before"] |= {"token_cost_max_usd": None, "margin": None, "margin_max": "0.5"}
    found["after"] |= {"token_cost_max_usd": "9"}
    found |= {
        "profit": None, "as_booked": False, "pending_work": 2,
        "unpriced": [{"when": "after", "provider": "acme", "model": "x", "rows": 1, "tokens": 7}],
        "stale_imports": [{"import": 1, "file": "a.csv", "source": "s", "problem": "the file is not where it was"}],
        "reporting": {"currency": "EUR", "token_cost_before": "1", "token_cost_after": "2", "difference": "1",
                      "terms": [{"term": "volume", "amount": "1"}]},
    }  # fmt: skip
    capsys.readouterr()
    supposing.print_answer(found)
    printed = capsys.readouterr().out
    for words in (">= 1.1", "<= 0.5", " to 9", "after 1 rows with 7 tokens of acme x", "stale      a.csv of s",
                  "EUR", "volume 1", "another figure than before", "waiting    2"):  # fmt: skip
        assert words in printed


@pytest.mark.parametrize(
    "arguments",
    [
        ["--of", "plan"], ["--of", "plan=a", "--of", "plan=b"], ["--subscribers", "pro=many"], ["--compare-from", "x"],
        ["--compare-from", "2026-08-01", "--compare-to", "2026-09-01", "--volume", "2"], ["--volume", "two"],
        ["--scenario", "/nowhere"], ["--scenario", "/dev/null"], ["--fx", "EUR"],
        ["--price-percent", "10", "--of", "plan=pro"], ["--volume", "2", "--offers", "provider=a"],
        ["--volume", "2", "--unit", "output_token"],
    ],
)  # fmt: skip
def test_what_is_no_question_is_a_usage_error(used: Planner, arguments: list[str]) -> None:
    """Exit code 2, and the reason on stderr."""
    said: Any = used("what-if", *DAYS, *arguments)
    assert (said.code, bool(said.err)) == (2, True)


def test_what_nobody_knows_is_not_found(used: Planner) -> None:
    """A plan, and a currency."""
    for arguments in (["--subscribers", "nobody=12"], ["--fx", "XTS=2"]):
        said = used("what-if", *DAYS, *arguments)
        assert (said.code, "not_found" in said.err) == (2, True)
