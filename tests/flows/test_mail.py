"""Alerts by mail, against a real mail server: a letter per recipient, encrypted, and no password in the clear."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as readable
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from planner.core.errors import InvalidInput
from planner.flows import deliver
from planner.flows.deliver import Ways
from planner.notify import Mail, NotDelivered, check_mail_url, mail
from planner.store import alerts
from planner.store.engine import Store
from tests.loopback import free_port

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PATIENCE_SECONDS = 60
ADA, BOB = "ada@acme.test", "bob@acme.test"


class Box:
    """What a mail server took, and whom it refuses."""

    def __init__(self, *refused: str) -> None:
        self.letters: list[EmailMessage] = []
        self.encrypted: list[bool] = []
        self.logins: list[str] = []
        self._refused = refused

    async def handle_RCPT(  # noqa: N802  # the server's name for it
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a recipient, or refuse one who is not there."""
        if address in self._refused:
            return "550 nobody of this name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # the same
        """Keep a letter."""
        content = envelope.original_content or b""
        self.letters.append(BytesParser(EmailMessage, policy=readable).parsebytes(content))
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: Any, data: Any) -> AuthResult:
        """Take a name and a password."""
        self.logins.append(f"{data.login.decode()}:{data.password.decode()}")
        return AuthResult(success=data.password == b"p@ss:word", handled=False)


class Office(Controller):
    """A mail server that leaves no connection open when it stops: whoever was refused may still hang on."""

    def __init__(self, box: Box, **options: Any) -> None:
        self._sessions: list[SMTP] = []
        super().__init__(box, hostname="127.0.0.1", **options)

    def factory(self) -> SMTP:
        """Make a session, and remember it."""
        made: SMTP = super().factory()  # type: ignore[no-untyped-call]  # the library states none
        self._sessions.append(made)
        return made

    def stop(self, no_assert: bool = False) -> None:  # the library's own signature
        """Hang up, then stop."""
        asyncio.run_coroutine_threadsafe(self._hang_up(), self.loop).result(PATIENCE_SECONDS)
        super().stop(no_assert)

    async def _hang_up(self) -> None:
        for session in self._sessions:
            for transport in (session.transport, session._original_transport):  # the one below TLS
                if isinstance(transport, asyncio.WriteTransport):
                    transport.abort()
        await asyncio.sleep(0.05)


@contextmanager
def office(box: Box, **options: Any) -> Iterator[int]:
    """Run a mail server on loopback and yield its port."""
    controller = Office(box, port=free_port(), authenticator=box.authenticate, **options)
    controller.start()
    try:
        yield int(controller.port)
    finally:
        controller.stop()


@pytest.fixture
def certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Certificates of ``localhost``, by an authority that this process trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def send(url: str) -> None:
    """Send a short letter to Ada."""
    mail(Mail(url, "planner@acme.test", (ADA,)), ADA, "planner-1", "subject", "text", NOON)


def tell(store: Store, count: int) -> None:
    """Write alerts about so many prices."""
    with store.write() as connection:
        for number in range(count):
            alerts.add(connection, NOON, "price_rise", f"direct:acme/m{number}", {"after": "2"}, 7)


def walk(store: Store, ways: Ways, at: datetime) -> int:
    """Walk once at a moment."""
    return deliver.deliver(store, ways, lambda _connection: at)


def quiet(_kind: str, _count: int, _told: list[dict[str, Any]]) -> None:
    """Log nothing."""


def test_finance_gets_a_letter_with_the_figures(store: Store) -> None:
    """The subject says what and how many, the text each offer and its facts; without a server it is tried again."""
    tell(store, 2)
    box, port = Box(), free_port()
    ways = Ways(quiet, Mail(f"smtp://127.0.0.1:{port}", "planner@acme.test", (ADA, BOB)))
    assert walk(store, ways, NOON) == 1
    controller = Office(box, port=port)
    controller.start()
    try:
        assert walk(store, ways, NOON + MINUTE) == 2
    finally:
        controller.stop()
    assert [(letter["To"], letter["Subject"]) for letter in box.letters] == [
        (ADA, "planner: price rise (2)"),
        (BOB, "planner: price rise (2)"),
    ]
    text = box.letters[0].get_content()
    assert "direct:acme/m1" in text
    assert 'after: "2"' in text


def test_a_wrong_recipient_delays_nobody_else(store: Store) -> None:
    """Each recipient has a message of his own: one that is refused is tried again, the other is not told twice."""
    tell(store, 1)
    box = Box(BOB)
    with office(box) as port:
        ways = Ways(quiet, Mail(f"smtp://127.0.0.1:{port}", "planner@acme.test", (ADA, BOB)))
        walk(store, ways, NOON)
        walk(store, ways, NOON + MINUTE)
    assert [letter["To"] for letter in box.letters] == [ADA]
    with store.read() as connection:
        waiting = alerts.messages(connection, state="due")
    assert [(row["target"], row["attempts"], row["error"]) for row in waiting] == [
        (f"email:{BOB}", 2, "SMTPRecipientsRefused")
    ]


def test_a_recipient_who_left_is_not_written_to(store: Store) -> None:
    """What was due to an address that the settings no longer name goes nowhere."""
    tell(store, 1)
    box = Box()
    url = f"smtp://127.0.0.1:{free_port()}"
    walk(store, Ways(quiet, Mail(url, "planner@acme.test", (ADA, BOB))), NOON)
    with office(box) as port:
        left = Mail(f"smtp://127.0.0.1:{port}", "planner@acme.test", (BOB,))
        walk(store, Ways(quiet, left), NOON + MINUTE)
    assert [letter["To"] for letter in box.letters] == [BOB]


def test_letters_are_encrypted_where_the_server_can(certificates: ssl.SSLContext) -> None:
    """STARTTLS is taken when it is offered, also without a password."""
    box = Box()
    with office(box, tls_context=certificates) as port:
        send(f"smtp://localhost:{port}")
    assert box.encrypted == [True]


def test_a_password_goes_to_a_server_that_proved_its_name(certificates: ssl.SSLContext) -> None:
    """Over STARTTLS, with the name and the password of the URL, percent signs decoded."""
    box = Box()
    with office(box, tls_context=certificates, require_starttls=True) as port:
        send(f"smtp://ada:p%40ss%3Aword@localhost:{port}")
        with pytest.raises(NotDelivered, match="SMTPAuthenticationError"):
            send(f"smtp://ada:wrong@localhost:{port}")
    # One wrong password is one failure: many of them lock an account.
    assert box.logins == ["ada:p@ss:word", "ada:wrong"]
    assert box.encrypted == [True]


def test_a_server_nobody_vouches_for_gets_nothing(
    certificates: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate of an unknown authority, or of another name, ends the attempt before a letter or a password."""
    box = Box()
    with office(box, tls_context=certificates) as port:
        with pytest.raises(NotDelivered, match="SSLCertVerificationError"):
            send(f"smtp://ada:p%40ss@127.0.0.1:{port}")
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(NotDelivered, match="SSLCertVerificationError"):
            send(f"smtp://ada:p%40ss@localhost:{port}")
    assert (box.logins, box.letters) == ([], [])


def test_encryption_from_the_first_byte(certificates: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """``smtps`` checks the certificate like everything else."""
    box = Box()
    with office(box, ssl_context=certificates) as port:
        send(f"smtps://localhost:{port}")
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(NotDelivered, match="SSLCertVerificationError"):
            send(f"smtps://localhost:{port}")
    assert len(box.letters) == 1


def test_no_password_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without encryption gets no password, unless it is this machine."""
    box = Box()
    with office(box, auth_require_tls=False) as port:
        send(f"smtp://ada:p%40ss%3Aword@127.0.0.1:{port}")
        monkeypatch.setattr("planner.notify.LOOPBACK", frozenset())
        with pytest.raises(NotDelivered, match="no encryption"):
            send(f"smtp://ada:p%40ss%3Aword@127.0.0.1:{port}")
    assert len(box.logins) == 1


@pytest.mark.parametrize("url", ["mail.acme.test", "http://mail.acme.test", "smtp://", "smtp://x:99999", "smtps://:25"])
def test_an_address_that_is_no_mail_server_is_refused(url: str) -> None:
    """Scheme, host and port are checked at the start, not at the first alert."""
    check_mail_url("smtps://ada:x@mail.acme.test:465")
    with pytest.raises(InvalidInput):
        check_mail_url(url)
