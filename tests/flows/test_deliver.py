"""Alerts reach whoever wants them, signed, at least once; what cannot be delivered waits for a person."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa

from planner.core.errors import Conflict, InvalidInput, NotFound
from planner.flows import deliver
from planner.flows.deliver import Ways
from planner.flows.plans import _kind
from planner.notify import NotDelivered, check_url, new_secret, resolve, signature
from planner.store import alerts
from planner.store import tables as t
from planner.store.engine import Store
from planner.store.plan_states import PlanState

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Receiver:
    """A webhook receiver that keeps what it was sent, and answers as it is told."""

    def __init__(self) -> None:
        self.status = 204
        self.heard: list[tuple[dict[str, str], bytes]] = []

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Listen on a free port and yield the address."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.status)
                self.send_header("Location", "http://127.0.0.1:1/")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Keep the test's output for the test."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook"
        finally:
            server.shutdown()
            server.server_close()


def quiet(_kind: str, _count: int, _told: list[dict[str, Any]]) -> None:
    """Log nothing."""


def tell(store: Store, kind: str = "price_rise", count: int = 1) -> None:
    """Write alerts of one revision."""
    with store.write() as connection:
        for number in range(count):
            alerts.add(connection, NOON, kind, f"direct:acme/m{number}", {"after": "2"}, 7)


def subscribe(store: Store, url: str, kinds: list[str] | None = None) -> dict[str, Any]:
    """Register a receiver on loopback."""
    host = url.split("/")[2]
    return store.tell(
        lambda connection: deliver.add_webhook(connection, url, kinds, [host], at=NOON, actor="ada", reason="r")
    )


def ways(url: str = "http://x", **others: Any) -> Ways:
    """Trust the receiver's host."""
    return Ways(quiet, trusted=(url.split("/")[2],), **others)


def walk(store: Store, ways: Ways, at: datetime) -> int:
    """Walk once at a moment."""
    return deliver.deliver(store, ways, lambda _connection: at)


def test_a_webhook_is_signed_and_names_what_to_look_at(store: Store) -> None:
    """One message for all alerts of a kind; the signature is that of the Standard Webhooks rules; no price is in it."""
    tell(store, count=3)
    receiver = Receiver()
    with receiver.listening() as url:
        hook = subscribe(store, url)
        walk(store, ways(url), NOON)
        walk(store, ways(url), NOON + MINUTE)
    ((headers, body),) = receiver.heard
    document = json.loads(body)
    assert (document["type"], document["data"]["count"], document["data"]["revision"]) == ("planner.price_rise", 3, 7)
    assert [alert["subject"] for alert in document["data"]["alerts"]] == [f"direct:acme/m{n}" for n in range(3)]
    assert b"after" not in body
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    secret = base64.b64decode(hook["secret"].removeprefix("whsec_"))
    wanted = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"


def test_the_signature_is_the_specifications_own_example() -> None:
    """The vector of the Standard Webhooks libraries: the same secret, id, time and body give the same signature."""
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert len(base64.b64decode(new_secret().removeprefix("whsec_"))) == 32


def test_a_receiver_that_is_down_is_tried_again_until_a_person_is_needed(store: Store) -> None:
    """A minute, five, half an hour, … a day; then it is dead, can be seen, and sent again by a person."""
    tell(store)
    receiver = Receiver()
    receiver.status = 500
    moment = NOON
    with receiver.listening() as url:
        subscribe(store, url)
        for pause in (*alerts.PAUSES, timedelta()):
            assert walk(store, ways(url), moment) == (1 if moment == NOON else 0)
            walk(store, ways(url), moment + pause - timedelta(seconds=1) if pause else moment)
            moment += pause
        assert len(receiver.heard) == 1 + len(alerts.PAUSES)
        with store.read() as connection:
            (dead,) = alerts.messages(connection, state="dead")
        assert (dead["attempts"], dead["error"]) == (8, "status 500")
        receiver.status = 200
        store.tell(lambda connection: alerts.retry(connection, dead["id"], at=moment, actor="ada", reason="r"))
        assert walk(store, ways(url), moment) == 1
    with store.read() as connection:
        assert alerts.messages(connection, state="dead") == []
    for id_, error in ((dead["id"], Conflict), (4_711, NotFound)):
        with pytest.raises(error):
            store.tell(lambda connection, id_=id_: alerts.retry(connection, id_, at=moment, actor="ada", reason="r"))  # type: ignore[misc]


def test_a_message_taken_by_a_worker_that_died_is_sent_again(store: Store) -> None:
    """While the lease runs nobody else sends it; afterwards somebody does: at least once, never not at all."""
    tell(store)
    receiver = Receiver()
    with receiver.listening() as url:
        subscribe(store, url, ["price_rise"])
        store.tell(lambda connection: alerts.fan_out(connection, [alerts.Target("webhook:1")], NOON))
        taken = store.tell(lambda connection: alerts.claim(connection, NOON, deliver.LEASE))
        assert taken is not None
        assert walk(store, ways(url), NOON + deliver.LEASE / 2) == 0
        assert walk(store, ways(url), NOON + deliver.LEASE) == 1
    assert len(receiver.heard) == 1


def test_one_impossible_address_stops_nobody_else(store: Store) -> None:
    """A host that no name can have is tried, counted and given up; the good receiver behind it hears at once."""
    tell(store)
    receiver = Receiver()
    with receiver.listening() as url:
        with store.write() as connection:
            for address in ("https://a..b.example/", url):
                alerts.add_webhook(connection, address, new_secret(), None, at=NOON, actor="ada", reason="r")
        walk(store, ways(url), NOON)
        moment = NOON
        for pause in alerts.PAUSES:
            moment += pause
            walk(store, ways(url), moment)
    assert len(receiver.heard) == 1
    with store.read() as connection:
        assert [row["target"] for row in alerts.messages(connection, state="dead")] == ["webhook:1"]


def test_who_failed_late_does_not_undo_who_delivered(store: Store) -> None:
    """The first attempt's failure comes in after the second one has delivered: delivered it stays."""
    tell(store)
    store.tell(lambda connection: alerts.fan_out(connection, [alerts.Target("log")], NOON))
    first = store.tell(lambda connection: alerts.claim(connection, NOON, MINUTE))
    second = store.tell(lambda connection: alerts.claim(connection, NOON + MINUTE, MINUTE))
    assert first is not None
    assert second is not None
    store.tell(lambda connection: alerts.settle(connection, second["id"], second["attempts"], None, NOON))
    store.tell(lambda connection: alerts.settle(connection, first["id"], first["attempts"], "late", NOON))
    with store.read() as connection:
        assert [row["state"] for row in alerts.messages(connection)] == ["delivered"]


def test_a_receiver_hears_only_what_it_asked_for(store: Store) -> None:
    """Kinds are exact; a redirect is not followed; a disabled receiver hears nothing, until it is enabled again."""
    tell(store, "offer_gone")
    tell(store, "price_fall")
    receiver = Receiver()
    receiver.status = 302
    with receiver.listening() as url:
        hook = subscribe(store, url, ["price_fall"])
        walk(store, ways(url), NOON)
        assert [json.loads(body)["type"] for _headers, body in receiver.heard] == ["planner.price_fall"]
        store.tell(lambda connection: alerts.disable_webhook(connection, hook["id"], at=NOON, actor="ada", reason="r"))
        walk(store, ways(url), NOON + timedelta(hours=1))
        assert len(receiver.heard) == 1
        with pytest.raises(NotFound):
            store.tell(
                lambda connection: alerts.disable_webhook(connection, hook["id"], at=NOON, actor="ada", reason="r")
            )
        with store.read() as connection:
            (dead,) = [row["id"] for row in alerts.messages(connection, state="dead")]
        with pytest.raises(Conflict, match="disabled"):
            store.tell(lambda connection: alerts.retry(connection, dead, at=NOON, actor="ada", reason="r"))
        store.tell(lambda connection: alerts.enable_webhook(connection, hook["id"], at=NOON, actor="ada", reason="r"))
        with pytest.raises(Conflict, match="not disabled"):
            store.tell(
                lambda connection: alerts.enable_webhook(connection, hook["id"], at=NOON, actor="ada", reason="r")
            )
        store.tell(
            lambda connection: alerts.retry(connection, dead, at=NOON + timedelta(hours=2), actor="ada", reason="r")
        )
        walk(store, ways(url), NOON + timedelta(hours=2))
        assert len(receiver.heard) == 2
    for kinds in (["gossip"], []):
        with pytest.raises(InvalidInput):
            subscribe(store, "http://127.0.0.1:9/", kinds)


def test_a_receiver_that_says_it_is_gone_is_not_told_again(store: Store) -> None:
    """410: it is disabled, on the audit trail, and nothing is kept due for it."""
    tell(store)
    receiver = Receiver()
    receiver.status = 410
    with receiver.listening() as url:
        subscribe(store, url)
        walk(store, ways(url), NOON)
        walk(store, ways(url), NOON + timedelta(hours=1))
    assert len(receiver.heard) == 1
    with store.read() as connection:
        assert alerts.receivers(connection) == []
        (row,) = alerts.messages(connection, state="dead")
        assert row["target"] == "webhook:1"
        trail = connection.execute(sa.select(t.audit.c.actor, t.audit.c.action)).all()
    assert ("receiver", "webhook.disable") in [tuple(row) for row in trail]


def test_a_receiver_that_fails_is_asked_once_a_walk(store: Store) -> None:
    """Three messages wait for it; the first failure of a walk lets the others wait for the next one."""
    for kind in ("price_rise", "price_fall", "offer_gone"):
        tell(store, kind)
    receiver = Receiver()
    receiver.status = 503
    with receiver.listening() as url:
        subscribe(store, url)
        walk(store, ways(url), NOON)
        assert len(receiver.heard) == 1
        walk(store, ways(url), NOON + timedelta(seconds=15))
    assert len({headers["webhook-id"] for headers, _body in receiver.heard}) == 2


def test_a_message_whose_every_sender_stopped_waits_for_a_person(store: Store) -> None:
    """Taken again and again and never settled, it is dead after as many attempts as any other."""
    tell(store)
    store.tell(lambda connection: alerts.fan_out(connection, [alerts.Target("log")], NOON))
    moments = [NOON + number * MINUTE for number in range(2 + len(alerts.PAUSES))]
    taken = [store.tell(lambda connection, at=at: alerts.claim(connection, at, MINUTE)) for at in moments]  # type: ignore[misc]
    assert [message is None for message in taken] == [False] * (1 + len(alerts.PAUSES)) + [True]
    with store.read() as connection:
        assert len(alerts.messages(connection, state="dead")) == 1


def test_a_host_is_trusted_when_it_is_called(store: Store) -> None:
    """In whatever case the settings write it; taken out of them, it is not called any more."""
    tell(store)
    receiver = Receiver()
    with receiver.listening() as url:
        local = url.replace("127.0.0.1", "localhost")
        place = local.split("/")[2]
        store.tell(
            lambda connection: deliver.add_webhook(connection, local, None, [place], at=NOON, actor="ada", reason="r")
        )
        walk(store, Ways(quiet), NOON)
        assert receiver.heard == []
        walk(store, Ways(quiet, trusted=(place.upper(),)), NOON + MINUTE)
    assert len(receiver.heard) == 1
    check_url("http://[::1]:9000/", ["[::1]:9000"])


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "https://example.com:8443/", "https://user@example.com/", "https://:x@example.com/",
        "ftp://example.com/", "https:///", "https://example.com/#x", "//example.com", "https://example.com:99999/", "x",
        "https://exam ple.com/", "https://example.com/a\nb",
    ],
)  # fmt: skip
def test_only_https_on_its_port_is_called(url: str) -> None:
    """Other schemes, ports, users and forms are refused when they are entered."""
    with pytest.raises(InvalidInput):
        check_url(url, ["trusted.test:8443"])


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  # noqa: S104  # an address to be refused
        "224.0.0.1",
        "[::1]", "[fc00::1]", "[fe80::1]", "[::ffff:127.0.0.1]", "[2002:7f00:1::]", "[64:ff9b::7f00:1]", "localhost",
        "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b:1::7f00:1]", "[fec0::1]", "[3fff::1]", "[5f00::1]",
        "192.0.0.192", "168.63.129.16",
    ],
)  # fmt: skip
def test_no_webhook_leads_inwards(host: str) -> None:
    """Whatever a name resolves to must be public, however the address is written; a trusted host need not be."""
    if host != "localhost":
        with pytest.raises(InvalidInput, match="public"):
            check_url(f"https://{host}/", [])
    with pytest.raises(NotDelivered):
        resolve(f"https://{host}/", [])


def test_a_public_or_trusted_host_is_called_at_the_address_that_was_looked_at() -> None:
    """The address of the check is the address of the connection."""
    check_url("http://127.0.0.1:9000/", ["127.0.0.1:9000"])
    assert resolve("http://127.0.0.1:9000/", ["127.0.0.1:9000"]) == ("127.0.0.1", 9000)
    assert resolve("https://93.184.215.14/", []) == ("93.184.215.14", 443)
    with pytest.raises(NotDelivered):
        resolve("https://no-such-host.invalid/", [])


@pytest.mark.parametrize(
    ("was", "now", "kind"),
    [
        (PlanState("answered", "a", "2", "0.7"), PlanState("answered", "b", "1", "0.8"), "cheaper_offer"),
        (PlanState("answered", "a", "2", "0.7"), PlanState("answered", "b", "3", "0.6"), "plan_moved"),
        (PlanState("answered", "a", "2", "0.7"), PlanState("answered", "a", "3", "0.6"), None),
        (PlanState("answered", "a", "2", "0.7"), PlanState("margin_unreachable"), "plan_under_margin"),
        (PlanState("answered", "a", "2", "0.7"), PlanState("nothing_compliant"), "plan_without_offer"),
        (PlanState("nothing_compliant"), PlanState("answered", "a", "2", "0.7"), None),
    ],
)
def test_a_plan_is_told_what_moved_for_it(was: PlanState, now: PlanState, kind: str | None) -> None:
    """Cheaper, dearer, under its margin, without an offer: four alerts, and none where nothing has to be done."""
    assert _kind(was, now) == kind
