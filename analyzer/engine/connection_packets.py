"""The packets of one connection, read again from where they came, as scapy has them.

They are found as they were the first time: by decoding everything, and by the same numbers of connections. Nothing but
the connection's own packets is kept.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from analyzer.capture.capture_stream import CaptureStream
from analyzer.errors import UsageError
from analyzer.flows.table import FlowTable
from analyzer.segments.decode import Decoder
from analyzer.segments.table import QUOTED
from analyzer.settings import Settings
from analyzer.units import SECOND

if TYPE_CHECKING:
    from scapy.plist import PacketList


class PacketAccess(NamedTuple):
    """How the packets of the capture are read once more: what opens it again, or ``why`` that cannot be done."""

    again: Callable[[], CaptureStream] | None
    why: str = ""


class Captured(NamedTuple):
    """One packet: ns since 1970, bytes on the wire, link type, bytes captured."""

    time: int
    length: int
    link: int
    data: bytes


def packets_of(source: PacketAccess, stream: int, settings: Settings) -> "PacketList":
    """The packets of the connection with this number as a list of scapy's."""
    if settings.engine == "tshark":
        raise UsageError(
            "engine='tshark' gives headers, not packets; tshark itself writes a connection's packets: "
            f"tshark -r CAPTURE -Y 'tcp.stream == {stream}' -w OUT"
        )
    if source.again is None:
        raise UsageError(f"the packets cannot be read again: {source.why}")
    with source.again() as capture:
        found = list(_found(capture, stream))
    from scapy.plist import PacketList

    return PacketList([_dissected(packet) for packet in found], name=f"stream {stream}")


def _found(capture: CaptureStream, stream: int) -> Iterator[Captured]:
    decoder, table = Decoder(), FlowTable()
    for packets in capture:
        segments = decoder.decode(packets)
        table.assign(segments)
        segments = segments[segments["marks"] & QUOTED == 0]
        mine = segments["frame"][table.rows["stream"][segments["sender"] >> 1] == stream]
        for row in packets.rows[np.isin(packets.rows["frame"], mine)]:
            begin = int(row["offset"])
            data = packets.data[begin : begin + int(row["captured"])].tobytes()
            yield Captured(int(row["time"]), int(row["length"]), int(row["link"]), data)
    streams = table.rows["stream"]
    if stream not in streams:
        there = f"there are 0 to {int(streams.max())}" if len(streams) else "there is none"
        raise UsageError(f"there is no stream {stream} in it; {there}")


def _dissected(packet: Captured) -> Any:
    """What scapy makes of it; bytes that it cannot take apart are a packet all the same, as when it reads a file."""
    from scapy.all import conf
    from scapy.utils import EDecimal

    try:
        made = conf.l2types.num2layer[packet.link](packet.data)
    except Exception:  # whatever a dissector raises: the packets are anybody's
        made = conf.raw_layer(packet.data)
    made.time, made.wirelen = EDecimal(Decimal(packet.time) / SECOND), packet.length
    return made
