"""The numbers of flows.csv against tshark's: counted here from the fields that tshark prints, by nothing of ours.

Of the public captures tshark's fields stand beside them; of the project's own captures tshark is asked.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

import analyzer
from analyzer.results.result import ResultTables
from tests.captures import OWN, PUBLIC_FOLDER, public
from tests.oracle import Oracle

FIN, SYN, RST, ACK = 1, 2, 4, 16
FIELDS = ["frame.number", "frame.time_epoch", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport"]
FIELDS += ["tcp.stream", "tcp.seq_raw", "tcp.ack_raw", "tcp.flags", "tcp.len"]
BOTH = ("client", "server")


class Row(NamedTuple):
    """A TCP segment as tshark prints it."""

    frame: int
    time: int
    who: tuple[str, int]
    stream: int
    seq: int
    ack: int
    flags: int
    length: int

    @property
    def end(self) -> int:
        """The number after what it carries."""
        return self.seq + self.length + bool(self.flags & SYN) + bool(self.flags & FIN)


def ahead(a: int, b: int) -> int:
    return (a - b + 2**31) % 2**32 - 2**31


NOT_JUDGED = {
    # tshark prints times before 1970 as if they were 584 years later.
    "PcapPlusPlus/pcapng-example.pcapng",
    # tshark gives every other frame no stream.
    "zeek/cisco-fabric-path.pcap",
}


def by_oracle(name: str) -> Iterator[Row]:
    """tshark's rows of a public capture; of no stream of which it cannot tell a row."""
    facts = Oracle(name).facts
    columns, hosts = facts["cols"], facts["hosts"]
    left = {*facts["rows_in_icmp"], *facts["rows_multi_tcp"], *facts["rows_cut"], *facts["rows_time_odd"]}
    left |= {row for values in columns.values() for row, value in enumerate(values) if value is None}
    odd = {columns["stream"][row] for row in left}
    for place in range(len(columns["frame"])):
        values = {key: columns[key][place] for key in columns}
        if values["stream"] not in odd:
            numbers = (values["stream"], values["seq"], values["ack"], values["flags"], values["len"])
            yield Row(values["frame"], values["time_ns"], tuple(hosts[values["src"]]), *numbers)


def by_tshark(path: Path) -> Iterator[Row]:
    """The same, asked now."""
    asked = [part for field in FIELDS for part in ("-e", field)]
    command = ["tshark", "-n", "-r", str(path), "-Y", "tcp && !icmp", "-T", "fields", *asked]
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        frame, time, v4, _, v6, _, port, _, stream, seq, ack, flags, length = line.split("\t")
        seconds, _, fraction = time.partition(".")
        moment = int(seconds) * 10**9 + int(fraction.ljust(9, "0"))
        numbers = (int(stream), int(seq), int(ack), int(flags, 16), int(length))
        yield Row(int(frame), moment, (v4 or v6, int(port)), *numbers)


class Counted:
    """One stream, counted from its rows."""

    def __init__(self, rows: list[Row], end: int, alone: bool) -> None:
        self.rows, self.capture_end = rows, end
        self.alone = alone  # nobody else has its addresses and ports
        self.ordinary = alone and rows == sorted(rows, key=lambda row: row.time)
        self.ordinary = self.ordinary and not any(row.flags & RST for row in rows)

    def of(self, who: tuple[str, int]) -> list[Row]:
        return [row for row in self.rows if row.who == who]

    def others(self, who: tuple[str, int]) -> list[Row]:
        return [row for row in self.rows if row.who != who]

    @cached_property
    def lively(self) -> list[Row]:
        """All but RSTs and keep-alive probes: a probe repeats the last number, or the last byte once that is
        acknowledged."""
        found, sent, acked = [], {}, {}
        for row in self.rows:
            peer = next((other.who for other in self.rows if other.who != row.who), None)
            nxt = sent.get(row.who)
            back = (
                nxt is not None and ahead(row.seq, nxt) == -1 and row.length <= 1 and not row.flags & (SYN | FIN | RST)
            )
            probe = back and (not row.length or (peer in acked and ahead(acked[peer], nxt) >= 0))
            if not probe and not row.flags & RST:
                found.append(row)
                sent[row.who] = row.end if nxt is None or ahead(row.end, nxt) > 0 else nxt
            if row.flags & ACK and not row.flags & RST:
                acked[row.who] = row.ack if ahead(row.ack, acked.get(row.who, row.ack)) >= 0 else acked[row.who]
        return found

    @property
    def idle_before_close(self) -> int | None:
        """From the last segment, probes apart, to the first FIN or RST."""
        first = next((row for row in self.rows if row.flags & (FIN | RST)), None)
        if first is None:
            return None
        talk = [row for row in self.lively if row.frame < first.frame]
        return first.time - talk[-1].time if talk else 0

    def fins(self, who: tuple[str, int]) -> list[Row]:
        return [row for row in self.of(who) if row.flags & FIN and not row.flags & (SYN | RST)]

    def way(self, who: tuple[str, int]) -> int:
        """How long its answer took in the handshake: at least as long as the way from the tap and back."""
        syn = next(row for row in self.others(who) if row.flags & SYN)
        return next(row.time for row in self.of(who) if row.frame > syn.frame) - syn.time

    def close_wait(self, who: tuple[str, int]) -> tuple[int, int] | None:
        """How long it was in CLOSE_WAIT, at least and at most; None where it closed first, or not after a FIN."""
        (fin, *_), own = self.fins(self.others(who)[0].who), self.fins(who)
        proofs = [row for row in self.of(who) if row.frame > fin.frame and ahead(row.ack, fin.end) >= 0]
        if not proofs or (own and own[0].frame <= proofs[0].frame and ahead(own[0].ack, fin.end) < 0):
            return None
        left = own[0].time if own else self.capture_end
        return left - self.way(who) // 2 - proofs[0].time, left - fin.time


def nanoseconds(value: Any) -> int:
    """A time or a duration of the result."""
    return round(value * 10**9) if isinstance(value, float) else int(value.value)


def check(result: ResultTables, rows: Iterator[Row]) -> dict[str, int]:
    """Hold every flow against the rows of its stream; how many numbers were compared."""
    streams: dict[int, list[Row]] = {}
    for row in rows:
        streams.setdefault(row.stream, []).append(row)
    counts = dict.fromkeys(CHECKS, 0)
    for flow in result.flows.to_dict("records"):
        mine = streams.get(flow["stream"])
        if mine:
            counted = Counted(mine, int(result.summary.last_ns or 0), used_once(result.flows, flow))
            for name, check_one in CHECKS.items():
                counts[name] += check_one(flow, counted)
    return counts


def used_once(flows: pd.DataFrame, flow: dict[str, Any]) -> bool:
    """Whether no other connection has its addresses and ports."""
    same = [flows[name] == flow[name] for name in ("client_ip", "client_port", "server_ip", "server_port")]
    turned = [
        flows[name] == flow[other] for name, other in (("client_ip", "server_ip"), ("client_port", "server_port"))
    ]
    return bool((same[0] & same[1] & same[2] & same[3]).sum() == 1 and not (turned[0] & turned[1]).any())


def ends(flow: dict[str, Any]) -> dict[str, tuple[str, int]]:
    return {role: (str(flow[f"{role}_ip"]), int(flow[f"{role}_port"])) for role in BOTH}


def plain(flow: dict[str, Any]) -> bool:
    """Whether no packet of it is in the capture twice."""
    return "TD904" not in flow["findings"].split(";")


def packets_and_bytes(flow: dict[str, Any], counted: Counted) -> int:
    if not plain(flow):
        return 0
    for role, who in ends(flow).items():
        assert flow[f"{role}_packets"] == len(counted.of(who)), (flow["stream"], role)
        assert flow[f"{role}_bytes"] == sum(row.length for row in counted.of(who)), (flow["stream"], role)
    return 2


def first_and_last(flow: dict[str, Any], counted: Counted) -> int:
    first, last = counted.rows[0], counted.rows[-1]
    assert (flow["first_frame"], nanoseconds(flow["first_epoch"])) == (first.frame, first.time)
    if not plain(flow):
        return 1
    assert (flow["last_frame"], nanoseconds(flow["last_epoch"])) == (last.frame, last.time)
    assert nanoseconds(flow["duration_s"]) == pytest.approx(max(0, last.time - first.time), abs=1000)
    return 2


def fins(flow: dict[str, Any], counted: Counted) -> int:
    """The first FIN of each, and the first segment of the peer that acknowledges it."""
    count = 0
    for role, who in ends(flow).items():
        sent = counted.fins(who)
        if not sent or pd.isna(flow[f"{role}_fin_epoch"]):
            continue
        assert nanoseconds(flow[f"{role}_fin_epoch"]) in {row.time for row in sent}, (flow["stream"], role)
        if len({row.end % 2**32 for row in sent}) == 1:
            assert nanoseconds(flow[f"{role}_fin_epoch"]) == sent[0].time, (flow["stream"], role)
            count += 1
    return count


def idle_before_close(flow: dict[str, Any], counted: Counted) -> int:
    idle = counted.idle_before_close
    if pd.isna(flow["idle_before_close_s"]) or not plain(flow) or not counted.alone:
        return 0
    assert idle is not None
    assert nanoseconds(flow["idle_before_close_s"]) == pytest.approx(max(0, idle), abs=1000), flow["stream"]
    return 1


def close_wait(flow: dict[str, Any], counted: Counted) -> int:
    """Only of what opened by a handshake and closed without RST, nothing of that repeated."""
    mine, count = ends(flow), 0
    whole = flow["handshake"] == "complete" and flow["observability"] == "complete" and plain(flow)
    if not whole or not counted.ordinary or any(len(counted.fins(who)) > 1 for who in mine.values()):
        return 0
    if not all(counted.way(who) for who in mine.values()):
        return 0
    for role, who in mine.items():
        peer = next(other for other in mine.values() if other != who)
        bounds = counted.close_wait(who) if counted.fins(peer) else None
        told = flow[f"{role}_close_wait_s"]
        assert pd.isna(told) == (bounds is None), (flow["stream"], role)
        if bounds is not None:
            assert bounds[0] - 1000 <= nanoseconds(told) <= bounds[1] + 1000, (flow["stream"], role, bounds)
            count += 1
    return count


CHECKS: dict[str, Callable[[dict[str, Any], Counted], int]] = {
    "packets and bytes": packets_and_bytes,
    "first and last": first_and_last,
    "fins": fins,
    "idle before close": idle_before_close,
    "close wait": close_wait,
}


@pytest.mark.parametrize("path", public())
def test_public_captures(path: Path) -> None:
    name = str(path.relative_to(PUBLIC_FOLDER))
    if name in NOT_JUDGED:
        pytest.skip("tshark does not tell")
    check(analyzer.analyze(path), by_oracle(name))


@pytest.mark.skipif(shutil.which("tshark") is None, reason=f"tshark is not installed: {len(OWN)} captures not counted")
def test_own_captures() -> None:
    sums = pd.Series(dict.fromkeys(CHECKS, 0))
    for path in OWN:
        sums += pd.Series(check(analyzer.analyze(path), by_tshark(path)))
    assert (sums > pd.Series({**dict.fromkeys(CHECKS, 90), "close wait": 30})).all(), sums.to_dict()
