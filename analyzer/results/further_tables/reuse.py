"""``reuse``: connections on addresses and ports that an older one used before.

What each endpoint was doing in the older connection when the SYN passed, and how far its numbers were ahead, was noted
then if the tracker still kept that connection. Else it was over: closed on both sides, timers included.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.reuse import met_old, rule_of_time_wait
from analyzer.flows.row import FLOW
from analyzer.results.further_tables import KeptFlows, MadeTable, Rows
from analyzer.results.number_table import Numbers
from analyzer.tcp.reuse import ReuseOutcome, ReuseRule
from analyzer.tcp.sequence import difference
from analyzer.tcp.states import Event, State
from analyzer.times import outer_column
from analyzer.tracker.flow_record import ENDING, WHO
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.storage.transpose import ColumnNotKept
from analyzer.tracker.vocabularies import Handshake
from analyzer.units import UNKNOWN

Ints = NDArray[np.int64]
NOTED = np.dtype(
    [
        ("stream", "<i8"),
        ("held", "u1"),  # 1 where the older connection was still kept; these as in ``ledger.OLDER``
        ("client_state", "u1"),
        ("server_state", "u1"),
        ("rule", "u1"),  # by which the server lets the SYN in if it was in TIME_WAIT (ReuseRule)
        ("met_old", "u1"),  # 1 where the SYN met the older connection at the server
        ("time_wait", "<i8"),
        ("seq_ahead", "<i8"),
        ("ts_ahead", "<i8"),
        ("old_ts", "<u4"),
        ("syns", "<u4"),
        ("challenge_acks", "<u4"),  # of the server
        ("challenge_frame", "<u4"),
        ("refused_frame", "<u4"),
    ]
)
USUAL: Rows = np.zeros(1, NOTED)  # of a flow of which nothing had to be noted: it was open at once, or never answered
USUAL["syns"] = 1
MASK = (1 << 32) - 1
NOWHERE = np.iinfo(np.int64).max


class Openings(NamedTuple):
    """Of some flows: when the client entered ESTABLISHED, UNKNOWN for never; the frame of the SYN-ACK, 0 for none."""

    established: Ints
    answer: Ints


def note(ledger: Ledger, endings: Rows) -> Rows:
    """What only the ledger knows of flows whose addresses and ports were used before."""
    used = np.flatnonzero(ledger.flow("previous") >= 0)
    noted: Rows = np.zeros(len(used), NOTED)
    client = ledger.client
    server = (np.arange(ledger.flows), 1 - client)
    states = np.where(client == 0, *(ledger.flow(f"old_state_{side}") for side in (0, 1)))
    columns = {
        "stream": endings["stream"],
        "held": ledger.flow("old_seen"),
        "client_state": states,
        "server_state": np.where(client == 1, *(ledger.flow(f"old_state_{side}") for side in (0, 1))),
        "rule": rule_of_time_wait(ledger)[server],
        "time_wait": ledger.flow("old_time_wait"),
        "seq_ahead": ledger.flow("old_seq_ahead"),
        "ts_ahead": ledger.flow("old_ts_ahead"),
        "old_ts": ledger.flow("old_ts"),
        "syns": ledger.of_side("syn_count", client),
    }
    try:
        columns["met_old"] = met_old(ledger)[server]
        for name, source in (("challenge_acks", "stale_acks"), ("challenge_frame", "stale_ack_frame")):
            columns[name] = ledger.of_side(source, 1 - client)
        columns["refused_frame"] = ledger.of_side("refused_frame", 1 - client)
    except ColumnNotKept:  # they took over on the fast path: at once
        pass
    for name, values in columns.items():
        noted[name] = values[used]
    return noted


def make(kept: KeptFlows) -> MadeTable:
    """The table."""
    newer, older = _pairs(kept.flow_table)
    numbers = _numbers(kept, newer, older)
    return MadeTable(lambda: iter([numbers]))


def _pairs(table: Rows) -> tuple[Ints, Ints]:
    """The rows of the flow table of connections on used addresses and ports, and of those that used them before.
    Streams of which there is nothing but quotations in ICMP errors are no connections."""
    newer = np.flatnonzero((table["previous"] >= 0) & (table["quoted_only"] == 0))
    older = table["previous"][newer].astype(np.int64)
    while (quoted := (older >= 0) & (table["quoted_only"][older] == 1)).any():
        older[quoted] = table["previous"][older[quoted]]
    return newer[older >= 0], older[older >= 0]


def _numbers(kept: KeptFlows, newer: Ints, older: Ints) -> Numbers:
    table: Rows = kept.flow_table if len(kept.flow_table) else np.zeros(0, FLOW)
    streams, before = (table["stream"][rows].astype(np.int64) for rows in (newer, older))
    endings, openings = _kept_of(kept, np.union1d(streams, before))
    there = np.isin(streams, endings["stream"]) & np.isin(before, endings["stream"])
    there &= _noted_of(kept, streams)["syns"] > 0  # a SYN that cannot be followed begins a stream, and is no opening
    streams, before, newer = streams[there], before[there], newer[there]
    places = [np.searchsorted(endings["stream"], some) for some in (streams, before)]
    own, old = (endings[some] for some in places)
    opened, old_opened = (Openings(*(column[some] for column in openings)) for some in places)
    noted = _noted_of(kept, streams)
    return {
        **{column.name: own[column.name].astype(np.int64) for column in WHO},
        "old_stream": before,
        "time_epoch": outer_column(own["first_epoch"]),
        "frame": own["first_frame"].astype(np.int64),
        "gap_s": own["first_epoch"] - old["last_epoch"],
        "old_client_state": np.where(noted["held"] > 0, noted["client_state"], State.CLOSED),
        "old_server_state": np.where(noted["held"] > 0, noted["server_state"], State.CLOSED),
        "time_wait_s": np.where((noted["held"] > 0) & (noted["time_wait"] >= 0), noted["time_wait"], UNKNOWN),
        **_ahead(noted, own, old, table["isn"][newer, 0].astype(np.int64)),
        **_outcome(noted, own, opened),
        **_failed(own, old, old_opened.established == UNKNOWN),
        **_located(kept, own["first_frame"].astype(np.int64)),
    }


def _noted_of(kept: KeptFlows, streams: Ints) -> Rows:
    """What was noted of each stream."""
    noted: Rows = np.repeat(USUAL, len(streams))
    if kept.noted is not None:
        some = np.sort(kept.noted, order="stream")
        _, here, there = np.intersect1d(streams, some["stream"], return_indices=True)
        noted[here] = some[there]
    return noted


def _kept_of(kept: KeptFlows, wanted: Ints) -> tuple[Rows, Openings]:
    """The rows of ENDING of the streams ``wanted``, by stream, and how they were opened."""
    rows: list[Rows] = [np.zeros(0, ENDING)]
    parts: list[Openings] = [Openings(*np.zeros((2, 0), np.int64))]
    for endings, entries in kept.slices(entries=True):
        chosen = np.isin(endings["stream"], wanted)
        some = entries[chosen[entries["end"] >> 1]]
        parts.append(Openings(*(column[chosen] for column in _openings(some, len(endings)))))
        rows.append(endings[chosen])
    return np.concatenate(rows), Openings(*map(np.concatenate, zip(*parts, strict=True)))


def _openings(entries: Rows, flows: int) -> Openings:
    """Of so many flows with these rows of ENTRY."""
    established, answer = np.full(flows, NOWHERE), np.full(flows, NOWHERE)
    side, flow = entries["end"] & 1, entries["end"] >> 1
    opens = (side == 0) & (entries["state"] == State.ESTABLISHED) & (entries["from_state"] != State.ESTABLISHED)
    np.minimum.at(established, flow[opens], entries["time"][opens])
    answers = (side == 1) & (entries["event"] == Event.SENT_SYN_ACK)
    np.minimum.at(answer, flow[answers], entries["frame"][answers].astype(np.int64))
    return Openings(np.where(established == NOWHERE, UNKNOWN, established), np.where(answer == NOWHERE, 0, answer))


def _ahead(noted: Rows, own: Rows, old: Rows, isn: Ints) -> Numbers:
    """The SYN's numbers and those of the same address in the older connection. If that was over, its last number is
    that of its FIN, if it had sent one."""
    same = (own["client_ip"] == old["client_ip"]) & (own["client_port"] == old["client_port"])
    fin = np.where(same, old["client_fin_seq"], old["server_fin_seq"])
    held, timed = noted["held"] > 0, noted["old_ts"] > 0
    known = held | (fin != UNKNOWN)
    ended = np.where(held, isn - noted["seq_ahead"], fin + 1) & MASK
    return {
        "old_next_seq": np.where(known, ended, UNKNOWN),
        "new_isn": isn,
        "seq_ahead": np.where(known, difference(isn, ended), UNKNOWN),
        "old_ts": np.where(timed, noted["old_ts"].astype(np.int64), UNKNOWN),
        "new_ts": np.where(timed, noted["old_ts"].astype(np.int64) + noted["ts_ahead"] & MASK, UNKNOWN),
        "ts_ahead": np.where(timed, noted["ts_ahead"], UNKNOWN),
    }


def _outcome(noted: Rows, own: Rows, opened: Openings) -> Numbers:
    """What became of the SYN, by which rule, and what passed meanwhile."""
    held, handshake, open_ = noted["held"] > 0, own["handshake"], opened.established != UNKNOWN
    blocked = noted["challenge_acks"] > 0
    outcome = np.select(
        [open_ & (noted["met_old"] > 0), open_, handshake == Handshake.REFUSED, blocked],
        [ReuseOutcome.DELAYED, ReuseOutcome.ACCEPTED, ReuseOutcome.REFUSED, ReuseOutcome.INCOMPLETE],
        np.where(handshake == Handshake.UNANSWERED, ReuseOutcome.UNANSWERED, ReuseOutcome.INCOMPLETE),
    )
    client, server = (np.where(held, noted[f"{role}_state"], State.CLOSED) for role in ("client", "server"))
    rule = np.select(
        [server == State.TIME_WAIT, (server > State.LISTEN) | blocked, server != State.CLOSED],
        [noted["rule"], np.uint8(ReuseRule.ALIVE), np.uint8(ReuseRule.UNKNOWN)],
        np.where(client == State.TIME_WAIT, ReuseRule.OWN_TIME_WAIT, ReuseRule.OVER),
    )
    return {
        "outcome": outcome.astype(np.int64),
        "rule": rule.astype(np.int64),
        "delay_s": np.where(open_, opened.established - own["first_epoch"], UNKNOWN),
        "syns": noted["syns"].astype(np.int64),
        "challenge_acks": noted["challenge_acks"].astype(np.int64),
        "challenge_frame": _or_none(noted["challenge_frame"]),
        "answer_frame": _or_none(np.where(opened.answer > 0, opened.answer, noted["refused_frame"])),
    }


def _failed(own: Rows, old: Rows, never_open: NDArray[np.bool_]) -> Numbers:
    """How many attempts right before each, one after the other, failed, and since when."""
    at = np.searchsorted(own["stream"], old["stream"])  # where the older one's own row is
    follows = own["stream"][np.minimum(at, len(own) - 1)] == old["stream"]
    failed, since = np.zeros(len(own), np.int64), own["first_epoch"].copy()
    for row in np.flatnonzero(never_open & (old["handshake"] != Handshake.NOT_CAPTURED)).tolist():
        before = at[row]
        failed[row] = failed[before] + 1 if follows[row] else 1
        since[row] = since[before] if follows[row] else old["first_epoch"][row]
    return {"failed_before": failed, "failing_s": np.where(failed > 0, own["first_epoch"] - since, UNKNOWN)}


def _or_none(frames: NDArray[np.integer[Any]]) -> Ints:
    return np.where(frames > 0, frames.astype(np.int64), UNKNOWN)


def _located(kept: KeptFlows, frames: Ints) -> Numbers:
    """Of several captures, the file that each frame is in and its number there."""
    files = kept.flows.files
    if not files.several:
        return {"file": np.full(len(frames), -1), "file_frame": np.full(len(frames), UNKNOWN)}
    file, frame = files.locate(frames)
    return {"file": file, "file_frame": frame}
