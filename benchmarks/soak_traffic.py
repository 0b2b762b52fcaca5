"""Mixed traffic for the soak: the two ends of it, each a process in a namespace of its own.

    python benchmarks/soak_traffic.py server ADDRESS ADDRESS6
    python benchmarks/soak_traffic.py client ADDRESS ADDRESS6 RATE OWN
    python benchmarks/soak_traffic.py flood ADDRESS COUNT

Ordinary requests, closed by either end; long connections; servers that do not close (CLOSE_WAIT), or late; resets of
either end; refused connections; ports used again at once; SYNs that nobody follows. A third of it is IPv6.
"""

import asyncio
import contextlib
import random
import socket
import struct
import sys
from collections.abc import Awaitable, Callable

ORDINARY, SERVER_CLOSES, LONG, LEAK, LATE, RESET, REFUSED = range(8000, 8007)
LEAKED, LATE_S, LONG_S = 40.0, 3.0, 60.0  # seconds until a leak is closed after all, a late FIN, a long connection
REUSED = range(20_000, 20_020)
KINDS = (
    (ORDINARY, 40), (SERVER_CLOSES, 25), (LONG, 2), (LEAK, 2), (LATE, 5), (RESET, 8), (REFUSED, 5), (0, 3),
)  # fmt: skip
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
TROUBLE = (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError)


def reset(writer: Writer) -> None:
    """Close with a RST."""
    own = writer.get_extra_info("socket")
    if own is not None:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


async def answer(port: int, reader: Reader, writer: Writer) -> None:
    """What the server does with a connection."""
    with contextlib.suppress(*TROUBLE):
        while line := await reader.readline():
            writer.write(b"x" * random.randrange(20, 4000) + b"\n")
            await writer.drain()
            if port in (SERVER_CLOSES, RESET):
                break
        if port in (LEAK, LATE):
            await asyncio.sleep(LEAKED if port == LEAK else random.uniform(0.5, LATE_S))
        del line
    if port == RESET and random.random() < 0.5:
        reset(writer)
    with contextlib.suppress(OSError):
        writer.close()


async def serve(addresses: list[str]) -> None:
    """Listen on all ports but the refused one."""

    def handler(port: int) -> Callable[[Reader, Writer], Awaitable[None]]:
        return lambda reader, writer: answer(port, reader, writer)

    for port in range(ORDINARY, REFUSED):
        for address in addresses:
            await asyncio.start_server(handler(port), address, port, backlog=512)
    print("listening", flush=True)
    await asyncio.Event().wait()


async def ask(address: str, port: int) -> None:
    """One connection of the client."""
    again = port == SERVER_CLOSES and "." in address and random.random() < 0.5
    own = ("0.0.0.0", random.choice(REUSED)) if again else None
    with contextlib.suppress(*TROUBLE):
        opened = asyncio.open_connection(address, port, local_addr=own)
        reader, writer = await asyncio.wait_for(opened, 10)
        try:
            for _ in range(random.randrange(1, 4) if port != LONG else int(LONG_S)):
                writer.write(b"GET /\n")
                await writer.drain()
                await asyncio.wait_for(reader.readline(), 10)
                if port == LONG:
                    await asyncio.sleep(random.uniform(0.5, 1.5))
            if port == SERVER_CLOSES:
                await asyncio.wait_for(reader.read(), 10)
        finally:
            if port == RESET:
                reset(writer)
            writer.close()


def half_open(address: str, own: str, count: int = 1) -> None:
    """SYNs of hosts that are not there, or with ``own`` of a port that no socket has."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for place in range(count):
            source = own or f"10.77.{place >> 8 & 255}.{place & 255}"
            port = random.randrange(30_000, 60_000)
            ends = socket.inet_aton(source) + socket.inet_aton(address)
            tcp = struct.pack(">HHIIBBHHH", port, ORDINARY, random.getrandbits(32), 0, 0x50, 2, 64240, 0, 0)
            total = sum(struct.unpack(">16H", ends + struct.pack(">HH", 6, len(tcp)) + tcp))
            total = (total >> 16) + (total & 0xFFFF)
            check = ~(total + (total >> 16)) & 0xFFFF
            ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), place & 0xFFFF, 0, 64, 6, 0) + ends
            with contextlib.suppress(OSError):
                raw.sendto(ip + tcp[:16] + struct.pack(">H", check) + tcp[18:], (address, 0))


async def ask_all(address: str, address6: str, rate: float, own: str) -> None:
    """Connections at ``rate`` a second until the process is ended."""
    ports, weights = zip(*KINDS, strict=True)
    running: set[asyncio.Task[None]] = set()
    while True:
        port = random.choices(ports, weights)[0]
        if port == 0:
            half_open(address, own)
        else:
            task = asyncio.create_task(ask(address6 if random.random() < 1 / 3 else address, port))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.sleep(random.expovariate(rate))


if __name__ == "__main__":
    role, target = sys.argv[1:3]
    if role == "server":
        asyncio.run(serve(sys.argv[2:4]))
    elif role == "client":
        asyncio.run(ask_all(target, sys.argv[3], float(sys.argv[4]), sys.argv[5]))
    else:
        half_open(target, "", int(sys.argv[3]))
