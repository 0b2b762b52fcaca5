"""The one table that decoding produces and everything after it reads: a row for each TCP segment.

It is a structured array, so that one segment is one cache line and a kernel takes one argument; ``batch["seq"]``
is a column. The columns are documented here and nowhere else.
"""

import numpy as np

SEGMENT = np.dtype(
    [
        ("time", "<i8"),  # nanoseconds since 1970 UTC
        ("frame", "<i8"),  # Wireshark's frame.number
        ("src", "<i4"),  # sender's address: row of the AddressBook
        ("dst", "<i4"),  # receiver's address: row of the AddressBook
        ("src_port", "<u2"),
        ("dst_port", "<u2"),
        ("seq", "<u4"),  # raw, as on the wire
        ("ack", "<u4"),  # raw; meaningless without the ACK flag
        ("payload_len", "<u4"),  # bytes of TCP payload by the IP length, whatever was captured of them
        ("window", "<u2"),  # raw, not yet scaled
        ("flags", "<u2"),  # FIN=1 SYN=2 RST=4 PSH=8 ACK=16 URG=32 ECE=64 CWR=128 AE=256 (reserved bits above)
        ("ip_id", "<u2"),  # IPv4 identification, valid with HAS_IP_ID
        ("ttl", "u1"),  # IPv4 TTL or IPv6 hop limit
        ("window_scale", "i1"),  # shift count of a SYN's window scale option, -1 where there is none
        ("ts_val", "<u4"),  # timestamp option, valid with HAS_TIMESTAMP
        ("ts_ecr", "<u4"),
        ("sender", "<i4"),  # filled in by the flow stage: 2 * flow row + side; the peer is sender ^ 1; -1 before
        ("marks", "<u2"),  # what decoding found, bits below
        ("first_byte", "u1"),  # first byte of payload, valid with HAS_FIRST_BYTE
        ("interface", "u1"),  # capture interface, 255 for any beyond
    ]
)

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE = (1 << bit for bit in range(9))

QUOTED = 1 << 0  # a header quoted inside an ICMP error: numbered like Wireshark does, never tracked
IPV6 = 1 << 1
TUNNELLED = 1 << 2  # found inside another IP packet or a tunnel protocol
CUT_HEADER = 1 << 3  # the capture cut the TCP header after its flags: window and options may be missing
NO_IP_LENGTH = 1 << 4  # the IP length was 0 (segmentation offload); the frame's own length was taken
LENGTH_BEYOND = 1 << 5  # the IP length claims more bytes than the frame had; the frame's was taken
HAS_TIMESTAMP = 1 << 6
HAS_IP_ID = 1 << 7
HAS_FIRST_BYTE = 1 << 8
REASSEMBLED = 1 << 9  # put together from IP fragments
DUPLICATE = 1 << 10  # the same packet captured before: set by the tracker, counted once
NO_FRAGMENT = 1 << 11  # IPv4 "don't fragment" was set
