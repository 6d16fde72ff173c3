"""A provider's list read by a mapping file instead of code: its address, its unit, and where in a row each fact stands.

The file is TOML::

    name = "acme"                       # the source; also how planner status lists it
    title = "Acme's price list"
    licence = "Terms of acme.test"
    url = "https://api.acme.test/v1/models"
    channel = "direct"
    provider = "acme"                   # or provider_path = "owned_by", a word of the feed's own
    rank = 10                           # whose word stands: the lower, the more trusted
    interval_minutes = 360
    stale_after_hours = 72
    rows = "data"                       # where the list of rows stands; "" is the document itself
    id = "id"                           # where a row's model id stands
    unit = "usd_per_token"              # of all prices, unless a price names its own

    [prices]
    input_token = "pricing.prompt"
    output_token = "pricing.completion"
    page = { path = "pricing.page", unit = "usd_per_thousand" }

    [facts]
    context_tokens = "context_length"
"""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Self

import httpx
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from planner.core.claim import Claim, Reading
from planner.core.errors import FeedRefused, InvalidInput, what_is_wrong
from planner.core.names import ProviderNames, Seat
from planner.core.offer import OfferFacts, offer_id, valid_feed_id
from planner.core.price import Rate, RateTable
from planner.core.reconcile import ENTERED
from planner.core.units import Unit
from planner.sources.feed import Known, Payload, Progress
from planner.sources.fetch import fetch_one
from planner.sources.reading import Rows, Unreadable, count, document
from planner.sources.scale import WORDS, Scale

RESERVED = (ENTERED, "correction")
RANK_MIN = 3
"""What people enter outranks every list."""


def _steps(value: str) -> str:
    if not all(value.split(".")):
        raise ValueError("names with one dot between them are needed")
    return value


Place = Annotated[str, AfterValidator(_steps)]
Root = Annotated[str, AfterValidator(lambda value: value and _steps(value))]


class Priced(BaseModel):
    """Where a price stands, and its unit where that is not the unit of all."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    path: Place
    unit: str | None = None


def _with_path(value: object) -> object:
    if not isinstance(value, str | dict):
        raise ValueError("a path is needed, or a table of path and unit")  # noqa: TRY004  # pydantic reports ValueErrors
    return {"path": value} if isinstance(value, str) else value


class Facts(BaseModel):
    """Where a row states its limits, in tokens."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    context_tokens: Place | None = None
    max_output_tokens: Place | None = None


def _word(value: str) -> str:
    if not valid_feed_id(value):
        raise ValueError("letters, digits and ~ @ . _ : / + - are needed, at most 128")
    return value


def _address(value: str) -> str:
    try:
        url = httpx.URL(value)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host or any(letter.isspace() for letter in value):
        raise ValueError("an address is needed, such as https://api.acme.test/v1/models")
    return value


Word = Annotated[str, AfterValidator(_word)]
Text = Annotated[str, Field(min_length=1, max_length=400)]


class Layout(BaseModel):
    """A mapping file: where in a list each fact stands."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Word
    title: Text
    licence: Text
    url: Annotated[str, AfterValidator(_address)]
    rows: Root = ""
    id: Place
    channel: Word = "direct"
    provider: Word | None = None
    provider_path: Place | None = None
    unit: str | None = None
    prices: Annotated[dict[str, Annotated[Priced, BeforeValidator(_with_path)]], Field(min_length=1)]
    facts: Facts = Facts()
    rank: Annotated[int, Field(ge=RANK_MIN, le=9_999)] = 55
    interval_minutes: Annotated[int, Field(ge=1, le=525_600)] = 360
    stale_after_hours: Annotated[int, Field(ge=1, le=87_600)] = 72

    @model_validator(mode="after")
    def _one_provider(self) -> Self:
        if (self.provider is None) == (self.provider_path is None):
            raise ValueError("either provider or provider_path is needed")
        return self

    @model_validator(mode="after")
    def _not_a_person(self) -> Self:
        if self.name in RESERVED:
            raise ValueError(f"name: {self.name} is the name of what people enter")
        return self

    @model_validator(mode="after")
    def _known_units(self) -> Self:
        if self.unit is not None and self.unit not in WORDS:
            raise ValueError(f"unit: one of {', '.join(WORDS)} is needed")
        units = {unit.value for unit in Unit}
        for key, price in self.prices.items():
            if key not in units:
                raise ValueError(f"prices.{key[:40]}: not a unit planner knows; it knows {', '.join(sorted(units))}")
            if (price.unit or self.unit) not in WORDS:
                raise ValueError(f"prices.{key}.unit, or unit for all of them: one of {', '.join(WORDS)} is needed")
        return self

    def priced(self) -> Iterator[tuple[Unit, str, Scale]]:
        """Yield (unit, path, scale) of every price."""
        for key, price in self.prices.items():
            yield Unit(key), price.path, WORDS[price.unit or self.unit or ""]


def read_layout(path: Path) -> Layout:
    """Read a mapping file.

    Raises:
        InvalidInput: names the file and the key that is missing, unknown or of another kind.
    """
    try:
        return Layout.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise InvalidInput(path.name, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(path.name, "not UTF-8 text") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(ascii(str(step)[:40]).strip("'") for step in first["loc"])
        problem = "no such key" if first["type"] == "extra_forbidden" else what_is_wrong(first["msg"])
        raise InvalidInput(f"{path.name}: {place}" if place else path.name, problem) from None
    except (ValueError, RecursionError) as error:
        # Not TOML; or, which the reader has no error of its own for, endless: nested, or a number.
        raise InvalidInput(path.name, f"not TOML: {error}") from None


class Mapped:
    """A list that is read by a mapping file."""

    def __init__(self, layout: Layout) -> None:
        """Keep the layout."""
        self.layout = layout
        self.name = layout.name
        self.file_url = layout.url

    async def fetch(self, base_url: str, known: Mapping[str, Known], progress: Progress) -> tuple[Payload, ...]:
        """Fetch the one list; its whole address stands in the mapping."""
        return (await fetch_one(self.name, base_url or self.layout.url, known, progress),)

    def parse(self, payloads: Mapping[str, bytes], names: ProviderNames, observed_at: datetime) -> Reading:
        """Read the list into claims.

        Raises:
            FeedRefused: no list of rows stands where the mapping says.
        """
        ((url, body),) = payloads.items()
        listed = _at(document(self.name, body), self.layout.rows)
        if isinstance(listed, dict):
            # A list may be an object of rows by id.
            listed = [{"$key": key, **row} if isinstance(row, dict) else row for key, row in listed.items()]
        if not isinstance(listed, list):
            raise FeedRefused(self.name, "not_expected", f"a list of rows was expected at {self.layout.rows or '.'}")
        rows = Rows(self.name, url, observed_at)
        for row in listed:
            self._take(rows, row, names)
        return rows.reading({url: hashlib.sha256(body).hexdigest()})

    def _take(self, rows: Rows, row: object, names: ProviderNames) -> None:
        id_ = _at(row, self.layout.id)
        if not isinstance(id_, str) or not valid_feed_id(id_):
            rows.refuse(id_, "bad_id")
            return
        seat = self._seat(row, names)
        if seat is None:
            rows.refuse(id_, "ambiguous_provider")
            return
        facts = self.layout.facts
        claim = Claim(
            offer_id=offer_id(self.layout.channel, seat.provider, id_),
            facts=OfferFacts(
                model_spelling=id_,
                provider=seat.provider,
                channel=self.layout.channel,
                context_tokens=_limit(row, facts.context_tokens),
                max_output_tokens=_limit(row, facts.max_output_tokens),
            ),
        )
        rows.offer(claim, lambda _unmapped: self._rates(row))

    def _seat(self, row: object, names: ProviderNames) -> Seat | None:
        if self.layout.provider is not None:
            return Seat(self.layout.provider, self.layout.channel)
        word = _at(row, self.layout.provider_path or "")
        return names.upstream(word) if isinstance(word, str) and valid_feed_id(word) else None

    def _rates(self, row: object) -> RateTable:
        table: dict[Unit, Rate] = {}
        for unit, place, scale in self.layout.priced():
            figure = _at(row, place)
            if figure is not None:
                table[unit] = scale.rate(figure)
        if not table:
            raise Unreadable("missing_price")
        return RateTable.flat(table)


def _limit(row: object, path: str | None) -> int | None:
    return None if path is None else count(_at(row, path))


def _at(node: object, path: str) -> Any:  # noqa: ANN401  # JSON is any of six types
    """Return what stands at a dotted path, or None."""
    for step in path.split(".") if path else ():
        if isinstance(node, dict):
            node = node.get(step)
        elif isinstance(node, list) and step.isascii() and step.isdigit() and int(step) < len(node):
            node = node[int(step)]
        else:
            return None
    return node
