"""Recordings as a worse capture would have them: begun late, ended early, one direction, cut, doubled."""

from __future__ import annotations

import dataclasses
import gzip
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from . import pcapfile
from .pcapfile import Packet
from .scenario import Scenario

Edit = Callable[[list[Packet], str], list[Packet]]


def edited(path: Path, scenario: Scenario, tap: str, folder: Path) -> Path:
    """The recording at ``path`` after the scenario's edit, as a file in ``folder``."""
    assert scenario.edit is not None
    plain = folder / f"{scenario.name}.{tap}.pcap"
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    link, packets = pcapfile.read(plain)
    pcapfile.write(plain, link, scenario.edit(packets, tap))
    return plain


def without_first(count: int) -> Edit:
    """The capture began ``count`` packets late."""
    return lambda packets, tap: packets[count:]


def only_first(count: int) -> Edit:
    """The capture ended after ``count`` packets."""
    return lambda packets, tap: packets[:count]


def only_from(network: int) -> Edit:
    """Only the packets that one host sent: A is in network 1, B in network 2."""
    return lambda packets, tap: [packet for packet in packets if packet.data[14 + 14] == network]


def cut_to(length: int) -> Edit:
    """Only the first ``length`` bytes of each packet were kept."""
    return lambda packets, tap: [dataclasses.replace(packet, data=packet.data[:length]) for packet in packets]


def twice(later_ns: int) -> Edit:
    """Every packet a second time, as a mirror port shows it."""

    def edit(packets: list[Packet], tap: str) -> list[Packet]:
        copies = [dataclasses.replace(packet, time=packet.time + later_ns) for packet in packets]
        return sorted([*packets, *copies], key=lambda packet: packet.time)

    return edit


def lost_packets(folder: Path, name: str, scratch: Path) -> set[frozenset[int]]:
    """The connections, by their ports, of which the three taps did not see the same packets."""
    seen = []
    for tap in "amb":
        plain = scratch / "plain.pcap"
        plain.write_bytes(gzip.decompress((folder / f"{name}.{tap}.pcap.gz").read_bytes()))
        link, packets = pcapfile.read(plain)
        seen.append(Counter(pcapfile.segment(link, packet) for packet in packets))
    differ = (seen[0] | seen[1] | seen[2]) - (seen[0] & seen[1] & seen[2])
    return {frozenset((segment.source_port, segment.port)) for segment in differ}
