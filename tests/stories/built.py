"""The stories that only exist as a description: their packets, built from it.

Each function writes one capture. Nobody's kernel is needed: the faults are those of other stacks and of devices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab import forge
from tests.lab.pcapfile import ACK, FIN, LINK_RAW, PSH, RST, SYN, Packet, write

BUILT: dict[str, Callable[[Path], None]] = {}
BEGIN = 1_790_000_000 * 10**9
RTT = 0.0004


@dataclass
class Side:
    """One end of a conversation, and what it will send next."""

    address: tuple[str, int]
    next: int
    ttl: int = 64
    ip_id: int = 100
    window: int = 64240


@dataclass
class Conversation:
    """A connection as a list of packets; numbers follow from what was sent unless they are given."""

    client: Side = field(default_factory=lambda: Side(("192.0.2.10", 40001), 1_000_000_000))
    server: Side = field(default_factory=lambda: Side(("198.51.100.20", 8080), 3_000_000_000, ttl=57, ip_id=20_000))
    packets: list[Packet] = field(default_factory=list)

    def send(self, at: float, side: Side, flags: int, payload: int | bytes = 0, **numbers: int) -> None:
        """``side`` sends so many bytes, or these; ``numbers`` are seq, ack, ttl, ip_id or window where they are not the
        usual ones."""
        content = payload if isinstance(payload, bytes) else b"x" * payload
        other = self.server if side is self.client else self.client
        usual = {"seq": side.next, "ttl": side.ttl, "ip_id": side.ip_id, "window": side.window}
        if flags & ACK:
            usual["ack"] = other.next
        header = {name: value % 2**32 for name, value in (usual | numbers).items()}
        data = forge.segment(side.address, other.address, flags=flags, payload=content, **header)
        self.packets.append(Packet(BEGIN + round(at * 10**9), data, len(data)))
        side.ip_id += "ip_id" not in numbers
        if "seq" not in numbers:
            side.next += len(content) + (flags & (SYN | FIN) != 0)

    def opens(self, at: float) -> None:
        """The handshake."""
        self.send(at, self.client, SYN)
        self.send(at + RTT, self.server, SYN | ACK)
        self.send(at + RTT + 0.00002, self.client, ACK)

    def exchange(self, at: float, request: int = 120, answer: int = 600) -> None:
        """A request and its answer, each acknowledged."""
        self.send(at, self.client, PSH | ACK, request)
        self.send(at + RTT, self.server, ACK)
        self.send(at + RTT + 0.0002, self.server, PSH | ACK, answer)
        self.send(at + RTT + 0.00024, self.client, ACK)

    def closes(self, at: float) -> None:
        """In order, the client first."""
        self.send(at, self.client, FIN | ACK)
        self.send(at + RTT, self.server, FIN | ACK)
        self.send(at + RTT + 0.00002, self.client, ACK)


def story(build: Callable[[], list[Conversation]]) -> Callable[[], list[Conversation]]:
    """Enter what ``build`` returns among the stories, under its own name; its packets are written in order of time."""

    def make(path: Path) -> None:
        packets = sorted((packet for one in build() for packet in one.packets), key=lambda packet: packet.time)
        write(path, LINK_RAW, packets)

    BUILT[build.__name__.replace("_", "-")] = make
    return build


def visit(at: float) -> Conversation:
    """A foreign connection, which shows that the capture still ran."""
    one = Conversation(Side(("192.0.2.250", 51000), 77_000), Side(("198.51.100.250", 22), 88_000))
    one.opens(at)
    one.exchange(at + 0.01, 20, 30)
    one.closes(at + 0.02)
    return one


@story
def fin_wait_1_for_four_hours() -> list[Conversation]:
    """robur-coop/utcp#27: a FIN is sent once, never acknowledged and never repeated, and netstat shows FIN_WAIT_1 for
    four hours. On a second connection the FIN is acknowledged, and the peer never closes.
    """
    lost = Conversation()
    lost.opens(0.0)
    lost.exchange(0.1)
    lost.send(1.0, lost.client, FIN | ACK)
    held = Conversation(
        Side(("192.0.2.10", 40002), 1_100_000_000), Side(("198.51.100.20", 8080), 3_100_000_000, ttl=57)
    )
    held.opens(2.0)
    held.exchange(2.1)
    held.send(3.0, held.client, FIN | ACK)
    held.send(3.0 + RTT, held.server, ACK)
    return [lost, held, visit(4 * 3600.0)]


@story
def reconnected_after_144_s() -> list[Conversation]:
    """noahdavids.org, port_reuse: the server closes first and keeps TIME_WAIT; the client asks again from the same
    port, each time with a new number, and gets the old acknowledgment five times, until TIME_WAIT is over.
    """
    old = Conversation(Side(("172.16.3.22", 50964), 700_000_000), Side(("192.168.48.19", 31234), 400_000_000, ttl=60))
    old.opens(0.0)
    old.exchange(0.1)
    old.send(1.0, old.server, FIN | ACK)
    old.send(1.0002, old.client, ACK)
    old.send(1.0003, old.client, FIN | ACK)
    old.send(1.0007, old.server, ACK)
    now, behind = old.client.next, old.server.next
    for number, at in enumerate((2.0, 5.0, 11.0, 23.0, 47.0)):
        isn = 700_000_000 - 5_000_000 * (number + 1)  # lower than the old numbers: nothing lets it in
        old.send(at, old.client, SYN, seq=isn)
        old.send(at + RTT, old.server, ACK, seq=behind, ack=now)
        old.send(at + RTT + 0.00003, old.client, RST, seq=now)
    old.client.next, old.server.next = 650_000_000, 450_000_000
    old.opens(146.0)
    old.exchange(146.1)
    old.closes(146.5)
    return [old]


@story
def firewall_answers_the_keep_alive() -> list[Conversation]:
    """noahdavids.org, firewall_reset_trace: after two hours of silence a keep-alive probe is answered by a RST that a
    firewall makes out of the probe: its IP id, its window, its numbers turned round, and a TTL of 28, not 58.
    """
    one = Conversation(
        Side(("172.30.240.104", 1562), 0x8733CA01, ttl=30, ip_id=0x115F, window=0x2CCC),
        Side(("10.125.3.35", 3020), 0x55AA0001, ttl=58, ip_id=0x7001, window=0x4470),
    )
    one.opens(0.0)
    one.exchange(0.5)
    one.exchange(1.0)
    probe = one.client.ip_id
    one.send(7201.001, one.client, ACK, seq=one.client.next - 1)
    numbers = {"seq": one.server.next, "ack": one.client.next - 1}
    one.send(7201.03, one.server, RST | ACK, ttl=28, ip_id=probe, window=0x2CCC, **numbers)
    return [one, visit(7210.0)]


@story
def asked_while_still_in_close_wait() -> list[Conversation]:
    """Cloudflare, "This is strictly a violation": on one machine a daemon never closed a socket; 90 s later its client
    got the same port again, and its seven SYNs were not answered.
    """
    one = Conversation(Side(("127.0.0.12", 59220), 210_000_000), Side(("127.0.0.1", 5000), 310_000_000))
    one.opens(0.0)
    one.exchange(0.1)
    one.send(1.0, one.client, FIN | ACK)
    one.send(1.00003, one.server, ACK)
    for at in (91.0, 92.0, 94.0, 98.0, 106.0, 122.0, 154.0):
        one.send(at, one.client, SYN, seq=220_451_580)
    return [one, visit(290.0)]


@story
def not_translated_back_in_the_middle() -> list[Conversation]:
    """kubernetes/kubernetes#117924 and #74839, at the client's host: in the midst of a download one segment of the
    backend comes under the backend's own address, because the connection tracking took it for invalid. The host knows
    no such connection and resets it; the backend believes that, and the client waits for the rest in vain.
    """
    one = Conversation(Side(("10.0.1.9", 40010), 500_000_000), Side(("10.96.0.20", 80), 600_000_000, ttl=63))
    one.opens(0.0)
    one.send(0.1, one.client, PSH | ACK, 90)
    for number in range(4):
        one.send(0.2 + number / 1000, one.server, ACK, 1000)
        one.send(0.2002 + number / 1000, one.client, ACK)
    pod = Conversation(Side(("10.0.1.9", 40010), one.client.next), Side(("10.0.2.33", 8080), one.server.next, ttl=63))
    pod.send(0.205, pod.server, ACK, 1000)
    pod.send(0.20503, pod.client, RST)
    return [one, pod, visit(60.0)]


@story
def fin_with_data_ignored() -> list[Conversation]:
    """zephyrproject-rtos/zephyr#37842: the client is in FIN_WAIT_2 and ignores the server's FIN, which carries data;
    the server repeats it.
    """
    one = Conversation()
    one.opens(0.0)
    one.exchange(0.1)
    one.send(1.0, one.client, FIN | ACK)
    one.send(1.0 + RTT, one.server, ACK)
    at, wait = 1.2, 0.2
    for number in range(7):
        seq = {"seq": one.server.next - 25} if number else {}
        one.send(at, one.server, FIN | PSH | ACK, 24, **seq)
        at, wait = at + wait, wait * 2
    return [one, visit(60.0)]


@story
def both_closed_and_one_fin_never_acknowledged() -> list[Conversation]:
    """shadow/shadow#3573: the FINs cross; the client acknowledges the server's, but its own never is."""
    one = Conversation()
    one.opens(0.0)
    one.exchange(0.1)
    before = one.client.next
    one.send(1.0, one.client, FIN | ACK)
    one.send(1.0001, one.server, FIN | ACK, ack=before)
    one.send(1.0002, one.client, ACK)
    at, wait = 1.2, 0.2
    for _ in range(6):
        one.send(at, one.client, FIN | ACK, seq=before)
        at, wait = at + wait, wait * 2
    return [one, visit(60.0)]


@story
def reset_and_challenge_in_a_loop() -> list[Conversation]:
    """FreeRTOS/FreeRTOS-Plus-TCP#1235: a host has aborted after 25 s without its peer; its RST is inside the device's
    window but not the awaited number. The device's challenge repeats the RST's number, and so the host answers with the
    same RST again.
    """
    one = Conversation(Side(("192.0.2.60", 49200), 10_000_000), Side(("198.51.100.61", 443), 20_000_000, ttl=128))
    one.opens(0.0)
    one.exchange(0.1)
    awaited = one.server.next
    one.server.next += 40  # sent while the radio was off: the device never got them, nor did the tap
    for number in range(12):
        at = 26.0 + number * 0.004
        one.send(at, one.server, RST | ACK, seq=awaited + 40)
        one.send(at + 0.002, one.client, ACK, ack=awaited + 40)
    return [one, visit(60.0)]


@story
def reset_ahead_of_what_arrived() -> list[Conversation]:
    """oven-sh/bun#36309: data are lost and the sender aborts; its RST has the number behind those data, which its peer
    does not await. The peer challenges and then goes on as if nothing had happened.
    """
    one = Conversation()
    one.opens(0.0)
    one.exchange(0.1)
    awaited = one.client.next
    one.send(1.0, one.client, PSH | ACK, 900)
    one.send(1.0003, one.client, RST | ACK)
    one.send(1.0007, one.server, ACK, ack=awaited)
    one.send(3.0, one.server, PSH | ACK, 60, ack=awaited)
    one.send(3.3, one.server, PSH | ACK, 60, seq=one.server.next - 60, ack=awaited)
    return [one, visit(60.0)]
