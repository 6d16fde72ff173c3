"""The catalogue every answer rests on: one compiled revision in memory, confirmed against the database before use."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from planner.core.catalogue import Catalogue
from planner.core.errors import Unavailable
from planner.core.kept import Kept
from planner.core.snapshot import Snapshot, compile_catalogue
from planner.store.ages import ages_of
from planner.store.bounded import patience
from planner.store.engine import Connection, Store
from planner.store.keys import KeyRing, load_keys
from planner.store.line import Line
from planner.store.load import load_catalogue
from planner.store.revision import Heads
from planner.store.watch import Watch

LEASE_SECONDS = 30.0
# A source that is read and says nothing new publishes nothing, and yet its prices get younger. So often it is asked.
AGES_EVERY_SECONDS = 60.0
AGES_AHEAD = timedelta(days=1)
# Questions about what was believed are rare, and each needs a catalogue of its own in memory.
PAST_VIEWS = 3
# Loading takes a second or two; a round trip of it that needs this long is a link that stalls.
LOAD_SECONDS_MAX = 5.0


@dataclass(frozen=True, slots=True)
class View:
    """What one request sees from its beginning to its end: a revision, its compiled form, and the keys.

    ``past`` marks what was believed earlier: it never changes any more. ``cut_off`` marks the last view of a worker
    that can confirm nothing: good for reading the catalogue, and for nothing that a policy decides.
    """

    heads: Heads
    catalogue: Catalogue
    snapshot: Snapshot
    keys: KeyRing
    past: bool = False
    cut_off: bool = False

    def valid_until(self, at: datetime, decided_at: datetime) -> datetime | None:
        """Return the next moment at which an answer may change by itself, or None where none is known."""
        return None if self.past else self.snapshot.valid_until(at, decided_at)


class Current:
    """Holds the newest view and replaces it when the database says that a newer one exists.

    A request asks for `view` once, at its start. The database is asked for three numbers; only when one
    of them moved is anything loaded, so an answer that starts after a change was acknowledged never rests
    on what it revoked. Without the database the last confirmed view serves for the lease, 30 seconds, and
    then nothing does: better no answer than one nobody can vouch for.
    """

    def __init__(
        self,
        store: Store,
        pepper: bytes,
        now: Callable[[], datetime],
        *,
        admin_key: str | None = None,
        server_clock: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        """Remember where to look; nothing is loaded before the first request for a view.

        ``server_clock``: where the database is a server, its clock goes before ``now``.
        """
        self._store, self._pepper = store, pepper
        self._now, self._monotonic, self._server_clock = now, monotonic, server_clock
        self._admin_key, self._lease_seconds = admin_key, lease_seconds
        # A read of the embedded file takes microseconds; one of a server must not block an event loop.
        self.quick = store.is_sqlite
        self._watch = Watch(store)
        self._lock = threading.Lock()
        self._view: View | None = None
        self._failed_at = 0.0
        self._confirmed = self._aged = 0.0
        self._outgrown = False
        self._past = Kept(PAST_VIEWS)

    def fresh(self) -> View | None:
        """Return the view if the database confirms it right now, else None: something has to be loaded."""
        held = self._view
        asked = self._monotonic()
        if held is None or self._watch.heads() != held.heads or self._outlived(held):
            return None
        self._confirmed = asked
        return held

    def confirmed(self) -> View | None:
        """Return the view if the database confirms it, else None, also where it does not answer."""
        try:
            return self.fresh()
        except Unavailable:
            return None

    async def line(self) -> Line | None:
        """Open a line on which `unmoved` asks, or return None where the server gives none."""
        return await self._watch.line()

    async def unmoved(self, line: Line) -> View | None:
        """Return the view if a line confirms it, else None: somebody who may wait has to look, as `confirmed` does."""
        held = self._view
        asked = self._monotonic()
        if held is None or self._outgrown or self._ages_due() or not await self._watch.unmoved(line, held.heads):
            return None
        self._confirmed = asked
        return held

    def now(self) -> datetime:
        """Return the moment that decides which prices, evidence and keys hold: the server's, where there is one.

        One machine whose clock is wrong must not give out prices early, nor believe evidence that has ended.
        """
        moment = self._watch.now() if self._server_clock else None
        return moment or self._now()

    def _outlived(self, held: View) -> bool:
        """Tell whether the view takes sources for silent that were read meanwhile, or measurements for young."""
        if self._outgrown or not self._ages_due():
            return self._outgrown
        self._aged = self._monotonic()
        with contextlib.suppress(Unavailable), self._store.read() as connection:
            ages, now, seen = ages_of(connection), self.now(), held.catalogue
            self._outgrown = (
                any(seen.stale(now, source) and now < stale_from for source, stale_from in ages.stale_from.items())
                or any(
                    now + AGES_AHEAD >= seen.believed_until.get(source, until) != until
                    for source, until in ages.believed_until.items()
                )
                or any(offer.measured is not None and now >= offer.measured.until for offer in seen.offers)
            )
        return self._outgrown

    def _ages_due(self) -> bool:
        return self._monotonic() - self._aged >= AGES_EVERY_SECONDS

    def view(self) -> View:
        """Return the newest view, loading it if need be.

        Raises:
            Unavailable: the database does not answer and the lease of the last confirmation has run out, or it is an
                older one than before.
        """
        try:
            return self.fresh() or self._load()
        except Unavailable as error:
            return self._leased(error)

    def last(self) -> View:
        """Return the newest view, or the last one there was, marked, where nothing can be confirmed.

        Raises:
            Unavailable: there never was one.
        """
        try:
            return self.view()
        except Unavailable:
            held = self._view
            if held is None:
                raise
            return replace(held, cut_off=True)

    def known(self, view: View, known_at: datetime) -> View:
        """Return what was believed at a moment, as a view of its own. Keys are always today's."""
        if known_at >= self.now():
            return view
        return self._past.get_or((view.heads, known_at), lambda: self._load_past(view, known_at))

    def _load_past(self, view: View, known_at: datetime) -> View:
        with self._store.read() as connection:
            catalogue = load_catalogue(connection, known_at)
        return View(view.heads, catalogue, compile_catalogue(catalogue), view.keys, past=True)

    def close(self) -> None:
        """Close the connection that watches for changes."""
        self._watch.forget()

    def _load(self) -> View:
        # One thread loads; whoever waited for it finds the work done, or shares its failure.
        came = time.monotonic()
        with self._lock:
            if came <= self._failed_at:
                raise Unavailable("the database does not answer")
            try:
                return self.fresh() or self._compiled()
            except Unavailable:
                self._failed_at = time.monotonic()
                raise

    def _compiled(self) -> View:
        asked = self._monotonic()
        # The numbers are read before the rows: rows that moved in between are loaded again next time.
        heads = self._watch.heads()
        with patience(LOAD_SECONDS_MAX), self._store.read() as connection:
            view = self._read(connection, heads, asked)
        self._confirmed = asked
        self._view = view
        return view

    def _read(self, connection: Connection, heads: Heads, asked: float) -> View:
        held, keys = self._view, load_keys(connection, self._pepper, self._admin_key)
        if held is not None and not self._outgrown and heads._replace(keys=held.heads.keys) == held.heads:
            # A new key, or a person who signs in, moves nothing else.
            return replace(held, heads=heads, keys=keys)
        catalogue = load_catalogue(connection, at=self.now())
        self._aged, self._outgrown = asked, False
        return View(heads, catalogue, compile_catalogue(catalogue), keys)

    def _leased(self, error: Unavailable) -> View:
        held = self._view
        if held is None or not self._watch.newest(held.heads):
            raise error
        if self._monotonic() - self._confirmed > self._lease_seconds:
            raise Unavailable("the database does not answer") from error
        return held
