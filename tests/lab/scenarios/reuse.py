"""The same addresses and ports again."""

from __future__ import annotations

import contextlib
import socket
import time

from captures.recipes import reuse
from captures.recipes.play import REQUEST, abort, close_after_eof, exchange, pause

from .. import loss
from ..network import Lab
from ..scenario import Scenario, add, scenario, story_of

add(
    Scenario(
        "tuple-reused-in-time-wait",
        "reuse",
        story_of(reuse.tuple_reused_in_time_wait),
        reuse.tuple_reused_in_time_wait,
    )
)
PORT = 40000


@scenario()
def tuple_reused_by_sequence(lab: Lab) -> None:
    """Without timestamps the new SYN is accepted in TIME_WAIT because its sequence number is higher."""
    for host in (lab.a, lab.b):
        host.sysctl(tcp_timestamps=0)
    reuse.visit_closed_by_server(lab)
    pause(1.0)
    reuse.visit_closed_by_server(lab)


@scenario()
def tuple_reused_three_times(lab: Lab) -> None:
    """Three connections from the same port, one right after the other, each closed first by the server."""
    for _ in range(3):
        reuse.visit_closed_by_server(lab)
        pause(1.2)


@scenario(causes=("abort",))
def client_rebooted(lab: Lab) -> None:
    """The client's host forgets its connection (its RST is lost) and asks anew from the same port: the server, still
    ESTABLISHED, answers with a challenge ACK, the client resets, and the repeated SYN is accepted.
    """
    client, server = lab.connect(from_port=PORT)
    exchange(client, server)
    lab.loss.lose(loss.RST, by="a", first=1)
    abort(client)
    pause(0.2)
    lab.loss.nothing()
    with lab.b.listen(8080) as listener:
        again = lab.a.connect((lab.b.address, 8080), port=PORT)
        lab.sockets.append(again)
        fresh, _ = listener.accept()
    lab.sockets.append(fresh)
    exchange(again, fresh)
    again.close()
    close_after_eof(fresh)


@scenario()
def reuse_meets_close_wait(lab: Lab) -> None:
    """The server leaks in CLOSE_WAIT, the client's FIN_WAIT_2 has ended, and the client asks anew from the same port:
    challenge ACK, RST, and the repeated SYN is accepted.
    """
    lab.a.sysctl(tcp_fin_timeout=1)
    client, server = lab.connect(from_port=PORT)
    exchange(client, server)
    client.close()
    pause(3.2)
    with lab.b.listen(8080) as listener:
        again = lab.a.connect((lab.b.address, 8080), port=PORT)
        lab.sockets.append(again)
        fresh, _ = listener.accept()
    lab.sockets.append(fresh)
    exchange(again, fresh)
    again.close()
    close_after_eof(fresh)


@scenario(causes=("no-connection",))
def server_rebooted(lab: Lab) -> None:
    """The server's host forgets the connection (its RST is lost); the client's next request meets a RST."""
    client, server = lab.connect(from_port=PORT)
    exchange(client, server)
    lab.loss.lose(loss.RST, by="b", first=1)
    abort(server)
    pause(0.2)
    lab.loss.nothing()
    with contextlib.suppress(OSError):
        client.sendall(REQUEST)
    time.sleep(0.1)


def forgets(lab: Lab, sock: socket.socket) -> None:
    """The host of the socket forgets the connection: nobody hears of its RST."""
    lab.loss.lose(loss.RST, first=1)
    abort(sock)
    pause(0.3)
    lab.loss.nothing()


@scenario(delay=0.1, causes=("abort",))
def client_rebooted_far(lab: Lab) -> None:
    """100 ms each way: the client's host has forgotten its connection and asks anew from the same port. Challenge ACK
    and RST take a round trip, and the SYN is repeated meanwhile or afterwards until it is accepted.
    """
    client, server = lab.connect(from_port=PORT)
    exchange(client, server)
    forgets(lab, client)
    again, fresh = lab.connect(from_port=PORT)
    exchange(again, fresh)
    again.close()
    close_after_eof(fresh)
    pause(0.3)


@scenario(causes=("abort",))
def client_rebooted_and_the_reset_lost(lab: Lab) -> None:
    """As client-rebooted, but the RST that answers the challenge ACK is lost as well: the repeated SYN is challenged
    once more, and the third is accepted.
    """
    client, server = lab.connect(from_port=PORT)
    exchange(client, server)
    forgets(lab, client)
    lab.loss.lose(loss.RST, by="a", first=1)
    again, fresh = lab.connect(from_port=PORT)
    exchange(again, fresh)
    again.close()
    close_after_eof(fresh)


@scenario(delay=0.06)
def reuse_meets_close_wait_far(lab: Lab) -> None:
    """60 ms each way: the server leaks in CLOSE_WAIT, and the client, which has forgotten, asks anew from the same
    port.
    """
    lab.a.sysctl(tcp_fin_timeout=1)
    client, server = lab.connect(from_port=PORT)
    exchange(client, server)
    client.close()
    pause(3.3)
    again, fresh = lab.connect(from_port=PORT)
    exchange(again, fresh)
    again.close()
    close_after_eof(fresh)
    pause(0.2)
