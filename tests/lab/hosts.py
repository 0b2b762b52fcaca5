"""A host of the laboratory: one network namespace, and sockets, commands and processes inside it.

A thread enters a namespace with ``setns``; whatever socket or device it makes there stays there for life. So
nothing but the making of a socket needs the namespace, and a scenario can drive both ends of a connection
from one thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

CLONE_NEWNET = 0x40000000
CONNECTIONS = 4096  # room in a namespace's own table
_libc = ctypes.CDLL(None, use_errno=True)


class LabError(RuntimeError):
    """The laboratory could not be set up, or a command in it failed; the message holds the command and its
    words.
    """


def run(*command: str, stdin: str | None = None) -> str:
    """Run a command to its end and return what it printed; LabError when it fails."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def _small_tables() -> Iterator[None]:
    """Namespaces made meanwhile get a small table of connections of their own. Else they share the machine's, which is
    so large that each look at it with sock_diag takes milliseconds.
    """
    with open("/proc/thread-self/ns/net", "rb") as home:  # noqa: PTH123 - the descriptor is what is wanted
        if _libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        try:
            setting = Path("/proc/sys/net/ipv4/tcp_child_ehash_entries")
            if setting.exists():  # since Linux 6.1
                setting.write_text(f"{CONNECTIONS}\n")
            yield
        finally:
            _setns(home.fileno())


def hurry(on: bool = True, who: int = 0) -> None:
    """What the calling thread (or process ``who``) does from now on comes before all other work of the machine, or no
    longer: a path of 10 ms shall take 10 ms whoever else is busy. For those that sleep nearly all the time; their
    children do not inherit it.
    """
    policy, priority = (os.SCHED_RR, 1) if on else (os.SCHED_OTHER, 0)
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(who, policy | os.SCHED_RESET_ON_FORK, os.sched_param(priority))


class Host:
    """A network namespace with the name ``label`` in scenarios and ``name`` on the machine."""

    def __init__(self, label: str, name: str) -> None:
        self.label = label
        self.name = name
        self.address = ""  # of its first interface, filled in by the wiring
        self.address6 = ""
        self._processes: list[subprocess.Popen[bytes]] = []
        with _small_tables():
            run("ip", "netns", "add", name)
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *command: str, stdin: str | None = None) -> str:
        """Run a command inside the namespace and return what it printed."""
        return run("ip", "netns", "exec", self.name, *command, stdin=stdin)

    def start(self, *command: str, **options: object) -> subprocess.Popen[bytes]:
        """Start a process inside the namespace; it is killed with the host if it still runs then."""
        inside = ("ip", "netns", "exec", self.name, *command)
        process: subprocess.Popen[bytes] = subprocess.Popen(inside, **options)  # type: ignore[call-overload]
        self._processes.append(process)
        return process

    def python(self, program: str, *arguments: str, **options: object) -> subprocess.Popen[bytes]:
        """Start a Python program inside the namespace: for what needs a process of its own (fork, SIGKILL)."""
        return self.start(sys.executable, "-c", program, *arguments, **options)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """The calling thread is inside the namespace; sockets made here belong to it for ever."""
        with (
            open("/proc/thread-self/ns/net", "rb") as home,  # noqa: PTH123 - the descriptor is what is wanted
            Path("/run/netns", self.name).open("rb") as inside,
        ):
            _setns(inside.fileno())
            try:
                yield
            finally:
                _setns(home.fileno())

    def sysctl(self, **values: object) -> None:
        """Set TCP sysctls of this namespace: ``sysctl(tcp_fin_timeout=5)`` is net.ipv4.tcp_fin_timeout."""
        with self.entered():
            for name, value in values.items():
                Path("/proc/sys/net/ipv4", name).write_text(f"{value}\n")

    def offloads(self, on: bool, interface: str = "eth0") -> None:
        """Segmentation and checksum offloads of an interface; off, every packet is as on a wire."""
        features = [word for name in ("tso", "gso", "gro", "tx", "rx") for word in (name, "on" if on else "off")]
        self.run("ethtool", "-K", interface, *features)

    def new_socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM, proto: int = 0) -> socket.socket:
        """A new socket that lives in this namespace."""
        with self.entered():
            return socket.socket(family, kind, proto)

    def listen(self, port: int = 0, *, ipv6: bool = False, backlog: int = 128) -> socket.socket:
        """A listening socket on this host's address."""
        listener = self.new_socket(socket.AF_INET6 if ipv6 else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.address6 if ipv6 else self.address, port))
        listener.listen(backlog)
        return listener

    def connect(self, to: tuple[str, int], *, port: int = 0, timeout: float = 5.0) -> socket.socket:
        """A connection from this host, from source ``port`` when one is given."""
        ipv6 = ":" in to[0]
        client = self.new_socket(socket.AF_INET6 if ipv6 else socket.AF_INET)
        if port:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind((self.address6 if ipv6 else self.address, port))
        client.settimeout(timeout)
        client.connect(to)
        return client

    def remove(self) -> None:
        """Kill what still runs here and remove the namespace; sockets still open keep it alive unnamed."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        if Path("/run/netns", self.name).exists():
            run("ip", "netns", "del", self.name)


def is_root() -> bool:
    """Whether namespaces may be made at all."""
    return os.geteuid() == 0
