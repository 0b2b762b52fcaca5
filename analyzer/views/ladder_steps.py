"""What stands on the lines of a ladder, in their order: segments, ICMP errors, and what no packet shows; each with the
rows of the timeline and the findings that concern it."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from analyzer.views.ladder_icmp import IcmpError
from analyzer.views.ladder_segments import LadderSegments

CAPTURE_END = "capture-end"


@dataclass
class LadderStep:
    """What stands on one line, and under it: a segment, or an event that no packet shows."""

    time: int
    frame: int | None
    segment: int | None = None  # row of the conversation
    icmp: str = ""  # what an ICMP error says
    rows: list[Any] = field(default_factory=list)  # of the timeline
    findings: list[Any] = field(default_factory=list)

    @property
    def states(self) -> dict[str, list[Any]]:
        """The rows that are states entered (or the capture's last word on one), for each endpoint."""
        entered: dict[str, list[Any]] = defaultdict(list)
        for entry in self.rows:
            if entry.from_state != entry.state or entry.event == CAPTURE_END:
                entered[entry.endpoint].append(entry)
        return entered


def ladder_steps(
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
    for entry in rows_of(timeline):
        frame, time = None if pd.isna(entry.frame) else int(entry.frame), nanoseconds(entry.time_epoch)
        if frame is not None and entry.state != entry.from_state:
            frame = shown[entry.endpoint] = max(frame, shown.get(entry.endpoint, 0))
        key = entry.event if entry.event == CAPTURE_END else time
        step = by_frame.get(frame) or loose.setdefault(key, LadderStep(time, frame))
        step.rows.append(entry)
    for finding in rows_of(findings):
        _place(finding, by_frame, steps).findings.append(finding)
    return _merged(steps, list(loose.values()))


def rows_of(table: pd.DataFrame) -> Iterator[Any]:
    """The rows as named tuples (pandas' own types for their cells are too wide to be of use)."""
    return iter(table.itertuples())


def nanoseconds(moment: pd.Timestamp) -> int:
    """A time of a table since 1970."""
    return int(moment.as_unit("ns").value)


def _place(finding: Any, by_frame: dict[int | None, LadderStep], steps: list[LadderStep]) -> LadderStep:
    """The step a finding stands under: of its frames the one at its time, else the last one."""
    frames = [int(frame) for frame in str(finding.frames).split(";") if frame]
    own = [by_frame[frame] for frame in frames if frame in by_frame]
    time = None if pd.isna(finding.time_epoch) else nanoseconds(finding.time_epoch)
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
