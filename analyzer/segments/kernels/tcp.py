"""The TCP header: fields, options, and how much payload the IP length leaves for it.

A header is worth a row as soon as 16 bytes of it are there, up to the window: Wireshark 4.0 gives it a stream
then, and not before (tried with headers of 12 to 20 bytes, sent and quoted). What the capture cut behind that
is left empty and marked. Of a header quoted in an ICMP error the ports and the sequence number are enough: they
tell which packet is meant, though not for a stream of its own. Checksums are not looked at: a sending host's own
capture shows them before the network card fills them in.
"""

from analyzer.kernels import helper, inlined
from analyzer.segments.header_numbers import CUT, MALFORMED
from analyzer.segments.kernels.cursor import Bytes, Record, be16, be32, u8
from analyzer.segments.table import (
    BAD_OFFSET,
    CUT_HEADER,
    HAS_FIRST_BYTE,
    HAS_IP_ID,
    HAS_TIMESTAMP,
    LENGTH_BEYOND,
    NO_IP_LENGTH,
    PADDED,
    PSH,
    QUOTED,
    SHORT_QUOTE,
    SYN,
    TUNNELLED,
)

TO_SEQ, TO_WINDOW = 8, 16
LEAST_PACKET, LEAST_FRAME, CHECK_SEQUENCE = 46, 60, 4
"""Bytes that an Ethernet frame carries at least, and that it has with its header, and that may follow it."""
MOST_PADDING = LEAST_PACKET - 40
ONLY_TIMESTAMP = 0x0101080A
"""Two no-operations, then kind 8 and length 10: how nearly every segment with a timestamp begins its options."""


@helper
def segment(data: Bytes, cursor: Record, row: Record) -> int:
    """Fill ``row`` from the TCP header at the cursor; 0, or why there is nothing to fill."""
    at = cursor["at"]
    if at + TO_WINDOW > cursor["end"]:
        return MALFORMED
    if at + TO_WINDOW > cursor["seen"]:
        return short_quote(data, cursor, row)
    begin(data, cursor, row)
    row["ack"], row["flags"] = be32(data, at + 8), be16(data, at + 12) & 0x0FFF
    row["window"], row["window_scale"], row["first_byte"] = be16(data, at + 14), -1, 0
    row["ts_val"], row["ts_ecr"] = 0, 0
    header = (u8(data, at + 12) >> 4) * 4
    if header < 20 or at + header > cursor["end"]:
        row["payload_len"] = 0
        cursor["marks"] |= BAD_OFFSET if header < 20 else BAD_OFFSET | CUT_HEADER
    else:
        behind_flags(data, cursor, row, at + header)
    row["marks"] = cursor["marks"]
    if cursor["marks"] & QUOTED:
        row["marks"] = cursor["marks"] & ~HAS_TIMESTAMP
        error(cursor, row)
    return 0


@helper
def error(cursor: Record, row: Record) -> None:
    """What the ICMP error says that quotes the segment, in columns that a quotation needs for nothing else."""
    row["ts_val"], row["ts_ecr"] = cursor["icmp_error"], 0
    if cursor["icmp_error"] and cursor["icmp_mtu"] >= 0:
        row["window"] = cursor["icmp_mtu"]


@helper
def begin(data: Bytes, cursor: Record, row: Record) -> None:
    """What the IP header and the first eight bytes tell."""
    at = cursor["at"]
    row["src_port"], row["dst_port"], row["seq"] = be16(data, at), be16(data, at + 2), be32(data, at + 4)
    row["ttl"], row["sender"] = cursor["ttl"], -1
    row["ip_id"] = cursor["ip_id"] if cursor["marks"] & HAS_IP_ID else 0


@helper
def short_quote(data: Bytes, cursor: Record, row: Record) -> int:
    """Fill ``row`` from a quotation of eight bytes or a few more; 0, or that there is too little."""
    if not cursor["marks"] & QUOTED or cursor["at"] + TO_SEQ > cursor["seen"]:
        return CUT
    begin(data, cursor, row)
    row["ack"], row["flags"], row["window"], row["window_scale"] = 0, 0, 0, -1
    row["payload_len"], row["first_byte"] = 0, 0
    error(cursor, row)
    row["marks"] = cursor["marks"] | SHORT_QUOTE
    return 0


@helper
def behind_flags(data: Bytes, cursor: Record, row: Record, payload: int) -> None:
    """Everything that needs a sound data offset; ``payload`` is where it says that the payload begins."""
    at, seen, end = cursor["at"], cursor["seen"], cursor["end"]
    row["payload_len"] = end - payload
    if payload > seen:
        cursor["marks"] |= CUT_HEADER
    elif payload < min(seen, end):
        row["first_byte"] = u8(data, payload)
        cursor["marks"] |= HAS_FIRST_BYTE
        if padded(data, cursor, row["flags"], payload):
            cursor["marks"] |= PADDED
    if payload == at + 32 and payload <= seen and be32(data, at + 20) == ONLY_TIMESTAMP:
        cursor["marks"] |= timestamp(data, at + 24, row)
    elif payload > at + 20:
        cursor["marks"] |= options(data, at + 20, min(payload, seen), row)


@helper
def padded(data: Bytes, cursor: Record, flags: int, payload: int) -> bool:
    """Whether the payload may be the padding of a short Ethernet frame. Some boxes count it in the IP length; where
    that is 0 the frame's own length counts it, perhaps with the frame check sequence behind it."""
    end, marks = cursor["end"], cursor["marks"]
    if end - payload > MOST_PADDING + CHECK_SEQUENCE or marks & (QUOTED | LENGTH_BEYOND):
        return False
    frame = 0 if marks & TUNNELLED else end - cursor["ethernet"]
    if marks & NO_IP_LENGTH and frame == LEAST_FRAME + CHECK_SEQUENCE:
        end -= CHECK_SEQUENCE
    elif end - cursor["ip"] != LEAST_PACKET and frame != LEAST_FRAME:
        return False
    return end <= cursor["seen"] and is_padding(data, flags, payload, end)


@inlined
def is_padding(data: Bytes, flags: int, begin: int, end: int) -> bool:
    """Whether what stands from ``begin`` to ``end`` may be padding. Whoever writes a few zero bytes has them pushed."""
    if begin >= end or end - begin > MOST_PADDING or flags & PSH:
        return False
    while begin < end and u8(data, begin) == 0:
        begin += 1
    return begin == end


@helper
def timestamp(data: Bytes, at: int, row: Record) -> int:
    row["ts_val"], row["ts_ecr"] = be32(data, at), be32(data, at + 4)
    return HAS_TIMESTAMP


@helper
def options(data: Bytes, at: int, stop: int, row: Record) -> int:
    """Walk the options from ``at`` up to ``stop``; the marks they give. One with an impossible length ends the walk:
    nothing behind it has a place."""
    marks = 0
    while at < stop and u8(data, at) != 0:
        kind = u8(data, at)
        if kind == 1:
            at += 1
            continue
        length = u8(data, at + 1) if at + 1 < stop else 0
        if length < 2 or at + length > stop:
            break
        if kind == 8 and length == 10:
            marks |= timestamp(data, at + 2, row)
        elif kind == 3 and length == 3 and row["flags"] & SYN:
            row["window_scale"] = min(u8(data, at + 2), 14)  # RFC 7323: a greater one counts as 14
        at += length
    return marks
