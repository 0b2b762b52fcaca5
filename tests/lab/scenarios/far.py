"""Hosts far from each other: what crosses on a path that takes 60 ms and more each way."""

from __future__ import annotations

from captures.recipes.play import opened, pause

from ..network import Lab
from ..scenario import scenario


@scenario(delay=0.06, causes=("crossed-close",))
def write_races_close_far(lab: Lab) -> None:
    """700 bytes of the server cross the client's FIN on a path of 60 ms each way and meet a RST; on its way that RST
    crosses the server's delayed acknowledgment of the FIN, which meets a second one.
    """
    client, server = opened(lab)
    pause(0.3)
    server.sendall(b"." * 700)
    pause(0.005)
    client.close()
    pause(0.4)


@scenario(delay=0.015, causes=("crossed-close",))
def close_notify_after_close(lab: Lab) -> None:
    """The client sends its close_notify and closes at once; the server answers with its own and closes before the FIN
    reaches it: both are in FIN_WAIT_1, the server passes CLOSING, and RSTs end it without any TIME_WAIT.
    """
    client, server = opened(lab)
    client.sendall(b"\x15\x03\x03\x00\x1a" + b"c" * 26)
    pause(0.003)
    client.close()
    server.recv(31)
    server.sendall(b"\x15\x03\x03\x00\x1a" + b"s" * 26)
    server.close()
    pause(0.2)
