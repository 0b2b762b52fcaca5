"""Handshakes that the server's kernel does not let through: a full accept queue, a last ACK that counts for nothing."""

from __future__ import annotations

import socket

from captures.recipes.play import pause

from ..network import Lab
from ..scenario import scenario


def ask(lab: Lab, to: tuple[str, int], *ports: int) -> list[socket.socket]:
    """One connection after the other asked for from these ports, none waited for."""
    clients = []
    for port in ports:
        client = lab.a.new_socket()
        client.setblocking(False)
        client.bind((lab.a.address, port))
        client.connect_ex(to)
        clients.append(client)
        pause(0.002)
    lab.sockets += clients
    return clients


@scenario(causes=("", "", "no-connection", ""))
def accept_queue_overflow_resets(lab: Lab) -> None:
    """Nobody accepts and the listener's queue holds two (tcp_abort_on_overflow is 1): of two clients that ask at once
    the second is answered with a RST to its last ACK; a later SYN gets no answer at all.
    """
    lab.b.sysctl(tcp_abort_on_overflow=1, tcp_syncookies=0)
    listener = lab.b.listen(8080, backlog=1)
    lab.sockets.append(listener)
    ask(lab, listener.getsockname()[:2], 41001)
    pause(0.1)
    ask(lab, listener.getsockname()[:2], 41002, 41003)
    pause(0.2)
    ask(lab, listener.getsockname()[:2], 41004)
    pause(1.3)
