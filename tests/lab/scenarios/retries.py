"""Clients that ask again: after refusals, after giving up, from the same port or from another."""

from __future__ import annotations

import contextlib
import socket

from captures.recipes.play import close_after_eof, exchange, pause

from .. import loss
from ..network import Lab
from ..scenario import scenario

PORT, SERVICE = 40500, 8080


def asks(lab: Lab, port: int) -> socket.socket:
    """A socket on this port that has just sent its SYN."""
    client = lab.a.new_socket()
    client.setblocking(False)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind((lab.a.address, port))
    client.connect_ex((lab.b.address, SERVICE))
    return client


def served(lab: Lab, port: int) -> None:
    """At last somebody listens: a whole visit from this port."""
    client, server = lab.connect(SERVICE, from_port=port)
    exchange(client, server)
    client.close()
    close_after_eof(server)


@scenario(causes=("connection-refused",) * 3)
def refused_thrice_then_served(lab: Lab) -> None:
    """Three SYNs from the same port are refused by RST, the fourth is accepted, and the connection ends well."""
    for _ in range(3):
        with contextlib.suppress(ConnectionRefusedError):
            lab.a.connect((lab.b.address, SERVICE), port=PORT)
        pause(0.15)
    served(lab, PORT)


@scenario(causes=("connection-refused",) * 3)
def refused_thrice_from_new_ports(lab: Lab) -> None:
    """Three SYNs from three ports are refused by RST, the one from the fourth port is accepted."""
    for attempt in range(3):
        with contextlib.suppress(ConnectionRefusedError):
            lab.a.connect((lab.b.address, SERVICE), port=PORT + attempt)
        pause(0.15)
    served(lab, PORT + 3)


@scenario(causes=("connection-refused",), delay=0.15)
def refusal_of_an_older_syn(lab: Lab) -> None:
    """150 ms each way: the client asks, gives up after 50 ms and asks again from the same port; the refusal of its
    first SYN arrives in between and acknowledges a number that is no longer its own, so it is not believed.
    """
    asks(lab, PORT).close()
    pause(0.05)
    client = asks(lab, PORT)
    pause(0.13)
    with lab.b.listen(SERVICE) as listener:
        server, _ = listener.accept()
    lab.sockets += [client, server]
    pause(0.3)
    client.setblocking(True)
    exchange(client, server)
    client.close()
    close_after_eof(server)
    pause(0.3)


@scenario()
def given_up_and_asked_again(lab: Lab) -> None:
    """A firewall drops the SYNs; the client's application gives up without a word after its second SYN and asks again
    from the same port, now with success.
    """
    lab.loss.lose(loss.SYN)
    client = asks(lab, PORT)
    pause(1.3)
    client.close()
    lab.loss.nothing()
    pause(0.1)
    served(lab, PORT)


@scenario(causes=("connection-refused", "connection-refused"))
def rejected_by_a_filter_then_served(lab: Lab) -> None:
    """A packet filter behind the middle refuses two SYNs by RST in the server's name; then it lets the third one
    pass.
    """
    lab.path.own_packets_too(lab.m)
    lab.loss.reject(f"tcp dport {SERVICE}", by="a")
    for _ in range(2):
        with contextlib.suppress(ConnectionRefusedError):
            lab.a.connect((lab.b.address, SERVICE), port=PORT)
        pause(0.15)
    lab.loss.nothing()
    served(lab, PORT)


@scenario(causes=("abort", "abort"))
def aborted_and_asked_again_at_once(lab: Lab) -> None:
    """Twice the client aborts (SO_LINGER 0) and asks again from the same port at once; the third time it ends well."""
    from captures.recipes.play import abort

    for _ in range(2):
        client, server = lab.connect(SERVICE, from_port=PORT)
        exchange(client, server)
        abort(client)
        pause(0.03)
    served(lab, PORT)
