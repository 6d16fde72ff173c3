"""What was measured goes before what a feed claims: in the catalogue, in answers, over HTTP, and not for ever."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.app import build
from planner.core import recommend as reference
from planner.core.catalogue import Catalogue
from planner.core.errors import NothingCompliant
from planner.core.measurement import AGE_MAX, Claimed, Measurement
from planner.core.plan import Needs
from planner.core.snapshot import compile_catalogue
from planner.flows import current, probe
from planner.flows.current import Current
from planner.settings import Settings
from planner.store import audit, measurements
from planner.store.engine import Store
from planner.store.load import load_catalogue
from planner.store.revision import read_heads
from tests import make
from tests.conftest import NOW
from tests.core.test_measurement import attempt, failed
from tests.kill import prepare, publish

ADMIN = "pk_adminkey_0123456789abcdefghijklmnopqrstuvwxyz"
HOUR = timedelta(hours=1)
LATER = NOW + HOUR


def made(offer: str, first_ms: int = 200, count: int = 5, at: datetime = LATER, failures: int = 0) -> Measurement:
    """Make a measurement of an offer: so many answers and so many failures."""
    attempts = [attempt(first_ms, last_ms=first_ms + 1_000)] * count + [failed()] * failures
    return Measurement(
        offer=offer, measured_at=at, attempts=tuple(attempts), claimed=Claimed(ttft_ms=100, price_version="1"),
        prompts="generated", plan="pro", task="chat",
    )  # fmt: skip


@pytest.fixture
def offers(store: Store) -> list[str]:
    """The ids of a few published offers."""
    prepare(store)
    publish(store, 0)
    return [offer.id for offer in catalogue(store, NOW).offers]


def catalogue(store: Store, at: datetime) -> Catalogue:
    """Load the catalogue as it is at a moment."""
    with store.read() as connection:
        return load_catalogue(connection, at=at)


def test_a_measurement_is_a_revision_with_its_entry_in_the_trail(store: Store, offers: list[str]) -> None:
    """One transaction: the rows, the next revision, and who measured what and why."""
    with store.read() as connection:
        before = read_heads(connection).catalogue
    numbers = probe.record(store, [made(offers[0]), made(offers[1])], at=LATER, actor="cli", reason="a try")
    with store.read() as connection:
        assert read_heads(connection).catalogue == before + 1
        [entry] = audit.entries(connection, audit.Wanted(action="offer.measure", subject=offers[0]), None, 9)
        [kept] = measurements.newest(connection, offers[0], None, 9)
        assert audit.verify(connection) is None
    assert (kept.id, kept.by, kept.measurement) == (numbers[0], "cli", made(offers[0]))
    assert (entry["before"], entry["reason"], entry["after"]["ttft_ms"]) == (None, "a try", 200)
    assert probe.record(store, [], at=LATER, actor="cli", reason="nothing") == []


def test_a_young_measurement_goes_before_the_claim(store: Store, offers: list[str]) -> None:
    """From when it was made until it is thirty days old; without a present moment nothing is young."""
    probe.record(store, [made(offers[0])], at=LATER, actor="cli", reason="a try")
    found = catalogue(store, LATER).offers_by_id[offers[0]]
    assert (found.facts.ttft_ms, found.facts.throughput_tps) == (200, Decimal(100))
    assert found.measured is not None
    assert found.measured.at == LATER
    for at in (NOW, LATER + AGE_MAX):
        assert catalogue(store, at).offers_by_id[offers[0]].measured is None
    with store.read() as connection:
        assert load_catalogue(connection).offers_by_id[offers[0]].measured is None
        known = load_catalogue(connection, LATER, at=None)
    assert known.offers_by_id[offers[0]].measured == found.measured


def test_the_newest_with_enough_attempts_counts(store: Store, offers: list[str]) -> None:
    """A later run of four requests does not push it aside, a later one of five does."""
    for first_ms, count, hours in ((200, 5, 0), (300, 4, 1), (400, 5, 2)):
        at = LATER + hours * HOUR
        probe.record(store, [made(offers[0], first_ms, count, at)], at=at, actor="cli", reason="again")
        wanted = {200: 200, 300: 200, 400: 400}[first_ms]
        assert catalogue(store, at).offers_by_id[offers[0]].facts.ttft_ms == wanted


def test_needs_and_the_fastest_answer_rest_on_it(store: Store, offers: list[str]) -> None:
    """The compiled search and the plain one agree: who was measured fast enough is found, and the fastest is first."""
    slow, fast = made(offers[0], 900), made(offers[1], 150)
    probe.record(store, [slow, fast], at=LATER, actor="cli", reason="a try")
    found = catalogue(store, LATER)
    snapshot = compile_catalogue(found)
    limit = make.ask(needs=Needs(ttft_ms_max=500, throughput_tps_min=Decimal(50)), at=LATER, decided_at=LATER)
    anyone = make.ask(objective="fastest", at=LATER, decided_at=LATER)
    for ask in (limit, anyone):
        answer = snapshot.recommend(ask)
        assert answer.choice.offer.id == reference.recommend(found, ask).choice.offer.id == offers[1]
    strict = replace(limit, needs=Needs(ttft_ms_max=149))
    for answering in (snapshot.recommend, lambda ask: reference.recommend(found, ask)):
        with pytest.raises(NothingCompliant):
            answering(strict)
    last = LATER + AGE_MAX - timedelta(seconds=1)
    assert snapshot.valid_until(last, last) == LATER + AGE_MAX


def test_a_view_does_not_outlive_what_it_was_measured_by(
    store: Store, offers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker to which nothing is published drops a measurement when it gets too old."""
    monkeypatch.setattr(current, "AGES_EVERY_SECONDS", 0.0)
    probe.record(store, [made(offers[0])], at=LATER, actor="cli", reason="a try")
    moment = LATER
    held = Current(store, b"pepper", lambda: moment)
    assert held.view().catalogue.offers_by_id[offers[0]].measured is not None
    moment = LATER + AGE_MAX
    assert held.view().catalogue.offers_by_id[offers[0]].measured is None
    held.close()


# --- over HTTP ----------------------------------------------------------------------------------------------


@pytest.fixture
def client(installed_copy: Store) -> Iterator[TestClient]:
    """A client with the admin key, an hour after the catalogue was installed."""
    settings = Settings(admin_key=SecretStr(ADMIN), key_pepper=SecretStr("pepper"))
    app = build(settings, installed_copy, now=lambda: LATER)
    with TestClient(app, headers={"Authorization": f"Bearer {ADMIN}"}) as made_client:
        yield made_client


OFFER = "direct:openai/gpt-5.4"


def test_measurements_are_read_newest_first_with_their_claims(client: TestClient, installed_copy: Store) -> None:
    """A server that answered before sees them at once; by id in the query or in the path, page by page."""
    before = client.get("/v1/offers", params={"id": OFFER}).json()["items"][0]
    assert (before["measured_at"], before["measured"]) == (None, [])
    for minutes in range(3):
        one = made(OFFER, 200 + minutes, at=NOW + timedelta(minutes=minutes), failures=1)
        probe.record(installed_copy, [one], at=one.measured_at, actor="cli", reason="a try")
    after = client.get("/v1/offers", params={"id": OFFER}).json()["items"][0]
    assert (after["ttft_ms"], after["throughput_tps"], after["measured"]) == (202, "100", ["throughput_tps", "ttft_ms"])
    assert after["measured_at"] == "2026-11-24T12:02:00Z"
    page = client.get("/v1/offers/measurements", params={"id": OFFER, "limit": 2}).json()
    assert [item["ttft_ms_p50"] for item in page["items"]] == [202, 201]
    rest = client.get(f"/v1/offers/{OFFER}/measurements", params={"cursor": page["next_cursor"]}).json()
    assert ([item["ttft_ms_p50"] for item in rest["items"]], rest["next_cursor"]) == ([200], None)
    assert rest["revision"] == page["revision"] > 0
    first = page["items"][0]
    assert (first["attempts"], first["failures"], first["failure_share"]) == (6, 1, "0.1667")
    assert Fraction(1, 6) < Fraction(first["failure_share_max"]) < 1
    compared = {one["figure"]: one for one in first["comparisons"]}
    assert compared["ttft_ms"] == {
        "figure": "ttft_ms", "claimed": "100.0000", "measured": "202.0000", "ratio": "2.0200", "factor": "1.5000",
        "verdict": "worse",
    }  # fmt: skip
    assert (first["list_cost_usd"], first["stated_cost_usd"]) == ("0.000015", None)


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/v1/offers/measurements", {"id": "direct:no/such"}, 404), ("/v1/offers/direct:no/such/measurements", {}, 404),
        ("/v1/offers/measurements", {}, 422), ("/v1/offers/measurements", {"id": OFFER, "cursor": "x"}, 422),
        ("/v1/offers/measurements", {"id": OFFER}, 200),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused(client: TestClient, path: str, params: dict[str, str], status: int) -> None:
    """An offer nobody has, no id, a cursor of somewhere else; one that was never measured has an empty list."""
    answer = client.get(path, params=params)
    assert answer.status_code == status
    if status == 200:
        assert (answer.json()["items"], answer.json()["next_cursor"]) == ([], None)
