"""What a ladder is made of, in lines or as a picture: one connection's segments, what concerns each, what is left out.

A sign behind a state says how it is known where its own segment does not show it.
"""

from typing import Any, NamedTuple

import pandas as pd

from analyzer.errors import UsageError
from analyzer.results.result import ResultTables
from analyzer.tcp.evidence import NOTE_WORDS, Note
from analyzer.tracker.flow_record import EVENTS
from analyzer.units import SECOND
from analyzer.views.ladder_folds import folds
from analyzer.views.ladder_icmp import icmp_errors
from analyzer.views.ladder_segments import LadderSegments, Sacks, ladder_segments
from analyzer.views.ladder_steps import LadderStep, ladder_steps

TIMER, TIME_WAIT = "timer", "TIME_WAIT"
DELIVERED, LIKELIEST, BY_TIMER, SHOWN = "~", "?", "*", "^"  # the signs behind a state
SIGNS = {
    DELIVERED: "assumed: seen at the capture point; delivery is not proven",
    LIKELIEST: "assumed: the likeliest explanation; nothing captured proves or contradicts it",
    BY_TIMER: "timer: no packet shows it",
    SHOWN: "timer: a later packet shows that the state had ended, not when",
}
NOT_KEPT = "assumed: no packet shows whether a host keeps TIME_WAIT; a host with a full table does not"
RECEIVED = ("ack", "peer-fin", "fin-acked", "peer-rst")  # events at which something arrives
NOT_CAPTURED = tuple(NOTE_WORDS[note] for note in (Note.PEER_NOT_CAPTURED, Note.FIN_NOT_CAPTURED))
OPENING = {("syn", "CLOSED"), ("syn-ack", "LISTEN"), ("ack", "SYN_SENT"), ("ack", "SYN_RECEIVED")}  # needs no words
SPREAD = SECOND // 1000  # bounds of a state's beginning further apart than this are given
EXTRAS = tuple(filter(None, NOTE_WORDS.values()))


class LadderParts(NamedTuple):
    """One connection: its row of the flows, its segments, what was found, the steps in their order, and the stretches
    [start, end) of segments that are left out."""

    flow: "pd.Series[Any]"
    talk: LadderSegments
    findings: pd.DataFrame
    steps: list[LadderStep]
    hidden: list[tuple[int, int]]


def ladder_parts(
    result: ResultTables, stream: int, everything: bool = False, sacks: Sacks | None = None
) -> LadderParts:
    """The parts of the ladder of one stream; ``everything`` leaves out nothing. ``result`` must have its segments.
    Raises UsageError if there is no such stream."""
    flow = _flow(result, stream)
    talk = ladder_segments(result.segments if result.segments is not None else pd.DataFrame(), flow, sacks)
    findings = _findings(result, stream)
    timeline = result.timeline[result.timeline["stream"] == stream]
    errors = icmp_errors(result.segments, flow) if result.segments is not None else []
    steps = ladder_steps(talk, errors, timeline, findings)
    told = {step.frame for step in steps if step.frame is not None and (step.rows or step.findings)}
    return LadderParts(flow, talk, findings, steps, [] if everything else folds(talk, told))


def _findings(result: ResultTables, stream: int) -> pd.DataFrame:
    """What was found about a stream, or about another that is one connection with it."""
    findings = result.findings
    mine = findings["stream"] == stream
    for code, other in result.listing.told_with(stream):
        mine |= (findings["code"] == code) & (findings["stream"] == other)
    return findings[mine]


def _flow(result: ResultTables, stream: int) -> "pd.Series[Any]":
    found = result.flows[result.flows["stream"] == stream]
    if found.empty:
        streams = result.summary.streams
        there = f"its streams are 0 to {streams - 1}" if streams else "it has no TCP connection"
        raise UsageError(f"there is no stream {stream} in the capture; {there}")
    return found.iloc[0]


def ending_text(flow: "pd.Series[Any]") -> str:
    """How it ended and who closed first."""
    closers = {"both": "both sides closed at once"}
    closers |= {side: f"the {side} closed first" for side in ("client", "server")}
    closer = closers.get(flow["closed_by"], "nobody closed")
    return f"ended: {flow['teardown']}, {closer}"


def sign_of(entry: Any) -> str:
    """How it is known that the endpoint entered the state; "" where the segment beside it shows or proves it."""
    if entry.basis == TIMER:
        return SHOWN if shown_later(entry) else BY_TIMER
    if entry.basis != "assumed" or entry.state == "UNKNOWN":
        return ""
    seen = entry.event in RECEIVED and entry.state != TIME_WAIT
    return DELIVERED if seen and not note_of(entry).endswith(NOT_CAPTURED) else LIKELIEST


def shown_later(entry: Any) -> bool:
    """Whether a packet shows that a timer had ended the state."""
    return NOTE_WORDS[Note.HAD_EXPIRED] in note_of(entry)


def note_of(entry: Any) -> str:
    """What the timeline says of it in words."""
    return "" if pd.isna(entry.note) else str(entry.note)


def words_of(entry: Any) -> str:
    """What the timeline says of it, and where no arrow of the table has words for it what the event is."""
    note = note_of(entry)
    if entry.event != TIMER and (not note or note in NOTE_WORDS.values()):
        return "; ".join(filter(None, (EVENTS.meanings[entry.event], note)))
    return note


def is_plain(entry: Any) -> bool:
    """Whether the state alone says all: an ordinary opening."""
    moved = entry.from_state != entry.state
    return moved and (entry.event, entry.from_state) in OPENING and not note_of(entry).endswith(EXTRAS)
