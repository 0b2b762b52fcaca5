"""Records of a pcap file in this machine's byte order, without numpy: the suite's own process has to stay small."""

from __future__ import annotations

import struct
from pathlib import Path

HEADER, RECORD = 24, 16  # bytes


def record_starts(data: bytes) -> list[int]:
    """Where each record begins, and where the last one ends."""
    starts, at = [HEADER], HEADER
    while at + RECORD <= len(data):
        at += RECORD + struct.unpack_from("=I", data, at + 8)[0]
        starts.append(at)
    if at != len(data):
        raise ValueError("the last record is not whole")
    return starts


def end_of(path: Path, packets: int) -> int:
    """Where the first ``packets`` records of a file end."""
    at = HEADER
    with path.open("rb") as file:
        for _ in range(packets):
            file.seek(at + 8)
            at += RECORD + struct.unpack("=I", file.read(4))[0]
    return at


def head(source: Path, target: Path, packets: int) -> None:
    """Write the first ``packets`` packets of ``source`` to ``target``."""
    left = end_of(source, packets)
    with source.open("rb") as whole, target.open("wb") as part:
        while left and (piece := whole.read(min(left, 1 << 20))):
            left -= part.write(piece)
