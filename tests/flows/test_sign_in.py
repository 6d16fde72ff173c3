"""Signing in on both databases: tries are counted, sessions end, and what changed meanwhile counts."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from planner.core.errors import Conflict, SignInRefused, TooManyRequests, Unavailable
from planner.flows import openid, passwords, sign_in
from planner.flows.sign_in import Lasting
from planner.store import audit, people, sessions, sign_ins
from planner.store.engine import Store
from planner.store.governing import sessions as table
from planner.store.sign_ins import SignIn

PASSWORD = "correct horse battery"
AT = datetime(2026, 11, 26, 9, 7, tzinfo=UTC)
LASTING = Lasting(timedelta(hours=8), timedelta(days=7))


pytestmark = pytest.mark.usefixtures("quick_hashes")


def made(store: Store, login: str = "ada") -> people.Person:
    """Register somebody straight in the store."""
    kept = passwords.hashed(PASSWORD)
    return store.tell(
        lambda connection: people.add(
            connection, login=login, name="Ada", role="admin", password_hash=kept, at=AT, actor="t", reason="r"
        )
    )


def test_a_session_ends_idle_and_in_any_case(store: Store) -> None:
    """Eight hours without a request, or seven days with them; on both databases."""
    made(store)
    token = sign_in.by_password(store, "ada", PASSWORD, "192.0.2.1", LASTING, AT).token
    assert sign_in.holding(store, token, LASTING, AT + timedelta(hours=8) - timedelta(seconds=1)) is not None
    assert sign_in.holding(store, token, LASTING, AT + timedelta(hours=17)) is None
    token = sign_in.by_password(store, "ada", PASSWORD, "192.0.2.1", LASTING, AT).token
    for hour in range(0, 7 * 24, 7):
        assert sign_in.holding(store, token, LASTING, AT + timedelta(hours=hour)) is not None
    assert sign_in.holding(store, token, LASTING, AT + timedelta(days=7)) is None


def test_tries_are_counted_together_by_all_workers(store: Store) -> None:
    """Another login, an address beside the first one in its /64: the same count; a later window begins anew."""
    made(store)
    for number in range(sign_in.PEER_TRIES_MAX):
        with pytest.raises(SignInRefused):
            sign_in.by_password(store, f"x{number}", PASSWORD, f"2001:db8::{number:x}", LASTING, AT)
    with pytest.raises(TooManyRequests) as refused:
        sign_in.by_password(store, "ada", PASSWORD, "2001:db8::ffff", LASTING, AT)
    assert refused.value.retry_after_seconds == 8 * 60 + 1
    assert sign_in.by_password(store, "ada", PASSWORD, "2001:db8:0:1::1", LASTING, AT).token
    assert sign_in.by_password(store, "ada", PASSWORD, "2001:db8::ffff", LASTING, AT + sign_in.WINDOW).token


def test_a_sign_in_elsewhere_is_taken_once(store: Store) -> None:
    """By the browser that began it, within ten minutes; on both databases."""
    begun, until = SignIn("nonce", "verifier"), AT + openid.AWAY
    store.tell(lambda connection: sign_ins.add(connection, "a", "mine", begun, at=AT, expires_at=until))
    store.tell(lambda connection: sign_ins.add(connection, "b", "mine", begun, at=AT, expires_at=until))

    def take(state: str, whose: str, at: datetime = AT) -> SignIn | None:
        return store.tell(lambda connection: sign_ins.take(connection, state, whose, at=at))

    assert take("a", "yours") is None
    assert take("a", "mine") == begun
    assert take("a", "mine") is None
    assert take("b", "mine", until) is None
    assert take("c", "mine") is None


def test_a_person_is_bound_to_one_subject(store: Store) -> None:
    """What a provider calls somebody is theirs alone; on both databases."""
    ada, bob, issuer = made(store), made(store, "bob"), "https://id.example"
    store.tell(lambda connection: people.bind(connection, ada, issuer, "1", at=AT, actor="t"))
    with pytest.raises(Conflict):
        store.tell(lambda connection: people.bind(connection, bob, issuer, "1", at=AT, actor="t"))
    with store.read() as connection:
        found = people.bound(connection, issuer, "1")
        assert found is not None
        assert (found.login, people.bound(connection, "https://other.example", "1")) == ("ada", None)
        assert audit.verify(connection) is None


def test_who_was_disabled_while_the_password_was_checked_does_not_come_in(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person is looked at again in the transaction that begins the session."""
    made(store)
    real = passwords.matches

    def slow(stored: str | None, password: str) -> bool:
        store.tell(lambda connection: people.disable(connection, "ada", at=AT, actor="t", reason="r"))
        return real(stored, password)

    monkeypatch.setattr(passwords, "matches", slow)
    with pytest.raises(SignInRefused):
        sign_in.by_password(store, "ada", PASSWORD, "192.0.2.1", LASTING, AT)
    with store.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 0


def test_a_password_is_hashed_anew_under_new_parameters(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever signs in after the parameters went up is stored under them, and stays signed in elsewhere."""
    made(store)
    before = sign_in.by_password(store, "ada", PASSWORD, "192.0.2.1", LASTING, AT).token
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=2, memory_cost=64, parallelism=1))
    sign_in.by_password(store, "ada", PASSWORD, "192.0.2.1", LASTING, AT)
    with store.read() as connection:
        kept = people.find(connection, "ada")
        assert sessions.find(connection, before, at=AT, idle=LASTING.idle) is not None
    assert kept is not None
    assert kept.password_hash is not None
    assert ",t=2," in kept.password_hash
    assert sign_in.by_password(store, "ada", PASSWORD, "192.0.2.1", LASTING, AT).token


def test_at_most_two_passwords_are_checked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes when the waiting places are taken hears so at once, and holds no thread."""
    taken = 0
    while passwords._places.acquire(blocking=False):
        taken += 1
    try:
        assert taken == passwords.AT_ONCE + passwords.WAITING_MAX
        with pytest.raises(Unavailable):
            passwords.matches(None, PASSWORD)
    finally:
        for _ in range(taken):
            passwords._places.release()
    monkeypatch.setattr(passwords, "WAIT_SECONDS", 0.0)
    assert passwords._turns.acquire(blocking=False)
    assert passwords._turns.acquire(blocking=False)
    try:
        with pytest.raises(Unavailable):
            passwords.hashed(PASSWORD)
    finally:
        passwords._turns.release()
        passwords._turns.release()
    assert passwords.matches(None, PASSWORD) is False
