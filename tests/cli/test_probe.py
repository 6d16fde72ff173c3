"""Probing as its user meets it: what is sent to whom, what that costs, what is kept, and what is never told."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.progress import Progress

from planner.cli import probing
from planner.core.claim import Claim, Reading, Segment
from planner.core.offer import OfferFacts
from planner.store import policies
from planner.store.engine import Store, open_store
from planner.store.publish import publish
from planner.store.revision import bump
from tests import make
from tests.chat_api import ChatApi, Manner
from tests.cli.test_commands import Planner, planner
from tests.conftest import NOW
from tests.databases import furnished

__all__ = ["planner"]

QUICK_OFFER, SLOW_OFFER, REFUSED_OFFER = "direct:deepinfra/quick", "direct:openai/slow", "direct:deepseek/refused"
BROKERED, BARE, NOWHERE = "openrouter:deepinfra/x/m@fp4", "openrouter:deepinfra/x/m", "direct:wandb/nowhere"
KEY = "sk-CANARY-KEY-0123456789"
BILL = {"prompt_tokens": 2_600, "completion_tokens": 5, "total_tokens": 2_605}
TASK = ("--plan", "pro", "--task", "chat")


@pytest.fixture
def api() -> ChatApi:
    """An API on which one model waits before it speaks."""
    return ChatApi(
        quick=Manner(usage=BILL, between_seconds=0.002),
        slow=Manner(usage=BILL, first_seconds=0.5, between_seconds=0.002),
    )


@pytest.fixture
def url(api: ChatApi) -> Iterator[str]:
    """Where it is."""
    with api.serving() as found:
        yield found


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with what is known of providers, and six offers: loading all the bundled ones takes seconds."""
    path = tmp_path_factory.mktemp("few") / "planner.sqlite3"
    store = furnished(f"sqlite:///{path}", NOW)
    for source, offers in (
        ("models_dev", (QUICK_OFFER, SLOW_OFFER, REFUSED_OFFER, NOWHERE)),
        ("openrouter", (BROKERED, BARE)),
    ):
        claims = []
        for id_ in offers:
            channel, _colon, rest = id_.partition(":")
            provider, _slash, spelling = rest.partition("@")[0].partition("/")
            facts = OfferFacts(model_spelling=spelling, provider=provider, channel=channel)
            claims.append(Claim(offer_id=id_, facts=facts, segments=(Segment(None, None, make.rates()),)))
        reading = Reading(
            source=source, source_url="https://t.test", observed_at=NOW, rows_read=len(claims), claims=tuple(claims),
            whole=False,
        )  # fmt: skip
        with store.write() as connection:
            publish(connection, [reading], at=NOW, actor="test", reason="test")
    store.close()
    return path


@pytest.fixture
def few(template: Path, tmp_path: Path) -> Iterator[Store]:
    """A copy of that database."""
    path = tmp_path / "few.sqlite3"
    path.write_bytes(template.read_bytes())
    opened = open_store(f"sqlite:///{path}")
    yield opened
    opened.close()


@pytest.fixture
def probe(planner: Planner, few: Store, monkeypatch: pytest.MonkeyPatch, url: str) -> Planner:
    """Probe at the loopback API over a few offers."""
    monkeypatch.setenv("PLANNER_DATABASE_URL", few.url)
    monkeypatch.setenv("PLANNER_KEY_PEPPER", "pepper")
    monkeypatch.setenv("MY_KEY", KEY)
    return lambda *words: planner("probe", *TASK, "--base-url", url, "--key-env", "MY_KEY", *words)


def database(store: Store) -> bytes:
    """Return everything a database holds."""
    path = Path(store.engine.url.database or "")
    return b"".join(found.read_bytes() for found in path.parent.glob(f"{path.name}*"))


def test_a_dry_run_says_what_would_be_sent_and_sends_nothing(probe: Planner, api: ChatApi) -> None:
    """Offers, attempts, the worst case; the key is not even looked for."""
    words = ("--offer", QUICK_OFFER, "--offer", REFUSED_OFFER, "--dry-run")
    said = probe(*words)
    assert said.code == 0
    assert "nothing was sent" in said.out
    shape = probe(*words, "--key-env", "NO_SUCH_KEY", "--json").json
    assert (shape["dry_run"], shape["attempts_per_offer"], shape["spend_cap_usd"]) == (True, 5, "1")
    assert [row["offer"] for row in shape["offers"]] == [QUICK_OFFER]
    assert Decimal(shape["worst_case_usd"]) == 5 * Decimal(shape["offers"][0]["worst_case_usd_per_attempt"]) > 0
    assert "policy:trains_on_prompts" in shape["refused"][REFUSED_OFFER]
    assert api.asked == []


def test_offers_are_measured_side_by_side(probe: Planner, planner: Planner, api: ChatApi) -> None:
    """Who waits has the longer time to the first token; counts are exact; both are asked in turn."""
    shape = probe("--offer", QUICK_OFFER, "--offer", SLOW_OFFER, "--attempts", "3", "--json").json
    quick, slow = shape["measurements"]
    assert (quick["offer"], slow["offer"]) == (QUICK_OFFER, SLOW_OFFER)
    assert slow["ttft_ms_p50"] > quick["ttft_ms_p50"]
    assert (quick["attempts"], quick["failures"], quick["prompts"]) == (3, 0, "generated")
    assert quick["billed"]["input_tokens"] == quick["expected"]["input_tokens"] == 3 * 2_600
    assert quick["billed"]["output_tokens"] == 15
    assert quick["list_cost_usd"] is not None
    assert quick["stated_cost_usd"] is None
    assert api.models == ["quick", "slow"] * 3
    assert Decimal(shape["spent_usd_max"]) < Decimal(shape["worst_case_usd"])
    assert [row["offer"] for row in planner("probe", "list", "--json").json] == [SLOW_OFFER, QUICK_OFFER]
    assert QUICK_OFFER not in planner("probe", "list", "--offer", SLOW_OFFER).out
    assert "offer.measure" in planner("audit", "list").out
    assert "The audit trail is whole." in planner("audit", "verify").out


def test_failures_are_counted_and_the_answer_says_of_what_kind(probe: Planner, api: ChatApi) -> None:
    """Too many requests and broken streams are the offer's; what the bill would be is set aside as its worst case."""
    api.manners["quick"] = Manner(status=429)
    api.manners["slow"] = Manner(cut_after=2)
    shape = probe("--offer", QUICK_OFFER, "--offer", SLOW_OFFER, "--attempts", "2", "--json").json
    first, second = shape["measurements"]
    assert (first["errors"], first["failure_share"]) == ({"http_429": 2}, "1.0000")
    assert (second["errors"], second["billed_attempts"], second["ttft_ms_p50"]) == ({"cut": 2}, 0, None)
    worst = {row["offer"]: row["worst_case_usd"] for row in shape["offers"]}
    assert shape["spent_usd_max"] == worst[SLOW_OFFER]


def test_own_prompts_reach_nobody_the_policy_refuses(probe: Planner, api: ChatApi, tmp_path: Path) -> None:
    """The refused offer's model is never asked for; nor can it be asked to be."""
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"prompt": "CANARY-ONE"}\n\n{"messages": [{"role": "user", "content": "two"}], "max_tokens": 9}\n')
    words = ("--offer", REFUSED_OFFER, "--offer", QUICK_OFFER, "--prompts", str(file), "--attempts", "3")
    said = probe(*words, "--json")
    assert set(api.models) == {"quick"}
    assert [body["messages"][0]["content"] for body in api.asked] == ["CANARY-ONE", "two", "CANARY-ONE"]
    assert [body["max_tokens"] for body in api.asked] == [450, 9, 450]
    assert said.json["measurements"][0]["prompts"] == "own"
    assert f"not probed: {REFUSED_OFFER}: policy:trains_on_prompts" in said.err
    alone = probe("--offer", REFUSED_OFFER, "--prompts", str(file))
    assert (alone.code, "nothing_compliant" in alone.err) == (1, True)
    forced = probe("--offer", REFUSED_OFFER, "--prompts", str(file), "--any-offer")
    assert (forced.code, "any_offer" in forced.err) == (2, True)
    assert len(api.asked) == 3


def test_generated_prompts_reach_a_refused_offer_only_when_told(probe: Planner, api: ChatApi) -> None:
    """They hold nobody's words, and yet the policy holds by default."""
    assert probe("--offer", REFUSED_OFFER).code == 1
    assert api.asked == []
    assert probe("--offer", REFUSED_OFFER, "--any-offer", "--attempts", "1").code == 0
    assert api.models == ["refused"]


def test_no_attempt_begins_that_could_pass_the_cap(probe: Planner, api: ChatApi) -> None:
    """Without a bill each attempt is taken to have cost its worst case, so a cap of two and a half allows two."""
    api.manners["slow"] = Manner(usage=None)
    shape = probe("--offer", SLOW_OFFER, "--dry-run", "--json").json
    worst = Decimal(shape["offers"][0]["worst_case_usd_per_attempt"])
    said = probe("--offer", SLOW_OFFER, "--spend-cap-usd", str(worst * Decimal("2.5")), "--json").json
    assert len(api.asked) == 2
    assert said["left_out"] == {SLOW_OFFER: {"spend_cap": 3}}
    assert Decimal(said["spent_usd_max"]) <= worst * 2
    nothing = probe("--offer", SLOW_OFFER, "--spend-cap-usd", str(worst / 2))
    assert (nothing.code, "one attempt may cost" in nothing.err) == (2, True)
    assert len(api.asked) == 2


def test_several_at_a_time_stay_under_the_cap_together(probe: Planner, api: ChatApi) -> None:
    """What runs is set aside at its worst case, so four at a time begin no more than the cap has room for."""
    api.manners["slow"] = Manner(usage=None, first_seconds=0.3)
    worst = Decimal(probe("--offer", SLOW_OFFER, "--dry-run", "--json").json["offers"][0]["worst_case_usd_per_attempt"])
    words = ("--offer", SLOW_OFFER, "--concurrency", "4", "--attempts", "8")
    assert probe(*words, "--spend-cap-usd", str(worst * 3), "--json").json["measurements"][0]["attempts"] == 3
    assert 1 < api.at_once_max <= 4


def test_a_missing_key_is_named_and_nothing_is_sent(probe: Planner, api: ChatApi, monkeypatch: Any) -> None:
    """The variable, never a value; what cannot be a key is not repeated either."""
    said = probe("--offer", QUICK_OFFER, "--key-env", "NO_SUCH_KEY")
    assert (said.code, "NO_SUCH_KEY" in said.err, "not in the environment" in said.err) == (2, True, True)
    monkeypatch.setenv("MY_KEY", "CANARY\nX-Header: 1")
    broken = probe("--offer", QUICK_OFFER)
    assert (broken.code, "CANARY" in broken.err + broken.out) == (2, False)
    assert api.asked == []


def test_a_refused_key_is_tried_once_and_measures_nothing(probe: Planner, api: ChatApi) -> None:
    """It says nothing of the offer, and does not get better by being repeated."""
    api.manners["slow"] = Manner(status=401)
    said = probe("--offer", SLOW_OFFER)
    assert (said.code, len(api.asked)) == (1, 1)
    assert f"not measured: {SLOW_OFFER}: http_401" in said.out
    assert "request_refused 4" in said.out


def test_neither_keys_nor_words_are_kept_or_told(
    probe: Planner, api: ChatApi, few: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The server got both; nobody else has either: not the database, not the output, not the log."""
    caplog.set_level(0)
    file = tmp_path / "prompts.jsonl"
    file.write_text(json.dumps({"prompt": "CANARY-PROMPT"}))
    words = ("--offer", QUICK_OFFER, "--offer", SLOW_OFFER, "--prompts", str(file), "--attempts", "2")
    api.manners["slow"] = Manner(status=500)
    said = [probe(*words, *more) for more in ((), ("--json",), ("--dry-run",))]
    assert set(api.keys) == {f"Bearer {KEY}"}
    told = "".join(one.out + one.err for one in said) + caplog.text
    assert "CANARY" not in told
    assert b"CANARY" not in database(few)


def test_a_brokered_offer_is_pinned_to_its_tag(probe: Planner, api: ChatApi) -> None:
    """Nobody else may serve it, and the broker is held to the policy too."""
    assert probe("--offer", BROKERED, "--attempts", "1").code == 0
    assert api.asked[0]["model"] == "x/m"
    assert api.asked[0]["provider"] == {"only": ["deepinfra/fp4"], "allow_fallbacks": False, "data_collection": "deny"}
    assert api.asked[0]["stream_options"] == {"include_usage": True}
    # The bare tag means every variant of the provider, so whose answer it was would not be known.
    assert "not_pinned" in probe("--offer", BARE, "--attempts", "1").err
    assert len(api.asked) == 1


def test_without_offers_the_answers_own_chain_is_probed(
    planner: Planner, installed: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The choice for the task and its fallbacks, those of them whose API is documented."""
    monkeypatch.setenv("PLANNER_DATABASE_URL", installed.url)
    monkeypatch.setenv("PLANNER_KEY_PEPPER", "pepper")
    answer = planner("recommend", *TASK, "--json").json
    chain = {link["offer"] for link in (answer["choice"], *answer["fallbacks"])}
    shape = planner("probe", *TASK, "--dry-run", "--json").json
    assert {*(row["offer"] for row in shape["offers"]), *shape["refused"]} == chain


class Stopped(Progress):
    """A bar whose reader presses Ctrl-C after the second request."""

    def update(self, *_words: Any, completed: float | None = None, **_more: Any) -> None:
        """Take note of what is done."""
        if completed == 2:
            raise KeyboardInterrupt


def test_what_was_paid_for_is_on_record_also_when_somebody_stops_it(
    probe: Planner, planner: Planner, api: ChatApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two requests were sent, and two are recorded."""
    monkeypatch.setattr(probing, "_bar", lambda: Stopped(disable=True))
    assert probe("--offer", QUICK_OFFER, "--attempts", "4").code != 0
    assert len(api.asked) == 2
    assert [row["attempts"] for row in planner("probe", "list", "--json").json] == [2]


def test_what_is_forbidden_meanwhile_gets_no_further_prompt(
    probe: Planner, api: ChatApi, few: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An admin puts the plan under a stricter policy while it runs; the next request is not sent."""

    class Forbidden(Progress):
        def update(self, *_words: Any, completed: float | None = None, **_more: Any) -> None:
            if completed == 1:
                with few.write() as connection:
                    policies.assign(connection, "pro", "", ["zero-retention"], at=NOW, by="admin")
                    bump(connection, policy=True)

    monkeypatch.setattr(probing, "_bar", lambda: Forbidden(disable=True))
    shape = probe("--offer", QUICK_OFFER, "--attempts", "4", "--json").json
    assert len(api.asked) == 1
    assert shape["left_out"] == {QUICK_OFFER: {"policy": 3}}


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("--spend-cap-usd", "1e3"), "spend_cap_usd"), (("--prompts", "/no/such/file"), "prompts"),
        (("--base-url", "http://example.com"), "base_url"), (("--offer", "direct:no/such"), "not_found"),
        (("--plan", "none"), "not_found"), (("--key-env", "sk-1"), "key_env"),
    ],
)  # fmt: skip
def test_a_slip_is_named_and_nothing_is_sent(probe: Planner, api: ChatApi, words: tuple[str, ...], field: str) -> None:
    """One paragraph, and the exit code of a usage error."""
    said = probe("--offer", QUICK_OFFER, *words)
    assert (said.code, field in said.err) == (2, True)
    assert api.asked == []


def test_a_gateway_needs_its_own_key(planner: Planner, few: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider's key is never sent to an address somebody typed; plan and task are needed."""
    monkeypatch.setenv("PLANNER_DATABASE_URL", few.url)
    monkeypatch.setenv("PLANNER_KEY_PEPPER", "pepper")
    said = planner("probe", *TASK, "--base-url", "https://gateway.test/v1", "--dry-run")
    assert (said.code, "key_env" in said.err) == (2, True)
    assert planner("probe", "--plan", "pro").code == 2
    renamed = planner("probe", *TASK, "--offer", SLOW_OFFER, "--key-env", "MY_OPENAI", "--dry-run", "--json").json
    assert (renamed["offers"][0]["key_variable"], renamed["offers"][0]["base_url"]) == (
        "MY_OPENAI", "https://api.openai.com/v1",
    )  # fmt: skip
    nowhere = planner("probe", *TASK, "--offer", SLOW_OFFER, "--offer", NOWHERE, "--any-offer", "--dry-run")
    assert f"not probed: {NOWHERE}: no_endpoint" in nowhere.out
    assert "whatever the policy says" in nowhere.out
