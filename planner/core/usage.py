"""What one request used, in the canonical form, and its partition into disjoint billable counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from itertools import compress
from operator import attrgetter
from typing import NamedTuple, Self

from planner.core.errors import ImpossibleUsage, InvalidInput
from planner.core.units import Unit

COUNT_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Counts of one request; totals include their parts (the meaning of OpenTelemetry's GenAI conventions).

    ``input_tokens`` is the whole prompt: cached, written to the cache and media tokens lie inside it.
    ``output_tokens`` is the whole completion: reasoning and media tokens lie inside it. ``annotated_pages``
    lie inside ``pages``. ``cache_write_tokens`` without a stated lifetime counts as 5 minutes and sets
    ``ttl_assumed``. ``parts`` is the partition: (unit, count), disjoint, zero counts left out.

    Raises:
        InvalidInput: a count is not an integer from 0 to 2**63 - 1.
        ImpossibleUsage: a part is larger than the whole that contains it.

    Example:
        >>> Usage(input_tokens=20_000, cache_read_tokens=12_000, output_tokens=2_000).parts[:2]
        ((<Unit.INPUT: 'input_token'>, 8000), (<Unit.CACHE_READ: 'cache_read_token'>, 12000))
    """

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    input_audio_tokens: int = 0
    input_image_tokens: int = 0
    input_video_tokens: int = 0
    cache_read_audio_tokens: int = 0
    cache_read_image_tokens: int = 0
    cache_read_video_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    output_audio_tokens: int = 0
    output_image_tokens: int = 0
    output_video_tokens: int = 0
    requests: int = 1
    web_searches: int = 0
    file_searches: int = 0
    queries: int = 0
    input_images: int = 0
    images: int = 0
    input_pixels: int = 0
    output_pixels: int = 0
    audio_seconds: int = 0
    output_audio_seconds: int = 0
    video_seconds: int = 0
    output_video_seconds: int = 0
    characters: int = 0
    output_characters: int = 0
    pages: int = 0
    annotated_pages: int = 0
    ttl_assumed: bool = field(init=False)
    parts: tuple[tuple[Unit, int], ...] = field(init=False)

    def __post_init__(self) -> None:
        """Refuse impossible counts and derive the partition."""
        divided = _partition(_counts(self))
        object.__setattr__(self, "ttl_assumed", divided.ttl_assumed)
        object.__setattr__(self, "parts", divided.parts)

    def changed(self, counts: Mapping[str, int]) -> "Usage":
        """Return the same request with some of its counts changed.

        Raises:
            InvalidInput: a count is no count.
            ImpossibleUsage: a part is larger than its whole.
        """
        return Usage(**{**dict(zip(COUNTS, _counts(self), strict=True)), **counts})

    @property
    def text_input_tokens(self) -> int:
        """Tokens of the prompt that are text, cached or not."""
        return self.input_tokens - self.input_audio_tokens - self.input_image_tokens - self.input_video_tokens

    @property
    def text_output_tokens(self) -> int:
        """Tokens of the completion that are text, reasoning included."""
        return self.output_tokens - self.output_audio_tokens - self.output_image_tokens - self.output_video_tokens

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> Self:
        """Build a usage from named counts, as a caller sends them.

        Raises:
            InvalidInput: a name is not one of the canonical counts, or a count is no count.
            ImpossibleUsage: a part is larger than its whole.
        """
        for name in counts:
            if name not in COUNTS:
                raise InvalidInput(name, "not a count of the canonical usage form")
        return cls(**counts)


COUNTS: tuple[str, ...] = tuple(f.name for f in fields(Usage) if f.init)
"""The names of the canonical counts, in the order of `Usage`."""


class Parts(NamedTuple):
    """The partition of a request alone, for whoever prices millions: `planner.core.cost.cost` takes it as it is."""

    input_tokens: int
    parts: tuple[tuple[Unit, int], ...]
    ttl_assumed: bool = False

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> "Parts":
        """Divide named counts as `Usage` does.

        Raises:
            InvalidInput: a count is not an integer from 0 to 2**63 - 1.
            ImpossibleUsage: a part is larger than the whole that contains it.
        """
        if _PLAIN.issuperset(counts):
            # Most requests are text and nothing else: a fifth of the work.
            prompt, read = counts.get("input_tokens", 0), counts.get("cache_read_tokens", 0)
            completion, reasoning = counts.get("output_tokens", 0), counts.get("reasoning_tokens", 0)
            requests = counts.get("requests", 1)
            nets = prompt - read, read, completion - reasoning, reasoning, requests
            fits = {*map(type, counts.values())} <= {int} and min(read, reasoning, *nets) >= 0
            if fits and max(prompt, completion, requests) <= COUNT_MAX:
                return cls(prompt, tuple([pair for pair in zip(_PLAIN_UNITS, nets, strict=True) if pair[1]]))
        return _partition(tuple([counts.get(name, default) for name, default in _DEFAULTS]))


_counts = attrgetter(*COUNTS)
_PLAIN = frozenset({"input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens", "requests"})
_PLAIN_UNITS = Unit.INPUT, Unit.CACHE_READ, Unit.OUTPUT, Unit.REASONING, Unit.REQUEST
_DEFAULTS = tuple((name, int(name == "requests")) for name in COUNTS)
_MEDIA_TO, _PLAIN_FROM, _PLAIN_TO = map(COUNTS.index, ("output_tokens", "requests", "pages"))

# Unit -> the count it is a part of; the order is that of the partition.
_PARTS: tuple[tuple[Unit, str], ...] = (
    (Unit.INPUT, "input_tokens"),
    (Unit.CACHE_READ, "cache_read_tokens"),
    (Unit.CACHE_READ_AUDIO, "cache_read_audio_tokens"),
    (Unit.CACHE_READ_IMAGE, "cache_read_image_tokens"),
    (Unit.CACHE_READ_VIDEO, "cache_read_video_tokens"),
    (Unit.INPUT_AUDIO, "input_audio_tokens"),
    (Unit.INPUT_IMAGE, "input_image_tokens"),
    (Unit.INPUT_VIDEO, "input_video_tokens"),
    (Unit.CACHE_WRITE_5M, "cache_write_tokens"),
    (Unit.CACHE_WRITE_1H, "cache_write_tokens"),
    (Unit.OUTPUT, "output_tokens"),
    (Unit.REASONING, "reasoning_tokens"),
    (Unit.OUTPUT_AUDIO, "output_audio_tokens"),
    (Unit.OUTPUT_IMAGE, "output_image_tokens"),
    (Unit.OUTPUT_VIDEO, "output_video_tokens"),
    (Unit.PAGE, "pages"),
    (Unit.ANNOTATED_PAGE, "pages"),
    (Unit.REQUEST, "requests"),
    (Unit.WEB_SEARCH, "web_searches"),
    (Unit.FILE_SEARCH, "file_searches"),
    (Unit.QUERY, "queries"),
    (Unit.INPUT_PICTURE, "input_images"),
    (Unit.PICTURE, "images"),
    (Unit.INPUT_PIXEL, "input_pixels"),
    (Unit.OUTPUT_PIXEL, "output_pixels"),
    (Unit.AUDIO_SECOND, "audio_seconds"),
    (Unit.OUTPUT_AUDIO_SECOND, "output_audio_seconds"),
    (Unit.VIDEO_SECOND, "video_seconds"),
    (Unit.OUTPUT_VIDEO_SECOND, "output_video_seconds"),
    (Unit.CHARACTER, "characters"),
    (Unit.OUTPUT_CHARACTER, "output_characters"),
)
_UNITS = tuple(unit for unit, _whole in _PARTS)


def _partition(counts: tuple[int, ...]) -> Parts:
    """Divide counts, in the order of `COUNTS`, into disjoint parts."""
    # A boolean is an int to Python and a mistake to a bill. The common case is decided without a loop.
    if {*map(type, counts)} != {int} or min(counts) < 0 or max(counts) > COUNT_MAX:
        wrong = (type(count) is not int or not 0 <= count <= COUNT_MAX for count in counts)
        raise InvalidInput(next(compress(COUNTS, wrong)), "an integer from 0 to 2**63 - 1 is needed")
    prompt, read, write, write_5m, write_1h, *media = counts[:_MEDIA_TO]
    audio, image, video, cached_audio, cached_image, cached_video = media
    completion, reasoning, audio_out, image_out, video_out = counts[_MEDIA_TO:_PLAIN_FROM]
    pages, annotated = counts[_PLAIN_TO:]
    lifetimes = write_5m + write_1h
    written = max(write, lifetimes)
    if write and lifetimes > write:
        raise ImpossibleUsage("cache_write_tokens", "smaller than its 5-minute and 1-hour parts")
    cached_media = cached_audio + cached_image + cached_video
    nets = (
        prompt - read - written - audio - image - video + cached_media,
        read - cached_media,
        cached_audio,
        cached_image,
        cached_video,
        audio - cached_audio,
        image - cached_image,
        video - cached_video,
        written - write_1h,
        write_1h,
        completion - reasoning - audio_out - image_out - video_out,
        reasoning,
        audio_out,
        image_out,
        video_out,
        pages - annotated,
        annotated,
        *counts[_PLAIN_FROM:_PLAIN_TO],
    )
    if min(nets) < 0:
        whole = next(name for (_unit, name), net in zip(_PARTS, nets, strict=True) if net < 0)
        raise ImpossibleUsage(whole, "smaller than the parts it contains")
    return Parts(prompt, tuple(compress(zip(_UNITS, nets, strict=True), nets)), written > lifetimes)
