"""The laboratory itself: what it says it does to packets, it does; and nothing of it is left behind."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab, forge, loss, missing, pcapfile
from tests.lab.hosts import CONNECTIONS, LabError, hurry
from tests.lab.pcapfile import ACK, FIN, RST, SYN, Segment

POLICY = "import os; print(os.sched_getscheduler(0))"
pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "the laboratory can be set up")


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


def segments(path: Path) -> list[Segment]:
    link, packets = pcapfile.read(path)
    return [pcapfile.segment(link, packet) for packet in packets]


def flags(path: Path) -> list[int]:
    return [segment.flags & (FIN | SYN | RST) for segment in segments(path)]


@pytest.mark.parametrize("ipv6", [False, True])
def test_a_tap_has_every_packet_of_a_connection(lab: Lab, tmp_path: Path, ipv6: bool) -> None:
    with lab.tap("a", tmp_path / "a.pcap") as tap:
        client, server = lab.connect(ipv6=ipv6)
        client.close()
        assert server.recv(1) == b""
        server.close()
    seen = segments(tap.path)
    assert [segment.flags for segment in seen[:3]] == [SYN, SYN | ACK, ACK]
    assert flags(tap.path).count(FIN) == 2
    assert (tap.captured, tap.dropped) == (len(seen), 0)


def test_taps_at_three_places_see_the_same_segments_in_order_of_the_way(lab: Lab, tmp_path: Path) -> None:
    taps = [lab.tap(place, tmp_path / f"{place}.pcap") for place in ("a", "m", "b")]
    client, server = lab.connect()
    client.close()
    server.close()
    time.sleep(0.1)
    for tap in taps:
        tap.stop()
    syns = [pcapfile.read(tap.path)[1][0].time for tap in taps]
    assert syns == sorted(syns)
    assert sorted(map(repr, segments(taps[0].path))) == sorted(map(repr, segments(taps[2].path)))


def test_the_first_two_fins_are_lost_and_the_third_arrives(lab: Lab, tmp_path: Path) -> None:
    sender, receiver = lab.tap("a", tmp_path / "a.pcap"), lab.tap("b", tmp_path / "b.pcap")
    client, server = lab.connect()
    lab.loss.lose(loss.FIN, by="a", first=2)
    client.close()
    assert server.recv(1) == b""
    sender.stop()
    receiver.stop()
    assert (flags(sender.path).count(FIN), flags(receiver.path).count(FIN)) == (3, 1)


def test_packets_may_pass_before_the_loss_begins_and_after_it_ends(lab: Lab) -> None:
    client, server = lab.connect()
    lab.loss.lose(loss.EVERYTHING, by="a", skip=1)
    client.sendall(b"one")
    assert server.recv(10) == b"one"
    server.settimeout(0.15)
    client.sendall(b"two")
    with pytest.raises(TimeoutError):
        server.recv(10)
    lab.loss.nothing()
    server.settimeout(5)
    assert server.recv(10) == b"two"


def test_the_relay_delays_and_its_middle_sees_each_packet_once(lab: Lab, tmp_path: Path) -> None:
    lab.relay(0.02)
    tap = lab.tap("middle", tmp_path / "middle.pcap")
    began = time.monotonic()
    lab.connect()
    assert time.monotonic() - began >= 0.04
    tap.stop()
    _, packets = pcapfile.read(tap.path)
    assert [segment.flags for segment in segments(tap.path)] == [SYN, SYN | ACK, ACK]
    assert 0.015e9 < packets[1].time - packets[0].time < 0.1e9


@pytest.mark.parametrize("ipv6", [False, True])
def test_a_policy_reorders_duplicates_and_loses(lab: Lab, tmp_path: Path, ipv6: bool) -> None:
    relay = lab.relay(0.0)
    client, server = lab.connect(ipv6=ipv6)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tap = lab.tap("b", tmp_path / "b.pcap")
    fates = iter([(0.1,), (0.0, 0.01), ()])
    relay.left = lambda packet, from_a: next(fates, (0.0,)) if from_a else (0.0,)
    for word in (b"1", b"22", b"333"):
        client.sendall(word)
        time.sleep(0.002)
    time.sleep(0.3)
    tap.stop()
    assert server.recv(10) == b"122333"
    data = [segment.payload for segment in segments(tap.path) if segment.port == 8080 and segment.payload]
    assert data[:2] == [2, 2]  # the second overtook the first, twice; the third came only when it was sent again
    assert 1 in data


def test_a_forged_reset_at_the_right_number_kills(lab: Lab, tmp_path: Path) -> None:
    tap = lab.tap("a", tmp_path / "a.pcap")
    client, server = lab.connect()
    tap.settle()
    last = segments(tap.path)[-1]
    source, target = client.getsockname(), server.getsockname()
    forge.send(lab.m, forge.segment(source, target, seq=last.seq + 100, flags=RST, ttl=200))
    time.sleep(0.05)
    server.sendall(b"alive")  # inside the window but not at its edge: ignored
    assert client.recv(10) == b"alive"
    forge.send(lab.m, forge.segment(source, target, seq=last.seq, flags=RST))
    time.sleep(0.05)
    with pytest.raises(ConnectionResetError):
        server.recv(1)


def test_a_rejected_packet_is_answered_in_its_receivers_name_and_both_pass_the_middle(lab: Lab, tmp_path: Path) -> None:
    lab.relay(0.01).own_packets_too(lab.m)
    middle, receiver = lab.tap("middle", tmp_path / "middle.pcap"), lab.tap("b", tmp_path / "b.pcap")
    client, _ = lab.connect()
    lab.loss.reject("tcp dport 8080", by="a")
    client.sendall(b"to be rejected")
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    for tap in (middle, receiver):
        tap.stop()
    seen = [(segment.port == 8080, segment.payload, segment.flags & RST) for segment in segments(middle.path)[3:5]]
    assert seen == [(True, 14, 0), (False, 0, RST)]
    assert [segment.payload for segment in segments(receiver.path) if segment.port == 8080] == [0, 0]  # SYN, ACK


def test_the_delay_of_the_path_may_change_at_any_time(lab: Lab) -> None:
    relay = lab.relay(0.01)
    client, server = lab.connect()
    took = []
    for delay in (0.2, 0.01):
        relay.delay = delay
        began = time.monotonic()
        client.sendall(b"x")
        assert server.recv(1) == b"x"
        took.append(time.monotonic() - began)
    assert 0.2 <= took[0] < 0.4 and 0.01 <= took[1] < 0.1
    assert lab.path is relay


def test_a_laboratory_without_a_relay_has_no_path(lab: Lab) -> None:
    with pytest.raises(LabError, match="no relay"):
        _ = lab.path


def test_a_host_has_a_small_table_of_connections_and_this_process_its_own_namespace_still(lab: Lab) -> None:
    setting = Path("/proc/sys/net/ipv4/tcp_ehash_entries")
    if not setting.exists():
        pytest.skip("a namespace has no table of its own before Linux 6.1")
    with lab.a.entered():
        inside = int(setting.read_text())
    assert inside == CONNECTIONS
    assert abs(int(setting.read_text())) != CONNECTIONS


def test_what_hurries_does_not_pass_it_on_to_its_children() -> None:
    policies: list[int] = []

    def hurried() -> None:
        hurry()
        policies.append(os.sched_getscheduler(0))
        shown = subprocess.run(
            [sys.executable, "-c", "import os; print(os.sched_getscheduler(0))"], capture_output=True
        )
        policies.append(int(shown.stdout))
        hurry(False)
        policies.append(os.sched_getscheduler(0))

    thread = threading.Thread(target=hurried)
    thread.start()
    thread.join()
    assert [policy & ~os.SCHED_RESET_ON_FORK for policy in policies] == [os.SCHED_RR, os.SCHED_OTHER, os.SCHED_OTHER]


def test_sysctls_belong_to_one_host(lab: Lab) -> None:
    lab.b.sysctl(tcp_fin_timeout=7)
    timeouts = [host.run("sysctl", "-n", "net.ipv4.tcp_fin_timeout").strip() for host in (lab.a, lab.b)]
    assert timeouts == ["60", "7"]


def test_two_laboratories_at_once_do_not_meet() -> None:
    with Lab() as one, Lab() as two:
        first, second = one.connect()[1], two.connect()[1]
        assert first.getsockname() == second.getsockname()
        assert one.a.name != two.a.name


def names_left(lab_names: list[str]) -> list[str]:
    listed = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    return [name for name in lab_names if re.search(rf"\b{re.escape(name)}\b", listed)]


def test_everything_is_removed_after_a_failure(tmp_path: Path) -> None:
    names, processes = [], []
    with pytest.raises(ZeroDivisionError), Lab() as lab:
        names += [host.name for host in lab.hosts]
        lab.relay(0.01)
        processes += [lab.tap("a", tmp_path / "a.pcap").process, lab.a.python("import time; time.sleep(60)")]
        _ = 1 / 0
    assert names_left(names) == []
    assert all(process.poll() is not None for process in processes)


def test_a_tap_that_cannot_begin_says_why(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="syntax error"):
        lab.tap("a", tmp_path / "a.pcap", filter="nonsense nonsense")
