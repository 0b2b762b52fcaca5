"""Resets, and what made them come."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import time
from collections.abc import Callable

from tests.lab import loss

from . import Lab, recipe
from .capture_itself import longer_pauses
from .play import REPLY, REQUEST, abort, close_after_eof, exchange, opened, pause, receive


@recipe("pcap")
def abortive_close(lab: Lab) -> None:
    """The client has its reply and closes with SO_LINGER 0: a RST out of nothing, no FIN, nothing
    outstanding.

    The report says TD301 for the client and lists what it may have been (SO_LINGER 0, a killed process); no
    data was lost.
    """
    client, _server = opened(lab)
    pause(0.3)
    abort(client)
    pause(0.2)


@recipe("pcapng", tap="middle")
def abort_with_data_lost(lab: Lab) -> None:
    """The client sends 8000 bytes and closes at once with SO_LINGER 0; the path takes 20 ms each way.

    When the RST passes, none of the 8000 bytes is acknowledged; the server's application gets ECONNRESET and
    may never have read them. The report says TD302 for the client, with the number of bytes.
    """
    client, _server = opened(lab)
    client.sendall(b"record\n" * 1143)
    abort(client)
    pause(0.3)


@recipe("pcapng")
def reset_with_unread_data(lab: Lab) -> None:
    """The server answers two requests and has had enough: the third arrives, and it closes without reading that.

    After a dialogue of requests and replies the server's kernel delays its acknowledgments (up to 40 ms), so the first
    that it says of the third request is a RST that acknowledges it: the data had arrived, and nobody had read them.
    The report says TD303 for the server.
    """
    client, server = opened(lab)
    exchange(client, server)
    client.sendall(REQUEST)
    select.select([server], [], [], 5.0)  # it is there
    server.close()
    pause(0.2)
    client.close()


@recipe("pcapng")
def unread_data_acknowledged(lab: Lab) -> None:
    """The client uploads, and the server replies 413 and closes without having read the upload: its kernel sends RST.

    Closing with unread data is an abort, whatever was written before; the client may lose the reply it was just sent.
    But the kernel had acknowledged the upload, and whether the application had read it no packet tells: the near miss
    of reset-with-unread-data. The report says TD301 for the server.
    """
    client, server = opened(lab)
    client.sendall(b"POST /upload HTTP/1.1\r\nContent-Length: 2800\r\n\r\n" + b"x" * 2800)
    server.recv(64)
    server.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
    server.close()
    pause(0.2)
    client.close()


@recipe("pcap")
def upload_read_then_closed(lab: Lab) -> None:
    """As reset-with-unread-data, but the server reads the upload before it closes: an ordinary close.

    The near miss of TD303. No finding.
    """
    client, server = opened(lab)
    exchange(client, server, b"POST /upload HTTP/1.1\r\nContent-Length: 2800\r\n\r\n" + b"x" * 2800)
    server.close()
    close_after_eof(client)


@recipe("pcap")
def reset_after_own_fin(lab: Lab) -> None:
    """The client shuts its sending side, waits for an answer, and gives up 0.5 s later with SO_LINGER 0.

    FIN and RST of the same endpoint, and nothing of the peer's in between but an acknowledgment: no late data
    made it do so. The report says TD304 for the client.
    """
    client, server = opened(lab)
    client.sendall(REQUEST)
    server.recv(len(REQUEST))
    pause(0.1)
    client.shutdown(socket.SHUT_WR)
    pause(0.5)
    abort(client)
    pause(0.2)


@recipe("pcap")
def connection_refused(lab: Lab) -> None:
    """Nobody listens on the server's port: the server's kernel answers the SYN with RST.

    The host was reached, so path and firewall let it through; the service is down or elsewhere. The report says TD307.
    """
    try:
        lab.a.connect((lab.b.address, 8081))
    except ConnectionRefusedError:
        pause(0.1)


@recipe("pcap")
def connection_attempt_unanswered(lab: Lab) -> None:
    """A firewall drops the SYNs in silence; the client repeats its SYN six times in 7 s and is then told to
    stop.

    The report says TD308 with the number of SYNs, and that it is one attempt: they have the same number.
    """
    lab.loss.lose(loss.SYN)
    try:
        lab.a.connect((lab.b.address, 8080), timeout=8.0)
    except TimeoutError:
        pause(0.1)


@recipe("pcap", filter="tcp or icmp")
def connection_attempt_rejected(lab: Lab) -> None:
    """A firewall on the way rejects the SYN and says so by ICMP: communication administratively prohibited.

    The client's kernel ends the attempt at once with EHOSTUNREACH, "no route to host", and repeats nothing. The report
    says TD308 and names the firewall's address, after a single SYN.
    """
    lab.loss.prohibit(loss.SYN)
    try:
        lab.a.connect((lab.b.address, 8080), timeout=8.0)
    except OSError as error:
        if error.errno != errno.EHOSTUNREACH:
            raise
        pause(0.1)


@recipe("pcap")
def syn_lost_once(lab: Lab) -> None:
    """The first SYN is lost, the second is answered, and the connection lives and ends well.

    The near miss of TD308. No finding.
    """
    lab.loss.lose(loss.SYN, first=1)
    client, server = opened(lab)
    client.close()
    close_after_eof(server)


@recipe("pcap")
def killed_process(lab: Lab) -> None:
    """A client process is killed (SIGKILL) with nothing unread: its kernel closes in order, with a FIN.

    A killed process is not an abort; the near miss of TD301. No finding.
    """
    with lab.b.listen(8080) as listener:
        program = (
            "import socket, sys, time; s = socket.create_connection((sys.argv[1], 8080)); "
            f"s.sendall({REQUEST!r}); s.recv(4096); time.sleep(60)"
        )
        process = lab.a.python(program, lab.b.address)
        server, _ = listener.accept()
    server.settimeout(5.0)
    server.recv(len(REQUEST))
    server.sendall(REPLY)
    pause(0.3)
    process.kill()
    close_after_eof(server)


@recipe("pcap", edit=longer_pauses(235 * 10**9))
def closed_by_idle_timer(lab: Lab) -> None:
    """A server resets connections that have been idle for 240 s: three clients, each with one answered request.

    The RST answers nothing, and comes 240 s after the last segment of each connection, whenever that was. 235 s of
    them are edited in, not waited for. The report says TD401 for the server three times, with a timer that resets
    after 240 s, and that three connections were reset so.
    """
    idle_for(lab, 5.02, abort, 3)
    pause(0.2)


@recipe("pcap")
def gave_up_waiting(lab: Lab) -> None:
    """The server hangs: two clients wait 1 s for an answer that does not come, and end their connections.

    The first closes with SO_LINGER 0, which sends RST. The second had been answered twice before and closes in order;
    the server closes too, without an answer. The report says TD406 for both clients, and nothing else.
    """
    for answered, end in ((0, abort), (2, socket.socket.close)):
        client, server = lab.connect()
        for _ in range(answered):
            exchange(client, server)
        client.sendall(REQUEST)
        receive(server, len(REQUEST))
        pause(1.0)
        end(client)
        pause(0.1)
        server.close()
        pause(0.1)


@recipe("pcap")
def answered_in_time(lab: Lab) -> None:
    """Answers that come, and data that need none: the near miss of TD406.

    A client waits 1.2 s for its third answer, gets it, and closes. Another only uploads: it waits 1 s after its last
    data and closes, and the server, which never sent a byte, closes too. No finding.
    """
    client, server = opened(lab)
    exchange(client, server)
    client.sendall(REQUEST)
    receive(server, len(REQUEST))
    pause(1.2)
    server.sendall(REPLY)
    receive(client, len(REPLY))
    client.close()
    close_after_eof(server)
    client, server = lab.connect()
    for _ in range(3):
        client.sendall(REQUEST)
        receive(server, len(REQUEST))
        pause(0.2)
    pause(0.8)
    client.close()
    close_after_eof(server)


@recipe("pcap")
def idle_closed_in_order(lab: Lab) -> None:
    """The same server closes idle connections in order, and the clients follow: the near miss of TD401.

    A keep-alive time-out that ends in a FIN is ordinary life. No finding.
    """
    idle_for(lab, 5.02, socket.socket.close, 3)


@recipe("pcap")
def keep_alive_time_out(lab: Lab) -> None:
    """A server closes connections in order that have been idle for 2 s: seven of them; an eighth its client closes.

    That is no trouble, but worth knowing: the report says TD401, info, once for the seven, with timers of 2 s that fit.
    """
    idle_for(lab, 2.01, socket.socket.close, 7)
    client, server = opened(lab)
    client.close()
    close_after_eof(server)


def idle_for(lab: Lab, seconds: float, end: Callable[[socket.socket], None], count: int) -> None:
    """``count`` connections, opened 0.25 s apart, each ended by the server ``seconds`` after its answer; clients
    follow."""
    started = []
    for _ in range(count):
        pause(0.15)
        started.append((*opened(lab), time.monotonic() - 0.1))  # opened() pauses so long after the answer
    for client, server, answered in started:
        pause(max(0.0, answered + seconds - time.monotonic()))
        end(server)
        with contextlib.suppress(ConnectionResetError):
            close_after_eof(client, reaction=0.0)
