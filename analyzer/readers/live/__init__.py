"""Packets as they pass: a capture program writes pcap or pcapng into a pipe, and the pipe is read like a file.

    engine (child process)  ──pipe──▶  feeder (thread: records walked, compiled)  ──queue──▶  LiveStream.poll()

Only the child needs the privilege to capture; this program may run as anybody. Whatever the engine is, its bytes
take the one way every capture takes, so nothing is decoded twice or differently. The thread keeps the pipe empty
while the analysis works, so that a burst waits in our memory and not in the kernel's small ring.

``engines`` says which programs there are and how each is called, ``child`` runs one and reads what it says,
``troubles`` puts its complaints into one line with the remedy, ``sniffer`` is the child for scapy and pyshark.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analyzer.readers.live.stream import LiveStream

ENGINES = ("auto", "dumpcap", "tcpdump", "scapy", "pyshark")
FILTER = "tcp or icmp or icmp6"  # an ICMP error may be the only answer to a SYN
SNAP_LENGTH = 256  # Ethernet, two VLAN tags, a tunnel, IPv6 and TCP with all options, and the first payload byte
BUFFER_MIB = 16  # of the kernel's ring; the engines' own default of 2 MiB overflows in a burst of 10 ms


@dataclass(frozen=True)
class Request:
    """What to capture. ``pipe``: read this capture as it is written, instead of starting an engine."""

    interfaces: tuple[str, ...] = ()
    engine: str = "auto"
    filter: str = FILTER
    snap_length: int = SNAP_LENGTH
    buffer_mib: int = BUFFER_MIB
    pipe: str | None = None


def open_live(request: Request) -> "LiveStream":
    """Begin to capture. Raises UnreadableCapture with one line that says what is missing and how to get it."""
    from analyzer.readers.live.stream import LiveStream

    return LiveStream.begin(request)
