"""A capture that is packed with gzip or zstd, unpacked while it is read.

    open_bytes(path)  ->  ByteStream.readinto(memory)  ->  the bytes of the capture, unpacked

What a file is packed with is told by its first bytes, never by its name. Unpacking is bounded: a call unpacks into
the caller's memory and no further, so a file that unpacks to terabytes is only a long stream. A packed file that is
cut or damaged gives everything before the damage; ``ByteStream.trouble`` then says what was wrong.
"""

import os
import zlib

from analyzer.capture.byte_stream import PIECE, ByteStream, ReadBytes, open_raw

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
ZSTD_SKIPPABLE = b"\x2a\x4d\x18"  # after a byte from 0x50 to 0x5f: a frame of something else, which may come first


def open_bytes(path: str | os.PathLike[str]) -> ByteStream:
    """The bytes of the capture at ``path`` (``-``: standard input), unpacked where they are packed."""
    return unpacked(open_raw(path))


def unpacked(raw: ReadBytes) -> ByteStream:
    """``raw`` itself, or what is packed in it. Closes it where that cannot be told."""
    try:
        head = raw.peek(len(ZSTD_MAGIC))
        if head.startswith(GZIP_MAGIC):
            return GzipBytes(raw)
        if head == ZSTD_MAGIC or (head[1:] == ZSTD_SKIPPABLE and head[0] >> 4 == 5):
            from analyzer.capture.zstd import ZstdBytes

            return ZstdBytes(raw)
    except BaseException:
        raw.close()
        raise
    return raw


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
            self._end(f"damaged: its gzip data cannot be decompressed at byte {where:,} ({error})")
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
