"""The child that captures with a Python library and writes pcap to its standard output, as tcpdump would.

    python -m analyzer.capture.live.sniffer scapy|pyshark FILTER SNAP_LENGTH INTERFACE...

scapy is used for its sockets only: nothing is dissected, the bytes and the kernel's time are passed on. A filter
other than the default or ``tcp`` needs libpcap; these do not, because whatever is neither TCP nor about TCP is left out
later anyway.
pyshark has tshark dissect every packet and gives the bytes back, with tshark's time.
"""

import contextlib
import os
import select
import signal
import struct
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from analyzer.capture.live.request import FILTER

MAGIC_NS = 0xA1B23C4D
ETHERNET = 1
SOL_PACKET, PACKET_STATISTICS = 263, 6  # linux/if_packet.h
RING = 16 * 1024 * 1024  # bytes of socket buffer asked for
# Wireshark's numbers for link types, as pyshark gives them, and the LINKTYPE_ registry's.
WIRESHARK_LINKS = {1: 1, 7: 101, 15: 0, 25: 113, 210: 276}

Record = tuple[int, int, bytes]  # nanoseconds since 1970, bytes on the wire, bytes captured


class Writer:
    """Writes pcap with nanoseconds; whatever was written is passed on at once."""

    def __init__(self, descriptor: int, link: int, snap_length: int) -> None:
        self._descriptor, self._snap = descriptor, snap_length
        os.write(descriptor, struct.pack("<IHHiIII", MAGIC_NS, 2, 4, 0, 0, snap_length, link))

    def write(self, records: Iterable[Record]) -> None:
        for time, length, data in records:
            kept = data[: self._snap]
            head = struct.pack("<IIII", time // 10**9, time % 10**9, len(kept), length)
            whole = memoryview(head + kept)
            while whole:
                whole = whole[os.write(self._descriptor, whole) :]


class LossCount:
    """What the kernel dropped for want of room in the sockets, told on standard error as tcpdump tells it."""

    def __init__(self) -> None:
        self.sockets: list[Any] = []
        self._lost = 0

    def tell(self, *_: object) -> None:
        """Say how many it were so far; the kernel counts anew each time that it is asked."""
        for one in self.sockets:
            _, lost = struct.unpack("II", one.ins.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
            self._lost += lost
        if self.sockets:
            os.write(2, f"{self._lost} packets dropped by kernel\n".encode())


LOSSES = LossCount()


def scapy_records(interfaces: list[str], filter: str) -> Iterator[Iterable[Record]]:
    """What scapy's sockets receive, a few packets at a time."""
    from scapy.all import conf, get_if_list  # what scapy.config alone gives has no sockets yet

    names = get_if_list() if "any" in interfaces else interfaces
    wanted = None if filter in ("", "tcp", FILTER) else filter
    sockets = [conf.L2listen(iface=name, filter=wanted) for name in names]
    LOSSES.sockets = sockets
    yield ()
    while True:
        for ready in select.select(sockets, [], [])[0]:
            yield received(ready)


def received(sock: Any) -> Iterator[Record]:
    _, data, time = sock.recv_raw(65535)
    if data:
        yield (int(time * 10**9) if time else 0), len(data), data


def pyshark_records(interfaces: list[str], filter: str) -> Iterator[tuple[int, Record]]:
    """What pyshark's live capture gives, with the link type."""
    import pyshark

    capture = pyshark.LiveCapture(interfaces, bpf_filter=filter, include_raw=True, use_json=True)
    for packet in capture.sniff_continuously():
        whole, _, part = packet.sniff_timestamp.partition(".")
        time = int(whole) * 10**9 + int(part.ljust(9, "0")[:9])
        link = WIRESHARK_LINKS.get(int(packet.frame_info.encap_type), 147)
        yield link, (time, int(packet.length), packet.get_raw_packet())


def sniff_with_scapy(filter: str, snap_length: int, interfaces: list[str]) -> None:
    steps = scapy_records(interfaces, filter)
    next(steps)  # the sockets are open: from now on nothing is missed
    writer = Writer(1, ETHERNET, snap_length)
    for records in steps:
        writer.write(records)


def sniff_with_pyshark(filter: str, snap_length: int, interfaces: list[str]) -> None:
    writer = None
    for link, record in pyshark_records(interfaces, filter):
        writer = writer or Writer(1, link, snap_length)
        writer.write([record])


def end(*_: object) -> None:
    """Everything that came is written already."""
    with contextlib.suppress(OSError):
        LOSSES.tell()
    os._exit(0)


def main(arguments: list[str]) -> int:
    engine, filter, snap_length, *interfaces = arguments
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGUSR1, LOSSES.tell)
    try:
        run = sniff_with_scapy if engine == "scapy" else sniff_with_pyshark
        run(filter, int(snap_length), interfaces)
    except BrokenPipeError:
        return 0
    except BaseException as error:
        with contextlib.suppress(OSError):
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
