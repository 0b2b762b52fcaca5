"""Where the walk through one packet's headers stands, and how it reads.

Two limits hold at once and must not be confused. ``seen`` is where the *captured* bytes end: nothing may be read
beyond it. ``end`` is where the innermost header so far says that its content ends *on the wire*; it may lie far
beyond ``seen`` when the capture has a snap length, and before it when Ethernet padding follows. Payload
lengths come from ``end`` alone. All positions are indices into the batch's one array of bytes.
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.kernels import helper
from analyzer.segments.header_numbers import CUT, MALFORMED

CURSOR = np.dtype(
    [
        ("at", "<i8"),  # where the next header begins
        ("seen", "<i8"),  # captured bytes end here
        ("end", "<i8"),  # content ends here on the wire
        ("ethernet", "<i8"),  # the frame begins here, if it is one of Ethernet; else NOWHERE
        ("ip", "<i8"),  # where the innermost IP header begins, -1 before there is one
        ("source", "<i8"),  # where its addresses stand
        ("target", "<i8"),
        ("ttl", "<i8"),
        ("ip_id", "<i8"),
        ("marks", "<i8"),
        ("fragment", "<i8"),  # of a fragment: its offset in the datagram, plus 1 if more follow
        ("protocol", "<i8"),  # of a fragment: what the datagram carries
        ("icmp_error", "<i8"),  # what an ICMP error says of the packet it quotes, type * 256 + code; 0 nothing
        ("icmp_sender", "<i8"),  # where the address stands of who sent that
        (
            "icmp_mtu",
            "<i8",
        ),  # if it says that the packet is too large for a link: that link's MTU, 0 not named; else -1
    ]
)

NOWHERE = np.int64(-(1 << 40))  # far from any position
ONE, TWO, THREE = np.uint64(1), np.uint64(2), np.uint64(3)
"""Unsigned, as the positions below: numba lets negative ones count from the end, and the test for that would keep
the compiler from reading a number's bytes with one instruction."""

Bytes = NDArray[np.uint8]
Record = np.void


@helper
def u8(data: Bytes, at: int) -> np.int64:
    return np.int64(data[np.uint64(at)])


@helper
def be16(data: Bytes, at: int) -> np.int64:
    place = np.uint64(at)
    return (np.int64(data[place]) << 8) | np.int64(data[place + ONE])


@helper
def le16(data: Bytes, at: int) -> np.int64:
    place = np.uint64(at)
    return np.int64(data[place]) | (np.int64(data[place + ONE]) << 8)


@helper
def be32(data: Bytes, at: int) -> np.int64:
    place = np.uint64(at)
    high = (np.int64(data[place]) << 24) | (np.int64(data[place + ONE]) << 16)
    return high | (np.int64(data[place + TWO]) << 8) | np.int64(data[place + THREE])


@helper
def lack(cursor: Record, length: int) -> int:
    """0 if a header of ``length`` bytes can be read at the cursor, else why not."""
    stop = cursor["at"] + length
    if stop > cursor["end"]:
        return MALFORMED
    if stop > cursor["seen"]:
        return CUT
    return 0


@helper
def skip(cursor: Record, length: int, following: int) -> int:
    """Pass a header of ``length`` bytes; ``following`` comes next."""
    cursor["at"] += length
    return following
