"""What only many connections together show: ports used up, a service that is away for a while, a flood."""

from __future__ import annotations

import contextlib

from tests.lab import forge, loss, pcapfile

from . import Lab, recipe
from .play import close_after_eof, passing_visit, pause

VISITS = 27  # of the thirty ports that the client has
ATTEMPTS = 12
SOURCES = 50


def visit(lab: Lab, port: int = 8080, *, client_first: bool = True) -> None:
    """A connection that is closed as soon as it is open."""
    client, server = lab.connect(port)
    first, second = (client, server) if client_first else (server, client)
    first.close()
    close_after_eof(second, reaction=0.01)


@recipe("pcap")
def time_wait_pile_up(lab: Lab) -> None:
    """A client with thirty ports (net.ipv4.ip_local_port_range) opens a connection for each of 27 requests and closes
    it first.

    Each port waits in TIME_WAIT for 60 s, so 27 of 30 are in use at the end. With --ephemeral-ports 30 the report says
    TD504 for the client; with the ports that Linux has by default there is none.
    """
    lab.a.sysctl(ip_local_port_range="40000 40029")
    for _ in range(VISITS):
        visit(lab)


@recipe("pcap")
def time_wait_at_the_server(lab: Lab) -> None:
    """The same 27 visits, but the server closes first.

    TIME_WAIT is on the server, where it takes no port: the near miss of TD504.
    """
    for _ in range(VISITS):
        visit(lab, client_first=False)


def refused(lab: Lab, port: int) -> None:
    """An attempt where nobody listens."""
    with contextlib.suppress(ConnectionRefusedError):
        lab.a.connect((lab.b.address, port))
    pause(0.1)


@recipe("pcap")
def service_outage(lab: Lab) -> None:
    """A server takes three connections, is away while a client tries twelve times, and takes two more: a restart.

    Each attempt in between is refused (TD307). The report says once that this was an outage, from when to when, and
    that connections were taken before and after: TD317.
    """
    for _ in range(3):
        visit(lab)
    for _ in range(ATTEMPTS):
        refused(lab, 8080)
    for _ in range(2):
        visit(lab)


@recipe("pcap")
def service_never_there(lab: Lab) -> None:
    """A client tries twelve times to reach a port where nobody ever listens; another port of the host is served.

    A port that never took a connection has no outage: the near miss of TD317. Twelve times TD307.
    """
    passing_visit(lab)
    for _ in range(ATTEMPTS):
        refused(lab, 8080)
    passing_visit(lab)


@recipe("pcap", tap="b")
def half_open_flood(lab: Lab) -> None:
    """50 SYNs of as many made addresses reach a server within a second. The router swallows the SYN-ACKs, as nobody
    answers for those addresses.

    The server's kernel is a real one: it keeps the 50 half-open connections and repeats each SYN-ACK after 1 s,
    since no acknowledgment comes. The report says TD316 for
    the server.
    """
    lab.m.run("ip", "route", "add", "blackhole", "10.128.0.0/9")
    lab.b.sysctl(tcp_syncookies=0, tcp_max_syn_backlog=1024)
    with lab.b.listen(8080, backlog=1024):
        for number in range(SOURCES):
            source = (f"10.{128 + number}.7.{1 + number}", 1024 + 97 * number)
            syn = forge.segment(source, (lab.b.address, 8080), seq=7919 * number, flags=pcapfile.SYN, window=1024)
            forge.send(lab.m, syn)
        pause(2.5)
    passing_visit(lab)


@recipe("pcap", tap="b")
def clients_out_of_reach(lab: Lab) -> None:
    """A client's host tries 50 times, each from an address of its own; the SYN-ACKs are lost on the way.

    The client's kernel repeats each SYN: these are no sources that never mean to complete, but clients whom the
    server's answers do not reach. The near miss of TD316.
    """
    lab.a.sysctl(tcp_syn_retries=1, tcp_syn_linear_timeouts=0)  # few packets, and these are small
    lab.a.sysctl(tcp_timestamps=0, tcp_sack=0, tcp_window_scaling=0)
    lab.b.sysctl(tcp_syncookies=2)  # each SYN is answered at once, and no answer repeated by a timer
    addresses = [f"10.{lab.number}.1.{100 + number}" for number in range(SOURCES)]
    lab.a.run("ip", "-batch", "-", stdin="".join(f"address add {ip}/24 dev eth0\n" for ip in addresses))
    lab.loss.lose(loss.SYN_ACK, by="b")
    with lab.b.listen(8080, backlog=1024) as listener:
        for ip in addresses:
            client = lab.a.new_socket()
            lab.sockets.append(client)
            client.bind((ip, 0))
            client.setblocking(False)
            client.connect_ex(listener.getsockname()[:2])
        pause(2.5)
    lab.loss.nothing()
    passing_visit(lab)
