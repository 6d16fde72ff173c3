"""What the client remembers, what it covers for, and what it never covers up."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from planner.client import (
    AccessRefused,
    CallerMistake,
    MarginUnreachable,
    NoAnswer,
    NotFound,
    NothingCompliant,
    PlannerError,
    TooManyRequests,
    Unavailable,
    Unreadable,
)
from tests.client.peers import DOWN, KEY, SAME, Hands, Peer, Reply, client, good, problem


def test_an_answer_is_typed_and_keeps_what_is_new(peer: Peer, url: str) -> None:
    """Money is exact, times carry their offset, and a field nobody knew then is in ``raw``."""
    peer.then(good(brand_new={"a": 0.1}, valid_until="2026-11-25T00:00:00Z"))
    with client(url) as planner:
        found = planner.recommendation("pro", "chat")
    assert found.choice.cost_usd == Decimal("0.00021")
    assert found.choice.lines[0].usd == Decimal("0.15")
    assert found.links == (found.choice,)
    assert found.valid_until == datetime(2026, 11, 25, tzinfo=UTC)
    assert found.raw["brand_new"] == {"a": Decimal("0.1")}
    assert (found.last_good, found.age_seconds, found.enforce, found.chain) == (False, 0.0, None, None)


def test_names_are_escaped_and_the_customer_is_a_query(peer: Peer, url: str) -> None:
    """A slash in a name is part of the name."""
    with client(url) as planner:
        planner.recommendation("a/b", "c d?", customer="ada&bob")
    assert peer.asked[0].path == "/v1/plans/a%2Fb/tasks/c%20d%3F/recommendation?customer=ada%26bob"
    assert peer.asked[0].headers["Authorization"] == f"Bearer {KEY}"


def test_the_etag_is_sent_and_304_means_the_answer_held(peer: Peer, url: str) -> None:
    """Each of (plan, task, customer) has its own."""
    with client(url) as planner:
        first = planner.recommendation("pro", "chat")
        peer.then(SAME)
        assert planner.recommendation("pro", "chat") == first
        assert peer.asked[1].headers["If-None-Match"] == '"one"'
        peer.then(good())
        planner.recommendation("pro", "chat", customer="ada")
    assert "If-None-Match" not in peer.asked[2].headers


def test_a_304_out_of_the_blue_is_no_answer(peer: Peer, url: str) -> None:
    """Nothing was held that could be the same."""
    peer.then(SAME)
    with client(url) as planner, pytest.raises(Unreadable):
        planner.recommendation("pro", "chat")


def test_within_poll_every_nothing_is_asked(peer: Peer, url: str) -> None:
    """From memory until the seconds have passed, then with the ETag again."""
    hands = Hands()
    with client(url, hands, poll_every=5) as planner:
        planner.recommendation("pro", "chat")
        hands.move(4)
        assert planner.recommendation("pro", "chat").age_seconds == 4
        assert len(peer.asked) == 1
        hands.move(1)
        assert planner.recommendation("pro", "chat").age_seconds == 0
    assert len(peer.asked) == 2


def test_by_default_every_call_asks(peer: Peer, url: str) -> None:
    """What an admin revokes is gone with the next call."""
    with client(url) as planner:
        planner.recommendation("pro", "chat")
        planner.recommendation("pro", "chat")
    assert len(peer.asked) == 2


def test_memory_ends_with_the_answer(peer: Peer, url: str) -> None:
    """Counted by the server's own clock: ours may be wrong by years."""
    hands = Hands(wall=0.0)
    peer.then(good(valid_until="2026-11-24T12:00:10Z"))
    with client(url, hands, poll_every=60) as planner:
        planner.recommendation("pro", "chat")
        hands.move(8)
        planner.recommendation("pro", "chat")
        assert len(peer.asked) == 1
        hands.move(2)
        planner.recommendation("pro", "chat")
    assert len(peer.asked) == 2


# --- the last good answer --------------------------------------------------------------------------------


def test_the_last_good_answer_stands_in_for_half_a_minute(peer: Peer, url: str) -> None:
    """Marked, with its age; a second later nobody vouches for it any more."""
    hands = Hands()
    with client(url, hands) as planner:
        fresh = planner.recommendation("pro", "chat")
        peer.then(DOWN)
        hands.move(30)
        found = planner.recommendation("pro", "chat")
        assert (found.last_good, found.age_seconds, found.choice) == (True, 30, fresh.choice)
        hands.move(1)
        with pytest.raises(Unavailable) as refused:
            planner.recommendation("pro", "chat")
    assert (refused.value.code, refused.value.status) == ("unavailable", 503)


def test_a_confirmation_makes_it_young_again(peer: Peer, url: str) -> None:
    """Age counts from the last 200 or 304."""
    hands = Hands()
    with client(url, hands) as planner:
        planner.recommendation("pro", "chat")
        hands.move(100)
        peer.then(SAME)
        planner.recommendation("pro", "chat")
        peer.then(DOWN)
        hands.move(20)
        assert planner.recommendation("pro", "chat").age_seconds == 20


def test_it_can_be_turned_off(peer: Peer, url: str) -> None:
    """Zero seconds, and an outage is an outage."""
    with client(url, last_good_max_age=0) as planner:
        planner.recommendation("pro", "chat")
        peer.then(DOWN)
        with pytest.raises(Unavailable):
            planner.recommendation("pro", "chat")


@pytest.mark.parametrize("options", [{"last_good_max_age": 86_401}, {"last_good_max_age": -1}, {"poll_every": -1}])
def test_spans_nobody_can_want_are_refused(options: dict[str, Any]) -> None:
    """An answer nobody vouches for serves a day at the most."""
    with pytest.raises(ValueError, match="must"):
        client("http://127.0.0.1:9", **options)


def test_it_ends_where_the_answer_ends(peer: Peer, url: str) -> None:
    """A price or evidence that ended makes another answer, whoever is away."""
    hands = Hands()
    peer.then(good(valid_until="2026-11-24T12:00:10Z"))
    with client(url, hands) as planner:
        planner.recommendation("pro", "chat")
        peer.then(DOWN)
        hands.move(8)
        assert planner.recommendation("pro", "chat").last_good
        hands.move(2)
        with pytest.raises(Unavailable):
            planner.recommendation("pro", "chat")


REFUSALS: list[tuple[Reply, type[PlannerError]]] = [
    (problem(409, "nothing_compliant", refused={"policy:trains_on_prompts": 3}), NothingCompliant),
    (problem(409, "margin_unreachable", feasible_price_usd="21.50"), MarginUnreachable),
    (problem(409, "of_tomorrow"), NoAnswer),
    (problem(404, "not_found", kind="plan", id="pro"), NotFound),
    (problem(422, "invalid"), CallerMistake),
    (problem(401, "unauthenticated"), AccessRefused),
    (problem(403, "policy_not_granted"), AccessRefused),
    (Reply(403, b"<html>no</html>"), AccessRefused),
    (Reply(400, b"no"), CallerMistake),
]


@pytest.mark.parametrize(("refusal", "kind"), REFUSALS)
def test_a_refusal_is_never_covered_up(peer: Peer, url: str, refusal: Reply, kind: type[PlannerError]) -> None:
    """It is raised with its code, and no later outage brings back what was held before it."""
    with client(url) as planner:
        planner.recommendation("pro", "chat")
        peer.then(refusal)
        with pytest.raises(kind) as refused:
            planner.recommendation("pro", "chat")
        peer.then(DOWN)
        with pytest.raises(Unavailable):
            planner.recommendation("pro", "chat")
    assert refused.value.status == refusal.status
    assert "If-None-Match" not in peer.asked[2].headers


def test_facts_of_a_refusal_are_at_hand(peer: Peer, url: str) -> None:
    """The code, what was refused, and the price that would do, exactly."""
    peer.then(REFUSALS[1][0])
    with client(url) as planner, pytest.raises(MarginUnreachable) as refused:
        planner.recommendation("pro", "chat")
    assert refused.value.code == "margin_unreachable"
    assert refused.value.feasible_price_usd == Decimal("21.50")
    assert refused.value.facts == {"feasible_price_usd": "21.50"}


def test_too_many_requests_are_told_and_forget_nothing(peer: Peer, url: str) -> None:
    """It is well and said no; what it said before still holds when it goes away."""
    with client(url) as planner:
        planner.recommendation("pro", "chat")
        peer.then(Reply(429, {"code": "too_many_requests", "title": "Slower"}, {"Retry-After": "7"}))
        with pytest.raises(TooManyRequests) as refused:
            planner.recommendation("pro", "chat")
        assert refused.value.retry_after_seconds == 7
        peer.then(DOWN)
        assert planner.recommendation("pro", "chat").last_good


def test_a_key_that_ends_takes_every_answer_along(peer: Peer, url: str) -> None:
    """Also those about other plans."""
    with client(url) as planner:
        planner.recommendation("pro", "chat")
        peer.then(problem(401, "unauthenticated"))
        with pytest.raises(AccessRefused):
            planner.recommendation("free", "chat")
        peer.then(DOWN)
        with pytest.raises(Unavailable):
            planner.recommendation("pro", "chat")
