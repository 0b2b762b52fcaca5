"""How large the segments were that arrived: what only loses the large ones is a link with a smaller MTU.

The largest payload of which an acknowledgment is known is kept as a bound from above: no segment of more has been
acknowledged. Not every segment under way is remembered, only the first that is larger than all acknowledged, and the
first that is larger than this; of what follows, the largest.

Fence: only numpy and this project's enums inside.
"""

import numpy as np

from analyzer.kernels import helper
from analyzer.segments.table import ACK, AE, CWR, ECE, PSH
from analyzer.tcp.sequence import seq_diff
from analyzer.tracker.context import closing_facts, mark_closing_facts

NO_SHIFT = 2  # in the ledger's column window_scale


@helper
def size_sent(context, e, length, end):
    """Endpoint ``e`` sends ``length`` bytes of payload in one segment, up to the number ``end``."""
    if length <= closing_facts(context, e)["size_acked"]:
        return
    own = mark_closing_facts(context, e)
    if own["size_first"] == 0:
        own["size_first"], own["size_first_end"], own["size_most"] = length, end, length
        return
    if seq_diff(end, own["size_first_end"]) < 0:
        own["size_first_end"] = own["size_next_end"] = end
    elif length > own["size_first"] and own["size_most"] == own["size_first"]:
        own["size_next_end"] = end
    own["size_most"] = max(np.int64(own["size_most"]), length)


@helper
def size_acknowledged(context, p, a):
    """All that ``p`` sent up to the number ``a`` is acknowledged."""
    sizes = closing_facts(context, p)
    if sizes["size_answered"] > 0:
        mark_closing_facts(context, p)["size_answered"] = 0
    if sizes["size_first"] == 0 or seq_diff(a, sizes["size_first_end"]) < 0:
        return
    sizes = mark_closing_facts(context, p)
    if sizes["size_most"] > sizes["size_first"] and seq_diff(a, sizes["size_next_end"]) < 0:
        sizes["size_acked"], sizes["size_first"] = sizes["size_first"], sizes["size_most"]
        sizes["size_first_end"] = sizes["size_next_end"]
    else:
        sizes["size_acked"], sizes["size_first"] = sizes["size_most"], 0


@helper
def answered_without_it(context, s, e, p):
    """Segment ``s`` of ``e`` repeats a bare acknowledgment while a large segment of ``p`` is on its way: it answers
    something else, unless it tells of another window or is a probe."""
    bare = np.int64(s["flags"]) & ~(PSH | ECE | CWR | AE) == ACK and s["seq"] == e["snd_nxt"]
    if bare and closing_facts(context, p)["size_first"] > 0 and s["seq"] == e["last_seq_end"] and same_window(s, e):
        mark_closing_facts(context, p)["size_answered"] = s["frame"]


@helper
def same_window(s, e):
    """Whether segment ``s`` of ``e`` advertises the window of the one before it."""
    return np.int64(s["window"]) << max(np.int64(e["window_scale"]) - NO_SHIFT, 0) == np.int64(e["window"])
