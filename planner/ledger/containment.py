"""Whether prompts contain their cached part is decided once for each provider of a stream, after all its rows."""

from collections.abc import Iterable

from planner.core.event import Containment, Event, Judge


def judged(events: Iterable[Event], declared: bool | None) -> dict[str, Containment]:  # noqa: FBT001  # as the judge has it
    """Return the containment of each provider's rows, keyed by the provider as spelled, by "" where none is named.

    One pass, and for each provider a handful of counters. What is ``declared`` for the whole stream holds for every
    provider in it, unless a row makes it impossible.

    Source: maths.md 2.1: per stream and provider, never per row.
    """
    judges: dict[str, Judge] = {}
    for event in events:
        judges.setdefault(event.provider or "", Judge(declared)).see(event)
    return {provider: judge.verdict() for provider, judge in judges.items()}
