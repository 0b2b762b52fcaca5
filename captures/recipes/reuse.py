"""The same addresses and ports again."""

from __future__ import annotations

import socket

from . import Lab, recipe
from .play import close_after_eof, exchange, pause

PORT = 40000  # the client binds it, so that the second connection has the tuple of the first


def visit_closed_by_server(lab: Lab) -> None:
    """A request on the fixed port; the server closes first, so TIME_WAIT is the server's and the client's
    port is free.
    """
    client, server = lab.connect(from_port=PORT)
    exchange(client, server)
    server.shutdown(socket.SHUT_WR)
    close_after_eof(client)
    server.close()


@recipe("pcapng")
def tuple_reused_in_time_wait(lab: Lab) -> None:
    """The server closed first and is in TIME_WAIT; 1.5 s later the client connects again from the same port.

    The SYN's timestamp is newer than the last one the old connection saw, so the server's kernel gives up
    TIME_WAIT and accepts at once (RFC 6191, RFC 7323). The report says TD501 with the rule that let it in;
    two connections, two streams.
    """
    visit_closed_by_server(lab)
    pause(1.5)
    visit_closed_by_server(lab)


@recipe("pcap")
def tuple_reused_after_time_wait(lab: Lab) -> None:
    """As tuple-reused-in-time-wait, but 64 s later: TIME_WAIT is over and nothing was cut short.

    The near miss of TD501. No finding; the first connection's server went from TIME_WAIT to CLOSED by its
    timer.
    """
    visit_closed_by_server(lab)
    pause(64.0)
    visit_closed_by_server(lab)
