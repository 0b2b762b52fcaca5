"""Five situations engineers wrote up, with the programs that make them: an HTTP client, a forking server, a
reconnect loop.
"""

from __future__ import annotations

import http.client
import http.server
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from . import Lab, recipe
from .play import REPLY, REQUEST, abort, close_after_eof, opened, passing_visit, pause, receive

CALLS = 3


class Reports(http.server.BaseHTTPRequestHandler):
    """An HTTP/1.0 server: it replies and closes, and the end of the stream is the end of the reply."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"." * 40)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@contextmanager
def http_server(lab: Lab) -> Iterator[str]:
    """An HTTP server on host B; its URL."""
    with lab.b.entered():
        server = http.server.ThreadingHTTPServer((lab.b.address, 8080), Reports)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://{lab.b.address}:8080/report"
    finally:
        server.shutdown()
        server.server_close()


def call(lab: Lab, url: str) -> http.client.HTTPResponse:
    """One HTTP call from host A; the response holds the socket until it is closed."""
    with lab.a.entered():
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy the machine has
        response: http.client.HTTPResponse = opener.open(url, timeout=5)
        return response


@recipe("pcapng")
def http_client_never_closes(lab: Lab) -> None:
    """An HTTP client calls three times, reads what it wants and never closes a response; 75 s later its
    objects are collected at last.

    Field note 1. The server closes after each reply (its FIN_WAIT_2 is an orphan and ends after the real 60
    s), the client sits in CLOSE_WAIT for 75 s, and each late FIN meets a RST. The report says TD102 for the
    client, three times, with how long CLOSE_WAIT lasted, and advises to close the response on every path, not
    to raise a time-out.
    """
    with http_server(lab) as url:
        responses = []
        for _ in range(CALLS):
            responses.append(call(lab, url))
            responses[-1].read(40)
            pause(0.3)
        pause(75.0)
        for response in responses:
            response.close()
            pause(0.1)


@recipe("pcapng")
def http_client_fixed(lab: Lab) -> None:
    """The same three calls after the fix: each response is read and closed by ``with``.

    Field note 1, the capture after. The server closes first and the client at once after it: three clean
    closes, TIME_WAIT on the server. No finding; held against http-client-never-closes the leak is gone.
    """
    with http_server(lab) as url:
        for _ in range(CALLS):
            with call(lab, url) as response:
                response.read()
            pause(0.3)


MANY_CALLS = 40


def many_calls(lab: Lab, forgotten: int) -> None:
    """Forty HTTP calls; of the first ``forgotten`` of every three the response is not closed until 4 s later. Then
    somebody else comes by, so both recordings are as long."""
    lab.b.sysctl(tcp_fin_timeout=2)
    with http_server(lab) as url:
        responses = []
        for number in range(MANY_CALLS):
            response = call(lab, url)
            if number % 3 < forgotten:
                response.read(40)  # not to the end of the stream, at which http.client closes by itself
                responses.append(response)
            else:
                response.read()
                response.close()
            pause(0.02)
        pause(4.0)
        for response in responses:
            response.close()
            pause(0.01)
        passing_visit(lab)


@recipe("pcapng")
def one_response_in_three_not_closed(lab: Lab) -> None:
    """An HTTP client forgets to close the response on one path through its code: after one call in three of forty.

    Field note 1 with enough connections to count, before the fix. The server's FIN_WAIT_2 ends after 2 s (lowered from
    60 s); the client's objects are collected after 4 s, and each of the 14 late FINs meets a RST: TD102.
    """
    many_calls(lab, forgotten=1)


@recipe("pcapng")
def every_response_closed(lab: Lab) -> None:
    """The same forty calls after the fix: every response is closed.

    Field note 1, after the fix. No finding; ``teardown compare`` says that TD102 is gone.
    """
    many_calls(lab, forgotten=0)


FORKING_SERVER = f"""
import os, socket, sys
listener = socket.create_server((sys.argv[1], 8080))
print("ready", flush=True)
held = []
while True:
    connection, _ = listener.accept()
    held.append(connection)          # the mistake: the parent never closes its copy
    if os.fork() == 0:
        connection.recv(4096)
        connection.sendall({REPLY!r})
        connection.recv(1)           # the client has closed
        connection.close()
        os._exit(0)
"""


@recipe("pcapng")
def forked_child_closes_parent_holds(lab: Lab) -> None:
    """A server forks a child for each of eight connections; the child closes its copy, the parent holds its
    own for ever.

    Field note 2. The client closes, the child closes, and no FIN goes out because the descriptor is still
    held: all eight are in CLOSE_WAIT on the server 12 s later. The report says TD101 for the server, eight
    times, and advises to look at descriptors inherited across fork (close in the parent, or shutdown in the
    child).
    """
    process = lab.b.python(FORKING_SERVER, lab.b.address, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    for _ in range(8):
        with lab.a.connect((lab.b.address, 8080)) as client:
            client.sendall(REQUEST)
            receive(client, len(REPLY))
        pause(0.25)
    pause(12.0)
    passing_visit(lab)


@recipe("pcap")
def time_wait_beside_close_wait(lab: Lab) -> None:
    """Sixteen connections closed first by the client: ten end in order, six are never closed by the server.

    Field note 3: "too many open files", TIME_WAIT or CLOSE_WAIT? Here ten TIME_WAIT on the client are
    harmless and go by themselves; six CLOSE_WAIT on the server are the leak. The report says TD101 for the
    server, six times, and nothing about the ten.
    """
    for turn in range(16):
        client, server = opened(lab)
        client.close()
        if turn % 8 not in (2, 5, 7):
            close_after_eof(server)
    pause(12.0)
    passing_visit(lab)


COLLECTED_LATE = f"""
import gc, socket, sys, time

class Session:
    def __init__(self, address):
        self.socket = socket.create_connection((address, 8080))
        self.me = self               # a cycle: only the garbage collector finds it

gc.disable()
session = Session(sys.argv[1])
session.socket.sendall({REQUEST!r})
session.socket.recv(4096)
del session
time.sleep(6)
gc.collect()
"""


@recipe("pcap")
def leak_until_garbage_collected(lab: Lab) -> None:
    """A client drops its session without closing it; the server closes, and 6 s later the client's collector
    closes for it.

    Field note 4: the active closer B goes FIN_WAIT_1, FIN_WAIT_2, and CLOSED by its timer (tcp_fin_timeout
    lowered from 60 s to 2 s), while the leaking A is still in CLOSE_WAIT. The collector's FIN meets a RST.
    The report says TD102 for the client, with every state of both sides, how long it lasted and why it ended.
    """
    lab.b.sysctl(tcp_fin_timeout=2)
    with lab.b.listen(8080) as listener:
        process = lab.a.python(COLLECTED_LATE, lab.b.address)
        server, _ = listener.accept()
    receive(server, len(REQUEST))
    server.sendall(REPLY)
    pause(0.2)
    server.close()
    process.wait(20)
    pause(0.2)


@recipe("pcap")
def reconnect_loop_aborts(lab: Lab) -> None:
    """A client in a reconnect loop sets SO_LINGER 0 and closes: twelve connections, twelve ports, twelve
    RSTs.

    Field note 5, after its author's cure: no CLOSE_WAIT and no TIME_WAIT are left, but every close is an
    abort. The report says TD301 for the client, twelve times; nothing was outstanding.
    """
    for _ in range(12):
        client, _server = opened(lab)
        abort(client)
        pause(0.1)


@recipe("pcapng")
def reconnect_loop_leaks(lab: Lab) -> None:
    """A client in a reconnect loop: the server closes each connection, the client forgets the socket and
    opens another.

    Field note 5, before the cure. Twelve sockets in CLOSE_WAIT on one client, each on a port of its own. The
    report says TD101 for the client, twelve times.
    """
    for _ in range(12):
        _client, server = opened(lab)
        server.close()
        pause(0.1)
    pause(12.0)
    passing_visit(lab)
