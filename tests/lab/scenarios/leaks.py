"""Sockets that nobody closes, or much too late. Some are the scenes of the captures folder."""

from __future__ import annotations

import subprocess

from captures.recipes import closing, field_notes
from captures.recipes.play import REPLY, REQUEST, opened, pause, receive

from ..network import Lab
from ..scenario import Hidden, Scenario, add, scenario, story_of
from .visits import visit

LATE_FIN = "late-fin"
for _scene in (closing.late_fin_answered_by_rst, field_notes.leak_until_garbage_collected):
    _name = _scene.__name__.replace("_", "-")
    add(Scenario(_name, "leaks", story_of(_scene), _scene, causes=(LATE_FIN,)))
add(
    Scenario(
        "write-to-closed-peer",
        "leaks",
        story_of(closing.write_to_closed_peer),
        closing.write_to_closed_peer,
        causes=("data-after-close",),
    )
)


@scenario()
def never_closed(lab: Lab) -> None:
    """The client closes and the server's application never does; another visit shows that the capture ran on."""
    client, _server = opened(lab)
    client.close()
    pause(1.5)
    visit(lab)


@scenario(hidden=(Hidden("a", "silent-death", ("CLOSED",)),))
def never_closed_and_forgotten(lab: Lab) -> None:
    """The same, and the client's orphaned FIN_WAIT_2 ends by its timer (2 s here) while the capture runs on."""
    lab.a.sysctl(tcp_fin_timeout=2)
    client, _server = opened(lab)
    client.close()
    pause(5.0)
    visit(lab)


@scenario()
def forked_child_closes(lab: Lab) -> None:
    """A server's child closes its copy of the socket while the parent holds its own: no FIN goes out."""
    process = lab.b.python(field_notes.FORKING_SERVER, lab.b.address, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    with lab.a.connect((lab.b.address, 8080)) as client:
        client.sendall(REQUEST)
        receive(client, len(REPLY))
    pause(1.5)
    visit(lab)


@scenario(causes=(LATE_FIN,))
def two_seconds_too_late(lab: Lab) -> None:
    """The server has closed and its FIN_WAIT_2 ended; the client's last request and FIN come in one segment."""
    lab.b.sysctl(tcp_fin_timeout=2)
    client, server = opened(lab)
    server.close()
    pause(5.0)
    client.shutdown(1)
    pause(0.1)


@scenario()
def held_open_on_both_sides(lab: Lab) -> None:
    """Nobody closes at all; the connection is simply idle while another one is made and closed."""
    opened(lab)
    pause(0.5)
    visit(lab)
