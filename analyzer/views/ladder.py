"""One connection as a ladder: time runs down, the endpoints stand at the sides, every segment is an arrow
between.

A state is written where an endpoint enters it, beside the segment that shows it. A sign behind a state says how it is
known where its own segment does not show it; the last lines explain the signs that were used. Whatever the timeline has
to say in words, and every finding, stands under the frame it concerns. Long stretches of plain data are folded into one
line; silence of a second and more is written out, because silence is how most connections come to their end.
"""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import pandas as pd

from analyzer.results.notes import timer_of
from analyzer.results.result import ResultTables
from analyzer.settings import seconds_text
from analyzer.tcp.states import State
from analyzer.units import SECOND
from analyzer.views.console import SEVERITY_STYLES, Line, advice_lines, duration, endpoint, heading, wrapped
from analyzer.views.explanation import names
from analyzer.views.frame_names import FrameNames, silence
from analyzer.views.ladder_arrows import arrow, below_lines, overflowing
from analyzer.views.ladder_folds import SILENCE, fold_text
from analyzer.views.ladder_layout import (
    ASCII,
    FRAME,
    LEAST_ARROW,
    STATE,
    STATE_STYLES,
    TIME,
    TIMES,
    UNICODE,
    LadderLayout,
    day,
)
from analyzer.views.ladder_parts import (
    BY_TIMER,
    LIKELIEST,
    NOT_KEPT,
    SIGNS,
    SPREAD,
    TIME_WAIT,
    TIMER,
    ending_text,
    is_plain,
    ladder_parts,
    shown_later,
    sign_of,
    words_of,
)
from analyzer.views.ladder_segments import LadderSegments, Sacks
from analyzer.views.ladder_steps import CAPTURE_END, LadderStep, nanoseconds, rows_of


def ladder_lines(
    result: ResultTables,
    stream: int,
    columns: int = 100,
    everything: bool = False,
    unicode: bool = True,
    brief: bool = False,
    times: str = "offset",
    sacks: Sacks | None = None,
) -> list[Line]:
    """The ladder of one stream. ``result`` must have its segments.

    ``everything`` folds nothing, ``brief`` leaves out what is said in sentences, ``times`` is one of TIMES, ``sacks``
    are the SACK options by frame where they are known. Raises UsageError if there is no such stream.
    """
    flow, talk, findings, steps, hidden = ladder_parts(result, stream, everything, sacks)
    frames = FrameNames(result.recording.frame_files, [step.frame for step in steps if step.frame is not None])
    start = int(talk.time[0]) if len(talk.time) else 0
    signs = UNICODE if unicode else ASCII
    paper = LadderLayout(columns, start, signs, result.timers_in_force, frames, result.recording.gaps, times, brief)
    paper.time = max(TIME, paper.time_width([step.time for step in steps]))
    paper.frame = max([FRAME, *(len(frames[step.frame]) + 1 for step in steps if step.frame is not None)])
    paper.stacked = _is_stacked(steps, talk, hidden, paper)
    body = list(_body(steps, talk, hidden, paper))
    if brief:
        return [*_head(flow, paper), *body]
    return [*_head(flow, paper), *body, *_legend(paper), *_advice(findings, columns)]


def _is_stacked(
    steps: list[LadderStep], talk: LadderSegments, hidden: list[tuple[int, int]], paper: LadderLayout
) -> bool:
    """Whether states take fewer lines below the arrows than the words of the arrows beside them."""
    if paper.between < LEAST_ARROW:
        return True
    left_out = {row for start, end in hidden for row in range(start, end)}
    shown = (row for row in range(len(talk.frame)) if row not in left_out)
    return overflowing(talk, shown, paper.between) > sum(bool(step.rows and step.states) for step in steps)


def _head(flow: "pd.Series[Any]", paper: LadderLayout) -> list[Line]:
    client, server = (endpoint(flow[f"{side}_ip"], flow[f"{side}_port"]) for side in ("client", "server"))
    began = f"{pd.Timestamp(paper.start, unit='ns', tz='UTC'):%Y-%m-%d %H:%M:%S}.{paper.start % SECOND:09d} UTC"
    number = f"stream {flow['stream']}: "
    named = [f"{number}client {client}, server {server}"]
    if len(named[0]) > paper.columns:
        named = [f"{number}between", f"  client {client}", f"  server {server}"]
    said = [f"began {began}, lasted {duration(flow['duration_s'])}", ending_text(flow)]
    room = paper.columns - paper.indent
    sides = f"{'client':<{room - len('server')}}server" if paper.stacked else ""
    sides = sides or f"{'client':<{STATE}} {'':<{paper.room}} server"
    return [
        *(Line(line, "bold") for line in named),
        *(Line(line) for text in said for line in wrapped(text, 0, paper.columns) if not paper.brief),
        *map(Line, paper.frames.legend),
        Line(),
        Line(f"{TIMES[paper.times]:>{paper.time}}{'frame':>{paper.frame}}  {sides}", "dim"),
    ]


def _body(
    steps: list[LadderStep], talk: LadderSegments, hidden: list[tuple[int, int]], paper: LadderLayout
) -> Iterator[Line]:
    starts = dict(hidden)
    skip_to, today = 0, -1
    for place, step in enumerate(steps):
        if step.segment in starts:
            skip_to = starts[step.segment]
            yield from _folded(talk, step.segment, skip_to, paper)
        if step.segment is None or step.segment >= skip_to:
            if paper.times == "absolute" and day(step.time) != today:
                today = day(step.time)
                yield Line(f"{pd.Timestamp(step.time, unit='ns'):%Y-%m-%d}".rjust(paper.time), "dim")
            yield from _step_lines(step, talk, paper, steps[place - 1].time if place else None)
        if step.icmp or (step.segment is not None and step.segment + 1 >= skip_to):
            yield from _silence(steps, place, paper)


def _silence(steps: list[LadderStep], place: int, paper: LadderLayout) -> Iterator[Line]:
    """A line for the time until the next segment, or until the last thing known, where it is long."""
    following = (steps[later] for later in range(place + 1, len(steps)))
    until = next((later for later in following if later.segment is not None or later.icmp), steps[-1])
    if until.time - steps[place].time >= SILENCE:
        told = f"{paper.signs.pause} {silence(steps[place].time, until.time, paper.gaps)} {paper.signs.pause}"
        yield from (Line(line, "dim") for line in wrapped(told, paper.lane, paper.columns))


def _folded(talk: LadderSegments, start: int, end: int, paper: LadderLayout) -> Iterator[Line]:
    """What stands for the segments [start, end)."""
    told = fold_text(talk, start, end, paper.frames[talk.frame[end - 1]])
    first, *more = wrapped(told, paper.time + 1, paper.columns)
    yield Line(f"{'...':>{paper.time}} {first.strip()}", "dim")
    yield from (Line(line, "dim") for line in more)


def _step_lines(step: LadderStep, talk: LadderSegments, paper: LadderLayout, before: int | None) -> Iterator[Line]:
    middle, below = _middle(step, talk, paper)
    yield from _row(step, middle, paper, before)
    if below and step.segment is not None:
        yield from below_lines(below, bool(talk.up[step.segment]), paper)
    yield from (Line(line, "yellow") for line in wrapped(step.icmp, paper.indent, paper.columns))
    for entry in step.rows if not paper.brief else ():
        yield from (Line(line, "dim") for line in _words(entry, paper))
    for finding in step.findings:
        yield from _finding(finding, paper)


def _middle(step: LadderStep, talk: LadderSegments, paper: LadderLayout) -> tuple[list[tuple[str, str]], str]:
    """What stands between the states, and what had no room there."""
    if step.segment is not None:
        return arrow(talk, step.segment, paper)
    return [(_untold(step, paper), "dim")], ""


def _row(step: LadderStep, middle: list[tuple[str, str]], paper: LadderLayout, before: int | None) -> Iterator[Line]:
    """The line of a step with the states entered there; below it further states, all where they have no room beside
    it."""
    frame = "" if step.frame is None else paper.frames[step.frame]
    begin = f"{paper.moment(step.time, before):>{paper.time}}{frame:>{paper.frame}}  "
    states = step.states
    pairs = list(zip_longest(states["client"], states["server"]))
    shown = any(text for text, _ in middle)
    if paper.stacked and (shown or not pairs):
        line = Line(begin, at=step.time)
        for text, style in middle:
            line.append(text, style)
        yield line.rstrip()
    elif not paper.stacked or pairs:
        client, server = pairs.pop(0) if pairs else (None, None)
        yield _line(Line(f"{begin:<{paper.indent}}", at=step.time), client, server, middle, paper)
    yield from (_line(Line(" " * paper.indent), client, server, [], paper) for client, server in pairs)


def _line(line: Line, client: Any, server: Any, middle: list[tuple[str, str]], paper: LadderLayout) -> Line:
    """``line``, which has the time and the frame, goes on with states and what stands between."""
    left, right = _state(client, paper), _state(server, paper)
    if paper.stacked:
        line.append(left, _state_style(client))
        return line.append(right.rjust(paper.room - len(left)), _state_style(server)).rstrip()
    line.append(f"{left:<{STATE}} ", _state_style(client))
    for text, style in middle:
        line.append(text, style)
    line.append(" " * (paper.room - sum(len(text) for text, _ in middle) + 1))
    return line.append(right, _state_style(server)).rstrip()


def _state(entry: Any, paper: LadderLayout) -> str:
    if entry is None:
        return ""
    sign = sign_of(entry)
    if sign:
        paper.used[sign].add(entry.from_state if entry.event == TIMER else entry.state)
    return f"{entry.state}{sign}"


def _state_style(entry: Any) -> str:
    """The colour of a state; CLOSED by a RST is red."""
    if entry is None:
        return ""
    by_reset = entry.state == "CLOSED" and "rst" in entry.event
    return f"bold {'red' if by_reset else STATE_STYLES.get(entry.state, '')}".strip()


def _untold(step: LadderStep, paper: LadderLayout) -> str:
    """What stands in place of an arrow where no packet of the connection shows the event."""
    if step.icmp:
        return "(ICMP)"
    if step.rows[0].event != CAPTURE_END:
        return ""
    return (
        "(a gap in the capture begins)" if step.time in {gap.begin for gap in paper.gaps.rows} else "(the capture ends)"
    )


def _words(entry: Any, paper: LadderLayout) -> list[str]:
    """What a timeline row says beyond the state it enters."""
    if entry.event == CAPTURE_END or is_plain(entry):
        return []
    moved, note = entry.from_state != entry.state, words_of(entry)
    if entry.event == TIMER:
        note = _ended(entry, note, paper)
    bounds = _bounds(entry, paper) if moved and entry.basis != "sent" else ""
    return wrapped("; ".join(filter(None, (f"{entry.endpoint}: {note}", bounds))), paper.indent, paper.columns)


def _ended(entry: Any, note: str, paper: LadderLayout) -> str:
    """What ended the state; where a packet shows it sooner than the timer in force would have ended it, so much."""
    if not shown_later(entry):
        return note
    timer = timer_of(State[entry.from_state], paper.timers)
    within = nanoseconds(entry.latest_epoch) - nanoseconds(entry.earliest_epoch)
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
    earliest, latest = nanoseconds(entry.earliest_epoch), nanoseconds(entry.latest_epoch)
    return paper.span(earliest, latest) if latest - earliest > SPREAD else ""


def _finding(finding: Any, paper: LadderLayout) -> Iterator[Line]:
    style = SEVERITY_STYLES[finding.severity]
    title = f"!! {finding.severity} {finding.code} {names().get(finding.code, '')}"
    yield from (Line(line, style) for line in wrapped(title, paper.indent, paper.columns))
    if not paper.brief:
        yield from map(Line, wrapped(finding.message, paper.indent + 3, paper.columns))


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
    for finding in rows_of(told):
        yield from map(Line, advice_lines(f"{finding.code}: {finding.advice}", 0, columns))
