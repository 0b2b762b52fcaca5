"""The usual packet, read at one go: Ethernet, IPv4 without options or fragments, TCP with its whole header captured.

That is nearly everything in most captures. Nothing here is a rule of its own: for these packets the walk over
the headers (``batch.walk``, then ``tcp.segment``) gives the very same row, only it takes several times as long.
"""

import numpy as np

from analyzer.compiled import inlined
from analyzer.segments.kernels.cursor import Bytes, Record, be16, be32, u8
from analyzer.segments.kernels.tcp import ONLY_TIMESTAMP, options
from analyzer.segments.table import HAS_FIRST_BYTE, HAS_IP_ID, HAS_TIMESTAMP, NO_FRAGMENT

TO_IP, TO_TCP, LEAST = np.int64(14), np.int64(34), np.int64(54)
"""Where the headers stand in the frame, and the least bytes of them."""


@inlined
def usual(data: Bytes, at: int, captured: int, length: int, row: Record) -> bool:
    """Fill ``row`` from the frame at ``at``, but for its addresses, time and number; False where it is not usual."""
    if captured < LEAST or be16(data, at + 12) != 0x0800 or u8(data, at + 14) != 0x45 or u8(data, at + 23) != 6:
        return False
    end, header, fragment = be16(data, at + 16) + TO_IP, (u8(data, at + 46) & 0xF0) >> 2, be16(data, at + 20)
    payload = TO_TCP + header
    if fragment & 0x3FFF or header < 20 or payload > captured or payload > end or end > length:
        return False
    marks = HAS_IP_ID | (NO_FRAGMENT if fragment & 0x4000 else 0)
    row["src_port"], row["dst_port"] = be16(data, at + 34), be16(data, at + 36)
    row["seq"], row["ack"] = be32(data, at + 38), be32(data, at + 42)
    row["flags"], row["window"] = be16(data, at + 46) & 0x0FFF, be16(data, at + 48)
    row["ip_id"], row["ttl"], row["window_scale"], row["sender"] = be16(data, at + 18), u8(data, at + 22), -1, -1
    row["payload_len"], first_byte = end - payload, np.int64(0)
    if payload < min(captured, end):
        first_byte = u8(data, at + payload)
        marks |= HAS_FIRST_BYTE
    row["first_byte"] = first_byte
    if header == 32 and be32(data, at + 54) == ONLY_TIMESTAMP:
        row["ts_val"], row["ts_ecr"] = be32(data, at + 58), be32(data, at + 62)
        marks |= HAS_TIMESTAMP
    else:
        row["ts_val"], row["ts_ecr"] = 0, 0
        if header > 20:
            marks |= options(data, at + 54, at + payload, row)
    row["marks"] = marks
    return True
