"""Sockets that are older than the watch: real ones, against ss, and tables of them made by hand."""

import os
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analyzer.live import interface_addresses, older_sockets
from analyzer.live.interface_addresses import addresses_by_interface, concerning
from analyzer.live.line_output import socket_lines
from analyzer.live.older_leaks import OlderLeaks, at_least
from analyzer.live.older_sockets import OlderSockets
from analyzer.live.sock_diag import KERNEL_STATES, LISTENING, MAPPED, SOCKET, Sockets
from analyzer.live.sockets import Process
from tests.lab.hosts import Host
from tests.lab.network import Lab, missing
from tests.live.test_metrics import SS_STATES, served
from tests.live.test_traffic import Watching

needs_lab = pytest.mark.skipif(bool(missing()), reason=missing() or "-")
Counts = Counter[tuple[str, str]]  # (own end, state)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(44) as made:
        yield made


def by_ss(host: Host) -> Counts:
    """The sockets of each of the host's own ends but the loopback's."""
    found: Counts = Counter()
    for line in host.run("ss", "-Htan", "state", "connected").splitlines():
        state, _, _, own, _ = line.split()[:5]
        if "127.0.0.1" not in own:
            found[own.replace("[::ffff:", "").replace("]:", ":").replace("[", ""), SS_STATES[state]] += 1
    return found


def by_metrics(host: Host) -> Counts:
    """What is served of servers at this host."""
    line = r'teardown_sockets\{address="(.+?)",port="(\d+)",role="server",server=".*",state="(\w+)"\} ([\d.]+)'
    found = re.findall(line, served(host))
    return Counter({(f"{address}:{port}", state): int(float(count)) for address, port, state, count in found})


def settled(host: Host, apart: Counts) -> Counts:
    """The counts once they are those of ss, but for sockets ``apart``; at the latest after some seconds."""
    for _ in range(40):
        if by_metrics(host) == by_ss(host) - apart:
            break
        time.sleep(0.1)
    told = by_metrics(host)
    assert told == by_ss(host) - apart
    return told


def told_by_kernel(watching: Watching, count: int) -> list[dict[str, Any]]:
    """So many announcements of what the kernel knows."""
    return watching.until("", count, "kernel")


class Pairs:
    """Connections to a server at B that listens at every address, IPv4 inside IPv6 included."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._listener = lab.b.new_socket(socket.AF_INET6)
        self._listener.bind(("::", 8080))
        self._listener.listen(64)
        lab.sockets.append(self._listener)

    def make(self, count: int, to: str) -> list[tuple[socket.socket, socket.socket]]:
        made = [(self._lab.a.connect((to, 8080)), self._listener.accept()[0]) for _ in range(count)]
        self._lab.sockets += [end for pair in made for end in pair]
        return made


def close(first: socket.socket, *others: socket.socket) -> None:
    first.close()
    time.sleep(0.005)  # the FIN is there
    for end in others:
        end.close()


@needs_lab
def test_counts_are_those_of_ss_and_an_old_leak_is_named(lab: Lab) -> None:
    pytest.importorskip("prometheus_client", reason="needs prometheus-client (the extra live)")
    pairs, four, six = Pairs(lab), lab.b.address, lab.b.address6
    at_home = lab.b.new_socket(), lab.b.new_socket()
    at_home[0].bind((four, 0))
    at_home[0].listen()
    at_home[1].connect(at_home[0].getsockname())  # over the loopback interface, whatever its address
    lab.sockets += at_home
    open_ones, leaks, leaks_6 = pairs.make(5, four), pairs.make(4, four), pairs.make(3, six)
    for client, _ in leaks + leaks_6:
        client.close()
    for client, server in pairs.make(2, four):
        close(server, client)  # TIME_WAIT
    for _, server in pairs.make(2, six):
        close(server)  # FIN_WAIT_2, whose peer is in CLOSE_WAIT
    own = at_home[0].getsockname()[1]
    home = Counter({key: n for key, n in by_ss(lab.b).items() if key[0] not in (f"{four}:8080", f"{six}:8080")})
    assert own and sum(home.values()) == 2
    time.sleep(1.05)
    watching = Watching(lab.b, "--metrics", "9464", "--close-wait-leak", "1")
    told = told_by_kernel(watching, 2)
    assert {(event["endpoint"], event["sockets"]) for event in told} == {(f"{four}:8080", 4), (f"[{six}]:8080", 3)}
    assert all(f"[{os.getpid()}]" in event["processes"] for event in told)
    assert all(1 <= event["oldest_at_least_s"] < 60 for event in told)
    first = by_metrics(lab.b)
    assert first == by_ss(lab.b) - home
    end = f"{four}:8080"
    assert first[end, "ESTABLISHED"] == 5 and first[end, "CLOSE_WAIT"] == 4 and first[end, "TIME_WAIT"] == 2
    assert first[f"{six}:8080", "FIN_WAIT_2"] == 2
    # Packets pass: data, one connection closes, the leak of IPv6 is mended.
    open_ones[0][0].sendall(b"x")
    close(*open_ones[1])
    close(open_ones[2][1], open_ones[2][0])
    for _, server in leaks_6:
        server.close()
    pairs.make(1, four)
    (over,) = [event for event in told_by_kernel(watching, 3) if event["over"]]
    assert (over["endpoint"], over["sockets"]) == (f"[{six}]:8080", 3)
    after = settled(lab.b, home)
    assert after[end, "ESTABLISHED"] == 4 and after[end, "TIME_WAIT"] == 3
    time.sleep(1.1)
    assert watching.end() == (0, "")
    assert not [event for event in watching.events if event.get("code") in ("TD101", "TD106")]
    here = [entry for entry in watching.events[-1]["sockets"] if entry["address"] == four]
    assert [entry["CLOSE_WAIT"] for entry in here] == [4]


# Tables made by hand


def row(state: str, cookie: int, own: int = 80, peer: int = 40_000, **more: Any) -> Sockets:
    made = np.zeros(1, SOCKET)
    made["state"], made["cookie"], made["own_port"], made["peer_port"] = KERNEL_STATES.index(state), cookie, own, peer
    made["own"], made["peer"] = MAPPED + b"\x0a\0\0\2", MAPPED + b"\x0a\0\0\1"
    made["inode"], made["sent_ms"], made["heard_ms"] = 7, 40_000, 90_000
    for name, value in more.items():
        made[name] = value
    return made


class Kernel:
    """Answers with what it is given, and nothing listens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows: list[Sockets] = []
        monkeypatch.setattr(older_sockets, "listed", self._listed)
        monkeypatch.setattr(older_sockets, "KEEP", -1.0)
        monkeypatch.setattr(older_sockets, "FEW", 0)

    def _listed(self, states: int = 0) -> Sockets:
        return np.concatenate([np.zeros(0, SOCKET), *([] if states == LISTENING else self.rows)])


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


NO_FLOWS: Any = SimpleNamespace(
    flows=0, end_time=0, noted=lambda name: np.zeros((0, 2)), flow=lambda name: np.zeros(0, np.int64)
)
OWNERS: Any = SimpleNamespace(find=lambda inodes: None, held=lambda inode: Process(17, "nginx") if inode == 7 else None)


def look(older: OlderSockets) -> dict[str, dict[str, int]]:
    older._next = 0.0
    older.look(NO_FLOWS, None)  # type: ignore[arg-type]
    return {group.name: group.counts for group in older.groups}


def test_a_socket_that_took_the_place_of_an_older_one_is_none(kernel: Kernel) -> None:
    """The same ends, and another cookie."""
    older = OlderSockets(["any"])
    kernel.rows = [row("ESTABLISHED", 1), row("TIME_WAIT", 2, peer=40_001, timer=3, expires=20_000)]
    older.begin()
    assert look(older) == {"10.0.0.2:80": {"ESTABLISHED": 1, "TIME_WAIT": 1}}
    assert (older.groups[0].next_s, older.groups[0].oldest_s) == (20, 40)
    kernel.rows = [row("LAST_ACK", 1), row("ESTABLISHED", 3, peer=40_001)]
    assert look(older) == {"10.0.0.2:80": {"LAST_ACK": 1}}
    kernel.rows = []
    assert look(older) == {}


def test_a_leak_is_told_of_when_it_is_old_enough_and_when_it_is_over(kernel: Kernel) -> None:
    older = OlderSockets(["any"])
    young = row("CLOSE_WAIT", 2, peer=40_001, heard_ms=29_000)
    kernel.rows = [row("CLOSE_WAIT", 1), young, row("CLOSE_WAIT", 3, 50_000, 443, sent_ms=10)]
    older.begin()
    leaks = OlderLeaks(older, OWNERS, 30 * 10**9)
    (told,) = leaks.look(NO_FLOWS, None)  # type: ignore[arg-type]
    assert told.message == (
        "1 socket of 10.0.0.2:80 (nginx[17] (1)) has been in CLOSE_WAIT since before the watch, without data sent or "
        "anything heard for at least 40 s. The peer sent its FIN, and the application has not closed."
    )
    assert told.advice.startswith("Suspect nginx[17] first: ")
    assert told.advice.endswith("Next: ss -tnp state close-wait 'src 10.0.0.2:80'")
    assert leaks.look(NO_FLOWS, None) == []  # type: ignore[arg-type]
    kernel.rows = [young]
    older._next = 0.0
    (over,) = leaks.look(NO_FLOWS, None)  # type: ignore[arg-type]
    assert over.over and over.endpoint == "10.0.0.2:80"
    assert "none is in CLOSE_WAIT any more" in over.text(1 << 62)


def test_sockets_that_no_process_has_accepted(kernel: Kernel) -> None:
    older = OlderSockets(["any"])
    kernel.rows = [row("CLOSE_WAIT", 1, inode=0)]
    older.begin()
    (told,) = OlderLeaks(older, OWNERS, 10**9).look(NO_FLOWS, None)  # type: ignore[arg-type]
    assert told.processes == "not accepted by any process (1)"
    assert told.message.endswith("The peer sent its FIN, and no process has accepted.")
    assert told.advice == (
        "Suspect the application that listens at port 80 first: it does not accept. Next: ss -tlnp 'sport = :80'"
    )


def test_which_sockets_concern_an_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, own, other = (MAPPED + octets for octets in (b"\x7f\0\0\1", b"\x0a\0\0\2", b"\x0a\0\1\2"))
    away = MAPPED + b"\x0a\0\0\1"
    monkeypatch.setattr(interface_addresses, "addresses_by_interface", lambda: {1: {loop}, 2: {own}, 3: {other}})
    monkeypatch.setattr(socket, "if_nametoindex", lambda name: {"lo": 1, "eth0": 2, "eth1": 3}[name])
    ends = [(own, away), (own, other), (other, away), (loop, loop)]
    rows = np.concatenate([row("ESTABLISHED", 1, own=80) for _ in ends])
    rows["own"], rows["peer"] = ([pair[side] for pair in ends] for side in (0, 1))
    for names, chosen in ((["eth0"], [0]), (["eth0", "eth1"], [0, 2]), (["lo"], [1, 3]), (["any"], [0, 1, 2, 3])):
        assert np.flatnonzero(concerning(rows, names)).tolist() == chosen, names


def test_the_addresses_of_this_host() -> None:
    if not hasattr(socket, "AF_NETLINK"):
        pytest.skip("this system has no netlink")
    assert MAPPED + b"\x7f\0\0\1" in addresses_by_interface()[socket.if_nametoindex("lo")]


@pytest.mark.parametrize(("seconds", "text"), [(1.29, "1.2 s"), (99.99, "99 s"), (3599.9, "59 min 59 s")])
def test_what_is_at_least_so_long_is_rounded_down(seconds: float, text: str) -> None:
    assert at_least(seconds) == text


def test_the_summary_has_no_more_than_the_first_endpoints(kernel: Kernel) -> None:
    kernel.rows = [row("ESTABLISHED", n, own=1000 + n) for n in range(22)]
    older = OlderSockets(["any"])
    older.begin()
    lines = [*socket_lines(older.groups)]
    assert len(lines) == 21 and lines[-1] == "and those of 2 endpoints more"
