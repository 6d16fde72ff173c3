"""Telling somebody outside: a signed webhook, an e-mail, or a line in the log. One attempt; who calls tries again."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import ipaddress
import secrets
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

import aiosmtplib
import httpx

from planner.core.errors import InvalidInput

SECRET_PREFIX = "whsec_"  # noqa: S105  # the public mark of such secrets
SECRET_BYTES = 32
DEADLINE_SECONDS = 20.0
"""How long one attempt may take in all, however slowly the other side speaks."""
GONE = 410
HTTPS_PORT = 443
SMTP_PORT, SMTPS_PORT = 25, 465
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class NotDelivered(Exception):
    """An attempt that failed; the text is for people and never repeats what the receiver sent.

    ``gone`` says that the receiver wants nothing more.
    """

    def __init__(self, problem: str, *, gone: bool = False) -> None:
        super().__init__(problem)
        self.gone = gone


@dataclass(frozen=True, slots=True)
class Mail:
    """Where mail goes out and to whom: ``smtp://[user:password@]host[:port]`` or ``smtps://…``."""

    url: str
    sender: str
    recipients: tuple[str, ...]


class Address(NamedTuple):
    """Where to connect for a host, after every address of it was looked at."""

    ip: str
    port: int


def new_secret() -> str:
    """Return a signing secret in the form of the Standard Webhooks specification."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of ``webhook-signature``.

    Source:
        https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, "v1" symmetric:
        base64 of HMAC-SHA256 over ``id.timestamp.body`` with the decoded secret.
    """
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def check_url(url: str, trusted: Sequence[str]) -> None:
    """Refuse an address planner will not call: https on port 443 is taken, and what the settings name as ``host:port``.

    Raises:
        InvalidInput: another scheme, port or form.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidInput("url", "not a URL") from None
    if not url.isprintable() or " " in url:
        raise InvalidInput("url", "a URL has no spaces")
    if not parts.hostname or parts.username is not None or parts.password is not None or parts.fragment:
        raise InvalidInput("url", "a host is needed, and neither a user nor a fragment")
    if _trusted(parts, trusted) and parts.scheme in ("http", "https"):
        return
    if parts.scheme != "https" or port not in (None, HTTPS_PORT):
        raise InvalidInput("url", "https on port 443 is needed")
    with contextlib.suppress(ValueError):
        if not _public(ipaddress.ip_address(parts.hostname)):
            raise InvalidInput("url", "the address is not on the public network")


def _port(parts: SplitResult) -> int:
    return parts.port or (HTTPS_PORT if parts.scheme == "https" else 80)


def _trusted(parts: SplitResult, trusted: Sequence[str]) -> bool:
    """Tell whether the settings name this host and port; names have no case."""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{_port(parts)}" in (place.lower() for place in trusted)


def resolve(url: str, trusted: Sequence[str]) -> Address:
    """Return where to connect for a URL that `check_url` takes.

    Every address of the name must be public: a name that also points inwards points inwards.

    Raises:
        NotDelivered: the name is not found, or leads into a private network.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", _port(parts)
    try:
        found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except OSError:
        raise NotDelivered("the host is not found") from None
    if not _trusted(parts, trusted) and not all(_public(ipaddress.ip_address(ip.partition("%")[0])) for ip in found):
        raise NotDelivered("the host is not on the public network")
    return Address(found[0], port)


# Written down here, because what Python's own table calls global differs between its versions. Of IPv6 only the range
# that is given out is called, without what is set aside in it: protocols and tunnels, documentation, 6to4.
# Source: IANA's special-purpose address registries; 168.63.129.16 is the host of virtual machines on Azure.
_GIVEN_OUT = ipaddress.ip_network("2000::/3")
_SET_ASIDE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32",
    )
)  # fmt: skip


def _public(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if ip.version == _GIVEN_OUT.version and ip not in _GIVEN_OUT:
        return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _SET_ASIDE)


def post(url: str, secret: str, message_id: str, timestamp: int, body: bytes, trusted: Sequence[str]) -> None:
    """Send one signed message. Redirects are not followed and the answer is not read.

    Raises:
        NotDelivered: an address planner does not call (any more), no connection, no answer in time, or any status
            but 2xx; ``gone`` where the receiver says that it is there no more (410).
    """
    try:
        check_url(url, trusted)
    except InvalidInput as error:
        # What was trusted when it was entered need not be trusted now.
        raise NotDelivered(error.problem) from None
    address = resolve(url, trusted)
    headers = {
        "Host": urlsplit(url).netloc,
        "Content-Type": "application/json",
        "User-Agent": "planner",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, message_id, timestamp, body),
    }
    # Connected to the address that was looked at, under the name that was asked for: a second lookup could differ.
    target = httpx.URL(url).copy_with(host=address.ip, port=address.port)
    extensions = {"sni_hostname": urlsplit(url).hostname}

    async def exchange() -> int:
        async with (
            asyncio.timeout(DEADLINE_SECONDS),
            httpx.AsyncClient(
                timeout=DEADLINE_SECONDS, follow_redirects=False, trust_env=False, verify=httpx.create_ssl_context()
            ) as client,
            client.stream("POST", target, headers=headers, content=body, extensions=extensions) as response,
        ):
            return response.status_code

    try:
        status = asyncio.run(exchange())
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise NotDelivered(type(error).__name__) from None
    if not 200 <= status < 300:  # noqa: PLR2004  # success
        raise NotDelivered(f"status {status}", gone=status == GONE)


def mail(settings: Mail, recipient: str, message_id: str, subject: str, text: str, at: datetime) -> None:
    """Send one e-mail in plain text to one recipient.

    Encrypted wherever the server can be, with its certificate checked; a password never travels in the clear, except
    to this machine itself. ``message_id`` is the same at every attempt, so that a mailbox can tell a repetition.

    Raises:
        NotDelivered: the server is not there, is not who it says, does not take it, or takes too long.
    """
    message = EmailMessage()
    message["From"], message["To"] = settings.sender, recipient
    message["Subject"] = " ".join(subject.split())[:200]
    message["Message-ID"] = f"<{message_id}@{settings.sender.rpartition('@')[2]}>"
    message["Date"] = format_datetime(at)
    message.set_content(text)
    try:
        asyncio.run(_hand_over(urlsplit(settings.url), message))
    except (OSError, aiosmtplib.SMTPException) as error:
        # The library's own error says less than what the system said: a certificate, a refused connection.
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        raise NotDelivered(type(cause).__name__) from None


async def _hand_over(server: SplitResult, message: EmailMessage) -> None:
    host, secure = server.hostname or "", server.scheme == "smtps"
    client = aiosmtplib.SMTP(
        hostname=host, port=server.port or (SMTPS_PORT if secure else SMTP_PORT), use_tls=secure, start_tls=False,
        tls_context=ssl.create_default_context(), timeout=DEADLINE_SECONDS,
    )  # fmt: skip
    connection: asyncio.BaseTransport | None = None
    try:
        async with asyncio.timeout(DEADLINE_SECONDS), client:
            connection = client.transport
            await client.ehlo()
            if not secure and client.supports_extension("starttls"):
                await client.starttls()
                await client.ehlo()
                secure = True
            if server.username:
                if not secure and host not in LOOPBACK:
                    raise NotDelivered("the server offers no encryption, and a password is set")
                # The library's own login tries every method with a wrong password, which locks accounts.
                enter = client.auth_plain if "plain" in client.supported_auth_methods else client.login
                await enter(unquote(server.username), unquote(server.password or ""))
            await client.send_message(message)
    finally:
        # Encryption ends with a word of the server, and who does not give it must not keep the connection open.
        if isinstance(connection, asyncio.WriteTransport):
            connection.abort()
            await asyncio.sleep(0)


def check_mail_url(url: str) -> None:
    """Refuse an address no mail goes out by.

    Raises:
        InvalidInput: not ``smtp://`` or ``smtps://`` with a host.
    """
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("smtp", "smtps") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fits = False
    if not fits:
        raise InvalidInput("PLANNER_SMTP_URL", "smtp://[user:password@]host[:port] or smtps://… is needed")
