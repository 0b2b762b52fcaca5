"""Closes as they should be: in order, at once, half, late. Most are the scenes of the captures folder."""

from __future__ import annotations

import socket

from captures.recipes import closing
from captures.recipes.play import REQUEST, close_after_eof, opened, pause

from ..network import Lab
from ..scenario import Scenario, add, scenario, story_of

for _scene in (
    closing.graceful_client_first,
    closing.graceful_server_first,
    closing.graceful_over_ipv6,
    closing.simultaneous_close,
    closing.half_close_in_use,
    closing.prompt_close,
    closing.late_fin_still_welcome,
    closing.time_wait_runs_out,
):
    add(Scenario(_scene.__name__.replace("_", "-"), "closing", story_of(_scene), _scene))


@scenario()
def both_closes_in_one_segment(lab: Lab) -> None:
    """The server closes in the same moment it reads the end of the stream: its FIN carries the acknowledgment."""
    client, server = opened(lab)
    client.close()
    close_after_eof(server, 0.0)


@scenario()
def fin_with_data(lab: Lab) -> None:
    """Both FINs carry data: held back with MSG_MORE until the close."""
    client, server = opened(lab)
    client.send(REQUEST, socket.MSG_MORE)
    client.shutdown(socket.SHUT_WR)
    assert server.recv(len(REQUEST))
    server.send(b"the last words\n", socket.MSG_MORE)
    server.close()
    pause(0.1)
    assert client.recv(100)
    client.close()


@scenario()
def simultaneous_close_with_data(lab: Lab) -> None:
    """Both sides send a last line and shut their sending sides at once; data and FINs cross, and all is read."""
    client, server = opened(lab)
    for side in (client, server):
        side.sendall(b"goodbye\n")
        side.shutdown(socket.SHUT_WR)
    pause(0.1)
    for side in (client, server):
        side.recv(100)
        side.close()
    pause(0.1)


@scenario()
def opened_and_closed_at_once(lab: Lab) -> None:
    """The client connects and closes without a word; its FIN follows the handshake's last ACK at once."""
    client, server = lab.connect()
    client.close()
    close_after_eof(server)


@scenario()
def half_close_for_good(lab: Lab) -> None:
    """The client shuts its sending side; the server answers twice and closes; the client closes last."""
    client, server = opened(lab)
    client.shutdown(socket.SHUT_WR)
    for _ in range(2):
        server.sendall(b"answer\n")
        pause(0.15)
    server.close()
    pause(0.1)
    client.close()
    pause(0.05)


@scenario()
def closed_before_accepted(lab: Lab) -> None:
    """The client has connected, sent its request and closed before the server's application accepts at all."""
    with lab.b.listen(8080) as listener:
        client = lab.a.connect(listener.getsockname()[:2])
        client.sendall(REQUEST)
        client.close()
        pause(0.2)
        server, _ = listener.accept()
    lab.sockets.append(server)
    server.recv(len(REQUEST))
    close_after_eof(server)
