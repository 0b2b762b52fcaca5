"""The dialogue of a connection without surprises, told while its segments are followed.

What counts stands in ``tcp.dialogue``, and the same segment by segment in ``tracker.dialogue``. Here it is kept in
registers until the connection is over: numbers of which none depends on what kind of segment comes next but by what is
chosen, since nobody can foretell that.

Fence: only numpy and this project's constants inside.
"""

import numpy as np

from analyzer.kernels import helper, inlined
from analyzer.segments.table import FIN
from analyzer.tcp.dialogue import AT_ONCE_NS, MID_ANSWER, NOTHING, is_alert, is_record, pending_at_close
from analyzer.tcp.sequence import seq_add, seq_diff
from analyzer.tracker.context import closing_facts, end_at
from analyzer.tracker.fast_path.whole_flow import CLIENT, SERVER
from analyzer.tracker.gaps import silent_since

BOTH = np.int64(3)


@inlined
def begun(now):
    """The dialogue when the third segment of the handshake passes: when data were sent last (or now) and by whom (the
    side, plus 1), the number after them, how often that changed, how long client and server waited at most, who sends
    TLS records (bits), when it ended, and what was pending then."""
    none = np.int64(0)
    return now, none, none, none, none, none, none, none, none


@inlined
def heard(context, dialogue, i, s, ack, peers_ack):
    """The dialogue with one more segment of the endpoint with the number ``i``; what it has acknowledged with that, and
    its peer before."""
    spoken, by, end, turns, client, server, tls, ended, pending = dialogue
    now, length, first = np.int64(s["time"]), np.int64(s["payload_len"]), np.int64(s["first_byte"])
    tls |= np.int64((length > 0) & is_record(first)) << i
    farewell, over = (tls == BOTH) & is_alert(first, length), ended > 0
    carries = (length > 0) & (not farewell)
    speaks = carries & (not over)
    changes = speaks & (by != i + 1)
    wait = now - silent_since(context, spoken, now)
    client = max(client, wait) if changes & (by == CLIENT + 1) else client
    server = max(server, wait) if changes & (by == SERVER + 1) else server
    turns += np.int64(changes)
    spoken, by, end = now if speaks else spoken, i + 1 if speaks else by, seq_add(s["seq"], length) if speaks else end
    if np.int64(s["flags"]) & FIN and not over:
        ended, wait = now, now - silent_since(context, spoken, now)
        covered = seq_diff(peers_ack if by == i + 1 else ack, end) >= 0
        client = max(client, wait) if by == CLIENT + 1 else client
        server = max(server, wait) if by == SERVER + 1 else server
        pending = pending_at_close(by == CLIENT + 1, i == CLIENT, False, covered) if by > 0 else NOTHING
    goes_on = carries & over & (i == SERVER) & (by == SERVER + 1) & (pending == NOTHING) & (now - spoken <= AT_ONCE_NS)
    pending = MID_ANSWER if goes_on else pending
    return spoken, by, end, turns, client, server, tls, ended, pending


@helper
def note_dialogue(context, dialogue):
    """Enter the dialogue in the ledger."""
    spoken, by, _, turns, client, server, _, ended, pending = dialogue
    c, s = closing_facts(context, end_at(context, CLIENT)), closing_facts(context, end_at(context, SERVER))
    c["spoken_time"], s["spoken_time"] = spoken, 0
    c["spoke_last"], s["spoke_last"] = by == CLIENT + 1, by == SERVER + 1
    c["turns"] = (turns + np.int64(by == CLIENT + 1)) >> 1  # they take turns
    s["turns"] = turns - c["turns"]
    c["waited"], s["waited"] = client, server
    c["ended_dialogue"], s["ended_dialogue"] = ended, 0
    c["pending"], s["pending"] = pending, 0
