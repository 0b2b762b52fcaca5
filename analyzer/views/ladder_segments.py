"""One connection's segments as a person follows them: relative numbers, and what each segment is.

Sequence numbers are relative as in Wireshark: a side's SYN is 0; where its SYN was not captured, the SYN-ACK tells its
number, and without one its first captured byte is 1. They are differences modulo 2^32, so a connection that wraps reads
like any other. Numbers before these are negative: of data sent before the capture began, or of an older connection on
the same addresses and ports.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analyzer.results.pandas_types import epoch_ns
from analyzer.segments.table import ACK, AE, CUT_HEADER, CWR, DUPLICATE, ECE, FIN, PSH, RST, SYN, URG
from analyzer.tcp.sequence import MODULUS, difference
from analyzer.views.sent_side import D_SACK, SACK, WINDOW, Followed, Numbers, Remark, SentSide

NAMES = (
    *((FIN, "FIN"), (SYN, "SYN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"), (URG, "URG")),
    *((ECE, "ECE"), (CWR, "CWR"), (AE, "AE")),
)
LETTERS = ((FIN, "F"), (SYN, "S"), (RST, "R"), (PSH, "P"), (URG, "U"), (ECE, "E"), (CWR, "W"), (ACK, "."))
Sacks = Mapping[int, Sequence[tuple[int, int]]]  # by frame: the blocks of its SACK option, raw numbers


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
    window: NDArray[np.int64]  # in bytes where the scale is known
    scaled: NDArray[np.bool_]  # whether it is
    word: list[str]  # NEW, or what the segment is instead
    remarks: dict[int, list[Remark]] = field(default_factory=dict)  # by row: what else is to be said

    def texts(self, row: int) -> list[str]:
        """All that is to be said of a segment beside its numbers."""
        return [*filter(None, [self.word[row]]), *(remark.text for remark in self.remarks.get(row, ()))]


def ladder_segments(segments: pd.DataFrame, flow: "pd.Series[Any]", sacks: Sacks | None = None) -> LadderSegments:
    """The segments of the stream that ``flow`` (a row of the flows) describes."""
    rows = segments[segments["stream"] == flow["stream"]].sort_values("frame", kind="stable")
    of_client = (rows["src_ip"].astype(object) == flow["client_ip"]) & (rows["src_port"] == flow["client_port"])
    up, time = of_client.to_numpy(dtype=bool), epoch_ns(rows["time_epoch"])
    flags, size, raw, acked = (rows[name].to_numpy(np.int64) for name in ("flags", "payload_len", "seq", "ack"))
    window, unit = _windows(rows, up, flags)
    copy = rows["marks"].to_numpy(np.int64) & DUPLICATE != 0
    sides = {side: SentSide(*_base(side, up, flags, raw, acked)) for side in (True, False)}
    talk = LadderSegments(
        rows["frame"].to_numpy(np.int64), time, up, flags, raw.copy(), acked.copy(), size, window, unit > 0, []
    )
    columns = (column.tolist() for column in (up, flags, raw, acked, size, time, window, unit, copy))
    _follow(talk, Followed(sides), columns)
    for row, blocks in _blocks(talk, acked, sacks or {}):
        talk.remarks.setdefault(row, []).append(blocks)
    return talk


def _follow(talk: LadderSegments, followed: Followed, columns: Any) -> None:
    """Fill in the relative numbers and what each segment is."""
    seqs, acks = list[int](), list[int]()
    for row, (up, flags, raw, acked, size, time, window, unit, copy) in enumerate(zip(*columns, strict=True)):
        own, other = followed.sides[up], followed.sides[not up]
        seq, ack = _relative(own, raw), _relative(other, acked)
        end = seq + size + (flags & FIN != 0) + (flags & SYN != 0)
        word, remarks = followed.take(up, Numbers(flags, seq, ack, size, time, window, unit, copy, end))
        talk.word.append(word)
        if remarks:
            talk.remarks[row] = remarks
        seqs.append(seq)
        acks.append(ack if flags & ACK else 0)
    talk.seq, talk.ack = np.array(seqs, np.int64), np.array(acks, np.int64)


def _relative(side: SentSide, raw: int) -> int:
    """A number of this side, the nearest to where it stands."""
    stands, plain = side.reached or 0, raw - side.base
    return plain if -WINDOW < plain - stands < WINDOW else stands + int(difference(raw, side.base + stands))


def _base(side: bool, up: NDArray[Any], flags: NDArray[Any], seq: NDArray[Any], ack: NDArray[Any]) -> tuple[int, int]:
    """The raw number that is 0 for this side, its SYN's, else the one before its first byte known; and the lowest
    relative number that the connection can have."""
    own = up == side
    opening = own & (flags & SYN != 0)
    if opening.any():
        return int(seq[opening][0]), 0
    answer = ~own & (flags & (SYN | ACK) == SYN | ACK)
    if answer.any():
        return int(ack[answer][0]) - 1, -WINDOW
    if own.any():
        return int(seq[own][0]) - 1, -WINDOW
    answered = ~own & (flags & ACK != 0)
    return int(ack[answered][0]) - 1 if answered.any() else 0, -WINDOW


def _windows(
    rows: pd.DataFrame, up: NDArray[np.bool_], flags: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The windows, in bytes where the scale is known, and what each is a multiple of (0 where it is not)."""
    window, scale = (rows[name].to_numpy(np.int64) for name in ("window", "window_scale"))
    whole = (flags & SYN != 0) & (rows["marks"].to_numpy(np.int64) & CUT_HEADER == 0)
    offered = [scale[whole & (up == side)][:1].tolist() for side in (True, False)]  # each side's, once its SYN was seen
    unit = np.ones(len(window), np.int64)
    if [-1] not in offered:  # no scaling where one side offers none
        known = [1 << offer[0] if offer and all(offered) else 0 for offer in offered]
        unit = np.where(flags & SYN != 0, 1, np.where(up, *known))
    return window * np.maximum(unit, 1), unit


def _blocks(talk: LadderSegments, acked: NDArray[np.int64], sacks: Sacks) -> list[tuple[int, Remark]]:
    """What the SACK options say, in relative numbers; a first block that was acknowledged before, or lies within the
    second, tells of what came twice (RFC 2883)."""
    found = []
    for row in np.flatnonzero(np.isin(talk.frame, [*sacks])).tolist() if sacks else ():
        ack, raw = int(talk.ack[row]), int(acked[row])
        blocks = [[ack + int(difference(edge, raw)) for edge in edges] for edges in sacks[int(talk.frame[row])]]
        first, second = blocks[0], blocks[1] if len(blocks) > 1 else [0, 0]
        twice = first[1] <= ack or (second[0] <= first[0] and first[1] <= second[1])
        texts = [f"{_shown(begin)}-{_shown(end)}" for begin, end in blocks]
        if twice:
            found.append((row, Remark(D_SACK, f"{D_SACK} {texts.pop(0)}")))
        if texts:
            found.append((row, Remark(SACK, f"{SACK} {' '.join(texts)}")))
    return found


def said(talk: LadderSegments, row: int, short: bool = False) -> str:
    """A segment in words: ``FIN,ACK seq 79 ack 1001``, or with flags as letters: ``F. seq 79 ack 1001``."""
    return " ".join([flags_text(talk, row, short), *numbers_texts(talk, row), *talk.texts(row)])


def flags_text(talk: LadderSegments, row: int, short: bool = False) -> str:
    """The flags as names or as letters."""
    flags = int(talk.flags[row])
    if short:
        return "".join(letter for bit, letter in LETTERS if flags & bit) or "none"
    return ",".join(name for bit, name in NAMES if flags & bit) or "no flags"


def numbers_texts(talk: LadderSegments, row: int) -> list[str]:
    """Its numbers: ``seq 79``, ``ack 1001``, ``len 20``; those that say nothing are left out."""
    acked = [f"ack {_shown(talk.ack[row])}"] if talk.flags[row] & ACK else []
    return [f"seq {_shown(talk.seq[row])}", *acked, *([f"len {talk.size[row]}"] if talk.size[row] else [])]


def window_text(talk: LadderSegments, row: int) -> str:
    """``win 64256``, or ``raw win 502`` where its scale is not known."""
    return f"{'' if talk.scaled[row] else 'raw '}win {talk.window[row]}"


def _shown(number: int) -> int:
    """A relative number as Wireshark has it, modulo 2^32; those before the first stay negative."""
    return number if number < 0 else number % MODULUS
