"""Segments that were decoded before, in place of packets: the same analysis goes on from there.

PredecodedStream  gives rows of SEGMENT where a capture gives rows of PACKET
PredecodedDecoder hands them on, and knows of the capture what decoding would have found out
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.packets import Packets
from analyzer.capture.recording import Recording, unbroken
from analyzer.errors import Notice
from analyzer.memory import copy_rows
from analyzer.segments.addresses import AddressBook
from analyzer.segments.decode import Decoder
from analyzer.segments.table import SEGMENT
from analyzer.times import NEVER, inner

NO_BYTES: NDArray[np.uint8] = np.zeros(0, np.uint8)


@dataclass
class PredecodedSegments:
    """Segments of a capture in the order of its frames, quotations among them; ``book`` has their addresses. The rest
    is what else was known of the capture; times are ns since 1970, None where there was no packet."""

    rows: NDArray[np.void]
    book: AddressBook
    first_ns: int | None
    last_ns: int | None
    packets: int
    not_understood: dict[str, int] = field(default_factory=dict)
    recording: Recording = field(default_factory=unbroken)


class PredecodedDecoder(Decoder):
    """Decodes what is decoded already."""

    def __init__(self, segments: PredecodedSegments) -> None:
        super().__init__(segments.book)
        self.first_ns = NEVER if segments.first_ns is None else inner(segments.first_ns)
        self.last_ns = NEVER if segments.last_ns is None else inner(segments.last_ns)
        self._counts = segments.not_understood

    @property
    def counts(self) -> dict[str, int]:
        """As when the packets were decoded."""
        return self._counts

    def decode(self, packets: Packets, room: NDArray[np.void] | None = None) -> NDArray[np.void]:
        """The same rows in ``room``, as later stages write into them."""
        rows = packets.rows
        return rows.copy() if room is None else copy_rows(rows, room[: len(rows)])


class PredecodedStream:
    """The segments as a source; the interface is that of CaptureStream."""

    bytes_read, bytes_total = 0, 0

    def __init__(self, segments: PredecodedSegments) -> None:
        self.packets, self.recording, self._rows = segments.packets, segments.recording, segments.rows
        self.notices: list[Notice] = []
        self.link_types: Counter[int] = Counter()
        self.interfaces = range(1 + int(segments.rows["interface"].max(initial=0)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open."""

    def __iter__(self) -> Iterator[Packets]:
        assert self._rows.dtype == SEGMENT
        yield Packets(NO_BYTES, self._rows)
