"""The clients of an ordinary day. Each kind is a coroutine that opens one connection and sees it closed.

Run inside host A's namespace: ``python -m tests.lab.ordinary.clients SERVER CLOSES SEED all|KIND ADDRESS...``; it
prints how many connections of each kind there were, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import ssl
import struct
import sys
from collections import Counter
from collections.abc import Awaitable, Callable

from .servers import ANSWERS, GREETS, HTTP, HTTPS, SINK

AT_ONCE = 200
PAGES = ("small", "small", "small", "middle", "large")
LINGER_0 = struct.pack("ii", 1, 0)


class Day:
    """Who the clients are and whom they ask."""

    def __init__(self, server: str, addresses: list[str], seed: int) -> None:
        self.server, self.addresses, self.chance = server, addresses, random.Random(seed)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE

    async def opened(self, port: int) -> socket.socket:
        """A connection from one of the addresses."""
        one = socket.socket()
        one.setblocking(False)
        one.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT: the port is chosen by who is asked
        one.bind((self.chance.choice(self.addresses), 0))
        await asyncio.get_running_loop().sock_connect(one, (self.server, port))
        return one

    def request(self, *headers: str, version: str = "1.1") -> bytes:
        lines = [f"GET /{self.chance.choice(PAGES)} HTTP/{version}", "Host: example.com", *headers, "", ""]
        return "\r\n".join(lines).encode()


async def piece(one: socket.socket) -> bytes:
    """What has come, which is not the end."""
    if data := await asyncio.get_running_loop().sock_recv(one, 65536):
        return data
    raise EOFError(f"{one.getsockname()} was closed in the midst of an answer")


async def response(one: socket.socket) -> None:
    """Read one response of nginx to its end."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += await piece(one)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
    left = length - len(body)
    while left > 0:
        left -= len(await piece(one))


async def to_the_end(one: socket.socket) -> None:
    """Read to the end of the stream."""
    while await asyncio.get_running_loop().sock_recv(one, 65536):
        pass


async def asked(day: Day, times: int) -> socket.socket:
    """A connection on which some requests were answered."""
    one = await day.opened(HTTP)
    for _ in range(times):
        await asyncio.get_running_loop().sock_sendall(one, day.request())
        await response(one)
        await asyncio.sleep(day.chance.random() * 0.05)
    return one


async def keep_alive(day: Day) -> None:
    (await asked(day, day.chance.randint(1, 5))).close()


async def server_closes(day: Day) -> None:
    one = await asked(day, day.chance.randint(0, 2))
    await asyncio.get_running_loop().sock_sendall(one, day.request("Connection: close"))
    await to_the_end(one)
    one.close()


async def http_1_0(day: Day) -> None:
    one = await day.opened(HTTP)
    await asyncio.get_running_loop().sock_sendall(one, day.request(version="1.0"))
    await to_the_end(one)
    one.close()


async def idle(day: Day) -> None:
    """The server's keep-alive time-out ends it."""
    one = await asked(day, day.chance.randint(1, 3))
    await to_the_end(one)
    one.close()


async def tls_client_closes(day: Day) -> None:
    await over_tls(day, "Connection: keep-alive", to_the_end_too=False)


async def tls_server_closes(day: Day) -> None:
    await over_tls(day, "Connection: close", to_the_end_too=True)


async def over_tls(day: Day, header: str, *, to_the_end_too: bool) -> None:
    one = await day.opened(HTTPS)
    reader, writer = await asyncio.open_connection(sock=one, ssl=day.tls, server_hostname="example.com")
    writer.write(day.request(header))
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
    await reader.readexactly(length)
    if to_the_end_too:
        await reader.read()
    writer.close()
    await writer.wait_closed()


async def connects_and_closes(day: Day) -> None:
    (await day.opened(day.chance.choice((HTTP, ANSWERS)))).close()


async def connects_and_resets(day: Day) -> None:
    one = await day.opened(HTTP)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
    one.close()


async def checks_and_resets(day: Day) -> None:
    """A health check that is satisfied with the answer and lets go at once."""
    one = await asked(day, 1)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
    one.close()


async def half_closes(day: Day) -> None:
    """As nc -N does: no more input, but the answer is read to the end."""
    await asks_slowly(day, 0.0)


async def slow_answer(day: Day) -> None:
    await asks_slowly(day, 0.2 + day.chance.random() * 2)


async def asks_slowly(day: Day, seconds: float) -> None:
    one, loop = await day.opened(ANSWERS), asyncio.get_running_loop()
    await loop.sock_sendall(one, f"{seconds:.3f}\n".encode())
    if not seconds:
        one.shutdown(socket.SHUT_WR)
        await to_the_end(one)
    else:
        await loop.sock_recv(one, 65536)
    one.close()


async def uploads(day: Day) -> None:
    one = await day.opened(SINK)
    await asyncio.get_running_loop().sock_sendall(one, b"z" * day.chance.randint(10, 30_000))
    one.close()


async def is_greeted(day: Day) -> None:
    one, loop = await day.opened(GREETS), asyncio.get_running_loop()
    await loop.sock_recv(one, 1000)
    for _ in range(day.chance.randint(0, 3)):
        await loop.sock_sendall(one, b"NOOP\r\n")
        await loop.sock_recv(one, 1000)
    await loop.sock_sendall(one, b"QUIT\r\n")
    await to_the_end(one)
    one.close()


KINDS: dict[Callable[[Day], Awaitable[None]], int] = {
    keep_alive: 24,
    server_closes: 14,
    http_1_0: 9,
    idle: 9,
    tls_client_closes: 6,
    tls_server_closes: 6,
    connects_and_closes: 8,
    connects_and_resets: 4,
    checks_and_resets: 4,
    half_closes: 5,
    slow_answer: 4,
    uploads: 4,
    is_greeted: 3,
}


async def live(day: Day, closes: int, kinds: dict[Callable[[Day], Awaitable[None]], int]) -> Counter[str]:
    """So many connections, of kinds by chance, some hundred at once; how many of each there were."""
    wanted = day.chance.choices(list(kinds), list(kinds.values()), k=closes)
    left = iter(wanted)

    async def work() -> None:
        for kind in left:
            await kind(day)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return Counter(kind.__name__ for kind in wanted)


def main() -> None:
    server, closes, seed, only, *addresses = sys.argv[1:]
    kinds = {kind: share for kind, share in KINDS.items() if only in ("all", kind.__name__)}
    print(json.dumps(asyncio.run(live(Day(server, addresses, int(seed)), int(closes), kinds))))


if __name__ == "__main__":
    main()
