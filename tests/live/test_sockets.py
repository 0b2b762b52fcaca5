"""What the kernel says of its sockets: replies made by hand for every state, and real sockets in every state that two
of them on this host can be brought into."""

from __future__ import annotations

import os
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from analyzer.live import sock_diag, sockets
from analyzer.live.sockets import Owners, Process, Socket, kernel_sockets

# By number, as include/net/tcp_states.h has them, in the words of RFC 9293; the last is a request socket's.
STATES = {
    1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECEIVED", 4: "FIN_WAIT_1", 5: "FIN_WAIT_2", 6: "TIME_WAIT", 7: "CLOSED",
    8: "CLOSE_WAIT", 9: "LAST_ACK", 10: "LISTEN", 11: "CLOSING", 12: "SYN_RECEIVED",
}  # fmt: skip
DONE, FAILED, SOCKETS = 3, 2, 20  # types of netlink messages
V4, V6 = socket.AF_INET, socket.AF_INET6
LOCAL, REMOTE = ("10.1.2.3", 40_000), ("192.0.2.7", 80)
COOKIE = 0xBBBB0000AAAA
Ends = tuple[tuple[str, int], tuple[str, int]]


def netlink(kind: int, body: bytes) -> bytes:
    """A netlink message, padded."""
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body + bytes(-len(body) % 4)


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def tcp_info(heard_ms: int) -> bytes:
    """struct tcp_info up to tcpi_last_ack_recv and beyond: eight bytes, then words, of which that is the thirteenth."""
    return bytes(8) + struct.pack("=20I", *(heard_ms if word == 12 else 900 + word for word in range(20)))


def reply(state: int, ends: Ends = (LOCAL, REMOTE), timer: int = 0, inode: int = 77, more: bytes = b"") -> bytes:
    """struct inet_diag_msg as the kernel sends it."""
    (local, own), (remote, other) = ends
    family = V6 if ":" in local else V4
    source, target = (socket.inet_pton(family, address).ljust(16, b"\0") for address in (local, remote))
    who = struct.pack(">HH", own, other) + source + target + struct.pack("=III", 3, 0xAAAA, 0xBBBB)
    return netlink(
        SOCKETS, struct.pack("BBBB", family, state, timer, 0) + who + struct.pack("=5I", 2500, 1, 2, 3, inode) + more
    )


def read(*messages: bytes) -> tuple[dict[Ends, Socket], bool]:
    """What is made of an answer, and whether it was the last."""
    data = b"".join(messages)
    places, last = sock_diag.messages(data)
    return sockets.by_ends(sock_diag.rows_of(data, places)), last


@pytest.mark.parametrize(("number", "name"), STATES.items())
def test_every_state(number: int, name: str) -> None:
    assert read(reply(number)) == ({(LOCAL, REMOTE): Socket(name, 77, -1, -1, COOKIE)}, False)


def test_a_state_of_a_newer_kernel_has_no_name() -> None:
    assert read(reply(13))[0][LOCAL, REMOTE].state == ""


def test_a_timer_and_when_the_peer_was_last_heard() -> None:
    other = attribute(8, b"cubic\0")
    found, _ = read(reply(6, timer=3, inode=0), reply(1, (REMOTE, LOCAL), more=other + attribute(2, tcp_info(1234))))
    assert found == {
        (LOCAL, REMOTE): Socket("TIME_WAIT", 0, -1, 2500, COOKIE),
        (REMOTE, LOCAL): Socket("ESTABLISHED", 77, 1234, -1, COOKIE),
    }


@pytest.mark.parametrize("more", [attribute(2, bytes(56)), b"\1\0\2\0" + bytes(80), attribute(3, tcp_info(5))])
def test_what_tells_no_time_is_passed_over(more: bytes) -> None:
    """A tcp_info that is too short, an attribute of no length, another attribute."""
    assert read(reply(8, more=more))[0][LOCAL, REMOTE] == Socket("CLOSE_WAIT", 77, -1, -1, COOKIE)


@pytest.mark.parametrize(
    ("told", "ends"),
    [
        (("2001:db8::1", "2001:db8::2"), ("2001:db8::1", "2001:db8::2")),
        (("::ffff:10.0.0.1", "::ffff:10.0.0.2"), ("10.0.0.1", "10.0.0.2")),
    ],
)
def test_addresses(told: tuple[str, str], ends: tuple[str, str]) -> None:
    found, _ = read(reply(8, ((told[0], 1), (told[1], 65_535))))
    assert list(found) == [((ends[0], 1), (ends[1], 65_535))]


def test_an_answer_ends_with_done_or_a_failure() -> None:
    for kind in (DONE, FAILED):
        assert read(reply(1), netlink(kind, bytes(4)), reply(8, (REMOTE, LOCAL))) == (read(reply(1))[0], True)
    assert read(b"") == ({}, True)
    assert read(reply(1), bytes(16))[1]  # a message of no length: nothing can follow
    assert read(netlink(SOCKETS, bytes(40)), reply(9))[0] == read(reply(9))[0]  # too short to be a socket


@pytest.mark.parametrize("family", [V4, V6])
def test_every_socket_but_those_that_listen_is_asked_for(family: socket.AddressFamily) -> None:
    asked = sock_diag.request(family)
    length, kind, flags, _, _ = struct.unpack_from("=IHHII", asked)
    assert (length, kind, flags) == (len(asked), SOCKETS, 0x301)  # REQUEST, ROOT, MATCH
    wanted, protocol, extensions, _, states = struct.unpack_from("=BBBBI", asked, 16)
    assert (wanted, protocol, extensions) == (family, socket.IPPROTO_TCP, 1 << 2 - 1)
    assert {number for number in range(16) if states >> number & 1} >= STATES.keys() - {10}
    assert not states >> 10 & 1


HEARD = "last heard from the peer"


@pytest.mark.parametrize(
    ("entry", "inferred", "said"),
    [
        (Socket("CLOSE_WAIT", 77, 2040, -1), "CLOSE_WAIT", f"nginx[12], kernel state CLOSE_WAIT, {HEARD} 2.0 s ago"),
        (
            Socket("CLOSE_WAIT", 77, -1, 900),
            "LAST_ACK",
            "nginx[12], kernel state CLOSE_WAIT, but the packets show LAST_ACK",
        ),
        (Socket("TIME_WAIT", 0, -1, 41_250), "TIME_WAIT", "no process, kernel state TIME_WAIT, 41.2 s left"),
        (Socket("ESTABLISHED", 78, -1, -1), "UNKNOWN", "process not visible, kernel state ESTABLISHED"),
        (Socket("SYN_SENT", 78, 0, 0), "", f"process not visible, kernel state SYN_SENT, {HEARD} 0.0 s ago"),
    ],
)
def test_what_is_told_of_a_socket(entry: Socket, inferred: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "kernel_sockets", lambda: {(LOCAL, REMOTE): entry})
    monkeypatch.setattr(sockets, "holders", lambda inodes: {77: Process(12, "nginx")} if 77 in inodes else {})
    owners = Owners()
    assert owners.about(LOCAL, REMOTE, inferred) == said
    assert owners.about(REMOTE, LOCAL, inferred) == ""


def test_of_a_crowd_hidden_processes_are_told_apart_from_none(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [((LOCAL[0], port), REMOTE) for port in range(4)]
    held = dict(zip(pairs, (77, 77, 78, 0), strict=True))
    monkeypatch.setattr(
        sockets, "kernel_sockets", lambda: {pair: Socket("CLOSE_WAIT", inode, 0, 0) for pair, inode in held.items()}
    )
    monkeypatch.setattr(sockets, "holders", lambda inodes: {77: Process(12, "nginx")})
    assert Owners().holders_of(pairs) == "nginx[12] (2), process not visible (1), no process (1)"


# Real sockets


def can_be_asked() -> bool:
    """Whether this kernel answers such questions at all: asked here without the program."""
    body = struct.pack("=BBBBI", V4, socket.IPPROTO_TCP, 0, 0, 0xFFF) + bytes(48)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as asked:
            asked.settimeout(1)
            asked.send(struct.pack("=IHHII", 16 + len(body), SOCKETS, 0x301, 1, 0) + body)
            return struct.unpack_from("=IH", asked.recv(1 << 16))[1] != FAILED
    except (AttributeError, OSError):
        return False


needs_kernel = pytest.mark.skipif(not can_be_asked(), reason="this kernel cannot be asked for its sockets")


class Two:
    """A client and a server on this host, connected."""

    def __init__(self, stack: ExitStack) -> None:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.client = stack.enter_context(socket.socket())
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        self.client.connect(listener.getsockname())
        self.server = stack.enter_context(listener.accept()[0])
        self.ends = self.client.getsockname(), self.server.getsockname()

    def stuff(self) -> None:
        """The client sends until the server's window is closed: what it says after that, its FIN too, has to wait."""
        self.client.setblocking(False)
        quiet = 0
        while quiet < 5:
            try:
                self.client.send(bytes(1 << 16))
                quiet = 0
            except BlockingIOError:
                quiet += 1
                time.sleep(0.02)


def states(ends: Ends) -> tuple[str, str]:
    """What the kernel says of the client's and the server's socket, "" of one that it does not know."""
    found = kernel_sockets()
    client, server = found.get(ends), found.get((ends[1], ends[0]))
    return client.state if client else "", server.state if server else ""


def wait_for(wanted: tuple[str, str], look: Callable[[], tuple[str, str]]) -> None:
    until = time.monotonic() + 5
    while (seen := look()) != wanted and time.monotonic() < until:
        time.sleep(0.01)
    assert seen == wanted


@pytest.fixture
def two() -> Iterator[Two]:
    with ExitStack() as stack:
        yield Two(stack)


@needs_kernel
def test_the_kernel_s_states_as_two_sockets_close(two: Two) -> None:
    wait_for(("ESTABLISHED", "ESTABLISHED"), lambda: states(two.ends))
    two.client.close()
    wait_for(("FIN_WAIT_2", "CLOSE_WAIT"), lambda: states(two.ends))
    two.server.close()
    wait_for(("TIME_WAIT", ""), lambda: states(two.ends))
    entry = kernel_sockets()[two.ends]
    assert entry.inode == 0 and 50_000 < entry.timer_ms <= 60_000


@needs_kernel
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_sockets_found_again_one_by_one(address: str) -> None:
    with ExitStack() as stack:
        family = V6 if ":" in address else V4
        both = address.startswith("::ffff")
        listener = stack.enter_context(socket.create_server((address, 0), family=family, dualstack_ipv6=both))
        clients = [stack.enter_context(socket.create_connection(listener.getsockname()[:2])) for _ in range(40)]
        servers = [stack.enter_context(listener.accept()[0]) for _ in clients]
        rows = sock_diag.listed()
        assert rows is not None
        rows = rows[rows["own_port"] == listener.getsockname()[1]]
        clients[0].close()
        servers[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        servers[1].close()
        again = sock_diag.found_again(rows)
        assert again is not None
        names = [sock_diag.KERNEL_STATES[state] for state in again["state"]]
        assert (len(rows), sorted(names)) == (40, ["CLOSE_WAIT"] + ["ESTABLISHED"] * 38)
        rows["cookie"] += 1 << 40  # sockets that were there before these
        none = sock_diag.found_again(rows)
        assert none is not None and not len(none)


@needs_kernel
def test_a_fin_that_has_to_wait(two: Two) -> None:
    two.stuff()
    two.client.close()
    wait_for(("FIN_WAIT_1", "ESTABLISHED"), lambda: states(two.ends))
    two.server.shutdown(socket.SHUT_WR)
    wait_for(("CLOSING", "FIN_WAIT_2"), lambda: states(two.ends))


@needs_kernel
def test_a_last_fin_that_has_to_wait(two: Two) -> None:
    two.stuff()
    two.server.shutdown(socket.SHUT_WR)
    wait_for(("CLOSE_WAIT", "FIN_WAIT_2"), lambda: states(two.ends))
    two.client.close()
    wait_for(("LAST_ACK", "FIN_WAIT_2"), lambda: states(two.ends))


@needs_kernel
def test_a_connection_that_is_not_open_yet() -> None:
    """The server's kernel waits for data before it is; and another's SYN finds no room."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 30)
        listener.listen(0)
        client = stack.enter_context(socket.create_connection(listener.getsockname()))
        ends = client.getsockname(), client.getpeername()
        wait_for(("ESTABLISHED", "SYN_RECEIVED"), lambda: states(ends))
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        waiting = [stack.enter_context(socket.socket()) for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        last = waiting[-1].getsockname(), full.getsockname()
        wait_for(("SYN_SENT", ""), lambda: states(last))


@needs_kernel
def test_whose_socket_it_is(two: Two) -> None:
    two.server.sendall(b"x")
    two.client.recv(1)
    time.sleep(0.3)
    told = Owners().about(*two.ends, "FIN_WAIT_1")
    seen = rf"kernel state ESTABLISHED, {HEARD} ([\d.]+) s ago, but the packets show FIN_WAIT_1"
    match = re.fullmatch(rf"(.+)\[(\d+)\], {seen}", told)
    assert match, told
    assert int(match[2]) == os.getpid()
    assert 0.2 < float(match[3]) < 5
