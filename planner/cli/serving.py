"""Setting up and serving: the embedded default, real deployments, and the refresh worker."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NoReturn

import uvicorn
from uvicorn.supervisors import Multiprocess

from planner.api.shapes import Shape
from planner.app import build
from planner.cli import asking, show
from planner.cli.administering import actor
from planner.cli.link import Link
from planner.cli.opened import now, read_settings, store_of
from planner.configured import accounts_of, enabled, intervals_of, named
from planner.core.errors import InvalidInput
from planner.flows.current import Current
from planner.flows.deliver import Ways, log_alerts
from planner.flows.setup import install
from planner.notify import Mail, check_mail_url
from planner.schedule import Pulls, Timer
from planner.settings import Settings
from planner.store import keys
from planner.store.engine import Connection, Store
from planner.store.migrate import upgrade as upgrade_schema
from planner.store.schema import REVISION, check

BOOTSTRAP = "bootstrap"
GRACE_SECONDS = 5
"""How long an answer that was begun may take when the server stops."""
IDLE_SECONDS = 5
"""How long a connection is kept for another request."""
CONNECTIONS_MAX = 1_000
"""So many connections a worker keeps; beyond, requests get 503. Systems often allow a process 1,024 open files."""


def upgrade(*, bundle: bool = True, as_json: bool = False) -> None:
    """Create or upgrade the schema, and load the curated registry and the bundled catalogue."""
    settings = read_settings()
    _set_up(settings, bundle=bundle)
    if as_json:
        show.json_out({"schema": REVISION, "bundle": bundle})
    else:
        show.note(f"The schema is current; the {'bundled catalogue' if bundle else 'curated registry'} is loaded.")


def _set_up(settings: Settings, *, bundle: bool) -> Store:
    if settings.database_url is None:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with show.err.status("preparing the database"):
        upgrade_schema(settings.url())
        store = store_of(settings)
        install(store, now(), bundle=bundle)
    return store


def check_schema(*, as_json: bool) -> None:
    """Refuse a schema of another version."""
    check(read_settings().url())
    if as_json:
        show.json_out({"schema": REVISION})
    else:
        show.line("The schema is current.")


def up(port: int | None, *, serve_after: bool, as_json: bool) -> None:
    """Set up the embedded default, answer the worked question, and serve until Ctrl-C."""
    settings = read_settings()
    # A wrong name among the feeds is said at once, not below an answer and an address.
    enabled(settings)
    store = _set_up(settings, bundle=True)
    shape = asking.demo(Current(store, settings.pepper(), now).view(), settings.default_policy)
    if not serve_after:
        _welcome(shape, _bootstrap_key(store, settings), None, as_json=as_json)
        return
    with _listening(settings.host, settings.port if port is None else port) as listener:
        _welcome(shape, _bootstrap_key(store, settings), _address(listener), as_json=as_json)
        with _timer(store, settings):
            _run(settings, listener)
    _end()


def _welcome(shape: Shape, key: str | None, address: str | None, *, as_json: bool) -> None:
    if as_json:
        show.json_out({"answer": shape, "admin_key": key, "address": address})
        return
    show.line("Question: which model may the demo plan `pro` use for `chat`, at a margin of 70 %?")
    show.line("")
    asking.print_answer(shape)
    show.line("")
    if key is None:
        show.line(f"The key named {BOOTSTRAP} was shown when it was made; `planner keys create` makes another.")
    else:
        show.line(f"Admin key, shown once: {key}")
    if address is not None:
        show.line(f"Listening on {address}  (Ctrl-C stops)")


def _bootstrap_key(store: Store, settings: Settings) -> str | None:
    """Make the first admin key; None where it was made before."""
    pepper, present = settings.pepper(), now()

    def story(connection: Connection) -> str | None:
        if any(key.name == BOOTSTRAP for key in keys.listed(connection)):
            return None
        return keys.create(
            connection, pepper, name=BOOTSTRAP, role="admin", policies=None, expires_at=None, actor=actor(), at=present,
            reason="the first start makes the first key",
        )  # fmt: skip

    return store.tell(story)


def serve(workers: int, port: int | None) -> None:
    """Serve from a database that is already set up; feeds are refreshed by `planner worker`."""
    settings = read_settings()
    named(settings)
    store_of(settings).close()
    with _listening(settings.host, settings.port if port is None else port) as listener:
        show.line(f"Listening on {_address(listener)}  (Ctrl-C stops)")
        if workers == 1:
            _run(settings, listener)
            return
        # Child processes read the same environment, build their own application, and share the socket.
        shared = uvicorn.Config("planner.cli.serving:application", factory=True, workers=workers, **options(settings))
        Multiprocess(shared, sockets=[listener]).run()


def options(settings: Settings) -> dict[str, Any]:
    """Return how the server keeps its connections, and which proxies it believes: by itself, those on the machine."""
    proxies = [name for name in settings.forwarded_allow_ips.split(",") if name]
    return {
        "http": Link, "ws": "none", "log_level": "warning", "server_header": False,
        "proxy_headers": bool(proxies), "forwarded_allow_ips": proxies,
        "timeout_keep_alive": IDLE_SECONDS, "limit_concurrency": CONNECTIONS_MAX,
        "timeout_graceful_shutdown": GRACE_SECONDS,
    }  # fmt: skip


def application() -> object:
    """Build the application of one server process."""
    return build(read_settings())


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise InvalidInput("PLANNER_PORT", f"cannot listen on {host}:{port}: {error}") from None
    # The server leaves this to sockets it has opened itself. Without it, an answer on a kept connection waits some
    # 40 ms for the caller's acknowledgement of its headers.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _run(settings: Settings, listener: socket.socket) -> None:
    server = uvicorn.Server(uvicorn.Config(build(settings), **options(settings)))

    def stop() -> None:
        server.should_exit = True

    # The server has handlers of its own while it runs; these are for before, after, and a terminal that goes away.
    _when_told(stop)
    server.run(sockets=[listener])


def _when_told(stop: Callable[[], None]) -> None:
    """Call something when the process is told to stop, once or again and again."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Who ignores hang-ups (nohup) wants to go on.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda _number, _frame: stop())


def _end() -> NoReturn:
    """End the process, although a fetch may still run: nothing it could write is half written."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def worker() -> None:
    """Refresh the enabled feeds on a timer until Ctrl-C."""
    settings = read_settings()
    enabled(settings)
    store = store_of(settings)
    every = f"every {settings.refresh_minutes} minutes" if settings.refresh_minutes else "each at its own interval"
    pulled = f" Pulling {', '.join(accounts)}." if (accounts := accounts_of(settings)) else ""
    show.note(f"Refreshing {settings.sources or 'nothing'}, {every}, and delivering alerts.{pulled}")
    told = threading.Event()
    _when_told(told.set)
    with _timer(store, settings):
        told.wait()
    _end()


def _timer(store: Store, settings: Settings) -> Timer:
    sources = enabled(settings)
    return Timer(
        store, sources, intervals_of(store, settings, sources), now, owner=f"{os.uname().nodename}:{os.getpid()}",
        ways=_ways(settings), bounds=settings.bounds(),
        pulls=Pulls(tuple(accounts_of(settings).values()), timedelta(minutes=settings.pull_minutes)),
    )  # fmt: skip


def _ways(settings: Settings) -> Ways:
    """Return how alerts leave this installation.

    Raises:
        InvalidInput: mail is set up by half.
    """
    recipients = tuple(name.strip() for name in settings.mail_to.split(",") if name.strip())
    mail = None
    if settings.smtp_url is not None:
        if not recipients:
            raise InvalidInput("PLANNER_MAIL_TO", "PLANNER_SMTP_URL needs somebody to write to")
        check_mail_url(settings.smtp_url.get_secret_value())
        mail = Mail(settings.smtp_url.get_secret_value(), settings.mail_from or recipients[0], recipients)
    return Ways(log_alerts, mail, settings.trusted_hosts())
