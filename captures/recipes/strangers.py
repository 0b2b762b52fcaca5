"""Connections one host has forgotten, resets by strangers, races, and peers that are gone."""

from __future__ import annotations

import contextlib
import ipaddress
import socket

from tests.lab import forge, loss
from tests.lab.hosts import Host

from . import Lab, recipe
from .play import REQUEST, abort, close_after_eof, exchange, opened, passing_visit, pause

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ, SEND_QUEUE = 19, 20, 21, 2
TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT = 4, 5, 6
RST = 4
ETH_P_IP = 0x0800


def next_number(sock: socket.socket) -> int:
    """The sequence number a socket will send next, as its kernel tells."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, SEND_QUEUE)
    number = sock.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ) & 0xFFFFFFFF
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, -1)  # off, without the window probe that 0 would send
    return number


def reset_in_the_name_of(lab: Lab, server: socket.socket, target: tuple[str, int], number: int) -> None:
    """The router sends a RST to the client as if it came from the server, with a TTL that is not the server's."""
    source = server.getsockname()[:2]
    forge.send(lab.m, forge.segment(source, target, seq=number, flags=RST, ttl=41))


def keep_alive(sock: socket.socket, idle: int) -> None:
    """Probe after ``idle`` seconds of silence, then every second, three times."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((TCP_KEEPIDLE, idle), (TCP_KEEPINTVL, 1), (TCP_KEEPCNT, 3)):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


@recipe("pcap")
def reset_by_host_without_connection(lab: Lab) -> None:
    """The server's host loses a connection without a word, as in a restart; 2.5 s later the client sends again.

    The server aborts while nothing of it gets out, so the client never hears of it. Its request meets the RST of a
    host that knows no such connection, with the number that the request acknowledged. The report says TD305 for the
    server.
    """
    client, server = opened(lab)
    lab.loss.lose(loss.EVERYTHING, by="b")
    abort(server)
    pause(2.5)
    lab.loss.nothing()
    client.sendall(REQUEST)
    pause(0.2)


@recipe("pcapng", tap="middle")
def request_crossed_fin(lab: Lab) -> None:
    """The server closes an idle connection in the moment in which the client sends its next request; each takes 20 ms.

    Seen from the middle: the request was under way when the FIN passed, and meets a RST, because the server had
    closed both directions. Nobody did wrong but the timers. The report says TD306 for the server, with the margin.
    """
    client, server = opened(lab)
    pause(1.2)
    server.close()
    client.sendall(REQUEST)
    pause(0.3)
    client.close()


@recipe("pcap")
def half_open_probe(lab: Lab) -> None:
    """A scanner on host A sends a SYN of its own making; the server answers, and A's kernel, knowing nothing, resets.

    SYN, SYN-ACK, RST: what a port scan looks like. The report says TD312 for the client.
    """
    with lab.b.listen(8080):
        syn = forge.segment((lab.a.address, 41000), (lab.b.address, 8080), seq=1000, flags=2, window=1024)
        forge.send(lab.a, syn)
        pause(0.3)


def translate(lab: Lab, *rules: str) -> None:
    """Have the router change addresses in the packets that match, without remembering connections."""
    lab.m.run("nft", "add table inet nat")
    lab.m.run("nft", "add chain inet nat pre { type filter hook prerouting priority raw; policy accept; }")
    for words in rules:
        lab.m.run("nft", f"add rule inet nat pre {words}")


@recipe("pcap")
def answered_from_elsewhere(lab: Lab) -> None:
    """A client connects to a service address that the router translates into B's; B's answers come back as they are.

    The client's kernel gets a SYN-ACK from an address that it never asked, resets, and repeats its SYN after 1 and 3 s.
    The report says TD315 of the two streams, and neither that nobody answered nor that B's host knows no connection.
    """
    service = str(ipaddress.ip_address(lab.b.address) + (7 << 8))
    translate(lab, f"ip daddr {service} ip daddr set {lab.b.address}")
    with lab.b.listen(8080), contextlib.suppress(TimeoutError):
        lab.a.connect((service, 8080), timeout=3.5)
    passing_visit(lab)


@recipe("pcap")
def answer_translated_back(lab: Lab) -> None:
    """As answered-from-elsewhere, but the router translates the answers back: an ordinary connection.

    The near miss of TD315: the client sees the answers come from where it asked. No finding.
    """
    service = str(ipaddress.ip_address(lab.b.address) + (7 << 8))
    back = f"ip saddr {lab.b.address} tcp sport 8080 ip saddr set {service}"
    translate(lab, f"ip daddr {service} ip daddr set {lab.b.address}", back)
    with lab.b.listen(8080) as listener:
        client = lab.a.connect((service, 8080))
        server, _ = listener.accept()
        exchange(client, server)
        client.close()
        close_after_eof(server)


@recipe("pcap")
def goes_on_untranslated(lab: Lab) -> None:
    """In the midst of a connection to a service address the router stops to translate B's answers back.

    The next segment of B comes from its own address; the client's kernel knows no such connection and resets it, and
    B's kernel believes that. The report says TD315 of the two streams, and nothing of the second alone.
    """
    service = str(ipaddress.ip_address(lab.b.address) + (7 << 8))
    back = f"ip saddr {lab.b.address} tcp sport 8080 ip saddr set {service}"
    translate(lab, f"ip daddr {service} ip daddr set {lab.b.address}", back)
    with lab.b.listen(8080) as listener:
        client = lab.a.connect((service, 8080))
        server, _ = listener.accept()
        exchange(client, server)
        lab.m.run("nft", "flush chain inet nat pre")
        server.sendall(bytes(700))
        pause(0.3)
        passing_visit(lab)
        with contextlib.suppress(OSError):
            server.close()


@recipe("pcap", tap="b")
def goes_on_from_another_port(lab: Lab) -> None:
    """A router gives an idle connection's client another port, as a NAT does that has forgotten it, seen at host B.

    The next request comes from a port of which B's kernel knows no connection, and meets a RST. The report says TD315
    of the two streams and suspects what translates the client's address; neither TD305 nor TD901.
    """
    client, server = opened(lab)
    exchange(client, server)
    pause(1.2)
    old = client.getsockname()[1]
    translate(lab, f"ip saddr {lab.a.address} tcp sport {old} tcp sport set 61001")
    client.sendall(REQUEST)
    pause(0.1)


@recipe("pcap")
def reset_by_third_party(lab: Lab) -> None:
    """The router resets the client in the server's name, as a firewall does, with the number that the client awaits.

    The client's kernel accepts it. The TTL is not the one of the server's other segments, and the server, never
    told, goes on with its reply, which the client's host answers with a RST of its own. The report says TD309 for
    the server's RST.
    """
    client, server = opened(lab)
    reset_in_the_name_of(lab, server, client.getsockname()[:2], next_number(server))
    pause(0.3)
    with contextlib.suppress(OSError):
        server.sendall(b"the rest of the reply\n")
    pause(0.2)


@recipe("pcap")
def reset_ignored(lab: Lab) -> None:
    """Somebody guesses: a RST in the server's name with a number far outside the client's window changes nothing.

    The client's kernel drops it in silence (RFC 5961), the next request is answered, and the close is in order. The
    report says TD310, and that the connection went on.
    """
    client, server = opened(lab)
    source, target = server.getsockname()[:2], client.getsockname()[:2]
    wrong = (next_number(server) + (1 << 30)) & 0xFFFFFFFF
    forge.send(lab.m, forge.segment(source, target, seq=wrong, flags=RST, ttl=63))
    pause(0.2)
    exchange(client, server)
    client.close()
    close_after_eof(server)


@recipe("pcap", tap="b")
def challenge_ack_loop(lab: Lab) -> None:
    """The client's TCP stack has closed and answers what comes with a RST that has a wrong number, 100 beyond the
    right one; the router plays it, since A's kernel would not. B's kernel answers each RST with a challenge ACK, and
    that is what comes.

    The report says TD311 for the client, with how often, and the number that B awaits.
    """
    client, server = opened(lab)
    number, source, target = next_number(client) + 100, client.getsockname()[:2], server.getsockname()[:2]
    wrong = forge.segment(source, target, seq=number & 0xFFFFFFFF, flags=RST, ttl=63)
    lab.loss.lose(loss.EVERYTHING, by="a")
    with lab.m.entered():
        ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
    ear.bind(("to-b", ETH_P_IP))
    ear.settimeout(1.0)
    forge.send(lab.m, wrong)
    for _ in range(5):
        ear.recv(2048)  # the challenge ACK
        pause(0.6)  # Linux sends one in half a second (tcp_invalid_ratelimit)
        forge.send(lab.m, wrong)
    pause(0.2)
    ear.close()


@recipe("pcap")
def keepalive_gave_up(lab: Lab) -> None:
    """The server's host vanishes; the idle client probes after 1 s, three times, and resets the connection.

    No probe is answered. The client's kernel sends a RST that reaches nobody, and the application gets ETIMEDOUT.
    The report says TD402 for the client and suspects the server's host or the path.
    """
    client, _server = opened(lab)
    keep_alive(client, 1)
    lab.loss.lose(loss.EVERYTHING)
    pause(5.0)


@recipe("pcap")
def keepalive_answered(lab: Lab) -> None:
    """An idle client probes after 1 s; the server's kernel answers each probe, and the connection ends in order.

    Probes are no data and nothing is wrong. The near miss of TD402. No finding.
    """
    client, server = opened(lab)
    keep_alive(client, 1)
    pause(3.5)
    client.close()
    close_after_eof(server)


@recipe("pcap")
def retransmission_gave_up(lab: Lab) -> None:
    """The server's host vanishes; the client's request is repeated with growing intervals until its kernel gives up.

    tcp_retries2 is lowered to 4, so that the end comes after seconds instead of a quarter of an hour. The kernel
    drops the connection without a RST. The report says TD403 for the client.
    """
    lab.a.sysctl(tcp_retries2=4)
    client, _server = opened(lab)
    lab.loss.lose(loss.EVERYTHING)
    client.sendall(REQUEST)
    pause(12.0)
    lab.loss.nothing()
    visit = lab.connect(port=9090)
    exchange(*visit)
    visit[0].close()
    close_after_eof(visit[1])
    pause(10.0)
    late = lab.connect(port=9090)
    late[0].close()
    close_after_eof(late[1])


@recipe("pcap")
def fin_wait_2_expired(lab: Lab) -> None:
    """The server closes; the leaking client only probes its idle connection 4 s later, and the server has forgotten it.

    tcp_fin_timeout is lowered to 2 s. A host in FIN_WAIT_2 would have acknowledged the probe; the RST proves that
    it had left that state by its timer. The report says TD405 for the server.
    """
    lab.b.sysctl(tcp_fin_timeout=2)
    client, server = opened(lab)
    keep_alive(client, 4)
    server.close()
    pause(5.0)


@recipe("pcap")
def time_wait_assassinated(lab: Lab) -> None:
    """The client closed first and is in TIME_WAIT; a RST with exactly the number it awaits comes in the server's name.

    The kernel's default (tcp_rfc1337=0) lets it end TIME_WAIT. The forged RST has the server's TTL, as a duplicate
    of the server's own would have. The report says TD503 for the client.
    """
    client, server = opened(lab)
    source, target = server.getsockname()[:2], client.getsockname()[:2]
    number = next_number(server)
    client.close()
    close_after_eof(server)
    pause(0.2)
    forge.send(lab.m, forge.segment(source, target, seq=number + 1, flags=RST, ttl=63))
    pause(0.2)


@recipe("pcap", filter="tcp or icmp")
def path_closed_by_firewall(lab: Lab) -> None:
    """As retransmission-gave-up, but the router rejects what passes and says so by ICMP: administratively prohibited.

    A kernel takes that as a hint on an open connection (RFC 1122 4.2.3.9) and goes on. The report says TD403 for the
    client, and which router said what.
    """
    lab.a.sysctl(tcp_retries2=4)
    client, _server = opened(lab)
    lab.loss.prohibit(loss.EVERYTHING)
    client.sendall(REQUEST)
    pause(12.0)
    lab.loss.nothing()
    passing_visit(lab)
    pause(10.0)
    passing_visit(lab)


def narrow_link(lab: Lab) -> None:
    """The router's link to host B, a tunnel say, takes 1400 bytes."""
    lab.m.run("ip", "link", "set", "to-b", "mtu", "1400")


def no_icmp(host: Host) -> None:
    """``host`` drops the ICMP errors that it sends or receives."""
    host.run("nft", "add table inet silent")
    for hook in ("input", "output"):
        host.run("nft", f"add chain inet silent {hook} {{ type filter hook {hook} priority 0; policy accept; }}")
        host.run("nft", f"add rule inet silent {hook} icmp type destination-unreachable counter drop")


def upload_in_vain(lab: Lab, size: int) -> None:
    """After a small exchange the client sends ``size`` bytes at once, which do not get through; others do."""
    lab.a.sysctl(tcp_retries2=4)
    client, _server = opened(lab)
    client.sendall(bytes(size))
    pause(12.0)
    passing_visit(lab)
    pause(10.0)
    passing_visit(lab)


@recipe("pcap")
def large_segment_lost(lab: Lab) -> None:
    """A link behind the router takes 1400 bytes, and the router drops the ICMP errors that would say so.

    The client's small request passes. Of 2000 bytes the second segment passes, as the server's acknowledgments show,
    and the first, which is full-sized, never. The report says TD403 for the client, with both sizes.
    """
    narrow_link(lab)
    no_icmp(lab.m)
    upload_in_vain(lab, 2000)


@recipe("pcap", filter="tcp or icmp")
def next_hop_mtu_not_heard(lab: Lab) -> None:
    """As large-segment-lost, but the router says by ICMP that its link takes 1400 bytes; the client's own firewall
    drops that behind the tap.

    The report says TD403 for the client, with the next-hop MTU that the router named.
    """
    narrow_link(lab)
    no_icmp(lab.a)
    upload_in_vain(lab, 2000)


@recipe("pcap")
def zero_window_stall(lab: Lab) -> None:
    """The server stops reading; its window closes, the client probes it for seconds and then aborts.

    The server's receive buffer is small, so a few segments fill it. Its kernel answers each probe with a window of 0.
    The report says TD404 for the server, whose application did not read, not for the client that gave up.
    """
    client, server = opened(lab)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        client.send(b"x" * 9000)
    pause(4.0)
    abort(client)
    pause(0.2)


@recipe("pcap")
def zero_window_still_closed(lab: Lab) -> None:
    """As zero-window-stall, but nobody gives up: the client probes for 14 s, each probe is answered with a window of 0,
    and the recording ends.

    The report says TD404 for the server as worth knowing, with how long the window has been closed at least.
    """
    client, server = opened(lab)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        client.send(b"x" * 9000)
    pause(14.0)


@recipe("pcap")
def reuse_delayed(lab: Lab) -> None:
    """The server leaks a socket in CLOSE_WAIT; the client has forgotten it and connects again from the same port.

    The client's orphaned FIN_WAIT_2 ends after 2 s (tcp_fin_timeout lowered). Its new SYN meets the old socket, which
    answers with an old acknowledgment; the client's kernel resets that, repeats its SYN after a second and gets in. The
    report says TD502 for the server with the delay, beside the first connection's fate.
    """
    lab.a.sysctl(tcp_fin_timeout=2)
    client, _server = lab.connect(from_port=40000)
    exchange(client, _server)
    client.close()
    pause(4.0)
    again, server = lab.connect(from_port=40000)
    exchange(again, server)
    again.close()
    close_after_eof(server)
