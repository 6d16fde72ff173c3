"""How old what a source said may become: stale after hours or days, not believed any more after weeks of silence."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from planner.core.price import PriceCard
from planner.store import tables as t

STALE_AFTER_HOURS = 24
# A moment further ahead than this was written by a clock that is wrong.
CLOCKS_DIFFER_MAX = timedelta(hours=1)
# What only ever came with the bundled catalogue counts as stale this long after its newest price was seen.
BUNDLE_FRESH_FOR = timedelta(days=14)
# A source that was read once and then fell silent is not believed for ever. The bundle is: offline, it is all there is.
BELIEVED_FOR = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Ages:
    """Until when each source is fresh, and until when it is believed at all; recorded and own prices have no age."""

    stale_from: Mapping[str, datetime]
    believed_until: Mapping[str, datetime]

    def aged(self, cards: Mapping[str, tuple[PriceCard, ...]]) -> dict[str, tuple[PriceCard, ...]]:
        """Return cards so that none in force until further notice outlives the belief in its source."""
        return {offer: tuple(self._ending(card) for card in listed) for offer, listed in cards.items()}

    def _ending(self, card: PriceCard) -> PriceCard:
        end = self.believed_until.get(card.evidence.source)
        if end is None or card.valid_to is not None or end <= card.valid_from:
            return card
        return replace(card, valid_to=end)


def ages_of(connection: sa.Connection) -> Ages:
    """Return the ages of all sources that are meant to be refreshed."""
    s, state, quotes = t.sources.c, t.source_states.c, t.quotes.c
    query = (
        sa.select(s.name, s.stale_after_hours, state.last_success_at)
        .select_from(t.sources.outerjoin(t.source_states, state.source == s.name))
        .where(s.interval_minutes.is_not(None))
    )
    newest = sa.select(quotes.source, sa.func.max(quotes.observed_at).label("newest")).group_by(quotes.source)
    bundled = {row.source: row.newest for row in connection.execute(newest)}
    stale_from, believed_until = {}, {}
    for source, hours, read_at in connection.execute(query):
        if read_at is not None:
            stale_from[source] = read_at + timedelta(hours=hours or STALE_AFTER_HOURS)
            believed_until[source] = read_at + BELIEVED_FOR
        elif source in bundled:
            stale_from[source] = bundled[source] + BUNDLE_FRESH_FOR
    return Ages(stale_from, believed_until)
