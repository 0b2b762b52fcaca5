"""The SACK options of one connection, read from its packets once more: the table of segments does not keep them.

Only acknowledgments that a ladder shows can have something to say there, so only where some only repeat the one before
is anything read again, and no further than to the last of them. A header is found in its frame by its first twelve
bytes, whatever is around it; one that came in fragments is not.
"""

from collections.abc import Iterable, Sequence
from struct import iter_unpack, pack
from typing import TYPE_CHECKING

import numpy as np

from analyzer.capture.packets import Packets
from analyzer.segments.table import ACK, FIN, RST, SYN

if TYPE_CHECKING:
    import pandas as pd

EDGES, NOTHING, SACK = 8, 1, 5  # bytes of a block; kinds of options
Headers = dict[int, bytes]  # by frame: ports and numbers


def wanted_headers(segments: "pd.DataFrame", stream: int) -> Headers:
    """The acknowledgments of a connection that may have a SACK option, if some of them only repeat another."""
    ordered = segments[segments["stream"] == stream].sort_values("frame", kind="stable")
    plain = ordered["flags"].to_numpy(np.int64) & (SYN | FIN | RST | ACK) == ACK
    acks = ordered[plain & (ordered["payload_len"].to_numpy(np.int64) == 0)]
    repeated = acks.duplicated(["src_ip", "src_port", "seq", "ack"], keep=False).to_numpy(bool)
    if not repeated.any():
        return {}
    columns = (acks[name].tolist() for name in ("frame", "src_port", "dst_port", "seq", "ack"))
    return {frame: pack(">HHII", *numbers) for frame, *numbers in zip(*columns, strict=True)}


def sack_blocks(capture: Iterable[Packets], headers: Headers) -> dict[int, Sequence[tuple[int, int]]]:
    """The blocks of those of the ``headers`` that have some, by frame; raw sequence numbers."""
    found: dict[int, Sequence[tuple[int, int]]] = {}
    frames = np.array(sorted(headers), np.int64)
    for packets in capture:
        for row in packets.rows[np.isin(packets.rows["frame"], frames)]:
            begin, frame = int(row["offset"]), int(row["frame"])
            blocks = _blocks(packets.data[begin : begin + int(row["captured"])].tobytes(), headers[frame])
            if blocks:
                found[frame] = blocks
        if len(packets.rows) and packets.rows["frame"][-1] >= frames[-1]:
            break
    return found


def _blocks(packet: bytes, begins: bytes) -> Sequence[tuple[int, int]]:
    """What the SACK option says of the TCP header in ``packet`` that begins so."""
    at = packet.find(begins)
    if at < 0 or at + 20 > len(packet):
        return ()
    options = packet[at + 20 : at + (packet[at + 12] >> 4) * 4]
    while options and options[0]:
        length = 1 if options[0] == NOTHING else max(2, options[1] if len(options) > 1 else len(options))
        if options[0] == SACK and length <= len(options) and length % EDGES == 2 and length > 2:
            return [(low, high) for low, high in iter_unpack(">II", options[2:length])]
        options = options[length:]
    return ()
