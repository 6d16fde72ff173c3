"""How each feed spells a provider, byte for byte, from the curated registry; a new spelling stays pending."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a feed's provider word puts an offer: who runs it and through which channel it is reached."""

    provider: str
    channel: str
    known: bool = True


@dataclass(frozen=True, slots=True)
class ProviderNames:
    """The curated spellings of one feed.

    ``providers`` maps a spelling to the provider's own direct API, ``brokers`` to a broker whose upstream
    the feed does not name, ``via`` to (broker, upstream). ``ids`` are all known provider ids. ``models`` maps names
    that this feed alone uses to canonical models; feeds of offers leave them to the offers' own namespaces.
    """

    providers: Mapping[str, str] = field(default_factory=dict)
    brokers: Mapping[str, str] = field(default_factory=dict)
    via: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    ids: frozenset[str] = frozenset()
    models: Mapping[str, str] = field(default_factory=dict)

    def seat(self, spelling: str) -> Seat | None:
        """Return the seat of a feed's provider word.

        An unknown word stands for itself, marked unknown, so that its terms stay unknown. None where the
        word equals a known id that this feed was never seen to use: it might be somebody else's name.
        """
        if spelling in self.providers:
            return Seat(self.providers[spelling], "direct")
        if spelling in self.brokers:
            broker = self.brokers[spelling]
            return Seat(broker, broker)
        if spelling in self.via:
            channel, upstream = self.via[spelling]
            return Seat(upstream, channel)
        return None if spelling in self.ids else Seat(spelling, "direct", known=False)

    def upstream(self, spelling: str) -> Seat | None:
        """Return the provider a broker names as the upstream of one of its own offers."""
        if spelling in self.providers:
            return Seat(self.providers[spelling], "direct")
        return None if spelling in self.ids else Seat(spelling, "direct", known=False)
