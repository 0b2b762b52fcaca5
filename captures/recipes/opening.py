"""Connections that open with difficulty: the server's kernel drops the last acknowledgment, the network loses it, a
refusal has the wrong number.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

from tests.lab import forge, loss, pcapfile

from . import Lab, recipe
from .play import REQUEST, close_after_eof, exchange, pause

ETH_P_IP = 0x0800


def ask(lab: Lab, server: tuple[str, int]) -> socket.socket:
    """Begin to connect, and do not wait for the end of it."""
    client = lab.a.new_socket()
    lab.sockets.append(client)
    client.setblocking(False)
    client.connect_ex(server)
    return client


@recipe("pcap", tap="b")
def accept_queue_full(lab: Lab) -> None:
    """A server that never accepts, whose queue holds two: one client has connected, two more connect at once.

    The kernel answers both SYNs while there is room, and has none left when the third client's last ACK comes: it
    drops that ACK and the request behind it, stays in SYN_RECEIVED and repeats its SYN-ACK after 1, 3 and 7 s
    (tcp_abort_on_overflow is 0). Seen on the server, so that nobody can say that the ACK was lost. The requests of the
    first two are acknowledged, and nobody reads them. The report says TD313 for the server, and not that the network
    loses the client's data.
    """
    lab.relay(0.02)  # so that the second SYN is there before the first last ACK
    listener = lab.b.listen(8080, backlog=1)
    lab.sockets.append(listener)
    clients = [ask(lab, listener.getsockname()[:2])]
    pause(0.2)
    clients += [ask(lab, listener.getsockname()[:2]) for _ in range(2)]
    pause(0.1)
    for client in clients:
        client.send(REQUEST)
    pause(7.5)


@recipe("pcap")
def last_handshake_ack_lost(lab: Lab) -> None:
    """The handshake's last ACK is lost once; the client has nothing to say, so the server repeats its SYN-ACK after
    1 s and the client its ACK.

    Seen on the client, where the lost ACK did pass. A SYN-ACK repeated once says that an ACK was lost, not that the
    server takes no connection: the near miss of TD313. No finding.
    """
    lab.loss.lose(loss.BARE_ACK, by="a", first=1)
    client, server = lab.connect()
    exchange(client, server)
    client.close()
    close_after_eof(server)


@contextlib.contextmanager
def refused_wrongly(lab: Lab) -> Iterator[None]:
    """The router drops each SYN of host A and answers it in B's name by a RST that acknowledges its own number."""
    lab.loss.lose(loss.SYN, by="a")
    with lab.m.entered():
        ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
    ear.bind(("to-a", ETH_P_IP))
    ear.settimeout(0.1)
    over = threading.Event()

    def answer() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                data = ear.recv(2048)
                syn = pcapfile.segment(pcapfile.LINK_ETHERNET, pcapfile.Packet(0, data, len(data)))
                if syn.flags == pcapfile.SYN:
                    ends = (lab.b.address, syn.port), (lab.a.address, syn.source_port)
                    flags = pcapfile.RST | pcapfile.ACK
                    forge.send(lab.m, forge.segment(*ends, seq=0, ack=syn.seq, flags=flags, ttl=63))

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        ear.close()


@recipe("pcap")
def refused_with_wrong_number(lab: Lab) -> None:
    """Each SYN is answered by a RST that acknowledges the SYN's own number instead of the number after it, as a small
    TCP stack does that counts wrongly; the router forges them.

    The client's kernel has to ignore them (RFC 9293 3.10.7.3), repeats its SYN every second, and the application gets
    "timed out" instead of "refused". The report says TD314 for the server.
    """
    with refused_wrongly(lab), contextlib.suppress(TimeoutError):
        lab.a.connect((lab.b.address, 8081), timeout=4.5)
    pause(0.1)
