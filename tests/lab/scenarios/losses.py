"""A FIN or its acknowledgment is lost: before the middle of the path, behind it, once, twice, for ever."""

from __future__ import annotations

from captures.recipes import losses
from captures.recipes.play import REQUEST, close_after_eof, opened, pause

from .. import loss
from ..network import Lab
from ..pcapfile import ACK, FIN, PSH, RST, SYN
from ..relay import loses
from ..scenario import Hidden, Scenario, add, scenario, story_of
from .visits import visit

for _scene in (losses.fin_retransmitted, losses.last_ack_lost, losses.data_lost_but_fin_not):
    add(Scenario(_scene.__name__.replace("_", "-"), "losses", story_of(_scene), _scene))

NO_BUCKET = (Hidden("a", "no-bucket", ("CLOSED",), ("TIME_WAIT", "CLOSED"), taps="a"),)
add(
    Scenario(
        "last-ack-lost-then-reset",
        "losses",
        story_of(losses.last_ack_lost_then_reset),
        losses.last_ack_lost_then_reset,
        hidden=NO_BUCKET,
        causes=("time-wait-gone|late-fin",),
    )
)


def flags(packet: bytes) -> int:
    """The TCP flags of an IP packet."""
    header = (packet[0] & 15) * 4 if packet[0] >> 4 == 4 else 40
    return packet[header + 13] & (FIN | SYN | RST | PSH | ACK)


def is_fin(packet: bytes) -> bool:
    """Whether an IP packet carries a FIN."""
    return bool(flags(packet) & FIN)


def is_bare_ack(packet: bytes) -> bool:
    """Whether an IP packet is an acknowledgment and nothing else."""
    return flags(packet) == ACK


@scenario()
def fin_lost_once(lab: Lab) -> None:
    """The client's FIN is lost on its first way, before the middle; the second one arrives."""
    client, server = opened(lab)
    lab.loss.lose(loss.FIN, by="a", first=1)
    client.close()
    close_after_eof(server)


@scenario()
def fin_lost_behind_the_middle(lab: Lab) -> None:
    """The client's FIN passes the middle and is lost behind it; the second one arrives."""
    client, server = opened(lab)
    assert lab.relay_in_use is not None
    lab.relay_in_use.right = loses(is_fin, by_a=True)
    client.close()
    close_after_eof(server)


@scenario()
def second_fin_lost_once(lab: Lab) -> None:
    """The server's FIN, which is the second, is lost once; the client waits in FIN_WAIT_2 a little longer."""
    client, server = opened(lab)
    client.close()
    pause(0.1)
    lab.loss.lose(loss.FIN, by="b", first=1)
    close_after_eof(server)
    pause(0.4)


@scenario()
def first_acknowledgment_lost(lab: Lab) -> None:
    """The acknowledgment of the client's FIN is lost before the middle; the FIN is repeated and acknowledged again."""
    client, server = opened(lab)
    lab.loss.lose(loss.BARE_ACK, by="b", first=1)
    client.close()
    pause(0.5)
    close_after_eof(server)


@scenario()
def first_acknowledgment_lost_behind_the_middle(lab: Lab) -> None:
    """The acknowledgment of the client's FIN passes the middle and is lost behind it."""
    client, server = opened(lab)
    assert lab.relay_in_use is not None
    lab.relay_in_use.left = loses(is_bare_ack, by_a=False)
    client.close()
    pause(0.5)
    close_after_eof(server)


@scenario()
def last_ack_lost_behind_the_middle(lab: Lab) -> None:
    """The last ACK passes the middle and is lost behind it; the server repeats its FIN and is answered again."""
    client, server = opened(lab)
    client.close()
    pause(0.1)
    assert lab.relay_in_use is not None
    lab.relay_in_use.right = loses(is_bare_ack, by_a=True)
    close_after_eof(server)
    pause(0.6)


@scenario()
def last_ack_lost_twice(lab: Lab) -> None:
    """The last ACK is lost twice: TIME_WAIT acknowledges three times, LAST_ACK sends its FIN three times."""
    client, server = opened(lab)
    client.close()
    pause(0.1)
    lab.loss.lose(loss.BARE_ACK, by="a", first=2)
    close_after_eof(server)
    pause(1.2)


@scenario(
    hidden=(
        Hidden("a", "silent-death", ("CLOSED",), taps="a"),
        Hidden("a", "lost-before-the-tap", ("FIN_WAIT_1", "CLOSED"), taps="mb"),
    )
)
def fin_lost_for_ever(lab: Lab) -> None:
    """No FIN of the client ever arrives; its kernel gives up after a few repeats and forgets the connection."""
    lab.a.sysctl(tcp_orphan_retries=2)
    client, _server = opened(lab)
    lab.loss.lose(loss.FIN, by="a")
    client.close()
    pause(4.5)
    lab.loss.nothing()
    visit(lab)


@scenario(
    hidden=(
        Hidden("a", "lost-before-the-tap", ("TIME_WAIT",), taps="mb"),
        Hidden("b", "silent-death", ("CLOSED",), taps="mb"),
    )
)
def last_ack_lost_for_ever(lab: Lab) -> None:
    """The last ACK never arrives; the server's kernel gives up in LAST_ACK after a few repeats."""
    lab.b.sysctl(tcp_orphan_retries=2)
    client, server = opened(lab)
    client.close()
    pause(0.1)
    lab.loss.lose(loss.BARE_ACK, by="a")
    close_after_eof(server)
    pause(4.5)
    lab.loss.nothing()
    visit(lab)


@scenario()
def crossing_fins_one_lost(lab: Lab) -> None:
    """Both sides close at once, and the client's FIN is lost once: the server is in CLOSE_WAIT of nothing, it waits
    in FIN_WAIT_1 and FIN_WAIT_2.
    """
    client, server = opened(lab)
    lab.loss.lose(loss.FIN, by="a", first=1)
    client.close()
    server.close()
    pause(0.6)


@scenario()
def crossing_fins_both_lost(lab: Lab) -> None:
    """Both sides close at once and both FINs are lost once; the repeats cross too."""
    client, server = opened(lab)
    lab.loss.lose(loss.FIN, by="a", first=1)
    lab.loss.lose(loss.FIN, by="b", first=1)
    client.close()
    server.close()
    pause(0.7)


@scenario()
def fin_lost_while_data_goes_on(lab: Lab) -> None:
    """The client's FIN is lost once while the server's data goes on and is acknowledged: later acknowledgments of the
    client do not mean that the server has its FIN.
    """
    client, server = opened(lab)
    lab.loss.lose(loss.FIN, by="a", first=1)
    client.shutdown(1)
    for _ in range(3):
        server.sendall(b"part\n")
        pause(0.04)
    pause(0.4)
    client.recv(100)
    server.close()
    pause(0.1)
    client.close()


@scenario()
def data_and_fin_lost_together(lab: Lab) -> None:
    """The client's last request and its FIN are both lost once."""
    client, server = opened(lab)
    lab.loss.lose(loss.EVERYTHING, by="a", first=2)
    client.sendall(REQUEST)
    client.close()
    pause(0.6)
    server.recv(len(REQUEST))
    close_after_eof(server)
    pause(0.3)
