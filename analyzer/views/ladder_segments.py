"""One connection's segments as a person follows them: relative numbers, repeats, and where nothing happens.

Sequence numbers are relative as in Wireshark: a side's SYN is 0; where its SYN was not captured, its first
captured byte is 1. They are differences modulo 2^32, so a connection that wraps reads like any other. Numbers before
these are negative: of data sent before the capture began, or of an older connection on the same addresses and ports.
"""

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analyzer.results.pandas_types import epoch_ns
from analyzer.segments.table import ACK, AE, CWR, ECE, FIN, PSH, RST, SYN, URG
from analyzer.tcp.sequence import MODULUS, difference
from analyzer.tracker.limits import DUPLICATE_BLIND_NS

NAMES = (
    *((FIN, "FIN"), (SYN, "SYN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"), (URG, "URG")),
    *((ECE, "ECE"), (CWR, "CWR"), (AE, "AE")),
)
LETTERS = ((FIN, "F"), (SYN, "S"), (RST, "R"), (PSH, "P"), (URG, "U"), (ECE, "E"), (CWR, "W"), (ACK, "."))
RUN_SHOWN = 6  # a run of uneventful segments up to this long is shown whole
RUN_ENDS = 2  # of a longer one, so many at each end
NEAR = 1 << 20  # numbers of one connection follow each other this closely, if only one side's are missing
WINDOW = 1 << 30  # the widest there is: no number of a connection is further ahead
BEFORE_ALL = -(1 << 62)
NEW, AGAIN, KEEP_ALIVE, COPY = "", "again", "keep-alive", "captured twice"


@dataclass
class LadderSegments:
    """Columns of one length, a segment each, in the order of the capture."""

    frame: NDArray[np.int64]
    time: NDArray[np.int64]  # nanoseconds since 1970
    up: NDArray[np.bool_]  # from the client
    flags: NDArray[np.int64]
    seq: NDArray[np.int64]  # relative, signed: below 0 is older than the first
    ack: NDArray[np.int64]
    size: NDArray[np.int64]
    word: list[str]  # NEW, or what the segment is instead


def ladder_segments(segments: pd.DataFrame, flow: "pd.Series[Any]") -> LadderSegments:
    """The segments of the stream that ``flow`` (a row of the flows) describes."""
    rows = segments[segments["stream"] == flow["stream"]].sort_values("frame", kind="stable")
    of_client = (rows["src_ip"].astype(object) == flow["client_ip"]) & (rows["src_port"] == flow["client_port"])
    up, time = of_client.to_numpy(dtype=bool), epoch_ns(rows["time_epoch"])
    flags, size, raw, acked = (rows[name].to_numpy(np.int64) for name in ("flags", "payload_len", "seq", "ack"))
    sides = {side: SentSide(*_base(side, up, flags, raw, acked)) for side in (True, False)}
    columns = (column.tolist() for column in (up, flags, raw, acked, size, time))
    followed = [_follow(sides[own], sides[not own], *numbers) for own, *numbers in zip(*columns, strict=True)]
    seq, ack = (np.array([numbers[place] for numbers in followed], np.int64) for place in (0, 1))
    words = [word for _, _, word in followed]
    return LadderSegments(rows["frame"].to_numpy(np.int64), time, up, flags, seq, ack, size, words)


def _base(side: bool, up: NDArray[Any], flags: NDArray[Any], seq: NDArray[Any], ack: NDArray[Any]) -> tuple[int, int]:
    """The raw number that is 0 for this side, its SYN's, else the one before its first byte known; and the lowest
    relative number that the connection can have."""
    own = up == side
    opening = own & (flags & SYN != 0)
    if opening.any():
        return int(seq[opening][0]), 0
    if own.any():
        return int(seq[own][0]) - 1, -WINDOW
    answered = ~own & (flags & ACK != 0)
    return int(ack[answered][0]) - 1 if answered.any() else 0, -WINDOW


@dataclass
class SentSide:
    """What one side has sent so far, in relative numbers."""

    base: int
    lowest: int = 0
    reached: int | None = None  # the number behind the highest sent
    acked: int = BEFORE_ALL  # the highest that the other side acknowledged
    holes: list[tuple[int, int]] = field(default_factory=list)  # below ``reached``, ascending: what was not captured
    fins: set[int] = field(default_factory=set)  # the numbers behind its FINs: as data, a FIN's number may be old
    last: tuple[int, ...] = ()  # the last segment's numbers
    last_time: int = 0

    def relative(self, raw: int) -> int:
        """A number of this side, the nearest to where it stands."""
        stands = self.reached or 0
        return stands + int(difference(raw, self.base + stands))

    def take(self, start: int, end: int) -> bool:
        """The segment [start, end) was sent; returns whether all of it had been captured before."""
        if self.reached is None:
            self.reached, self.holes = end, [(BEFORE_ALL, start)]
            return False
        if start > self.reached:
            self.holes.append((self.reached, start))
        missing = start < self.reached and self._fill(start, end)
        known = end <= self.reached and not missing
        self.reached = max(self.reached, end)
        return known

    def _fill(self, start: int, end: int) -> bool:
        """[start, end) is captured now; returns whether any of it was missing."""
        first = last = bisect_left(self.holes, start, key=lambda hole: hole[1] - 1)  # the first that reaches beyond
        while last < len(self.holes) and self.holes[last][0] < end:
            last += 1
        pieces = [piece for low, high in self.holes[first:last] for piece in ((low, start), (end, high))]
        self.holes[first:last] = [piece for piece in pieces if piece[0] < piece[1]]
        return last > first


def _follow(
    own: SentSide, other: SentSide, flags: int, raw: int, acked: int, size: int, time: int
) -> tuple[int, int, str]:
    """Take in one segment: its numbers, and what it is instead of NEW."""
    seq, ack = own.relative(raw), other.relative(acked)
    end = seq + size + bool(flags & FIN) + bool(flags & SYN)
    word, last = NEW, (flags, seq, ack, size)
    if not flags & RST and not _strange(own, other, flags, seq, ack):
        before, known = own.reached, own.take(seq, end)
        if last == own.last and end > seq and 0 <= time - own.last_time <= DUPLICATE_BLIND_NS:
            word = COPY
        elif before is not None and seq == before - 1 and _probes(own, flags, size, before):
            word = KEEP_ALIVE
        elif known and end > seq and (not flags & FIN or end in own.fins):
            word = AGAIN
        if flags & FIN:
            own.fins.add(end)
        if flags & ACK:
            other.acked = max(other.acked, ack)
        own.last, own.last_time = last, time
    return seq, ack if flags & ACK else 0, word


def _probes(own: SentSide, flags: int, size: int, reached: int) -> bool:
    """Whether a segment that begins one before ``reached`` is a keep-alive: without new data, and not repeated for want
    of an acknowledgment."""
    return not flags & (SYN | FIN) and (size == 0 or (size == 1 and own.acked >= reached))


def _strange(own: SentSide, other: SentSide, flags: int, seq: int, ack: int) -> bool:
    """Whether the numbers are of another connection, an older one on the same addresses and ports."""
    if flags & SYN:
        return False
    stands = own.reached or 0
    if not flags & ACK or other.reached is None:
        return seq < own.lowest or seq - stands > WINDOW
    return (seq < own.lowest or seq - stands > NEAR) and not other.lowest <= ack <= other.reached + NEAR


def said(talk: LadderSegments, row: int, short: bool = False) -> str:
    """A segment in words: ``FIN,ACK seq 79 ack 1001``, or with flags as letters: ``F. seq 79 ack 1001``."""
    flags = int(talk.flags[row])
    if short:
        parts = ["".join(letter for bit, letter in LETTERS if flags & bit) or "none"]
    else:
        parts = [",".join(name for bit, name in NAMES if flags & bit) or "no flags"]
    parts.append(f"seq {_shown(talk.seq[row])}")
    parts += [f"ack {_shown(talk.ack[row])}"] if flags & ACK else []
    parts += [f"len {talk.size[row]}"] if talk.size[row] else []
    parts += [talk.word[row]] if talk.word[row] else []
    return " ".join(parts)


def _shown(number: int) -> int:
    """A relative number as Wireshark has it, modulo 2^32; those before the first stay negative."""
    return number if number < 0 else number % MODULUS


def folds(talk: LadderSegments, told: set[int]) -> list[tuple[int, int]]:
    """Stretches [start, end) to leave out: the middles of long runs without SYN, FIN, RST or a frame in
    ``told``."""
    eventful = (talk.flags & (SYN | FIN | RST) != 0) | np.isin(talk.frame, list(told))
    edges = np.flatnonzero(np.diff(np.concatenate([[True], eventful, [True]]).astype(np.int8)))
    runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(start + RUN_ENDS, end - RUN_ENDS) for start, end in runs if end - start > RUN_SHOWN]
