"""Three hundred connections of all kinds at once."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable

from captures.recipes.play import REPLY, REQUEST, abort, receive

from ..network import Lab
from ..relay import Policy
from ..scenario import scenario

CROWD = 300
LOSS = 0.01  # of all packets, on each half of the way


def client_first(client: socket.socket, server: socket.socket, wait: float) -> None:
    """The client closes, the server follows."""
    client.close()
    server.recv(1)
    time.sleep(wait)
    server.close()


def server_first(client: socket.socket, server: socket.socket, wait: float) -> None:
    """The server shuts its sending side, the client follows."""
    server.shutdown(socket.SHUT_WR)
    client.recv(1)
    time.sleep(wait)
    client.close()
    server.close()


def both(client: socket.socket, server: socket.socket, wait: float) -> None:
    """Both close at once."""
    client.close()
    server.close()


def aborted(client: socket.socket, server: socket.socket, wait: float) -> None:
    """The client aborts."""
    time.sleep(wait)
    abort(client)


def half_closed(client: socket.socket, server: socket.socket, wait: float) -> None:
    """The client shuts its sending side, the server answers once more and closes."""
    client.shutdown(socket.SHUT_WR)
    server.recv(1)
    server.sendall(REPLY)
    time.sleep(wait)
    server.close()
    receive(client, len(REPLY))
    client.close()


def leaked(client: socket.socket, server: socket.socket, wait: float) -> None:
    """The client closes and nobody follows."""
    client.close()


def late(client: socket.socket, server: socket.socket, wait: float) -> None:
    """The server closes, the client's request meets a RST."""
    server.close()
    time.sleep(wait)
    client.send(REQUEST)


ENDS: tuple[Callable[[socket.socket, socket.socket, float], None], ...] = (
    client_first,
    server_first,
    both,
    aborted,
    half_closed,
    leaked,
    late,
)


def lossy(dice: random.Random) -> Policy:
    """A policy that loses packets by chance."""
    return lambda packet, from_a: () if dice.random() < LOSS else (0.0,)


@scenario(causes=None, lossy=True)
def three_hundred_at_once(lab: Lab) -> None:
    """300 connections that end in seven ways, mixed, over a path that loses one packet in fifty."""
    dice = random.Random(5)
    listener = lab.b.listen(8080, backlog=400)
    held: list[socket.socket] = []
    assert lab.relay_in_use is not None
    lab.relay_in_use.left = lab.relay_in_use.right = lossy(dice)

    def visit(port: int, wait: float, end: Callable[[socket.socket, socket.socket, float], None]) -> None:
        time.sleep(wait * 20)
        try:
            client = lab.a.connect(listener.getsockname()[:2], port=port)
            server = accepted.pop(port) if port in accepted else waiting(port)
            held.extend((client, server))
            client.sendall(REQUEST)
            receive(server, len(REQUEST))
            server.sendall(REPLY)
            receive(client, len(REPLY))
            end(client, server, wait)
        except OSError:
            return  # the path lost too much; the kernels' account says what became of it

    accepted: dict[int, socket.socket] = {}

    def waiting(port: int) -> socket.socket:
        give_up = time.monotonic() + 5
        while port not in accepted and time.monotonic() < give_up:
            time.sleep(0.005)
        if port not in accepted:
            raise TimeoutError
        return accepted.pop(port)

    def accept() -> None:
        while True:
            try:
                server, peer = listener.accept()
            except OSError:
                return
            server.settimeout(5.0)
            accepted[peer[1]] = server

    threading.Thread(target=accept, daemon=True).start()
    crowd = [
        threading.Thread(target=visit, args=(43000 + n, dice.random() * 0.2, dice.choice(ENDS))) for n in range(CROWD)
    ]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    time.sleep(2.0)
    lab.sockets += held
    listener.close()
