"""Rows of ENTRY kept in less room, and brought into the order of their flows: kernels, since there are a dozen a flow.

What is kept is written to memory or a file and read again, which costs by the byte: 24 instead of 38. As in the
tracker's log, a row's bounds are how far they are from its time, in 32 bits each; where that does not suffice, they
stand in a row of their own behind it.

Fence: only numpy inside; the typed wrapper is ``store``.
"""

import numpy as np

from analyzer.kernels import const, helper, kernel
from analyzer.tracker.flow_record import ENTRY
from analyzer.tracker.storage.layout import ELSEWHERE, UNBOUNDED

PACKED = np.dtype(
    [
        ("time", "<i8"),
        ("early", "<u4"),  # how long before the time ``earliest`` is; UNBOUNDED; ELSEWHERE: of both, see the next row
        ("late", "<u4"),  # how long after it ``latest`` is
        ("frame", "<u4"),
        ("codes", "<u4"),  # the side in bit 0, then the codes, as many bits each as in BITS
    ]
)
LOW = np.int64((1 << 32) - 1)
BITS = {"event": 5, "arrow": 8, "from_state": 4, "state": 4, "basis": 3, "note": 4}
EVENT, ARROW, FROM_STATE, STATE, BASIS, NOTE = (np.int64(bit) for bit in np.cumsum([1, *BITS.values()])[:-1])


@kernel(const(ENTRY), np.uint32, PACKED)
def pack(entries, lengths, packed):
    """Fill ``packed``, which has room for two rows an entry, with ``entries``; returns how many rows that took.

    ``lengths`` says how many entries each flow has, and afterwards how many rows it takes.
    """
    count, entry = np.int64(0), np.int64(0)
    for flow in range(len(lengths)):
        begin, end = count, entry + np.int64(lengths[flow])
        while entry < end:
            count = pack_one(entries[entry], packed, count)
            entry += 1
        lengths[flow] = count - begin
    return count


@helper
def pack_one(entry, packed, place):
    """Fill in a row, or two; returns the place behind them."""
    row, time = packed[place], np.int64(entry["time"])
    earliest, latest = np.int64(entry["earliest"]), np.int64(entry["latest"])
    row["time"], row["frame"] = time, entry["frame"]
    codes = (np.int64(entry["end"]) & 1) | np.int64(entry["event"]) << EVENT | np.int64(entry["arrow"]) << ARROW
    codes |= np.int64(entry["from_state"]) << FROM_STATE | np.int64(entry["state"]) << STATE
    row["codes"] = codes | np.int64(entry["basis"]) << BASIS | np.int64(entry["note"]) << NOTE
    early, late = time - earliest, latest - time
    if (earliest == 0 or 0 <= early < ELSEWHERE) and 0 <= late <= LOW:
        row["early"], row["late"] = early if earliest != 0 else UNBOUNDED, late
        return place + 1
    row["early"] = ELSEWHERE
    far = packed[place + 1]
    far["time"], far["early"], far["late"] = earliest, latest & LOW, latest >> 32 & LOW
    return place + 2


@kernel(const(PACKED), const(np.int64), const(np.int64), ENTRY)
def gather(packed, first, lengths, gathered):
    """Fill ``gathered`` with the entries in ``lengths[k]`` rows of ``packed`` from ``first[k]`` on, flow after flow,
    their ``end`` counting these; returns how many entries there are, not more than rows."""
    count = np.int64(0)
    for flow in range(len(first)):
        place, end = first[flow], first[flow] + lengths[flow]
        while place < end:
            entry = gathered[count]
            entry["end"] = 2 * flow
            place = unpack_one(packed, place, entry)
            count += 1
    return count


@helper
def unpack_one(packed, place, entry):
    """Fill in an entry; returns the place of the next. The flow is in ``end`` already."""
    row = packed[place]
    time, early, codes = np.int64(row["time"]), np.int64(row["early"]), np.int64(row["codes"])
    entry["time"], entry["frame"] = time, row["frame"]
    entry["end"] = np.int64(entry["end"]) | (codes & 1)
    entry["event"], entry["arrow"] = codes >> EVENT & 31, codes >> ARROW & 255
    entry["from_state"], entry["state"] = codes >> FROM_STATE & 15, codes >> STATE & 15
    entry["basis"], entry["note"] = codes >> BASIS & 7, codes >> NOTE & 15
    if early == ELSEWHERE:
        far = packed[place + 1]
        entry["earliest"], entry["latest"] = far["time"], np.int64(far["early"]) | np.int64(far["late"]) << 32
        return place + 2
    entry["earliest"] = np.int64(0) if early == UNBOUNDED else time - early
    entry["latest"] = time + np.int64(row["late"])
    return place + 1
