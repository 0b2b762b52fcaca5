"""The unpacked bytes of a zstd stream of any number of frames.

The library does not say whether a stream ended where a frame ends or was cut in the middle of one, and an error
takes with it what the same call had unpacked before. So the frames' outer structure (RFC 8878, section 3.1: a
header, then blocks with a 3-byte header each, perhaps a checksum) is followed here, and the library is given one
block at a time: a cut is seen, and damage costs no more than the damaged block.
"""

from collections.abc import Generator

import zstandard

from analyzer.capture.byte_stream import PIECE, ReadBytes

FRAME = 0xFD2FB528
SKIPPABLE, SKIPPABLE_MASK = 0x184D2A50, 0xFFFFFFF0
RLE_BLOCK = 1
WINDOW_LIMIT = 128 * 1024 * 1024  # what the zstd command line accepts without being told otherwise


class DamagedError(Exception):
    """The structure of the frames is broken."""


def pieces() -> Generator[int, bytes, None]:
    """Yields how many bytes the next piece of the stream has and is sent them; yields 0 after each whole frame.

    A piece is a header or the body of one block, so that it is never large.
    """
    while True:
        magic = int.from_bytes((yield 4), "little")
        if magic & SKIPPABLE_MASK == SKIPPABLE:
            left = int.from_bytes((yield 4), "little")
            while left:
                left -= len((yield min(left, PIECE)))
        elif magic == FRAME:
            yield from frame()
        else:
            raise DamagedError
        yield 0


def frame() -> Generator[int, bytes, None]:
    """The pieces of one frame after its magic number."""
    descriptor = (yield 1)[0]
    single, checksum = descriptor >> 5 & 1, descriptor >> 2 & 1
    dictionary = (0, 1, 2, 4)[descriptor & 3]
    content = (single, 2, 4, 8)[descriptor >> 6]
    if (1 - single) + dictionary + content:
        yield (1 - single) + dictionary + content
    last = False
    while not last:
        header = int.from_bytes((yield 3), "little")
        last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        body = 1 if kind == RLE_BLOCK else size
        if body:
            yield body
    if checksum:
        yield 4


class _Blocks:
    """A file for the library to read from, which gives out at most one piece at a time."""

    def __init__(self, raw: ReadBytes) -> None:
        self._raw = raw
        self._pieces = pieces()
        self._wanted = next(self._pieces)
        self._bytes = b""
        self.between = True  # whether what was given out so far ends where a frame ends
        self.rest = 0  # bytes found behind the last frame that are no frame

    def read(self, size: int = -1) -> bytes:
        while len(self._bytes) < self._wanted:
            more = self._raw.read(PIECE)
            if not more:
                left, self._bytes = self._bytes, b""
                if self.between:
                    self.rest, left = len(left), b""
                return left
            self._bytes += more
        piece, self._bytes = self._bytes[: self._wanted], self._bytes[self._wanted :]
        try:
            self._wanted = self._pieces.send(piece)
            self.between = self._wanted == 0
            if self.between:
                self._wanted = next(self._pieces)
        except DamagedError:
            self.rest = len(piece) + len(self._bytes)
            self._bytes = b""
            return b""
        return piece

    def waiting(self) -> bool:
        """Whether a whole piece can be given out without reading."""
        return len(self._bytes) >= self._wanted


class ZstdBytes:
    """A ByteStream over zstd frames."""

    def __init__(self, raw: ReadBytes) -> None:
        self._raw = raw
        self.name, self.live, self.size = raw.name, raw.live, raw.size
        self.trouble = ""
        self._blocks = _Blocks(raw)
        unpacker = zstandard.ZstdDecompressor(max_window_size=WINDOW_LIMIT)
        self._unpacked = unpacker.stream_reader(self._blocks, read_across_frames=True)  # type: ignore[arg-type]
        self._ended = False

    @property
    def taken(self) -> int:
        return self._raw.taken

    def readinto(self, memory: memoryview) -> int:
        if self._ended:
            return 0
        try:
            count = self._unpacked.readinto1(memory)
        except zstandard.ZstdError as error:
            self._end(f"damaged: its zstd data cannot be decompressed near byte {self.taken:,} ({error})")
            return 0
        if count == 0:
            self._end(self._how_it_ended())
        return count

    def _how_it_ended(self) -> str:
        if self._blocks.rest:
            return "followed by bytes that are not zstd data; they were ignored"
        return "" if self._blocks.between else "cut: the zstd data ends in the middle"

    def _end(self, trouble: str) -> None:
        self._ended, self.trouble = True, trouble

    def ready(self, seconds: float) -> bool:
        return self._blocks.waiting() or self._raw.ready(seconds)

    def close(self) -> None:
        self._raw.close()
