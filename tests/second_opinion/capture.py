"""A capture analysed: its findings, and its packets in the form the predicates ask."""

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from analyzer.capture import open_captures
from analyzer.engine.pipeline import analyze
from analyzer.segments.table import MARKS
from analyzer.settings import Settings
from tests.second_opinion.packets import CLIENT, SERVER, Endpoint, Flow, Segment, ahead

BIT = {mark.name: 1 << place for place, mark in enumerate(MARKS)}
SIDES = {"client": CLIENT, "server": SERVER}


SAID = {  # by some ICMP errors, in the words of RFC 792, RFC 1812 and RFC 4443
    (4, 3, 0): "net unreachable",
    (4, 3, 1): "host unreachable",
    (4, 3, 3): "port unreachable",
    (4, 3, 4): "fragmentation needed",
    (4, 3, 13): "communication administratively prohibited",
    (4, 11, 0): "time exceeded",
    (6, 1, 0): "no route to destination",
    (6, 1, 1): "communication administratively prohibited",
    (6, 1, 3): "address unreachable",
    (6, 1, 4): "port unreachable",
    (6, 2, 0): "packet too big",
    (6, 3, 0): "time exceeded",
}


@dataclass(frozen=True)
class Error:
    """An ICMP error: who sent it, and its version of IP, type and code."""

    frame: int
    time: int
    teller: str
    kind: tuple[int, int, int]
    mtu: int  # of the next link, 0 where it names none

    @property
    def drops(self) -> bool:
        """Whether it says that the packet was dropped: no source quench and no redirect does."""
        return self.kind[:2] not in ((4, 4), (4, 5))

    @property
    def words(self) -> str:
        return SAID.get(self.kind, "")


@dataclass
class Capture:
    """One capture as analysed with the default settings."""

    path: Path
    flows: dict[int, Flow]
    findings: list[dict[str, Any]]
    first: int
    last: int
    count: int  # of packets
    settings: Settings
    result: Any

    @property
    def segments(self) -> list[Segment]:
        return [row for flow in self.flows.values() for row in flow.captured]

    @cached_property
    def frames(self) -> set[int]:
        return {row.frame for row in self.segments}

    def named(self, ends: tuple[Endpoint, Endpoint], before: int) -> list[Flow]:
        """Earlier connections on the same addresses and ports, the latest last."""
        return [flow for flow in self.flows.values() if set(flow.ends) == set(ends) and flow.stream < before]

    @cached_property
    def times(self) -> dict[int, int]:
        """When each frame passed, TCP or not."""
        with open_captures([str(self.path)]) as capture:
            return {int(row["frame"]): int(row["time"]) for batch in capture for row in batch.rows}

    @cached_property
    def packets(self) -> "dict[int, bytes]":
        """The bytes of each frame."""
        found = {}
        with open_captures([str(self.path)]) as capture:
            for batch in capture:
                for row in batch.rows:
                    begin = int(row["offset"])
                    found[int(row["frame"])] = batch.data[begin : begin + int(row["captured"])].tobytes()
        return found

    def header(self, flow: Flow, row: Segment) -> bytes:
        """The TCP header and payload of a segment as captured: from where its ports and numbers stand."""
        begin = self.packets[row.frame].rfind(_opening(flow, row))
        return self.packets[row.frame][begin:] if begin >= 0 else b""

    def quoting(self, flow: Flow, row: Segment) -> list[Error]:
        """ICMP errors that quote a segment: IP header with its addresses, then its ports and number."""
        addresses = [ipaddress.ip_address(flow.ends[side][0]) for side in (row.side, 1 - row.side)]
        quoted = b"".join(address.packed for address in addresses) + _opening(flow, row)[:8]
        version = addresses[0].version
        header, errors = (12, {3, 4, 5, 11, 12}) if version == 4 else (8, {1, 2, 3, 4})
        found = []
        for frame, data in self.packets.items():
            place = data.rfind(quoted) - header - 8
            if place >= 0 and data[place] in errors and frame not in self.frames:
                source = data[place - 8 : place - 4] if version == 4 else data[place - 32 : place - 16]
                teller = str(ipaddress.ip_address(source))
                kind = (version, data[place], data[place + 1])
                mtu = data[place + 6 : place + 8] if kind == (4, 3, 4) or kind[:2] == (6, 2) else b""
                found.append(Error(frame, self.times[frame], teller, kind, int.from_bytes(mtu, "big")))
        return found

    def sacked(self, flow: Flow, side: int, row: Segment) -> int | None:
        """The frame in which ``side`` acknowledges all of ``row`` by SACK (RFC 2018)."""
        for other in flow.of(side):
            for left, right in _sack_blocks(self.header(flow, other)):
                if ahead(row.seq, left) >= 0 and ahead(row.data_end, right) <= 0:
                    return other.frame
        return None

    def answer_ttls(self, host: Endpoint) -> set[int]:
        """The TTLs of a host's SYN-ACKs in the whole capture."""
        return {row.ttl for _, row in self.of_host(host) if row.syn and row.has_ack}

    def reset_ttls(self, host: Endpoint, but: Flow) -> set[int]:
        """The TTLs of a host's RSTs in all other connections."""
        return {row.ttl for flow, row in self.of_host(host) if row.rst and flow is not but}

    def of_host(self, host: Endpoint) -> Iterator[tuple[Flow, Segment]]:
        """All that has come from an address."""
        for flow in self.flows.values():
            yield from ((flow, row) for row in flow.captured if flow.ends[row.side][0] == host[0])


def _opening(flow: Flow, row: Segment) -> bytes:
    """How its TCP header begins: ports and numbers."""
    return struct.pack(">HHII", flow.ends[row.side][1], flow.ends[1 - row.side][1], row.seq, row.ack)


def _sack_blocks(header: bytes) -> Iterator[tuple[int, int]]:
    """The blocks of a SACK option in a TCP header."""
    options = header[20 : (header[12] >> 4) * 4] if len(header) >= 20 else b""
    while options and options[0]:
        size = 1 if options[0] == 1 else options[1] if len(options) > 1 else 0
        if size < 1 or size > len(options):
            return
        if options[0] == 5:
            for begin in range(2, size - 7, 8):
                yield struct.unpack(">II", options[begin : begin + 8])
        options = options[size:]


def read(path: Path, settings: Settings | None = None) -> Capture:
    """Analyse the capture at ``path``. Raises UnreadableCapture as the program does."""
    settings = settings or Settings(keep_segments=True)
    analysed = analyze([str(path)], settings)
    result, summary = analysed.result(), analysed.summary
    assert analysed.segments is not None
    assert result.segments is not None
    rows = analysed.segments[0]
    flows = {}
    for flow in records(result.flows):
        ends = ((flow["client_ip"], flow["client_port"]), (flow["server_ip"], flow["server_port"]))
        flows[flow["stream"]] = Flow(flow["stream"], ends, [], flow)
    for row, raw in zip(records(result.segments), rows, strict=True):
        ends = ((row["src_ip"], row["src_port"]), (row["dst_ip"], row["dst_port"]))
        found = flows.setdefault(row["stream"], Flow(row["stream"], ends, []))  # none is told of damaged segments alone
        found.captured.append(_segment(row, raw, found))
    for row in records(result.timeline):
        flows[row["stream"]].timeline.append(row)
    first, last = summary.first_ns or 0, summary.last_ns or 0
    return Capture(path, flows, records(result.findings), first, last, summary.packets, settings, result)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A table as plain rows: times in nanoseconds, None for what is unknown."""
    columns = {str(name): _plain(frame[name]) for name in frame}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _plain(column: "pd.Series[Any]") -> list[Any]:
    missing = column.isna().to_list()
    times = isinstance(column.dtype, pd.DatetimeTZDtype)
    values = column.array.asi8.tolist() if times else column.to_list()
    return [None if gone else value for value, gone in zip(values, missing, strict=True)]


def _segment(row: dict[str, Any], raw: Any, flow: Flow) -> Segment:
    marks = int(raw["marks"])
    return Segment(
        frame=row["frame"],
        time=row["time_epoch"],
        side=CLIENT if (row["src_ip"], row["src_port"]) == flow.ends[CLIENT] else SERVER,
        seq=row["seq"],
        ack=row["ack"],
        flags=row["flags"],
        length=row["payload_len"],
        window=int(raw["window"]),
        ttl=int(raw["ttl"]),
        ip_id=int(raw["ip_id"]) if marks & BIT["HAS_IP_ID"] else None,
        scale=int(raw["window_scale"]),
        ts_val=int(raw["ts_val"]) if marks & BIT["HAS_TIMESTAMP"] else None,
        first_byte=int(raw["first_byte"]) if marks & BIT["HAS_FIRST_BYTE"] else None,
        cut=bool(marks & BIT["CUT_HEADER"]),
        refused=bool(marks & BIT["BAD_OFFSET"]),
        short=bool(marks & BIT["LENGTH_BEYOND"]),
    )
