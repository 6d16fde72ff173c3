"""Ways round the guards: dates, repeated questions, other names, half lists, and answers that come late."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from planner.core.claim import Claim, Segment
from planner.core.doubt import Bounds
from planner.core.errors import Conflict
from planner.core.price import Band, Rate, RateTable, UnitPrice, When
from planner.core.units import Unit
from planner.flows import alias, hold
from planner.flows.correct import correct_price
from planner.store import status
from planner.store import tables as t
from planner.store.engine import Store
from tests.flows.test_hold import everything, priced, ready, send
from tests.flows.test_hold import price as paid
from tests.flows.test_hostile import DAY, HOUR, NOON, OFFER, claim, codes, decide, price, say
from tests.flows.test_hostile import store as acme
from tests.make import rates

__all__ = ["acme", "ready"]
LONG_AGO = datetime(2026, 2, 1, tzinfo=UTC)


def stretches(*segments: Segment) -> Claim:
    """Claim several stretches of one price."""
    return replace(claim(rates("1")), segments=segments)


def decide_about(store: Store, id_: int, verb: str, at: datetime) -> None:
    """Decide about one hold."""
    store.tell(lambda connection: hold.decide(connection, id_, verb, at=at, actor="a", reason="r", bounds=Bounds()))


def test_a_rise_is_not_undone_by_leaving_it_out(acme: Store) -> None:
    """A list that no longer names the dearer stretch in force claims a fall, although it begins as it always did."""
    cheap, dear = Segment(LONG_AGO, NOON - DAY, rates("1")), Segment(NOON - DAY, None, rates("4"))
    say(acme, "a", NOON, stretches(cheap, dear))
    say(acme, "a", NOON + DAY, stretches(replace(cheap, valid_to=None)))
    assert (price(acme, NOON + DAY), set(codes(acme))) == ("4", {"fall"})


def test_a_correction_of_the_past_vouches_for_no_price_of_today(acme: Store) -> None:
    """Ten days of August were cheap; a list that says they began a cheap time until today waits."""
    say(acme, "a", NOON - 100 * DAY, claim(rates("4")))
    begins = NOON - 90 * DAY
    with acme.write() as connection:
        correct_price(
            connection, OFFER, Segment(begins, begins + 10 * DAY, rates("1")), source_url="https://i.test", at=NOON,
            actor="ada", reason="invoice", bounds=Bounds(),
        )  # fmt: skip
    say(acme, "a", NOON + DAY, stretches(Segment(begins, None, rates("1"))))
    assert (price(acme, NOON + DAY), set(codes(acme))) == ("4", {"fall"})


def test_a_rejected_price_that_others_repeat_waits_until_a_person_decides(acme: Store) -> None:
    """Decided anew for another reason, or left for a day and said again, it goes on waiting; its twin stays closed."""
    say(acme, "a", NOON, claim(rates("4", "8")))
    say(acme, "a", NOON + HOUR, claim(rates("1", "8")))
    decide(acme, hold.REJECT, NOON + HOUR)
    say(acme, "b", NOON + 2 * HOUR, claim(rates("1", "8")))
    for hours, cent in ((4, "8.01"), (5, "8.02")):
        say(acme, "b", NOON + hours * HOUR, claim(rates("1", cent)))
        assert (price(acme, NOON + DAY), codes(acme)) == ("4", ["rejected_before"])
    with pytest.raises(Conflict, match="newer"):
        decide_about(acme, 1, hold.REOPEN, NOON + 6 * HOUR)
    say(acme, "a", NOON + 7 * HOUR, claim(rates("4", "8")))
    assert codes(acme) == []
    say(acme, "a", NOON + 8 * HOUR, claim(rates("1", "8")))
    assert (price(acme, NOON + DAY), codes(acme)) == ("4", ["rejected_before"])


def test_what_waits_or_was_rejected_or_is_old_vouches_for_nobody(acme: Store) -> None:
    """A fall that only a rejected claim, or a source lost for months, confirms is not confirmed."""
    say(acme, "b", NOON, claim(rates("4", "8")))
    say(acme, "b", NOON + HOUR, claim(rates("1", "8")))
    decide(acme, hold.REJECT, NOON + HOUR)
    say(acme, "a", NOON + 2 * HOUR, claim(rates("1", "8")))
    # The rejected one is asked about again, because another source repeats it.
    assert (price(acme, NOON + DAY), codes(acme)) == ("4", ["fall", "rejected_before"])


def test_a_source_lost_for_months_vouches_for_nobody(acme: Store) -> None:
    """It said the cheaper price when it was last read, 61 days ago."""
    say(acme, "a", NOON, claim(rates("4", "8")))
    say(acme, "b", NOON, claim(rates("1", "8")))
    with acme.write() as connection:
        status.note_success(connection, "b", NOON, None, {})
    say(acme, "a", NOON + 61 * DAY, claim(rates("1", "8")))
    assert (price(acme, NOON + 62 * DAY), codes(acme)) == ("4", ["fall"])


def test_a_fee_per_request_that_is_gone_is_a_fall(acme: Store) -> None:
    """Two cents per request, and then none: it waits, because it is billed only where it is stated."""
    fee = RateTable({**rates("4", "8"), Unit.REQUEST: UnitPrice(Rate(rates("0.02")[Unit.INPUT].base.usd))})
    say(acme, "a", NOON, claim(fee))
    say(acme, "a", NOON + HOUR, claim(rates("4", "8")))
    assert codes(acme) == ["fall"]


@pytest.mark.parametrize(
    ("table", "code"),
    [
        (rates("4", "0"), "zero_rate"),
        (rates("0", "8"), "zero_rate"),
        (
            RateTable(
                {
                    **rates("4", "8"),
                    Unit.INPUT: UnitPrice(
                        rates("4")[Unit.INPUT].base, (Band(When(input_tokens_gt=1), rates("0.002")[Unit.INPUT].base),)
                    ),
                }
            ),
            "spread",
        ),
    ],
)
def test_a_new_offer_does_not_win_by_a_part_of_its_price(acme: Store, table: RateTable, code: str) -> None:
    """Free answers, free prompts, or almost free prompts of two tokens and more, where four others ask for both."""
    hosts = [f"p{n}" for n in range(5)]
    with acme.write() as connection:
        for host in hosts:
            connection.execute(sa.insert(t.providers).values(id=host, name=host, kind="provider", creator_of="[]"))
            connection.execute(
                sa.insert(t.aliases).values(namespace=host, spelling="m", model_id="acme/m", basis="test")
            )

    def of(host: str, asked: RateTable) -> Claim:
        made = claim(asked)
        return replace(made, offer_id=f"direct:{host}/m", facts=replace(made.facts, provider=host))

    four = [of(host, rates("4", "8")) for host in hosts[:4]]
    say(acme, "a", NOON, *four)
    say(acme, "a", NOON + HOUR, *four, of("p4", table))
    assert set(codes(acme)) == {code}


def test_a_pass_for_one_fault_lets_no_other_in(ready: Store) -> None:
    """Approved as fivefold, a list of other names is refused; a pass that was not needed is not used up."""
    everything(ready, 10, NOON)
    everything(ready, 50, NOON + DAY)
    decide_about(ready, 1, hold.APPROVE, NOON + DAY)
    other = priced("50", 60)
    for n in range(60):
        other = other.replace(f'"m{n}"'.encode(), f'"x{n}"'.encode())
    assert send(ready, other, NOON + DAY + HOUR) == "renamed"
    decide_about(ready, 2, hold.REJECT, NOON + DAY + HOUR)
    assert everything(ready, 50, NOON + DAY + 2 * HOUR).sources[0].error_code is None
    assert send(ready, other, NOON + 10 * DAY) == "renamed"


def test_a_pass_for_fewer_rows_is_none_for_fewer_prices(ready: Store) -> None:
    """Sixty rows of a hundred were looked at; sixty rows of which one has a price are another list."""
    everything(ready, 10, NOON, count=100)
    everything(ready, 10, NOON + DAY, count=60)
    decide_about(ready, 1, hold.APPROVE, NOON + DAY)
    one = priced("10", 60).replace(b'"cost": {"input": 10.0, "output": 10.0}', b'"cost": {}')
    assert (
        send(ready, one.replace(b'{"cost": {}}', b'{"cost": {"input": 10, "output": 10}}', 1), NOON + DAY) is not None
    )


def test_a_list_is_not_renamed_step_by_step(ready: Store) -> None:
    """A quarter of the names an hour: refused when a third of what was named in the last weeks is gone."""
    names = [f"m{n}" for n in range(100)]
    said = []
    for step in range(4):
        names[25 * step : 25 * step + 25] = [f"x{step}_{n}" for n in range(25)] if step else names[:25]
        body = priced("10", 100)
        for n, name in enumerate(names):
            body = body.replace(f'"m{n}"'.encode(), f'"{name}"'.encode())
        said.append(send(ready, body, NOON + step * HOUR))
    assert said == [None, None, "renamed", "renamed"]


def test_a_list_that_gets_worse_step_by_step_is_another_one_at_last(ready: Store) -> None:
    """Ten percent fewer rows each time: what was shown is not what is let in."""
    everything(ready, 10, NOON, count=100)
    for count in (60, 55, 50, 45):
        everything(ready, 10, NOON + DAY, count=count)
    assert [(row["state"], row["reasons"][0]["figure"]) for row in hold.queue(ready)] == [
        ("released", "60"), ("waiting", "50"),
    ]  # fmt: skip


def test_a_list_approved_by_mistake_is_taken_back_until_it_is_let_in(ready: Store) -> None:
    """Approved, reopened and rejected: the next such list is not let in; a price is free of a list that never came."""
    everything(ready, 10, NOON)
    everything(ready, 50, NOON + DAY)
    for verb in (hold.APPROVE, hold.REOPEN, hold.REJECT):
        decide_about(ready, 1, verb, NOON + DAY)
    assert everything(ready, 50, NOON + DAY + HOUR).sources[0].error_code == "scaled"
    assert hold.queue(ready, state="waiting") == []


def test_a_reopened_price_is_held_against_the_newest_list(ready: Store) -> None:
    """Rejected, and reopened while a newer list waits: the list is decided first; an approved list hinders nothing."""
    send(ready, priced("7"), NOON)
    cheap = priced("7").replace(b"7.0", b"1.0", 2)
    send(ready, cheap, NOON + DAY)
    decide_about(ready, 1, hold.REJECT, NOON + DAY)
    everything(ready, 7, NOON + 2 * DAY, count=10)
    decide_about(ready, 1, hold.REOPEN, NOON + 2 * DAY)
    with pytest.raises(Conflict, match="decide hold 2 first"):
        decide_about(ready, 1, hold.APPROVE, NOON + 2 * DAY)
    decide_about(ready, 2, hold.APPROVE, NOON + 2 * DAY)
    decide_about(ready, 1, hold.APPROVE, NOON + 60 * DAY)


def test_an_answer_dated_by_a_wrong_clock_blocks_nobody(ready: Store) -> None:
    """Read in 2100 by mistake, the source is silent, and is read again by the right clock."""
    send(ready, priced("6"), datetime(2100, 1, 1, tzinfo=UTC))
    with ready.read() as connection:
        (row,) = status.source_states_of(connection)
    assert row.state(NOON) == "stale"
    everything(ready, 7, NOON, count=30)
    with ready.read() as connection:
        (row,) = status.source_states_of(connection)
    assert (row.last_success_at, row.state(NOON)) == (NOON, "fresh")
    assert [paid(ready, NOON), paid(ready, NOON + DAY)] == ["7", "7"]


def test_an_older_answer_ends_no_newer_hold(ready: Store) -> None:
    """A refresh that began before a refused one and took longer is overtaken."""
    everything(ready, 10, NOON)
    everything(ready, 50, NOON + DAY)
    assert everything(ready, 11, NOON + DAY - HOUR / 2).sources[0].outcome == "overtaken"
    assert len(hold.queue(ready, state="waiting")) == 1


def test_an_approved_price_holds_from_when_it_was_said_again(acme: Store) -> None:
    """Rejected, left for ten days and said again: reopened and approved, it does not rewrite the days between."""
    for day, usd in ((0, "4"), (1, "1"), (10, "3"), (20, "1")):
        say(acme, "a", NOON + day * DAY, claim(rates(usd, "8")))
        if day == 1:
            decide_about(acme, 1, hold.REJECT, NOON + DAY)
    decide_about(acme, 1, hold.REOPEN, NOON + 29 * DAY)
    decide_about(acme, 1, hold.APPROVE, NOON + 30 * DAY)
    assert [price(acme, NOON + day * DAY) for day in (5, 15, 19, 20)] == ["4", "3", "3", "1"]


def settle(store: Store, spelling: str, at: datetime) -> int:
    """Say that a spelling means the one model there is, and return how many prices wait for it."""
    rows = [("acme", spelling, "acme/m")]
    done = store.tell(
        lambda connection: alias.settle(connection, rows, [], at=at, actor="a", reason="r", bounds=Bounds())
    )
    return done["held"]


def test_a_pending_price_is_held_against_its_model_when_that_is_settled(acme: Store) -> None:
    """A four-hundredth of its sibling, believed while nobody knew the model: it waits; rejected, it stays out."""
    other = "direct:acme/m-x"
    cheap = replace(claim(rates("0.01"), "m-x"))
    say(acme, "a", NOON, claim(rates("4")), cheap, claim(rates("3"), "m-y"))
    assert price(acme, NOON + HOUR, other) == "0.01"
    assert [settle(acme, "m-y", NOON + HOUR), settle(acme, "m-x", NOON + HOUR)] == [0, 1]
    assert (price(acme, NOON + DAY, other), set(codes(acme))) == (None, {"below_sibling"})
    for day in range(1, 3):
        facts = replace(cheap.facts, context_tokens=day)
        say(acme, "a", NOON + day * DAY, claim(rates("4")), replace(cheap, facts=facts), claim(rates("3"), "m-y"))
        assert (price(acme, NOON + day * DAY, other), set(codes(acme))) == (
            None,
            {"below_sibling"} if day == 1 else set(),
        )
        if day == 1:
            decide(acme, hold.REJECT, NOON + day * DAY + HOUR)
    decide_about(acme, 1, hold.REOPEN, NOON + 5 * DAY)
    decide_about(acme, 1, hold.APPROVE, NOON + 5 * DAY)
    assert price(acme, NOON + 6 * DAY, other) == "0.01"


def test_a_price_that_waits_goes_on_waiting_when_its_model_is_settled(acme: Store) -> None:
    """A fall of a pending offer waits before and after somebody says what model it is."""
    say(acme, "a", NOON, claim(rates("4"), "m-x"))
    say(acme, "a", NOON + HOUR, claim(rates("1"), "m-x"))
    settle(acme, "m-x", NOON + 2 * HOUR)
    assert (price(acme, NOON + DAY, "direct:acme/m-x"), set(codes(acme))) == ("4", {"fall"})
