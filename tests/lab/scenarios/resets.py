"""Resets by those who own the connection. Some are the scenes of the captures folder."""

from __future__ import annotations

import socket
import struct

from captures.recipes import resets
from captures.recipes.play import REPLY, REQUEST, abort, close_after_eof, opened, pause, receive

from .. import loss
from ..network import Lab
from ..scenario import Hidden, Scenario, add, scenario, story_of
from .visits import visit

for _scene, _causes in (
    (resets.abortive_close, ("abort",)),
    (resets.abort_with_data_lost, ("abort-data-lost",)),
    (resets.reset_with_unread_data, ("unread-data|abort",)),
    (resets.reset_after_own_fin, ("after-own-fin",)),
    (resets.killed_process, ()),
    (resets.upload_read_then_closed, ()),
):
    add(Scenario(_scene.__name__.replace("_", "-"), "resets", story_of(_scene), _scene, causes=_causes))


@scenario(causes=("data-after-close",))
def fin_with_data_to_closed_peer(lab: Lab) -> None:
    """The client has closed; the server's last words come with its FIN in one segment and meet a RST."""
    client, server = opened(lab)
    client.close()
    pause(0.1)
    server.send(b"the last words\n", socket.MSG_MORE)
    server.close()
    pause(0.1)


@scenario(causes=("crossed-close",))
def request_crosses_the_fin(lab: Lab) -> None:
    """The server closes an idle connection in the moment the client sends its next request."""
    client, server = opened(lab)
    server.close()
    client.sendall(REQUEST)
    pause(0.2)
    client.close()


@scenario(causes=("abort",))
def abort_in_close_wait(lab: Lab) -> None:
    """The server closes; the client, in CLOSE_WAIT, closes with SO_LINGER 0."""
    client, server = opened(lab)
    server.close()
    pause(0.2)
    abort(client)
    pause(0.1)


@scenario(causes=("abort",))
def abort_by_the_server(lab: Lab) -> None:
    """The server closes with SO_LINGER 0."""
    client, server = opened(lab)
    abort(server)
    pause(0.1)
    client.close()


@scenario(causes=("abort-data-lost|crossed-close",))
def reset_crosses_the_fin(lab: Lab) -> None:
    """The client closes in order, and the server aborts in the same moment: FIN and RST cross."""
    client, server = opened(lab)
    client.close()
    server.sendall(b"never to be acknowledged\n")
    abort(server)
    pause(0.2)


UNREAD_CLIENT = f"""
import socket, sys, time
s = socket.create_connection((sys.argv[1], 8080))
s.sendall({REQUEST!r})
time.sleep(60)
"""


@scenario(causes=("unread-data|abort",))
def killed_with_unread_data(lab: Lab) -> None:
    """A client process is killed before it has read its reply: its kernel sends a RST."""
    with lab.b.listen(8080) as listener:
        process = lab.a.python(UNREAD_CLIENT, lab.b.address)
        server, _ = listener.accept()
    lab.sockets.append(server)
    receive(server, len(REQUEST))
    server.sendall(REPLY)
    pause(0.2)
    process.kill()
    pause(0.2)


@scenario(causes=("half-open",), raw_ports=(40777,))
def given_up_while_opening(lab: Lab) -> None:
    """A prober's raw SYN is answered; its kernel, which knows of no such socket, resets: a half-open scan."""
    from .. import forge, pcapfile

    with lab.b.listen(8080):
        source = (lab.a.address, 40777)
        packet = forge.segment(source, (lab.b.address, 8080), seq=1000, flags=pcapfile.SYN, window=64000)
        forge.send(lab.a, packet)
        pause(0.2)


@scenario()
def linger_with_patience(lab: Lab) -> None:
    """SO_LINGER with five seconds: close waits for the acknowledgment, and the close is an ordinary one."""
    client, server = opened(lab)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 5))
    client.close()
    close_after_eof(server)


@scenario(
    causes=("abort",),
    hidden=(
        Hidden("a", "lost-before-the-tap", ("CLOSED",), taps="mb"),
        Hidden("b", "never-arrived", (), ("CLOSED",), taps="a"),
    ),
)
def reset_lost_for_good(lab: Lab) -> None:
    """The client aborts, its RST is lost, and the server has nothing to say: it stays in ESTABLISHED for ever."""
    client, _server = opened(lab)
    lab.loss.lose(loss.RST, by="a", first=1)
    abort(client)
    pause(0.3)
    visit(lab)
