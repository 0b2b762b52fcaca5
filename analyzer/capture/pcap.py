"""Captures made of records with one fixed header: classic pcap in its variants, and snoop.

A classic pcap file begins with a magic number that tells byte order and unit of time, and a 24-byte header; then
each record has 16 bytes of header (seconds, fraction, captured length, length) and the packet. Patches of the late
1990s made records longer without always changing the magic number; those are told apart as Wireshark does it, by
which reading of the first records makes most sense. snoop (RFC 1761) is big-endian, has 24 bytes of header and
pads its records.
"""

import struct
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.kernels import BAD_LENGTH, parse_records
from analyzer.capture.parser import LARGEST_PACKET, LARGEST_RECORD, CaptureInfo, note_cut
from analyzer.capture.parser_state import RECORDS
from analyzer.units import counted

PLAIN, MODIFIED, MODIFIED_TWICE, NOKIA = 16, 24, 28, 20  # sizes of a record's header

# magic number as read big-endian: struct's byte order, nanoseconds in a unit, header sizes that may follow
MAGICS = {
    0xA1B2C3D4: (">", 1000, (PLAIN, MODIFIED, NOKIA)),
    0xD4C3B2A1: ("<", 1000, (PLAIN, MODIFIED, NOKIA)),
    0xA1B23C4D: (">", 1, (PLAIN,)),
    0x4D3CB2A1: ("<", 1, (PLAIN,)),
    0xA1B2CD34: (">", 1000, (MODIFIED, MODIFIED_TWICE)),
    0x34CDB2A1: ("<", 1000, (MODIFIED, MODIFIED_TWICE)),
}
PCAP_HEADER, SNOOP_HEADER = 24, 16
SNOOP_MAGIC = b"snoop\0\0\0"
# RFC 1761 and its registry of media types: number to LINKTYPE_ value.
SNOOP_LINKS = {0: 1, 2: 6, 4: 1, 8: 10, 9: 1}
AIX_LINKS = {6: 1, 9: 6, 15: 10, 24: 0}  # AIX writes RFC 1573 interface types with version 2.2
RECORDS_TRIED = 3
PLENTY = 64 * 1024  # bytes at the head of a file by which its variant can be told; a pipe is taken for the usual one
LARGEST_BELIEVED = 128 * 1024 * 1024


class Layout(NamedTuple):
    """Where a record's numbers stand in its header, and their unit."""

    order: str  # struct's byte order character
    header: int
    tick: int  # nanoseconds in a unit of the fraction
    seconds: int = 0
    fraction: int = 4
    captured: int = 8
    length: int = 12
    record: int = -1  # place of the whole record's size; -1: header and captured bytes
    swap: bool = False  # the lengths may have been confused


class PcapParser:
    """A parser of records of one layout."""

    captured_until: int | None = None  # such a file does not say

    def __init__(self, name: str, info: CaptureInfo, layout: Layout, link: int, snap: int) -> None:
        self.name = name
        self.finished = False
        self._info = info
        self._interface = info.interfaces.number("", link, snap, Counter())
        self._listed = info.interfaces.listed[self._interface]
        self._states = np.zeros(1, RECORDS)
        state = self._states[0]
        for place in ("header", "tick", "seconds", "fraction", "captured", "length", "record", "swap"):
            state[place] = getattr(layout, place)
        state["big"], state["link"], state["interface"] = layout.order == ">", link, self._interface
        state["most"] = largest(snap)

    @property
    def tick(self) -> int:
        return int(self._states[0]["tick"])

    @property
    def frames(self) -> int:
        return int(self._states[0]["frame"])

    def parse(self, data: NDArray[Any], at: int, end: int, base: int, rows: NDArray[Any]) -> tuple[int, int]:
        state = self._states[0]
        state["at"], state["end"] = at, end
        filled = int(parse_records(data, self._states, rows))
        self._listed.packets += filled
        at = int(state["at"])
        if state["stop"] == BAD_LENGTH:
            self.finished = True
            self._note_length(data, at, base + at)
        return at, filled

    def _note_length(self, data: NDArray[Any], at: int, where: int) -> None:
        state = self._states[0]
        if int(state["record"]) < 0 and not data[at + 8 : at + 16].any():
            self._info.note(
                f"{self.name}: a capture with another link type begins at byte {where:,}; everything before was "
                f"analysed. Join captures with: mergecap -w OUT IN..."
            )
            return
        place = at + int(state["captured"])
        claimed = int.from_bytes(data[place : place + 4].tobytes(), "big" if state["big"] else "little")
        self._info.note(
            f"{self.name}: packet {self.frames + 1:,} (at byte {where:,}) claims {counted(claimed, 'byte')}, which is "
            f"impossible (the limit is {int(state['most']):,}); the file is damaged there, everything before was "
            f"analysed"
        )

    def end(self, left: int, at: int) -> None:
        state = self._states[0]
        if not self.finished:
            note_cut(self._info, self.name, left, at, self.frames)
        if state["joined"]:
            self._info.note(
                f"{self.name}: {counted(int(state['joined']), 'more capture')} in the middle of this file: files were "
                f"concatenated; all of them were read in file order"
            )
        if state["odd"]:
            self._info.note(
                f"{self.name}: {counted(int(state['odd']), 'packet')} (first: packet {int(state['first_odd']):,}) with "
                f"a fraction of a second that is a second or more; it was added unchanged"
            )


def largest(snap: int) -> int:
    """The captured length believed at most, by the snapshot length that the file announces."""
    return max(LARGEST_PACKET, min(snap, LARGEST_RECORD))


def pcap(name: str, info: CaptureInfo, head: bytes, whole: bool) -> PcapParser | None:
    """The parser for the classic pcap file that begins with ``head``; None where the version is not a pcap's.

    ``whole``: there is nothing beyond ``head``.
    """
    order, tick, headers = MAGICS[int.from_bytes(head[:4], "big")]
    major, minor, _, _, snap, network = struct.unpack_from(order + "HHiIII", head, 4)
    if major < 2:
        return None
    link = network & 0xFFFF
    captured, length, swap = 8, 12, False
    if (major, minor) != (2, 4) or (len(head) < PLENTY and not whole):
        headers = headers[:1]
    if (major, minor) < (2, 3) or major == 543:  # before 2.3, and in DG/UX's, the lengths stood the other way round
        captured, length = 12, 8
    elif (major, minor) == (2, 3):  # some such files have them so, some not
        swap = True
    if (major, minor) == (2, 2) and network in AIX_LINKS:
        link, tick = AIX_LINKS[network], 1
    layouts = [Layout(order, size, tick, captured=captured, length=length, swap=swap) for size in headers]
    layout = min(layouts, key=lambda layout: faults(head, layout, snap, whole))
    return PcapParser(name, info, layout, link, snap)


def faults(head: bytes, layout: Layout, snap: int, whole: bool) -> int:
    """How many things look wrong in the first records of ``head`` when they are read by ``layout``."""
    at, wrong = PCAP_HEADER, 0
    numbers = struct.Struct(layout.order + "IIII")
    for _ in range(RECORDS_TRIED):
        if len(head) - at < PLAIN:
            return wrong + (whole and len(head) != at)
        fraction, captured, length = (int(value) for value in numbers.unpack_from(head, at)[1:])
        wrong += (fraction >= 1_000_000) + (captured > largest(snap)) + (0 < snap < captured)
        wrong += (length > LARGEST_BELIEVED) + (captured > length)
        if len(head) - at < layout.header:
            return wrong + whole
        wrong += extra_faults(head, at, layout)
        if captured > largest(snap):
            return wrong
        at += layout.header + captured
    return wrong + (whole and at > len(head))


def extra_faults(head: bytes, at: int, layout: Layout) -> int:
    """What looks wrong in the numbers that only a patched pcap has: interface, Ethernet type, kind of packet."""
    if layout.header == PLAIN:
        return 0
    (extra,) = struct.unpack_from(layout.order + "I", head, at + PLAIN)
    if layout.header == NOKIA:  # always 0x?fbf?[6 or 9]0? in the files known
        return int(extra & 0x0FFF00F0 != 0x0FBF0000)
    protocol, kind = struct.unpack_from(layout.order + "HB", head, at + PLAIN + 4)
    known = protocol >= 0x600 or protocol <= 0x17 or protocol in (0x60, 0x200, 0x400)
    return int(extra > 10_000) + int(not known) + int(kind > 4)


def snoop(name: str, info: CaptureInfo, head: bytes) -> PcapParser | None:
    """The parser for the snoop file that begins with ``head``; None where its version or medium is not known."""
    version, medium = struct.unpack_from(">II", head, len(SNOOP_MAGIC))
    if version != 2 or medium not in SNOOP_LINKS:
        return None
    layout = Layout(">", 24, 1000, seconds=16, fraction=20, captured=4, length=0, record=8)
    return PcapParser(name, info, layout, SNOOP_LINKS[medium], 0)
