"""The one table that decoding produces and everything after it reads: a row for each TCP segment.

It is a structured array, so that one segment is one cache line and a kernel takes one argument; ``batch["seq"]``
is a column. Columns and marks are declared and documented here and nowhere else; the reference page is
generated from :data:`COLUMNS` and :data:`MARKS`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class SegmentColumn(NamedTuple):
    """One column of the table."""

    name: str
    dtype: str
    meaning: str


COLUMNS = (
    SegmentColumn("time", "<i8", "nanoseconds by the inner clock: those since 1970 UTC plus times.EPOCH, 0 is no time"),
    SegmentColumn("frame", "<i8", "Wireshark's frame.number"),
    SegmentColumn("src", "<i4", "sender's address: row of the AddressBook"),
    SegmentColumn("dst", "<i4", "receiver's address: row of the AddressBook"),
    SegmentColumn("src_port", "<u2", "sender's port"),
    SegmentColumn("dst_port", "<u2", "receiver's port"),
    SegmentColumn("seq", "<u4", "sequence number, raw as on the wire"),
    SegmentColumn("ack", "<u4", "acknowledgment number, raw; meaningless without the ACK flag"),
    SegmentColumn("payload_len", "<u4", "bytes of TCP payload by the IP length, no matter how many were captured"),
    SegmentColumn(
        "window",
        "<u2",
        "raw, not yet scaled. Of a QUOTED header with a ts_val that says that the packet is too large for a link: that "
        "link's MTU, 0 where the error names none",
    ),
    SegmentColumn(
        "flags",
        "<u2",
        "FIN=1 SYN=2 RST=4 PSH=8 ACK=16 URG=32 ECE=64 CWR=128 AE=256, the three reserved bits above",
    ),
    SegmentColumn("ip_id", "<u2", "IPv4 identification, valid with HAS_IP_ID"),
    SegmentColumn("ttl", "u1", "IPv4 TTL or IPv6 hop limit"),
    SegmentColumn(
        "window_scale", "i1", "shift count of a SYN's window scale option (at most 14), -1 where there is none"
    ),
    SegmentColumn(
        "ts_val",
        "<u4",
        "timestamp option's own clock, valid with HAS_TIMESTAMP. Of a QUOTED header: the ICMP error, type * 256 + "
        "code; 0 if the error is about another packet, around or inside this one",
    ),
    SegmentColumn(
        "ts_ecr",
        "<u4",
        "timestamp option's echo of the peer's clock, valid with HAS_TIMESTAMP. Of a QUOTED header with ts_val: the "
        "sender of the ICMP error, a row of the AddressBook",
    ),
    SegmentColumn(
        "sender",
        "<i4",
        "filled in by the flow stage: 2 * flow row + side; the peer is sender ^ 1; -1 before, and for a SHORT_QUOTE "
        "without such a flow",
    ),
    SegmentColumn("marks", "<u2", "what decoding found, the bits of MARKS"),
    SegmentColumn("first_byte", "u1", "first byte of payload, valid with HAS_FIRST_BYTE"),
    SegmentColumn("interface", "u1", "capture interface, 255 for all higher ones"),
)

SEGMENT = np.dtype([(column.name, column.dtype) for column in COLUMNS])

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE = (1 << bit for bit in range(9))


class SegmentMark(NamedTuple):
    """One bit of the column ``marks``."""

    name: str
    meaning: str


MARKS = (
    SegmentMark(
        "QUOTED",
        "a header quoted inside an ICMP error: counted for stream numbers as in Wireshark, never as a segment that was "
        "sent. The tracker records the error",
    ),
    SegmentMark("IPV6", "the packet is IPv6"),
    SegmentMark("TUNNELLED", "found inside another IP packet or a tunnel protocol"),
    SegmentMark("CUT_HEADER", "the capture cut the TCP header after its window: options may be missing"),
    SegmentMark("NO_IP_LENGTH", "the IP length was 0 (segmentation offload); the frame's own length is used"),
    SegmentMark("LENGTH_BEYOND", "the IP length claims more bytes than the frame had; the frame's is used"),
    SegmentMark("HAS_TIMESTAMP", "ts_val and ts_ecr are valid"),
    SegmentMark("HAS_IP_ID", "ip_id is valid"),
    SegmentMark("HAS_FIRST_BYTE", "first_byte is valid"),
    SegmentMark("REASSEMBLED", "reassembled from IP fragments; has the number of the frame that completed it"),
    SegmentMark("DUPLICATE", "the same packet captured before: set by the tracker, counted once"),
    SegmentMark("NO_FRAGMENT", 'IPv4 "don\'t fragment" was set'),
    SegmentMark(
        "BAD_OFFSET",
        "the TCP data offset is impossible (below 5, or beyond the packet): the payload is unknown and counts as "
        "0 bytes. Any receiver drops it: counted for stream numbers as in Wireshark, never tracked. With CUT_HEADER: "
        "beyond the packet; Wireshark then takes no sequence number from it",
    ),
    SegmentMark(
        "PART",
        "the first fragment of a datagram that the snap length cut, so that it could not be reassembled: "
        "payload_len is what this fragment carries; the datagram had more",
    ),
    SegmentMark(
        "PADDED",
        "the payload looks like the padding of a short Ethernet frame that a device counted as payload: one to six "
        "bytes, all captured and zero, up to the 46th byte of the IP packet or the 60th of the frame, without PSH. "
        "payload_len counts them, as Wireshark does; the tracker does not",
    ),
    SegmentMark(
        "SHORT_QUOTE",
        "QUOTED, and only the ports and the sequence number (RFC 792 requires no more): Wireshark gives it no stream, "
        "so it is matched with existing streams and starts none; everything else of its header is 0",
    ),
)
(
    QUOTED,
    IPV6,
    TUNNELLED,
    CUT_HEADER,
    NO_IP_LENGTH,
    LENGTH_BEYOND,
    HAS_TIMESTAMP,
    HAS_IP_ID,
    HAS_FIRST_BYTE,
    REASSEMBLED,
    DUPLICATE,
    NO_FRAGMENT,
    BAD_OFFSET,
    PART,
    PADDED,
    SHORT_QUOTE,
) = (1 << bit for bit in range(len(MARKS)))

UNTRACKED = QUOTED | BAD_OFFSET
"""Segments with one of these never reach an endpoint's TCP: they count for Wireshark's numbering, and a quotation for
what is said of the packet it quotes."""


TOO_LARGE_4, TOO_LARGE_6 = 3 << 8 | 4, 2 << 8
"""ICMP errors that name the MTU of the link for which a packet is too large, as in ``ts_val``; ICMPv6 has no codes."""


def tells_icmp_error(segments: NDArray[np.void]) -> NDArray[np.bool_]:
    """Which of the rows are quotations whose ICMP error is known, and its sender."""
    return np.asarray((segments["marks"] & QUOTED > 0) & (segments["ts_val"] > 0))
