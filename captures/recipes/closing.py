"""How connections close: in order, at once, late, half, or not at all."""

from __future__ import annotations

import socket

from . import Lab, recipe
from .play import REQUEST, close_after_eof, exchange, opened, passing_visit, pause


@recipe("pcap")
def graceful_client_first(lab: Lab) -> None:
    """The client closes after its reply, the server follows: four segments, each FIN acknowledged by itself.

    The plainest close there is, here so that silence is tested too. The client ends in TIME_WAIT (its 60 s
    are not over when the capture ends), the server is CLOSED. The report has no finding.
    """
    client, server = opened(lab)
    client.close()
    pause(0.1)
    close_after_eof(server)


@recipe("pcapng")
def graceful_server_first(lab: Lab) -> None:
    """The server closes after its reply and the client follows at once, so its FIN carries the ACK: three
    segments.

    FIN and ACK in one segment take the server from FIN_WAIT_1 through FIN_WAIT_2 to TIME_WAIT in one step;
    the client passes CLOSE_WAIT in no time. TIME_WAIT belongs to the server, because it closed first. No
    finding.
    """
    client, server = opened(lab)
    server.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""
    client.close()
    pause(0.1)
    server.close()


@recipe("pcap")
def graceful_over_ipv6(lab: Lab) -> None:
    """The client closes first, over IPv6, with its last request's data in the same segment as its FIN.

    MSG_MORE holds the data back until the close, so data and FIN share a segment: the FIN's number is the one
    after the payload. No finding.
    """
    client, server = opened(lab, ipv6=True)
    client.send(REQUEST, socket.MSG_MORE)
    client.close()
    pause(0.1)
    server.recv(len(REQUEST))
    close_after_eof(server)


@recipe("pcapng", tap="middle")
def simultaneous_close(lab: Lab) -> None:
    """Both sides close at the same moment, 20 ms apart from each other, so that the FINs cross on the way.

    Seen from the middle. Neither FIN acknowledges the other; both endpoints go FIN_WAIT_1, CLOSING,
    TIME_WAIT. The report says TD205 and closed_by ``both``; CLOSE_WAIT and LAST_ACK never appear.
    """
    client, server = opened(lab)
    client.close()
    server.close()
    pause(0.2)


@recipe("pcapng")
def half_close_in_use(lab: Lab) -> None:
    """The client sends its request and shuts its sending side, as ``nc -N`` does; the server goes on replying
    for 2.4 s.

    The server is in CLOSE_WAIT for longer than the threshold of a slow close, and rightly: it still had data
    to send and the client acknowledged it. The report says TD104 and neither a leak nor a slow close.
    """
    client, server = opened(lab)
    client.sendall(REQUEST)
    client.shutdown(socket.SHUT_WR)
    server.recv(len(REQUEST))
    for _ in range(6):
        server.sendall(b"part of a long answer\n" * 10)
        pause(0.4)
        client.recv(4096)
    server.close()
    assert client.recv(1) == b""
    client.close()
    pause(0.1)


@recipe("pcap")
def slow_close(lab: Lab) -> None:
    """The client closes, and the server needs 2.5 s before it reads the end of the stream and closes too.

    The close is in order, but CLOSE_WAIT lasted 2.5 s without a byte sent: the server's application was busy
    elsewhere. The report says TD105, blames the server, and gives its reaction time.
    """
    client, server = opened(lab)
    client.close()
    close_after_eof(server, 2.5)


@recipe("pcap")
def prompt_close(lab: Lab) -> None:
    """As slow-close, but the server needs 0.4 s: below the threshold of 1 s. No finding; the near miss of
    TD105.
    """
    client, server = opened(lab)
    client.close()
    close_after_eof(server, 0.4)


@recipe("pcap")
def close_wait_leak(lab: Lab) -> None:
    """The client closes and the server's application never does; 12 s later the capture still sees another
    connection.

    The server acknowledged the FIN, then nothing: it is in CLOSE_WAIT for longer than the threshold of 10 s,
    and that is a lower bound. The report says TD101 and blames the server. The visit at the end only shows
    that the capture ran on.
    """
    client, _server = opened(lab)
    client.close()
    pause(12.0)
    passing_visit(lab)


@recipe("pcap")
def half_closed_at_capture_end(lab: Lab) -> None:
    """As close-wait-leak, but the capture ends 3 s after the FIN: too early to call it a leak.

    The report says TD107, not TD101: the age of CLOSE_WAIT is only known to be more than 3 s.
    """
    client, _server = opened(lab)
    client.close()
    pause(3.0)
    passing_visit(lab)


@recipe("pcapng")
def late_fin_answered_by_rst(lab: Lab) -> None:
    """The server closes; the client's application closes only 5 s later, when the server has forgotten the
    connection.

    The server's application called close(), so its FIN_WAIT_2 was an orphan and ended after tcp_fin_timeout,
    lowered here from 60 s to 2 s (http-client-never-closes waits out the real 60 s). The late FIN meets a
    RST. The report says TD102, blames the client, and says that the server's FIN_WAIT_2 ended between the
    client's last ACK and the RST.
    """
    lab.b.sysctl(tcp_fin_timeout=2)
    client, server = opened(lab)
    server.close()
    close_after_eof(client, 5.0)


@recipe("pcap")
def late_fin_still_welcome(lab: Lab) -> None:
    """As late-fin-answered-by-rst with the same 5 s, but the server only shut its sending side and kept its
    socket.

    A FIN_WAIT_2 that an application still holds has no time limit, so the late FIN is acknowledged. The near
    miss of TD102: only TD105, a slow close.
    """
    lab.b.sysctl(tcp_fin_timeout=2)
    client, server = opened(lab)
    server.shutdown(socket.SHUT_WR)
    close_after_eof(client, 5.0)
    server.close()


@recipe("pcapng")
def write_to_closed_peer(lab: Lab) -> None:
    """The server closes an idle connection; the client's pool does not notice and sends its next request 2 s
    later.

    The server closed both directions, so the request meets a RST. The client was told (the FIN) and did not
    look. The report says TD103, endpoint client, and how long after the FIN the data was sent.
    """
    client, server = opened(lab)
    server.close()
    pause(2.0)
    client.sendall(REQUEST)
    pause(0.1)
    client.close()


@recipe("pcap")
def time_wait_runs_out(lab: Lab) -> None:
    """An ordinary close, and 64 s later another connection: long after TIME_WAIT's 60 s.

    No packet shows the end of TIME_WAIT; the report takes it from the profile of timers. The client of the
    first connection is CLOSED at the capture's end, by a row with basis ``timer``; the second one's is in
    TIME_WAIT. No finding.
    """
    client, server = opened(lab)
    client.close()
    close_after_eof(server)
    pause(64.0)
    client, server = lab.connect()
    exchange(client, server)
    client.close()
    close_after_eof(server)
