"""What is taken away is gone: workers, callers and an admin who revokes, on one real database."""

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import sqlalchemy as sa

from planner.flows.refresh import refresh_from_file
from planner.flows.setup import install
from planner.sources import ADAPTERS
from planner.store import audit, keys, policies, terms
from planner.store import tables as t
from planner.store.engine import Connection, Store
from planner.store.revision import bump
from tests.loopback import free_port

PEPPER = "pepper"
WORKERS, CALLERS, RATE = 4, 16, 100
START_SECONDS = 60
POLICY = "no-training"
POLLED = "/v1/plans/pro/tasks/chat/recommendation"
QUESTION = {"workload": {"input_tokens": 1000, "output_tokens": 100}, "policy": POLICY, "fallbacks": 3}
SERVED = {
    "openai": "gpt-5.4-mini", "anthropic": "claude-sonnet-4-5", "mistral": "mistral-medium-latest",
    "groq": "openai/gpt-oss-120b",
}  # fmt: skip


def present() -> datetime:
    """Return the moment; the workers run on the real clock as well."""
    return datetime.now(UTC)  # noqa: TID251  # the workers run on the real clock


def furnish(store: Store) -> None:
    """Load the curated registry and a short list, so that a worker reads a new revision in milliseconds."""
    at = present()
    install(store, at, bundle=False)
    with store.write() as connection:
        # The well-known prices are those of other models.
        connection.execute(sa.delete(t.golden_facts))
    model = {
        "cost": {"input": 1, "output": 2},
        "tool_call": True,
        "structured_output": True,
        "limit": {"context": 200_000, "output": 8_000},
    }
    body = json.dumps({provider: {"models": {name: model}} for provider, name in SERVED.items()}).encode()
    refresh_from_file(store, "models_dev", ADAPTERS["models_dev"], {"https://feed.test": body}, at, actor="test")


def new_key(store: Store) -> str:
    """Make an admin key."""
    made = {"name": "caller", "role": "admin", "policies": None, "expires_at": None, "actor": "test"}
    return store.tell(lambda connection: keys.create(connection, PEPPER.encode(), **made, at=present()))  # type: ignore[arg-type]  # they are


@contextmanager
def served(url: str, count: int = WORKERS) -> Iterator[str]:
    """Run so many server processes on one database and one port; yield where they answer."""
    port = free_port()
    environment = {
        **os.environ, "PLANNER_DATABASE_URL": url, "PLANNER_KEY_PEPPER": PEPPER, "PLANNER_SOURCES": "",
    }  # fmt: skip
    command = [sys.executable, "-m", "planner", "serve", "--workers", str(count), "--port", str(port)]
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(command, stdout=output, stderr=output, env=environment) as process,
    ):
        try:
            _wait_until_live(f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def _wait_until_live(url: str) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            if httpx.get(f"{url}/live").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError("the workers do not start")


@dataclass
class Record:
    """What callers saw, and what is gone at the moment: a provider, or a key by its prefix."""

    gone: dict[str, object] = field(default_factory=dict)
    asked: int = 0
    answered: int = 0
    violations: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, client: httpx.Client, key: str, polled: bool) -> dict[str, Any] | None:  # which question
        """Ask once, and hold the answer against what was gone before it was asked and still is."""
        with self.lock:
            gone = dict(self.gone)
        header = {"Authorization": f"Bearer {key}"}
        try:
            answer = (
                client.get(POLLED, headers=header)
                if polled
                else client.post("/v1/recommendations", json=QUESTION, headers=header)
            )
        except httpx.TransportError as error:
            with self.lock:
                self.failures.append(repr(error))
            return None
        found = answer.json()
        links: list[dict[str, Any]] = []
        if answer.status_code == 200:
            links = [found["choice"], *found["fallbacks"], *found["alternatives"]]
        names = {_provider(link) for link in links}
        if answer.status_code != 401:
            names.add(keys.prefix_of(key))
        with self.lock:
            self.asked += 1
            self.answered += bool(links)
            if answer.status_code not in (200, 401, 409):
                self.failures.append(f"{answer.status_code} {answer.text[:200]}")
            self.violations += [
                f"{name} in {'GET' if polled else 'POST'}"
                for name, token in gone.items()
                if name in names and self.gone.get(name) is token
            ]
        return found if links else None


def _provider(link: dict[str, Any]) -> str:
    named: str | None = link.get("provider")
    return named or str(link["offer"]).partition(":")[2].partition("/")[0]


@contextmanager
def calling(url: str, record: Record, current_keys: Callable[[], list[str]]) -> Iterator[None]:
    """Ask in turn, from many threads, the whole time."""
    stop = threading.Event()

    def call(number: int) -> None:
        dice = random.Random(number)
        # A connection stays with the worker that took it, so that now and then a caller opens another.
        while not stop.is_set():
            with httpx.Client(base_url=url, timeout=30) as client:
                for turn in range(20):
                    began = time.monotonic()
                    record.ask(client, dice.choice(current_keys()), (number + turn) % 2 == 0)
                    if stop.wait(max(0.0, CALLERS / RATE - (time.monotonic() - began))):
                        return

    threads = [threading.Thread(target=call, args=(number,)) for number in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


class Admin:
    """Takes something away, waits while it is gone, and lets it in again; each change is one transaction."""

    def __init__(self, store: Store, url: str, record: Record, seed: int) -> None:
        self._store, self._record, self._dice = store, record, random.Random(seed)
        self._client = httpx.Client(base_url=url, timeout=30)
        self.key, self._spare = new_key(store), new_key(store)
        self.revocations = 0
        with store.read() as connection:
            newest = policies.versions(connection, POLICY)[0]
        self._document = {"title": newest["title"], "rules": newest["rules"]}

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def keys(self) -> list[str]:
        """Return the keys callers use: one that stays, and one that is revoked now and then."""
        return [self.key, self.key, self._spare]

    def turn(self, number: int, gone_seconds: float) -> None:
        """Revoke once, as (policy, terms, key) in turn, and let it in again."""
        kind = number % 3
        if kind == 2:
            key, prefix = self._spare, keys.prefix_of(self._spare)
            self._gone(prefix, lambda connection: keys.revoke(connection, prefix, actor="test", at=present()))
            time.sleep(gone_seconds)
            self._spare = new_key(self._store)
            # The old one is never let in again, and goes on being tried for a while.
            self._record.ask(self._client, key, polled=True)
            return
        provider = self._recommended()
        if kind == 0:
            denied = {**self._document, "rules": {**self._document["rules"], "deny_providers": [provider]}}
            self._gone(provider, lambda connection: self._publish(connection, denied))
            time.sleep(gone_seconds)
            self._back(provider, lambda connection: self._publish(connection, self._document))
            return
        ended: list[str] = []

        def end(connection: Connection) -> None:
            query = sa.select(t.terms.c.id).where(t.terms.c.subject == provider, t.terms.c.recorded_to.is_(None))
            ended[:] = connection.execute(query).scalars()
            terms.close(connection, ended, present(), by="test")
            self._write_down(connection, "terms.end", provider)

        def begin(connection: Connection) -> None:
            rows = sa.update(t.terms).where(t.terms.c.id.in_(ended))
            connection.execute(rows.values(recorded_to=None, ended_by=None))
            self._write_down(connection, "terms.enter", provider)

        self._gone(provider, end)
        time.sleep(gone_seconds)
        self._back(provider, begin)

    def _recommended(self) -> str:
        for _ in range(100):
            found = self._record.ask(self._client, self.key, polled=self._dice.random() < 0.5)
            if found is not None:
                return _provider(self._dice.choice([found["choice"], *found["fallbacks"]]))
        raise RuntimeError("nothing is recommended")

    def _gone(self, name: str, story: Callable[[Connection], object]) -> None:
        self._store.tell(story)
        with self._record.lock:
            self._record.gone[name] = object()
        self.revocations += 1

    def _back(self, name: str, story: Callable[[Connection], object]) -> None:
        with self._record.lock:
            del self._record.gone[name]
        self._store.tell(story)

    def _publish(self, connection: Connection, document: dict[str, Any]) -> None:
        policies.publish(connection, POLICY, document, at=present(), by="test")
        self._write_down(connection, "policy.publish", POLICY)

    @staticmethod
    def _write_down(connection: Connection, action: str, subject: str) -> None:
        audit.record(
            connection, at=present(), actor="test", action=action, subject=subject, before=None, after=None,
            reason="test",
        )  # fmt: skip
        bump(connection, policy=True)


def revoke(store: Store, count: int, seed: int, each: Callable[[range], Any] = iter) -> tuple[Record, int, float]:
    """Revoke so many times under load, and return what callers saw, the revocations, and the seconds it took."""
    furnish(store)
    record = Record()
    with served(store.url) as url:
        admin = Admin(store, url, record, seed)
        began = time.monotonic()
        with calling(url, record, admin.keys):
            for number in each(range(count)):
                admin.turn(number, gone_seconds=0.1)
        admin.close()
        return record, admin.revocations, time.monotonic() - began
