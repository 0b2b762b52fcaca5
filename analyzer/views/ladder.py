"""One connection as a ladder: time runs down, the endpoints stand at the sides, every segment is an arrow
between.

A state is written where an endpoint enters it, beside the segment that shows it. A sign behind a state says how it is
known where its own segment does not show it; the last lines explain the signs that were used. Whatever the timeline has
to say in words, and every finding, stands under the frame it concerns. Long stretches of plain data are folded into one
line; silence of a second and more is written out, because silence is how most connections come to their end.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from analyzer.capture.gaps import Gaps
from analyzer.errors import UsageError
from analyzer.results.notes import timer_of
from analyzer.results.result import ResultTables
from analyzer.settings import seconds_text
from analyzer.tcp.evidence import NOTE_WORDS, Note
from analyzer.tcp.states import State
from analyzer.tcp.timers import Timers
from analyzer.times import decimal
from analyzer.tracker.flow_record import EVENTS
from analyzer.units import SECOND, counted
from analyzer.views.console import SEVERITY_STYLES, Line, advice_lines, duration, endpoint, heading, wrapped
from analyzer.views.explanation import names
from analyzer.views.frame_names import FrameNames, silence
from analyzer.views.ladder_icmp import IcmpError, icmp_errors
from analyzer.views.ladder_segments import LadderSegments, folds, ladder_segments, said

SILENCE = SECOND  # from here on a pause is written out
SPREAD = SECOND // 1000  # bounds of a state's beginning further apart than this are given
TIME, FRAME, STATE = 11, 7, 13  # widths of the columns; the first two are wider where their numbers are
CAPTURE_END, TIMER, TIME_WAIT = "capture-end", "timer", "TIME_WAIT"
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
EXTRAS = tuple(filter(None, NOTE_WORDS.values()))
OPENING = {("syn", "CLOSED"), ("syn-ack", "LISTEN"), ("ack", "SYN_SENT"), ("ack", "SYN_RECEIVED")}  # needs no words
ARROWS = {True: ("─", "▶", "◀"), False: ("-", ">", "<")}  # by whether the terminal can show them


@dataclass
class LadderStep:
    """What stands on one line, and under it: a segment, or an event that no packet shows."""

    time: int
    frame: int | None
    segment: int | None = None  # row of the conversation
    icmp: str = ""  # what an ICMP error says
    rows: list[Any] = field(default_factory=list)  # of the timeline
    findings: list[Any] = field(default_factory=list)


@dataclass
class LadderLayout:
    """What the lines are drawn with: the columns there are, the signs the terminal can show."""

    columns: int
    start: int  # time of the first segment
    signs: tuple[str, str, str]
    timers: Timers
    frames: FrameNames
    gaps: Gaps
    time: int = TIME  # widths of these columns
    frame: int = FRAME
    used: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # signs, and the states that have them

    @property
    def indent(self) -> int:
        """Columns before the first state, and before words."""
        return self.time + self.frame + 2

    @property
    def room(self) -> int:
        """Columns between the two states."""
        return self.columns - self.indent - 2 * STATE - 2


def ladder_lines(
    result: ResultTables, stream: int, columns: int = 100, everything: bool = False, unicode: bool = True
) -> list[Line]:
    """The ladder of one stream; ``everything`` folds nothing. ``result`` must have its segments.

    Raises UsageError if there is no such stream.
    """
    flow = _flow(result, stream)
    talk = ladder_segments(result.segments if result.segments is not None else pd.DataFrame(), flow)
    findings = _findings(result, stream)
    timeline = result.timeline[result.timeline["stream"] == stream]
    errors = icmp_errors(result.segments, flow) if result.segments is not None else []
    steps = _steps(talk, errors, timeline, findings)
    told = {step.frame for step in steps if step.frame is not None and (step.rows or step.findings)}
    hidden = [] if everything else folds(talk, told)
    frames = FrameNames(result.recording.frame_files, [step.frame for step in steps if step.frame is not None])
    start = int(talk.time[0]) if len(talk.time) else 0
    paper = LadderLayout(columns, start, ARROWS[unicode], result.timers_in_force, frames, result.recording.gaps)
    paper.time = max([TIME, *(len(_relative(step.time, paper)) for step in steps)])
    paper.frame = max([FRAME, *(len(frames[step.frame]) + 1 for step in steps if step.frame is not None)])
    body = list(_body(steps, talk, hidden, paper))
    return [*_head(flow, paper), *body, *_legend(paper), *_advice(findings, columns)]


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


def _steps(
    talk: LadderSegments, errors: list[IcmpError], timeline: pd.DataFrame, findings: pd.DataFrame
) -> list[LadderStep]:
    """Segments and ICMP errors in the order of the capture, with what concerns them; what has no frame comes in by
    its time."""
    steps = [
        LadderStep(time, frame, row)
        for row, (time, frame) in enumerate(zip(talk.time.tolist(), talk.frame.tolist(), strict=True))
    ]
    steps += [LadderStep(time, frame, icmp=words) for frame, time, words in errors]
    steps.sort(key=lambda step: step.frame or 0)
    by_frame: dict[int | None, LadderStep] = {step.frame: step for step in steps}
    loose: dict[int | str, LadderStep] = {}
    shown: dict[str, int] = {}  # by endpoint, the frame beside which its last state stands: the next stands below
    for entry in _rows(timeline):
        frame, time = None if pd.isna(entry.frame) else int(entry.frame), _ns(entry.time_epoch)
        if frame is not None and entry.state != entry.from_state:
            frame = shown[entry.endpoint] = max(frame, shown.get(entry.endpoint, 0))
        key = entry.event if entry.event == CAPTURE_END else time
        step = by_frame.get(frame) or loose.setdefault(key, LadderStep(time, frame))
        step.rows.append(entry)
    for finding in _rows(findings):
        _place(finding, by_frame, steps).findings.append(finding)
    return _merged(steps, list(loose.values()))


def _rows(table: pd.DataFrame) -> Iterator[Any]:
    """The rows as named tuples (pandas' own types for their cells are too wide to be of use)."""
    return iter(table.itertuples())


def _place(finding: Any, by_frame: dict[int | None, LadderStep], steps: list[LadderStep]) -> LadderStep:
    """The step a finding stands under: of its frames the one at its time, else the last one."""
    frames = [int(frame) for frame in str(finding.frames).split(";") if frame]
    own = [by_frame[frame] for frame in frames if frame in by_frame]
    time = None if pd.isna(finding.time_epoch) else _ns(finding.time_epoch)
    return next((step for step in own if step.time == time), own[-1] if own else steps[-1])


def _merged(steps: list[LadderStep], loose: list[LadderStep]) -> list[LadderStep]:
    """``steps`` keep their order even where the clock went back; each loose one follows the last not after
    it."""
    waiting = sorted(loose, key=lambda step: (step.time, step.rows[0].event == CAPTURE_END))
    merged: list[LadderStep] = []
    for place, step in enumerate(steps):
        merged.append(step)
        following = steps[place + 1].time if place + 1 < len(steps) else None
        while waiting and (following is None or waiting[0].time < following):
            merged.append(waiting.pop(0))
    return merged


def _head(flow: "pd.Series[Any]", paper: LadderLayout) -> list[Line]:
    client, server = (endpoint(flow[f"{side}_ip"], flow[f"{side}_port"]) for side in ("client", "server"))
    began = f"{pd.Timestamp(paper.start, unit='ns', tz='UTC'):%Y-%m-%d %H:%M:%S}.{paper.start % SECOND:09d} UTC"
    return [
        Line(f"stream {flow['stream']}: client {client}, server {server}", "bold"),
        Line(f"began {began}, lasted {duration(flow['duration_s'])}"),
        Line(_ending(flow)),
        *map(Line, paper.frames.legend),
        Line(),
        Line(f"{'time':>{paper.time}}{'frame':>{paper.frame}}  {'client':<{STATE}} {'':<{paper.room}} server", "dim"),
    ]


def _ending(flow: "pd.Series[Any]") -> str:
    closers = {"both": "both sides closed at once"}
    closers |= {side: f"the {side} closed first" for side in ("client", "server")}
    closer = closers.get(flow["closed_by"], "nobody closed")
    return f"ended: {flow['teardown']}, {closer}"


def _body(
    steps: list[LadderStep], talk: LadderSegments, hidden: list[tuple[int, int]], paper: LadderLayout
) -> Iterator[Line]:
    starts = dict(hidden)
    skip_to = 0
    for place, step in enumerate(steps):
        if step.segment in starts:
            skip_to = starts[step.segment]
            yield _folded(talk, step.segment, skip_to, paper)
        if step.segment is None or step.segment >= skip_to:
            yield from _step_lines(step, talk, paper)
        if step.icmp or (step.segment is not None and step.segment + 1 >= skip_to):
            yield from _silence(steps, place, paper)


def _silence(steps: list[LadderStep], place: int, paper: LadderLayout) -> Iterator[Line]:
    """A line for the time until the next segment, or until the last thing known, where it is long."""
    following = (steps[later] for later in range(place + 1, len(steps)))
    until = next((later for later in following if later.segment is not None or later.icmp), steps[-1])
    if until.time - steps[place].time >= SILENCE:
        yield Line(f"{'...':>{paper.time}} {silence(steps[place].time, until.time, paper.gaps)}", "dim")


def _folded(talk: LadderSegments, start: int, end: int, paper: LadderLayout) -> Line:
    """One line for the segments [start, end)."""
    up, size = talk.up[start:end], talk.size[start:end]
    lasted = duration((talk.time[end - 1] - talk.time[start]) / SECOND)
    sent = f"client {int(size[up].sum()):,}, server {int(size[~up].sum()):,} bytes"
    told = f"{counted(end - start, 'segment')} up to {paper.frames[talk.frame[end - 1]]} in {lasted}: {sent}"
    return Line(f"{'...':>{paper.time}} {told}", "dim")


def _step_lines(step: LadderStep, talk: LadderSegments, paper: LadderLayout) -> Iterator[Line]:
    states = _states(step)
    client, server = (states[side][:1] for side in ("client", "server"))
    middle = _arrow(talk, step.segment, paper) if step.segment is not None else _untold(step, paper)
    yield _line(step, client, middle, server, paper)
    for row in range(1, max(len(states["client"]), len(states["server"]))):
        further = (states[side][row : row + 1] for side in ("client", "server"))
        client, server = further
        yield _line(None, client, "", server, paper)
    yield from (Line(line, "yellow") for line in wrapped(step.icmp, paper.indent, paper.columns))
    for entry in step.rows:
        yield from (Line(line, "dim") for line in _words(entry, paper))
    for finding in step.findings:
        yield from _finding(finding, paper)


def _states(step: LadderStep) -> dict[str, list[Any]]:
    """The rows that are states entered (or the capture's last word on one), for each endpoint."""
    entered: dict[str, list[Any]] = defaultdict(list)
    for entry in step.rows:
        if entry.from_state != entry.state or entry.event == CAPTURE_END:
            entered[entry.endpoint].append(entry)
    return entered


def _line(step: LadderStep | None, client: list[Any], middle: str, server: list[Any], paper: LadderLayout) -> Line:
    time = "" if step is None else _relative(step.time, paper)
    frame = "" if step is None or step.frame is None else paper.frames[step.frame]
    line = Line(f"{time:>{paper.time}}{frame:>{paper.frame}}  ", at=None if step is None else step.time)
    line.append(f"{_state(client, paper):<{STATE}} ", "bold")
    line.append(f"{middle:<{paper.room}} ", "green")
    return line.append(_state(server, paper), "bold").rstrip()


def _state(entries: list[Any], paper: LadderLayout) -> str:
    if not entries:
        return ""
    entry = entries[0]
    sign = _sign(entry)
    if sign:
        paper.used[sign].add(entry.from_state if entry.event == TIMER else entry.state)
    return f"{entry.state}{sign}"


def _sign(entry: Any) -> str:
    """How it is known that the endpoint entered the state; "" where the segment beside it shows or proves it."""
    if entry.basis == TIMER:
        return SHOWN if _shown(entry) else BY_TIMER
    if entry.basis != "assumed" or entry.state == "UNKNOWN":
        return ""
    seen = entry.event in RECEIVED and entry.state != TIME_WAIT
    return DELIVERED if seen and not _note(entry).endswith(NOT_CAPTURED) else LIKELIEST


def _shown(entry: Any) -> bool:
    """Whether a packet shows that a timer had ended the state."""
    return NOTE_WORDS[Note.HAD_EXPIRED] in _note(entry)


def _note(entry: Any) -> str:
    return "" if pd.isna(entry.note) else str(entry.note)


def _relative(time: int, paper: LadderLayout) -> str:
    """Seconds since the first segment, to the nearest microsecond; all digits are in the tables."""
    return decimal((time - paper.start + 500) // 1000 * 1000)[:-3]


def _untold(step: LadderStep, paper: LadderLayout) -> str:
    """What stands in place of an arrow where no packet of the connection shows the event."""
    if step.icmp:
        return "(ICMP)"
    if step.rows[0].event != CAPTURE_END:
        return ""
    return (
        "(a gap in the capture begins)" if step.time in {gap.begin for gap in paper.gaps.rows} else "(the capture ends)"
    )


def _arrow(talk: LadderSegments, row: int, paper: LadderLayout) -> str:
    """An arrow from its sender to the other side with the segment's words near the sender."""
    line, right, left = paper.signs
    text = said(talk, row)
    if len(text) + 6 > paper.room:
        text = said(talk, row, short=True)
    fill = line * max(1, paper.room - len(text) - 5)
    return f"{line * 2} {text} {fill}{right}" if talk.up[row] else f"{left}{fill} {text} {line * 2}"


def _words(entry: Any, paper: LadderLayout) -> list[str]:
    """What a timeline row says beyond the state it enters."""
    moved, note = entry.from_state != entry.state, _note(entry)
    plain = (entry.event, entry.from_state) in OPENING and not note.endswith(EXTRAS)
    if entry.event == CAPTURE_END or (moved and plain):
        return []
    if entry.event == TIMER:
        note = _ended(entry, note, paper)
    elif not note or note in NOTE_WORDS.values():  # no arrow of the table has words for it
        note = "; ".join(filter(None, (EVENTS.meanings[entry.event], note)))
    bounds = _bounds(entry, paper) if moved and entry.basis != "sent" else ""
    return wrapped("; ".join(filter(None, (f"{entry.endpoint}: {note}", bounds))), paper.indent, paper.columns)


def _ended(entry: Any, note: str, paper: LadderLayout) -> str:
    """What ended the state; where a packet shows it sooner than the timer in force would have ended it, so much."""
    if not _shown(entry):
        return note
    timer = timer_of(State[entry.from_state], paper.timers)
    within = _ns(entry.latest_epoch) - _ns(entry.earliest_epoch)
    if within >= timer.length:
        return note
    keeps = f"{timer.source_as_subject} keeps {entry.from_state} for {seconds_text(timer.length)} s"
    return f"{note.rpartition('; ')[0]}; ended after at most {duration(_up(within))}, although {keeps}"


def _up(span: int) -> float:
    """A length of time in seconds, rounded up to what ``duration`` shows of it."""
    digit = int(10 ** max(0, len(str(span)) - 3))
    return -(-span // digit) * digit / SECOND


def _bounds(entry: Any, paper: LadderLayout) -> str:
    """Between which times the state was entered, where they lie apart."""
    if pd.isna(entry.earliest_epoch) or pd.isna(entry.latest_epoch):
        return ""
    earliest, latest = _ns(entry.earliest_epoch), _ns(entry.latest_epoch)
    if latest - earliest <= SPREAD:
        return ""
    return f"between {_relative(earliest, paper)} and {_relative(latest, paper)}"


def _finding(finding: Any, paper: LadderLayout) -> Iterator[Line]:
    indent = paper.indent
    style = SEVERITY_STYLES[finding.severity]
    title = f"!! {finding.severity} {finding.code} {names().get(finding.code, '')}"
    yield Line(" " * indent + title, style)
    yield from map(Line, wrapped(finding.message, indent + 3, paper.columns))


def _legend(paper: LadderLayout) -> list[Line]:
    """What the signs in this ladder mean."""
    meanings = SIGNS | ({LIKELIEST: NOT_KEPT} if paper.used.get(LIKELIEST) == {TIME_WAIT} else {})
    used = [f"{sign} {meaning}{_in_force(paper, sign)}" for sign, meaning in meanings.items() if sign in paper.used]
    lines = [Line(line, "dim") for text in used for line in wrapped(text, 0, paper.columns)]
    return [Line(), *lines] if lines else []


def _in_force(paper: LadderLayout, sign: str) -> str:
    """Of a sign that stands for timers: which they are, and who says so."""
    if sign != BY_TIMER:
        return ""
    timers = ((state, timer_of(State[state], paper.timers)) for state in sorted(paper.used[sign]))
    return "".join(f"; {timer.source}: {state} lasts {seconds_text(timer.length)} s" for state, timer in timers)


def _advice(findings: pd.DataFrame, columns: int) -> Iterator[Line]:
    told = findings[findings["advice"] != ""].drop_duplicates(["code", "advice"])
    if len(told):
        yield from heading("What to do")
    for finding in _rows(told):
        yield from map(Line, advice_lines(f"{finding.code}: {finding.advice}", 0, columns))


def _ns(moment: pd.Timestamp) -> int:
    return int(moment.as_unit("ns").value)
