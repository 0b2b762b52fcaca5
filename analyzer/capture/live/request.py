"""What is to be captured, and the defaults that the command line shows."""

from dataclasses import dataclass

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
