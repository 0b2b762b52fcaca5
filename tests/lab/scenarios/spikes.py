"""A path whose delay jumps: nothing is lost, and yet much is repeated."""

from __future__ import annotations

from captures.recipes.play import close_after_eof, opened, pause

from ..network import Lab
from ..scenario import scenario

SPIKE = 0.45  # seconds each way, more than any first timer


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
