"""The slow, obvious twin of the flow kernels: dictionaries and objects, one segment at a time."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analyzer.flows.roles import port_ranks
from analyzer.segments.table import ACK, BAD_OFFSET, CUT_HEADER, PART, QUOTED, SHORT_QUOTE, SYN, UNTRACKED

End = tuple[int, int]  # address, port


@dataclass
class Flow:
    """One row of the table, as an object."""

    stream: int
    ends: tuple[End, End]
    previous: int
    guess: int
    quoted_only: bool = True
    isn: dict[int, int] = field(default_factory=dict)  # side -> ISN


class Numbering:
    """Numbers segments; ``flows`` and ``senders`` are what FlowTable would give."""

    def __init__(self) -> None:
        self.flows: list[Flow] = []
        self.senders: list[int] = []
        self._newest: dict[frozenset[End], Flow] = {}

    def take(self, batch: NDArray[np.void]) -> None:
        """Number all segments of ``batch``."""
        for segment in batch:
            names = segment.dtype.names or ()
            self.senders.append(self._sender(**{name: int(segment[name]) for name in names}))

    def _sender(self, *, seq: int, ack: int, flags: int, marks: int, **others: int) -> int:
        ends = (others["src"], others["src_port"]), (others["dst"], others["dst_port"])
        if marks & SHORT_QUOTE:
            known = self._newest.get(frozenset(ends))
            return 2 * known.stream + known.ends.index(ends[0]) if known else -1
        flow = self._newest.get(frozenset(ends)) or self._start(ends)
        side = flow.ends.index(ends[0])
        opening, accepting = flags & (SYN | ACK) == SYN, flags & (SYN | ACK) == SYN | ACK
        if opening and flow.isn.get(side, seq) != seq:
            flow, side = self._start(ends), 0
        if accepting and side in flow.isn:
            flow.isn[side] = seq
        length_known = not marks & (QUOTED | PART) and not (marks & BAD_OFFSET and marks & CUT_HEADER)
        if length_known:
            flow.isn.setdefault(side, seq if flags & SYN else (seq - 1) % 2**32)
            if flags & ACK:
                flow.isn.setdefault(1 - side, (ack - 1) % 2**32)
        if not marks & UNTRACKED:
            flow.quoted_only = False
        return 2 * flow.stream + side

    def _start(self, ends: tuple[End, End]) -> Flow:
        before = self._newest.get(frozenset(ends))
        ranks = [(port_ranks()[port], port) for _, port in ends]
        flow = Flow(len(self.flows), ends, before.stream if before else -1, guess=int(ranks[0] < ranks[1]))
        self.flows.append(flow)
        self._newest[frozenset(ends)] = flow
        return flow
