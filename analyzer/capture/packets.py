"""What every source of packets hands on: bytes, and one row for each packet in them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PACKET = np.dtype(
    [
        ("time", "<i8"),  # nanoseconds since 1970 UTC
        ("frame", "<i8"),  # number of the packet in the whole capture, from 1: Wireshark's frame.number
        ("offset", "<i8"),  # where its first captured byte stands in Packets.data
        ("captured", "<u4"),  # bytes captured
        ("length", "<u4"),  # bytes on the wire
        ("link", "<u2"),  # link type, as the LINKTYPE_ registry of tcpdump.org numbers them
        ("interface", "<u2"),  # which interface of the capture, from 0
        ("_", "<u4"),
    ]
)


@dataclass
class Packets:
    """A batch of packets: ``rows`` (dtype PACKET) point into ``data`` (uint8).

    Every row lies wholly inside ``data``: offset + captured <= len(data). Both arrays belong to the receiver only
    until it asks for the next batch; a source may use the memory again.
    """

    data: NDArray[np.uint8]
    rows: NDArray[np.void]
