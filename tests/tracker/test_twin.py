"""The kernels against their slow twin: states entered, bases and frames, on random segments; compiled and not."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzer.flows.table import FLOW
from analyzer.segments.table import HAS_IP_ID, SEGMENT
from analyzer.settings import Settings
from analyzer.tcp.evidence import BASIS_WORDS, Basis
from analyzer.tcp.states import State
from analyzer.tracker.track import Tracker

from .naive import ACK, FIN, RST, SYN, Connection, Segment

LETTERS = [SYN, SYN | ACK, ACK, ACK, ACK, ACK, FIN | ACK, FIN | ACK, FIN | ACK, RST, RST | ACK]
PAUSES = [2_000, 200_000, 2_000_000, 11_000_000, 30_000_000, 250_000_000]
LENGTHS = [0, 0, 0, 0, 1, 5]
Story = list[tuple[str, str, int]]


def random_segments(count: int, length: int, seed: int) -> NDArray[np.void]:
    """``count`` connections of ``length`` segments, one after the other; numbers from a small space around the
    sequence numbers' wrap, so that they meet. Half of the connections open in order and go on with sense."""
    dice = np.random.default_rng(seed)
    rows = np.zeros(count * length, SEGMENT)
    start = np.array([2**32 - 3, 7], np.int64)
    place = np.tile(np.arange(length), count)
    side = dice.integers(0, 2, len(rows))
    opens = np.repeat(dice.random(count) < 0.5, length) & (place < 3)
    side = np.where(opens, place & 1, side)
    flags = np.where(opens, np.array([SYN, SYN | ACK, ACK])[np.minimum(place, 2)], dice.choice(LETTERS, len(rows)))
    reach = dice.choice([1, 1, 1, 2, 6, 7, 11], len(rows))
    ack = dice.choice([1, 1, 1, 2, 2, 6, 7, 8], len(rows))
    is_syn = flags & SYN > 0
    rows["seq"] = (start[side] + np.where(is_syn, 0, reach)) % 2**32
    rows["ack"] = np.where(flags & ACK, (start[1 - side] + np.where(opens, 1, ack)) % 2**32, 0)
    rows["flags"] = flags
    rows["payload_len"] = np.where(is_syn | (flags & RST > 0), 0, dice.choice(LENGTHS, len(rows)))
    rows["window"] = 60_000
    rows["frame"] = np.arange(1, len(rows) + 1)
    rows["time"] = 10**18 + np.cumsum(dice.choice(PAUSES, len(rows)))
    rows["ip_id"] = np.arange(1, len(rows) + 1) % 60_000 + 1
    rows["marks"] = HAS_IP_ID
    rows["sender"] = 2 * (np.arange(len(rows)) // length) + side
    return rows


def by_kernels(rows: NDArray[np.void], flows: int) -> list[Story]:
    """What the tracker makes of the segments: for each endpoint the states entered, with basis and frame."""
    table = np.zeros(flows, FLOW)
    table["previous"] = -1
    tracker = Tracker(Settings())
    tracker.feed(rows, table)
    seen = tracker.so_far(tracker.held, 0)
    client = seen.facts.flow("client")
    entered = seen.entries[seen.entries["state"] != seen.entries["from_state"]]
    stories: list[Story] = [[] for _ in range(2 * flows)]
    for end, state, basis, frame in entered[["end", "state", "basis", "frame"]].tolist():
        stories[end ^ int(client[end >> 1])].append((State(state).name, BASIS_WORDS[Basis(basis)], frame))
    return stories


def by_twin(rows: NDArray[np.void], flows: int) -> list[Story]:
    """The same from the twin."""
    connections = [Connection() for _ in range(flows)]
    fields = rows[["sender", "time", "frame", "seq", "ack", "flags", "payload_len", "window", "ip_id"]]
    for sender, *values in fields.tolist():
        connections[sender >> 1].take(sender & 1, Segment(*values))
    ends = [end for connection in connections for end in connection.ends]
    return [[(entry.state.name, entry.basis, entry.frame) for entry in end.story] for end in ends]


def compare(count: int, length: int, seed: int) -> None:
    rows = random_segments(count, length, seed)
    ours, theirs = by_twin(rows, count), by_kernels(rows, count)
    differ = [number for number in range(2 * count) if ours[number] != theirs[number]]
    shown = rows[rows["sender"] >> 1 == differ[0] >> 1] if differ else rows[:0]
    words = [(int(r["frame"]), int(r["sender"]) & 1, int(r["flags"]), int(r["seq"]), int(r["ack"])) for r in shown]
    assert not differ, (len(differ), differ[0] & 1, ours[differ[0]], theirs[differ[0]], words)


@pytest.mark.parametrize("length", [5, 8, 12])
def test_random_connections(length: int) -> None:
    compare(34_000, length, seed=length)


def test_the_same_without_compilation() -> None:
    code = "import sys; sys.path.insert(0, '.'); from tests.tracker.test_twin import compare; compare(150, 9, 3)"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2], env=environment)
