"""Delay, reordering and duplication in user space, for a kernel without netem.

The router sends what comes from A or B through two TUN devices, ``left`` (A's side) and ``right`` (B's side),
and a thread hands each packet back after its delay. TUN and not AF_PACKET, because the kernel then cuts large
packets, fills in checksums, keeps applying the loss rules, and IPv4 and IPv6 are the same. Between the halves
lies a veth pair inside the router, the middle of the path: a tap on ``middle-a`` is half the delay from
either host::

    A -- to-a [left] middle-a -- middle-b [right] to-b -- B

A policy decides what becomes of a packet: it returns the extra delays after which a copy is sent on.
``[0.0]`` lets it pass, ``[]`` loses it, ``[0.0, 0.001]`` duplicates it, ``[0.05]`` lets later packets
overtake it.
"""

from __future__ import annotations

import fcntl
import heapq
import itertools
import os
import select
import struct
import threading
import time
from collections.abc import Callable, Sequence

from .hosts import Host, hurry

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
HALVES = ("left", "right")
DEVICES = ("left", "middle-a", "middle-b", "right")  # in the order of the way from A to B
MIDDLE = {"middle-a": "02:00:00:00:03:02", "middle-b": "02:00:00:00:03:01"}  # link address of the other end

Policy = Callable[[bytes, bool], Sequence[float]]  # (IP packet, whether it goes from A to B) -> extra delays


def let_pass(packet: bytes, from_a: bool) -> Sequence[float]:
    """The policy that changes nothing."""
    return (0.0,)


def _open_tun(name: str) -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return descriptor


class Relay:
    """The relay in router ``m``; ``left`` and ``right`` are the policies of its halves and may be set at any
    time.
    """

    def __init__(self, m: Host, number: int, delay: float) -> None:
        self.delay = delay  # may be set at any time; what already waits keeps its own
        self.left: Policy = let_pass
        self.right: Policy = let_pass
        self._to_b = (f"10.{number}.2.0/24", f"fd00:{number}:2::/64")
        self._to_a = (f"10.{number}.1.0/24", f"fd00:{number}:1::/64")
        self._b_prefixes = (bytes((10, number, 2)), bytes.fromhex(f"fd00{number:04x}0002"))
        with m.entered():
            self._descriptors = [_open_tun(name) for name in HALVES]
        self._route(m)
        self._waiting: list[tuple[float, int, int, bytes]] = []  # due time, order, half, packet
        self._order = itertools.count()
        self._ending, self._end = os.pipe()
        self._thread = threading.Thread(target=self._work, name="relay", daemon=True)
        self._thread.start()

    def _route(self, m: Host) -> None:
        """Policy routes: each packet goes by its sender's half, the middle, the receiver's half, then the
        main table.
        """
        m.run("ip", "link", "add", "middle-a", "type", "veth", "peer", "name", "middle-b")
        for device, other in (("middle-a", "middle-b"), ("middle-b", "middle-a")):
            m.run("ip", "link", "set", device, "address", MIDDLE[other])
            m.offloads(False, device)
        for place, device in enumerate(DEVICES):
            m.run("ip", "link", "set", device, "up")
            m.run("sysctl", "-qw", f"net.ipv4.conf.{device}.rp_filter=0")
            self._make_table(m, device, 100 + place)
        for towards, way in ((self._to_b, ("to-a", *DEVICES)), (self._to_a, ("to-b", *reversed(DEVICES)))):
            # The far end of the veth pair is where a packet comes out, so a pair of devices counts as one step.
            for came_from, device in ((way[0], way[1]), (way[1], way[2]), (way[3], way[4])):
                for family, network in zip(("-4", "-6"), towards, strict=True):
                    table = str(100 + DEVICES.index(device))
                    m.run("ip", family, "rule", "add", "iif", came_from, "to", network, "lookup", table)

    def own_packets_too(self, m: Host) -> None:
        """What the router itself sends to A or B passes the middle as well, and so takes half the delay."""
        for towards, device in ((self._to_a, "middle-b"), (self._to_b, "middle-a")):
            for family, network in zip(("-4", "-6"), towards, strict=True):
                table = str(100 + DEVICES.index(device))
                m.run("ip", family, "rule", "add", "iif", "lo", "to", network, "lookup", table)

    @staticmethod
    def _make_table(m: Host, device: str, table: int) -> None:
        """A routing table that sends everything out by ``device``; the pair in the middle needs neighbours
        for it.
        """
        for family, hop in (("-4", "169.254.9.9"), ("-6", "fe80::9")):
            route = ("ip", family, "route", "add", "default")
            if device in HALVES:
                m.run(*route, "dev", device, "table", str(table))
                continue
            m.run("ip", "neigh", "replace", hop, "lladdr", MIDDLE[device], "dev", device, "nud", "permanent")
            m.run(*route, "via", hop, "dev", device, "onlink", "table", str(table))

    def _is_from_a(self, packet: bytes) -> bool:
        v4, v6 = self._b_prefixes
        return packet[16:19] == v4 if packet[0] >> 4 == 4 else packet[24:30] == v6

    def _take(self, half: int) -> None:
        """Read every packet that waits at one half and set down when its copies go on."""
        policy = (self.left, self.right)[half]
        while True:
            try:
                packet = os.read(self._descriptors[half], 65536)
            except BlockingIOError:
                return
            now = time.monotonic()
            for extra in policy(packet, self._is_from_a(packet)):
                due = now + self.delay / 2 + extra
                heapq.heappush(self._waiting, (due, next(self._order), half, packet))

    def _send_due(self) -> None:
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, _, half, packet = heapq.heappop(self._waiting)
            os.write(self._descriptors[half], packet)

    def _work(self) -> None:
        hurry()
        while True:
            pause = max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else None
            ready, _, _ = select.select([*self._descriptors, self._ending], [], [], pause)
            if self._ending in ready:
                return
            for half, descriptor in enumerate(self._descriptors):
                if descriptor in ready:
                    self._take(half)
            self._send_due()

    def stop(self) -> None:
        """End the thread and close the devices, which removes them."""
        os.write(self._end, b".")
        self._thread.join()
        for descriptor in (*self._descriptors, self._ending, self._end):
            os.close(descriptor)


def loses(words: Callable[[bytes], bool], *, by_a: bool, count: int = 1) -> Policy:
    """A policy that loses the first ``count`` packets of one side for which ``words`` holds."""
    left = itertools.count(count, -1)

    def policy(packet: bytes, from_a: bool) -> Sequence[float]:
        return () if from_a == by_a and words(packet) and next(left) > 0 else (0.0,)

    return policy
