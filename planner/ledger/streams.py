"""The bytes of a file, inflated on the way where they are gzip, and its rows as bytes, none of them endless."""

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple, cast

from planner.core.errors import InvalidInput

ROW_BYTES_MAX = 1024 * 1024
"""The longest row: a line of JSON Lines, or a row of CSV with all its cells and the line ends inside them."""

_GZIP = b"\x1f\x8b"
_PIECE = 256 * 1024
# What reading a file may end with, besides its end: a disk that fails, a gzip cut short, a gzip that is none.
_DAMAGE = (OSError, EOFError, zlib.error)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal digits.

    Raises:
        InvalidInput: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InvalidInput("file", f"it cannot be read: {error.strerror}") from None


class _Watched(io.RawIOBase):
    """A file that tells how much of it was read."""

    def __init__(self, path: Path, progress: Callable[[int], None] | None) -> None:
        self._file = path.open("rb", buffering=0)
        self._progress = progress
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any buffer, which has no type in 3.11
        count = self._file.readinto(buffer)
        self._read += count
        if count and self._progress is not None:
            self._progress(self._read)
        return count

    def close(self) -> None:
        # The base class closes once more when it is collected, also where opening the file failed.
        if hasattr(self, "_file"):
            self._file.close()
        super().close()


@dataclass(frozen=True, slots=True)
class Bytes:
    """Where the bytes of a file stand, and who is told how many of them were read, packed as they are."""

    path: Path
    progress: Callable[[int], None] | None = None

    def silent(self) -> "Bytes":
        """Return the same bytes, read without telling anybody: for a look at how a file begins."""
        return Bytes(self.path)

    @property
    def size(self) -> int:
        """The bytes of the file as it lies there."""
        return self.path.stat().st_size

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """Open the file at its beginning. What is read inside the block is inflated piece by piece.

        Raises:
            InvalidInput: it cannot be read, also where that shows only inside the block.
        """
        try:
            with io.BufferedReader(_Watched(self.path, self.progress), _PIECE) as packed:
                if not packed.peek(len(_GZIP)).startswith(_GZIP):
                    yield packed
                    return
                with gzip.GzipFile(fileobj=packed) as inflated:
                    yield cast("IO[bytes]", inflated)
        except _DAMAGE as error:
            said = error.strerror if isinstance(error, OSError) else None
            raise InvalidInput("file", f"it cannot be read: {said or 'the gzip is damaged or cut short'}") from None


class Line(NamedTuple):
    """A row as bytes: the number of the line it begins on, and its bytes, or None where it is too long to keep.

    ``closed`` is False where a quote is still open when the file ends.
    """

    number: int
    text: bytes | None
    closed: bool = True


def lines(stream: IO[bytes], *, quotes: bool = False) -> Iterator[Line]:
    """Yield a stream's rows that are not blank, line by line; with ``quotes`` a row goes on while a quote is open.

    A row of CSV ends where the number of quotes so far is even (RFC 4180, 2.5 to 2.7), so that a row of any length can
    be passed over without being kept.
    """
    number = begins = 1
    held: list[bytes] = []
    size, open_ = 0, False
    while piece := stream.readline(_PIECE):
        size += len(piece)
        if size <= ROW_BYTES_MAX:
            held.append(piece)
        else:
            held.clear()
        if quotes:
            open_ ^= bool(piece.count(b'"') & 1)
        if not piece.endswith(b"\n"):
            continue
        number += 1
        if open_:
            continue
        line = _line(begins, held, size, closed=True)
        if line is not None:
            yield line
        begins, size = number, 0
        held.clear()
    line = _line(begins, held, size, closed=not open_)
    if line is not None:
        yield line


def _line(number: int, held: list[bytes], size: int, *, closed: bool) -> Line | None:
    if size > ROW_BYTES_MAX:
        return Line(number, None, closed)
    text = b"".join(held)
    return Line(number, text, closed) if text.strip() else None
