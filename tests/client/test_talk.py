"""How often a question is asked, without a socket and without a clock that runs."""

import pytest

from planner.client import PlannerError, TooManyRequests, Unavailable, Unreachable
from planner.client.talk import Lost, Pace, Reply, Request, Send, Wait, ask
from tests.client.peers import DATE, Hands

QUESTION = Request("/v1/status")
OK = Reply(200, {}, b"{}")


def busy(status: int = 503, **headers: str) -> Reply:
    """Make an answer that another attempt may change."""
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, b"")


def talk(*came: Reply | Lost, pace: Pace = Pace(2, 10.0)) -> tuple[list[float], Reply | PlannerError]:  # noqa: B008  # a constant
    """Play a talk to its end; return how long it waited each time, and how it ended."""
    hands, waits, answers = Hands(), [], list(came)
    playing = ask(QUESTION, pace, hands.clock)
    sent: Reply | Lost | None = None
    try:
        while True:
            step = playing.send(sent)
            sent = None
            if isinstance(step, Send):
                sent = answers.pop(0)
            elif isinstance(step, Wait):
                waits.append(step.seconds)
                hands.move(step.seconds)
    except StopIteration as end:
        assert not answers
        reply: Reply = end.value
        return waits, reply
    except PlannerError as error:
        assert not answers
        return waits, error


@pytest.mark.parametrize("lost", [Lost("reset"), busy(502), busy(503), busy(504), busy(429)])
def test_what_another_attempt_may_cure_is_asked_again(lost: Reply | Lost) -> None:
    """Twice more by default, after a wait each, and then the answer counts."""
    waits, end = talk(lost, lost, OK)
    assert end is OK
    assert [0 <= wait <= longest for wait, longest in zip(waits, (0.1, 0.2), strict=True)] == [True, True]


@pytest.mark.parametrize("status", [200, 304, 400, 401, 404, 409, 422, 500])
def test_what_another_attempt_would_not_change_is_asked_once(status: int) -> None:
    """An answer, a refusal, and a mistake of planner's own."""
    assert talk(busy(status)) == ([], busy(status))


def test_the_last_failure_is_what_is_told() -> None:
    """With its kind and what it said."""
    waits, end = talk(Lost("reset"), busy(503), busy(429, retry_after="1"))
    assert isinstance(end, TooManyRequests)
    assert (end.retry_after_seconds, len(waits)) == (1.0, 2)
    assert isinstance(talk(Lost("gone"), pace=Pace(0, 10.0))[1], Unreachable)


def test_retry_after_is_waited_for() -> None:
    """In seconds, or as a date next to the date of the answer; a random part comes on top."""
    (one, two), end = talk(busy(retry_after="3"), busy(429, retry_after="Tue, 24 Nov 2026 12:00:04 GMT", date=DATE), OK)
    assert end is OK
    assert 3 <= one <= 3.1
    assert 4 <= two <= 4.2


@pytest.mark.parametrize("said", ["soon", "-1", "Tue, 24 Nov 2026 12:00:04 GMT", "1e3"])
def test_a_retry_after_nobody_can_read_is_as_none(said: str) -> None:
    """The wait is the client's own then."""
    (wait,), _end = talk(busy(retry_after=said), OK)
    assert wait <= 0.1


@pytest.mark.parametrize(("said", "deadline"), [("31", 1_000.0), ("999999999999", 1e12), ("5", 4.0)])
def test_who_is_told_to_come_too_late_does_not_wait(said: str, deadline: float) -> None:
    """Beyond half a minute, or beyond the deadline, the caller is told at once and may decide."""
    waits, end = talk(busy(retry_after=said), pace=Pace(5, deadline))
    assert waits == []
    assert isinstance(end, Unavailable)
    assert end.retry_after_seconds == float(said[:9])


def test_the_deadline_bounds_all_attempts() -> None:
    """However many are left: no wait begins that would end after it."""
    hands, sends = Hands(), 0
    playing = ask(QUESTION, Pace(1_000, 10.0), hands.clock)
    step = next(playing)
    with pytest.raises(Unreachable):  # noqa: PT012  # the talk is played until it raises
        while True:
            if isinstance(step, Send):
                assert hands.monotonic < step.until == 1_010
                sends += 1
                hands.move(3)
                step = playing.send(Lost("slow"))
            elif isinstance(step, Wait):
                hands.move(step.seconds)
                step = playing.send(None)
    assert sends == 4
