"""Silences made longer: of each connection, what follows its longest silence comes later by about a minute."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Hashable
from itertools import pairwise

from tests.lab.pcapfile import LINK_HEADER, Packet, segment

SECOND = 10**9
IDLE = (58, 76)  # seconds that a silence is made to last
WORTH_IT = 1.5 * SECOND  # shorter ones are pauses between requests


def lengthened(link: int, packets: list[Packet], seed: int) -> list[Packet]:
    """The packets in their new order of time."""
    chance = random.Random(seed)
    of: defaultdict[Hashable, list[Packet]] = defaultdict(list)
    for packet in packets:
        of[connection(link, packet)].append(packet)
    moved: list[Packet] = []
    for some in of.values():
        silence, place = max(((b.time - a.time, at) for at, (a, b) in enumerate(pairwise(some), 1)), default=(0, 0))
        more = round(chance.uniform(*IDLE) * SECOND) - silence if silence > WORTH_IT else 0
        moved += some[:place]
        moved += [Packet(packet.time + more, packet.data, packet.length) for packet in some[place:]]
    return sorted(moved, key=lambda packet: packet.time)


def connection(link: int, packet: Packet) -> Hashable:
    """Which one a packet is of: both ends, in one order."""
    one, ip = segment(link, packet), packet.data[LINK_HEADER[link] :]
    ends = ((ip[12:16], one.source_port), (ip[16:20], one.port))
    return min(ends), max(ends)
