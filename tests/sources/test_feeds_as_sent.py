"""Every adapter on small real payloads: whole, cut at every byte, and broken at random."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.sources.golden import FOLDER, ROWS, parse, payload, text
from tests.sources.mutations import broken, check_refused
from tests.sources.trial import Trial, trial

MUTATIONS = 300
PUBLICATIONS = 30


@pytest.mark.parametrize("source", ROWS)
def test_a_recorded_payload_gives_its_claims(source: str) -> None:
    """The claims written beside the payload, rate by rate and band by band."""
    assert text(source) == (FOLDER / f"{source}.claims.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_a_reading_does_not_depend_on_the_process(seed: str) -> None:
    """Under any hash seed the same text, order included: else an unchanged row would count as a changed one."""
    command = [sys.executable, "-m", "tests.sources.golden", "--print"]
    printed = subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True)
    assert printed.stdout.decode() == "".join(text(source) for source in ROWS)


@pytest.mark.parametrize("source", ROWS)
def test_a_payload_cut_at_any_byte_is_refused(source: str) -> None:
    """There is no length at which half a feed passes for a whole one."""
    body = payload(source).rstrip()
    for length in range(len(body)):
        check_refused(source, body[:length])


@pytest.mark.parametrize("source", ROWS)
def test_a_broken_row_takes_nobody_with_it(source: str) -> None:
    """A sample of the mutation sweep: refused whole, or exactly the other rows' claims."""
    ways = {broken(source, seed) for seed in range(MUTATIONS)}
    # All two dozen ways were tried.
    assert len(ways) > 20


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """A database that has read every feed once, and takes back what it is told."""
    with trial(str(tmp_path_factory.mktemp("trial"))) as made:
        yield made


@pytest.mark.parametrize("source", ROWS)
def test_a_broken_feed_publishes_nothing_that_may_not_be(tried: Trial, source: str) -> None:
    """A sample of the same sweep through publication: refused whole, or nothing but the touched row's sane price."""
    for seed in range(PUBLICATIONS):
        broken(source, seed, tried.publish)


def test_the_judge_of_publications_can_fail(tried: Trial) -> None:
    """A price that moved where nobody said so is found out: the sample above is not vacuous."""
    body = payload("mapped").replace(b'"0.0000001"', b'"0.0000002"')
    assert tried.publish("mapped", body, frozenset({"direct:acme/acme-1"})) == "published"
    with pytest.raises(AssertionError, match="acme-1"):
        tried.publish("mapped", body, frozenset())


@pytest.mark.parametrize(
    "override",
    [
        "{}", '{"utc_days": []}', '{"utc_days": 3}', '{"min_completion_tokens": 5}',
        '{"min_prompt_tokens": 1000, "min_completion_tokens": 5}', '{"min_prompt_tokens": 1000, "plan": "pro"}',
    ],
)  # fmt: skip
def test_an_override_without_a_condition_we_know_sets_no_price(override: str) -> None:
    """Left out is not "always", one more is not none: the endpoint is unpriced with its reason, the others are read."""
    document = json.loads(payload("openrouter"))
    endpoint = next(model for model in document["models"] if model["endpoints"])["endpoints"][0]
    endpoint["pricing"]["overrides"] = [{**json.loads(override), "prompt": "0.000000001"}]
    before = parse("openrouter", payload("openrouter")).claims
    found = parse("openrouter", json.dumps(document).encode())
    changed = {claim.unpriced for claim in found.claims} - {claim.unpriced for claim in before}
    assert changed == {"unreadable_condition"}


def test_one_bad_name_takes_nobody_with_it() -> None:
    """A NUL in one model's id: that row is refused, and every other model is read as before."""
    document = json.loads(payload("openrouter"))
    before = parse("openrouter", payload("openrouter"))
    priced = [model for model in document["models"] if model["endpoints"]]
    priced[0]["id"] += "\0"
    found = parse("openrouter", json.dumps(document).encode())
    gone = {claim.offer_id for claim in before.claims} - {claim.offer_id for claim in found.claims}
    assert 0 < len(gone) < len(before.claims) / 2
    assert len(found.claims) + len(gone) == len(before.claims)
    assert "bad_id" in {row.code for row in found.refused}


@pytest.mark.parametrize(
    ("source", "stated", "minutes"),
    [
        ("openrouter", {"uptime_last_1d": 99, "uptime_last_30m": 98, "uptime_last_5m": 97}, 1_440),
        ("openrouter", {"uptime_last_1d": None, "uptime_last_30m": 99, "uptime_last_5m": 97}, 30),
        ("openrouter", {"uptime_last_30m": None, "uptime_last_5m": 99}, 5),
        ("openrouter", {"uptime_last_30m": None}, None),
        ("vercel", {"uptime_last_1d": 99, "uptime_last_1h": 98, "uptime_last_15m": 97}, 1_440),
        ("vercel", {"uptime_last_1h": 99, "uptime_last_15m": 97}, 60),
        ("vercel", {"uptime_last_1h": None, "uptime_last_15m": 99}, 15),
    ],
)
def test_the_longest_stated_window_measures_an_uptime(source: str, stated: dict[str, int], minutes: int | None) -> None:
    """A day goes before half an hour, and an uptime is kept with its window; without any there is none."""
    document = json.loads(payload(source))
    models = document["models"] if source == "openrouter" else document["data"]
    for model in models:
        for endpoint in model["endpoints"]:
            endpoint.update(stated)
    facts = [claim.facts for claim in parse(source, json.dumps(document).encode()).claims]
    uptime = None if minutes is None else Decimal("0.99")
    assert {(each.uptime, each.uptime_minutes) for each in facts} == {(uptime, minutes)}


def test_a_price_too_long_to_be_written_down_is_none() -> None:
    """Forty-five decimals: that row is unpriced, because what is stored has to be read again."""
    body = payload("mapped").replace(b'"0.0000001"', b'"0.' + b"0" * 6 + b"1" * 39 + b'"')
    found = {claim.facts.model_spelling: claim.unpriced for claim in parse("mapped", body).claims}
    assert [found["acme-1"], found["acme-2"]] == ["unreadable_price", None]
