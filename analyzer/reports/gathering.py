"""Rows of ENTRY brought into the order of their flows: a kernel, since there are a dozen for each flow.

Fence: only numpy inside; the typed wrapper is ``store``.
"""

import numpy as np

from analyzer.compiled import const, kernel
from analyzer.tracker.ending import ENTRY


@kernel(const(ENTRY), const(np.int64), const(np.int64), ENTRY)
def gather(entries, first, lengths, gathered):
    """Copy ``lengths[k]`` rows of ``entries`` from ``first[k]`` on, flow after flow; ``end`` counts these then."""
    count = np.int64(0)
    for flow in range(len(first)):
        for place in range(first[flow], first[flow] + lengths[flow]):
            gathered[count] = entries[place]
            gathered[count]["end"] = 2 * flow | (np.int64(entries[place]["end"]) & 1)
            count += 1
