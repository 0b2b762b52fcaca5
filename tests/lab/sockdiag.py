"""sock_diag: what every TCP socket of a host is doing, asked over netlink every few milliseconds.

It is the only view of mini-sockets besides their timers: TIME_WAIT, the orphaned FIN_WAIT_2, and the request
sockets in SYN_RECEIVED. It also checks what the tracepoints say, and where a kernel has none it is all there is.
"""

from __future__ import annotations

import dataclasses
import socket
import struct
import threading
import time
from types import TracebackType

from .hosts import Host, hurry

SOCK_DIAG = 4  # the netlink protocol
BY_FAMILY, DONE, FAILED = 20, 3, 2  # netlink message types
REQUEST, DUMP = 1, 0x300
KERNEL_STATES = (  # by the kernel's number; the last is a request socket's
    "", "ESTABLISHED", "SYN_SENT", "SYN_RECEIVED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT",
    "CLOSED", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "SYN_RECEIVED",
)  # fmt: skip
ALL_STATES = 0xFFFF & ~(1 << KERNEL_STATES.index("LISTEN"))

Address = tuple[str, int]
Pair = tuple[Address, Address]  # local, remote


@dataclasses.dataclass(frozen=True)
class Sample:
    """One look at a host: between ``before`` and ``after`` (ns since 1970) each socket was in the state given."""

    before: int
    after: int
    states: dict[Pair, str]


def _request(family: int) -> bytes:
    body = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, ALL_STATES) + bytes(48)
    return struct.pack("=IHHII", 16 + len(body), BY_FAMILY, REQUEST | DUMP, 1, 0) + body


REQUESTS = [_request(family) for family in (socket.AF_INET, socket.AF_INET6)]


def text(address: bytes) -> str:
    """An address of 4 or 16 bytes in words; an IPv4 address inside IPv6 is an IPv4 address."""
    if len(address) == 16 and address[:12] == bytes(10) + b"\xff\xff":
        address = address[12:]
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def _entry(message: bytes) -> tuple[Pair, str]:
    family, state = message[0], message[1]
    source_port, target_port = struct.unpack_from(">HH", message, 4)
    size = 4 if family == socket.AF_INET else 16
    local, remote = message[8 : 8 + size], message[24 : 24 + size]
    return ((text(local), source_port), (text(remote), target_port)), KERNEL_STATES[state]


def ask(netlink: socket.socket) -> Sample:
    """Look once, through a netlink socket made inside the host."""
    states: dict[Pair, str] = {}
    before = time.time_ns()
    for request in REQUESTS:
        netlink.send(request)
        while not _read(netlink.recv(1 << 16), states):
            pass
    return Sample(before, time.time_ns(), states)


def _read(data: bytes, states: dict[Pair, str]) -> bool:
    """Take in one answer; whether it was the last."""
    place = 0
    while place < len(data):
        length, kind = struct.unpack_from("=IH", data, place)
        if kind in (DONE, FAILED):
            return True
        pair, state = _entry(data[place + 16 : place + length])
        if pair[1][1]:  # else it is bound, and about to connect
            states[pair] = state
        place += (length + 3) & ~3
    return False


class Poller:
    """Looks at ``host`` every ``pause`` seconds from entering to leaving; ``samples`` hold what changed: a sample
    equal to the one before it only moves that one's end.
    """

    def __init__(self, host: Host, pause: float = 0.004) -> None:
        self.host = host
        self.samples: list[Sample] = []
        self.looks = 0
        self._pause = pause
        self._netlink = host.new_socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"sock_diag {host.label}", daemon=True)

    def _work(self) -> None:
        hurry()
        while not self._ended.wait(self._pause):
            self.look()

    def look(self) -> None:
        """Look once more."""
        sample = ask(self._netlink)
        self.looks += 1
        if len(self.samples) > 1 and self.samples[-1].states == sample.states == self.samples[-2].states:
            self.samples.pop()
        self.samples.append(sample)

    def __enter__(self) -> Poller:
        self.look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self.look()
        self._netlink.close()
