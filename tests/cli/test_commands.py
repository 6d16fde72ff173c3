"""The command line as its user meets it: what it prints, where, and with which exit code."""

import json
import socket
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from planner.cli import affording, asking, main
from planner.flows.bundle import read_bundle
from planner.store.engine import Store
from planner.store.schema import REVISION
from tests.conftest import NOW
from tests.loopback import Feed, listing


class Said(NamedTuple):
    """What a command said: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The JSON document on stdout."""
        return json.loads(self.out)


Planner = Callable[..., Said]


@pytest.fixture
def planner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Planner:
    """Run planner with an empty data folder and no feeds."""
    monkeypatch.setenv("PLANNER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PLANNER_SOURCES", "")
    monkeypatch.delenv("PLANNER_DATABASE_URL", raising=False)

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["planner", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code
        return Said(0 if code is None else int(code), said.out, said.err)

    return run


@pytest.fixture
def reader(planner: Planner, installed: Store, monkeypatch: pytest.MonkeyPatch) -> Planner:
    """Run planner over the installed catalogue, which must not be written."""
    monkeypatch.setenv("PLANNER_DATABASE_URL", installed.url)
    monkeypatch.setenv("PLANNER_KEY_PEPPER", "pepper")
    for module in (asking, affording):
        monkeypatch.setattr(module, "now", lambda: NOW + timedelta(minutes=1))
    return planner


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Feed]:
    """A models.dev on loopback, enabled as the only source."""
    made = Feed()
    made.body = listing()
    with made.serving() as url:
        monkeypatch.setenv("PLANNER_SOURCES", "models_dev")
        monkeypatch.setenv("PLANNER_MODELS_DEV_URL", url)
        yield made


@pytest.mark.parametrize(
    "words",
    [
        (), ("up",), ("serve",), ("worker",), ("refresh",), ("recommend",), ("cost",), ("tiers",), ("status",),
        ("price-plan",), ("trim",),
        ("bundle",), ("db",), ("db", "upgrade"), ("db", "check"), ("keys",), ("keys", "create"), ("keys", "revoke"),
        ("keys", "rotate"), ("keys", "grant"), ("keys", "list"), ("audit",), ("audit", "verify"), ("policies",),
        ("policies", "list"), ("audit", "list"), ("audit", "export"), ("db", "restored"),
        ("holds",), ("holds", "list"), ("holds", "approve"), ("holds", "reject"), ("aliases", "pending"),
        ("aliases", "settle"), ("prices", "history"), ("prices", "changes"), ("prices", "correct"),
        ("contracts", "list"), ("contracts", "add"), ("contracts", "end"), ("fees", "list"), ("fees", "add"),
        ("fees", "pay"), ("fees", "end"), ("fx", "list"), ("fx", "set"), ("offers", "set"), ("alerts", "list"),
        ("alerts", "messages"), ("alerts", "retry"), ("webhooks", "add"), ("webhooks", "disable"),
        ("terms",), ("terms", "list"), ("terms", "show"), ("terms", "set"), ("terms", "end"), ("terms", "accept"),
        ("terms", "export"), ("terms", "import"), ("terms", "queue"),
    ],
)  # fmt: skip
def test_every_command_has_help(planner: Planner, words: tuple[str, ...]) -> None:
    """``--help`` says what a command does and what each of its options means."""
    said = planner(*words, "--help")
    assert said.code == 0
    assert "Usage" in said.out


def test_nothing_works_before_the_database_is_set_up(planner: Planner) -> None:
    """Every command that needs it says which command makes it, and makes nothing itself."""
    for words in (("status",), ("refresh",), ("tiers",), ("keys", "list"), ("db", "check"), ("audit", "verify")):
        said = planner(*words)
        assert (said.code, said.out) == (2, "")
        assert "planner db upgrade" in said.err


def test_a_database_that_does_not_answer_is_said_so(planner: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is one sentence and exit 1, since nothing was typed wrongly; so is no database."""
    monkeypatch.setenv("PLANNER_DATABASE_URL", "postgresql://planner@127.0.0.1:1/planner")
    for words in (("status",), ("db", "upgrade")):
        said = planner(*words)
        assert said.code == 1
        assert said.err.count("\n") == 1
        assert "does not answer" in said.err
    file = Path(__file__)
    monkeypatch.setenv("PLANNER_DATABASE_URL", f"sqlite:///{file}")
    before = file.read_bytes()
    assert planner("status").code == 1
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("PLANNER_PORT", "abc", "PLANNER_PORT"),
        ("PLANNER_REFRESH_MINUTES", "0", "PLANNER_REFRESH_MINUTES"),
        ("PLANNER_DATA_DIR", "/proc/nothing", "/proc/nothing"),
        ("PLANNER_DATABASE_URL", "mysql://x/y", "database_url"),
        ("PLANNER_SOURCES", "nobody", "PLANNER_SOURCES"),
    ],
)
def test_a_wrong_setting_is_named(
    planner: Planner, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    """One sentence with its name, exit 2, no traceback."""
    if variable == "PLANNER_SOURCES":
        planner("db", "upgrade", "--no-bundle")
    monkeypatch.setenv(variable, value)
    found = planner("refresh") if variable == "PLANNER_SOURCES" else planner("db", "upgrade", "--no-bundle")
    assert found.code == 2
    assert said in found.err


@pytest.mark.parametrize(
    "words",
    [
        ("status",), ("refresh",), ("refresh", "models_dev", "--from-file", "none"), ("up", "--no-serve"),
        ("serve", "--port", "99999"), ("worker",),
    ],
)  # fmt: skip
def test_a_feed_nobody_knows_is_said_before_anything_else(
    planner: Planner, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Whatever goes by the feeds refuses a name that is none with those that are, and has printed nothing by then."""
    planner("db", "upgrade", "--no-bundle")
    monkeypatch.setenv("PLANNER_SOURCES", "models_dev,bogus")
    found = planner(*words)
    assert (found.code, found.out) == (2, "")
    assert "field: PLANNER_SOURCES\n  problem: 'bogus' is not one of openrouter, litellm, models_dev" in found.err
    assert "Refreshing" not in found.err


def test_a_taken_port_is_said_before_anything_listens(planner: Planner) -> None:
    """The address is not printed as if it were served; the reason is."""
    planner("db", "upgrade", "--no-bundle")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = planner("serve", "--port", str(taken.getsockname()[1]))
    assert (found.code, found.out) == (2, "")
    assert "cannot listen on 127.0.0.1" in found.err


def test_feeds_first(planner: Planner, feed: Feed) -> None:
    """Set up without the bundle, refresh, refresh again: published, then unchanged; status knows the source."""
    feed.etag = '"v1"'
    assert planner("db", "upgrade", "--no-bundle").code == 0
    assert planner("db", "check", "--json").json == {"schema": REVISION}
    first = planner("refresh", "--json").json
    assert (first["revision"], first["cards_opened"]) == (1, 60)
    assert first["sources"][0]["priced"] == first["sources"][0]["rows_read"] == 60
    second = planner("refresh").out
    assert "unchanged" in second
    assert "Nothing changed" in second
    state = planner("status", "--json").json["sources"]
    assert next(row for row in state if row["source"] == "models_dev")["error"] is None
    assert "60" in planner("status").out


def test_a_feed_that_fails_is_exit_1_with_its_reason(planner: Planner, feed: Feed) -> None:
    """Nothing taken: exit 1, the reason in the table and in the status."""
    planner("db", "upgrade", "--no-bundle")
    feed.body = b"<!doctype html>"
    said = planner("refresh")
    assert said.code == 1
    assert "not_json" in said.out
    assert "not_json" in planner("status").out


def test_a_source_is_read_from_a_file(planner: Planner, tmp_path: Path) -> None:
    """``--from-file`` needs a source and a file; what it reads is published like any feed."""
    planner("db", "upgrade", "--no-bundle")
    path = tmp_path / "feed.json"
    path.write_bytes(listing())
    assert planner("refresh", "models_dev", "--from-file", str(path), "--json").json["cards_opened"] == 60
    assert planner("refresh", "--from-file", str(path)).code == 2
    assert planner("refresh", "nobody", "--from-file", str(path)).code == 2
    assert "no such file" in planner("refresh", "models_dev", "--from-file", str(tmp_path / "none")).err
    assert "is a directory" in planner("refresh", "models_dev", "--from-file", str(tmp_path)).err
    assert planner("refresh", "litellm").code == 2
    assert "printable" in planner("keys", "create", "--name", " ", "--role", "admin").err


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("requesty", "PLANNER_SOURCES=models_dev,requesty planner refresh requesty turns it on"),
        ("nobody", "one of models_dev is needed; PLANNER_SOURCES may also name openrouter, litellm, "),
    ],
)
def test_a_source_that_is_turned_off_says_how_to_turn_it_on(
    planner: Planner, monkeypatch: pytest.MonkeyPatch, source: str, said: str
) -> None:
    """The setting is named with the value that would do; a name nobody has gets the names there are."""
    planner("db", "upgrade", "--no-bundle")
    monkeypatch.setenv("PLANNER_SOURCES", "models_dev")
    found = planner("refresh", source)
    assert found.code == 2
    assert said in " ".join(found.err.split())


def test_a_summary_names_five_unmapped_keys_and_where_all_of_them_are(planner: Planner, tmp_path: Path) -> None:
    """The commonest ones in the summary of a refresh; each with its rows by --keys, then and later, and as JSON."""
    planner("db", "upgrade", "--no-bundle")
    assert planner("status", "--keys").out == "Every price key of the last readings is mapped.\n"
    file = tmp_path / "litellm.json"
    rows = {
        f"m{n}": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-6}
        | {f"input_cost_per_token_{letter}": 1e-6 for letter in "abcdefg"[: n + 1]}
        for n in range(7)
    }
    file.write_text(json.dumps(rows))
    words = ("refresh", "litellm", "--from-file", str(file))
    said = " ".join(planner(*words).err.split())
    assert "input_cost_per_token_a 7, input_cost_per_token_b 6, " in said
    assert "input_cost_per_token_e 3, and 2 more: planner status --keys" in said
    for listed in (planner("status", "--keys").out, planner(*words, "--keys").out, planner("status", "--keys").out):
        for count, letter in enumerate("gfedcba", 1):
            assert ["litellm", f"input_cost_per_token_{letter}", str(count)] in map(str.split, listed.splitlines())
    assert planner("status", "--json").json["sources"][0]["unmapped"]["input_cost_per_token_g"] == 1


def test_a_key_is_shown_once_listed_without_secret_and_revoked(planner: Planner) -> None:
    """Create, list, revoke; a second revocation, an unknown role and an unknown prefix are refused."""
    planner("db", "upgrade", "--no-bundle")
    made = planner("keys", "create", "--name", "shop", "--role", "backend", "--json").json
    listed = planner("keys", "list", "--json")
    assert made["key"] not in listed.out
    prefix = listed.json[0]["prefix"]
    assert made["key"].startswith(prefix)
    assert "shop" in planner("keys", "list").out
    assert planner("keys", "revoke", prefix).code == 0
    assert planner("keys", "revoke", prefix).code == 2
    assert planner("keys", "create", "--name", "x", "--role", "root").code == 2
    assert "whole" in planner("audit", "verify").out
    found = planner("audit", "verify", "--json").json
    assert (found["whole"], found["broken_at"]) == (True, None)
    expect = f"{found['last_seq']}:{found['last_hash']}"
    assert planner("audit", "verify", "--expect", expect).code == 0
    assert planner("audit", "verify", "--expect", f"{found['last_seq'] + 1}:{found['last_hash']}").code == 1
    assert [entry["action"] for entry in planner("audit", "list", "--json").json][:2] == ["key.revoke", "key.create"]
    assert planner("db", "restored", "--reason", "a drill", "--json").json["policy"] > 0
    assert planner("db", "upgrade", "--json").json == {"schema": REVISION, "bundle": True}


def test_up_sets_up_answers_and_shows_a_key_once(planner: Planner) -> None:
    """The first run prints the worked question, its answer and a key; the second one only says where the key is."""
    first, second, third = (
        planner("up", "--no-serve"),
        planner("up", "--no-serve"),
        planner("up", "--no-serve", "--json"),
    )
    assert "choice" in first.out
    assert "Admin key, shown once: pk_" in first.out
    assert "pk_" not in second.out
    assert (first.code, second.code) == (0, 0)
    assert third.json["answer"]["choice"]["offer"] in first.out
    assert (third.json["admin_key"], third.json["address"]) == (None, None)


def test_recorded_feeds_become_a_bundle(planner: Planner, tmp_path: Path) -> None:
    """A file, its source and its day are written as claims; a word that is not of that form is refused."""
    planner("db", "upgrade", "--no-bundle")
    feed, out = tmp_path / "feed.json", tmp_path / "out.jsonl.gz"
    feed.write_bytes(listing())
    made = planner("bundle", "--out", str(out), f"models_dev={feed}@2026-11-24", "--json").json
    assert (made["claims"], made["sources"]) == (60, 1)
    assert sum(len(reading.claims) for reading in read_bundle(out)) == 60
    assert planner("bundle", "--out", str(out), str(feed)).code == 2


def test_an_answer_and_a_refusal_as_json(reader: Planner) -> None:
    """``--json`` is the API's answer; a refusal is its code and facts, on stdout, exit 1."""
    answer = reader("recommend", "--plan", "pro", "--task", "chat", "--json")
    assert answer.json["choice"]["offer"]
    refused = reader(
        "recommend", "--input-tokens", "2600", "--output-tokens", "450", "--requests", "900", "--revenue-usd", "0.01",
        "--margin", "0.99", "--json",
    )  # fmt: skip
    assert (refused.code, refused.json["code"]) == (1, "margin_unreachable")


def test_a_plan_is_priced_and_cut_on_the_command_line(reader: Planner) -> None:
    """Tables with their units, and under ``--json`` the API's answers."""
    priced = reader("price-plan", "pro")
    assert priced.code == 0
    assert "price min USD" in priced.out
    assert "all tasks  tokens USD/period 0.1" in priced.out
    assert reader("price-plan", "pro", "--task", "chat", "--json").json["tasks"][0]["task"] == "chat"
    cut = reader("trim", "pro", "chat", "--offer", "direct:openai/gpt-5.4")
    assert "costs 7.02 USD a period, the budget is 4.12" in cut.out or "the budget is 4.12" in cut.out
    assert "prompt tokens cut" in cut.out
    assert "one tier down: " in cut.out
    short = reader("trim", "pro", "chat", "--offer", "direct:openai/gpt-5.4", "--cut", "input")
    assert "cut input: not enough (too_dear); 6.075 USD a period stay when all of it is gone" in short.out
    assert reader("trim", "pro", "chat", "--json").json["trim"]["ratio"] == "0"
    tiers = reader("tiers", "--plan", "starter")
    assert "chat: tier 2 is the strongest it affords" in tiers.out
    assert "chat: no tier is the strongest it affords" in reader("tiers", "--plan", "free").out
    assert reader("tiers", "--plan", "pro", "--task", "chat", "--json").json["items"][0]["task"] == "chat"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("trim", "pro", "nothing"), 2, "nothing"),
        (("trim", "free", "chat"), 2, "margin"),
        (("price-plan", "nobody"), 2, "nobody"),
        (("tiers", "--task", "chat"), 2, "--plan is needed"),
        (("recommend",), 2, "--plan and --task are needed, or --input-tokens"),
        (("recommend", "--plan", "pro"), 2, "plan and task go together"),
        (("recommend", "--plan", "nobody", "--task", "chat"), 2, "nobody"),
        (("recommend", "--input-tokens", "1", "--policy", "nobody"), 1, "unknown_policy"),
        (("recommend", "--input-tokens", "1", "--model", "no/such"), 1, "unknown_model"),
        (("recommend", "--input-tokens", "1", "--revenue-usd", "1e999999999"), 2, "revenue_usd"),
        (("recommend", "--input-tokens", "-1"), 2, "input-tokens"),
        (("recommend", "--input-tokens", "1", "--at", "yesterday"), 2, "problem: a time such as"),
        (("recommend", "--input-tokens", "1", "--capability", "x"), 2, "problem: one of tools, "),
        (("cost", "direct:nobody/nothing", "input_tokens=1"), 2, "direct:nobody/nothing"),
        (("cost", "direct:openai/gpt-5", "input_tokens"), 2, "name=number"),
        (("cost", "direct:openai/gpt-5", "input_tokens=" + "9" * 5_000), 2, "name=number"),
        (("cost", "direct:openai/gpt-5", "tokens=1"), 2, "field: tokens\n  problem: an unknown field"),
        (("cost", "direct:openai/gpt-5", "input_tokens=1", "cache_read_tokens=2"), 2, "impossible_usage"),
        (("cost", "direct:openai/gpt-5", "input_tokens=1", "--service-tier", "FLEX"), 2, "service_tier"),
        (("cost", "direct:openai/gpt-5", "pages=1"), 1, "unpriced"),
        (("tiers", "--at", "2025-08-25"), 2, "at"),
    ],
)
def test_bad_input_is_one_clear_paragraph(reader: Planner, words: tuple[str, ...], code: int, said: str) -> None:
    """Exit 2 for what cannot be read or found, 1 for a sound question without an answer; the reason on stderr."""
    found = reader(*words)
    assert (found.code, found.out) == (code, "")
    assert said in found.err
    assert "Traceback" not in found.err


def test_units_without_a_price_are_named_plainly(reader: Planner) -> None:
    """The unit stands there as its name, as every other fact does, and not in Python's notation."""
    assert "  units: page\n" in reader("cost", "direct:openai/gpt-5", "pages=1").err


def test_tables_for_people(reader: Planner) -> None:
    """Tiers, status and policies print tables with units in their headings."""
    assert "output USD/M" in reader("tiers", "--at", "2025-08-25T12:00:00Z").out
    assert "revision 2" in reader("status").out
    assert "no-training" in reader("policies", "list").out
    assert {policy["name"] for policy in reader("policies", "list", "--json").json} > {"no-training"}
