"""The rows of the event log in memory: what happened to the endpoints of a flow."""

import numpy as np

# The rows in memory, without gaps: only ``event_log`` reads and writes what is packed and what bounds them.
LOG = np.dtype(
    [
        ("time", "<i8"),  # best time
        ("frame", "<u4"),  # 0 where no packet shows it
        ("early", "<u4"),  # how long before the best time the earliest is
        ("late", "<u4"),  # how long after it the latest is
        ("event", "u1"),  # Event; with the state before it says which arrow of the transition table it is
        ("states", "u1"),  # the state before << 4 | the state it leaves the endpoint in
        ("basis", "u1"),
        ("note", "u1"),  # Note | OTHER_SIDE | VOID
    ]
)
UNBOUNDED, ELSEWHERE = np.int64((1 << 32) - 1), np.int64((1 << 32) - 2)  # ``early``: no bound; both in a row of FAR
OTHER_SIDE = 1 << 4  # it is an entry of side 1
VOID = 1 << 5  # a later segment took it back

# A flow takes rows of the log by blocks, chained in the order in which it took them; block 0 belongs to nobody.
ROWS_A_BLOCK = 2
BLOCK = np.dtype([("next_block", "<i4"), ("block_before", "<i4")])
FAR = np.dtype([("next_far", "<i4"), ("_", "<i4"), ("earliest", "<i8"), ("latest", "<i8")])  # bounds far from the time
