"""When states were entered, and what the ledger keeps of that, against the meaning (``times.py``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from analyzer.flows.table import FlowTable
from analyzer.tcp.evidence import Basis
from analyzer.tcp.states import Event, State
from tests.captures import OWN, cases, public

from .naive import RST, SYN
from .plausible import capture
from .side import Side
from .test_facts import BETWEEN, Followed, followed, of_capture, readable
from .times import MEANING, When, told

Moves = list[np.void]  # the states that an endpoint entered, in their order


def time_of(move: np.void | None) -> int:
    return 0 if move is None else int(move["time"])


def entry_of(state: State, after: int = 0) -> Callable[[Moves], np.void | None]:
    """The last entry of a state, or so many entries after it."""

    def search(moves: Moves) -> np.void | None:
        places = [place + after for place, move in enumerate(moves) if move["state"] == state]
        return moves[places[-1]] if places and places[-1] < len(moves) else None

    return search


def time_entered(state: State) -> Callable[[Moves], int]:
    return lambda moves: time_of(entry_of(state)(moves))


def time_left(state: State) -> Callable[[Moves], int]:
    return lambda moves: time_of(entry_of(state, 1)(moves))


def basis_of(move: np.void | None) -> int:
    return 0 if move is None else int(move["basis"])


OF_ENTRIES: dict[str, Callable[[Moves], int]] = {
    "established_time": time_entered(State.ESTABLISHED),
    "close_wait_time": time_entered(State.CLOSE_WAIT),
    "close_wait_end": time_left(State.CLOSE_WAIT),
    "close_wait_basis": lambda moves: basis_of(entry_of(State.CLOSE_WAIT)(moves)),
    "fin_wait_2_time": time_entered(State.FIN_WAIT_2),
    "fin_wait_2_end": time_left(State.FIN_WAIT_2),
    "time_wait_time": time_entered(State.TIME_WAIT),
    "through_closing": lambda moves: int(entry_of(State.CLOSING)(moves) is not None),
    "state_time": lambda moves: time_of(moves[-1] if moves else None),
    "state_basis": lambda moves: basis_of(moves[-1] if moves else None),
}


def dated_anew(entries: list[np.void]) -> bool:
    """Whether something came to the endpoint sooner than was thought at first, as what it sent next shows: the timeline
    was corrected, and the ledger was not."""
    return any(
        one["basis"] != Basis.SENT and two["basis"] == Basis.SENT and one["time"] == two["time"]
        for one, two in pairwise(entries)
    )


def not_kept(moves: Moves) -> set[str]:
    """Columns of the ledger that are not kept up to date with the timeline: how well TIME_WAIT is known, and when what
    it sent last left it, if the way there was measured later."""
    last = moves[-1] if moves else None
    if last is None:
        return set()
    found = {"state_basis"} if last["state"] == State.TIME_WAIT else set()
    return found | ({"state_time"} if last["basis"] == Basis.SENT else set())


def contradicting(connections: Iterator[Followed]) -> tuple[list[tuple[object, ...]], int]:
    """Columns of the ledger that say otherwise than the timeline, of endpoints of which nothing was taken back; and of
    how many of these."""
    wrong: list[tuple[object, ...]] = []
    count = 0
    for connection in connections:
        for number, end in enumerate(connection.observed.ends):
            moves = [move for move in connection.entries_of(number) if move["from_state"] != move["state"]]
            if end.undone or dated_anew(connection.entries_of(number)):
                continue
            count += 1
            for name, meant in OF_ENTRIES.items():
                if name not in not_kept(moves) and meant(moves) != int(connection.ends[number][name]):
                    wrong.append((connection.name, name, int(connection.flow["first_frame"]), meant(moves)))
    return wrong, count


def plain(connection: Followed) -> bool:
    """Whether nothing was taken back or merely noted, every FIN passed, and both opened it with one SYN each that
    carries nothing."""
    segments = [one.segment for one in connection.observed.seen]
    syns = [segment for segment in segments if segment.flags & SYN]
    opened = syns == segments[:2] and not any(syn.length or syn.flags & RST for syn in syns)
    opened = opened and not any(one.apart for one in connection.observed.seen[:2])
    moves = (connection.entries["from_state"] != connection.entries["state"]).all()
    inferred = any(end.fin_inferred for end in connection.observed.ends)
    return bool(len(syns) == 2 and opened and moves and not inferred and not connection.observed.undone)


def differing(connections: Iterator[Followed]) -> tuple[list[tuple[object, ...]], int]:
    """The entries that are told otherwise than they mean, and how many were compared."""
    wrong: list[tuple[object, ...]] = []
    count = 0
    for connection in filter(plain, connections):
        for number in (0, 1):
            previous, entries = 0, connection.entries_of(number)
            for entry, following in zip(entries, [*entries[1:], None], strict=True):
                meant = meaning(connection, Side(connection.observed, number), entry, previous)
                if entry["basis"] == Basis.ASSUMED and following is not None and following["basis"] == Basis.SENT:
                    meant = before_it_sent(meant, connection, int(following["frame"]))
                found = When(*(int(entry[name]) for name in ("time", "earliest", "latest")))
                previous = found.best
                count += meant is not None
                if meant not in (None, found):
                    wrong.append((connection.name, Event(entry["event"]).name, int(entry["frame"]), meant, found))
    return wrong, count


def before_it_sent(meant: When | None, connection: Followed, frame: int) -> When | None:
    """What came to it came before the segment of ``frame`` passed, which it sent next."""
    passed = [one.segment.time for one in connection.observed.seen if one.segment.frame == frame]
    if meant is None or not passed or meant.best <= passed[0]:
        return meant
    return meant._replace(best=max(meant.earliest, passed[0]))


def meaning(connection: Followed, side: Side, entry: np.void, previous: int) -> When | None:
    """What an entry's times mean; None where that is told in no few words: of FINs that cross, and of the RST of a host
    that may have lost the connection at any time."""
    event = Event(entry["event"])
    one = next((one for one in connection.observed.seen if one.segment.frame == entry["frame"]), None)
    if one is None or event not in MEANING or (event == Event.RCVD_FIN and one not in side.own):
        return None
    if event == Event.SENT_RST and side.answered and side.answered[1]:
        return None
    proves = event == Event.RCVD_ACK_OF_SYN and entry["basis"] == Basis.PROVEN
    proof = next((other for other in side.own if other.place > one.place), None) if proves else None
    return told(side, event, one, proof, previous)


@pytest.mark.parametrize("trouble", [0.0, 0.1])
def test_of_plausible_connections(trouble: float) -> None:
    rows, table = capture(900, 5, trouble), FlowTable()
    table.assign(rows)
    wrong, count = differing(followed("plausible", rows, table.rows))
    assert wrong == []
    assert count > 2000
    wrong, count = contradicting(followed("plausible", rows, table.rows))
    assert wrong == []
    assert count > 500


def test_of_captures_and_recordings() -> None:
    counts = np.zeros(2, np.int64)
    for path in filter(readable, [*OWN, *BETWEEN]):
        for place, compare in enumerate((differing, contradicting)):
            wrong, count = compare(of_capture(path))
            assert wrong == []
            counts[place] += count
    assert (counts > (2000, 700)).all()


@pytest.mark.parametrize("path", [*public(), *cases()])
def test_what_the_ledger_keeps_is_what_the_timeline_tells(path: Path) -> None:
    if not readable(path):
        pytest.skip("not read")
    assert contradicting(of_capture(path))[0] == []
