"""Every TCP frame of the public captures: its number and its time as tshark gives them; and all packets counted.

The differences that stay, and who is right, are in the tables below; ``docs/readers.md`` says it in full.
"""

import csv

import numpy as np
import pytest

from analyzer.capture import open_captures
from analyzer.errors import UnreadableCapture
from tests.oracle import FOLDER, Oracle, names, needs_captures

pytestmark = needs_captures

# Formats that are recognised and refused with the command that converts them.
REFUSED = {
    "tcptrace/chdlc.erf.gz": "ERF",
    "wireshark-wiki/BitTorrent.Transfer1.cap": "Network Monitor 2",
    "wireshark-wiki/Mixed1.cap": "Network Monitor 2",
    "wireshark-wiki/ftp-guesspassword.cap": "NetXRay",
    "wireshark-wiki/tcpshake.cap": "NetXRay",
    "wireshark-wiki/xx.cap": "NetXRay",
    "libpcap/pcapng-invalid-vers-1.pcapng": "version 0.1",
    "libpcap/pcapng-invalid-vers-2.pcapng": "version 1.1",
}

# Times with the highest bit set. tshark: the year 586524. Here: before 1970, which keeps the distances. It is the
# same number of ticks modulo 2^64; as nanoseconds in 64 bits the former cannot be told.
NEGATIVE = {"PcapPlusPlus/pcapng-example.pcapng": 2**64 * 1000}

# tshark refuses these files for their link type, which it does not know; their packets can be counted all the same.
UNKNOWN_LINK_TYPES = {
    "tcpdump/brcm-tag-prepend.pcap": 15,
    "tcpdump/edsa-high-vid.pcap": 4,
    "tcpdump/juniper_monitor_invalid_cookie_length.pcap": 1,
    "wireshark-wiki/mp4-ftyp-styp-sidx.pcap": 5,
}

# Damaged files, of which tshark reads as much and then reports an error: the index leaves the count out.
DAMAGED = {
    "PcapPlusPlus/crash-pcapng-epb-unbounded-length": 0,
    "PcapPlusPlus/radiuslayer": 5,
    "suricata-verify/bug-1450-04__tls_DER-incomplete-header.pcap": 6,
    "wireshark-wiki/rarp_req_reply.pcap": 0,
}


def test_frames_and_times_equal_those_of_tshark() -> None:
    compared = 0
    for name in names():
        if name in REFUSED:
            continue
        oracle = Oracle(name)
        with open_captures([oracle.path]) as stream:
            times = {frame: time for batch in stream for frame, time in batch.rows[["frame", "time"]].tolist()}
        odd = oracle.marked("rows_time_odd")
        cells = zip(oracle.facts["cols"]["frame"], oracle.facts["cols"]["time_ns"], odd, strict=True)
        for frame, time, is_odd in cells:
            assert frame in times, (name, frame)
            read = times[frame] + (NEGATIVE.get(name, 0) if times[frame] < 0 else 0)
            assert is_odd or time is None or read == time, (name, frame)
            compared += 1
    assert compared > 30_000


def index() -> dict[str, str]:
    """The number of packets of each capture, as capinfos counts them."""
    with (FOLDER / "INDEX.tsv").open(encoding="utf8") as file:
        return {row["path"]: row["packets"] for row in csv.DictReader(file, delimiter="\t")}


def test_all_packets_are_counted() -> None:
    for name, counted in index().items():
        if name in REFUSED:
            with pytest.raises(UnreadableCapture, match=REFUSED[name]):
                open_captures([FOLDER / name])
            continue
        expected = {**UNKNOWN_LINK_TYPES, **DAMAGED}.get(name)
        with open_captures([FOLDER / name]) as stream:
            for batch in stream:
                ends = batch.rows["offset"] + batch.rows["captured"]
                assert np.all(ends <= len(batch.data))
            assert stream.packets == (int(counted) if expected is None else expected), name
            assert stream.packets or stream.notices
