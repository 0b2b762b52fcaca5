"""What a capture says about the interfaces it was taken on.

An interface is recognised by its name, link type and snap length. The same description in the next file of a ring,
or in the next section, is the same interface; two equal descriptions in one section are two. So a capture that was
rotated into many files has the interfaces of the one big file.
"""

from collections import Counter
from dataclasses import dataclass

MOST_INTERFACES = 65_535  # what the column PACKET.interface can number; any beyond share the last number
LONGEST_NAME = 200
MOST_CAPTURES = 1000  # put together into one file; any beyond are not counted


@dataclass
class Interface:
    """An interface of the capture; its place in the list is the number in PACKET.interface."""

    name: str  # printable, perhaps empty: it comes from the capture
    link_type: int  # as the LINKTYPE_ registry of tcpdump.org numbers them
    snap_length: int  # bytes kept of a packet at most; 0 where the capture names no limit
    packets: int = 0  # read so far
    dropped: int | None = None  # packets the capturing side lost, where the capture says so


class Interfaces:
    """The interfaces of all files read so far."""

    def __init__(self) -> None:
        self.listed: list[Interface] = []
        self._numbers: dict[tuple[str, int, int, int], int] = {}
        self._lost: dict[int, dict[bytes, int]] = {}

    def number(self, name: str, link_type: int, snap_length: int, earlier: Counter[tuple[str, int, int]]) -> int:
        """The number of the interface so described. ``earlier`` counts the descriptions of its section so far."""
        described = (name, link_type, snap_length)
        key = (*described, earlier[described])
        earlier[described] += 1
        if key not in self._numbers:
            if len(self.listed) < MOST_INTERFACES:
                self.listed.append(Interface(*described))
                self._numbers[key] = len(self.listed) - 1
            else:
                return MOST_INTERFACES - 1
        return self._numbers[key]

    def lost(self, number: int, begun: bytes, count: int) -> None:
        """The capturing side has lost ``count`` packets so far on this interface, in the capture that began at
        ``begun`` (any one name for that time). Each file of a ring repeats the count of the whole capture."""
        counts = self._lost.setdefault(number, {})
        if begun in counts or len(counts) < MOST_CAPTURES:
            counts[begun] = max(count, counts.get(begun, 0))
        self.listed[number].dropped = sum(counts.values())

    def link_types(self) -> Counter[int]:
        """Packets read so far, by link type."""
        counts: Counter[int] = Counter()
        for interface in self.listed:
            counts[interface.link_type] += interface.packets
        return +counts


def printable(text: bytes) -> str:
    """Text from a capture as something that cannot disturb a terminal or a table."""
    return harmless(text[: 4 * LONGEST_NAME].split(b"\0")[0].decode("utf-8", "replace"))[:LONGEST_NAME]


def harmless(text: str) -> str:
    """``text`` in one line, and without what a terminal would act on or cannot print."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)
