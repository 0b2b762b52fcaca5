"""TCP stories as the field writes them: relative numbers, flag letters, and the states each segment shows.

A line is a segment and what its frame is the evidence for::

    +30 A F. 1:1 ack 1          | A FIN_WAIT_1, B CLOSE_WAIT~

``+30`` is the time since the segment before in milliseconds (10 without it), ``+0.000001`` a nanosecond, ``-2`` before
it; A or B sends; flags are letters of S, F, R, P and ``.`` for ACK; ``from:to`` are sequence numbers relative to the
sender's initial one, payload is what lies between. ``win``, ``ttl`` and ``byte`` (the first of its payload) may follow.
A state alone is one of high confidence (sent or proven), ``~`` one that is assumed, ``*`` one that a timer ends. A line
of only ``| ...`` names entries that no frame shows. What later segments take back is not in a story.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from analyzer.segments.table import HAS_IP_ID, SEGMENT

LINE = re.compile(
    r"(?:\+?(-?[\d.]+) +)?([AB]) +([SFRP.]+) +(\d+):(\d+)(?: ack (\d+))?(?: win (\d+))?(?: ttl (\d+))?(?: byte (\d+))?"
    r" *(?:\| *(.*))?"
)
LETTERS = {"F": 1, "S": 2, "R": 4, "P": 8, ".": 16}
MILLISECOND = 1_000_000
Expected = list[tuple[str, str, str]]  # endpoint, state, mark


@dataclass(frozen=True)
class Line:
    """One segment of a story."""

    pause: int
    side: int
    flags: int
    begin: int
    end: int
    ack: int
    window: int
    ttl: int
    byte: int
    shows: Expected


@dataclass(frozen=True)
class Told:
    """A story: its segments, and what no frame shows."""

    name: str
    lines: list[Line]
    unseen: Expected


def _expected(words: str) -> Expected:
    found = []
    for word in filter(None, (part.strip() for part in words.split(","))):
        end, state = word.split()
        found.append((end, state.rstrip("~*"), state[len(state.rstrip("~*")) :]))
    return found


def _line(text: str) -> Line:
    match = LINE.fullmatch(text.strip())
    assert match, text
    pause, who, letters, begin, end, ack, window, ttl, byte, shows = match.groups()
    flags = sum(LETTERS[letter] for letter in letters)
    numbers = (int(begin), int(end), int(ack or 0), int(window or 60_000), int(ttl or 64), int(byte or 0))
    return Line(nanoseconds(pause or "10"), "AB".index(who), flags, *numbers, _expected(shows or ""))


def nanoseconds(milliseconds: str) -> int:
    """A pause as a story has it."""
    return int(Decimal(milliseconds) * MILLISECOND)


def told(text: str) -> list[Told]:
    """The stories in a text: a title line, then lines of segments, an empty line between stories."""
    stories = []
    for block in re.split(r"\n\s*\n", text.strip()):
        title, *lines = block.strip().splitlines()
        unseen = [line for line in lines if line.strip().startswith("|")]
        segments = [_line(line) for line in lines if line not in unseen]
        stories.append(Told(title.strip(), segments, [e for line in unseen for e in _expected(line.strip(" |"))]))
    return stories


def batch(story: Told, isn: tuple[int, int] = (1000, 5000), start: int = 10**18) -> NDArray[np.void]:
    """The segments of a story; frames count from 1, A has address 0 and B 1."""
    rows = np.zeros(len(story.lines), SEGMENT)
    for row, line in zip(rows, story.lines, strict=True):
        syn, fin = bool(line.flags & 2), bool(line.flags & 1)
        row["src"], row["dst"] = line.side, 1 - line.side
        row["src_port"], row["dst_port"] = ((50000, 80), (80, 50000))[line.side]
        row["seq"] = (isn[line.side] + line.begin) % 2**32
        row["ack"] = (isn[1 - line.side] + line.ack) % 2**32 if line.flags & 16 else 0
        row["payload_len"] = line.end - line.begin - syn - fin if line.end > line.begin else 0
        row["flags"], row["window"] = line.flags, line.window
    rows["window_scale"] = -1
    rows["time"] = start + np.cumsum([line.pause for line in story.lines])
    rows["frame"] = np.arange(1, len(rows) + 1)
    rows["ip_id"] = np.arange(1, len(rows) + 1)
    rows["marks"], rows["sender"] = HAS_IP_ID, -1
    return rows
