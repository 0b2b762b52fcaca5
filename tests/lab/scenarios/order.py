"""Segments that arrive in another order than they were sent, twice, or much too late."""

from __future__ import annotations

import socket

from captures.recipes.play import REQUEST, abort, close_after_eof, opened, pause

from ..network import Lab
from ..pcapfile import FIN
from ..relay import Policy
from ..scenario import scenario
from .losses import flags, is_bare_ack, is_fin
from .visits import visit


def delays(words: object, *fates: tuple[float, ...], by_a: bool) -> Policy:
    """A policy that gives the first packets of one side for which ``words`` holds these fates, one after the other."""
    waiting = list(fates)

    def policy(packet: bytes, from_a: bool) -> tuple[float, ...]:
        chosen = from_a == by_a and waiting and words(packet)  # type: ignore[operator]
        return waiting.pop(0) if chosen else (0.0,)

    return policy


def has_data(packet: bytes) -> bool:
    """Whether an IPv4 packet of this laboratory carries payload."""
    return len(packet) - 20 - (packet[32] >> 4) * 4 > 0


@scenario()
def fin_overtakes_data(lab: Lab) -> None:
    """The client's last data is delayed by 60 ms and its FIN overtakes it before the middle."""
    client, server = opened(lab)
    assert lab.relay_in_use is not None
    lab.relay_in_use.left = delays(has_data, (0.06,), by_a=True)
    client.sendall(REQUEST)
    client.close()
    pause(0.2)
    server.recv(len(REQUEST))
    close_after_eof(server)


@scenario()
def fin_overtakes_data_behind_the_middle(lab: Lab) -> None:
    """The same behind the middle: a tap there sees the right order, and the receiver another."""
    client, server = opened(lab)
    assert lab.relay_in_use is not None
    lab.relay_in_use.right = delays(has_data, (0.06,), by_a=True)
    client.sendall(REQUEST)
    client.close()
    pause(0.2)
    server.recv(len(REQUEST))
    close_after_eof(server)


@scenario()
def fin_doubled_by_the_network(lab: Lab) -> None:
    """The client's FIN is doubled before the middle, 1 ms apart: one FIN, seen twice by the server."""
    client, server = opened(lab)
    assert lab.relay_in_use is not None
    lab.relay_in_use.left = delays(is_fin, (0.0, 0.001), by_a=True)
    client.close()
    close_after_eof(server)


@scenario()
def old_fin_comes_again(lab: Lab) -> None:
    """A copy of the client's FIN comes by 400 ms later, when both sides are through with closing."""
    client, server = opened(lab)
    assert lab.relay_in_use is not None
    lab.relay_in_use.left = delays(is_fin, (0.0, 0.4), by_a=True)
    client.close()
    close_after_eof(server)
    pause(0.5)


@scenario(causes=("no-connection",))
def second_fin_comes_again(lab: Lab) -> None:
    """A copy of the server's FIN comes by 300 ms later; TIME_WAIT acknowledges it again, the server is CLOSED."""
    client, server = opened(lab)
    assert lab.relay_in_use is not None
    lab.relay_in_use.right = delays(is_fin, (0.0, 0.3), by_a=False)
    client.close()
    pause(0.1)
    close_after_eof(server)
    pause(0.5)


@scenario()
def fin_overtakes_the_acknowledgment(lab: Lab) -> None:
    """The server's FIN overtakes its own acknowledgment of the client's FIN, before the middle."""
    client, server = opened(lab)
    assert lab.relay_in_use is not None
    lab.relay_in_use.right = delays(is_bare_ack, (0.03,), by_a=False)
    client.close()
    close_after_eof(server, 0.01)
    pause(0.1)


@scenario()
def fins_cross_and_acknowledgments_swap(lab: Lab) -> None:
    """Both sides close at once, and the acknowledgment of one FIN is delayed by 50 ms."""
    client, server = opened(lab)
    assert lab.relay_in_use is not None
    lab.relay_in_use.left = delays(is_bare_ack, (0.05,), by_a=True)
    client.close()
    server.close()
    pause(0.2)
    visit(lab)


@scenario()
def acknowledgment_of_fin_delayed(lab: Lab) -> None:
    """The server's acknowledgment takes 350 ms: the client repeats its FIN though nothing was lost."""
    client, server = opened(lab)
    assert lab.relay_in_use is not None
    lab.relay_in_use.left = delays(is_bare_ack, (0.35,), by_a=False)
    client.close()
    pause(0.6)
    close_after_eof(server)


@scenario()
def fin_split_from_its_data_on_repeat(lab: Lab) -> None:
    """Data and FIN leave in one segment that is lost; what comes later may be cut otherwise, the FIN is the same."""
    client, server = opened(lab)
    assert lab.relay_in_use is not None
    lab.relay_in_use.left = delays(lambda packet: flags(packet) & FIN, (), by_a=True)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.sendall(REQUEST)
    client.send(b"x" * 3000, socket.MSG_MORE)
    client.close()
    pause(0.6)
    server.recv(8000)
    close_after_eof(server)


@scenario()
def three_segments_and_a_fin_reversed(lab: Lab) -> None:
    """The client's last three segments and its FIN arrive in the reverse order of their sending."""
    client, server = opened(lab)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lab.path.left = delays(lambda packet: True, (0.09,), (0.06,), (0.03,), (0.0,), by_a=True)
    for _ in range(3):
        client.sendall(b"." * 100)
        pause(0.002)
    client.close()
    pause(0.2)
    server.recv(400)
    close_after_eof(server)


@scenario(causes=("abort-data-lost|no-connection",))
def reset_overtakes_data(lab: Lab) -> None:
    """The client sends its last words and aborts; the RST overtakes the data, which meets a RST of the server."""
    client, _server = opened(lab)
    lab.path.left = delays(has_data, (0.06,), by_a=True)
    client.sendall(REQUEST)
    pause(0.005)
    abort(client)
    pause(0.3)


@scenario(causes=("no-connection",))
def second_fin_overtakes_the_last_data(lab: Lab) -> None:
    """The server's last data, in answer to the client's FIN, is overtaken by its own FIN; the client, in FIN_WAIT_2,
    enters TIME_WAIT only when the data has come.
    """
    client, server = opened(lab)
    client.shutdown(socket.SHUT_WR)
    pause(0.1)
    lab.path.right = delays(has_data, (0.08,), by_a=False)
    server.sendall(b"." * 200)
    pause(0.005)
    server.close()
    pause(0.3)
    client.close()
    pause(0.05)
