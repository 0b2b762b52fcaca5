"""One connection with three lifelines: client, both taps, server. Times are by A's clock."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from analyzer.results.taps.compared import TapsComparison
from analyzer.results.taps.matching import Pair
from analyzer.results.taps.segments import NOWHERE
from analyzer.results.taps.tap import Rows
from analyzer.segments.table import ACK, FIN, PSH, RST, SYN
from analyzer.units import counted
from analyzer.views.console import Line, endpoint, heading

MOST_STEPS = 400
LETTERS = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"))
WIDE, NARROW, WORDS = 24, 26, 24


class _Step(NamedTuple):
    """A segment at one tap or both, or a state (``sender`` enters ``state``)."""

    time: int
    sender: int
    words: str
    frame_a: int = 0
    frame_b: int = 0
    state: str = ""


def ladder_lines(result: TapsComparison, pair: Pair) -> Iterator[Line]:
    """All of it; steady transfer of long connections is cut in the middle."""
    client = result.client_sender(pair)
    left = result.near(client) or "A"
    right = "B" if left == "A" else "A"
    steps = sorted(_steps(result, pair), key=lambda step: step.time)
    ends = [endpoint(*result.a.end_of(sender)) for sender in (client, client ^ 1)]
    yield from heading(f"{ends[0]} | tap {left} | tap {right} | {ends[1]}")
    yield Line(f"{'time by A':>12}  {'client':<{WIDE}}{f'tap {left}':^{NARROW}}{f'tap {right}':^{NARROW}}server")
    begin = steps[0].time if steps else 0
    cut = len(steps) - MOST_STEPS
    for place, step in enumerate(steps):
        if cut > 0 and MOST_STEPS // 2 <= place < MOST_STEPS // 2 + cut:
            if place == MOST_STEPS // 2:
                yield Line(f"{'':>14}... {counted(cut, 'line')} left out ...", "dim")
            continue
        yield _line(step, (step.time - begin) / 1e9, step.sender == client, left)


def _line(step: _Step, since: float, of_client: bool, left: str) -> Line:
    head = f"{since:12.6f}  "
    if step.state:
        text = step.state if of_client else " " * (WIDE + 2 * NARROW) + step.state
        return Line(head + text, "green")
    near, far = (step.frame_a, step.frame_b) if left == "A" else (step.frame_b, step.frame_a)
    cells = [f"{frame} " if frame else "" for frame in (near, far)]
    arrow = "->" if of_client else "<-"
    first, second = cells if of_client else cells[::-1]
    mark = "" if first and second else "  lost between" if first else "  from between"
    middle = f"{cells[0] or '-':>8}{'  ' + arrow + '  '}{cells[1] or '-':<8}"
    words = step.words[:WORDS]
    text = f"{words + ' ->' if of_client else '':<{WIDE + 6}}{middle}{'' if of_client else '<- ' + words}"
    return Line((head + text + mark).rstrip(), "" if not mark else "bold red")


def _steps(result: TapsComparison, pair: Pair) -> Iterator[_Step]:
    common, clock = result.common, result.clock
    begin = {}
    for rows in (common.a, common.b):
        for side in (0, 1):
            own = rows[rows["sender"] == 2 * pair.row_a + side]
            if len(own) and side not in begin:
                begin[side] = int(own["seq"][0])
    at_a = np.flatnonzero(common.a["sender"] >> 1 == pair.row_a)
    for place in at_a.tolist():
        row, other = common.a[place], int(common.at_b[place])
        frame_b = int(common.b["frame"][other]) if other != NOWHERE else 0
        yield _Step(int(row["time"]), int(row["sender"]), _words(row, begin), int(row["frame"]), frame_b)
    at_b = np.flatnonzero((common.b["sender"] >> 1 == pair.row_a) & (common.at_a == NOWHERE))
    times = clock.by_a(common.b["time"][at_b]).tolist()
    for place, time in zip(at_b.tolist(), times, strict=True):
        row = common.b[place]
        yield _Step(time, int(row["sender"]), _words(row, begin), 0, int(row["frame"]))
    for host in result.states[pair.row_a]:
        for one in host.entered:
            yield _Step(one.time, host.sender, "", state=one.state)


def _words(row: Rows | np.void, begin: dict[int, int]) -> str:
    flags = int(row["flags"])
    side = int(row["sender"]) & 1
    names = ", ".join(name for bit, name in LETTERS if flags & bit and name != "PSH")
    number = (int(row["seq"]) - begin.get(side, 0)) & 0xFFFFFFFF
    length = int(row["payload_len"])
    return f"{names} {number}" + (f" len {length}" if length else "")
