"""Where a capture's bytes come from: a file, a pipe or standard input; plain, gzip or zstd.

    open_bytes(path)  ->  ByteStream.readinto(memory)  ->  the bytes of the capture, unpacked

What a file is packed with is told by its first bytes, never by its name. Unpacking is bounded: a call unpacks into
the caller's memory and no further, so a file that unpacks to terabytes is only a long stream. A packed file that is
cut or damaged gives everything before the damage; ``ByteStream.trouble`` then says what was wrong.

A stream is ``live`` when its bytes arrive over time (pipe, terminal, socket): then ``ready`` says whether more can
be had at once, so that a reader can hand on what came instead of waiting for a full batch.
"""

import contextlib
import errno
import io
import os
import select
import stat
import zlib
from typing import Protocol

from analyzer.errors import UnreadableCapture
from analyzer.readers.interfaces import harmless

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
ZSTD_SKIPPABLE = b"\x2a\x4d\x18"  # after a byte from 0x50 to 0x5f: a frame of something else, which may come first
PIECE = 256 * 1024  # packed bytes taken from a file at once
PIPE_SIZE = 1024 * 1024  # asked of the system for a pipe, so that a fast writer comes in large pieces

WHY = {
    errno.ENOENT: "there is no such file; check the path",
    errno.EISDIR: "it is a directory; name the capture files in it",
    errno.EACCES: "permission denied; ask its owner, or run as a user who may read it",
    errno.EMFILE: "too many files are open at once; merge some first with: mergecap -w OUT IN...",
}


class ByteStream(Protocol):
    """The unpacked bytes of one capture."""

    name: str  # as the user gave it, for messages
    live: bool
    size: int | None  # bytes of the file as it lies on disk; None for a pipe
    trouble: str  # what was wrong with the packing; empty while nothing is

    @property
    def taken(self) -> int:
        """Bytes of the file read so far."""

    def readinto(self, memory: memoryview) -> int:
        """Put some bytes into ``memory``, at least one unless the stream is at its end; return how many."""

    def ready(self, seconds: float) -> bool:
        """Whether more can be read at once, waiting for it at most ``seconds``."""

    def close(self) -> None: ...


def open_bytes(path: str | os.PathLike[str]) -> ByteStream:
    """The bytes of the capture at ``path`` (``-``: standard input), unpacked where they are packed."""
    return unpacked(open_raw(path))


def unpacked(raw: "ReadBytes") -> ByteStream:
    """``raw`` itself, or what is packed in it. Closes it where that cannot be told."""
    try:
        head = raw.peek(len(ZSTD_MAGIC))
        if head.startswith(GZIP_MAGIC):
            return GzipBytes(raw)
        if head == ZSTD_MAGIC or (head[1:] == ZSTD_SKIPPABLE and head[0] >> 4 == 5):
            from analyzer.readers.zstd import ZstdBytes

            return ZstdBytes(raw)
    except BaseException:
        raw.close()
        raise
    return raw


def unreadable(name: str, error: OSError) -> UnreadableCapture:
    """What the operating system said, as one line for the user."""
    why = WHY.get(error.errno or 0, (error.strerror or str(error)).lower())
    return UnreadableCapture(f"cannot read {name}: {why}")


def open_raw(path: str | os.PathLike[str]) -> "RawBytes":
    """The bytes at ``path`` as they are; ``-`` is standard input."""
    name = os.fspath(path)
    shown = "standard input" if name == "-" else harmless(name)
    try:
        if name != "-":
            return RawBytes(io.FileIO(name), shown)
        if os.isatty(0):
            raise UnreadableCapture("standard input is a terminal: name a capture file, or pipe a capture in")
        return RawBytes(io.FileIO(0, closefd=False), shown)
    except OSError as error:
        raise unreadable(shown, error) from None
    except ValueError:
        raise UnreadableCapture(f"cannot read {shown}: that is not a possible path") from None


class ReadBytes:
    """Bytes that are not unpacked: what all kinds of them share. ``_read`` takes the next ones from where they come."""

    live = False
    size: int | None = None

    def __init__(self, name: str) -> None:
        self.name = name
        self.taken = 0
        self.trouble = ""
        self._ahead = b""  # read while looking at the head, not yet handed out

    def _read(self, count: int) -> bytes:
        raise NotImplementedError

    def peek(self, count: int) -> bytes:
        """The first ``count`` bytes, or all there are; they stay to be read."""
        while len(self._ahead) < count:
            more = self._read(count - len(self._ahead))
            if not more:
                break
            self._ahead += more
        return self._ahead[:count]

    def read(self, count: int) -> bytes:
        """Up to ``count`` bytes; none at the end."""
        if self._ahead:
            first, self._ahead = self._ahead[:count], self._ahead[count:]
            return first
        return self._read(count)

    def readinto(self, memory: memoryview) -> int:
        """See :class:`ByteStream`."""
        some = self.read(len(memory))
        memory[: len(some)] = some
        return len(some)

    def ready(self, seconds: float) -> bool:
        """See :class:`ByteStream`."""
        return True

    def close(self) -> None:
        """See :class:`ByteStream`."""


class RawBytes(ReadBytes):
    """The bytes as they lie in the file or come through the pipe."""

    def __init__(self, file: io.FileIO, name: str) -> None:
        super().__init__(name)
        self._file = file
        facts = os.fstat(file.fileno())
        self.live = not stat.S_ISREG(facts.st_mode)
        self.size = None if self.live else facts.st_size
        if stat.S_ISFIFO(facts.st_mode):
            self._widen()

    def _widen(self) -> None:
        try:
            import fcntl

            fcntl.fcntl(self._file.fileno(), fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        except (ImportError, AttributeError, OSError):
            return  # the pipe works as it is, in smaller pieces

    def _read(self, count: int) -> bytes:
        try:
            more = self._file.read(count) or b""
        except OSError as error:
            raise unreadable(self.name, error) from None
        self.taken += len(more)
        return more

    def readinto(self, memory: memoryview) -> int:
        if self._ahead:
            return super().readinto(memory)
        try:
            count = self._file.readinto(memory) or 0
        except OSError as error:
            raise unreadable(self.name, error) from None
        self.taken += count
        return count

    def ready(self, seconds: float) -> bool:
        if self._ahead or not self.live:
            return True
        try:
            return bool(select.select([self._file], [], [], seconds)[0])
        except (OSError, ValueError):  # something select cannot wait for: reading it is the only way to know
            return False

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()


class GzipBytes:
    """The unpacked bytes of a gzip stream of any number of members."""

    def __init__(self, raw: ReadBytes) -> None:
        self._raw = raw
        self.name, self.live, self.size = raw.name, raw.live, raw.size
        self.trouble = ""
        self._packed = b""  # read, not yet unpacked
        self._member = zlib.decompressobj(wbits=31)
        self._begun = False  # whether the member has been given anything
        self._ended = False

    @property
    def taken(self) -> int:
        return self._raw.taken

    def readinto(self, memory: memoryview) -> int:
        while not self._ended:
            if self._member.eof and not self._next_member():
                break
            if not self._packed:
                self._packed = self._raw.read(PIECE)
                if not self._packed:
                    self._end("cut: the gzip data ends in the middle" if self._begun else "")
                    break
            some = self._unpack(min(len(memory), PIECE))
            if some:
                memory[: len(some)] = some
                return len(some)
        return 0

    def _unpack(self, most: int) -> bytes:
        self._begun = True
        before = self._member.copy()
        try:
            some = self._member.decompress(self._packed, most)
        except zlib.error:
            return self._before_damage(before)
        self._packed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return some

    def _before_damage(self, member: "zlib._Decompress") -> bytes:
        """What can be unpacked before the byte that cannot; zlib keeps back a whole call's output otherwise."""
        some = bytearray()
        try:
            for place in range(len(self._packed)):
                some += member.decompress(self._packed[place : place + 1])
        except zlib.error as error:
            where = self._raw.taken - len(self._packed) + place
            self._end(f"damaged: its gzip data cannot be unpacked at byte {where:,} ({error})")
        return bytes(some)

    def _next_member(self) -> bool:
        """Go on with what follows a member: another one, or the end (padding with zeros is customary)."""
        while len(self._packed) < len(GZIP_MAGIC):
            more = self._raw.read(PIECE)
            if not more:
                break
            self._packed += more
        if self._packed.startswith(GZIP_MAGIC):
            self._member, self._begun = zlib.decompressobj(wbits=31), False
            return True
        rest = self._packed.strip(b"\0")
        self._end(f"followed by {len(rest):,} bytes that are not gzip data; they were ignored" if rest else "")
        return False

    def _end(self, trouble: str) -> None:
        self._ended, self.trouble = True, trouble

    def ready(self, seconds: float) -> bool:
        return bool(self._packed) or self._raw.ready(seconds)

    def close(self) -> None:
        self._raw.close()
