"""A FIN or its acknowledgment gets lost. The tap stands before the loss, so it sees what never arrived."""

from __future__ import annotations

import socket

from tests.lab import loss

from . import Lab, recipe
from .play import close_after_eof, opened, passing_visit, pause


@recipe("pcapng")
def fin_never_acknowledged(lab: Lab) -> None:
    """The server's host vanishes from the network, then the client closes: its FIN is repeated and never
    answered.

    Seven repeats with doubling intervals in 13 s. The client is stuck in FIN_WAIT_1; what became of the
    server no packet tells. The report says TD201 for the client and suspects the path, not the applications.
    """
    client, _server = opened(lab)
    lab.loss.lose(loss.EVERYTHING)
    client.close()
    pause(13.5)


@recipe("pcap", tap="b")
def stuck_in_last_ack(lab: Lab) -> None:
    """The client closes, the server follows, but from then on nothing of the server's arrives: its FIN is
    never acknowledged.

    Seen on the server, which repeats its FIN in LAST_ACK. The report says TD201 for the server; the client's
    FIN was acknowledged, so the client (as far as the tap can know) waits in FIN_WAIT_2.
    """
    client, server = opened(lab)
    client.close()
    pause(0.1)
    lab.loss.lose(loss.EVERYTHING, by="b")
    close_after_eof(server)
    pause(6.0)


@recipe("pcapng")
def fin_retransmitted(lab: Lab) -> None:
    """The client's FIN is lost twice on its way; the third one arrives and the close goes on in order.

    The same FIN three times is one FIN. The report says TD202 with the number of repeats; closed_by is the
    client.
    """
    client, server = opened(lab)
    lab.loss.lose(loss.FIN, by="a", first=2)
    client.close()
    close_after_eof(server)
    pause(0.1)


@recipe("pcapng")
def last_ack_lost(lab: Lab) -> None:
    """The client closes first; its acknowledgment of the server's FIN is lost, and the server repeats its
    FIN.

    The client is in TIME_WAIT, which exists for this: it acknowledges again, and the server leaves LAST_ACK.
    Seen on the client. The report says TD203; the acknowledgment that passed the tap had not arrived, so the
    server was still in LAST_ACK until the second one.
    """
    client, server = opened(lab)
    client.close()
    pause(0.1)
    lab.loss.lose(loss.BARE_ACK, by="a", first=1)
    close_after_eof(server)
    pause(0.6)


@recipe("pcap")
def last_ack_lost_then_reset(lab: Lab) -> None:
    """As last-ack-lost, but the client's kernel keeps no TIME_WAIT (tcp_max_tw_buckets=0), as in a host whose
    table is full.

    The client shuts its sending side and waits, so that FIN_WAIT_2 is a real socket and its last ACK is
    really sent. The repeated FIN meets a host that has forgotten the connection and answers RST. The report
    says TD204, not TD203.
    """
    lab.a.sysctl(tcp_max_tw_buckets=0)
    client, server = opened(lab)
    client.shutdown(socket.SHUT_WR)
    pause(0.1)
    lab.loss.lose(loss.BARE_ACK, by="a", first=1)
    close_after_eof(server)
    pause(0.6)


@recipe("pcap")
def data_lost_but_fin_not(lab: Lab) -> None:
    """The client's last data is lost and repeated; its FIN, sent right behind, arrives out of order and only
    once.

    The FIN counts for the server only when the hole before it is filled. Nothing about the close is repeated:
    the near miss of TD202. No finding.
    """
    client, server = opened(lab)
    lab.loss.lose(loss.EVERYTHING, by="a", first=1)
    client.sendall(b"the last words\n")
    client.close()
    pause(0.5)
    server.recv(100)
    close_after_eof(server)
    passing_visit(lab)
