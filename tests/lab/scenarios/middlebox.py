"""What stands between the hosts: boxes that reset, forget, or forge."""

from __future__ import annotations

import contextlib
import socket

from captures.recipes.play import REQUEST, close_after_eof, exchange, opened, pause

from .. import forge, loss
from ..conduct import last_segment
from ..network import Lab
from ..pcapfile import ACK, RST
from ..scenario import Hidden, scenario
from .visits import visit


def reset(lab: Lab, *senders: socket.socket, offset: int = 0, ttl: int = 61) -> None:
    """Send a RST that claims to come from each of ``senders``, to its peer, ``offset`` beyond the right number."""
    packets = []
    for sender in senders:
        seq, ack = last_segment(lab, sender)
        ends = sender.getsockname()[:2], sender.getpeername()[:2]
        packets.append(forge.segment(*ends, seq=seq + offset, ack=ack, flags=RST | ACK, ttl=ttl))
    for packet in packets:
        forge.send(lab.m, packet)


@scenario(
    causes=("third-party|abort",),
    hidden=(Hidden("b", "not-captured", ("CLOSED",), taps="a"),),
)
def middlebox_resets_both(lab: Lab) -> None:
    """A firewall ends a connection by a RST to each side, each claiming to come from the other."""
    client, server = opened(lab)
    reset(lab, client, server)
    pause(0.1)


@scenario(causes=("no-connection|third-party",))
def middlebox_resets_one_side(lab: Lab) -> None:
    """A firewall resets the server only; the client goes on and its request meets a host that knows nothing."""
    client, _server = opened(lab)
    reset(lab, client)
    pause(0.2)
    with contextlib.suppress(OSError):
        client.sendall(REQUEST)
    pause(0.2)


@scenario()
def forged_reset_inside_the_window(lab: Lab) -> None:
    """A guessed RST falls into the window: it draws a challenge ACK, and the connection lives and ends well."""
    client, server = opened(lab)
    reset(lab, client, offset=1000)
    pause(0.2)
    exchange(client, server)
    client.close()
    close_after_eof(server)


@scenario()
def forged_reset_outside_the_window(lab: Lab) -> None:
    """A guessed RST misses the window by far: it is dropped in silence."""
    client, server = opened(lab)
    reset(lab, client, offset=1 << 30)
    pause(0.2)
    exchange(client, server)
    client.close()
    close_after_eof(server)


@scenario(causes=("no-connection|third-party",))
def forged_reset_hits(lab: Lab) -> None:
    """A forged RST hits the server exactly; the client knows nothing of it and closes later."""
    client, _server = opened(lab)
    reset(lab, client, ttl=200)
    pause(0.3)
    client.close()
    pause(0.2)


@scenario(
    causes=("third-party",),
    hidden=(Hidden("a", "lost-before-the-tap", ("CLOSED",), taps="b"),),
)
def middlebox_rejects_late(lab: Lab) -> None:
    """After a second of silence a packet filter behind the middle answers the client's next request with a RST in the
    server's name; the server never learns of it and stays ESTABLISHED.
    """
    client, _server = opened(lab)
    pause(1.0)
    lab.path.own_packets_too(lab.m)
    lab.loss.reject("tcp dport 8080", by="a")
    client.sendall(REQUEST)
    pause(0.3)
    visit(lab)


@scenario(hidden=(Hidden("a", "silent-death", ("CLOSED",)),))
def idle_connection_dropped(lab: Lab) -> None:
    """A firewall forgets an idle connection without a word: the client's next request is repeated in vain."""
    lab.a.sysctl(tcp_retries2=3)
    client, _server = opened(lab)
    lab.loss.lose("tcp dport 8080")
    lab.loss.lose("tcp sport 8080")
    client.sendall(REQUEST)
    pause(5.0)
    lab.loss.nothing()
    visit(lab)


@scenario(causes=("no-connection|abort",))
def reset_lost_on_its_way(lab: Lab) -> None:
    """The client aborts, but its RST is lost; the server's next words meet a host that knows nothing."""
    from captures.recipes.play import abort

    client, server = opened(lab)
    lab.loss.lose(loss.RST, first=1)
    abort(client)
    pause(0.3)
    with contextlib.suppress(OSError):
        server.sendall(b"are you there?\n")
    pause(0.2)


@scenario(filter="udp port 4789")
def inside_a_tunnel(lab: Lab) -> None:
    """The connection runs inside a VXLAN tunnel between the hosts, and that is what the taps see."""
    pairs = ((lab.a, lab.b, 1), (lab.b, lab.a, 2))
    for host, other, last in pairs:
        tunnel = ("type", "vxlan", "id", "42", "remote", other.address, "local", host.address, "dstport", "4789")
        host.run("ip", "link", "add", "vx0", *tunnel, "dev", "eth0")
        host.run("ip", "address", "add", f"192.168.77.{last}/24", "dev", "vx0")
        host.run("ip", "link", "set", "vx0", "up")
    pause(0.2)
    with lab.b.entered():
        listener = socket.create_server(("192.168.77.2", 8080))
    client = lab.a.new_socket()
    client.settimeout(3)
    with listener:
        client.connect(("192.168.77.2", 8080))
        server, _ = listener.accept()
    lab.sockets += [client, server]
    exchange(client, server)
    client.close()
    close_after_eof(server)


@scenario(causes=("third-party",), hidden=(Hidden("a", "lost-before-the-tap", ("FIN_WAIT_1", "CLOSED"), taps="b"),))
def middlebox_rejects_the_fin(lab: Lab) -> None:
    """A packet filter behind the middle answers the client's FIN with a RST in the server's name; the server never
    learns that the client has closed.
    """
    client, _server = opened(lab)
    lab.path.own_packets_too(lab.m)
    lab.loss.reject("tcp dport 8080 tcp flags & fin == fin", by="a")
    client.close()
    pause(0.3)
    visit(lab)


@scenario(causes=("third-party|no-connection",))
def middlebox_rejects_the_answer(lab: Lab) -> None:
    """A packet filter behind the middle answers the server's reply with a RST in the client's name; the client waits,
    asks again, and now meets a RST of the server itself.
    """
    client, server = opened(lab)
    lab.path.own_packets_too(lab.m)
    client.sendall(REQUEST)
    lab.loss.reject("tcp sport 8080 tcp flags & psh == psh", by="b")
    server.recv(len(REQUEST))
    server.sendall(b"the answer\n")
    pause(0.4)
    lab.loss.nothing()
    with contextlib.suppress(OSError):
        client.sendall(REQUEST)
    pause(0.2)
    visit(lab)


@scenario(
    causes=("third-party",),
    hidden=(Hidden("b", "not-captured", ("CLOSED",), taps="a"), Hidden("a", "not-captured", ("CLOSED",), taps="b")),
)
def middlebox_resets_both_in_sight(lab: Lab) -> None:
    """As middlebox-resets-both, but the tap in the middle sees both RSTs, a moment apart."""
    client, server = opened(lab)
    lab.path.own_packets_too(lab.m)
    reset(lab, client, server)
    pause(0.2)
    visit(lab)


@scenario()
def one_direction_dropped_for_a_while(lab: Lab) -> None:
    """A firewall drops what the client sends, for a second: its request and its FIN are repeated while the server's
    data arrives; then it lets them pass, and both close in order.
    """
    client, server = opened(lab)
    lab.loss.lose(loss.EVERYTHING, by="a")
    client.sendall(REQUEST)
    pause(0.05)
    server.sendall(b"news\n")
    client.recv(10)
    client.shutdown(socket.SHUT_WR)
    pause(1.0)
    lab.loss.nothing()
    server.recv(len(REQUEST))
    close_after_eof(server)
    pause(0.5)
    client.close()
    pause(0.1)


@scenario(
    causes=("late-fin",),
    hidden=(Hidden("b", "never-arrived", ("CLOSED",), ("FIN_WAIT_2", "CLOSED"), taps="a"),),
)
def one_direction_dropped_for_good(lab: Lab) -> None:
    """A firewall drops what the client sends. The server closes, its FIN arrives, and no acknowledgment of it ever
    does; it gives up, and when the path has healed the client's FIN meets a RST.
    """
    lab.b.sysctl(tcp_orphan_retries=2)
    client, server = opened(lab)
    lab.loss.lose(loss.EVERYTHING, by="a")
    server.close()
    pause(4.0)
    lab.loss.nothing()
    client.close()
    pause(0.3)
    visit(lab)
