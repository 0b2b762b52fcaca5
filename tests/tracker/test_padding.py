"""Padding that somebody counted is no data, and what only looks like it is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import analyzer
from analyzer.flows.table import FLOW
from analyzer.segments.table import PADDED
from analyzer.settings import Settings
from analyzer.tracker.track import Tracker
from tests.lab import pcapfile
from tests.segments.build import ethernet, ipv4, tcp

from .facts import OF_ZEEK
from .stories import batch, told

PAD = 6
WHOLE = """
A S 0:1 |
B S. 0:1 ack 1 |
A . 1:1 ack 1 |
A P. 1:101 ack 1 |
B . 1:1 ack 101 |
B P. 1:51 ack 101 |
A . 101:101 ack 51 |
A F. 101:102 ack 51 |
B . 51:51 ack 102 |
B F. 51:52 ack 102 |
A . 102:102 ack 52 |
"""
ENDINGS = {
    "an ordinary close": WHOLE,
    "a keep-alive and its answer": WHOLE.replace(
        "A F. 101:102", "A . 100:100 ack 51 |\nB . 51:51 ack 101 |\nA F. 101:102"
    ),
    "a RST": WHOLE.split("A F.")[0] + "A R. 101:101 ack 51 |",
    "a FIN repeated": WHOLE.split("B . 51:51")[0] + "+300 A F. 101:102 ack 51 |\n+600 A F. 101:102 ack 51 |",
    "a SYN nobody answers": "A S 0:1 |\n+1000 A S 0:1 |",
    "a leak": WHOLE.split("B F.")[0],
    "a late FIN": WHOLE.split("B F.")[0] + "+9000 B F. 51:52 ack 102 |\nA R 102:102 |",
}


def rows_of(text: str) -> NDArray[np.void]:
    rows = batch(told(f"\na story\n{text.strip()}\n")[0])
    rows["sender"] = rows["src"]
    return rows


def padded(rows: NDArray[np.void], *places: int) -> NDArray[np.void]:
    """The same with the segments at ``places`` padded; without any, all that carry nothing."""
    made = rows.copy()
    chosen = list(places) or np.flatnonzero(made["payload_len"] == 0).tolist()
    made["payload_len"][chosen] = PAD
    made["marks"][chosen] |= PADDED
    return made


def facts(rows: NDArray[np.void]) -> tuple[list[Any], list[Any], bytes]:
    """All that is known of a flow at its end, what is kept of padding itself apart."""
    table = np.zeros(1, FLOW)
    table["previous"] = -1
    tracker = Tracker(Settings())
    tracker.feed(rows.copy(), table)
    books, (entries, _) = tracker._ledger_rows(tracker.held), tracker.timelines(tracker.held)
    ends = books.ends.copy()
    places = ("unusual", "closing_row", "next_free")
    for name in ("pad_bytes", "pad_end", "pad_time", "pad_frame", *places, *PRINTS, *OF_ZEEK):
        ends[name] = 0  # Zeek takes padding for payload
    flows = books.flows.copy()
    for name in flows.dtype.names or ():
        flows[name] = 0 if name.startswith(("zeek_", "history_")) else flows[name]
    return ends.tolist(), flows.tolist(), entries.tobytes()


PRINTS = [f"print_{n}" for n in range(4)]


@pytest.mark.parametrize("text", ENDINGS.values(), ids=ENDINGS)
def test_padding_changes_nothing(text: str) -> None:
    rows = rows_of(text)
    assert facts(padded(rows)) == facts(rows)
    unmarked = padded(rows)
    unmarked["marks"] &= ~np.uint16(PADDED)
    assert facts(unmarked) != facts(rows)


def test_each_segment_alone() -> None:
    rows = rows_of(WHOLE)
    for place in np.flatnonzero(rows["payload_len"] == 0).tolist():
        assert facts(padded(rows, place)) == facts(rows)


def test_the_same_packet_captured_with_and_without_padding_is_one() -> None:
    rows = rows_of(WHOLE)
    twice = np.repeat(rows, 2)
    twice["time"][1::2] += 10_000
    twice["frame"] = np.arange(1, len(twice) + 1)
    mixed = twice.copy()
    mixed[1::2] = padded(twice[1::2])
    assert facts(mixed) == facts(twice)


DATA = """
A S 0:1 |
B S. 0:1 ack 1 |
A . 1:1 ack 1 |
A . 1:7 ack 1 |
{}
+50 A F. 7:8 ack 1 |
B F. 1:2 ack 8 |
A . 8:8 ack 2 |
"""
TELLING = {
    "the peer acknowledges them": "B . 1:1 ack 7 |",
    "the sender goes on behind them": "A P. 7:7 ack 1 |",
    "the next data stand behind them": "A P. 7:107 ack 1 |",
}
KNOWN = (
    *("snd_nxt", "bytes", "data_time", "data_frame", "last_payload", "content_time", "missing_bytes", "hole_bytes"),
    *("state", "known", "fin_end", "fin_acked_time", "fin_count", "half_close_bytes", "rst_verdict", "third_party"),
)


@pytest.mark.parametrize("telling", TELLING.values(), ids=TELLING)
def test_data_that_look_like_padding_are_told_by_the_numbers(telling: str) -> None:
    text = DATA.format(telling).replace("7:8", "107:108").replace("ack 8", "ack 108").replace("8:8", "108:108")
    rows = rows_of(text if "107 ack" in telling else DATA.format(telling))
    looks = rows.copy()
    looks["marks"][3] |= PADDED
    assert outcome(looks) == outcome(rows)
    assert outcome(looks)[0]["missing_bytes"] == 0


def test_data_on_a_fin_that_look_like_padding() -> None:
    rows = rows_of(DATA.replace("A . 1:7 ack 1 |\n{}\n+50 A F. 7:8 ack 1 |", "A F. 1:8 ack 1 |\nB . 1:1 ack 8 |"))
    looks = rows.copy()
    looks["marks"][3] |= PADDED
    assert looks["payload_len"][3] == PAD
    assert outcome(looks) == outcome(rows)
    assert all(end["fin_acked_time"] for end in outcome(looks))


def outcome(rows: NDArray[np.void]) -> list[dict[str, int]]:
    """The columns of both ends that tell what was sent, and how it ended."""
    table = np.zeros(1, FLOW)
    table["previous"] = -1
    tracker = Tracker(Settings())
    tracker.feed(rows.copy(), table)
    ends = tracker._ledger_rows(tracker.held).ends
    return [{name: int(end[name]) for name in KNOWN} for end in ends]


def frames(rows: NDArray[np.void], total: int | None) -> list[pcapfile.Packet]:
    """Rows as Ethernet frames of 60 bytes at least; ``total`` is the IP length of those that carry nothing."""
    made = []
    for row in rows:
        payload = b"x" * int(row["payload_len"])
        segment = tcp(
            payload,
            ports=(int(row["src_port"]), int(row["dst_port"])),
            seq=int(row["seq"]),
            ack=int(row["ack"]),
            flags=int(row["flags"]),
            window=60_000,
        )
        ends = (f"10.0.0.{row['src'] + 1}", f"10.0.0.{row['dst'] + 1}")
        data = ethernet(ipv4(segment, ends=ends, total=None if payload else total, ip_id=int(row["ip_id"])))
        data += bytes(max(0, 60 - len(data)))
        made.append(pcapfile.Packet(int(row["time"]), data, len(data)))
    return made


@pytest.mark.parametrize("total", [46, 0])
@pytest.mark.parametrize("text", ENDINGS.values(), ids=ENDINGS)
def test_reports_are_the_same(text: str, total: int, tmp_path: Path) -> None:
    """From the frames on; only the segments show what Wireshark shows."""
    rows, shown = rows_of(text), []
    for name, length in (("plain", None), ("padded", total)):
        path = tmp_path / f"{name}.pcap"
        pcapfile.write(path, pcapfile.LINK_ETHERNET, frames(rows, length))
        shown.append(analyzer.analyze(path, keep_segments=True))
    plain, counted = shown
    apart = ["first_file", "file", "conn_state", "history"]  # Zeek takes padding for payload
    for table in ("flows", "timeline", "findings"):
        one, other = (getattr(shown, table).drop(columns=apart, errors="ignore") for shown in (plain, counted))
        assert one.equals(other), table
    assert (counted.segments["payload_len"].to_numpy()[rows["payload_len"] == 0] == PAD).all()
