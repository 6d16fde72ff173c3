"""The desk on the command line: what waits, what is pending, what was agreed, and who is told, each also as JSON."""

from datetime import timedelta
from pathlib import Path

import pytest

from planner.store.engine import Store
from tests import make
from tests.cli.test_commands import Planner, planner
from tests.conftest import NOW
from tests.loopback import Feed

__all__ = ["planner"]

OFFER = "direct:openai/gpt-4o-mini"


@pytest.fixture
def desk(planner: Planner, installed_copy: Store, monkeypatch: pytest.MonkeyPatch) -> Planner:
    """Run planner over a copy of the installed catalogue."""
    monkeypatch.setenv("PLANNER_DATABASE_URL", installed_copy.url)
    monkeypatch.setenv("PLANNER_KEY_PEPPER", "pepper")
    return planner


def test_the_queue_is_listed_and_worked_off(desk: Planner) -> None:
    """Reasons and figures in a table; approving and rejecting by number, in one go or not at all."""
    said = desk("holds", "list")
    assert said.code == 0
    assert "cache_above_input" in said.out
    first, second, third = (row["id"] for row in desk("holds", "list", "--limit", "3", "--json").json)
    done = desk("holds", "reject", str(first), str(second), "--reason", "a slip", "--json").json
    assert [row["state"] for row in done] == ["rejected", "rejected"]
    assert "approved: hold" in desk("holds", "approve", str(third), "--reason", "looked").out
    again = desk("holds", "approve", str(third), "--reason", "looked")
    assert (again.code, "conflict" in again.err) == (2, True)
    states = [row["state"] for row in desk("holds", "list", "--state", "all", "--limit", "3", "--json").json]
    assert states == ["rejected", "rejected", "approved"]
    assert "The audit trail is whole." in desk("audit", "verify").out


def test_spellings_are_settled_from_words_and_from_a_file(desk: Planner, tmp_path: Path) -> None:
    """Most offers first; a CSV settles many; a wrong one settles none; an empty model takes one back."""
    assert "offers wait on them" in desk("aliases", "pending", "--limit", "3").out
    pending = desk("aliases", "pending", "--limit", "2", "--json").json
    one, two = (f"{row['namespace']}:{row['spelling']}" for row in pending["items"])
    settled = desk("aliases", "settle", f"{one}=openai/gpt-4o", "--reason", "page")
    assert settled.out == "1 of 1 spellings settled anew\n"
    namespace, _colon, spelling = two.partition(":")
    file = tmp_path / "aliases.csv"
    file.write_text(f"namespace,spelling,model\n{namespace},{spelling},openai/gpt-4o\n")
    assert desk("aliases", "settle", "--file", str(file), "--reason", "page", "--json").json["settled"] == 1
    assert desk("aliases", "settle", f"{one}=", "--reason", "it is not", "--json").json["settled"] == 1
    file.write_text("spelling\nx\n")
    for arguments in (["--file", str(file)], ["--file", str(tmp_path / "none")], ["nonsense"], [], [f"{one}=no/such"]):
        assert desk("aliases", "settle", *arguments, "--reason", "x").code == 2


def test_a_past_price_is_corrected_and_both_answers_stay(desk: Planner, tmp_path: Path) -> None:
    """The history shows the correction; as known before, it does not; the changes by record name it."""
    rates = tmp_path / "rates.toml"
    rates.write_text('[[rates]]\nunit = "input_token"\nusd = "0.3"\nper = 1000000\n')
    stretch = ["--from", "2026-10-01T00:00:00Z", "--to", "2026-11-01T00:00:00Z"]
    said = desk(
        "prices", "correct", OFFER, *stretch, "--rates", str(rates), "--source-url", "https://invoice.test",
        "--reason", "invoice",
    )  # fmt: skip
    assert (said.code, "opened" in said.out) == (0, True)
    now = desk("prices", "history", OFFER, "--json").json["items"]
    then = desk("prices", "history", OFFER, "--known-at", "2026-11-24T12:00:30Z", "--json").json["items"]
    assert len(now) == len(then) + 2
    assert "correction" in desk("prices", "history", OFFER).out
    listed = desk("prices", "changes", "--since", "2026-11-24T12:00:30Z", "--recorded", "--json").json
    assert {row["after"]["evidence"]["source"] for row in listed} >= {"correction"}
    assert "prices since" in desk("prices", "changes", "--since", "2026-08-01T00:00:00Z", "--limit", "3").out
    assert desk("prices", "changes", "--since", "yesterday").code == 2
    rates.write_text("[[[")
    broken = desk("prices", "correct", OFFER, *stretch, "--rates", str(rates), "--source-url", "u", "--reason", "r")
    assert broken.code == 2


def test_agreements_are_entered_listed_and_ended(desk: Planner, tmp_path: Path) -> None:
    """A contract, a way of paying, an exchange rate and an own offer: each in a line, each in its list."""
    made = desk(
        "contracts", "add", "--name", "frame", "--provider", "openai", "--discount-percent", "12.5", "--valid-from",
        "2026-01-01T00:00:00Z", "--reference", "17", "--reason", "signed", "--json",
    ).json  # fmt: skip
    assert "frame" in desk("contracts", "list").out
    assert desk("contracts", "list", "--json").json[0]["discount_percent"] == "12.5"
    assert desk("contracts", "end", str(made["id"]), "--reason", "over").code == 0
    assert desk("contracts", "end", str(made["id"]), "--reason", "over").code == 2
    assert desk("fees", "pay", "openrouter", "own_key", "--list-usd-per-month", "1000").code == 0
    assert desk("fees", "pay", "openrouter", "barter").code == 2
    chosen = [row for row in desk("fees", "list", "--json").json if row["channel"] == "openrouter" and row["chosen"]]
    assert {row["payment"] for row in chosen if row["valid_to"] is None} == {"own_key"}
    assert "of_list_price" in desk("fees", "list").out
    rate = ["--source", "ECB", "--source-url", "https://ecb.test"]
    assert desk("fx", "set", "EUR", "2026-11-23", "1.1", *rate).out == "1 EUR = 1.1 USD from 2026-11-23 on\n"
    assert desk("fx", "set", "euro", "2026-11-23", "1.1", *rate).code == 2
    for day in ("2026-W01-1", "20260203xx", "2026-02-30"):
        assert desk("fx", "set", "EUR", day, "1.1", *rate).code == 2
    assert desk("fx", "list", "--json").json[0]["usd"] == "1.1"
    assert "EUR" in desk("fx", "list", "--currency", "EUR").out
    file = tmp_path / "own.toml"
    file.write_text(
        'provider = "our-gpus"\nmodel_spelling = "llama"\nsource_url = "https://wiki.test"\nreason = "ours"\n'
        'valid_from = 2026-11-01T00:00:00Z\n[[rates]]\nunit = "input_token"\nusd = "1"\nper = 1000000\n'
        '[[rates]]\nunit = "output_token"\nusd = "1"\nper = 1000000\n'
    )
    assert desk("offers", "set", str(file)).out == "published: self-hosted:our-gpus/llama\n"
    assert desk("cost", "self-hosted:our-gpus/llama", "input_tokens=1000000", "--json").json["total_usd"] == "1"
    named = 'provider = "our-gpus"\nmodel_spelling = "llama"\nsource_url = "https://wiki.test"\nreason = "ours"\n'
    file.write_text(named)
    assert desk("offers", "set", str(file)).code == 2  # a forgotten line ends no price
    file.write_text(named + 'rates = "withdrawn"\n')
    assert desk("offers", "set", str(file)).out == "unpriced: self-hosted:our-gpus/llama\n"
    file.write_text("surprise = 1")
    assert desk("offers", "set", str(file)).code == 2


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("r.toml", 'rates = [{unit="input_token", usd="3", per=99999999999999999999999999}]', "per 1 to 1000000000"),
        ("r.toml", 'rates = [{unit="input_token", usd="0.3", per=1000000000}]', "below_floor"),
        ("r.toml", 'foo = 1\nrates = [{unit="input_token", usd="3", per=1000000}]', "an unknown key"),
        ("r.json", '{"rates": [{"unit": "input_token", "usd": "3", "usd": "4", "per": 1000000}]}', "repeated"),
        ("r.json", '{"rates": [{"unit": "input_token", "usd": "4"}]}', "above_ceiling"),
    ],
)
def test_a_correction_with_a_slip_corrects_nothing(
    desk: Planner, tmp_path: Path, name: str, text: str, said: str
) -> None:
    """No correction makes the past free, or a thousand times dearer, by a figure or a key that was mistyped."""
    file = tmp_path / name
    file.write_text(text)
    past = ("--from", "2026-08-25T00:00:00Z", "--to", "2026-09-10T00:00:00Z", "--source-url", "x", "--reason", "y")
    found = desk("prices", "correct", "direct:openai/gpt-5.4", *past, "--rates", str(file))
    assert (found.code, found.out) == (2, "")
    assert said in found.err


@pytest.mark.parametrize(
    "words", [("99999999999999999999", "--reason", "x"), ("1", "--reason", " "), ("0", "--reason", "x")]
)
def test_a_decision_needs_a_number_and_a_reason(desk: Planner, words: tuple[str, ...]) -> None:
    """Numbers no database holds and reasons that say nothing are refused before anything is looked up."""
    assert desk("holds", "approve", *words).code == 2


FEE = {
    "--channel": "requesty", "--percent": "4", "--basis": "markup", "--valid-from": "2026-11-20T00:00:00Z",
    "--source-url": "https://requesty.ai/pricing", "--reason": "the vendor's page",
}  # fmt: skip


def test_a_fee_is_entered_and_takes_the_place_of_the_one_before(desk: Planner) -> None:
    """Its number in a line; the list has it from its day on, and the fee it follows until then."""
    made = desk("fees", "add", *(word for pair in FEE.items() for word in pair))
    markups = [row for row in desk("fees", "list", "--json").json if row["channel"] == "requesty"]
    assert made.out == f"fee {markups[-1]['id']}\n"
    assert {(row["percent"], row["valid_to"]) for row in markups} == {("5", FEE["--valid-from"]), ("4", None)}
    assert desk("audit", "verify").code == 0


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--channel", "nobody", "kind: channel"),
        ("--percent", "101", "field: percent\n  problem: at most 100 percent"),
        ("--percent", "-1", "field: percent\n  problem: must not be negative"),
        ("--basis", "barter", "field: basis"),
        ("--payment", "barter", "field: payment"),
        ("--valid-from", "yesterday", "field: valid_from\n  problem: a time such as"),
        ("--valid-to", "2026-11-19T00:00:00Z", "field: valid_to\n  problem: later than valid_from"),
        ("--minimum-usd", "much", "field: minimum_usd"),
    ],
)
def test_a_fee_with_a_slip_is_not_entered(desk: Planner, option: str, value: str, said: str) -> None:
    """The option that does not fit is named, and nothing is written."""
    before = desk("fees", "list", "--json").json
    found = desk("fees", "add", *(word for pair in {**FEE, option: value}.items() for word in pair))
    assert (found.code, found.out) == (2, "")
    assert said in found.err
    assert desk("fees", "list", "--json").json == before


def test_receivers_and_messages(desk: Planner) -> None:
    """A receiver's secret is printed once; lists of alerts and messages are tables, or JSON."""
    said = desk("webhooks", "add", "https://alerts.example.com/planner", "--kind", "price_rise")
    assert "whsec_" in said.out
    assert desk("webhooks", "add", "http://127.0.0.1/").code == 2
    assert desk("webhooks", "disable", "1").code == 0
    assert desk("webhooks", "disable", "1").code == 2
    assert desk("alerts", "list", "--json").json == []
    assert desk("alerts", "messages", "--json").json == []
    assert "alerts" in desk("alerts", "list").out
    assert desk("alerts", "retry", "1").code == 2


def test_a_list_without_an_adapter_is_refreshed_by_its_mapping(
    desk: Planner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file, no code: fetched, priced and listed among the sources; a broken file is named."""
    feed = Feed()
    rows = ", ".join(f'{{"name": "m{n}", "usd": {{"in": 1.5, "out": 2}}}}' for n in range(5))
    feed.body = f'{{"models": [{rows}]}}'.encode()
    file = tmp_path / "acme.toml"
    with feed.serving() as url:
        file.write_text(
            f'name = "acme-list"\ntitle = "Acme"\nlicence = "ours"\nurl = "{url}/list"\nprovider = "acme-ai"\n'
            'rows = "models"\nid = "name"\nunit = "usd_per_mtok"\n'
            '[prices]\ninput_token = "usd.in"\noutput_token = "usd.out"\n'
        )
        monkeypatch.setenv("PLANNER_MAPPINGS", str(file))
        summary = desk("refresh", "acme-list", "--json").json
    assert (summary["sources"][0]["outcome"], summary["sources"][0]["priced"]) == ("published", 5)
    assert desk("cost", "direct:acme-ai/m3", "input_tokens=1000000", "--json").json["total_usd"] == "1.5"
    assert "acme-list" in desk("status").out
    file.write_text("name = 1")
    broken = desk("refresh", "--json")
    assert (broken.code, "acme.toml" in broken.out) == (2, True)
    file.write_text(
        'name = "acme-list"\ntitle = "Acme"\nlicence = "ours"\nurl = "https://a.test"\nid = "name"\nunit = "usd"\n'
        '[prices]\ninput_token = "in"\n'
    )
    assert "problem: either provider or provider_path is needed\n" in desk("refresh").err
    monkeypatch.setenv("PLANNER_MAPPINGS", str(tmp_path / "none.toml"))
    assert desk("refresh").code == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("namespace,spelling,model\nkyma\n", "line 2"),
        ("namespace,spelling,model\nkyma,foo\n", "line 2"),
        ("namespace,spelling,model\nopenai,gpt-4o,openai/gpt-4o,x\n", "line 2"),
        ("namespace,spelling,model\nnobody,foo,openai/gpt-4o\n", "no provider or channel"),
        ("namespace,spelling,model\nopenai,a,openai/gpt-4o\nopenai,a,openai/gpt-4o-mini\n", "two meanings"),
        ("namespace,spelling,model\nopenai,a,no/such\n", "no model is registered"),
        ("spelling,model\na,b\n", "in this order"),
    ],
)
def test_a_file_of_aliases_with_a_slip_settles_nothing(desk: Planner, tmp_path: Path, text: str, said: str) -> None:
    """The line is named, and nothing is taken back or settled by a cell that is missing."""
    file = tmp_path / "aliases.csv"
    file.write_text(text)
    done = desk("aliases", "settle", "--file", str(file), "--reason", "x")
    assert done.code == 2
    assert said in done.err


def test_a_spreadsheets_file_and_a_new_model_settle(desk: Planner, tmp_path: Path) -> None:
    """A mark before the first character is no part of a name; equal rows count once; a model can be new."""
    file = tmp_path / "aliases.csv"
    file.write_bytes(b"\xef\xbb\xbfnamespace,spelling,model\r\nopenai,acme-1,acme/one\r\nopenai,acme-1,acme/one\r\n")
    words = ["aliases", "settle", "--file", str(file), "--reason", "x"]
    assert desk(*words).code == 2
    assert "1 of 1" in desk(*words, "--new-model", "acme/one=Acme One").out
    assert desk(*words, "--new-model", "ACME/one=Acme").code == 2


@pytest.mark.parametrize(
    "words",
    [
        ["holds", "list", "--state", "foo"], ["holds", "list", "--source", "foo"], ["alerts", "list", "--kind", "foo"],
        ["alerts", "messages", "--state", "foo"],
    ],
)  # fmt: skip
def test_a_slip_in_a_filter_is_not_nothing(desk: Planner, words: list[str]) -> None:
    """The words that would do are named."""
    done = desk(*words)
    assert (done.code, "is not one of" in done.err) == (2, True)


def test_receivers_are_listed_without_their_secrets(desk: Planner) -> None:
    """Number, address and kinds; the secret was shown once."""
    made = desk("webhooks", "add", "https://hooks.example.com/x", "--json").json
    listed = desk("webhooks", "list")
    assert "https://hooks.example.com/x" in listed.out
    assert made["secret"] not in listed.out + desk("webhooks", "list", "--json").out


def test_words_for_providers_are_listed_and_settled(desk: Planner, installed_copy: Store) -> None:
    """The most waiting first; FEED:WORD=PROVIDER, with a provider that is new."""
    make.stranger(installed_copy, NOW + timedelta(days=1))
    first = desk("aliases", "providers", "--json").json["items"][0]
    assert first["word"] in desk("aliases", "providers", "--limit", "3").out
    words = ["aliases", "settle-providers", f"{first['feed']}:{first['word']}=acme-inc", "--reason", "x"]
    assert desk(*words).code == 2
    assert "1 of 1" in desk(*words, "--new-provider", "acme-inc=Acme").out
    assert desk(*words, "--json").json == {"settled": 0}
