"""The slow, obvious twins of the compiled parsers: struct and Python's own numbers, one record at a time.

Each reads as far as it makes sense and says how it ended: "" (at the end of a record), "cut" or "damaged".
"""

import calendar
import struct
from dataclasses import dataclass, field
from fractions import Fraction

from analyzer.capture.interfaces import printable
from tests.capture.build import Row

LIMIT = 262_144
LARGEST_BLOCK = 128 * 1024 * 1024 + 131_072 + 32
FAR = 1 << 61
FIRST, LAST = (calendar.timegm((year, 1, 1, 0, 0, 0)) * 10**9 for year in (1824, 2116))


def pcap(data: bytes, header: int = 16) -> tuple[list[Row], str]:
    """A classic pcap file whose records have ``header`` bytes of header."""
    order = "<" if data[:1] in b"\xd4\x4d\x34" else ">"
    magic, _, _, _, _, snap, link = struct.unpack_from(order + "IHHiIII", data)
    tick = 1 if magic == 0xA1B23C4D else 1000
    limit = max(LIMIT, min(snap, 128 * 1024 * 1024))
    rows: list[Row] = []
    at = 24
    while at < len(data):
        if at + header > len(data):
            return rows, "cut"
        seconds, fraction, captured, length = struct.unpack_from(order + "IIII", data, at)
        if captured > limit:
            return rows, "damaged"
        if at + header + captured > len(data):
            return rows, "cut"
        at += header
        time = seconds * 10**9 + fraction * tick
        rows.append((len(rows) + 1, time, length, link & 0xFFFF, 0, data[at : at + captured]))
        at += captured
    return rows, ""


@dataclass
class Interface:
    number: int
    link: int
    snap: int
    name: str = ""
    units: int | None = 10**6
    offset: int = 0

    def date(self, ticks: int) -> int:
        """Nanoseconds since 1970, a finer fraction dropped: towards 1970 where ``ticks`` is negative."""
        assert self.units is not None
        nanoseconds = int(Fraction(abs(ticks), self.units) * 10**9)
        return self.offset * 10**9 + (nanoseconds if ticks >= 0 else -nanoseconds)

    def told(self, ticks: int, moved: int) -> int | None:
        """The time, if a date that is ``moved`` ns earlier can be told; read as a negative number if need be."""
        assert self.units is not None
        for read in (ticks, ticks - (1 << 64)) if ticks >= 1 << 63 else (ticks,):
            time, seconds = self.date(read) - moved, -moved // 10**9
            near = abs(read) // self.units <= FAR and abs(self.offset + seconds) <= FAR
            if near and FIRST <= time + moved + seconds * 10**9 < LAST:
                return time
        return None


@dataclass
class Blocks:
    """A pcapng file."""

    data: bytes
    at: int = 0
    order: str = "<"
    frames: int = 0
    time: int | None = None
    moved: int = 0
    moving: bool = False
    left_out: int = 0
    rows: list[Row] = field(default_factory=list)
    interfaces: list[Interface] = field(default_factory=list)
    known: dict[tuple[int, int, str, int], int] = field(default_factory=dict)

    def read(self) -> tuple[list[Row], str]:
        while self.at < len(self.data):
            how = self.block()
            if how:
                return self.rows, how
        return self.rows, ""

    def block(self) -> str:
        rest = self.data[self.at :]
        if len(rest) < 12:
            return "cut"
        if rest[:4] == b"\x0a\x0d\x0d\x0a":
            orders = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
            if rest[8:12] not in orders:
                return "damaged"
            self.order = orders[rest[8:12]]
        kind, size = struct.unpack_from(self.order + "II", rest)
        size = (size + 3) // 4 * 4
        if not (28 if kind == 0x0A0D0D0A else 12) <= size <= LARGEST_BLOCK:
            return "damaged"
        if len(rest) < size:
            return "cut"
        (again,) = struct.unpack_from(self.order + "I", rest, size - 4)
        if (again + 3) // 4 * 4 != size:
            return "damaged"
        self.at += size
        return self.body(kind, rest[8 : size - 4])

    def body(self, kind: int, body: bytes) -> str:
        if kind == 0x0A0D0D0A:
            self.interfaces = []
            return "" if struct.unpack_from(self.order + "HH", body, 4) in ((1, 0), (1, 2)) else "damaged"
        if kind == 1:
            return self.interface(body)
        if kind in (2, 3, 6):
            self.packet(kind, body)
        if kind in (0xBAD, 0x40000BAD, 9, 0x204, 0x216, 0x221):
            self.frames += 1
        return ""

    def interface(self, body: bytes) -> str:
        if len(body) < 8:
            return "damaged"
        link, _, snap = struct.unpack_from(self.order + "HHI", body)
        found = self.options(body[8:])
        name = printable(found.get(2) or found.get(3) or b"")
        same = sum((one.link, one.snap, one.name) == (link, snap, name) for one in self.interfaces)
        number = self.known.setdefault((link, snap, name, same), len(self.known))
        described = Interface(number, link, snap, name)
        if len(found.get(9, b"")) == 1:
            power = found[9][0] & 127
            binary = bool(found[9][0] & 128)
            described.units = (2 if binary else 10) ** power if power <= (63 if binary else 19) else None
        if len(found.get(14, b"")) == 8:
            (described.offset,) = struct.unpack(self.order + "q", found[14])
        self.interfaces.append(described)
        return ""

    def options(self, body: bytes) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        while len(body) >= 4:
            code, size = struct.unpack_from(self.order + "HH", body)
            if code == 0 or 4 + size > len(body):
                break
            found.setdefault(code, body[4 : 4 + size])
            body = body[4 + (size + 3) // 4 * 4 :]
        return found

    def packet(self, kind: int, body: bytes) -> None:
        fixed = 4 if kind == 3 else 20
        if len(body) < fixed:
            self.left_out += 1
            return
        which = 0
        if kind != 3:
            (which,) = struct.unpack_from(self.order + ("I" if kind == 6 else "H"), body)
        if which >= len(self.interfaces):
            self.left_out += 1
            return
        described = self.interfaces[which]
        if kind == 3:
            (length,) = struct.unpack_from(self.order + "I", body)
            captured = min(length, described.snap or length)
        else:
            captured, length = struct.unpack_from(self.order + "II", body, 12)
        if captured > len(body) - fixed:
            self.left_out += 1
            return
        if kind != 3:
            high, low = struct.unpack_from(self.order + "II", body, 4)
            self.stamp(described, high << 32 | low)
        self.frames += 1
        data = body[fixed : fixed + captured]
        self.rows.append((self.frames, self.time or 0, length, described.link, described.number, data))

    def anchor(self, date: int) -> int:
        """By how much dates are to be earlier so that the clock goes on, or begins in the first second of 1970."""
        return date // 10**9 * 10**9 if self.time is None else date - self.time

    def stamp(self, described: Interface, ticks: int) -> None:
        if described.units is None:
            return
        time = described.told(ticks, self.moved)
        if time is None and (self.time is None or self.moving) and ticks // described.units <= FAR // 2:
            self.moved, self.moving = self.anchor(described.date(ticks)), True
            time = described.told(ticks, self.moved)
            assert time is not None
        elif time is None:
            self.moving, time = False, self.time or 0
        self.time = time


def pcapng(data: bytes) -> tuple[list[Row], str]:
    return Blocks(data).read()
