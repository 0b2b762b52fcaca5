"""Real traffic in network namespaces, recorded once: 128 bytes of each packet, by tcpdump, which must lose none.

    mix     a busy web server, about 13 packets a connection: short ones closed by the server or by the client,
            kept-alive ones, larger replies, RSTs of several kinds, and some connections that nobody closes
    short   connections of one request, about 10 packets, closed by the server or by the client
    bulk    few connections, each of them a transfer of 20 MB
    flood   SYNs from spoofed sources; of every two one is answered (with a SYN cookie) and one dropped

The server is nginx, the clients are wrk and Python's sockets. Every second or so the clients move to another address,
so that few connections have a tuple that was used before. Needs root, tcpdump, nginx, wrk, iproute2, nftables, ethtool.
"""

from __future__ import annotations

import itertools
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.flood import flood
from tests.lab import Lab, Tap

SNAPLEN = 128
BUFFER = 256 * 1024  # KiB for the kernel's ring: seconds of traffic
PORT, CLOSED_PORT = 8080, 8081
SMALL, LARGE, HUGE = 600, 30_000, 20_000_000  # bytes of the pages
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a RST

NGINX = """
daemon off; master_process off; pid {home}/pid; error_log {home}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; default_type text/plain; client_body_temp_path {home}; keepalive_requests 5;
  server {{ listen {address}:{port} backlog=4096; root {home}; }}
}}
"""


class Client:
    """The ways in which host A uses the web server on host B."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self._network = lab, f"10.{lab.number}.1"
        self._addresses = iter(range(10, 250))
        lab.a.sysctl(ip_local_port_range="1024 65535")

    def move(self) -> None:
        """What is opened from here on comes from a new address."""
        address = f"{self._network}.{next(self._addresses)}"
        self.lab.a.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
        self.lab.a.run("ip", "route", "replace", "default", "via", f"{self._network}.1", "src", address)

    def wrk(self, page: str, connections: int, *options: str) -> None:
        """A second of requests; the server closes a connection after five of them."""
        url = f"http://{self.lab.b.address}:{PORT}/{page}"
        self.lab.a.run("wrk", "-t1", f"-c{connections}", "-d1s", *options, url)

    def closed_by_server(self, page: str = "small", connections: int = 32) -> None:
        """A second of connections with one request each."""
        self.wrk(page, connections, "-H", "Connection: close")

    def request(self, page: str, enough: int) -> socket.socket:
        """A connection on which a page was asked for and ``enough`` bytes of the answer were read."""
        client = self.lab.a.connect((self.lab.b.address, PORT))
        client.sendall(f"GET /{page} HTTP/1.1\r\nHost: b\r\n\r\n".encode())
        while enough > 0:
            enough -= len(client.recv(65536))
        return client

    def closed_by_client(self, count: int) -> None:
        """Connections with one request each that the client closes, one after another."""
        for _ in range(count):
            self.request("small", SMALL).close()

    def reset(self, count: int) -> None:
        """RSTs: by a client in haste, by one that leaves an answer unread, and from a port where nobody listens."""
        for _ in range(count):
            hasty = self.request("small", SMALL)
            hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            hasty.close()
            self.request("large", 1).close()
            with self.lab.a.new_socket() as refused:
                refused.connect_ex((self.lab.b.address, CLOSED_PORT))

    def left_open(self, count: int) -> None:
        """Connections that are still open when the recording ends."""
        self.lab.sockets += [self.request("small", SMALL) for _ in range(count)]


@contextmanager
def web_server(lab: Lab, home: Path) -> Iterator[None]:
    """nginx on host B."""
    home.chmod(0o755)  # nginx may be another user
    for page, size in (("small", SMALL), ("large", LARGE), ("huge", HUGE)):
        (home / page).write_bytes(b"x" * size)
    (home / "nginx.conf").write_text(NGINX.format(home=home, address=lab.b.address, port=PORT))
    process = lab.b.start("nginx", "-p", str(home), "-c", str(home / "nginx.conf"))
    _wait_until(lambda: _answers(lab))
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def _answers(lab: Lab) -> bool:
    try:
        lab.a.connect((lab.b.address, PORT)).close()
    except ConnectionRefusedError:
        return False
    return True


def _wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        time.sleep(0.01)
    raise TimeoutError("the web server did not begin")


def packets_in(path: Path) -> Iterator[int]:
    """How many whole records the growing file holds; each look goes on where the last one stopped."""
    count, place = 0, 24
    with path.open("rb") as file:
        while True:
            file.seek(place)
            data = file.read()
            start = 0
            while start + 16 <= len(data):
                end = start + 16 + struct.unpack_from("=I", data, start + 8)[0]
                if end > len(data):
                    break
                start, count = end, count + 1
            place += start
            yield count


def _mix(client: Client) -> None:
    client.closed_by_server()
    client.move()
    client.closed_by_client(3000)
    client.wrk("small", 64)
    client.move()
    client.reset(300)
    client.left_open(100)
    for _ in range(100):
        client.request("large", LARGE).close()


def _short(client: Client) -> None:
    client.closed_by_server()
    client.move()
    client.closed_by_client(3000)


def _bulk(client: Client) -> None:
    client.closed_by_server("huge", 8)


def record(kind: str, path: Path, wanted: int) -> int:
    """Record at least ``wanted`` packets of one kind to ``path``; how many there are."""
    with tempfile.TemporaryDirectory() as folder, Lab() as lab:
        if kind == "flood":
            tap = _tap(lab, path)
            flood(lab, wanted * 2 // 3 + 2)
        else:
            with web_server(lab, Path(folder)):
                tap = _tap(lab, path)
                _rounds({"mix": _mix, "short": _short, "bulk": _bulk}[kind], Client(lab), path, wanted)
                tap.stop()
        tap.stop()
    return tap.captured


def _tap(lab: Lab, path: Path) -> Tap:
    return lab.tap("b", str(path), snaplen=SNAPLEN, buffer=BUFFER, bulk=True)


def _rounds(play: Callable[[Client], None], client: Client, path: Path, wanted: int) -> None:
    recorded = packets_in(path)
    for _ in itertools.takewhile(lambda _: next(recorded) < wanted, itertools.count()):
        client.move()
        play(client)
