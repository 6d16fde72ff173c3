"""The registry of billable units: what each one counts, in which direction, and whose rate stands in for it."""

from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """What is billed. Counts are disjoint: a cached audio token is counted under one unit only."""

    INPUT = "input_token"
    INPUT_AUDIO = "input_audio_token"
    INPUT_IMAGE = "input_image_token"
    INPUT_VIDEO = "input_video_token"
    CACHE_READ = "cache_read_token"
    CACHE_READ_AUDIO = "cache_read_audio_token"
    CACHE_READ_IMAGE = "cache_read_image_token"
    CACHE_READ_VIDEO = "cache_read_video_token"
    CACHE_WRITE_5M = "cache_write_5m_token"
    CACHE_WRITE_1H = "cache_write_1h_token"
    OUTPUT = "output_token"
    REASONING = "reasoning_token"
    OUTPUT_AUDIO = "output_audio_token"
    OUTPUT_IMAGE = "output_image_token"
    OUTPUT_VIDEO = "output_video_token"
    REQUEST = "request"
    WEB_SEARCH = "web_search"
    FILE_SEARCH = "file_search"
    QUERY = "query"
    INPUT_PICTURE = "input_image"
    PICTURE = "image"
    INPUT_PIXEL = "input_pixel"
    OUTPUT_PIXEL = "output_pixel"
    AUDIO_SECOND = "audio_second"
    OUTPUT_AUDIO_SECOND = "output_audio_second"
    VIDEO_SECOND = "video_second"
    OUTPUT_VIDEO_SECOND = "output_video_second"
    CHARACTER = "character"
    OUTPUT_CHARACTER = "output_character"
    PAGE = "page"
    ANNOTATED_PAGE = "annotated_page"


class Dimension(StrEnum):
    """What kind of thing a unit counts."""

    TOKEN = "token"  # noqa: S105  # a token of text
    EVENT = "event"
    PICTURE = "picture"
    PIXEL = "pixel"
    SECOND = "second"
    CHARACTER = "character"
    PAGE = "page"


class Direction(StrEnum):
    """Which of the three sums of an answer a unit belongs to."""

    INPUT = "input"
    OUTPUT = "output"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """What the registry knows of one unit.

    ``fallback`` is the unit whose selected rate applies where this one has none: cached text reads cost
    the input rate, reasoning the output rate. Cache writes and media have none: a text rate would be a guess.
    ``billed_without_rate`` is False for requests alone: a card without a request fee charges none.
    """

    dimension: Dimension
    direction: Direction
    fallback: Unit | None = None
    billed_without_rate: bool = True


_IN, _OUT, _OTHER = Direction.INPUT, Direction.OUTPUT, Direction.OTHER
_TOKEN = Dimension.TOKEN

REGISTRY: dict[Unit, UnitFacts] = {
    Unit.INPUT: UnitFacts(_TOKEN, _IN),
    Unit.INPUT_AUDIO: UnitFacts(_TOKEN, _IN),
    Unit.INPUT_IMAGE: UnitFacts(_TOKEN, _IN),
    Unit.INPUT_VIDEO: UnitFacts(_TOKEN, _IN),
    Unit.CACHE_READ: UnitFacts(_TOKEN, _IN, fallback=Unit.INPUT),
    Unit.CACHE_READ_AUDIO: UnitFacts(_TOKEN, _IN, fallback=Unit.INPUT_AUDIO),
    Unit.CACHE_READ_IMAGE: UnitFacts(_TOKEN, _IN, fallback=Unit.INPUT_IMAGE),
    Unit.CACHE_READ_VIDEO: UnitFacts(_TOKEN, _IN, fallback=Unit.INPUT_VIDEO),
    Unit.CACHE_WRITE_5M: UnitFacts(_TOKEN, _IN),
    Unit.CACHE_WRITE_1H: UnitFacts(_TOKEN, _IN),
    Unit.OUTPUT: UnitFacts(_TOKEN, _OUT),
    Unit.REASONING: UnitFacts(_TOKEN, _OUT, fallback=Unit.OUTPUT),
    Unit.OUTPUT_AUDIO: UnitFacts(_TOKEN, _OUT),
    Unit.OUTPUT_IMAGE: UnitFacts(_TOKEN, _OUT),
    Unit.OUTPUT_VIDEO: UnitFacts(_TOKEN, _OUT),
    Unit.REQUEST: UnitFacts(Dimension.EVENT, _OTHER, billed_without_rate=False),
    Unit.WEB_SEARCH: UnitFacts(Dimension.EVENT, _OTHER),
    Unit.FILE_SEARCH: UnitFacts(Dimension.EVENT, _OTHER),
    Unit.QUERY: UnitFacts(Dimension.EVENT, _OTHER),
    Unit.INPUT_PICTURE: UnitFacts(Dimension.PICTURE, _IN),
    Unit.PICTURE: UnitFacts(Dimension.PICTURE, _OUT),
    Unit.INPUT_PIXEL: UnitFacts(Dimension.PIXEL, _IN),
    Unit.OUTPUT_PIXEL: UnitFacts(Dimension.PIXEL, _OUT),
    Unit.AUDIO_SECOND: UnitFacts(Dimension.SECOND, _IN),
    Unit.OUTPUT_AUDIO_SECOND: UnitFacts(Dimension.SECOND, _OUT),
    Unit.VIDEO_SECOND: UnitFacts(Dimension.SECOND, _IN),
    Unit.OUTPUT_VIDEO_SECOND: UnitFacts(Dimension.SECOND, _OUT),
    Unit.CHARACTER: UnitFacts(Dimension.CHARACTER, _IN),
    Unit.OUTPUT_CHARACTER: UnitFacts(Dimension.CHARACTER, _OUT),
    Unit.PAGE: UnitFacts(Dimension.PAGE, _IN),
    Unit.ANNOTATED_PAGE: UnitFacts(Dimension.PAGE, _IN),
}

FALLBACK: dict[Unit, Unit] = {unit: facts.fallback for unit, facts in REGISTRY.items() if facts.fallback}
"""Unit -> the unit whose selected rate stands in where it has none of its own."""

SERVICE_TIERS = ("standard", "batch", "flex", "priority", "fast", "ultrafast", "balanced", "scale")
"""Service tiers planner knows. Another word is a mistake of the caller, never a synonym of standard."""
