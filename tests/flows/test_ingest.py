"""Usage comes in: each row once, at the price of its own time, in its own month, and nothing is counted twice."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from planner.core.claim import Segment
from planner.core.errors import Conflict, NotFound
from planner.core.event import LARGER, SUMS, Event, Outcome, Role, StatedBy
from planner.core.money import pico_text
from planner.core.posting import Measures
from planner.flows import ingest
from planner.store import streams, usage
from planner.store import tables as t
from planner.store.engine import Store
from planner.store.streams import Stream
from tests.ledger_books import (
    BACKEND,
    DAY,
    HOUR,
    NOON,
    OFFER,
    SEPTEMBER,
    SINCE,
    asked,
    booked,
    by_month,
    cards,
    claim,
    close,
    deltas,
    event,
    facts,
    know,
    listed,
    statuses,
    take,
    total,
)
from tests.make import MTOK, rates

GATEWAY = Stream("gateway", Role.LEDGER)
LOG = Stream("log", Role.LEDGER)


@pytest.fixture
def books(store: Store) -> Store:
    """Books in which a million tokens in cost 3 dollars, out 15, read from the cache 0.30."""
    know(store)
    listed(store, claim(OFFER, rates("3", "15", cache_read="0.30")))
    return store


def states(store: Store) -> dict[tuple[str, str], str]:
    """Return in which state each current row is."""
    e = t.ledger.usage_events.c
    with store.read() as connection:
        rows = connection.execute(sa.select(e.source, e.event_id, e.state).where(e.state != usage.SUPERSEDED))
        return {(row.source, row.event_id): row.state for row in rows}


# --- once -------------------------------------------------------------------------------------------------


def test_a_row_is_counted_once(books: Store) -> None:
    """Sent again, alone or in one batch, as often as anybody likes; another stream's row of this name is another."""
    assert statuses(take(books, event("1"), event("1"), event("2"))) == ["stored", "duplicate", "stored"]
    (again,) = take(books, event("1"))
    assert (again.status, ingest.reported_usd(again.posting)) == ("duplicate", "3")
    assert statuses(take(books, event("1", source="other"))) == ["stored"]
    assert (total(books).rows, pico_text(total(books).cost)) == (3, "9")


def test_the_same_row_in_other_words_is_the_same(books: Store) -> None:
    """Noon said from Kolkata, a count of zero, and when the row was last touched are no difference."""
    take(books, event("1", input_tokens=5))
    there = SEPTEMBER.astimezone(datetime.fromisoformat("2026-01-01T00:00:00+05:30").tzinfo)
    row = event("1", there, input_tokens=5, output_tokens=0, updated_at=NOON)
    assert statuses(take(books, row)) == ["duplicate"]


def test_another_body_under_a_known_id_is_a_conflict(books: Store) -> None:
    """In a later batch or in the same one: what is on record stays, and the other rows are taken."""
    take(books, event("1"))
    said = take(books, event("1", input_tokens=1), event("2", input_tokens=5), event("2", input_tokens=6))
    assert statuses(said) == ["conflict", "stored", "conflict"]
    assert total(books).input_tokens == MTOK + 5


def test_a_stream_that_may_say_newer_takes_its_word_back(books: Store) -> None:
    """The old row is booked back and the new one booked; older news, and news of what was voided, is none."""
    log, row = Stream("log", Role.LEDGER, mutable=True), event("1", source="log", updated_at=SEPTEMBER)
    newer = replace(row, counts={"input_tokens": 2 * MTOK}, updated_at=SEPTEMBER + DAY)
    take(books, row, stream=log)
    assert statuses(take(books, newer, stream=log)) == ["superseded"]
    assert statuses(take(books, row, stream=log)) == ["outdated"]
    assert [line[:4] for line in booked(books)] == [
        ("usage", "1", "2026-09", "3"), ("superseded", "1", "2026-09", "-3"), ("usage", "1", "2026-09", "6"),
    ]  # fmt: skip
    assert total(books) == Measures(1, 1, 2 * MTOK, 0, 6 * 10**12, 6 * 10**12, 6 * 10**12)
    books.tell(lambda connection: ingest.void(connection, "log", "1", at=NOON, by="ada"))
    assert statuses(take(books, replace(newer, counts={"input_tokens": 7}), stream=log)) == ["conflict"]
    assert total(books) == Measures()


def test_of_versions_that_come_together_the_newest_counts(books: Store) -> None:
    """In whatever order; it is the one touched last, or else the last."""
    log = Stream("log", Role.LEDGER, mutable=True)
    for id_, ages, status in (("1", (1, 2), "outdated stored"), ("2", (2, 1), "stored outdated"), ("3", (0, 0), "")):
        touched = [SEPTEMBER + age * HOUR if age else None for age in ages]
        rows = [event(id_, source="log", updated_at=at, input_tokens=(n + 1) * MTOK) for n, at in enumerate(touched)]
        assert statuses(take(books, *rows, stream=log)) == (status or "outdated stored").split()
    assert [line[3] for line in booked(books)] == ["6", "3", "6"]


def test_what_was_said_once_more_is_as_new_as_its_last_word(books: Store) -> None:
    """What somebody said in between is older than that."""
    log = Stream("log", Role.LEDGER, mutable=True)
    first, between, last = (event("1", source="log", updated_at=SEPTEMBER + hours * HOUR) for hours in (1, 2, 3))
    take(books, first, stream=log)
    assert statuses(take(books, last, stream=log)) == ["duplicate"]
    assert statuses(take(books, replace(between, counts={"input_tokens": 7}), stream=log)) == ["outdated"]


def test_a_request_that_two_streams_saw_counts_once(books: Store) -> None:
    """By the provider's own id of it: in the stream that told first, also where one stream tells it twice."""
    assert statuses(take(books, event("1", request_id="r"), event("2", request_id="r"))) == ["stored", "same_request"]
    (seen,) = take(books, event("a", source="gateway", request_id="r"), stream=GATEWAY)
    assert (seen.status, seen.detail, seen.posting) == ("same_request", "backend 1", None)
    assert states(books) == {("backend", "1"): "live", ("backend", "2"): "duplicate", ("gateway", "a"): "duplicate"}
    assert total(books).rows == 1


def test_evidence_counts_for_nothing(books: Store) -> None:
    """Its rows are kept; the same request may still be told by a stream that counts."""
    said = take(books, event("a", source="log", request_id="r"), stream=Stream("log", Role.EVIDENCE))
    assert statuses(said) == ["evidence"]
    assert (total(books), booked(books)) == (Measures(), [])
    assert statuses(take(books, event("1", request_id="r"))) == ["stored"]


# --- two streams of one provider ------------------------------------------------------------------------------


def test_two_streams_that_name_no_requests_may_tell_the_same(books: Store) -> None:
    """The second of a day is refused whole, and leaves nothing behind, until a person says which one counts."""
    take(books, event("1"), stream=BACKEND)
    with pytest.raises(Conflict, match="backend"):
        take(books, event("a", source="log"), event("b", SEPTEMBER + DAY, source="log"), stream=LOG)
    with books.read() as connection:
        assert streams.find(connection, "log") is None
    assert statuses(take(books, event("b", SEPTEMBER + DAY, source="log"), stream=LOG)) == ["stored"]
    chosen = Stream("second", Role.EVIDENCE, chosen=True)
    assert statuses(take(books, event("a", source="second"), stream=chosen)) == ["evidence"]
    both = Stream("third", Role.LEDGER, chosen=True)
    assert statuses(take(books, event("a", source="third"), stream=both)) == ["stored"]
    assert total(books).rows == 3


def test_a_stream_that_is_told_to_count_blocks_the_next(books: Store) -> None:
    """A choice is about one stream; whoever comes after it is asked again."""
    take(books, event("a", source="log"), stream=Stream("log", Role.LEDGER, chosen=True))
    with pytest.raises(Conflict, match="log"):
        take(books, event("a", source="gateway"), stream=GATEWAY)


def test_streams_whose_rows_name_their_requests_stand_side_by_side(books: Store) -> None:
    """Then the same request is known by its name; one row without a name on either side is enough to ask."""
    take(books, event("1", source="log", request_id="r1"), stream=LOG)
    assert statuses(take(books, event("1", source="gateway", request_id="r2"), stream=GATEWAY)) == ["stored"]
    with pytest.raises(Conflict):
        take(books, event("3", source="gateway", request_id="r3"), event("4", source="gateway"), stream=GATEWAY)
    take(books, event("2", source="log"), stream=LOG._replace(chosen=True))
    with pytest.raises(Conflict):
        take(books, event("2", source="gateway", request_id="r3"), stream=GATEWAY)


def test_streams_of_other_days_parties_and_accounts_do_not_meet(books: Store) -> None:
    """What a broker is paid for is not what the provider is; backends tell of requests they made themselves."""
    take(books, event("1", source="log"), stream=LOG)
    for number, (stream, facts_) in enumerate(
        (
            (GATEWAY, {"at": SEPTEMBER + DAY}),
            (GATEWAY, {"offer": None, "channel": "broker", "provider": "acme", "model": "small"}),
            (GATEWAY._replace(source="other", account="team b"), {}),
        )
    ):
        row = replace(event(str(number), source=stream.source), **facts_)  # type: ignore[arg-type]  # fields by name
        assert statuses(take(books, row, stream=stream)) == ["stored"]
    take(books, event("1", SEPTEMBER + 5 * DAY, source="worker"), stream=BACKEND._replace(source="worker"))
    assert statuses(take(books, event("9", SEPTEMBER + 5 * DAY))) == ["stored"]


def test_a_day_that_ends_at_midnight_is_not_the_next_day(books: Store) -> None:
    """A stream of daily sums tells of its own days; the last moment is the one before its end."""
    take(books, event("1", source="log", until=SEPTEMBER + DAY), stream=LOG)
    assert statuses(take(books, event("1", SEPTEMBER + DAY, source="gateway"), stream=GATEWAY)) == ["stored"]
    with pytest.raises(Conflict):
        take(books, event("2", SEPTEMBER + DAY - HOUR, source="gateway"), stream=GATEWAY)


def test_a_role_that_holds_is_not_changed_by_sending(books: Store) -> None:
    """Nor the account; a person changes it, and what was booked with it."""
    take(books, event("1", source="log"), stream=LOG)
    with pytest.raises(Conflict, match="role"):
        take(books, event("2", source="log"), stream=Stream("log", Role.EVIDENCE, chosen=True))
    with pytest.raises(Conflict, match="account"):
        take(books, event("2", source="log"), stream=Stream("log", Role.LEDGER, chosen=True, account="b"))
    assert statuses(take(books, event("2", source="log"), stream=Stream("log", Role.EVIDENCE))) == ["stored"]


# --- what prompts contain -------------------------------------------------------------------------------------


def cached(id_: str, prompt: int = 20_000, read: int = 12_000, **facts_: Any) -> Event:
    """Make a row that read from a cache, of a stream that does not say whether inside its prompt."""
    fields = {"source": "log", "includes_cached": None, **facts_}
    return event(id_, input_tokens=prompt, cache_read_tokens=read, **fields)


def test_a_prompt_whose_cached_part_may_be_anywhere_is_asked_about(books: Store) -> None:
    """$0.0276 or $0.0636: nobody guesses. Rows without a cached part are taken, and decide nothing for the others."""
    plain = event("0", source="log", includes_cached=None, input_tokens=9)
    assert statuses(take(books, plain, stream=LOG)) == ["stored"]
    (refused,) = take(books, cached("1"), stream=LOG)
    assert (refused.status, "includes_cached" in (refused.detail or "")) == ("invalid", True)
    assert statuses(take(books, cached("1", includes_cached=False), stream=LOG)) == ["stored"]
    assert pico_text(total(books).cost - 9 * 3 * 10**6) == "0.0636"


def test_a_stream_shows_what_its_prompts_contain(books: Store) -> None:
    """By one row that read more than it asked: the whole batch is priced by it, and the next one too."""
    take(books, cached("1"), cached("2", 21, 18_000), stream=LOG)
    take(books, cached("3"), stream=LOG)
    with books.read() as connection:
        assert streams.containments(connection, "log")[""].because == LARGER
    once = Decimal("0.0636")
    assert pico_text(total(books).cost) == str(2 * once + Decimal("0.005463"))


def test_a_total_is_proof_enough(books: Store) -> None:
    """20,000 that contain 12,000, and 100 out, are 20,100."""
    counts = {"input_tokens": 20_000, "cache_read_tokens": 12_000, "output_tokens": 100}
    take(books, event("1", source="log", includes_cached=None, total_tokens=20_100, **counts), stream=LOG)
    with books.read() as connection:
        assert streams.containments(connection, "log")[""].because == SUMS
    assert pico_text(total(books).cost) == "0.0291"


# --- rows that cannot be ------------------------------------------------------------------------------------------


def test_a_bad_row_is_named_and_the_others_are_taken(books: Store) -> None:
    """Not of our time, too long, counted wrong, a tier nobody knows, a cost that is none: each says why."""
    wrong = [
        event("future", NOON + DAY + HOUR),
        event("undated", datetime(1970, 1, 1, tzinfo=UTC)),
        event("long", until=SEPTEMBER + 33 * DAY),
        event("many", input_tokens=10**13 + 1),
        event("negative", input_tokens=-1),
        event("larger", input_tokens=1, input_audio_tokens=2),
        event("tier", service_tier="gold"),
        event("owed", stated_usd=Decimal("-0.01")),
        event("dear", stated_usd=Decimal(10**8)),
        event("costly", output_tokens=10**12),
    ]
    results = take(books, *wrong, event("good"), event("ahead", NOON + DAY))
    assert statuses(results) == ["invalid"] * len(wrong) + ["stored"] * 2
    fields = ["at", "at", "until", "counts", "input_tokens", "impossible_usage", "service_tier", "stated_usd"]
    assert [(result.detail or "").partition(":")[0] for result in results[:8]] == fields
    assert total(books).rows == 2
    assert statuses(take(books, replace(wrong[4], counts={"input_tokens": 1}))) == ["stored"]


def test_counts_nobody_has_a_price_for_never_outgrow_their_sums(books: Store) -> None:
    """A row at the bound, a thousand times over, is still summed exactly."""
    for turn in range(2):
        take(books, *(event(f"{turn} {n}", offer="direct:acme/unknown", input_tokens=10**13) for n in range(500)))
    assert total(books).input_tokens == 1_000 * 10**13


# --- at its own time -----------------------------------------------------------------------------------------------


def test_a_row_is_priced_by_the_card_of_its_own_time(books: Store) -> None:
    """The price rose at noon; each row names the card that it was rated by, which names its evidence."""
    noon = SEPTEMBER + 12 * HOUR
    listed(books, claim(OFFER, Segment(SINCE, noon, rates("3", "15")), Segment(noon, None, rates("4", "15"))), at=NOON)
    take(books, event("1", noon - timedelta(microseconds=1)), event("2", noon))
    with books.read() as connection:
        before, after = cards(connection)
    assert booked(books) == [
        ("usage", "1", "2026-09", "3", None, before), ("usage", "2", "2026-09", "4", None, after),
    ]  # fmt: skip


def test_what_has_no_price_is_counted_and_costs_nothing_yet(books: Store) -> None:
    """Before the first price, and of an offer nobody knows: tokens are there, a cost is not."""
    take(
        books, event("1"), event("2", SINCE - DAY), event("3", offer="direct:acme/new"),
        event("4", SINCE - DAY, stated_usd=Decimal("0.5"), stated_by=StatedBy.PROVIDER),
        event("5", outcome=Outcome.GATEWAY_CACHE),
    )  # fmt: skip
    found = facts(books, asked(("cost_basis", "unpriced"), since=SINCE.date() - DAY))
    assert {heads: (one.rows, one.input_tokens, one.cost, one.stated) for (_label, heads), one in found.items()} == {
        ("rated", ""): (2, 2 * MTOK, 3 * 10**12, 0),
        ("unpriced", "no_price"): (1, MTOK, 0, 0),
        ("unpriced", "unknown_offer"): (1, MTOK, 0, 0),
        ("reported", "no_price"): (1, MTOK, 0, 5 * 10**11),
    }


def test_whoever_answers_says_what_a_row_cost(books: Store) -> None:
    """As text; what nobody knows is nothing, and an assumed lifetime of the cache is told."""
    listed(books, claim(OFFER, rates("3", "15", cache_write_5m="3.75")), at=SINCE + HOUR)
    known, unknown = take(
        books, event("1", input_tokens=MTOK, cache_write_tokens=MTOK), event("2", offer="direct:acme/new")
    )  # fmt: skip
    assert (ingest.reported_usd(known.posting), known.ttl_assumed) == ("3.75", True)
    assert (ingest.reported_usd(unknown.posting), unknown.ttl_assumed) == (None, False)
    assert ingest.reported_usd(None) is None


def test_who_served_is_looked_up_by_its_names(books: Store) -> None:
    """Provider and model as they are spelled, byte for byte; a region has an offer of its own, or the plain one."""
    listed(books, claim("direct:acme/small@eu", rates("5")), at=SINCE + HOUR)
    names = {"provider": "acme", "model": "small"}
    take(
        books, event("plain", **names), event("eu", region="eu", **names), event("us", region="us", **names),
        event("case", provider="Acme", model="small"), event("none", provider="acme", model="smaller"),
    )  # fmt: skip
    found = facts(books, asked(("offer", "unpriced")))
    assert {heads: pico_text(one.cost) for (_label, heads), one in found.items()} == {
        (OFFER, ""): "6", ("direct:acme/small@eu", ""): "5", ("", "unknown_offer"): "0",
    }  # fmt: skip


def test_a_stream_s_own_spelling_of_a_provider_counts_where_a_person_settled_it(books: Store) -> None:
    """Only in the feed it was settled for, and also when the rows are booked anew later."""
    with books.write() as connection:
        connection.execute(
            sa.insert(t.provider_spellings).values(
                feed="log", spelling="ACME Inc", provider_id="acme", channel_id="direct"
            )
        )
    names = {"provider": "ACME Inc", "model": "small"}
    take(books, event("1", source="log", **names), stream=LOG)
    assert total(books).cost == 0
    take(books, event("2", source="log", **names), stream=LOG._replace(feed="log"))
    assert pico_text(total(books).cost) == "3"
    with books.read() as connection:
        assert streams.required(connection, "log").feed == "log"


# --- in its own month ------------------------------------------------------------------------------------------------


def test_what_comes_late_is_booked_in_the_first_open_month(books: Store) -> None:
    """August and September are closed: their rows are used then, and booked in October; October's in October."""
    close(books, "2026-08")
    close(books, "2026-09")
    take(
        books, event("1", SEPTEMBER - HOUR), event("2"), event("3", SEPTEMBER + 40 * DAY),
        event("4", SEPTEMBER - 90 * DAY),
    )  # fmt: skip
    assert [line[:4] for line in booked(books)] == [
        ("late", "1", "2026-10", "3"), ("late", "2", "2026-10", "3"), ("usage", "3", "2026-10", "3"),
        ("usage", "4", "2026-06", "3"),
    ]  # fmt: skip
    assert by_month(books) == {"2026-06": "3", "2026-10": "9"}
    assert by_month(books, basis="usage") == {"2026-06": "3", "2026-08": "3", "2026-09": "3", "2026-10": "3"}


def test_what_was_taken_back_is_booked_back(books: Store) -> None:
    """Once; in its month, or in the first open one after it. Its id stays used."""
    take(books, event("1"), event("2"))
    books.tell(lambda connection: ingest.void(connection, "backend", "1", at=NOON, by="ada"))
    close(books, "2026-09")
    books.tell(lambda connection: ingest.void(connection, "backend", "2", at=NOON, by="ada"))
    assert deltas(books) == [("voided", "1", "2026-09", "-3"), ("voided", "2", "2026-10", "-3")]
    assert by_month(books) == {"2026-09": "3", "2026-10": "-3"}
    assert by_month(books, basis="usage") == {}
    assert statuses(take(books, event("1"), event("2", input_tokens=5))) == ["duplicate", "conflict"]
    with pytest.raises(Conflict, match="before"):
        books.tell(lambda connection: ingest.void(connection, "backend", "1", at=NOON, by="ada"))
    with pytest.raises(NotFound):
        books.tell(lambda connection: ingest.void(connection, "backend", "3", at=NOON, by="ada"))
