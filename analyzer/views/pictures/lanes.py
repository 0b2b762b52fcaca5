"""The states of an endpoint as lengths of its lane."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from analyzer.results.notes import timer_of
from analyzer.tcp.states import State
from analyzer.tcp.timers import Timers
from analyzer.views.console import duration
from analyzer.views.ladder_parts import TIMER, sign_of
from analyzer.views.ladder_steps import CAPTURE_END, LadderStep, nanoseconds

TOLD = ("CLOSE_WAIT", "FIN_WAIT_2", "TIME_WAIT", "LAST_ACK", "SYN_SENT", "SYN_RECEIVED")  # states whose length is told
LEAST_TOLD = 1_000_000  # ns: shorter stays are not
NO_SOCKET = ("CLOSED", "LISTEN")


class Stay(NamedTuple):
    """A state from one step to another; ``earliest`` and ``latest`` bound its begin. ``place`` is the row of the
    picture beside which it begins, None for the state before the first row."""

    state: str
    place: int | None
    begin: int
    earliest: int
    latest: int
    sign: str
    by_reset: bool
    end: int | None  # None: it lasts until the picture ends
    length: str


def stays(steps: Sequence[LadderStep], side: str, timers: Timers) -> list[Stay]:
    """The states of one endpoint, in their order; ``steps`` are the rows of the picture."""
    entered = [(place, entry) for place, step in enumerate(steps) for entry in step.states[side]]
    moved = [(place, entry) for place, entry in entered if entry.from_state != entry.state]
    if not moved:
        states = [entry.state for _, entry in entered]
        return [Stay(states[0], None, 0, 0, 0, "", False, None, "")] if states else []
    first = moved[0][1]
    made = [Stay(first.from_state, None, 0, 0, 0, "", False, nanoseconds(first.time_epoch), "")]
    last = max(step.time for step in steps)
    again = max((step.time for step in steps for row in step.rows if _asks_again(row, side)), default=0)
    for number, (place, entry) in enumerate(moved):
        following = moved[number + 1][1] if number + 1 < len(moved) else None
        end = None if following is None else nanoseconds(following.time_epoch)
        made.append(_stay(place, entry, end, (again, last), timers))
    return made


def _asks_again(entry: Any, side: str) -> bool:
    """Whether it is a FIN of the other side once more, which begins TIME_WAIT anew (RFC 9293 3.10.7.4)."""
    return bool(entry.event == "fin-retransmitted" and entry.endpoint != side)


def _stay(place: int, entry: Any, end: int | None, times: tuple[int, int], timers: Timers) -> Stay:
    """A stay; ``times`` are when TIME_WAIT began anew, 0 where it did not, and when the picture ends."""
    begin, (again, last) = nanoseconds(entry.time_epoch), times
    earliest, latest = (
        begin if pd.isna(bound) else nanoseconds(bound) for bound in (entry.earliest_epoch, entry.latest_epoch)
    )
    lasted = (last if end is None else end) - begin
    length = ""
    if entry.state in TOLD and lasted >= LEAST_TOLD:
        length = f"{'' if end is not None else '≥ '}{duration(lasted / 1e9)}"
    if entry.state == "TIME_WAIT" and end is None:
        left = timer_of(State.TIME_WAIT, timers).length - (last - max(begin, again))
        length = f"{duration(left / 1e9)} left" if left > 0 else length
    by_reset = entry.state == "CLOSED" and "rst" in entry.event and entry.event != TIMER
    return Stay(entry.state, place, begin, earliest, latest, sign_of(entry), by_reset, end, length)


def at_capture_end(step: LadderStep) -> bool:
    """Whether a row is the capture's end, or where a gap in it begins."""
    return bool(step.rows) and all(entry.event == CAPTURE_END for entry in step.rows)
