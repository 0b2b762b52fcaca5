"""Every TCP segment of the public captures against tshark: its ends, numbers, flags, payload length and time.

tshark's answer is an opinion too. Where ours differs, the reason stands here, with who is right.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from analyzer.capture import open_captures
from analyzer.errors import UnreadableCapture
from analyzer.segments import Decoder
from analyzer.segments.table import ACK, BAD_OFFSET, QUOTED, SHORT_QUOTE
from analyzer.times import outer
from tests.oracle import Oracle, names, needs_captures

pytestmark = needs_captures

MISSING = {
    # sFlow carries samples of many packets in one datagram. tshark shows TCP in them; a sample is no segment that
    # passed the tap when it stands in the capture, so we count the datagram as UDP.
    "PcapPlusPlus/ExamplesTest__pcap_examples__tcp-reassembly.pcap": {66},
    "tcpdump/sflow_expanded.pcap": {1},
}

TIMES = {
    # Frames 60 to 159 carry a time before 1970. tshark prints it as if it were 584 years later; ours is negative.
    "PcapPlusPlus/pcapng-example.pcapng": set(range(60, 160)),
}

OTHER_FORMATS = {
    # Neither pcap, pcapng nor snoop. The message names editcap; what it makes of them is read like tshark does.
    "tcptrace/chdlc.erf.gz",
    "wireshark-wiki/BitTorrent.Transfer1.cap",
    "wireshark-wiki/Mixed1.cap",
    "wireshark-wiki/ftp-guesspassword.cap",
    "wireshark-wiki/tcpshake.cap",
    "wireshark-wiki/xx.cap",
}


def decoded(oracle: Oracle) -> Iterator[dict[str, Any]]:
    """Our segments of one capture, addresses as texts; quotations that have no stream apart."""
    decoder = Decoder()
    packets = segments = 0
    with open_captures([oracle.path]) as stream:
        for batch in stream:
            packets += len(batch.rows)
            rows = decoder.decode(batch)
            segments += len(rows)
            texts = decoder.book.texts()
            for row in rows[rows["marks"] & SHORT_QUOTE == 0]:
                fields = {name: int(row[name]) for name in row.dtype.names}
                ends = {"src": texts[fields["src"]], "dst": texts[fields["dst"]]}
                yield fields | ends | {"time": outer(fields["time"])}
    decoder.finish()
    assert segments + sum(decoder.counts.values()) == packets


def asked(oracle: Oracle) -> dict[int, dict[str, Any]]:
    """tshark's row for each frame, without those whose TCP header was cut before it could be read."""
    columns, hosts = oracle.facts["cols"], oracle.facts["hosts"]
    cut, odd = set(oracle.facts["rows_cut"]), set(oracle.facts["rows_time_odd"])
    wanted = {}
    for index, frame in enumerate(columns["frame"]):
        if index in cut:
            continue
        (src, src_port), (dst, dst_port) = hosts[columns["src"][index]], hosts[columns["dst"][index]]
        row = {"src": src, "src_port": src_port, "dst": dst, "dst_port": dst_port}
        row |= {name: columns[name][index] for name in ("seq", "ack", "flags")}
        row |= {"payload_len": columns["len"][index], "time": None if index in odd else columns["time_ns"][index]}
        wanted[frame] = row
    return wanted


def differences(row: dict[str, Any], wanted: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Columns in which we differ, ours first. An empty cell of tshark's says nothing."""
    ignored = set() if row["flags"] & ACK else {"ack"}
    if row["marks"] & (QUOTED | BAD_OFFSET):
        ignored.add("payload_len")  # tshark gives none, or for an offset below 5 one that subtracts that offset
    return {
        name: (row[name], value)
        for name, value in wanted.items()
        if value is not None and name not in ignored and row[name] != value
    }


@pytest.mark.parametrize("name", [name for name in names() if name not in OTHER_FORMATS])
def test_every_segment_is_tshark_s(name: str) -> None:
    oracle = Oracle(name)
    wanted = asked(oracle)
    cut = {oracle.facts["cols"]["frame"][index] for index in oracle.facts["rows_cut"]}
    rows = {row["frame"]: row for row in decoded(oracle)}
    assert set(wanted) - set(rows) == MISSING.get(name, set())
    assert set(rows) - set(wanted) <= cut
    found = {frame: differences(rows[frame], wanted[frame]) for frame in set(rows) & set(wanted)}
    for frame in TIMES.get(name, ()):
        assert set(found.pop(frame)) == {"time"}
    assert not {frame: some for frame, some in found.items() if some}


@pytest.mark.parametrize("name", sorted(OTHER_FORMATS))
def test_formats_not_read_are_named(name: str) -> None:
    with pytest.raises(UnreadableCapture, match="editcap"), open_captures([Oracle(name).path]):
        pass


def test_the_captures_are_the_ones_judged_here() -> None:
    """So that captures left out by accident do not pass for captures that agree."""
    listed = names()
    assert set(listed) >= {*MISSING, *TIMES, *OTHER_FORMATS}
    assert sum(Oracle(name).facts["n_tcp"] for name in listed) > 31_000
