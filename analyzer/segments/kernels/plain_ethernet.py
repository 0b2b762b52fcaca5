"""The plain packet, read at one go: Ethernet, IPv4 without options or fragments, TCP with its whole header captured.

That is nearly everything in most captures. Nothing here is a rule of its own: for these packets the walk over
the headers (``batch.walk``, then ``tcp.segment``) gives the very same row, only it takes several times as long.
"""

import numpy as np

from analyzer.kernels import be64, inlined
from analyzer.segments.kernels.cursor import Bytes, Record, be32, u8
from analyzer.segments.kernels.tcp import LEAST_PACKET, ONLY_TIMESTAMP, is_padding, options
from analyzer.segments.table import HAS_FIRST_BYTE, HAS_IP_ID, HAS_TIMESTAMP, NO_FRAGMENT, PADDED

TO_IP, TO_TCP, SHORTEST = np.int64(14), np.int64(34), np.int64(54)
"""Where the headers stand in the frame, and the least bytes of them."""
PADDED_FRAME = TO_IP + LEAST_PACKET

SHORT_IPV4 = 0x080045
"""EtherType, version and header length of IPv4 without options."""
FRAGMENT_AND_PROTOCOL, WHOLE_TCP = 0x3FFF00FF, 6
"""What of the word ``ip`` tells fragment and protocol, and what it is for TCP in one piece."""


@inlined
def plain_segment(data: Bytes, at: int, captured: int, length: int, row: Record) -> bool:
    """Fill ``row`` from the frame at ``at``, but for its addresses, time and number; False where it is not plain.

    The headers are read in words of eight bytes: ``ip`` begins with the datagram's length, ``ports`` with the ports,
    ``tcp`` with the acknowledgment number.
    """
    if captured < SHORTEST:
        return False
    ip, ports, tcp = be64(data, at + 16), be64(data, at + 34), be64(data, at + 42)
    if be64(data, at + 8) >> 8 & 0xFFFFFF != SHORT_IPV4 or ip & FRAGMENT_AND_PROTOCOL != WHOLE_TCP:
        return False
    end, header = (ip >> 48 & 0xFFFF) + TO_IP, tcp >> 26 & 0x3C
    payload = TO_TCP + header
    if header < 20 or payload > captured or payload > end or end > length:
        return False
    marks = HAS_IP_ID | (NO_FRAGMENT if ip & 0x40000000 else 0)
    row["src_port"], row["dst_port"], row["seq"] = ports >> 48 & 0xFFFF, ports >> 32 & 0xFFFF, ports & 0xFFFFFFFF
    row["ack"], row["flags"], row["window"] = tcp >> 32 & 0xFFFFFFFF, tcp >> 16 & 0x0FFF, tcp & 0xFFFF
    row["ip_id"], row["ttl"], row["window_scale"], row["sender"] = ip >> 32 & 0xFFFF, ip >> 8 & 0xFF, -1, -1
    there = int(payload < min(captured, end))  # a number, not a branch: nobody can foretell who carries data
    row["payload_len"], row["first_byte"] = end - payload, u8(data, at + payload * there) * there
    marks |= HAS_FIRST_BYTE * there
    if header == 32 and be32(data, at + 54) == ONLY_TIMESTAMP:
        row["ts_val"], row["ts_ecr"] = be32(data, at + 58), be32(data, at + 62)
        marks |= HAS_TIMESTAMP
    else:
        row["ts_val"], row["ts_ecr"] = 0, 0
        if header > 20:
            marks |= options(data, at + 54, at + payload, row)
    if end == PADDED_FRAME and captured >= end and is_padding(data, row["flags"], at + payload, at + end):
        marks |= PADDED
    row["marks"] = marks
    return True
