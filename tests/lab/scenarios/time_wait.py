"""TIME_WAIT that is full, and SYNs whose number is older than what TIME_WAIT remembers."""

from __future__ import annotations

import socket

from captures.recipes.play import abort, close_after_eof, exchange, opened, pause

from .. import loss
from ..conduct import last_segment
from ..hosts import Host
from ..network import Lab
from ..scenario import Hidden, scenario

PORT = 40000
TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21  # of linux/tcp.h; the socket module has no names for them
SEND_QUEUE, REPAIR_OFF_NO_PROBE = 2, -1


def numbered(host: Host, number: int) -> socket.socket:
    """A new socket whose SYN will have this sequence number, bound to `PORT`."""
    client = host.new_socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind((host.address, PORT))
    for option, value in (
        (TCP_REPAIR, 1),
        (TCP_REPAIR_QUEUE, SEND_QUEUE),
        (TCP_QUEUE_SEQ, number),
        (TCP_REPAIR, REPAIR_OFF_NO_PROBE),
    ):
        client.setsockopt(socket.IPPROTO_TCP, option, value.to_bytes(4, "little", signed=value < 0))
    client.settimeout(5.0)
    return client


def visit_closed_by_server(lab: Lab) -> int:
    """A request on the fixed port, closed first by the server, which stays in TIME_WAIT: the client's last number."""
    client, server = lab.connect(from_port=PORT)
    exchange(client, server)
    number, _ = last_segment(lab, client)
    server.shutdown(socket.SHUT_WR)
    close_after_eof(client)
    server.close()
    return number


def asked_with(lab: Lab, number: int) -> None:
    """A second visit from the same port, whose SYN has this number; the client closes first."""
    with lab.b.listen(8080) as listener:
        client = numbered(lab.a, number % (1 << 32))
        client.connect(listener.getsockname()[:2])
        server, _ = listener.accept()
    lab.sockets += [client, server]
    exchange(client, server)
    client.close()
    close_after_eof(server)


@scenario()
def older_syn_into_time_wait(lab: Lab) -> None:
    """The server is in TIME_WAIT, and the client's new SYN from the same port has an older number and no timestamp: the
    server answers with its old acknowledgment, the client resets, and the repeated SYN is accepted.
    """
    for host in (lab.a, lab.b):
        host.sysctl(tcp_timestamps=0)
    number = visit_closed_by_server(lab)
    pause(1.0)
    asked_with(lab, number - 1_000_000_000)


def turned_away(connections: range, used_again: int) -> tuple[Hidden, ...]:
    """The client's host keeps no TIME_WAIT of these connections; the port of one of them is used again at once."""
    ends = {nth: ("TIME_WAIT", "CLOSED") if nth == used_again else ("TIME_WAIT",) for nth in connections}
    return tuple(Hidden("a", "no-bucket", ("CLOSED",), shown, nth=nth) for nth, shown in ends.items())


BUCKETS, VISITS = 3, 7


@scenario(hidden=turned_away(range(BUCKETS, VISITS), VISITS - 2))
def time_wait_table_full(lab: Lab) -> None:
    """The client's host keeps no more than three TIME_WAITs (tcp_max_tw_buckets): of six connections that it closes
    first the last three are gone at once, and the port of the last one serves a seventh 60 ms later.
    """
    lab.a.sysctl(tcp_max_tw_buckets=BUCKETS)
    for visit in range(VISITS):
        client, server = opened(lab, from_port=PORT + min(visit, VISITS - 2))
        client.close()
        close_after_eof(server, 0.0)


@scenario()
def older_syn_with_a_newer_timestamp(lab: Lab) -> None:
    """The server is in TIME_WAIT, and the client's new SYN from the same port has an older number but a newer
    timestamp: it is accepted at once.
    """
    number = visit_closed_by_server(lab)
    pause(1.2)
    asked_with(lab, number - 1_000_000_000)


@scenario()
def older_syn_into_time_wait_and_the_reset_lost(lab: Lab) -> None:
    """As older-syn-into-time-wait, but the client's RST is lost: TIME_WAIT answers the repeated SYN with its old
    acknowledgment as well, and only the second RST ends it.
    """
    for host in (lab.a, lab.b):
        host.sysctl(tcp_timestamps=0)
    number = visit_closed_by_server(lab)
    pause(0.5)
    lab.loss.lose(loss.RST, by="a", first=1)
    asked_with(lab, number - 1_000_000_000)


@scenario(causes=("late-fin",))
def forgotten_in_fin_wait_2(lab: Lab) -> None:
    """The client's host keeps no mini-sockets (tcp_max_tw_buckets is 0): it closes, and forgets the connection when its
    FIN is acknowledged; the server's FIN, 200 ms later, meets a RST.
    """
    lab.a.sysctl(tcp_max_tw_buckets=0)
    client, server = opened(lab)
    client.close()
    close_after_eof(server, 0.2)
    pause(0.1)


@scenario()
def client_uses_its_own_time_wait_again(lab: Lab) -> None:
    """The client closes first and is in TIME_WAIT; 1.3 s later it connects from the same port (tcp_tw_reuse), which its
    kernel allows because timestamps tell old from new.
    """
    lab.a.sysctl(tcp_tw_reuse=1)
    for _ in range(2):
        client, server = opened(lab, from_port=PORT)
        client.close()
        close_after_eof(server)
        pause(1.3)


@scenario(causes=("abort",))
def syn_into_fin_wait_2(lab: Lab) -> None:
    """The server closed and is in FIN_WAIT_2; the client's host forgets the connection (its RST is lost) and asks anew
    from the same port: the old acknowledgment, a RST that ends FIN_WAIT_2, and the repeated SYN is accepted.
    """
    client, server = opened(lab, from_port=PORT)
    server.close()
    pause(0.1)
    lab.loss.lose(loss.RST, by="a", first=1)
    abort(client)
    pause(0.2)
    lab.loss.nothing()
    again, fresh = lab.connect(from_port=PORT)
    exchange(again, fresh)
    again.close()
    close_after_eof(fresh)
