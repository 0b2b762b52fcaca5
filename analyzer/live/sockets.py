"""Whose socket is it? The kernel of this host is asked for its own sockets (sock_diag over netlink, Linux).

An endpoint seen in packets is local when the kernel has a socket between the same two ends. Then its inode leads to
the process that holds it (/proc/PID/fd; of other users' processes only for root), the kernel's state can be held
against the one inferred from packets, and the time since it last heard from the peer tells how long it has been so.
TIME_WAIT, and an orphan, belong to no process any more: their inode is 0.
"""

import os
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

SOCK_DIAG, BY_FAMILY, DONE, FAILED = 4, 20, 3, 2
REQUEST, DUMP = 1, 0x300
INFO = 2  # INET_DIAG_INFO: struct tcp_info
LAST_HEARD = 56  # place of tcpi_last_ack_recv in it, milliseconds
BODY = 72  # bytes of inet_diag_msg
KERNEL_STATES = (
    "", "ESTABLISHED", "SYN_SENT", "SYN_RECEIVED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT", "CLOSED",
    "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "SYN_RECEIVED",
)  # fmt: skip
ALL_BUT_LISTEN = 0xFFFF & ~(1 << KERNEL_STATES.index("LISTEN"))
PROCESSES_NAMED = 5  # of a crowd of sockets
ADDRESSES_KEPT = 10.0  # seconds
KEEP = 1.0  # seconds for which an answer is used again; processes for five times as long

End = tuple[str, int]  # address and port


class Socket(NamedTuple):
    """A socket of this host as its kernel has it."""

    state: str
    inode: int  # 0: no process holds it
    heard_ms: int  # since it last heard from its peer, -1 not known
    timer_ms: int  # until its timer runs out (TIME_WAIT), -1 none


class Process(NamedTuple):
    pid: int
    command: str


def available() -> bool:
    """Whether this system can be asked."""
    return hasattr(socket, "AF_NETLINK")


def kernel_sockets() -> dict[tuple[End, End], Socket]:
    """All TCP sockets but the listening, by local and remote end. Empty where the system cannot be asked."""
    found: dict[tuple[End, End], Socket] = {}
    if not available():
        return found
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG) as netlink:
            netlink.settimeout(1.0)
            for family in (socket.AF_INET, socket.AF_INET6):
                netlink.send(_request(family))
                while not _read(netlink.recv(1 << 18), found):
                    pass
    except OSError:
        return found
    return found


def _request(family: int) -> bytes:
    body = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 1 << (INFO - 1), 0, ALL_BUT_LISTEN) + bytes(48)
    return struct.pack("=IHHII", 16 + len(body), BY_FAMILY, REQUEST | DUMP, 1, 0) + body


def _read(data: bytes, found: dict[tuple[End, End], Socket]) -> bool:
    """Take in one answer; whether it was the last."""
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if kind in (DONE, FAILED) or length < 16:
            return True
        if length >= 16 + BODY:
            ends, entry = _entry(data[at + 16 : at + length])
            found[ends] = entry
        at += (length + 3) & ~3
    return not data


def _entry(message: bytes) -> tuple[tuple[End, End], Socket]:
    family, state, timer = message[0], message[1], message[2]
    ports = struct.unpack_from(">HH", message, 4)
    size = 4 if family == socket.AF_INET else 16
    local, remote = (_text(message[place : place + size]) for place in (8, 24))
    expires, _, _, _, inode = struct.unpack_from("=IIIII", message, 52)
    heard = next((struct.unpack_from("=I", info, LAST_HEARD)[0] for info in _infos(message)), -1)
    name = KERNEL_STATES[state] if state < len(KERNEL_STATES) else ""
    return ((local, ports[0]), (remote, ports[1])), Socket(name, inode, heard, expires if timer else -1)


def _infos(message: bytes) -> Iterator[bytes]:
    """The tcp_info attribute, where there is one."""
    at = BODY
    while at + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, at)
        if length < 4:
            return
        if kind == INFO and length >= 4 + LAST_HEARD + 4:
            yield message[at + 4 : at + length]
        at += (length + 3) & ~3


def _text(address: bytes) -> str:
    """An IPv4 address inside IPv6 is the IPv4 address that packets show."""
    if len(address) == 16 and address[:12] == bytes(10) + b"\xff\xff":
        address = address[12:]
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def holders(inodes: set[int]) -> dict[int, Process]:
    """The process that holds each of the sockets, as far as we may look; of several the one with the lowest pid."""
    found: dict[int, Process] = {}
    for folder in sorted((path for path in Path("/proc").iterdir() if path.name.isdigit()), key=lambda p: int(p.name)):
        for inode in _inodes(folder / "fd"):
            if inode in inodes and inode not in found:
                found[inode] = Process(int(folder.name), _command(folder))
        if len(found) == len(inodes):
            break
    return found


def _inodes(folder: Path) -> Iterator[int]:
    try:
        with os.scandir(folder) as entries:
            targets = [_target(entry.path) for entry in entries]
    except OSError:  # not ours to look at, or just gone
        return
    yield from (int(target[8:-1]) for target in targets if target.startswith("socket:["))


def _target(link: str) -> str:
    try:
        return str(Path(link).readlink())
    except OSError:
        return ""


def _command(folder: Path) -> str:
    try:
        return (folder / "comm").read_text(errors="replace").strip()
    except OSError:
        return "?"


def own_addresses() -> set[str]:
    """The addresses of this host, as far as the kernel lists them (/proc/net, Linux)."""
    found: set[str] = set()
    try:
        lines = Path("/proc/net/fib_trie").read_text().splitlines()
        found |= {before.split()[-1] for before, line in pairwise(lines) if "/32 host LOCAL" in line}
        for line in Path("/proc/net/if_inet6").read_text().splitlines():
            found.add(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line.split()[0])))
    except (OSError, ValueError, IndexError):
        return found
    return found


class Owners:
    """The sockets of this host and who holds them, asked again when the answer is old."""

    def __init__(self) -> None:
        self._sockets: dict[tuple[End, End], Socket] = {}
        self._holders: dict[int, Process] = {}
        self._addresses: set[str] = set()
        self._asked = self._searched = self._looked = float("-inf")

    def sockets(self) -> dict[tuple[End, End], Socket]:
        if time.monotonic() - self._asked > KEEP:
            self._sockets, self._asked = kernel_sockets(), time.monotonic()
        return self._sockets

    def addresses(self) -> set[str]:
        """The addresses of this host."""
        if time.monotonic() - self._looked > ADDRESSES_KEPT:
            self._addresses, self._looked = own_addresses(), time.monotonic()
        return self._addresses

    def holder(self, inode: int) -> Process | None:
        """The process that holds a socket; None where none does, or we may not look."""
        if inode and inode not in self._holders and time.monotonic() - self._searched > KEEP:
            self.find({entry.inode for entry in self.sockets().values() if entry.inode})
        return self._holders.get(inode)

    def find(self, inodes: set[int]) -> None:
        """Search the processes for ``inodes``, unless that was done just now."""
        if time.monotonic() - self._searched > 5 * KEEP or inodes - self._holders.keys():
            self._holders, self._searched = holders(inodes), time.monotonic()

    def holders_of(self, pairs: Sequence[tuple[End, End]]) -> str:
        """Which processes hold the sockets between these ends, local and remote, and how many each: ``nginx[17] (40)``;
        "" where they are none of this host's."""
        entries = [entry for pair in pairs if (entry := self.sockets().get(pair)) is not None]
        self.find({entry.inode for entry in entries if entry.inode})
        held = Counter(self._holders.get(entry.inode) if entry.inode else None for entry in entries)
        told = [
            f"{process.command}[{process.pid}] ({count:,})" if process else f"no process ({count:,})"
            for process, count in held.most_common(PROCESSES_NAMED)
        ]
        return ", ".join(told + ([f"{len(held) - len(told):,} more"] if len(held) > len(told) else []))

    def about(self, local: End, remote: End, inferred: str) -> str:
        """What this host knows of the socket between two ends, "" where it is none of its own; ``inferred`` is the
        state that the packets show."""
        entry = self.sockets().get((local, remote))
        if entry is None:
            return ""
        process = self.holder(entry.inode)
        nobody = "process not visible" if entry.inode else "no process"
        parts = [f"{process.command}[{process.pid}]" if process else nobody, f"kernel state {entry.state}"]
        if entry.heard_ms >= 0:
            parts.append(f"last heard from the peer {entry.heard_ms / 1000:.1f} s ago")
        if entry.timer_ms >= 0 and entry.state == "TIME_WAIT":
            parts.append(f"{entry.timer_ms / 1000:.1f} s left")
        if inferred and inferred not in ("UNKNOWN", entry.state):
            parts.append(f"but the packets show {inferred}")
        return ", ".join(parts)
