"""The dialogue of a flow as the tracker follows it: who sent data last, how long each side waited, what was pending.

What counts stands in ``tcp.dialogue``, and the same for whole connections in ``fast_path.dialogue``. It is noted in the
rows of CLOSING_FACTS of the two endpoints.

Fence: only numpy and this project's enums inside.
"""

import numpy as np

from analyzer.kernels import helper
from analyzer.segments.table import ACK, FIN, RST, SYN
from analyzer.tcp.dialogue import AT_ONCE_NS, MID_ANSWER, NOTHING, Pending, is_alert, is_record, pending_at_close
from analyzer.tcp.sequence import seq_diff
from analyzer.tracker.codes import ACKED, FIN_INFERRED, ISN, NXT, PEER_FIN
from analyzer.tracker.context import closing_facts, end_at, flow_at, knows, mark_closing_facts, unusual
from analyzer.tracker.gaps import silent_since
from analyzer.tracker.segment import length_of
from analyzer.units import SECOND

NOT_KNOWN = np.int64(Pending.UNKNOWN)
A_SILENCE = np.int64(SECOND // 10)  # shorter ones are not noted


@helper
def ended(own, peers):
    """Whether the dialogue has ended."""
    return own["ended_dialogue"] > 0 or peers["ended_dialogue"] > 0


@helper
def spoken_time(own, peers):
    """When either side last sent data; or the first segment after the SYNs, while neither has. Clocks run backward, so
    the one that spoke last is asked."""
    if own["spoke_last"] > 0:
        return np.int64(own["spoken_time"])
    if peers["spoke_last"] > 0:
        return np.int64(peers["spoken_time"])
    return max(np.int64(own["spoken_time"]), np.int64(peers["spoken_time"]))


@helper
def begin_dialogue(context, s, i):
    """The first segment after the SYNs passes: from now on the two may send data. A SYN may have carried some before
    (RFC 7413), which count where its peer has acknowledged them."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    open_now = e["closing_row"] > 0 or e["fast_open"] == 1 or p["fast_open"] == 1
    if not open_now or spoken_time(closing_facts(context, e), closing_facts(context, p)) > 0:
        return
    mark_closing_facts(context, e)["spoken_time"] = s["time"]
    asks, answers = (e, p) if e["fast_open"] == 1 else (p, e)
    early = seq_diff(answers["ack_sent"], asks["isn"]) - 1
    if asks["fast_open"] == 1 and knows(answers, ACKED) and early > 0:
        mark_closing_facts(context, e)["spoken_time"] = 0
        own = mark_closing_facts(context, asks)
        own["turns"], own["spoke_last"], own["spoken_bytes"] = 1, 1, early
        own["spoken_acked_frame"] = answers["syn_frame"]
        own["spoken_time"], own["spoken_frame"], own["spoken_end"] = (
            asks["syn_time"],
            asks["syn_frame"],
            answers["ack_sent"],
        )


@helper
def send_data(context, s, i, end, new):
    """Endpoint ``i`` sends ``new`` bytes with segment ``s``, up to the number ``end``."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    own, peers = mark_closing_facts(context, e), closing_facts(context, p)
    if is_record(np.int64(s["first_byte"])):
        own["tls"] = 1
    if own["tls"] > 0 and peers["tls"] > 0 and is_alert(np.int64(s["first_byte"]), length_of(s)):
        return
    now, before = np.int64(s["time"]), spoken_time(own, peers)
    if ended(own, peers):
        goes_on = peers["ended_dialogue"] > 0 and own["spoke_last"] > 0 and now - before <= AT_ONCE_NS
        # A RST ends all at once: what comes behind it decides nothing.
        by_fin = peers["fin_count"] > 0 and peers["fin_time"] <= peers["ended_dialogue"]
        if goes_on and by_fin and not knows(e, PEER_FIN) and peers["pending"] == NOTHING:
            from_server = (i & 1) != np.int64(flow_at(context, i >> 1)["client"])
            mark_closing_facts(context, p)["pending"] = MID_ANSWER if from_server else NOTHING
        return
    wait = now - silent_since(context, before, now) if before > 0 else np.int64(0)
    if own["spoke_last"] == 0:
        own["turns"], own["spoken_bytes"], own["spoke_last"] = own["turns"] + 1, 0, 1
    else:
        own["spoken_pause"] = max(np.int64(own["spoken_pause"]), wait)
    if peers["spoke_last"] > 0:
        waits = mark_closing_facts(context, p)
        waits["waited"], waits["spoke_last"] = max(np.int64(waits["waited"]), wait), 0
    if wait >= A_SILENCE:
        own["broken_data_idle"] = max(np.int64(own["broken_data_idle"]), wait)
    if own["spoken_frame"] == 0 or seq_diff(end, own["spoken_end"]) > 0:
        own["spoken_end"] = end  # else it fills a hole
    own["spoken_acked_frame"] = 0
    own["spoken_bytes"] = own["spoken_bytes"] + new
    own["spoken_time"], own["spoken_frame"] = now, s["frame"]


@helper
def fin_shows_data(context, s, i):
    """The FIN ``s`` of endpoint ``i`` comes with a number that shows data of it before, which have not passed: they are
    its last all the same."""
    e = end_at(context, i)
    if np.int64(s["flags"]) & (FIN | SYN) != FIN or e["packets"] == 0 or not knows(e, NXT):
        return
    if seq_diff(s["seq"], e["snd_nxt"]) > 0 and length_of(s) == 0 and closing_facts(context, e)["fin_count"] == 0:
        send_data(context, s, i, np.int64(s["seq"]), np.int64(0))


@helper
def end_dialogue(context, s, i):
    """The FIN or RST ``s`` of endpoint ``i`` ends the dialogue, if nothing has before."""
    e, p = end_at(context, i), end_at(context, i ^ 1)
    own, peers = closing_facts(context, e), closing_facts(context, p)
    before, now, by_rst = spoken_time(own, peers), np.int64(s["time"]), np.int64(s["flags"]) & RST != 0
    if (e["closing_row"] == 0 and before == 0) or ended(own, peers):
        return
    own = mark_closing_facts(context, e)
    if before == 0:
        own["spoken_time"] = now
    own["ended_dialogue"] = now
    if own["spoke_last"] == 0 and peers["spoke_last"] == 0:
        own["pending"] = NOTHING
        return
    mine = own["spoke_last"] > 0
    wait = now - silent_since(context, before, now)
    waits = mark_closing_facts(context, e if mine else p)
    waits["waited"] = max(np.int64(waits["waited"]), wait)
    by_client = (i & 1) == np.int64(flow_at(context, i >> 1)["client"])
    acknowledged = covers(p, waits) if mine else covers(e, waits) or (by_rst and rst_covers(s, e, p, waits))
    own["pending"] = pending_at_close(by_client == mine, by_client, by_rst, acknowledged)


@helper
def covers(e, spoken):
    """Whether endpoint ``e`` has acknowledged all that its peer, of which ``spoken`` is noted, sent last."""
    return knows(e, ACKED) and seq_diff(e["ack_sent"], spoken["spoken_end"]) >= 0


@helper
def rst_covers(s, e, p, spoken):
    """Whether the RST ``s`` of ``e`` acknowledges that itself: some carry the number up to which all has arrived."""
    believed = np.int64(s["flags"]) & ACK != 0 and seq_diff(s["ack"], p["snd_nxt"]) <= 0
    return (
        believed
        and (not knows(e, ACKED) or seq_diff(s["ack"], e["ack_sent"]) > 0)
        and (seq_diff(s["ack"], spoken["spoken_end"]) >= 0)
    )


@helper
def resume_dialogue(context, e):
    """The RST of ``e`` that was taken for the end was none: its receiver went on."""
    if closing_facts(context, e)["ended_dialogue"] > 0 and closing_facts(context, e)["fin_count"] == 0:
        own = mark_closing_facts(context, e)
        own["ended_dialogue"], own["pending"] = 0, 0


@helper
def note_acknowledged(context, p, a, frame):
    """What endpoint ``p`` sent last is acknowledged, if the number ``a`` covers it."""
    spoken = closing_facts(context, p)
    if spoken["turns"] > 0 and spoken["spoken_acked_frame"] == 0 and seq_diff(a, spoken["spoken_end"]) >= 0:
        mark_closing_facts(context, p)["spoken_acked_frame"] = frame


@helper
def break_silence(context, e, p, silence):
    """A segment of ``e`` that is no RST ends a ``silence`` of the flow; those that its peer's ended were survived."""
    peers = closing_facts(context, p)
    if peers["broken_idle"] > 0 or peers["broken_data_idle"] > 0:
        survives = mark_closing_facts(context, p)
        survives["survived_idle"] = max(np.int64(survives["survived_idle"]), np.int64(survives["broken_idle"]))
        survives["survived_data_idle"] = max(
            np.int64(survives["survived_data_idle"]), np.int64(survives["broken_data_idle"])
        )
        survives["broken_idle"] = survives["broken_data_idle"] = 0
    own = closing_facts(context, e)
    if silence >= A_SILENCE and e["closing_row"] > 0 and spoken_time(own, peers) > 0 and not ended(own, peers):
        broken = mark_closing_facts(context, e)
        broken["broken_idle"] = max(np.int64(broken["broken_idle"]), silence)


@helper
def conclude_dialogue(context, slot):
    """The flow is over. What was pending is not known where segments are missing, or neither its opening nor any data
    were captured."""
    c, s = end_at(context, 2 * slot), end_at(context, 2 * slot + 1)
    for e, p in ((c, s), (s, c)):
        own, peers = closing_facts(context, e), closing_facts(context, p)
        if own["ended_dialogue"] == 0:
            continue
        silent = own["turns"] == 0 and peers["turns"] == 0
        unseen = silent and not knows(e, ISN) and not knows(p, ISN)
        if unseen or e["packets"] == 0 or p["packets"] == 0 or lacks(context, e, own) or lacks(context, p, peers):
            mark_closing_facts(context, e)["pending"] = NOT_KNOWN


@helper
def lacks(context, e, own):
    """Whether segments of endpoint ``e`` are missing, or its FIN."""
    if knows(e, FIN_INFERRED) and own["fin_count"] == 0:
        return True
    return e["unusual"] > 0 and (unusual(context, e)["missing_bytes"] > 0 or unusual(context, e)["missing_jumps"] > 0)
