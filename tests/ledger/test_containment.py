"""Containment: each provider of a stream is judged by itself, in one pass."""

from collections.abc import Iterator
from datetime import UTC, datetime

from planner.core.event import Containment, Event
from planner.ledger.containment import judged

NOON = datetime(2026, 9, 3, 12, tzinfo=UTC)


def event(provider: str | None, prompt: int, read: int, total: int | None = None) -> Event:
    """Make a request of a provider."""
    counts = {"input_tokens": prompt, "cache_read_tokens": read}
    facts = {"source": "s", "id": "1", "at": NOON, "includes_cached": None, "total_tokens": total}
    return Event(counts=counts, provider=provider, **facts)  # type: ignore[arg-type]  # facts of many types


def test_every_provider_is_judged_by_its_own_rows() -> None:
    """One gateway passes on what its providers count, each in its own way."""
    stream = [event("openai", 900, 700, total=900), event("anthropic", 10, 700), event(None, 5, 0), event("x", 9, 3)]
    assert judged(stream, None) == {
        "openai": Containment(includes_cached=True, because="sums"),
        "anthropic": Containment(includes_cached=False, because="read_exceeds_input"),
        "": Containment(includes_cached=True, because="no_cache"),
        "x": Containment(includes_cached=None, because="unknown"),
    }


def test_what_is_declared_is_of_all_of_them_unless_impossible() -> None:
    """700 read do not lie inside 10."""
    found = judged([event("openai", 900, 700), event("anthropic", 10, 700)], declared=True)
    assert (found["openai"].includes_cached, found["anthropic"].includes_cached) == (True, False)


def test_a_stream_is_passed_once() -> None:
    """Its rows are never held together."""
    held: list[int] = []

    def stream() -> Iterator[Event]:
        for number in range(1_000):
            held.append(number)
            yield event("openai", 10, 5, total=10)

    assert judged(stream(), None)["openai"].includes_cached is True
    assert len(held) == 1_000
    assert judged([], None) == {}
