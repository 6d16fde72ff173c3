"""Evidence on the command line: what is on record, who says what, and an admin's changes, each also as JSON."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from planner.cli import evidencing, governing
from planner.store import terms
from planner.store.engine import Store
from planner.store.governing import proposals
from planner.store.tables import audit
from tests import make
from tests.cli.test_commands import Planner, planner
from tests.cli.test_desk import OFFER, desk
from tests.conftest import NOW

__all__ = ["desk", "planner"]

_NAMED = {
    "source_url": "https://acme.example/privacy", "verified_at": "2026-11-01", "expires_at": "2027-11-01",
    "confidence": "verified",
}  # fmt: skip
READ = [word for name, value in _NAMED.items() for word in ("--fact", f"{name}={value}")]
WHY = ["--reason", "read their page"]


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands run soon after the catalogue was installed."""
    for module in (evidencing, governing):
        monkeypatch.setattr(module, "now", lambda: NOW + timedelta(days=3))


def test_evidence_is_entered_shown_and_ended(desk: Planner) -> None:
    """What was entered decides the offer at once, is listed with its facts, and says nothing once it is ended."""
    facts = ["--fact", "trains_on_prompts=yes", "--fact", "datacenter_countries=US DE"]
    done = desk("terms", "set", "offer", OFFER, *facts, *READ, *WHY, "--json").json
    shown = desk("terms", "show", OFFER, "--json").json
    assert shown["effective"]["trains_on_prompts"] is True
    assert done["entered"][0] in shown["effective"]["evidence"]
    listed = desk("terms", "list", "--subject", OFFER)
    assert (listed.code, "trains_on_prompts=yes datacenter_countries=DE,US" in listed.out) == (0, True)
    ended = desk("terms", "end", done["entered"][0], *WHY)
    assert (ended.code, done["entered"][0] in ended.out) == (0, True)
    assert desk("terms", "list", "--subject", OFFER, "--source", "entered", "--json").json == []


def test_who_says_what_is_shown_with_what_they_disagree_on(desk: Planner) -> None:
    """Both rows stand under the effective facts, each with its page, and the conflict is named."""
    provider = "openai"
    desk("terms", "set", "provider", provider, "--fact", "trains_on_prompts=yes", *READ, *WHY)
    said = desk("terms", "show", OFFER)
    assert said.code == 0
    assert "https://acme.example/privacy" in said.out
    conflicts = next(line for line in said.out.splitlines() if line.startswith("conflicts"))
    assert "trains_on_prompts" in conflicts


@pytest.mark.parametrize("ending", ["toml", "json"])
def test_facts_come_from_a_file_too(desk: Planner, tmp_path: Path, ending: str) -> None:
    """A file has the names of the API's body, and an option goes before it."""
    said = {**_NAMED, "retains_prompts": True, "retention_days": 30, "headquarters": "US"}
    file = tmp_path / f"facts.{ending}"
    toml = "\n".join(f"{name} = {json.dumps(value)}" for name, value in said.items())
    file.write_text(json.dumps(said) if ending == "json" else toml)
    arguments = ["provider", "openai", "--file", str(file), "--fact", "retention_days=7", *WHY]
    done = desk("terms", "set", *arguments, "--json")
    assert done.code == 0
    [row] = desk("terms", "list", "--subject", "openai", "--source", "entered", "--json").json
    assert (row["retention_days"], row["headquarters"]) == (7, "US")


def test_a_feeds_word_is_accepted(desk: Planner, installed_copy: Store) -> None:
    """A row of a feed is believed until a day; a row that no feed said is refused as a conflict."""
    feeds = "feed:1"
    ours = desk("terms", "list", "--limit", "1", "--json").json[0]["id"]
    heard = make.terms("openai", id=feeds, source="feed", curated=False, trains_on_prompts=False)
    installed_copy.tell(lambda connection: terms.hear(connection, [heard], NOW))
    done = desk("terms", "accept", feeds, "--expires-at", "2027-11-01", *WHY, "--json").json
    assert done["entered"][0].startswith(f"accepted:{feeds}:")
    refused = desk("terms", "accept", ours, "--expires-at", "2027-11-01", *WHY)
    assert (refused.code, "conflict" in refused.err) == (2, True)


def test_evidence_that_waits_is_approved(
    desk: Planner, installed_copy: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where two people are asked for, what lets more through waits, and a second person lets it through here too."""
    monkeypatch.setenv("PLANNER_TWO_PEOPLE", "true")
    good = ["--fact", "zdr=yes", *READ, *WHY]
    assert "Waits for a second person as proposal 1" in desk("terms", "set", "provider", "perplexity", *good).out
    file = tmp_path / "terms.toml"
    said = {"subject_kind": "provider", "subject": "perplexity", "zdr": True, **_NAMED}
    file.write_text("[[terms]]\n" + "\n".join(f"{name} = {json.dumps(value)}" for name, value in said.items()))
    assert "proposal 2" in desk("terms", "import", str(file), *WHY).out
    with installed_copy.write() as connection:
        connection.execute(proposals.update().values(proposed_by="somebody:else"))
    assert "done: proposal 1" in desk("proposals", "approve", "1", "--reason", "I read it too").out
    [row] = desk("terms", "list", "--subject", "perplexity", "--source", "entered", "--json").json
    assert row["zdr"] is True


def test_an_import_is_shown_before_it_is_made(desk: Planner, installed_copy: Store, tmp_path: Path) -> None:
    """A dry run says what the import would do and leaves not a row behind, of the audit trail neither."""
    file = tmp_path / "terms.csv"
    file.write_text(
        "subject_kind,subject,trains_on_prompts,source_url,verified_at,expires_at,confidence\n"
        "provider,openai,yes,https://acme.example/privacy,2026-11-01,2027-11-01,verified\n"
    )
    with installed_copy.read() as connection:
        before = terms.load(connection), connection.execute(audit.select()).all()
    tried = desk("terms", "import", str(file), *WHY, "--dry-run", "--json").json
    with installed_copy.read() as connection:
        assert (terms.load(connection), connection.execute(audit.select()).all()) == before
    assert (tried["dry_run"], [line["outcome"] for line in tried["terms"]]) == (True, ["entered"])
    assert "nothing is written" in desk("terms", "import", str(file), *WHY, "--dry-run").out
    made = desk("terms", "import", str(file), *WHY, "--json").json
    assert (made["dry_run"], made["alerts"]) == (False, tried["alerts"])
    assert "unchanged" in desk("terms", "import", str(file), *WHY).out


def test_what_is_exported_changes_nothing_when_it_is_imported(desk: Planner, tmp_path: Path) -> None:
    """Both formats come back as they went out."""
    for ending in ("csv", "toml"):
        out = tmp_path / f"terms.{ending}"
        assert desk("terms", "export", "--out", str(out)).code == 0
        lines = desk("terms", "import", str(out), *WHY, "--json").json["terms"]
        assert {line["outcome"] for line in lines} == {"unchanged"}
    assert desk("terms", "export").out.startswith("subject_kind,subject,")


def test_the_queue_says_whose_evidence_to_read_next(desk: Planner) -> None:
    """The dearest first, with what it would save which plan; what is entered leaves the queue."""
    said = desk("terms", "queue", "--limit", "3")
    first = desk("terms", "queue", "--limit", "1", "--json").json["items"][0]
    assert (said.code, f"provider {first['subject']}" in said.out, first["saves_usd_per_period"] in said.out) == (
        0,
        True,
        True,
    )
    assert "more; --limit shows them" in said.err
    good = ["--fact", "trains_on_prompts=no", "--fact", "zdr=yes", *READ, *WHY]
    assert desk("terms", "set", "provider", first["subject"], *good).code == 0
    left = desk("terms", "queue", "--limit", "1000", "--json").json["items"]
    assert (first["subject"], first["kind"]) not in {(item["subject"], item["kind"]) for item in left}
    assert desk("terms", "queue", "--policy", "zero-retention", "--json").json["policies"] == ["zero-retention"]
    assert desk("terms", "queue", "--policy", "none").code in (1, 2)


@pytest.mark.parametrize(
    "arguments",
    [
        ("set", "provider", "openai", "--fact", "trains_on_prompts=maybe", *READ, *WHY),
        ("set", "provider", "openai", "--fact", "trains_on_prompts", *READ, *WHY),
        ("set", "provider", "openai", "--fact", "nonsense=1", *READ, *WHY),
        ("set", "provider", "openai", "--fact", "trains_on_prompts=no", *WHY),
        ("set", "provider", "nobody-knows", "--fact", "trains_on_prompts=no", *READ, *WHY),
        ("set", "planet", "mars", "--fact", "trains_on_prompts=no", *READ, *WHY),
        ("set", "provider", "openai", "--file", "facts.txt", *WHY),
        ("show", "no:such/offer"),
        ("end", "no-such-row", *WHY),
        ("accept", "no-such-row", "--expires-at", "soon", *WHY),
        ("import", "no-such-file.csv", *WHY),
        ("export", "--format", "xml"),
    ],
)
def test_what_cannot_be_is_refused(desk: Planner, arguments: tuple[str, ...]) -> None:
    """Each is a usage error with a sentence on stderr, and writes nothing."""
    said = desk("terms", *arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err
