"""Everything loaded before the first packet, and compiled where somebody works on the kernels.

A capture that begins while modules are still being imported, or kernels compiled, would fill the system's ring and lose
packets. So a connection of four segments, made up here, goes through all stages first.
"""

import os
import struct

from analyzer.capture import open_pipe
from analyzer.capture.interfaces import Interface
from analyzer.capture.packets import Packets
from analyzer.capture.pcapng_writer import SECTION, blocks, description
from analyzer.engine.pipeline import Analysis
from analyzer.settings import Settings
from analyzer.units import SECOND

SYN, SYN_ACK, ACK, FIN = 0x02, 0x12, 0x10, 0x11
STORY = ((0, SYN, 0, 0), (1, SYN_ACK, 0, 1), (0, ACK, 1, 1), (0, FIN, 1, 1))  # side, flags, seq, ack
RAW_IP, PCAP_HEADER = 101, struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 256, 101)


def warm_up() -> None:
    """Call every kernel that a watch uses, through both parsers."""
    story = [segment(*step) for step in STORY]
    records = b"".join(struct.pack("<IIII", 1, place, len(data), len(data)) + data for place, data in enumerate(story))
    for data in (PCAP_HEADER + records, pcapng(PCAP_HEADER + records)):
        through(data)


def segment(side: int, flags: int, seq: int, ack: int) -> bytes:
    """A TCP segment over IPv4 between two documentation addresses."""
    ends = (bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
    ports = (40_000, 80)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, ends[side], ends[1 - side])
    return ip + struct.pack(">HHIIBBHHH", ports[side], ports[1 - side], seq, ack, 0x50, flags, 1000, 0, 0)


def pcapng(pcap: bytes) -> bytes:
    """The same packets in the other format, written by the kernel that keeps packets."""
    packets = collected(pcap)[0]
    return SECTION + description(Interface("", RAW_IP, 0)) + bytes(blocks(packets))


def collected(capture: bytes) -> list[Packets]:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(capture)
    with os.fdopen(reading, "rb", buffering=0) as file, open_pipe(file, "warming up") as stream:
        return [Packets(batch.data.copy(), batch.rows.copy()) for batch in stream]


def through(capture: bytes) -> None:
    """One capture through the stages, with every way of looking."""
    from analyzer.results.dataframes import findings_frame

    settings = Settings()
    analysis = Analysis(settings)
    for packets in collected(capture):
        analysis.feed(packets)
    findings_frame(analysis.findings(analysis.snapshot(analysis.last_ns + SECOND)))
    analysis.retire()
    analysis.drop_idle(0, 0)
