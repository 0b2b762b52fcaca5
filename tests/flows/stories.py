"""Small conversations for the flow tests: written as a story, as a batch of segments, as a capture.

A step is (who, flags, seq, ack): who is "A" or "B", flags are letters of FSRPAU. "Q" among them means that the
header is quoted in an ICMP error instead of being sent, "q" that only its first eight bytes are, "<" that its data
offset is below five words, ">" that it points beyond the packet.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from analyzer.segments.table import BAD_OFFSET, CUT_HEADER, QUOTED, SEGMENT, SHORT_QUOTE

Step = tuple[str, str, int, int]

LETTERS = "FSRPAU"
MARKS = {"Q": QUOTED, "q": QUOTED | SHORT_QUOTE, "<": BAD_OFFSET, ">": BAD_OFFSET | CUT_HEADER}
OFFSETS = {BAD_OFFSET: 4, BAD_OFFSET | CUT_HEADER: 15}
PORTS = {"A": 50000, "B": 80}


def flag_bits(letters: str) -> int:
    """The flags of a step as a number."""
    return sum(1 << LETTERS.index(letter) for letter in letters if letter in LETTERS)


def batch(
    steps: Iterable[Step], first_frame: int = 1, host: int = 0, ports: dict[str, int] = PORTS
) -> NDArray[np.void]:
    """The steps as segments, one a millisecond; A has address 2 * host and B the next."""
    steps = list(steps)
    rows = np.zeros(len(steps), SEGMENT)
    for row, (who, letters, seq, ack) in zip(rows, steps, strict=True):
        other = "B" if who == "A" else "A"
        row["src"], row["dst"] = 2 * host + (who == "B"), 2 * host + (who == "A")
        row["src_port"], row["dst_port"] = ports[who], ports[other]
        row["seq"], row["ack"], row["flags"] = seq, ack, flag_bits(letters)
        row["marks"] = sum(MARKS.get(letter, 0) for letter in letters)
    rows["frame"] = np.arange(first_frame, first_frame + len(steps))
    rows["time"] = rows["frame"] * 1_000_000
    rows["sender"] = -1
    return rows


def packets(batch: NDArray[np.void]) -> list[object]:
    """The same segments as scapy packets, for tshark to read."""
    from scapy.layers.inet import ICMP, IP, TCP

    def address(row: int) -> str:
        return f"10.{row >> 16 & 255}.{row >> 8 & 255}.{row & 255}"

    made = []
    for row in batch:
        ip = IP(src=address(int(row["src"])), dst=address(int(row["dst"])))
        tcp = TCP(
            sport=int(row["src_port"]),
            dport=int(row["dst_port"]),
            seq=int(row["seq"]),
            ack=int(row["ack"]),
            flags=int(row["flags"]),
            dataofs=OFFSETS.get(int(row["marks"]), 5),
        )
        quoted = row["marks"] & QUOTED
        packet = IP(src="192.0.2.1", dst=ip.src) / ICMP(type=3, code=1) / ip / tcp if quoted else ip / tcp
        packet.time = int(row["time"]) / 1e9
        made.append(packet)
    return made


def joined(parts: Sequence[NDArray[np.void]]) -> NDArray[np.void]:
    """Batches one after the other, frames counted through."""
    rows = np.concatenate(parts)
    rows["frame"] = np.arange(1, len(rows) + 1)
    rows["time"] = rows["frame"] * 1_000_000
    return rows
