"""Padding that somebody counted, and data that only looked like it.

A segment marked PADDED seems to carry a few zero bytes, and is taken to carry none (``segment.length_of``). That rests
on how the bytes look. Numbers are the better witness: where the sender goes on behind these bytes, or the peer
acknowledges them, they were data after all.

Fence: only numpy and this project's enums inside.
"""

import numpy as np

from analyzer.kernels import helper
from analyzer.segments.table import FIN, RST, SYN
from analyzer.tcp.sequence import seq_add, seq_diff
from analyzer.tracker.codes import FIN_KNOWN, SENT_DATA
from analyzer.tracker.context import closing_facts, knows, learn, mark_closing_facts, mark_unusual, unusual


@helper
def remember_padding(context, s, e):
    """Keep in mind what would be the number behind ``s``, the newest segment of ``e``, if it did carry these bytes."""
    flags = np.int64(s["flags"])
    if flags & (SYN | RST) or e["snd_nxt"] != seq_add(s["seq"], 1 if flags & FIN else 0):
        return
    u = mark_unusual(context, e)
    u["pad_bytes"], u["pad_end"] = s["payload_len"], e["snd_nxt"]
    u["pad_time"], u["pad_frame"] = s["time"], s["frame"]


@helper
def padding_was_data(context, e, number):
    """The endpoint goes on at ``number``, or its peer acknowledges up to there: count bytes as data which end there."""
    u = unusual(context, e)
    count = np.int64(u["pad_bytes"])
    if count == 0 or u["pad_end"] != e["snd_nxt"] or seq_diff(number, e["snd_nxt"]) != count:
        return
    if knows(e, FIN_KNOWN) and closing_facts(context, e)["fin_end"] == e["snd_nxt"]:
        mark_closing_facts(context, e)["fin_end"] = number
    if e["last_seq_end"] == e["snd_nxt"]:
        e["last_seq_end"] = number
    e["snd_nxt"] = number
    e["bytes"] = e["bytes"] + count
    e["last_payload"], e["last_payload_byte"], e["content_time"] = count, 0, u["pad_time"]
    e["data_time"], e["data_frame"], e["fresh_time"] = u["pad_time"], u["pad_frame"], u["pad_time"]
    e["idle_since"] = 0
    learn(e, SENT_DATA)
    mark_unusual(context, e)["pad_bytes"] = 0
