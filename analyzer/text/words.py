"""Byte strings by number, in one piece of memory, as the kernels look them up."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

SLACK = 64
"""Bytes of memory behind the last text: kernels copy whole words of the processor and look at none of the excess."""


@dataclass(frozen=True, eq=False)
class Words:
    """Word ``k`` is ``data[starts[k]:starts[k + 1]]``; ``data`` (uint8) is SLACK bytes longer than that needs."""

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Words":
        """The texts as UTF-8."""
        coded = [text.encode() for text in texts]
        starts = np.zeros(len(coded) + 1, np.int64)
        np.cumsum([len(text) for text in coded], out=starts[1:])
        return cls(np.frombuffer(b"".join(coded) + bytes(SLACK), np.uint8), starts)

    @classmethod
    def pairs(cls, heads: Sequence[str], tails: Sequence[str]) -> "Words":
        """Each of ``heads`` with each of ``tails`` behind it; those with the first head first."""
        first, last = [text.encode() for text in heads], [text.encode() for text in tails]
        starts = np.zeros(len(first) * len(last) + 1, np.int64)
        sizes = np.add.outer([len(text) for text in first], [len(text) for text in last])
        np.cumsum(sizes, out=starts[1:])
        text = b"".join(head.join((b"", *last)) for head in first)
        return cls(np.frombuffer(text + bytes(SLACK), np.uint8), starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, place: int) -> bytes:
        return bytes(self.data[self.starts[place] : self.starts[place + 1]])

    def texts(self) -> list[str]:
        """All of them as strings."""
        text, starts = bytes(self.text).decode(), (self.starts - self.starts[0]).tolist()
        if len(text) == starts[-1]:
            return list(map(text.__getitem__, map(slice, starts, starts[1:])))
        return [self[place].decode() for place in range(len(self))]

    @cached_property
    def longest(self) -> int:
        """Bytes of the longest word, 0 where there is none."""
        return int(np.diff(self.starts).max(initial=0))

    @cached_property
    def addresses(self) -> tuple[int, int]:
        """Where ``data`` and ``starts`` are in memory."""
        return self.data.ctypes.data, self.starts.ctypes.data

    @property
    def text(self) -> NDArray[np.uint8]:
        """All of them, one behind the other: what is written to a file."""
        return self.data[self.starts[0] : self.starts[-1]]


def quoted(text: str) -> str:
    """A cell of a CSV file, in quotes where RFC 4180 asks for them."""
    if '"' in text or "," in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text
