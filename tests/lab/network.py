"""The wiring: A - M - B, routed, IPv4 and IPv6, with static neighbours so that a capture holds TCP and
nothing else.

Names carry the process id and a counter: two runs, or two labs of one run, never meet. Everything is undone
in `close`, which also runs when the set-up itself fails half way.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
from pathlib import Path
from types import TracebackType

from .hosts import Host, LabError, is_root
from .loss import Loss
from .relay import Relay
from .taps import Tap

_counter = itertools.count()
NEEDED = ("ip", "nft", "ethtool", "tcpdump")


def missing(*programs: str) -> str:
    """Why no laboratory can be set up here, nor one that also needs ``programs``; empty when one can."""
    if not is_root():
        return "the laboratory needs root for network namespaces"
    absent = [program for program in (*NEEDED, *programs) if shutil.which(program) is None]
    return f"the laboratory needs {', '.join(absent)}" if absent else ""


class Lab:
    """Hosts ``a``, ``m``, ``b``; interface ``eth0`` on A and B, ``to-a`` and ``to-b`` on the router.

    number: chooses the addresses, 10.number.1.2 for A and 10.number.2.2 for B; labs that run at once and are told
        apart by address (trace events) need different ones, captures do not.
    offloads: leave segmentation and checksum offloads on, as a real host has them; off, packets are as on a wire.
    """

    def __init__(self, number: int = 1, *, offloads: bool = False) -> None:
        self.number = number
        self.hosts: list[Host] = []
        self.taps: list[Tap] = []
        self.sockets: list[socket.socket] = []  # kept open until the taps have stopped, whatever a scenario forgets
        self.relay_in_use: Relay | None = None
        try:
            self.a, self.m, self.b = (self._host(label) for label in "amb")
            self._wire(self.a, "to-a", 1)
            self._wire(self.b, "to-b", 2)
            self._route()
            self._set_offloads(offloads)
        except BaseException:
            self.close()
            raise
        self.loss = Loss(self.m)

    def _host(self, label: str) -> Host:
        host = Host(label, f"td-{os.getpid()}-{next(_counter)}-{label}")
        self.hosts.append(host)
        return host

    def _wire(self, host: Host, router_end: str, subnet: int) -> None:
        """A veth pair between a host and the router, addresses and neighbours at both ends."""
        self.m.run("ip", "link", "add", router_end, "type", "veth", "peer", "name", "eth0", "netns", host.name)
        host.address, host.address6 = f"10.{self.number}.{subnet}.2", f"fd00:{self.number}:{subnet}::2"
        ends = ((self.m, router_end, 1), (host, "eth0", 2))
        for place, interface, last in ends:
            place.run("ip", "link", "set", interface, "address", f"02:00:00:00:0{subnet}:0{last}")
            place.run("ip", "address", "add", f"10.{self.number}.{subnet}.{last}/24", "dev", interface)
            place.run("ip", "address", "add", f"fd00:{self.number}:{subnet}::{last}/64", "dev", interface, "nodad")
            place.run("ip", "link", "set", interface, "up")
        for place, interface, last in ends:
            other = f"{3 - last}"
            link_address = f"02:00:00:00:0{subnet}:0{other}"
            for neighbour in (f"10.{self.number}.{subnet}.{other}", f"fd00:{self.number}:{subnet}::{other}"):
                command = ("neigh", "replace", neighbour, "lladdr", link_address, "dev", interface)
                place.run("ip", *command, "nud", "permanent")

    def _route(self) -> None:
        self.m.run(
            "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
            "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
            "net.ipv4.conf.to-a.rp_filter=0", "net.ipv4.conf.to-b.rp_filter=0",
            "net.ipv4.conf.all.send_redirects=0",
        )  # fmt: skip
        for host, subnet in ((self.a, 1), (self.b, 2)):
            host.run("ip", "route", "add", "default", "via", f"10.{self.number}.{subnet}.1")
            host.run("ip", "-6", "route", "add", "default", "via", f"fd00:{self.number}:{subnet}::1")

    def _set_offloads(self, on: bool) -> None:
        for host, interface in ((self.a, "eth0"), (self.b, "eth0"), (self.m, "to-a"), (self.m, "to-b")):
            host.offloads(on, interface)

    def connect(
        self, port: int = 8080, *, ipv6: bool = False, from_port: int = 0
    ) -> tuple[socket.socket, socket.socket]:
        """A connection from A to a listener on B that is closed again: (client, server); both stay open until
        the scenario or the end of the laboratory closes them."""
        listener = self.b.listen(port, ipv6=ipv6)
        with listener:
            client = self.a.connect(listener.getsockname()[:2], port=from_port)
            server, _ = listener.accept()
        server.settimeout(5.0)
        self.sockets += (client, server)
        return client, server

    def relay(self, delay: float = 0.0) -> Relay:
        """Put the user-space relay into the router; ``delay`` seconds each way, half on each side of the
        middle.
        """
        if self.relay_in_use is not None:
            raise LabError("this laboratory has a relay already")
        self.relay_in_use = Relay(self.m, self.number, delay)
        return self.relay_in_use

    @property
    def path(self) -> Relay:
        """The relay in use."""
        if self.relay_in_use is None:
            raise LabError("this laboratory has no relay")
        return self.relay_in_use

    def tap(self, place: str, path: str | Path, **options: object) -> Tap:
        """tcpdump at a place: ``a``, ``b`` the hosts, ``m`` the router's side of A, ``m-b`` its side of B,
        ``m-any`` both at once (each packet twice), ``middle`` between the two halves of the relay.
        """
        interface = {"m": "to-a", "m-b": "to-b", "m-any": "any", "middle": "middle-a"}.get(place, "eth0")
        host = {"a": self.a, "b": self.b}.get(place, self.m)
        tap = Tap(host, interface, path, **options)  # type: ignore[arg-type]
        self.taps.append(tap)
        return tap

    def close(self) -> None:
        """Stop and remove everything, whatever state it is in."""
        for tap in self.taps:
            tap.stop()
        for open_socket in self.sockets:
            open_socket.close()
        if self.relay_in_use is not None:
            self.relay_in_use.stop()
        for host in self.hosts:
            host.remove()
        self.hosts.clear()

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
