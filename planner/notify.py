"""Telling somebody outside: a signed webhook, an e-mail, or a line in the log. One attempt; who calls tries again."""

import base64
import hashlib
import hmac
import ipaddress
import secrets
import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import httpx

from planner.core.errors import InvalidInput

SECRET_PREFIX = "whsec_"  # noqa: S105  # the public mark of such secrets
SECRET_BYTES = 32
TIMEOUT_SECONDS = 10.0
HTTPS_PORT = 443
SMTP_PORT, SMTPS_PORT = 25, 465
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class NotDelivered(Exception):
    """An attempt that failed; the text is for people and never repeats what the receiver sent."""


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
    if not parts.hostname or parts.username is not None or parts.password is not None or parts.fragment:
        raise InvalidInput("url", "a host is needed, and neither a user nor a fragment")
    default = HTTPS_PORT if parts.scheme == "https" else 80
    if f"{parts.hostname}:{port or default}" in trusted and parts.scheme in ("http", "https"):
        return
    if parts.scheme != "https" or port not in (None, HTTPS_PORT):
        raise InvalidInput("url", "https on port 443 is needed")


def resolve(url: str, trusted: Sequence[str]) -> Address:
    """Return where to connect for a URL that `check_url` takes.

    Every address of the name must be public: a name that also points inwards points inwards.

    Raises:
        NotDelivered: the name is not found, or leads into a private network.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (HTTPS_PORT if parts.scheme == "https" else 80)
    try:
        found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except OSError:
        raise NotDelivered("the host is not found") from None
    if f"{host}:{port}" not in trusted:
        for ip in found:
            if not _public(ip):
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


def _public(text: str) -> bool:
    ip = ipaddress.ip_address(text.partition("%")[0])
    if ip.version == _GIVEN_OUT.version and ip not in _GIVEN_OUT:
        return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _SET_ASIDE)


def post(url: str, secret: str, message_id: str, timestamp: int, body: bytes, trusted: Sequence[str]) -> None:
    """Send one signed message. Redirects are not followed and the answer is not read.

    Raises:
        NotDelivered: no connection, no answer in time, or any status but 2xx.
    """
    address = resolve(url, trusted)
    parts = urlsplit(url)
    host = parts.hostname or ""
    headers = {
        "Host": parts.netloc,
        "Content-Type": "application/json",
        "User-Agent": "planner",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, message_id, timestamp, body),
    }
    # Connected to the address that was looked at, under the name that was asked for: a second lookup could differ.
    target = httpx.URL(url).copy_with(host=address.ip, port=address.port)
    try:
        with (
            httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False) as client,
            client.stream("POST", target, headers=headers, content=body, extensions={"sni_hostname": host}) as response,
        ):
            status = response.status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotDelivered(type(error).__name__) from None
    if not 200 <= status < 300:  # noqa: PLR2004  # success
        raise NotDelivered(f"status {status}")


def mail(settings: Mail, recipient: str, message_id: str, subject: str, text: str, at: datetime) -> None:
    """Send one e-mail in plain text to one recipient.

    Encrypted wherever the server can be, with its certificate checked; a password never travels in the clear, except
    to this machine itself. ``message_id`` is the same at every attempt, so that a mailbox can tell a repetition.

    Raises:
        NotDelivered: the server is not there, is not who it says, or does not take it.
    """
    message = EmailMessage()
    message["From"], message["To"] = settings.sender, recipient
    message["Subject"] = " ".join(subject.split())[:200]
    message["Message-ID"] = f"<{message_id}@{settings.sender.rpartition('@')[2]}>"
    message["Date"] = format_datetime(at)
    message.set_content(text)
    parts = urlsplit(settings.url)
    host, secure = parts.hostname or "", parts.scheme == "smtps"
    # smtplib's own context checks no certificate.
    trust = ssl.create_default_context()
    try:
        with (
            smtplib.SMTP_SSL(host, parts.port or SMTPS_PORT, timeout=TIMEOUT_SECONDS, context=trust)
            if secure
            else smtplib.SMTP(host, parts.port or SMTP_PORT, timeout=TIMEOUT_SECONDS)
        ) as server:
            server.ehlo()
            if not secure and server.has_extn("starttls"):
                server.starttls(context=trust)
                secure = True
            if parts.username:
                if not secure and host not in LOOPBACK:
                    raise NotDelivered("the server offers no encryption, and a password is set")
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise NotDelivered(type(error).__name__) from None


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
