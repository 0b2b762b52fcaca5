"""Whose socket is it? The kernel of this host is asked for its own sockets (sock_diag over netlink, Linux).

An endpoint seen in packets is local when the kernel has a socket between the same two ends. Then its inode leads to
the process that holds it (/proc/PID/fd; of other users' processes only for root), the kernel's state can be held
against the one inferred from packets, and the time since it last heard from the peer tells how long it has been so.
TIME_WAIT, and an orphan, belong to no process any more: their inode is 0.
"""

import os
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from analyzer.live.sock_diag import KERNEL_STATES, Sockets, address_text, listed

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
    cookie: int = 0  # its own for life


class Process(NamedTuple):
    pid: int
    command: str


def kernel_sockets() -> dict[tuple[End, End], Socket]:
    """All TCP sockets but the listening, by local and remote end. Empty where the system cannot be asked."""
    rows = listed()
    return {} if rows is None else by_ends(rows)


def by_ends(rows: Sockets) -> dict[tuple[End, End], Socket]:
    """The sockets of a table by local and remote end."""
    text = cache(address_text)
    names = (*KERNEL_STATES, *[""] * (256 - len(KERNEL_STATES)))
    return {
        ((text(own), own_port), (text(peer), peer_port)): Socket(
            names[state], inode, heard, expires if timer else -1, cookie
        )
        for state, timer, own_port, peer_port, own, peer, cookie, expires, inode, _, heard, _ in rows.tolist()
    }


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

    def held(self, inode: int) -> Process | None:
        """The process that was found to hold a socket."""
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
        held = Counter(self._holder_name(entry.inode) for entry in entries)
        told = [f"{holder} ({count:,})" for holder, count in held.most_common(PROCESSES_NAMED)]
        return ", ".join(told + ([f"{len(held) - len(told):,} more"] if len(held) > len(told) else []))

    def _holder_name(self, inode: int) -> str:
        """``nginx[17]``, as far as it was found. An ordinary user does not see the processes of others."""
        process = self._holders.get(inode)
        if process is not None:
            return f"{process.command}[{process.pid}]"
        return "process not visible" if inode else "no process"

    def about(self, local: End, remote: End, inferred: str) -> str:
        """What this host knows of the socket between two ends, "" where it is none of its own; ``inferred`` is the
        state that the packets show."""
        entry = self.sockets().get((local, remote))
        if entry is None:
            return ""
        self.holder(entry.inode)
        parts = [self._holder_name(entry.inode), f"kernel state {entry.state}"]
        if entry.heard_ms >= 0:
            parts.append(f"last heard from the peer {entry.heard_ms / 1000:.1f} s ago")
        if entry.timer_ms >= 0 and entry.state == "TIME_WAIT":
            parts.append(f"{entry.timer_ms / 1000:.1f} s left")
        if inferred and inferred not in ("UNKNOWN", entry.state):
            parts.append(f"but the packets show {inferred}")
        return ", ".join(parts)
