"""The copy itself: files one after the other, each from its bytes, with comments added on the way.

A pcapng file keeps every block it has, in its byte order; only packets that get comments become longer, and
packets that are not wanted are left out. A file of another format becomes a section with one interface, in whose unit
its times are
kept. No more than a few buffers are in memory.
"""

import struct
from collections.abc import Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.annotate.kernels import COPY, DAMAGED, NO_ROOM, SECTION, comment_blocks, comment_packets
from analyzer.capture.byte_stream import ByteStream
from analyzer.capture.compression import open_bytes
from analyzer.capture.packet_source import BATCH, PacketSource
from analyzer.capture.parser import CaptureInfo
from analyzer.capture.pcapng import LARGEST_BLOCK, ORDERS, SECTION_MAGIC
from analyzer.capture.pcapng_writer import NANOSECONDS
from analyzer.capture.pcapng_writer import SECTION as NEW_SECTION

ROOM = 4 * BATCH  # bytes of output that are made together
NO_LENGTH = b"\xff" * 8  # of a section whose length is not told


class Comments(NamedTuple):
    """Comments by frame, ascending: the frame of each, which of the texts it is, the texts and where each begins."""

    frames: NDArray[np.int64]
    which: NDArray[np.int32]
    text: NDArray[np.uint8]
    starts: NDArray[np.int64]


class Written(NamedTuple):
    """How many packets and comments were written; how many comments a simple packet block could not take."""

    packets: int
    comments: int
    untold: int


class AnnotatedCopy:
    """Copies captures in turn. ``keep`` has a flag for each frame, none where all are kept."""

    def __init__(self, out: BinaryIO, comments: Comments, keep: NDArray[np.uint8], remark: str = "") -> None:
        self._out, self._comments, self._keep = out, comments, keep
        self._remark = remark.encode("utf-8", "replace")[:60_000]
        self._states = np.zeros(1, COPY)
        self._states[0]["most"] = LARGEST_BLOCK
        self._made: NDArray[np.uint8] = np.empty(ROOM, np.uint8)

    def add(self, paths: Sequence[str]) -> Written:
        """Copy the files at ``paths``, in this order."""
        for path in paths:
            stream = open_bytes(path)
            try:
                head = _filled(stream, np.empty(BATCH, np.uint8), 0)
                if head[0][:4].tobytes() == SECTION_MAGIC:
                    self._blocks(stream, *head)
                    continue
            finally:
                stream.close()
            self._packets(path)
        state = self._states[0]
        return Written(int(state["packets"]), int(state["comments"]), int(state["untold"]))

    def _packets(self, path: str) -> None:
        """Copy a file of records."""
        info, state = CaptureInfo(), self._states[0]
        source = PacketSource(open_bytes(path), info)
        tick = source.tick
        interface = info.interfaces.listed[0]
        self._section(NEW_SECTION, "<")
        resolution = NANOSECONDS + bytes(4) if tick == 1 else b""
        size = 20 + len(resolution)
        self._out.write(struct.pack("<IIHHI", 1, size, interface.link_type, 0, interface.snap_length))
        self._out.write(resolution + struct.pack("<I", size))
        state["snap"] = state["frame"]
        for packets in source.batches():
            state["at"] = 0
            while True:
                comment_packets(packets.data, packets.rows, self._states, self._keep, *self._comments, tick, self._made)
                if not self._go_on():
                    break

    def _blocks(self, stream: ByteStream, data: NDArray[np.uint8], end: int) -> None:
        """Copy a pcapng file, of which the first ``end`` bytes are in ``data``."""
        state = self._states[0]
        state["at"] = 0
        while True:
            state["end"] = end
            comment_blocks(data, self._states, self._keep, *self._comments, self._made)
            if self._go_on():
                continue
            at = int(state["at"])
            if state["stop"] == DAMAGED:
                return
            if state["stop"] == SECTION and self._begun(data[at:end]):
                continue
            left = end - at
            larger = data if left < len(data) // 2 else np.empty(2 * len(data), np.uint8)
            larger[:left] = data[at:end].copy()
            data, filled = _filled(stream, larger, left)
            if filled == left:
                return
            state["at"], end = 0, filled

    def _begun(self, data: NDArray[np.uint8]) -> bool:
        """Copy the section header at the beginning of ``data``; False where it is not wholly there."""
        head = data[:28].tobytes()
        order = ORDERS.get(head[8:12])
        if len(head) < 28 or order is None:
            return False
        size = int(struct.unpack_from(order + "I", head, 4)[0]) + 3 & ~3
        if len(data) < size or size < 28:
            return False
        block = data[:size].tobytes()
        self._section(block[:16] + NO_LENGTH + block[24:], order)
        state = self._states[0]
        state["at"] += size
        state["described"], state["snap"], state["big"] = 0, 0, order == ">"
        return True

    def _section(self, block: bytes, order: str) -> None:
        """Write a section header, with the remark as a further comment."""
        if self._remark:
            at = 24
            while len(block) - 4 - at >= 4:
                code, length = struct.unpack_from(order + "HH", block, at)
                if code == 0 or at + 4 + (length + 3 & ~3) > len(block) - 4:
                    break
                at += 4 + (length + 3 & ~3)
            padded = self._remark + bytes(-len(self._remark) % 4)
            body = block[8:at] + struct.pack(order + "HH", 1, len(self._remark)) + padded + bytes(4)
            size = struct.pack(order + "I", len(body) + 12)
            block = block[:4] + size + body + size
        self._out.write(block)

    def _go_on(self) -> bool:
        """Write what was made; True where the copy stopped for want of room."""
        state: Any = self._states[0]
        written, full = int(state["written"]), int(state["stop"]) == NO_ROOM
        self._out.write(self._made.data[:written])
        if full and not written:
            self._made = np.empty(2 * len(self._made), np.uint8)
        return full


def _filled(stream: ByteStream, data: NDArray[np.uint8], end: int) -> tuple[NDArray[np.uint8], int]:
    """Fill ``data`` from ``end`` on, as far as there are bytes; it, and where they end."""
    while end < len(data) and (count := stream.readinto(data.data[end:])):
        end += count
    return data, end
