"""Every stream number of the public captures, against tshark's.

Two kinds of rows cannot be judged from what tshark prints of a frame, and are left out:

* a TCP header whose data offset is below 5 words: tshark numbers it but prints no flags. In
  ``suricata-verify/drop-protocol-change__input.pcap``, frame 7, tshark gives a stream of its own, and the
  bytes (0x202f) show why: SYN without ACK is among the flags, and its number is not the sender's ISN.
* a frame with several TCP headers (an sFlow sample of seven packets): the oracle keeps the last only, but
  each of them has been numbered.
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.flows.table import FlowTable
from tests.oracle import Oracle, names, needs_captures

pytestmark = needs_captures


def judged(oracle: Oracle) -> NDArray[np.bool_]:
    """The rows that have a stream and can be judged."""
    complete = oracle.column("flags") >= 0
    return (oracle.column("stream") >= 0) & complete & ~oracle.marked("rows_multi_tcp")


def test_streams_equal_those_of_tshark() -> None:
    compared, wrong = 0, {}
    for name in names():
        oracle = Oracle(name)
        chosen = judged(oracle)
        batch = oracle.segments[chosen]
        table = FlowTable()
        table.assign(batch)
        differs = table.rows["stream"][batch["sender"] >> 1] != oracle.column("stream")[chosen]
        compared += len(batch)
        if differs.any():
            wrong[name] = batch["frame"][differs].tolist()
    assert wrong == {}
    assert compared > 31_000


def test_the_frame_without_flags_is_numbered_by_its_bytes() -> None:
    oracle = Oracle("suricata-verify/drop-protocol-change__input.pcap")
    batch = oracle.segments
    batch["flags"][batch["frame"] == 7] = 0x2F
    table = FlowTable()
    table.assign(batch)
    assert table.rows["stream"][batch["sender"] >> 1].tolist() == oracle.column("stream").tolist()


def test_the_oracle_s_first_sender_is_side_0() -> None:
    """tshark's columns a and b are the ends of a stream in the order of its first segment."""
    oracle = Oracle("wireshark-wiki/SkypeIRC.cap")
    batch = oracle.segments[judged(oracle)]
    table = FlowTable()
    table.assign(batch)
    ends = [(row["address"].tolist(), row["port"].tolist()) for row in table.rows]
    theirs = [dict(zip(oracle.facts["stream_cols"], row, strict=True)) for row in oracle.facts["streams"]]
    place = oracle.addresses.index
    assert ends == [([place(row["a"]), place(row["b"])], [row["a_port"], row["b_port"]]) for row in theirs]
