"""The stories that real kernels can play, in the laboratory (`tests.lab`): a function each, named for its capture."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

from captures.recipes import Edit, Recipe
from captures.recipes.play import (
    REPLY,
    REQUEST,
    abort,
    close_after_eof,
    exchange,
    opened,
    passing_visit,
    pause,
    receive,
)
from tests.lab import Lab, loss
from tests.lab.pcapfile import Packet

from .tls import answered

PLAYED: dict[str, Recipe] = {}
SECOND = 10**9


def story(**options: object) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Enter a scene among the stories, under its own name."""

    def enter(play: Callable[..., None]) -> Callable[..., None]:
        stem = play.__name__.replace("_", "-")
        PLAYED[stem] = Recipe(f"{stem}.pcap", play, **options)  # type: ignore[arg-type]
        return play

    return enter


def lengthened(*silences: float, longer_than: float = 0.9) -> Edit:
    """What makes each silence of a recording as long as it was in the story, in order: whatever follows comes later."""

    def edit(packets: list[Packet]) -> list[Packet]:
        wanted, shift, last, moved = list(silences), 0, packets[0].time, []
        for packet in packets:
            silence, last = packet.time - last, packet.time
            if silence > longer_than * SECOND and wanted:
                shift += round(wanted.pop(0) * SECOND) - silence
            moved.append(Packet(packet.time + shift, packet.data, packet.length))
        assert not wanted, f"no silence of {wanted[0]} s"
        return moved

    return edit


def without_timestamps(lab: Lab) -> None:
    """No TCP timestamps: they would tell that a silence was lengthened."""
    for host in (lab.a, lab.b):
        host.sysctl(tcp_timestamps=0)


def still_there(lab: Lab) -> None:
    """A foreign connection, later: the capture went on."""
    pause(1.0)
    passing_visit(lab)


@story(tap="middle")
def keep_alive_race_after_5_s(lab: Lab) -> None:
    """hapijs/hapi#3738: the server closes after 5 s of idling, and the balancer's next request crosses the FIN."""
    client, server = opened(lab)
    pause(5.0 - 0.1)  # that much has passed since the reply
    server.close()
    client.sendall(REQUEST)
    pause(0.3)
    client.close()


@story(tap="middle")
def two_of_eight_crossed(lab: Lab) -> None:
    """nodejs/node#17749: eight idle connections are closed by the server; on two of them a request is under way."""
    pairs = [opened(lab) for _ in range(8)]
    pause(2.0)
    for number, (client, server) in enumerate(pairs):
        server.close()
        if number in (2, 5):
            client.sendall(REQUEST)
        else:
            close_after_eof(client)
    pause(0.3)


@story()
def reset_every_10_s(lab: Lab) -> None:
    """nodejs/node#26166: the server resets each connection that has been idle for 10 s."""
    idle = []
    for _ in range(6):
        _client, server = opened(lab)
        idle.append((time.monotonic() + 10.0 - 0.1, server))
        pause(0.3)
    for due, server in idle:
        pause(due - time.monotonic())
        abort(server)
    pause(0.5)


@story()
def reused_1_4_s_after_the_fin(lab: Lab) -> None:
    """envoyproxy/envoy#6815: the proxy has acknowledged the server's FIN and sends a request 1.4 s later."""
    client, server = opened(lab)
    pause(0.5)
    server.close()
    pause(1.4)
    client.sendall(REQUEST)
    pause(0.2)


@story()
def reset_to_the_server_fin_to_the_client(lab: Lab) -> None:
    """haproxy/haproxy#3029: a proxy ends its connection to the server by RST and the one to its client by FIN."""
    front, proxy_front = opened(lab, port=443)
    with lab.a.listen(8806) as listener:
        back = lab.b.connect((lab.a.address, 8806))
        server, _ = listener.accept()
    lab.sockets += (back, server)
    server.settimeout(5.0)
    exchange(back, server)
    abort(back)
    pause(0.2)
    proxy_front.close()
    close_after_eof(front)
    pause(0.2)


@story()
def reset_behind_its_own_fin(lab: Lab) -> None:
    """3proxy/3proxy#1047: the proxy sends FIN, and a RST with the same acknowledgment right behind it."""
    _client, server = opened(lab)
    server.shutdown(socket.SHUT_WR)
    pause(0.01)
    abort(server)
    pause(0.3)


@story(edit=lengthened(1739.3, longer_than=1.5))
def closed_29_minutes_later(lab: Lab) -> None:
    """opnsense/src#80: the client closes 29 minutes after the server's FIN; the firewall has forgotten the connection
    and drops that FIN and its repeats. 2 s are lengthened to 1739 s.
    """
    without_timestamps(lab)
    client, server = opened(lab)
    server.shutdown(socket.SHUT_WR)
    pause(2.0)
    lab.loss.lose(loss.EVERYTHING)
    client.close()
    pause(7.0)
    lab.loss.nothing()
    passing_visit(lab)


@story(tap="b", edit=lengthened(75.0, longer_than=1.5))
def answer_after_the_trackers_close_wait(lab: Lab) -> None:
    """kubernetes/kubernetes#32551: the client half-closes and waits; the answer comes after 75 s, when the connection
    tracking on the way has dropped the entry, as it does 60 s after the first FIN. 2 s are lengthened to 75 s.
    """
    without_timestamps(lab)
    lab.b.sysctl(tcp_retries2=4)
    client, server = opened(lab)
    client.sendall(REQUEST)
    server.recv(len(REQUEST))
    pause(0.1)
    client.shutdown(socket.SHUT_WR)
    pause(2.0)
    lab.loss.lose(loss.EVERYTHING)
    server.sendall(REPLY)
    pause(20.0)
    lab.loss.nothing()
    passing_visit(lab)


@story(edit=lengthened(37.0, longer_than=1.5))
def reused_while_the_tracker_remembers(lab: Lab) -> None:
    """cloudnativelabs/kube-router#544: a port is used again 37 s after its close; the SYN vanishes and is answered
    when it is repeated a second later. 2 s are lengthened to 37 s.
    """
    without_timestamps(lab)
    client, server = opened(lab, from_port=41000)
    server.close()  # so that the port is free at the client
    close_after_eof(client)
    pause(2.0)
    lab.loss.lose(loss.SYN, first=1)
    client, server = opened(lab, from_port=41000)
    client.close()
    close_after_eof(server)


@story()
def four_ports_used_again(lab: Lab) -> None:
    """cloudius-systems/osv#889: four ports are used again shortly after their close, and each is let in."""
    for port in range(42001, 42005):
        client, server = opened(lab, from_port=port)
        server.close()
        close_after_eof(client)
    pause(0.5)
    for port in range(42001, 42005):
        client, server = opened(lab, from_port=port)
        client.close()
        close_after_eof(server)


@story()
def fourteen_left_in_close_wait(lab: Lab) -> None:
    """jetty/jetty.project#2169: the clients have closed, and the server never does."""
    for _ in range(14):
        client, _server = opened(lab)
        client.close()
    pause(12.0)
    passing_visit(lab)


@story()
def when_did_the_client_know(lab: Lab) -> None:
    """apache/jmeter#6330: the client's kernel acknowledges the server's FIN at once; the client itself reacts 2.5 s
    later.
    """
    client, server = opened(lab)
    server.close()
    close_after_eof(client, 2.5)
    pause(0.2)


@story(edit=lengthened(100.0, longer_than=1.5))
def fin_wait_2_held_for_ever(lab: Lab) -> None:
    """farhadi/node-smpp#205: the server has shut its sending side and still holds the socket; the client never closes.
    100 s later FIN_WAIT_2 is still there: tcp_fin_timeout is for sockets that nobody holds. 2 s are lengthened.
    """
    without_timestamps(lab)
    _client, server = opened(lab)
    server.shutdown(socket.SHUT_WR)
    pause(2.0)
    passing_visit(lab)


@story(tap="b")
def firewall_drops_the_last_ack(lab: Lab) -> None:
    """NordSecurity/libtelio#40: a firewall drops the client's last acknowledgments, so the server stays in LAST_ACK and
    repeats its FIN. Seen at the server.
    """
    client, server = opened(lab)
    client.shutdown(socket.SHUT_WR)
    pause(0.2)
    lab.loss.lose(loss.EVERYTHING, by="a")
    server.close()
    pause(7.0)
    lab.loss.nothing()
    passing_visit(lab)


@story(tap="middle")
def stream_cut_by_a_reset(lab: Lab) -> None:
    """OpenSandbox#1461: an upstream ends a long answer by RST while the last of it is under way."""
    client, server = lab.connect()
    for _ in range(3):  # so that the client's kernel delays its acknowledgments
        client.sendall(REQUEST)
        receive(server, len(REQUEST))
        server.sendall(REPLY)
        receive(client, len(REPLY))
    client.sendall(REQUEST)
    receive(server, len(REQUEST))
    server.sendall(b"data: tick\n\n" * 500)
    abort(server)
    pause(0.3)


@story()
def sent_into_a_closed_connection(lab: Lab) -> None:
    """urllib3/urllib3#944: the server has closed, and the next request, 0.3 s later, meets a RST."""
    client, server = opened(lab)
    server.close()
    pause(0.3)
    client.sendall(REQUEST)
    pause(0.2)


@story()
def closed_with_a_request_unread(lab: Lab) -> None:
    """reactor/reactor-netty#1331: the server closes while a request that it has not read lies in its buffer; its kernel
    sends a RST that is the first to acknowledge those bytes.
    """
    client, server = opened(lab)
    exchange(client, server)
    client.sendall(REQUEST)
    server.close()
    pause(0.2)
    client.close()


@story()
def nine_of_twenty_five_reset(lab: Lab) -> None:
    """oven-sh/bun#41891: the same client ends some connections by RST and the others in order."""
    for number in range(25):
        client, server = opened(lab)
        if number % 3 == 1 or number == 24:
            abort(client)
        else:
            client.close()
            close_after_eof(server, 0.0)
    pause(0.2)


@story(edit=lengthened(612.0, longer_than=1.5))
def forgotten_after_612_s(lab: Lab) -> None:
    """cloudfoundry/routing-release#116 and others: after 612 s of silence the next request meets a RST. The server's
    host lost the connection meanwhile. 2 s are lengthened to 612 s.
    """
    without_timestamps(lab)
    client, server = opened(lab)
    lab.loss.lose(loss.EVERYTHING, by="b")
    abort(server)
    pause(2.0)
    lab.loss.nothing()
    client.sendall(REQUEST)
    pause(0.2)


@story()
def thirty_two_ports_in_time_wait(lab: Lab) -> None:
    """grpc/grpc#5582, dotnet/runtime#45544: a client opens a connection for each request and closes it first."""
    for _ in range(32):
        client, server = lab.connect()
        client.close()
        close_after_eof(server, 0.0)
    pause(0.2)


@story()
def who_sends_resets(lab: Lab) -> None:
    """ntop/ntopng#4871: resets of four kinds beside ordinary closes: who sent each, and why?"""
    with contextlib.suppress(ConnectionRefusedError):
        lab.a.connect((lab.b.address, 8081))
    client, server = opened(lab)
    abort(client)
    client, server = opened(lab)
    abort(server)
    client, server = opened(lab)
    server.close()
    pause(0.3)
    client.sendall(REQUEST)
    pause(0.1)
    for _ in range(3):
        client, server = opened(lab)
        client.close()
        close_after_eof(server)


@story()
def farewell_behind_the_fin(lab: Lab) -> None:
    """wso2/api-manager#1765: the client closes; the server's TLS says close_notify into the closed connection, and a
    RST answers that. Nothing is lost.
    """
    client, server = answered(*lab.connect(port=8443))
    pause(0.2)
    client.close()
    pause(0.05)
    with contextlib.suppress(OSError):
        server.unwrap()
    pause(0.1)
    server.close()
    pause(0.1)
