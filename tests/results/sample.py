"""Results made by hand, for the reports' tests: a few flows with known ends, or very many of them."""

from typing import Any

import numpy as np
import pandas as pd

from analyzer.errors import Notice
from analyzer.findings.rule import CannotJudge
from analyzer.flows.table import FLOW
from analyzer.results.pandas_types import table
from analyzer.results.result import Analysed, ResultTables
from analyzer.results.schema import TABLES
from analyzer.results.source_summary import Summary
from analyzer.results.store import FlowStore
from analyzer.segments.table import SEGMENT
from analyzer.units import UNKNOWN
from tests.results.listings import listing, overview

SECOND = 1_000_000_000
START = 1_700_000_000_123_456_789
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
CLIENT, SERVER = ("10.1.0.2", 40112), ("10.1.0.3", 8080)
EMPTY: dict[str, Any] = {
    "count": 0,
    "number": None,
    "sequence": None,
    "letters": "",
    "word": "",
    "address": "",
    "file": "",
    "text": "",
}
EMPTY |= {"time": UNKNOWN, "seconds": UNKNOWN, "flag": True}


def rows(name: str, entries: list[dict[str, Any]]) -> pd.DataFrame:
    """A table from dicts; what a dict leaves out is unknown."""
    return table(
        name,
        {column.name: [row.get(column.name, EMPTY[column.kind]) for row in entries] for column in TABLES[name]},
    )


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


def who(stream: int, client: tuple[str, int] = CLIENT, server: tuple[str, int] = SERVER) -> dict[str, Any]:
    return {
        "stream": stream,
        "client_ip": client[0],
        "client_port": client[1],
        "server_ip": server[0],
        "server_port": server[1],
    }


def segment(
    frame: int, seconds: float, up: bool, flags: int, seq: int, ack: int, size: int = 0, window: int = 65535
) -> dict[str, Any]:
    """A segment of the connection below; ``seq`` and ``ack`` are relative, as a reader of the ladder sees
    them."""
    source, target = (CLIENT, SERVER) if up else (SERVER, CLIENT)
    own, other = (4294967000, 1000) if up else (1000, 4294967000)
    return {
        "frame": frame,
        "stream": 7,
        "src_ip": source[0],
        "src_port": source[1],
        "dst_ip": target[0],
        "dst_port": target[1],
        "flags": flags,
        "payload_len": size,
        "seq": (own + seq) % 2**32,
        "ack": (other + ack) % 2**32 if flags & ACK else 0,
        "time_epoch": at(seconds),
        "window": window,
        "window_scale": -1,
    }


def late_fin_segments(bulk: int = 0) -> list[dict[str, Any]]:
    """The server closes, the client sleeps a minute in CLOSE_WAIT, its late FIN meets a RST.

    ``bulk`` puts that many data segments of the server, each acknowledged, into the middle (numbered 5 on).
    """
    opening = [
        segment(1, 0, True, SYN, 0, 0),
        segment(2, 0.00012, False, SYN | ACK, 0, 1),
        segment(3, 0.00015, True, ACK, 1, 1),
        segment(4, 0.001, True, PSH | ACK, 1, 1, 78),
    ]
    middle = []
    for k in range(bulk):
        when = 0.002 + k * 0.001
        middle.append(segment(5 + 2 * k, when, False, ACK, 1 + 1000 * k, 79, 1000))
        middle.append(segment(6 + 2 * k, when + 0.0001, True, ACK, 79, 1001 + 1000 * k))
    n, sent = 5 + 2 * bulk, 1 + 1000 * bulk
    closing = [
        segment(n, 2.1, False, FIN | ACK, sent, 79),
        segment(n + 1, 2.10003, True, ACK, 79, sent + 1),
        segment(n + 2, 63.3, True, FIN | ACK, 79, sent + 1),
        segment(n + 3, 63.30004, False, RST, sent + 1, 0),
    ]
    return opening + middle + closing


def _event(seconds: float, frame: int | None, endpoint: str, event: str, *states: str, **more: str) -> dict[str, Any]:
    ip, port = CLIENT if endpoint == "client" else SERVER
    return {
        **who(7),
        "endpoint": endpoint,
        "endpoint_ip": ip,
        "endpoint_port": port,
        "event": event,
        "frame": frame,
        "from_state": states[0],
        "state": states[-1],
        "basis": more.get("basis", "sent"),
        "time_epoch": at(seconds),
        "earliest_epoch": at(seconds),
        "latest_epoch": at(seconds),
        "note": more.get("note", ""),
    }


def late_fin_timeline(n: int = 5) -> list[dict[str, Any]]:
    return [
        _event(0, 1, "client", "syn", "CLOSED", "SYN_SENT", note="active open (RFC 9293 3.10.1)"),
        _event(0.00012, 2, "server", "syn-ack", "LISTEN", "SYN_RECEIVED"),
        _event(0.00015, 3, "client", "ack", "SYN_SENT", "ESTABLISHED"),
        _event(0.00015, 3, "server", "ack", "SYN_RECEIVED", "ESTABLISHED", basis="assumed"),
        _event(2.1, n, "server", "fin", "ESTABLISHED", "FIN_WAIT_1", note="closed first"),
        _event(
            2.10003,
            n + 1,
            "client",
            "peer-fin",
            "ESTABLISHED",
            "CLOSE_WAIT",
            basis="proven",
            note="peer closed",
        ),
        _event(2.10003, n + 1, "server", "fin-acked", "FIN_WAIT_1", "FIN_WAIT_2", basis="assumed", note="FIN acked"),
        _event(
            62.10003,
            None,
            "server",
            "timer",
            "FIN_WAIT_2",
            "CLOSED",
            basis="timer",
            note="FIN_WAIT_2 ends after 60 s: profile linux",
        ),
        _event(63.3, n + 2, "client", "fin", "CLOSE_WAIT", "LAST_ACK", note="after 61.199970 s"),
        _event(63.30004, n + 3, "client", "peer-rst", "LAST_ACK", "CLOSED", basis="assumed", note="peer reset"),
    ]


def late_fin_finding(n: int = 5) -> dict[str, Any]:
    return {
        **who(7),
        "code": "TD102",
        "severity": "error",
        "endpoint": "client",
        "time_epoch": at(63.30004),
        "frames": f"{n};{n + 2};{n + 3}",
        "confidence": "high",
        "message": f'client 10.1.0.2:40112 in CLOSE_WAIT for 61.2 s; its "late" FIN ({n + 2}) met a RST',
        "advice": "Look at the client first: close the connection on every path. "
        "Next, on 10.1.0.2: ss -tnp state close-wait '( dport = :8080 )'",
    }


def flow(stream: int, teardown: str, closed_by: str = "", **more: Any) -> dict[str, Any]:
    return {
        **who(stream),
        "first_frame": 1,
        "last_frame": 9,
        "first_epoch": at(0),
        "last_epoch": at(63.30004),
        "duration_s": round(63.30004 * SECOND),
        "client_packets": 5,
        "server_packets": 4,
        "client_bytes": 78,
        "handshake": "complete",
        "closed_by": closed_by,
        "teardown": teardown,
        "observability": "complete",
        "client_state": "CLOSED",
        "server_state": "CLOSED",
        **more,
    }


def late_fin() -> dict[str, Any]:
    return flow(
        7,
        "reset",
        "server",
        server_fin_epoch=at(2.1),
        client_fin_epoch=at(63.3),
        server_fin_acked_epoch=at(2.10003),
        rst_by="server",
        rst_cause="late-fin",
        client_close_wait_s=61_199_970_000,
        findings="TD102",
    )


def sample_flows() -> pd.DataFrame:
    """Four flows: a late FIN, an orderly close, an abort, one that never opened."""
    other = who(3, ("2001:db8::2", 55000), ("2001:db8::1", 443))
    entries = [
        late_fin(),
        flow(8, "graceful", "client", client_state="TIME_WAIT"),
        {**flow(3, "aborted", "server", rst_by="server", rst_cause="abort"), **other},
        flow(9, "never-established", findings="TD307"),
    ]
    return rows("flows", entries)


def sample_findings(n: int = 5) -> list[dict[str, Any]]:
    refused = {"code": "TD307", "severity": "info", "message": "SYN answered by RST", "confidence": "high"}
    return [late_fin_finding(n), {**who(9), **refused, "frames": "10;11", "time_epoch": at(1)}]


def sample_summary() -> Summary:
    return Summary(
        files=["ring\x1b[31m.pcapng"],
        bytes=123_456,
        packets=40,
        segments=38,
        streams=4,
        first_ns=START,
        last_ns=at(63.30004),
        link_types=["Ethernet"],
        not_understood={"not IP (ARP, LLDP, ...)": 2},
        notices=[Notice("ring.pcapng ends in the middle of packet 41 (byte 123450)")],
        cannot_judge=[CannotJudge("TD101", "the capture starts after the FIN", 1)],
    )


def sample_result(bulk: int = 0) -> ResultTables:
    """The flows above; the timeline and the segments are those of the late FIN."""
    n = 5 + 2 * bulk
    flows, found = sample_flows(), sample_findings(n)
    return ResultTables(
        flows=flows,
        timeline=rows("timeline", late_fin_timeline(n)),
        findings=rows("findings", found),
        segments=rows("segments", late_fin_segments(bulk)),
        summary=sample_summary(),
        overview=overview(flows),
        listing=listing(found),
    )


class Played(Analysed):
    """The same as an analysis hands it over; without rows of numbers to write."""

    def result(self) -> ResultTables:
        return sample_result()


def sample_analysed() -> Analysed:
    made = sample_result()
    segments = np.zeros(0, SEGMENT), np.zeros(0, FLOW)
    return Played(FlowStore(), made.overview, made.listing, made.summary, segments)


def many_flows(n: int) -> pd.DataFrame:
    """``n`` flows with plausible values, made column by column."""
    random = np.random.default_rng(1)
    first = START + np.sort(random.integers(0, 100 * SECOND, n))
    servers = pd.Categorical.from_codes(random.integers(0, 3, n), ["10.0.0.1", "10.0.0.2", "2001:db8::1"])
    data: dict[str, Any] = {}
    for column in TABLES["flows"]:
        data[column.name] = {
            "count": random.integers(0, 60_000, n),
            "number": random.integers(1, 10_000_000, n),
            "sequence": random.integers(0, 1 << 32, n),
            "time": np.where(random.random(n) < 0.3, UNKNOWN, first),
            "seconds": np.where(random.random(n) < 0.3, UNKNOWN, random.integers(0, 100 * SECOND, n)),
            "word": pd.Categorical.from_codes(random.integers(0, 2, n), ["graceful", "reset"]),
            "address": servers,
            "file": servers,
            "letters": servers,
            "flag": random.random(n) < 0.5,
            "text": np.where(random.random(n) < 0.9, "", "TD101;TD903"),
        }[column.kind]
    return table("flows", data)


def crowd_of_findings(n: int) -> list[dict[str, Any]]:
    """``n`` leaked connections of one server."""
    message = "client 10.1.0.2:{port} has been in CLOSE_WAIT for 300 s (frame {frame}) and sends nothing"
    return [
        {
            **who(k, ("10.1.0.2", 40000 + k)),
            "code": "TD101",
            "severity": "error",
            "endpoint": "client",
            "confidence": "high",
            "time_epoch": at(k),
            "frames": str(4 * k + 3),
            "message": message.format(port=40000 + k, frame=4 * k + 3),
            "advice": "Close the connection on every path.",
        }
        for k in range(n)
    ]
