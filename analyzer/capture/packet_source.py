"""One capture as batches of packets: a byte stream read into a buffer, and a parser over that buffer.

The buffer is used again and again: it is filled in steps, parsed after each step while the bytes are still in the
processor's cache, handed out when it is full (or, from a pipe, when nothing more comes at once), and then the
record that was cut off at its end is moved to its front. It grows only for a single record larger than itself.
"""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.capture import formats
from analyzer.capture.byte_stream import ByteStream
from analyzer.capture.packets import PACKET, Packets
from analyzer.capture.parser import CaptureInfo
from analyzer.capture.pcap import PLENTY
from analyzer.capture.pcapng import LARGEST_BLOCK
from analyzer.errors import UnreadableCapture

BATCH = 2 * 1024 * 1024  # bytes of capture in a batch at most: what is read, parsed and decoded stays in near caches
STEP = BATCH  # bytes read before they are parsed, at most
BYTES_FOR_A_ROW = 64  # rows for a batch: one for so many bytes of it
LINGER = 0.05  # seconds that packets from a pipe wait for others to fill the batch


class PacketSource:
    """The packets of one byte stream. Frame numbers count from 1 in it."""

    def __init__(self, stream: ByteStream, info: CaptureInfo, batch: int = BATCH) -> None:
        self.stream = stream
        self._info = info
        self._buffer: NDArray[Any] = np.empty(batch, np.uint8)
        self._memory = self._buffer.data
        self._rows: NDArray[Any] = np.zeros(max(1024, batch // BYTES_FOR_A_ROW), PACKET)
        self._begin, self._end = 0, 0  # the bytes in the buffer not parsed yet
        self._base = 0  # place of the buffer's first byte in the capture
        self._ended = False  # the stream gave its last byte
        self._filled = 0  # rows not handed out yet
        self._deadline = 0.0  # when they should be, if they come from a pipe
        enough = formats.ENOUGH if stream.live else min(batch, PLENTY)
        while self._end < enough and self._fill():
            pass
        head = self._buffer[: self._end].tobytes()
        if not head and stream.trouble:
            raise UnreadableCapture(f"{stream.name} is {stream.trouble}; nothing could be decompressed")
        self._parser, self._begin = formats.recognise(stream.name, head, self._ended, info)

    @property
    def frames(self) -> int:
        """Frame numbers used by what was read so far."""
        return self._parser.frames

    @property
    def captured_until(self) -> int | None:
        """Until when the capture says that it captured, by what was read so far; None where it does not."""
        return self._parser.captured_until

    @property
    def tick(self) -> int:
        """Nanoseconds in the unit of the file's times; 1 where each interface has its own."""
        return self._parser.tick

    def _fill(self) -> bool:
        """Read a step's worth of bytes; False at the end."""
        if self._ended:
            return False
        count = self.stream.readinto(self._memory[self._end : self._end + STEP])
        self._end += count
        self._ended = count == 0
        return not self._ended

    def batches(self) -> Iterator[Packets]:
        """The packets, batch by batch. A batch's memory is used again for the next one."""
        while True:
            self._parse()
            full = self._filled == len(self._rows)
            if full or self._due():
                yield self._hand_out()
            if not full and (self._parser.finished or not self._more()):
                break
        if self._filled:
            yield self._hand_out()
        self._close()

    def _parse(self) -> None:
        self._begin, filled = self._parser.parse(
            self._buffer, self._begin, self._end, self._base, self._rows[self._filled :]
        )
        if filled and not self._filled:
            self._deadline = time.monotonic() + LINGER
        self._filled += filled

    def _due(self) -> bool:
        """Whether what was filled should be handed out before more is read."""
        if not self._filled:
            return False
        if self._end == len(self._buffer):
            return True
        return self.stream.live and not self.stream.ready(max(0.0, self._deadline - time.monotonic()))

    def _hand_out(self) -> Packets:
        filled, self._filled = self._filled, 0
        return Packets(self._buffer[: self._end], self._rows[:filled])

    def _more(self) -> bool:
        """Make room, and read; False at the end of the bytes."""
        if not self._filled and self._begin:
            left = self._end - self._begin
            if self._end == len(self._buffer) or left < STEP:
                self._buffer[:left] = self._buffer[self._begin : self._end]
                self._base += self._begin
                self._begin, self._end = 0, left
        if self._end == len(self._buffer):
            self._grow()
        return self._fill()

    def _grow(self) -> None:
        """A record larger than the buffer: the parsers believe none beyond LARGEST_BLOCK."""
        larger = np.empty(min(2 * len(self._buffer), LARGEST_BLOCK + STEP), np.uint8)
        larger[: self._end] = self._buffer[: self._end]
        self._buffer, self._memory = larger, larger.data

    def _close(self) -> None:
        self._parser.end(self._end - self._begin, self._base + self._begin)
        if self.stream.trouble:
            self._info.note(f"{self.stream.name}: the file is {self.stream.trouble}")
        if not self.frames:
            self._info.note(f"{self.stream.name}: it contains no packets")
        self.close()

    def close(self) -> None:
        self.stream.close()
