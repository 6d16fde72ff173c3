"""Refresh from recorded feeds that misbehave, over HTTP: ``python -m tests.sweeps.faults``.

The recorded feeds are served by the replay server beside this repository; the others by small loopback servers with
the payloads of ``tests/golden``. Every fault meets every feed; what is published must stand to the digest, the reason
must be on record, and a feed that is well must be published although another is not.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from rich.progress import track

from planner.flows import status
from planner.flows.refresh import Sources, refresh
from planner.flows.setup import know_layouts
from planner.sources import ADAPTERS
from planner.sources.mapping import Mapped
from planner.sources.vercel import PATH
from planner.store.engine import Store
from planner.store.recall import catalogue_digest
from tests.data import shared
from tests.databases import furnished
from tests.loopback import Feed, free_port, misbehaving
from tests.sources.golden import adapter, payload
from tests.sources.test_fetch import _drip, _reset, _reset_in_the_body, _short, _stall, _stall_after_headers

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
REPLAYED = ("openrouter", "litellm", "models_dev", "genai_prices", "requesty")
OTHERS = ("huggingface", "vercel", "deepinfra", "cerebras", "portkey", "artificial_analysis", "arena", "mapped")
FAULTS = (
    "404", "429", "500", "503", "html", "truncate", "reset", "nan", "minus", "empty", "half", "drip", "stall",
)  # fmt: skip
STATUSES = (204, 206, 301, 401, 403, 404, 429, 500, 503)
LINKS: dict[str, Callable[..., None]] = {
    "stall": _stall, "stall after headers": _stall_after_headers, "drip": _drip, "reset": _reset,
    "reset in the body": _reset_in_the_body, "short": _short,
}  # fmt: skip


@contextmanager
def replay(*options: str) -> Iterator[str]:
    """Run the replay server and yield its base URL."""
    port = free_port()
    script = shared("..", "tools", "replay_broker.py")
    server = subprocess.Popen([sys.executable, script, "--port", str(port), *options], stdout=subprocess.DEVNULL)
    try:
        base = f"http://127.0.0.1:{port}"
        for _ in range(200):
            try:
                httpx.get(f"{base}/none", timeout=1)
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                break
        yield base
    finally:
        server.kill()
        server.wait()


def feeds_at(base: str, names: Sequence[str] = REPLAYED) -> Sources:
    """Return feeds as the replay server has them."""
    return {name: (ADAPTERS[name], f"{base}/{name}") for name in names}


class Watch:
    """One database, and what must be true of it after every fault."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.failures: list[str] = []
        self._turn = 0

    def digest(self) -> str:
        """Return the digest of everything believed."""
        with self.store.read() as connection:
            return catalogue_digest(connection)

    def turn(self, sources: Sources, fault: str, *, broken: Sequence[str]) -> None:
        """Refresh once, and hold what became of it against what must become of it."""
        self._turn += 1
        at, before = NOON + timedelta(hours=self._turn), self.digest()
        began = time.monotonic()
        done = refresh(self.store, sources, at, lambda *_: None)
        took = time.monotonic() - began
        states = {row.source: row for row in status.sources(self.store)}
        for line in done.sources:
            if line.source not in broken:
                self._expect(line.outcome != "refused", fault, line.source, f"{line.outcome} {line.error_code}")
                continue
            row = states[line.source]
            self._expect(line.outcome == "refused", fault, line.source, line.outcome)
            self._expect(bool(row.error_code), fault, line.source, "no reason on record")
            self._expect(row.last_success_at != at, fault, line.source, "counted as a success")
        if len(broken) == len(sources):
            self._expect(self.digest() == before, fault, "all", "the catalogue moved")
        codes = sorted({f"{line.source}={line.error_code}" for line in done.sources if line.error_code})
        print(f"{fault:20} {took:5.1f} s  {' '.join(codes)}", flush=True)

    def _expect(self, holds: bool, *words: str) -> None:
        if not holds:
            self.failures.append(" ".join(words))


@contextmanager
def served(names: Sequence[str], change: Callable[[Feed], None] = lambda _feed: None) -> Iterator[Sources]:
    """Serve golden payloads, one server a feed, as ``change`` leaves them."""
    with ExitStack() as stack:
        found = {}
        for name in names:
            feed = Feed()
            feed.body = payload(name)
            if name == "vercel":
                models = json.loads(feed.body)["data"]
                feed.paths = {
                    f"{PATH}/{model['id']}/endpoints": json.dumps({"data": model}).encode() for model in models
                }
            change(feed)
            found[name] = (adapter(name), stack.enter_context(feed.serving()))
        yield found


def answering(status_: int) -> Callable[[Feed], None]:
    """Let a feed answer with a status."""

    def change(feed: Feed) -> None:
        feed.status = status_
        feed.headers = {"Location": "http://127.0.0.1:1/", "Retry-After": "1"}

    return change


def sweep_replayed(watch: Watch, faults: Sequence[str]) -> None:
    """Meet every recorded feed with every fault, then each alone with one while the others go on."""
    with replay() as base:
        watch.turn(feeds_at(base), "well", broken=())
    for fault in track(faults, "recorded feeds"):
        options = [word for name in REPLAYED for word in ("--fault", f"{name}={fault}")]
        with replay(*options) as base:
            watch.turn(feeds_at(base), fault, broken=REPLAYED)
    for number, name in enumerate(track(REPLAYED, "one of them")):
        # Every price a little dearer than the turn before, so that whoever is well has something to publish.
        dearer = [word for other in REPLAYED for word in ("--scale", f"{other}={1 + (number + 1) / 100}")]
        with replay(*dearer, "--fault", f"{name}=500") as base:
            watch.turn(feeds_at(base), f"only {name}", broken=(name,))


def sweep_others(watch: Watch) -> None:
    """Meet every other feed with every status, and with every way a connection can fail."""
    with served(OTHERS) as feeds:
        watch.turn(feeds, "well", broken=())
    for code in track(STATUSES, "other feeds, statuses"):
        with served(OTHERS, answering(code)) as feeds:
            watch.turn(feeds, str(code), broken=OTHERS)
    for name, behave in track(LINKS.items(), "other feeds, links"):
        with misbehaving(behave) as url:
            watch.turn({other: (adapter(other), url) for other in OTHERS}, name, broken=OTHERS)


def main() -> int:
    """Run every fault once; print what came of each, and what did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fault", action="append", choices=FAULTS, help="only these, of the recorded feeds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = furnished(f"sqlite:///{Path(folder) / 'faults.sqlite3'}", NOON)
        mapped = adapter("mapped")
        know_layouts(store, [mapped.layout] if isinstance(mapped, Mapped) else [])
        watch = Watch(store)
        sweep_replayed(watch, options.fault or FAULTS)
        if not options.fault:
            sweep_others(watch)
        store.close()
    print(f"{len(watch.failures)} did not hold")
    print("\n".join(watch.failures))
    return 1 if watch.failures else 0


if __name__ == "__main__":
    sys.exit(main())
