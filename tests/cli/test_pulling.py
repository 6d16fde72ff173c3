"""`planner pull` as its user meets it: keys from the environment, what was taken in, and how every report is."""

from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from planner.app import build
from planner.cli import pulling
from planner.settings import Settings
from planner.store.engine import Store
from tests import vendors
from tests.api.test_usage import KEY
from tests.cli.test_commands import Planner, planner
from tests.cli.test_desk import desk
from tests.conftest import NOW
from tests.vendors import COMPLETIONS, COSTS

__all__ = ["desk", "planner"]

TODAY = NOW.replace(hour=0)
NAMES = ("OPENAI_ADMIN_KEY", "PLANNER_OPENAI_ADMIN_KEY", "ANTHROPIC_ADMIN_KEY", "OPENROUTER_PROVISIONING_KEY")


@pytest.fixture
def pulls(desk: Planner, monkeypatch: pytest.MonkeyPatch) -> Planner:
    """Run planner at noon, without any key."""
    monkeypatch.setattr(pulling, "now", lambda: NOW)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    return desk


def test_a_vendor_is_pulled_with_the_key_of_the_environment(
    pulls: Planner, monkeypatch: pytest.MonkeyPatch, installed_copy: Store
) -> None:
    """What came in and in which role; the same over HTTP; and the key is nowhere to be read."""
    vendor = vendors.openai()
    vendor.put(COMPLETIONS, TODAY - timedelta(days=1), vendors.completion(1_000_000))
    vendor.put(COSTS, TODAY - timedelta(days=1), vendors.line_item("0.15"))
    with vendor.serving() as account:
        monkeypatch.setenv("PLANNER_OPENAI_PULL_URL", account.url)
        monkeypatch.setenv("OPENAI_ADMIN_KEY", vendors.KEY)
        tried = pulls("pull", "openai", "--dry-run")
        said = pulls("pull", "openai", "--from", "2026-11-20", "--only", "usage")
        told = pulls("pull", "openai", "--json").json
    assert (tried.code, "would be: stored 1; complete through 2026-11-24" in tried.out) == (0, True)
    assert said.out == (
        "openai usage, 2026-11-20 to 2026-11-24: 1 rows of 8 pages into openai_usage, as ledger\n"
        "  stored 1; complete through 2026-11-24\n"
    )
    assert [(one["report"], one["role"], one["outcome"]) for one in told["reports"]] == [
        ("usage", "ledger", "done"), ("costs", "evidence", "done"),
    ]  # fmt: skip
    listed = pulls("pull", "--list")
    assert "There is a key for openai; a worker pulls every 360 minutes." in listed.out
    settings = Settings()
    assert all(vendors.KEY not in text for text in (tried.out, said.out, str(told), listed.out, repr(settings)))
    monkeypatch.setenv("PLANNER_ADMIN_KEY", KEY)
    with TestClient(build(Settings(), installed_copy), headers={"Authorization": f"Bearer {KEY}"}) as client:
        answer = client.get("/v1/pulls", params={"limit": 2}).json()
        rest = client.get("/v1/pulls", params={"cursor": answer["next_cursor"]}).json()
    assert {one["report"]: (one["rows"], one["through"]) for one in answer["reports"]} == {
        "costs": (1, "2026-11-24T00:00:00Z"), "usage": (1, "2026-11-24T00:00:00Z"),
    }  # fmt: skip
    assert [row["report"] for row in answer["items"] + rest["items"]] == ["costs", "usage", "usage"]


def test_a_vendor_that_refuses_ends_with_one(pulls: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why, in words, on stderr; the list shows the code."""
    vendor = vendors.openrouter()
    with vendor.serving() as account:
        monkeypatch.setenv("PLANNER_OPENROUTER_PULL_URL", account.url)
        monkeypatch.setenv("PLANNER_OPENROUTER_PROVISIONING_KEY", "sk-other-secret")
        said = pulls("pull", "openrouter")
    assert (said.code, "OPENROUTER_PROVISIONING_KEY has to be a management key" in " ".join(said.err.split())) == (
        1,
        True,
    )
    assert "secret" not in said.err
    (report,) = pulls("pull", "--list", "--json").json["reports"]
    assert (report["state"], report["error"]["code"]) == ("failing", "http_status")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("openai",), "OPENAI_ADMIN_KEY"),
        (("acme",), "one of openai, anthropic, openrouter"),
        (("anthropic", "--from", "yesterday"), "a day such as"),
        (("anthropic", "--only", "costs", "--to", "2026-12-24"), "only days that are over"),
        (("anthropic", "--only", "invoices"), "usage and costs"),
    ],
)
def test_what_cannot_be_pulled_is_said(
    pulls: Planner, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    """No key, no such vendor, no such days: exit 2, and nothing is asked."""
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", "k")
    said = pulls("pull", *arguments)
    assert (said.code, words in said.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PLANNER_OPENAI_PULL_URL", "http://api.openai.test"),
        ("PLANNER_OPENAI_PULL_URL", "https://user:word@api.openai.test"),
        ("OPENAI_ADMIN_KEY", "two words"),
        ("OPENAI_ADMIN_KEY", "clé"),
    ],
)
def test_a_key_goes_nowhere_in_the_clear(
    pulls: Planner, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Nor does one that is none; what was set is not repeated."""
    monkeypatch.setenv(name, value)
    said = pulls("pull", "--list")
    assert (said.code, value in said.err + said.out) == (2, False)
