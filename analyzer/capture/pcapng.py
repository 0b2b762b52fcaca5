"""pcapng: a file of blocks in sections, each section with its own byte order and its own interfaces.

The compiled parser reads the packet blocks; what it leaves to this module are the blocks that change its state
(section, interface, statistics) and the damaged ones. A block that is damaged inside, but whose two lengths agree,
is left out and the parser goes on behind it; where the lengths cannot be trusted, nothing behind can be found.

What consumes a frame number is what Wireshark 4.0 shows as a frame: packets, and also custom blocks, systemd
journal entries and sysdig events.
"""

import struct
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.capture import kernels
from analyzer.capture.dates import Dates
from analyzer.capture.interfaces import printable
from analyzer.capture.parser import LARGEST_RECORD, CaptureInfo, note_cut
from analyzer.capture.parser_state import BLOCKS, INTERFACES
from analyzer.capture.pcapng_clock import Clock, ticks_of
from analyzer.units import SECOND, UNKNOWN, counted

SECTION_MAGIC = b"\x0a\x0d\x0d\x0a"
ORDERS = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
LARGEST_BLOCK = LARGEST_RECORD + 131_072 + 32  # the largest packet, its options and its header, as in Wireshark
VERSIONS = ((1, 0), (1, 2))
MOST_DESCRIBED = 65_536  # interfaces in one section
DAY = 24 * 3600 * SECOND
MOST_NOTES = 10  # complaints about one file that are told one by one
MICROSECONDS = 6  # if_tsresol where there is none

END_OF_OPTIONS, IF_NAME, IF_DESCRIPTION, IF_TSRESOL, IF_TSOFFSET = 0, 2, 3, 9, 14
START_TIME, END_TIME, IF_DROP, OS_DROP = 2, 3, 5, 7
# Blocks that are no packets but have a frame number in Wireshark 4.0.
NUMBERED = (
    ("custom", "custom block", "custom blocks"),
    ("journal", "systemd journal entry", "systemd journal entries"),
    ("event", "sysdig event", "sysdig events"),
)


class PcapngParser:
    """A parser of the blocks of a pcapng file."""

    tick = 1  # each interface has its own

    def __init__(self, name: str, info: CaptureInfo) -> None:
        self.name = name
        self.finished = False
        self.captured_until: int | None = None
        self._info = info
        self._states = np.zeros(1, BLOCKS)
        self._states[0]["most"], self._states[0]["time"] = LARGEST_BLOCK, UNKNOWN
        self._table = np.zeros(4, INTERFACES)
        self._order = "<"
        self._complaints = 0
        self._dates = Dates(info.time_origin)
        self._begin_section()

    def _begin_section(self) -> None:
        self._table[:] = 0
        self._states[0]["described"] = 0
        self._earlier: Counter[tuple[str, int, int]] = Counter()
        self._clocks: list[Clock] = []  # of the interfaces described

    @property
    def frames(self) -> int:
        return int(self._states[0]["frame"])

    def parse(self, data: NDArray[Any], at: int, end: int, base: int, rows: NDArray[Any]) -> tuple[int, int]:
        state, filled = self._states[0], 0
        state["at"], state["end"] = at, end
        while not self.finished:
            filled += int(kernels.parse_blocks(data, self._states, self._table, rows[filled:]))
            if state["stop"] in (kernels.FULL, kernels.MORE) or not self._attend(data, base):
                break
        self._count_packets()
        return int(state["at"]), filled

    def _count_packets(self) -> None:
        described = self._table[: int(self._states[0]["described"])]
        for row in described[described["packets"] > 0]:
            self._info.interfaces.listed[int(row["number"])].packets += int(row["packets"])
        described["packets"] = 0

    def _attend(self, data: NDArray[Any], base: int) -> bool:
        """Do what the parser stopped for, and step over that block; False where it is not wholly there yet."""
        state = self._states[0]
        at, stop = int(state["at"]), int(state["stop"])
        where = base + at
        if stop == kernels.SECTION:
            return self._section(data, at, where)
        if stop in (kernels.NEGATIVE, kernels.BEYOND):
            self._date(data, at, stop)
            return True
        head = data[at : at + 8].tobytes()
        kind, size = struct.unpack(self._order + "II", head)
        if stop == kernels.BAD_LENGTH:
            self._give_up(f"the block at byte {where:,} claims a length of {size:,} bytes, which is impossible")
            return False
        size = size + 3 & ~3
        block = data[at : at + size].tobytes()
        if stop == kernels.LENGTHS_DIFFER:
            (other,) = struct.unpack_from(self._order + "I", block, size - 4)
            self._give_up(f"the block at byte {where:,} has two different lengths ({size:,} and {other:,})")
            return False
        if stop == kernels.INTERFACE:
            self._interface(block, where)
        elif stop == kernels.STATISTICS:
            self._statistics(block)
        else:
            self._leave_out(stop, kind, where)
        state["at"] = at + size
        return True

    def _date(self, data: NDArray[Any], at: int, stop: int) -> None:
        """See to the date of the packet at ``at``, which the parser has yet to read."""
        state, frame, first = self._states[0], self.frames + 1, self._states[0]["time"] == UNKNOWN
        clock, ticks = ticks_of(data[at : at + 20].tobytes(), self._order, self._clocks)
        date = clock.date(ticks)
        if stop == kernels.NEGATIVE:
            self._dates.first_negative = frame, date
            state["noted"] |= 1
        elif (first or state["move"]) and clock.can_be_moved(ticks):
            self._dates.move(frame, date, None if first else int(state["time"]))
            state["move"] = 1
            for row, described in zip(self._table, self._clocks, strict=False):
                described.set(row, self._dates.moved)
        else:
            self._dates.first_beyond = frame, date
            state["noted"] |= 2
            state["move"], state["time"] = 0, 0 if first else state["time"]

    def _give_up(self, what: str) -> None:
        self.finished = True
        before = f", everything before (to packet {self.frames:,}) was analysed" if self.frames else ""
        self._info.note(f"{self.name}: {what}; the file is damaged there{before}")

    def _leave_out(self, stop: int, kind: int, where: int) -> None:
        small = stop == kernels.TOO_SMALL
        why = "is too small for its packet" if small else "belongs to an undescribed interface"
        self._complain(
            f"the packet block of type {kind} at byte {where:,} (after packet {self.frames:,}) {why}; it was skipped"
        )

    def _complain(self, what: str) -> None:
        """Note something after which the reading goes on; a file full of it is not told in full."""
        self._complaints += 1
        if self._complaints <= MOST_NOTES:
            self._info.note(f"{self.name}: {what}")

    def _section(self, data: NDArray[Any], at: int, where: int) -> bool:
        state = self._states[0]
        head = data[at : min(at + 28, int(state["end"]))].tobytes()
        if len(head) < 12:
            return False
        order = ORDERS.get(head[8:12])
        if order is None:
            self._give_up(f"the section at byte {where:,} has no valid byte order")
            return False
        (size,) = struct.unpack_from(order + "I", head, 4)
        size = size + 3 & ~3
        if not 28 <= size <= LARGEST_BLOCK:
            self._give_up(f"the section at byte {where:,} claims a header of {size:,} bytes, which is impossible")
            return False
        if int(state["end"]) - at < size:
            return False
        (other,) = struct.unpack(order + "I", data[at + size - 4 : at + size].tobytes())
        if other + 3 & ~3 != size:
            self._give_up(f"the section header at byte {where:,} has two different lengths")
            return False
        version = struct.unpack_from(order + "HH", head, 12)
        if version not in VERSIONS:
            self._give_up(f"the section at byte {where:,} has the unknown pcapng version {version[0]}.{version[1]}")
            return False
        self._count_packets()
        self._begin_section()
        self._order, state["big"] = order, order == ">"
        state["at"] = at + size
        return True

    def _interface(self, block: bytes, where: int) -> None:
        if len(block) < 20:
            self._give_up(f"the interface block at byte {where:,} is too small ({len(block)} bytes)")
            return
        link, _, snap = struct.unpack_from(self._order + "HHI", block, 8)
        options = self._options(block, 16)
        number = self._info.interfaces.number(
            printable(options.get(IF_NAME, b"") or options.get(IF_DESCRIPTION, b"")), link, snap, self._earlier
        )
        described = int(self._states[0]["described"])
        if described == MOST_DESCRIBED:
            self._give_up(f"more than {MOST_DESCRIBED:,} interfaces are described up to byte {where:,}")
            return
        if described == len(self._table):
            self._table = np.concatenate([self._table, np.zeros_like(self._table)])
        row = self._table[described]
        row["link"], row["number"], row["snap"] = link, number, snap
        resolution = options.get(IF_TSRESOL, b"")
        offset = options.get(IF_TSOFFSET, b"")
        seconds = struct.unpack(self._order + "q", offset)[0] if len(offset) == 8 else 0
        clock = Clock(resolution[0] if len(resolution) == 1 else MICROSECONDS, seconds)
        clock.set(row, self._dates.moved)
        self._clocks.append(clock)
        if not clock.units:
            self._complain(
                f"interface {number} has a time resolution too fine for any clock; its packets get the time of "
                "the packet before"
            )
        self._states[0]["described"] = described + 1

    def _options(self, block: bytes, at: int) -> dict[int, bytes]:
        """The options of a block; the first of each kind, and none from where they do not fit into the block."""
        found: dict[int, bytes] = {}
        end = len(block) - 4
        while end - at >= 4:
            code, length = struct.unpack_from(self._order + "HH", block, at)
            if code == END_OF_OPTIONS or at + 4 + length > end:
                break
            found.setdefault(code, block[at + 4 : at + 4 + length])
            at += 4 + (length + 3 & ~3)
        return found

    def _statistics(self, block: bytes) -> None:
        """An interface's counters so far: the last block of an interface is the one that counts."""
        if len(block) < 24:
            return
        (which,) = struct.unpack_from(self._order + "I", block, 8)
        if which >= int(self._states[0]["described"]):
            return
        options = self._options(block, 20)
        self._heard(options.get(END_TIME, b""), self._table[which])
        counts = [options[code] for code in (IF_DROP, OS_DROP) if len(options.get(code, b"")) == 8]
        if counts:
            lost = sum(struct.unpack(self._order + "Q", count)[0] for count in counts)
            begun = options.get(START_TIME, b"")
            self._info.interfaces.lost(int(self._table[which]["number"]), begun, lost)

    def _heard(self, ended: bytes, interface: Any) -> None:
        """Note when the capture on an interface ended. dumpcap counts microseconds there whatever the interface's
        ticks are; so of the two readings the one is meant that lies just behind the packets."""
        if len(ended) != 8:
            return
        high, low = struct.unpack(self._order + "II", ended)
        last, offset = int(self._states[0]["time"]), int(interface["offset"])
        for units in (int(interface["units"]), 10**6):
            time = ((high << 32 | low) * SECOND // units) + offset * SECOND
            if last <= time < last + DAY:
                self.captured_until = time if self.captured_until is None else max(time, self.captured_until)

    def end(self, left: int, at: int) -> None:
        if not self.finished:
            note_cut(self._info, self.name, left, at, self.frames)
        for text in self._remarks():
            self._info.note(f"{self.name}: {text}")

    def _remarks(self) -> list[str]:
        state = self._states[0]
        said = []
        if self._complaints > MOST_NOTES:
            said.append(f"{self._complaints - MOST_NOTES:,} more such notices are not shown")
        if state["untimed"]:
            said.append(
                f"{counted(int(state['untimed']), 'packet')} (first: packet {int(state['first_untimed']):,}) without a "
                f"time (simple packet blocks have none); the time of the packet before was used"
            )
        self._dates.negative, self._dates.beyond = int(state["negative"]), int(state["beyond"])
        said += self._dates.remarks()
        for kind, one, many in NUMBERED:
            if state[kind]:
                count = counted(int(state[kind]), one, many)
                said.append(f"{count} skipped; each has a frame number, as in Wireshark")
        if state["unknown"]:
            count = counted(int(state["unknown"]), "block")
            said.append(f"skipped {count} of unknown type (first: 0x{int(state['first_unknown']):08x})")
        return said
