"""Record the benchmark capture: nginx under wrk in network namespaces, 128 bytes of each packet.

``python benchmarks/record.py PATH [--packets N]``; needs root, tcpdump, nginx, wrk, iproute2, ethtool. The
mix is that of a busy web server: short connections that the server closes (``Connection: close``), short ones
that the client closes, and kept-alive ones with small and large replies, in turns until the file holds at
least N packets. tcpdump must not have lost one, else the recording fails.
"""

from __future__ import annotations

import argparse
import itertools
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.lab import Lab, missing

SNAPLEN = 128
BUFFER = 256 * 1024  # KiB for the kernel's ring: seconds of traffic
PORT = 8080

NGINX = """
daemon off; pid {home}/pid; error_log {home}/error.log; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log off; default_type text/plain; client_body_temp_path {home};
  server {{ listen {address}:{port} backlog=4096; root {home}; keepalive_requests 1000000; }}
}}
"""


@contextmanager
def web_server(lab: Lab, home: Path) -> Iterator[str]:
    """nginx on host B; its URL without a path."""
    (home / "small").write_text("s" * 600)
    (home / "large").write_text("l" * 30_000)
    (home / "nginx.conf").write_text(NGINX.format(home=home, address=lab.b.address, port=PORT))
    process = lab.b.start("nginx", "-p", str(home), "-c", str(home / "nginx.conf"))
    _wait_until(lambda: _answers(lab))
    try:
        yield f"http://{lab.b.address}:{PORT}"
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


def closed_by_client(lab: Lab, count: int = 2000) -> None:
    """Short connections that the client closes first, one after another."""
    request = b"GET /small HTTP/1.1\r\nHost: b\r\n\r\n"
    for _ in range(count):
        with lab.a.connect((lab.b.address, PORT)) as client:
            client.sendall(request)
            while b"sss" not in client.recv(4096):
                pass


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


def record(path: Path, wanted: int) -> int:
    """Record at least ``wanted`` packets to ``path``; how many there are."""
    with tempfile.TemporaryDirectory() as folder, Lab() as lab:
        Path(folder).chmod(0o755)  # nginx' worker is another user
        with web_server(lab, Path(folder)) as url:
            tap = lab.tap("b", str(path), snaplen=SNAPLEN, buffer=BUFFER, bulk=True)
            _play(lab, url, path, wanted)
            tap.stop()
    return tap.captured


def _play(lab: Lab, url: str, path: Path, wanted: int) -> None:
    def wrk(page: str, connections: int, *options: str) -> None:
        lab.a.run("wrk", "-t1", f"-c{connections}", "-d1s", *options, f"{url}/{page}")

    turns: tuple[Callable[[], None], ...] = (
        lambda: wrk("small", 32, "-H", "Connection: close"),
        lambda: closed_by_client(lab),
        lambda: wrk("small", 64),
        lambda: wrk("large", 16),
    )
    recorded = packets_in(path)
    for turn in itertools.cycle(turns):
        if next(recorded) >= wanted:
            return
        turn()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="where the capture goes")
    parser.add_argument("--packets", type=int, default=1_000_000, help="at least so many (default: %(default)s)")
    arguments = parser.parse_args()
    if reason := missing("nginx", "wrk"):
        parser.error(reason)
    print(f"{arguments.path}: {record(arguments.path, arguments.packets)} packets, none lost by tcpdump")
    return 0


if __name__ == "__main__":
    sys.exit(main())
