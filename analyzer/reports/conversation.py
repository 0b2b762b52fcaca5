"""One connection's segments as a person follows them: relative numbers, repeats, and where nothing happens.

Sequence numbers are relative as in Wireshark: a side's SYN is 0; where its SYN was not captured, its first
captured byte is 1. They are differences modulo 2^32, so a connection that wraps reads like any other.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analyzer.reports.frames import epoch_ns
from analyzer.segments.table import ACK, AE, CWR, ECE, FIN, PSH, RST, SYN, URG

NAMES = (
    *((FIN, "FIN"), (SYN, "SYN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"), (URG, "URG")),
    *((ECE, "ECE"), (CWR, "CWR"), (AE, "AE")),
)
LETTERS = ((FIN, "F"), (SYN, "S"), (RST, "R"), (PSH, "P"), (URG, "U"), (ECE, "E"), (CWR, "W"), (ACK, "."))
RUN_SHOWN = 6  # a run of uneventful segments up to this long is shown whole
RUN_ENDS = 2  # of a longer one, so many at each end


@dataclass
class Conversation:
    """Columns of one length, a segment each, in the order of the capture."""

    frame: NDArray[np.int64]
    time: NDArray[np.int64]  # nanoseconds since 1970
    up: NDArray[np.bool_]  # from the client
    flags: NDArray[np.int64]
    seq: NDArray[np.int64]  # relative, signed: below 0 is older than the first
    ack: NDArray[np.int64]
    size: NDArray[np.int64]
    repeat: NDArray[np.bool_]  # payload that had been sent before
    keep_alive: NDArray[np.bool_]


def conversation(segments: pd.DataFrame, flow: "pd.Series[Any]") -> Conversation:
    """The segments of the stream that ``flow`` (a row of the flows) describes."""
    rows = segments[segments["stream"] == flow["stream"]].sort_values("frame", kind="stable")
    of_client = (rows["src_ip"].astype(object) == flow["client_ip"]) & (rows["src_port"] == flow["client_port"])
    up = of_client.to_numpy(dtype=bool)
    flags, size, raw, acked = (rows[name].to_numpy(np.int64) for name in ("flags", "payload_len", "seq", "ack"))
    base = {side: _base(side, up, flags, raw, acked) for side in (True, False)}
    seq = _relative(raw, np.where(up, base[True], base[False]))
    ack = _relative(acked, np.where(up, base[False], base[True]))
    repeat, keep_alive = _again(up, flags, seq, size)
    return Conversation(
        rows["frame"].to_numpy(np.int64),
        epoch_ns(rows["time_epoch"]),
        up,
        flags,
        seq,
        ack,
        size,
        repeat,
        keep_alive,
    )


def _base(side: bool, up: NDArray[Any], flags: NDArray[Any], seq: NDArray[Any], ack: NDArray[Any]) -> int:
    """The raw number that is 0 for this side: its SYN's, else the one before its first byte known."""
    own = up == side
    opening = own & (flags & SYN != 0)
    if opening.any():
        return int(seq[opening][0])
    if own.any():
        return int(seq[own][0]) - 1
    answered = ~own & (flags & ACK != 0)
    return int(ack[answered][0]) - 1 if answered.any() else 0


def _relative(raw: NDArray[np.int64], base: NDArray[np.int64]) -> NDArray[np.int64]:
    """``raw - base`` modulo 2^32, the last 64 MiB before the base as negative numbers."""
    difference = (raw - base) & 0xFFFFFFFF
    return np.where(difference >= 0xFFFFFFFF - (1 << 26), difference - (1 << 32), difference)


def _again(
    up: NDArray[Any], flags: NDArray[Any], seq: NDArray[Any], size: NDArray[Any]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which segments carry nothing new, and which of these are keep-alive probes (one before the next
    number)."""
    end = seq + size + (flags & FIN != 0) + (flags & SYN != 0)
    reached = np.empty_like(end)  # the highest end of the same side before each segment
    for side in (True, False):
        own = up == side
        highest = np.maximum.accumulate(end[own]) if own.any() else end[own]
        reached[own] = np.concatenate([[np.iinfo(np.int64).min], highest[:-1]])[: own.sum()]
    quiet = flags & (SYN | FIN | RST) == 0
    keep_alive = quiet & (seq == reached - 1) & (size <= 1)
    carries = (size > 0) | (flags & (SYN | FIN) != 0)
    return carries & (end <= reached) & ~keep_alive, keep_alive


def said(talk: Conversation, row: int, short: bool = False) -> str:
    """A segment in words: ``FIN,ACK seq 79 ack 1001``, or with flags as letters: ``F. seq 79 ack 1001``."""
    flags = int(talk.flags[row])
    if short:
        parts = ["".join(letter for bit, letter in LETTERS if flags & bit) or "none"]
    else:
        parts = [",".join(name for bit, name in NAMES if flags & bit) or "no flags"]
    parts.append(f"seq {talk.seq[row]}")
    parts += [f"ack {talk.ack[row]}"] if flags & ACK else []
    parts += [f"len {talk.size[row]}"] if talk.size[row] else []
    parts += ["again"] if talk.repeat[row] else []
    parts += ["keep-alive"] if talk.keep_alive[row] else []
    return " ".join(parts)


def folds(talk: Conversation, told: set[int]) -> list[tuple[int, int]]:
    """Stretches [start, end) to leave out: the middles of long runs without SYN, FIN, RST or a frame in
    ``told``."""
    eventful = (talk.flags & (SYN | FIN | RST) != 0) | np.isin(talk.frame, list(told))
    edges = np.flatnonzero(np.diff(np.concatenate([[True], eventful, [True]]).astype(np.int8)))
    runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(start + RUN_ENDS, end - RUN_ENDS) for start, end in runs if end - start > RUN_SHOWN]
