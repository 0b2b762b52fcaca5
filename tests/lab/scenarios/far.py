"""Hosts far from each other: what crosses on a path that takes 60 ms and more each way."""

from __future__ import annotations

import contextlib
import socket

from captures.recipes.play import REPLY, REQUEST, abort, close_after_eof, opened, pause, receive

from ..network import Lab
from ..scenario import scenario
from .opening import meet

CLOSE_NOTIFY = b"\x15\x03\x03\x00\x1a" + b"." * 26


@scenario(delay=0.06, causes=("crossed-close",))
def write_races_close_far(lab: Lab) -> None:
    """700 bytes of the server cross the client's FIN on a path of 60 ms each way and meet a RST; on its way that RST
    crosses the server's delayed acknowledgment of the FIN, which meets a second one.
    """
    client, server = opened(lab)
    pause(0.3)
    server.sendall(b"." * 700)
    pause(0.005)
    client.close()
    pause(0.4)


@scenario(delay=0.015, causes=("crossed-close",))
def close_notify_after_close(lab: Lab) -> None:
    """The client sends its close_notify and closes at once; the server answers with its own and closes before the FIN
    reaches it: both are in FIN_WAIT_1, the server passes CLOSING, and RSTs end it without any TIME_WAIT.
    """
    client, server = opened(lab)
    client.sendall(CLOSE_NOTIFY)
    pause(0.003)
    client.close()
    receive(server, len(CLOSE_NOTIFY))
    server.sendall(CLOSE_NOTIFY)
    server.close()
    pause(0.2)


@scenario(delay=0.15)
def last_words_cross_far(lab: Lab) -> None:
    """150 ms each way: both sides send data and shut their sending sides at once; data and FINs race in both
    directions, everything is read, and both pass CLOSING.
    """
    client, server = opened(lab)
    pause(0.4)
    for side in (client, server):
        side.sendall(b"." * 700)
        side.shutdown(socket.SHUT_WR)
    for side in (client, server):
        receive(side, 700)
        close_after_eof(side, 0.0)
    pause(0.7)


@scenario(delay=0.06, causes=("crossed-close",))
def both_close_while_the_other_writes(lab: Lab) -> None:
    """60 ms each way: both sides send data and close at once. Each has data arriving for a socket nobody reads any
    more, so each resets, and the RSTs cross too.
    """
    client, server = opened(lab)
    pause(0.3)
    for side in (client, server):
        side.sendall(b"." * 300)
        side.close()
    pause(0.4)


@scenario(delay=0.1)
def client_fin_crosses_the_answering_fin(lab: Lab) -> None:
    """100 ms each way: the server answers the last request and closes, and its FIN, which acknowledges the request,
    crosses the FIN that the client sent 50 ms behind it.
    """
    client, server = opened(lab)
    pause(0.3)
    client.sendall(REQUEST)
    pause(0.05)
    client.shutdown(socket.SHUT_WR)
    receive(server, len(REQUEST))
    server.sendall(REPLY)
    server.shutdown(socket.SHUT_WR)
    receive(client, len(REPLY))
    close_after_eof(client, 0.0)
    close_after_eof(server, 0.0)
    pause(0.5)


@scenario(delay=0.1)
def crossing_fins_with_slow_acknowledgments(lab: Lab) -> None:
    """100 ms each way: the FINs cross 90 ms apart, each behind data whose acknowledgment is delayed, so that an
    acknowledgment of data passes behind a FIN and does not cover it.
    """
    client, server = opened(lab)
    pause(0.3)
    for side in (client, server):
        side.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    server.sendall(b"." * 200)
    client.sendall(b"." * 200)
    pause(0.03)
    client.shutdown(socket.SHUT_WR)
    pause(0.09)
    server.shutdown(socket.SHUT_WR)
    for side in (client, server):
        receive(side, 200)
        close_after_eof(side, 0.0)
    pause(0.7)


@scenario(delay=0.1)
def answers_cross_the_fin_and_are_read(lab: Lab) -> None:
    """100 ms each way: the client shuts its sending side while three answers are on their way; all are read and
    acknowledged, and the server closes last.
    """
    client, server = opened(lab)
    pause(0.3)
    for _ in range(3):
        server.sendall(b"." * 300)
        pause(0.03)
    client.shutdown(socket.SHUT_WR)
    receive(client, 900)
    close_after_eof(server)
    pause(0.3)
    client.close()


@scenario(delay=0.15, causes=("crossed-close",))
def request_races_an_idle_close_far(lab: Lab) -> None:
    """150 ms each way: the server closes a connection that was idle for a second; 100 ms later, when the FIN is still
    on its way, the client sends its next request.
    """
    client, server = opened(lab)
    pause(1.0)
    server.close()
    pause(0.1)
    client.sendall(REQUEST)
    pause(0.7)
    client.close()


@scenario(delay=0.1, causes=("abort|abort-data-lost",))
def abort_crosses_the_answer(lab: Lab) -> None:
    """100 ms each way: the client loses patience and aborts while the answer is on its way; the answer meets a second
    RST, of a host that knows no such connection any more.
    """
    client, server = opened(lab)
    pause(0.3)
    client.sendall(REQUEST)
    receive(server, len(REQUEST))
    server.sendall(REPLY)
    pause(0.05)
    abort(client)
    pause(0.4)


@scenario(delay=0.15)
def simultaneous_open_far(lab: Lab) -> None:
    """150 ms each way: both hosts connect to each other 20 ms apart, and the SYNs cross. Nobody can be in SYN_RECEIVED
    before the other's SYN has arrived.
    """
    client, server = meet(lab, 0.02)
    client.sendall(REQUEST)
    receive(server, len(REQUEST))
    client.close()
    close_after_eof(server)
    pause(0.4)


@scenario(delay=0.6)
def slower_than_the_first_timer(lab: Lab) -> None:
    """600 ms each way: the SYN is repeated after a second although nothing is lost, and so is the SYN-ACK; the close
    has learnt how slow the path is.
    """
    client, server = lab.connect()
    pause(1.5)
    client.sendall(REQUEST)
    receive(server, len(REQUEST))
    client.close()
    close_after_eof(server)
    pause(1.5)


@scenario(delay=0.15, causes=("half-open",))
def gone_before_the_syn_ack(lab: Lab) -> None:
    """150 ms each way: the client gives up before the SYN-ACK reaches it, which then meets a RST; the server passes
    from SYN_RECEIVED to CLOSED.
    """
    with lab.b.listen(8080) as listener:
        client = lab.a.new_socket()
        client.setblocking(False)
        client.connect_ex(listener.getsockname()[:2])
        pause(0.2)
        client.close()
        pause(0.6)


@scenario(delay=0.1, causes=("data-after-close",))
def closer_stops_reading_far(lab: Lab) -> None:
    """100 ms each way: the server has shut its sending side and the client, in CLOSE_WAIT, goes on uploading; then the
    server closes, and the next upload meets a RST.
    """
    client, server = opened(lab)
    pause(0.3)
    server.shutdown(socket.SHUT_WR)
    pause(0.3)
    client.sendall(b"." * 500)
    receive(server, 500)
    pause(0.3)
    server.close()
    with contextlib.suppress(OSError):
        client.sendall(b"." * 500)
    pause(0.5)
