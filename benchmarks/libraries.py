"""The nearest a Python library comes to the question: ``python benchmarks/libraries.py LIBRARY CAPTURE``.

All packets are read, and for every address and port pair it is noted whether a SYN, a FIN and a RST were sent from
there. Each library is used as its own documentation shows it. Needs dpkt, scapy, pyshark or nfstream.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Hashable, Iterator
from pathlib import Path

FIN_SYN_RST = 0x07
Sent = Iterator[tuple[Hashable, int]]  # who to whom, and the flags of one segment


def dpkt(path: str) -> Sent:
    from dpkt.ethernet import Ethernet
    from dpkt.ip import IP
    from dpkt.pcap import UniversalReader
    from dpkt.tcp import TCP

    with Path(path).open("rb") as file:
        for _, data in UniversalReader(file):
            ip = Ethernet(data).data
            if isinstance(ip, IP) and isinstance(ip.data, TCP):
                yield (ip.src, ip.dst, ip.data.sport, ip.data.dport), ip.data.flags


def scapy(path: str) -> Sent:
    from scapy.layers.inet import IP, TCP
    from scapy.layers.l2 import Ether  # noqa: F401 - how Ethernet is read
    from scapy.utils import PcapReader

    with PcapReader(path) as packets:
        for packet in packets:
            if TCP in packet:
                ip, tcp = packet[IP], packet[TCP]
                yield (ip.src, ip.dst, tcp.sport, tcp.dport), int(tcp.flags)


def pyshark(path: str) -> Sent:
    import pyshark

    with pyshark.FileCapture(path, keep_packets=False, display_filter="tcp") as packets:
        for packet in packets:
            ip, tcp = packet.ip, packet.tcp
            yield (ip.src, ip.dst, tcp.srcport, tcp.dstport), int(tcp.flags, 16)


def nfstream(path: str) -> Sent:
    from nfstream import NFStreamer

    for flow in NFStreamer(path, statistical_analysis=True, n_dissections=0, n_meters=1):
        ends = (flow.src_ip, flow.src_port), (flow.dst_ip, flow.dst_port)
        for side, (here, there) in (("src2dst", ends), ("dst2src", ends[::-1])):
            sent = [bool(getattr(flow, f"{side}_{kind}_packets")) for kind in ("fin", "syn", "rst")]
            yield (here, there), sent[0] | sent[1] << 1 | sent[2] << 2


def main() -> None:
    library, path = sys.argv[1:]
    flags: defaultdict[Hashable, int] = defaultdict(int)
    for ends, sent in {"dpkt": dpkt, "scapy": scapy, "pyshark": pyshark, "nfstream": nfstream}[library](path):
        flags[ends] |= sent & FIN_SYN_RST
    kinds = {
        name: sum(bool(sent & bit) for sent in flags.values()) for name, bit in (("FIN", 1), ("SYN", 2), ("RST", 4))
    }
    print(f"{len(flags)} senders", *(f"{count} with {name}" for name, count in kinds.items()), sep=", ")


if __name__ == "__main__":
    main()
