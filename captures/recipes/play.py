"""What scenes are made of: requests, replies, the ways to let go of a socket."""

from __future__ import annotations

import socket
import struct
import time

from tests.lab import Lab

REQUEST = b"GET /report HTTP/1.1\r\nHost: example.com\r\n\r\n"
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n" + b"." * 400

pause = time.sleep


def receive(sock: socket.socket, size: int) -> bytes:
    """Read exactly ``size`` bytes."""
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise EOFError(f"{len(data)} of {size} bytes, then the end")
        data += piece
    return data


def exchange(client: socket.socket, server: socket.socket, request: bytes = REQUEST, reply: bytes = REPLY) -> None:
    """One request and its reply, both read to the end; then long enough for the last acknowledgment to be
    sent.
    """
    client.sendall(request)
    receive(server, len(request))
    server.sendall(reply)
    receive(client, len(reply))
    pause(0.1)


def opened(lab: Lab, **options: object) -> tuple[socket.socket, socket.socket]:
    """A connection over which one request was answered: (client, server)."""
    client, server = lab.connect(**options)  # type: ignore[arg-type]
    exchange(client, server)
    return client, server


def close_after_eof(sock: socket.socket, reaction: float = 0.05) -> None:
    """Close as a good passive closer does: read the end of the stream, then close, ``reaction`` seconds
    later.
    """
    assert sock.recv(1) == b""
    pause(reaction)
    sock.close()
    pause(0.05)


def abort(sock: socket.socket) -> None:
    """Close with SO_LINGER 0: a RST instead of a FIN, and whatever was not sent yet is thrown away."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def passing_visit(lab: Lab) -> None:
    """A short connection of somebody else, closed well: it shows that the capture still ran at this moment."""
    client, server = opened(lab, port=9090)
    client.close()
    close_after_eof(server)
