"""``conn_state`` and ``history``: against Zeek's own logs, and against a twin that goes by its definition."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analyzer import analyze
from analyzer.errors import TeardownError
from analyzer.segments.table import BAD_OFFSET, CUT_HEADER, PART
from tests.captures import cases, own, public
from tests.lab import pcapfile
from tests.oracle import FOLDER, needs_captures
from tests.tracker.naive_end import ahead
from tests.tracker.naive_zeek import ACK, Connection, Seen
from tests.tracker.plausible import capture
from tests.tracker.test_fast_path import frames

UNSEEN = BAD_OFFSET | CUT_HEADER | PART  # segments that Zeek does not look at
LETTERS = 36
FAR = 1 << 29
LATE_NS = 60_000_000_000
# Where Zeek's log says something else, by capture and stream: see docs/zeek.md.
DIFFERENT = {
    ("zeek/auth_change_session_keys.pcap", "SAD"): "the server's packets have a wrong IP checksum, and Zeek drops them",
    ("zeek/ftp__fake-long-commands.pcap", "ShAdDaXFf"): "X: an analyzer of Zeek gave up",
    ("zeek/smtp__mime-header-size-limit.pcap.gz", "ShAdDaXFf"): "X: an analyzer of Zeek gave up",
    ("zeek/pppoe-over-qinq.pcap", "ShADdtaTTtFf"): "the IP length counts padding that PPPoE's length does not",
    ("zeek/tcp__retransmit-timeout.pcapng", "Da"): "a time-out, set shorter, splits the connection",
    ("zeek/tcp__retransmit-timeout.pcapng", "D"): "a time-out, set shorter, splits the connection",
}


@needs_captures
def test_as_in_the_logs_of_zeek() -> None:
    equal, differs = 0, set()
    for answers in sorted(FOLDER.rglob("*.zeek.json")):
        path = Path(str(answers).removesuffix(".zeek.json"))
        flows = analyze(path).flows.set_index("stream")
        for baseline in json.loads(answers.read_text())["baselines"]:
            for theirs in baseline["connections"]:
                for stream in theirs.get("tshark_streams") or []:
                    ours = flows.loc[stream]
                    states = theirs.get("conn_state") in (None, ours.conn_state)
                    if states and ours.history == theirs["history"]:
                        equal += 1
                    else:
                        differs.add((str(path.relative_to(FOLDER)), theirs["history"]))
    assert differs == set(DIFFERENT)
    assert equal >= 54


def as_the_twin(segments: pd.DataFrame) -> dict[int, tuple[str, str]]:
    """``conn_state`` and ``history`` of each stream."""
    connections: dict[int, tuple[Connection, tuple[str, int]]] = {}
    for row in segments.itertuples():
        end = row.src_ip, row.src_port
        flags = int(row.flags)
        if row.stream not in connections:
            first = Seen(0, flags, row.seq, row.ack, row.payload_len, row.window)
            connections[row.stream] = Connection.first(first, (row.src_port, row.dst_port)), end
        connection, one = connections[row.stream]
        if not row.marks & UNSEEN:
            side = 0 if end == one else 1
            connection.take(Seen(side, flags, row.seq, row.ack, row.payload_len, row.window))
    return {stream: (each.state, each.history) for stream, (each, _) in connections.items()}


def streams_to_judge(segments: pd.DataFrame) -> Iterator[int]:
    """Those in which numbers and times tell before from after: a side that comes much farther than any connection, or
    a clock that was set, leaves that open."""
    for stream, rows in segments.groupby("stream"):
        far = (ahead(number, first) for first, number in numbers(rows))
        times = rows.time_epoch.astype("int64")
        if all(abs(distance) < FAR for distance in far) and times.diff().min() > -LATE_NS:
            yield int(str(stream))


def numbers(rows: pd.DataFrame) -> Iterator[tuple[int, int]]:
    """The first number of a side, and each that is one of its own or acknowledges it."""
    first: dict[tuple[str, int], int] = {}
    for row in rows.itertuples():
        own = first.setdefault((row.src_ip, row.src_port), row.seq)
        yield own, row.seq
        if int(row.flags) & ACK:
            yield first.setdefault((row.dst_ip, row.dst_port), row.ack), row.ack


def compare(path: Path) -> int:
    """Each flow of a capture; returns how many there are."""
    result = analyze(path, keep_segments=True)
    assert result.segments is not None
    twins = as_the_twin(result.segments)
    last, judged = result.segments.groupby("stream").frame.max(), set(streams_to_judge(result.segments))
    told = {
        flow.stream: flow
        for flow in result.flows.itertuples()
        if last[flow.stream] == flow.last_frame and flow.stream in judged
    }
    ours = {stream: (flow.conn_state, "" if pd.isna(flow.history) else flow.history) for stream, flow in told.items()}
    assert ours == {stream: (twins[stream][0], twins[stream][1][:LETTERS]) for stream in told}
    return len(told)


@pytest.mark.parametrize("path", [*own(), *public(), *cases()])
def test_every_capture_as_the_twin(path: Any) -> None:
    try:
        compare(path)
    except TeardownError:
        return


@pytest.mark.parametrize("trouble", [0, 0.1, 0.4])
@pytest.mark.parametrize("seed", range(4))
def test_made_up_connections(trouble: float, seed: int, tmp_path: Path) -> None:
    path = tmp_path / "made-up.pcap"
    pcapfile.write(path, pcapfile.LINK_ETHERNET, list(frames(capture(400, seed, trouble))))
    assert compare(path) > 300
