"""A path whose delay jumps: nothing is lost, and yet much is repeated."""

from __future__ import annotations

from captures.recipes.play import REQUEST, close_after_eof, opened, pause, receive

from ..network import Lab
from ..relay import Policy
from ..scenario import scenario
from .visits import visit

SPIKE = 0.45  # seconds each way, more than any first timer
NEAR = 0.01  # the path at its best


def slow(extra: float, *, by_a: bool) -> Policy:
    """A policy that delays all packets of one side."""
    return lambda packet, from_a: (extra,) if from_a == by_a else (0.0,)


@scenario(causes=("no-connection",), slowest=SPIKE)
def spike_at_the_close(lab: Lab) -> None:
    """The delay jumps from 10 to 450 ms each way at the close: both sides repeat their FINs needlessly, and the late
    copies meet RSTs of the server, which end the client's TIME_WAIT.
    """
    client, server = opened(lab)
    lab.path.delay = SPIKE
    client.close()
    close_after_eof(server, 0.0)
    pause(2.3)


@scenario(slowest=SPIKE)
def spike_before_the_fin(lab: Lab) -> None:
    """The delay is 450 ms each way during one request, which is repeated although nothing was lost; it falls back
    before both sides close in order.
    """
    client, server = opened(lab)
    lab.path.delay = SPIKE
    client.sendall(REQUEST)
    receive(server, len(REQUEST))
    pause(1.5)
    lab.path.delay = NEAR
    client.close()
    close_after_eof(server)


@scenario(slowest=SPIKE, causes=("no-connection",))
def spike_between_the_fin_and_its_acknowledgment(lab: Lab) -> None:
    """The client's FIN passes fast, everything of the server is slow from then on: the acknowledgment of the FIN takes
    450 ms, and the server's own FIN as well.
    """
    client, server = opened(lab)
    lab.path.left = slow(SPIKE, by_a=False)
    client.close()
    close_after_eof(server, 0.1)
    pause(1.5)
    lab.path.left = slow(0.0, by_a=False)
    visit(lab)


@scenario(slowest=SPIKE, causes=("no-connection",))
def spike_in_time_wait(lab: Lab) -> None:
    """Everything of the client becomes slow behind the middle when it enters TIME_WAIT: the server repeats its FIN,
    TIME_WAIT acknowledges it again, both acknowledgments arrive, and the second meets a RST.
    """
    client, server = opened(lab)
    client.close()
    pause(0.1)
    lab.path.right = slow(SPIKE, by_a=True)
    close_after_eof(server)
    pause(1.5)
    lab.path.right = slow(0.0, by_a=True)
    visit(lab)


@scenario(slowest=SPIKE, causes=("crossed-close",))
def spike_at_an_idle_close(lab: Lab) -> None:
    """The delay jumps to 450 ms each way, the server closes the idle connection, and 300 ms later the client sends its
    next request, which is repeated twice before the first RST arrives.
    """
    client, server = opened(lab)
    lab.path.delay = SPIKE
    server.close()
    pause(0.3)
    client.sendall(REQUEST)
    pause(2.0)
    client.close()


@scenario(slowest=0.4)
def slow_only_while_opening(lab: Lab) -> None:
    """The handshake takes 400 ms each way, all that follows 10 ms: what the handshake measured is far too much."""
    lab.path.delay = 0.4
    client, server = lab.connect()
    pause(0.5)
    lab.path.delay = NEAR
    for _ in range(2):
        client.sendall(REQUEST)
        receive(server, len(REQUEST))
        pause(0.1)
    client.close()
    close_after_eof(server)


@scenario(slowest=0.2)
def path_gets_faster_at_the_fin(lab: Lab) -> None:
    """The client's last data leaves while the path takes 200 ms, its FIN when it takes 10 ms again: the FIN overtakes
    the data, and counts only when these have arrived.
    """
    client, server = opened(lab)
    lab.path.delay = 0.2
    client.sendall(b"." * 300)
    pause(0.01)
    lab.path.delay = NEAR
    client.close()
    receive(server, 300)
    close_after_eof(server)
    pause(0.4)
