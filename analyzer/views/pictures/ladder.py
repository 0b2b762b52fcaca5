"""The ladder of one connection as a picture: two lanes with the states, segments as arrows, findings where they are
proven.

Time runs down (``time_scale``). An arrow begins and ends as much before and after the moment at the tap as half of the
shortest round trip on that side: an estimate, as no packet tells more. A lane changes its colour at the best estimate
of each time; a strip at its outer side has a soft edge from the earliest time to the latest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from analyzer.results.notes import timer_of
from analyzer.results.result import ResultTables
from analyzer.segments.table import ACK, FIN, RST, SYN
from analyzer.settings import seconds_text
from analyzer.tcp.states import State
from analyzer.times import decimal
from analyzer.units import SECOND
from analyzer.views.console import duration, endpoint
from analyzer.views.explanation import names
from analyzer.views.frame_names import FrameNames, silence
from analyzer.views.ladder_folds import fold_text
from analyzer.views.ladder_parts import NOT_KEPT, SIGNS, LadderParts, ending_text, ladder_parts
from analyzer.views.ladder_segments import LadderSegments, Sacks, flags_text, numbers_texts
from analyzer.views.ladder_steps import LadderStep
from analyzer.views.pictures.colours import SEVERITY_SIGNS, arrow_class, name_of
from analyzer.views.pictures.lanes import NO_SOCKET, Stay, at_capture_end, stays
from analyzer.views.pictures.svg import CHARACTER, add, alone, fitted, picture
from analyzer.views.pictures.time_scale import TimeScale

WIDTH, TIME, LANE, STRIP = 566.0, 82.0, 14.0, 4.0
CLIENT, SERVER = 175.0, 455.0  # left edges of the lanes
LEFT, RIGHT = CLIENT + LANE, SERVER  # between them the arrows
ROOM = RIGHT - LEFT - 12
ROW, LINE, TOP = 25.0, 14.0, 46.0
LEAST_SLOPE, MOST_SLOPE = 1.5, 7.0
NEVER_BACK = np.iinfo(np.int64).max
SOFT = 3.0  # pixels between the bounds of a begin, from which on its edge is soft
LEAK = "TD101"
AROUND = "\N{HORIZONTAL ELLIPSIS}"


@dataclass
class PictureRow:
    """What stands at one moment: a segment, a stretch that is left out, or what no packet shows; with lines below."""

    time: int
    step: LadderStep
    segment: int | None = None
    folded: bool = False
    lines: list[tuple[str, str]] = field(default_factory=list)  # text and class
    more: int = 0  # states beyond one that either side enters here

    @property
    def height(self) -> float:
        """Pixels that it needs."""
        return ROW + LINE * max(len(self.lines) - (0 if self.segment is not None else 1), self.more, 0)


@dataclass
class LadderPicture:
    """What the pieces of one picture share."""

    result: ResultTables
    parts: LadderParts
    rows: list[PictureRow]
    scale: TimeScale
    frames: FrameNames
    paths: tuple[int, int]  # ns from the client to the tap, from the tap to the server
    key: str  # what the names of its gradients begin with
    made: Element

    @property
    def talk(self) -> LadderSegments:
        """The segments."""
        return self.parts.talk


def ladder_svg(result: ResultTables, stream: int, everything: bool = False, sacks: Sacks | None = None) -> str:
    """The ladder of one stream as a file; ``everything`` leaves out no segment. ``result`` must have its segments.
    Raises UsageError if there is no such stream."""
    return alone(ladder_picture(result, stream, everything, sacks))


def ladder_picture(result: ResultTables, stream: int, everything: bool = False, sacks: Sacks | None = None) -> Element:
    """The same as an element, for a page that has its colours and hatches."""
    parts = ladder_parts(result, stream, everything, sacks)
    rows = _rows(parts, result)
    scale = TimeScale([row.time for row in rows], [row.height for row in rows], TOP + 20)
    frames = FrameNames(result.recording.frame_files, [row.step.frame for row in rows if row.step.frame is not None])
    notes = _notes(parts, rows, result)
    height = scale.bottom + 12 + LINE * len(notes)
    flow = parts.flow
    client, server = (endpoint(flow[f"{side}_ip"], flow[f"{side}_port"]) for side in ("client", "server"))
    made = picture(WIDTH, height, f"Ladder of connection {stream}: {client} to {server}", ending_text(flow))
    whole = LadderPicture(result, parts, rows, scale, frames, _paths(parts.talk), f"l{stream}-", made)
    _head(whole, client, server)
    for side, left in (("client", CLIENT), ("server", SERVER)):
        _lane(whole, side, left)
    for fold in scale.folds:
        _fold(whole, fold.begin, fold.end, (fold.top + fold.bottom) / 2)
    for place, row in enumerate(rows):
        _row(whole, place, row)
    for number, note in enumerate(notes):
        add(made, "text", note, kind="t-faint", x=4, y=scale.bottom + 10 + LINE * number)
    return made


def _rows(parts: LadderParts, result: ResultTables) -> list[PictureRow]:
    """The rows in their order, a stretch of segments that is left out as one."""
    starts, skip_to, rows = dict(parts.hidden), 0, list[PictureRow]()
    frames = FrameNames(result.recording.frame_files, [int(frame) for frame in parts.talk.frame])
    for step in parts.steps:
        if step.segment is not None and step.segment in starts:
            begin, skip_to = step.segment, starts[step.segment]
            told = fold_text(parts.talk, begin, skip_to, frames[int(parts.talk.frame[skip_to - 1])])
            lines = [(line, "t-faint") for line in _broken(f"{AROUND} {told}")]
            rows.append(PictureRow(step.time, step, folded=True, lines=lines))
        if step.segment is None or step.segment >= skip_to:
            rows.append(_of_step(step, parts.talk))
    return rows


def _broken(text: str) -> list[str]:
    """A text as lines between the lanes."""
    from textwrap import wrap

    return wrap(text, int(ROOM / CHARACTER))


def _of_step(step: LadderStep, talk: LadderSegments) -> PictureRow:
    row = PictureRow(step.time, step, step.segment)
    if step.segment is not None:
        _, rest = _label(talk, step.segment)
        row.lines += [(line, "f-warning") for line in (_broken(rest) if rest else [])]
    elif step.icmp:
        row.lines += [(line, "f-warning") for line in _broken(step.icmp)]
    elif at_capture_end(step):
        row.lines.append(("the capture ends", "t-faint"))
    for finding in step.findings:
        said = f"{SEVERITY_SIGNS[finding.severity]} {finding.code} {names().get(finding.code, '')}"
        row.lines.append((fitted(said, ROOM), f"f-{finding.severity}"))
    row.more = max((len(entered) - 1 for entered in step.states.values()), default=0)
    return row


def _label(talk: LadderSegments, segment: int) -> tuple[str, str]:
    """What stands on an arrow, and what has no room there."""
    said = ", ".join(talk.texts(segment))
    plain = " ".join([flags_text(talk, segment), *numbers_texts(talk, segment)])
    if len(plain) * CHARACTER > ROOM:
        plain = " ".join([flags_text(talk, segment, short=True), *numbers_texts(talk, segment)])
    whole = f"{plain} {said}".strip()
    return (whole, "") if len(whole) * CHARACTER <= ROOM else (fitted(plain, ROOM), said)


def _paths(talk: LadderSegments) -> tuple[int, int]:
    """Half of the shortest round trip from the tap to the client and back, and to the server: a segment, and right
    after it the other side's that acknowledges all of it. 0 where there is none."""
    answers = talk.up[1:] != talk.up[:-1]
    fresh = talk.seq[:-1] + talk.size[:-1] + (talk.flags[:-1] & SYN != 0) + (talk.flags[:-1] & FIN != 0)
    steps = np.diff(talk.time)
    answers &= (talk.flags[1:] & ACK != 0) & (talk.ack[1:] == fresh) & (fresh > talk.seq[:-1]) & (steps > 0)
    shortest = [steps[answers & (talk.up[:-1] == up)].min(initial=NEVER_BACK) for up in (False, True)]
    to_client, to_server = (0 if step == NEVER_BACK else int(step) // 2 for step in shortest)
    return to_client, to_server


def _head(whole: LadderPicture, client: str, server: str) -> None:
    room = (WIDTH / 2) - 8
    for text, place, anchor in ((client, LEFT, "middle"), (server, RIGHT, "middle")):
        side = "client" if text == client and place == LEFT else "server"
        add(whole.made, "text", side, kind="t-faint", x=place, y=14, text_anchor=anchor)
        add(whole.made, "text", fitted(text, room), kind="t-bold", x=place, y=29, text_anchor=anchor)
    add(whole.made, "text", "seconds", kind="t-faint", x=TIME - 4, y=TOP, text_anchor="end")


def _lane(whole: LadderPicture, side: str, left: float) -> None:
    """One endpoint's states: rectangles, and their names beside them."""
    group, bottom, taken = add(whole.made, "g"), whole.scale.bottom, -99.0
    told = stays([row.step for row in whole.rows], side, whole.result.timers_in_force)
    for number, stay in enumerate(told):
        begin = whole.scale.places[0] - 8 if stay.place is None else whole.scale.at(stay.begin)
        end = bottom if stay.end is None else whole.scale.at(stay.end)
        soft = (whole.scale.at(stay.earliest), whole.scale.at(stay.latest)) if stay.place is not None else (0.0, 0.0)
        before = told[number - 1].state if number else ""
        _stay(whole, group, stay, (left, begin, end, soft), before)
        if stay.place is not None or stay.state not in NO_SOCKET:
            taken = max(whole.scale.at(stay.begin) + 4 if stay.place is not None else begin + 10, taken + LINE)
            words = f"{stay.state}{stay.sign}"
            x, anchor = (left - 5, "end") if side == "client" else (left + LANE + 5, "start")
            kind = "e-reset" if stay.by_reset else "t-bold"
            add(group, "text", words, kind=kind, x=x, y=taken, text_anchor=anchor)
            if stay.length and end - begin > 1.6 * LINE:
                taken += LINE
                add(group, "text", stay.length, kind="t-faint", x=x, y=taken, text_anchor=anchor)


def _stay(
    whole: LadderPicture,
    group: Element,
    stay: Stay,
    where: tuple[float, float, float, tuple[float, float]],
    before: str,
) -> None:
    """The rectangle of one state with its begin."""
    left, begin, end, (earliest, latest) = where
    if stay.state in NO_SOCKET:
        if stay.place is None:
            return
        middle = left + LANE / 2
        add(group, "path", d=f"M{middle:.1f} {begin:.1f}V{end:.1f}", kind="edge", stroke_dasharray="2 4")
    else:
        name = name_of(stay.state)
        size: dict[str, Any] = {"x": left, "y": begin, "width": LANE, "height": max(end - begin, 1.0)}
        add(group, "rect", kind=f"s-{name}", **size)
        leaked = stay.state == "CLOSE_WAIT" and stay.end is None and LEAK in whole.parts.findings["code"].tolist()
        if leaked or stay.state == "UNKNOWN":
            add(group, "rect", fill="url(#leak)" if leaked else "url(#hatch)", **size)
    if latest - earliest > SOFT and before and before not in NO_SOCKET:
        _soft_edge(whole, group, (left, earliest, latest), before, stay.state)
    if stay.state in NO_SOCKET and stay.by_reset:
        add(group, "path", d=f"M{middle - 6:.1f} {begin - 6:.1f}l12 12m0 -12l-12 12", kind="cross")
    elif stay.state in NO_SOCKET:
        add(group, "path", d=f"M{left - 2:.1f} {begin:.1f}h{LANE + 4:.1f}", kind="end")


def _soft_edge(
    whole: LadderPicture, group: Element, where: tuple[float, float, float], before: str, after: str
) -> None:
    """From the earliest to the latest time at which a state began, its colour grows at the outer side of the lane."""
    left, earliest, latest = where
    outer = left if left == CLIENT else left + LANE - STRIP
    name = f"{whole.key}{len(group)}{'c' if left == CLIENT else 's'}"
    gradient = add(group, "linearGradient", id=name, x2=0, y2=1)
    add(gradient, "stop", kind=f"g-{name_of(before)}")
    if after in NO_SOCKET:
        add(gradient, "stop", offset=1, kind=f"g-{name_of(before)}", stop_opacity=0)
    else:
        add(gradient, "stop", offset=1, kind=f"g-{name_of(after)}")
    size: dict[str, Any] = {"x": outer, "y": earliest, "width": STRIP, "height": latest - earliest}
    add(group, "rect", kind="paper", **size)
    add(group, "rect", fill=f"url(#{name})", **size)


def _fold(whole: LadderPicture, begin: int, end: int, middle: float) -> None:
    """A silence that is folded: both lanes are broken, and its length stands between."""
    for left in (CLIENT, SERVER):
        add(whole.made, "path", d=f"M{left - 3:.1f} {middle - 3:.1f}h{LANE + 6:.1f}v5h-{LANE + 6:.1f}z", kind="paper")
        wave = f"M{left - 4:.1f} {middle - 3:.1f}l5 -3l6 6l5 -3l5 3M{left - 4:.1f} {middle + 2:.1f}l5 -3l6 6l5 -3l5 3"
        add(whole.made, "path", d=wave, kind="break")
    said = f"{AROUND} {silence(begin, end, whole.result.recording.gaps)} {AROUND}"
    add(whole.made, "text", said, kind="t-faint", x=(LEFT + RIGHT) / 2, y=middle + 4, text_anchor="middle")


def _row(whole: LadderPicture, place: int, row: PictureRow) -> None:
    group, y = add(whole.made, "g", kind="row"), whole.scale.places[place]
    add(group, "title", _told(whole, row))
    offset = decimal((row.time - int(whole.rows[0].time) + 500) // 1000 * 1000)[:-3]
    add(group, "text", offset, kind="t-faint", x=TIME - 4, y=y + 4, text_anchor="end")
    below = y
    if row.segment is not None:
        _arrow(whole, group, row.segment, y)
        below = y + LINE
    elif row.folded:
        add(group, "rect", fill="url(#hatch)", x=LEFT + 2, y=y - 9, width=3, height=row.height - 6)
    for number, (text, kind) in enumerate(row.lines):
        add(group, "text", text, kind=kind, x=LEFT + 9, y=below + 4 + LINE * number)


def _arrow(whole: LadderPicture, group: Element, segment: int, y: float) -> None:
    talk, time = whole.talk, int(whole.talk.time[segment])
    up, flags, size = bool(talk.up[segment]), int(talk.flags[segment]), int(talk.size[segment])
    own, other = whole.paths if up else whole.paths[::-1]
    leave = y - min(max(y - whole.scale.at(time - own), LEAST_SLOPE), MOST_SLOPE)
    reach = y + min(max(whole.scale.at(time + other) - y, LEAST_SLOPE), MOST_SLOPE)
    tail, head = (LEFT, RIGHT) if up else (RIGHT, LEFT)
    way = 1 if up else -1
    kind, wide = arrow_class(flags, size), 1.2 if not size else 1.6 + min(size / 1460, 1) * 1.4
    add(
        group,
        "path",
        d=f"M{tail:.1f} {leave:.1f}L{head - 5 * way:.1f} {reach:.1f}",
        kind=f"a-{kind}",
        stroke_width=wide,
    )
    add(group, "path", d=f"M{head:.1f} {reach:.1f}l{-8 * way} -4v8z", kind=f"h-{kind}")
    if flags & RST:
        add(group, "path", d=f"M{tail + 4 * way - 4:.1f} {leave - 4:.1f}l8 8m0 -8l-8 8", kind="cross")
    middle, slope = (LEFT + RIGHT) / 2, (reach - leave) / (RIGHT - LEFT) * 57.3 * way
    label, _ = _label(talk, segment)
    centre = (leave + reach) / 2
    add(
        *(group, "text", label),
        x=middle,
        y=centre - 4,
        text_anchor="middle",
        transform=f"rotate({slope:.1f} {middle:.0f} {centre:.0f})",
    )
    frame = whole.frames[int(talk.frame[segment])]
    x, anchor = (tail + 4, "start") if up else (tail - 4, "end")
    add(group, "text", frame, kind="t-faint t-small", x=x, y=leave + 10, text_anchor=anchor)


def _told(whole: LadderPicture, row: PictureRow) -> str:
    """A row in words, a line each: the time, the frame, who sends, what, which states begin, what was found."""
    step = row.step
    offset = decimal(row.time - int(whole.rows[0].time))
    who, what = "", " ".join(text for text, _ in row.lines)
    if row.segment is not None:
        who = "client → server" if whole.talk.up[row.segment] else "server → client"
        numbers = [flags_text(whole.talk, row.segment), *numbers_texts(whole.talk, row.segment)]
        what = " ".join([*numbers, *whole.talk.texts(row.segment)])
    frame = "" if step.frame is None or row.folded else whole.frames[step.frame]
    entered = [(side, entry) for side, entries in step.states.items() for entry in entries if not row.folded]
    states = ", ".join(f"{side} {entry.state}" for side, entry in entered if entry.from_state != entry.state)
    found = ", ".join(finding.code for finding in step.findings) if not row.folded else ""
    return "\n".join([f"{offset} s", frame, who, what, states, found])


def _notes(parts: LadderParts, rows: Sequence[PictureRow], result: ResultTables) -> list[str]:
    """What the signs in the picture mean, and how it is drawn."""
    timers, steps = result.timers_in_force, [row.step for row in rows]
    sides = [stays(steps, side, timers) for side in ("client", "server")]
    signs = {stay.sign for side in sides for stay in side if stay.sign}
    only_kept = all(stay.state == "TIME_WAIT" for side in sides for stay in side if stay.sign == "?")
    meanings = SIGNS | ({"?": NOT_KEPT} if only_kept else {})
    ended = {before.state for side in sides for before, stay in pairwise(side) if stay.sign == "*"}
    in_force = ((state, timer_of(State[state], timers)) for state in sorted(ended))
    meanings["*"] += "".join(
        f"; {timer.source}: {state} lasts {seconds_text(timer.length)} s" for state, timer in in_force
    )
    lines = [f"{sign} {meanings[sign]}" for sign in SIGNS if sign in signs]
    scale = TimeScale([row.time for row in rows], [row.height for row in rows], 0)
    if scale.scale:
        lines.append(
            f"Time runs down, 1 cm is {duration(38 / scale.scale / SECOND)}: shorter steps are widened to a row, "
            "longer silences folded. An arrow slopes by half the shortest round trip, so far as a row allows."
        )
    return [piece for line in lines for piece in _wide(line)]


def _wide(text: str) -> list[str]:
    from textwrap import wrap

    return wrap(text, int((WIDTH - 8) / CHARACTER))
