"""Values that recur: of many lengths of time those that are the same, whatever the others are.

A timer gives the same length on every connection; a person or a load gives many. So of the lengths of one group (a
server, a host) the window is sought that holds most of them and is no wider than a second, or one per cent; below 10 s
no wider than a tenth, because short lengths of any origin are less than a second apart.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.wording import threshold
from analyzer.units import SECOND


class Window(NamedTuple):
    """Lengths that are the same: how many (``size``), of how many (``among``), the least and the greatest, in ns."""

    size: int
    among: int
    least: int
    most: int


class Windows(NamedTuple):
    """The window of each group: ``codes`` has for each length its place in ``found``, that of the empty window for
    lengths outside the window of their group."""

    codes: NDArray[np.int64]
    found: list[Window]


def best_windows(group: NDArray[Any], length: NDArray[np.int64], fewest: int = 2) -> Windows:
    """For each group the window that holds most of its lengths; none for groups of fewer than ``fewest``. Of windows
    that hold as many, the shortest lengths."""
    order = np.lexsort((length, group))
    bounds = np.flatnonzero(np.diff(group[order], prepend=-1, append=-1))
    codes, found = np.zeros(len(order), np.int64), [Window(0, 0, 0, 0)]
    for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        if end - begin < fewest:
            continue
        some = length[order[begin:end]]
        width = np.maximum(np.minimum(SECOND, some // 10), some // 100)
        counts = np.searchsorted(some, some + width, "right") - np.arange(len(some))
        first = int(np.argmax(counts))
        count = int(counts[first])
        if count >= fewest:
            codes[order[begin + first : begin + first + count]] = len(found)
            found.append(Window(count, end - begin, int(some[first]), int(some[first + count - 1])))
    return Windows(codes, found)


def window_words(window: Window) -> str:
    """The lengths in words: ``10.002 s``, ``900 s to 900.4 s``."""
    least, most = threshold(window.least, "duration"), threshold(window.most, "duration")
    return least if least == most else f"{least} to {most}"
