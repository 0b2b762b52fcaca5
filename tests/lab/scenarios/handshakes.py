"""Handshakes that the server's kernel does not let through: a full accept queue, a last ACK that counts for nothing."""

from __future__ import annotations

import contextlib
import socket

from captures.recipes.play import REPLY, REQUEST, abort, close_after_eof, exchange, pause, receive

from .. import loss
from ..network import Lab
from ..relay import loses
from ..scenario import Hidden, scenario
from .losses import is_bare_ack
from .visits import visit


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


def crowd(lab: Lab) -> tuple[socket.socket, list[socket.socket]]:
    """A listener whose queue holds two, and three clients: (listener, clients). The last client is not let in."""
    lab.b.sysctl(tcp_syncookies=0)
    listener = lab.b.listen(8080, backlog=1)
    lab.sockets.append(listener)
    clients = ask(lab, listener.getsockname()[:2], 41001)
    pause(0.1)
    clients += ask(lab, listener.getsockname()[:2], 41002, 41003)
    pause(0.2)
    return listener, clients


@scenario(causes=("", "", "not-taken", ""))
def accept_queue_overflow_resets(lab: Lab) -> None:
    """Nobody accepts and the listener's queue holds two (tcp_abort_on_overflow is 1): of two clients that ask at once
    the second is answered with a RST to its last ACK; a later SYN gets no answer at all.
    """
    lab.b.sysctl(tcp_abort_on_overflow=1)
    listener, _ = crowd(lab)
    ask(lab, listener.getsockname()[:2], 41004)
    pause(1.3)


@scenario()
def syn_ack_repeated_behind_a_full_queue(lab: Lab) -> None:
    """The listener's queue is full: the third client is ESTABLISHED, but its ACK does not count. Its request is not
    acknowledged, the SYN-ACK is repeated after a second, and only when the application accepts the server is
    ESTABLISHED.
    """
    listener, clients = crowd(lab)
    clients[-1].send(REQUEST)
    pause(2.0)
    servers = [listener.accept()[0] for _ in range(2)]
    servers.append(listener.accept()[0])
    lab.sockets += servers
    receive(servers[-1], len(REQUEST))
    for client, server in zip(clients, servers, strict=True):
        client.close()
        close_after_eof(server)


@scenario(causes=("", "", "no-connection", ""))
def forgotten_behind_a_full_queue(lab: Lab) -> None:
    """The same, but nobody ever accepts (tcp_synack_retries is 1): the server repeats its SYN-ACK once and forgets the
    request, never having been ESTABLISHED; the client's request, repeated, meets a RST.
    """
    lab.b.sysctl(tcp_synack_retries=1)
    _, clients = crowd(lab)
    clients[-1].send(REQUEST)
    pause(6.5)
    visit(lab)


def deferred(lab: Lab, seconds: int) -> tuple[socket.socket, socket.socket]:
    """A listener that defers accepting until data has come, and a client that has connected to it."""
    listener = lab.b.listen(8080)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, seconds)
    lab.sockets.append(listener)
    client = lab.a.connect(listener.getsockname()[:2])
    lab.sockets.append(client)
    return listener, client


@scenario()
def accepting_is_deferred(lab: Lab) -> None:
    """TCP_DEFER_ACCEPT: the handshake's last ACK counts for nothing, and the server stays in SYN_RECEIVED until the
    request comes half a second later.
    """
    listener, client = deferred(lab, 5)
    pause(0.5)
    client.sendall(REQUEST)
    server, _ = listener.accept()
    lab.sockets.append(server)
    receive(server, len(REQUEST))
    server.sendall(REPLY)
    receive(client, len(REPLY))
    client.close()
    close_after_eof(server)


@scenario()
def accepting_is_deferred_and_the_client_silent(lab: Lab) -> None:
    """TCP_DEFER_ACCEPT of a second, and the client says nothing: the SYN-ACK is repeated although it was acknowledged,
    and the acknowledgment of the repeat counts. The client closes later.
    """
    listener, client = deferred(lab, 1)
    server, _ = listener.accept()
    lab.sockets.append(server)
    pause(0.5)
    client.close()
    close_after_eof(server)


@scenario()
def accepting_is_deferred_until_the_fin(lab: Lab) -> None:
    """TCP_DEFER_ACCEPT, and the client closes without a word: its FIN takes the server from SYN_RECEIVED through
    ESTABLISHED to CLOSE_WAIT.
    """
    listener, client = deferred(lab, 5)
    pause(0.5)
    client.close()
    server, _ = listener.accept()
    lab.sockets.append(server)
    close_after_eof(server)


@scenario(
    causes=("abort|half-open",),
    hidden=(Hidden("b", "never-arrived", ("CLOSED",), ("ESTABLISHED", "CLOSED"), taps="a"),),
)
def aborted_in_syn_received(lab: Lab) -> None:
    """The handshake's last ACK is lost before the middle, and the client aborts: the server passes from SYN_RECEIVED to
    CLOSED and never was ESTABLISHED.
    """
    with lab.b.listen(8080) as listener:
        lab.loss.lose(loss.BARE_ACK, by="a", first=1)
        client = lab.a.connect(listener.getsockname()[:2])
        pause(0.3)
        abort(client)
        pause(0.2)


@scenario()
def handshake_ack_lost_twice(lab: Lab) -> None:
    """The handshake's last ACK is lost behind the middle, and so is the one that answers the repeated SYN-ACK; the
    third one, three seconds later, arrives.
    """
    with lab.b.listen(8080) as listener:
        lab.path.right = loses(is_bare_ack, by_a=True, count=2)
        client = lab.a.connect(listener.getsockname()[:2])
        server, _ = listener.accept()
    lab.sockets += [client, server]
    exchange(client, server)
    client.close()
    close_after_eof(server)


@scenario(causes=("no-connection",))
def handshake_ack_lost_for_ever(lab: Lab) -> None:
    """The handshake's last ACK never arrives and the SYN-ACK is repeated once (tcp_synack_retries is 1); when the
    client sends its request at last, the server has forgotten it and resets.
    """
    lab.b.sysctl(tcp_synack_retries=1)
    with lab.b.listen(8080) as listener:
        lab.loss.lose(loss.BARE_ACK, by="a")
        client = lab.a.connect(listener.getsockname()[:2])
        lab.sockets.append(client)
        pause(4.5)
        lab.loss.nothing()
        with contextlib.suppress(OSError):
            client.sendall(REQUEST)
        pause(0.2)
