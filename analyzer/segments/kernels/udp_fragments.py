"""Fragments of UDP that is no tunnel: known by their first fragment, and never handed to the reassembler.

Reassembly is rare and therefore slow, but some captures are full of fragmented UDP (NFS, video, SIP). Only a
datagram's first fragment has the ports; so those that can hold no TCP are remembered here until their last
fragment, in a small table in which a newer one may take an older one's place. Who comes before the first fragment,
or is forgotten, goes the slow way.
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.kernels import helper
from analyzer.segments.kernels.addresses import MODULUS_BITS, hashed
from analyzer.segments.kernels.cursor import Bytes, Record, be16, be32
from analyzer.segments.kernels.tunnels import PORTS
from analyzer.segments.table import IPV6

PLACE_BITS = 12
PLACES = 1 << PLACE_BITS
"""Datagrams remembered."""


@helper
def is_plain_udp(data: Bytes, cursor: Record, places: NDArray[np.int64], state: NDArray[np.int64]) -> bool:
    """Whether the fragment at the cursor belongs to UDP without a tunnel, as far as is known."""
    if cursor["protocol"] != 17:
        return False
    last = 12 if cursor["marks"] & IPV6 else 0  # of an IPv6 address the last four bytes are enough
    ends = (be32(data, cursor["source"] + last) << 32) | be32(data, cursor["target"] + last)
    name = hashed(cursor["ip_id"], ends, state) | 1  # never 0, which is an empty place
    place = name >> MODULUS_BITS - PLACE_BITS  # the lower bits of such a hash are not as good
    if cursor["fragment"] < 8:
        if may_be_tunnel(data, cursor):
            return False
        places[place] = name
        return True
    known = places[place] == name
    if known and cursor["fragment"] & 1 == 0:
        places[place] = 0
    return known


@helper
def may_be_tunnel(data: Bytes, cursor: Record) -> bool:
    """Whether a first fragment's ports can be a tunnel's."""
    at = cursor["at"]
    if at + 8 > cursor["end"]:
        return True
    return be16(data, at) in PORTS or be16(data, at + 2) in PORTS
