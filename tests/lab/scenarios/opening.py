"""Connections that open with difficulty, or not at all."""

from __future__ import annotations

import contextlib
import socket
import threading

from captures.recipes import resets
from captures.recipes.play import REPLY, REQUEST, close_after_eof, exchange, opened, pause

from .. import loss
from ..network import Lab
from ..relay import loses
from ..scenario import Hidden, Scenario, add, scenario, story_of
from .losses import flags, is_bare_ack
from .visits import visit

add(
    Scenario(
        "connection-refused",
        "opening",
        story_of(resets.connection_refused),
        resets.connection_refused,
        causes=("connection-refused",),
    )
)
add(Scenario("syn-lost-once", "opening", story_of(resets.syn_lost_once), resets.syn_lost_once))


@scenario(hidden=(Hidden("a", "silent-death", ("CLOSED",)),))
def connection_unanswered(lab: Lab) -> None:
    """A firewall drops the SYNs in silence; the client's kernel gives up after three."""
    lab.a.sysctl(tcp_syn_retries=2)
    lab.loss.lose(loss.SYN)
    with contextlib.suppress(TimeoutError, OSError):
        lab.a.connect((lab.b.address, 8080), timeout=2.5)
    lab.loss.nothing()
    visit(lab)


@scenario()
def syn_ack_lost_once(lab: Lab) -> None:
    """The SYN-ACK is lost once; SYN and SYN-ACK are repeated."""
    lab.loss.lose(loss.SYN_ACK, first=1)
    client, server = opened(lab)
    client.close()
    close_after_eof(server)


@scenario()
def handshake_ack_lost(lab: Lab) -> None:
    """The handshake's last ACK is lost, and the first request completes the handshake for the server."""
    lab.loss.lose(loss.BARE_ACK, by="a", first=1)
    client, server = opened(lab)
    client.close()
    close_after_eof(server)


@scenario()
def handshake_ack_lost_and_silence(lab: Lab) -> None:
    """The handshake's last ACK is lost behind the middle and the client says nothing: the SYN-ACK is repeated."""
    assert lab.relay_in_use is not None
    lab.relay_in_use.right = loses(is_bare_ack, by_a=True)
    client, server = lab.connect()
    pause(0.3)
    exchange(client, server)
    client.close()
    close_after_eof(server)


@scenario()
def accept_queue_overflows(lab: Lab) -> None:
    """One client has connected, two more connect at once, and the listener's queue holds two: the last is ESTABLISHED
    while the server's kernel drops its ACK and its request and stays in SYN_RECEIVED, until the application accepts
    and the request comes again.
    """
    servers, clients = _crowd(lab, backlog=1, at_once=2)
    for client, server in zip(clients, servers, strict=True):
        lab.sockets.append(server)
        client.close()
        close_after_eof(server)


def _crowd(lab: Lab, *, backlog: int, at_once: int) -> tuple[list[socket.socket], list[socket.socket]]:
    """As many clients as the queue holds connect, then ``at_once`` more at once; the last sends its request, and only
    half a second later all are accepted: (servers, clients)."""
    with lab.b.listen(8080, backlog=backlog) as listener:
        clients = [lab.a.new_socket() for _ in range(backlog + at_once)]
        for place, client in enumerate(clients):
            client.setblocking(False)
            client.bind((lab.a.address, 41001 + place))
            client.connect_ex(listener.getsockname()[:2])
            pause(0.05 if place < backlog else 0.002)
        lab.sockets += clients
        pause(0.1)
        clients[-1].send(REQUEST)
        pause(0.4)
        servers = [listener.accept()[0] for _ in clients]
    pause(0.3)
    servers[-1].recv(len(REQUEST))
    return servers, clients


@scenario()
def answered_with_a_syn_cookie(lab: Lab) -> None:
    """Two clients connect at once to a listener with room for one: the second is answered with a SYN cookie, so that
    the server has no state at all until the request comes again; then it passes SYN_RECEIVED in no time.
    """
    servers, clients = _crowd(lab, backlog=0, at_once=2)
    for client, server in zip(clients, servers, strict=True):
        lab.sockets.append(server)
        client.close()
        close_after_eof(server)


def meet(lab: Lab, apart: float = 0.0) -> tuple[socket.socket, socket.socket]:
    """Both hosts connect to each other from fixed ports, ``apart`` seconds one after the other."""
    ends = [(lab.a, lab.a.address, 42000), (lab.b, lab.b.address, 42000)]
    sockets = []
    for host, address, port in ends:
        one = host.new_socket()
        one.bind((address, port))
        one.settimeout(3)
        sockets.append(one)
    lab.sockets += sockets
    threads = [
        threading.Thread(target=one.connect, args=(other[1:],))
        for one, other in zip(sockets, reversed(ends), strict=True)
    ]
    for thread in threads:
        thread.start()
        pause(apart)
    for thread in threads:
        thread.join()
    pause(0.1)
    return sockets[0], sockets[1]


@scenario()
def simultaneous_open(lab: Lab) -> None:
    """Both hosts connect to each other from fixed ports at once: the SYNs cross."""
    client, server = meet(lab)
    client.sendall(REQUEST)
    server.recv(len(REQUEST))
    client.close()
    close_after_eof(server)


@scenario()
def fast_open(lab: Lab) -> None:
    """The second connection carries its request in the SYN (TCP Fast Open); the server is in SYN_RECEIVED with data."""
    for host in (lab.a, lab.b):
        host.sysctl(tcp_fastopen=3)
    with lab.b.listen(8080) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 8)
        for _ in range(2):
            client = lab.a.new_socket()
            client.setblocking(True)
            client.sendto(REQUEST, socket.MSG_FASTOPEN, listener.getsockname()[:2])
            server, _ = listener.accept()
            lab.sockets += [client, server]
            server.recv(len(REQUEST))
            server.sendall(REPLY)
            client.recv(len(REPLY))
            pause(0.1)
            client.close()
            close_after_eof(server)


@scenario()
def fast_open_closed_at_once(lab: Lab) -> None:
    """With fast open, the client sends request and FIN before the handshake's end; the server answers and closes."""
    for host in (lab.a, lab.b):
        host.sysctl(tcp_fastopen=3)
    with lab.b.listen(8080) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 8)
        for _ in range(2):
            client = lab.a.new_socket()
            client.setblocking(True)
            client.sendto(REQUEST, socket.MSG_FASTOPEN, listener.getsockname()[:2])
            client.shutdown(socket.SHUT_WR)
            server, _ = listener.accept()
            lab.sockets += [client, server]
            server.recv(len(REQUEST))
            server.sendall(REPLY)
            server.close()
            pause(0.1)
            client.close()


@scenario(
    raw_ports=(40778,),
    hidden=(
        Hidden("b", "silent-death", ("CLOSED",), taps="b"),
        Hidden("b", "lost-before-the-tap", ("SYN_RECEIVED", "CLOSED"), taps="am"),
    ),
)
def request_socket_times_out(lab: Lab) -> None:
    """A SYN from an address that never answers: the server repeats its SYN-ACK and forgets the request."""
    from .. import forge, pcapfile

    lab.b.sysctl(tcp_synack_retries=1)
    lab.loss.lose(loss.SYN_ACK)
    with lab.b.listen(8080):
        source = (lab.a.address, 40778)
        packet = forge.segment(source, (lab.b.address, 8080), seq=1000, flags=pcapfile.SYN, window=64000)
        forge.send(lab.a, packet)
        pause(4.0)
    lab.loss.nothing()
    visit(lab)


def is_syn(packet: bytes) -> bool:
    """Whether an IP packet is a SYN."""
    return flags(packet) == 2
