"""Files that a capturing program wrote one after the other, told by their names.

    dumpcap -b, Wireshark, editcap -c or -i    name_00001_20240131120000.pcapng, or with number and time exchanged
    tcpdump -C                                 name.pcap, name.pcap1, name.pcap2; with -W name.pcap0, or name.pcap00

Only these are known. A number elsewhere in a name (``server2.pcap``) may be anything.
"""

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple

PACKING = re.compile(r"\.(gz|zst|zstd)$", re.IGNORECASE)
DUMPCAP = (
    re.compile(r"(?P<head>.*)_(?P<number>\d{5,})_\d{14}(?P<tail>\.\w+)?"),
    re.compile(r"(?P<head>.*)_\d{14}_(?P<number>\d{5,})(?P<tail>\.\w+)?"),
)
TCPDUMP = re.compile(r"(?P<head>.+\.(?:pcap|cap|pcapng|dmp|dump))(?P<number>\d*)", re.IGNORECASE)


class RingPosition(NamedTuple):
    """Where a file stands in its ring."""

    ring: tuple[str, ...]  # the same for all of its files
    number: int
    shown: str  # the name with the number left open


class Succession(NamedTuple):
    """How one file follows another: whether their names tell, and the first of those between that is missing."""

    known: bool
    missing: str = ""


UNKNOWN = Succession(False)


def position_of(name: str) -> RingPosition | None:
    """Where a file stands in a ring, None where its name is not a ring's."""
    path = PurePath(name)
    folder, plain = str(path.parent), PACKING.sub("", path.name)
    for form in DUMPCAP:
        if found := form.fullmatch(plain):
            head, tail, digits = found["head"], found["tail"] or "", found["number"]
            return RingPosition(("dumpcap", folder, head, tail), int(digits), f"{head}_{{:0{len(digits)}}}_*{tail}")
    if found := TCPDUMP.fullmatch(plain):
        digits = found["number"]
        shown = f"{found['head']}{{:0{max(len(digits), 1)}}}"
        return RingPosition(("tcpdump", folder, found["head"]), int(digits or 0), shown)
    return None


def succession(before: str, after: str, names: Sequence[str]) -> Succession:
    """How the file ``after`` follows ``before`` in time; ``names`` are all that were given, empty ones included.

    A lower number after a higher one is a ring that began anew, at its start or at its end: the names do not tell.
    """
    first, second = position_of(before), position_of(after)
    if first is None or second is None or first.ring != second.ring or first.number >= second.number:
        return UNKNOWN
    given = {place.number for place in map(position_of, names) if place is not None and place.ring == first.ring}
    lacking = next((number for number in range(first.number + 1, second.number) if number not in given), None)
    return Succession(True, "" if lacking is None else first.shown.format(lacking))
