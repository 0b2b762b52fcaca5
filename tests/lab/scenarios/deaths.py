"""Connections that die because nobody answers: vanished hosts, timers, closed windows."""

from __future__ import annotations

import contextlib
import socket

from captures.recipes.play import REQUEST, close_after_eof, opened, pause

from .. import loss
from ..network import Lab
from ..scenario import Hidden, scenario
from .visits import visit

GIVE_UP = (Hidden("a", "silent-death", ("CLOSED",)),)


@scenario(
    hidden=(
        Hidden("a", "silent-death", ("CLOSED",), taps="a"),
        Hidden("a", "lost-before-the-tap", ("FIN_WAIT_1", "CLOSED"), taps="mb"),
    )
)
def host_vanishes_before_the_close(lab: Lab) -> None:
    """The server's host vanishes from the network and the client closes: it repeats its FIN and gives up."""
    lab.a.sysctl(tcp_orphan_retries=2)
    client, _server = opened(lab)
    lab.loss.lose(loss.EVERYTHING)
    client.close()
    pause(4.5)
    lab.loss.nothing()
    visit(lab)


@scenario(hidden=(Hidden("a", "silent-death", ("CLOSED",)),))
def host_vanishes_with_data_on_the_way(lab: Lab) -> None:
    """The server's host vanishes and the client's data is repeated until the kernel gives up, without a word."""
    lab.a.sysctl(tcp_retries2=3)
    client, _server = opened(lab)
    lab.loss.lose(loss.EVERYTHING)
    client.sendall(REQUEST)
    pause(5.0)
    lab.loss.nothing()
    visit(lab)


def probing(client: socket.socket) -> None:
    """From now on a keep-alive probe after each second of silence; after three without an answer the kernel
    gives up.
    """
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
        client.setsockopt(socket.IPPROTO_TCP, option, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


@scenario(causes=("gave-up|abort",))
def keepalive_gives_up(lab: Lab) -> None:
    """Keep-alive probes stay unanswered; the client's kernel gives up and sends a RST."""
    client, _server = opened(lab)
    probing(client)
    lab.loss.lose(loss.EVERYTHING, by="b")
    pause(5.0)
    lab.loss.nothing()
    visit(lab)


@scenario(hidden=GIVE_UP)
def user_timeout(lab: Lab) -> None:
    """The client's data stays unacknowledged beyond TCP_USER_TIMEOUT: its kernel gives up without a word."""
    client, _server = opened(lab)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 700)
    lab.loss.lose(loss.EVERYTHING)
    client.sendall(REQUEST)
    pause(3.0)
    lab.loss.nothing()
    visit(lab)


def _fill(client: socket.socket) -> None:
    """Send until the peer's window is closed."""
    client.setblocking(False)
    try:
        while client.send(b"z" * 4096):
            pause(0.002)
    except BlockingIOError:
        client.setblocking(True)


@scenario()
def closed_behind_a_zero_window(lab: Lab) -> None:
    """The server's window is closed when the client closes; the server reads on, and the FIN goes out at last."""
    with lab.b.listen(8080) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client = lab.a.connect(listener.getsockname()[:2])
        server, _ = listener.accept()
    lab.sockets += [client, server]
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    _fill(client)
    pause(0.3)
    client.close()
    pause(0.5)
    while server.recv(65536):
        pause(0.02)
    server.close()
    pause(0.1)


@scenario(hidden=(Hidden("a", "held-back", ("FIN_WAIT_1",)),))
def closed_behind_a_zero_window_for_ever(lab: Lab) -> None:
    """The server's window stays closed: the client has closed, but its FIN never appears while the capture runs."""
    with lab.b.listen(8080) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client = lab.a.connect(listener.getsockname()[:2])
        server, _ = listener.accept()
    lab.sockets += [client, server]
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    _fill(client)
    pause(0.3)
    client.close()
    pause(0.7)
    visit(lab)


@scenario()
def silent_while_then_closed(lab: Lab) -> None:
    """Keep-alive probes are answered for three seconds, then the client closes in order: probes are no data."""
    client, server = opened(lab)
    for side in (client, server):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        side.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
        side.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    pause(3.2)
    client.close()
    close_after_eof(server)


@scenario(
    causes=("gave-up|abort",),
    hidden=(
        Hidden("a", "lost-before-the-tap", ("CLOSED",), taps="mb"),
        Hidden("b", "never-arrived", (), ("CLOSED",), taps="a"),
    ),
)
def keepalive_probes_lost(lab: Lab) -> None:
    """The client's keep-alive probes are lost, and so is the RST with which its kernel gives up: the server knows
    nothing of it and stays ESTABLISHED.
    """
    client, _server = opened(lab)
    probing(client)
    lab.loss.lose(loss.EVERYTHING, by="a")
    pause(4.5)
    lab.loss.nothing()
    visit(lab)


@scenario(causes=("no-connection|gave-up",))
def keepalive_probes_lost_then_data(lab: Lab) -> None:
    """The same, and the server has something to say when the path has healed: its data meets a RST."""
    client, server = opened(lab)
    probing(client)
    lab.loss.lose(loss.EVERYTHING, by="a")
    pause(4.5)
    lab.loss.nothing()
    with contextlib.suppress(OSError):
        server.sendall(b"are you there?\n")
    pause(0.3)
    visit(lab)


@scenario()
def keepalive_answers_lost_for_a_while(lab: Lab) -> None:
    """Two answers to the client's keep-alive probes are lost, the third arrives, and the client closes in order."""
    client, server = opened(lab)
    probing(client)
    lab.loss.lose(loss.EVERYTHING, by="b", first=2)
    pause(3.6)
    client.close()
    close_after_eof(server)
