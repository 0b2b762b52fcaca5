"""The log in memory: rows of a flow in chained blocks, as small as may be.

An entry's bounds lie within seconds of its best time nearly always, so a row holds how far before and after it they
are, in 32 bits each; where that does not suffice, they stand in a row of a pool of their own.
"""

import numpy as np

from analyzer.kernels import helper, prefetch, record_at
from analyzer.memory import LINE
from analyzer.tracker.storage.layout import BLOCK, ELSEWHERE, FAR, LOG, OTHER_SIDE, ROWS_A_BLOCK, UNBOUNDED, VOID
from analyzer.tracker.storage.pools import BLOCKS, FARS, give_back, next_free, take

LOG_BYTES = np.int64(LOG.itemsize)
_log, _block, _far = record_at(LOG), record_at(BLOCK), record_at(FAR)


@helper
def log_at(context, row):
    """A row of the log."""
    return _log(context["log"], np.int64(row))


@helper
def fill_row(entry, side, event, before, state, basis, note):
    """Enter in a new row what happened."""
    entry["event"] = event
    entry["states"] = before << 4 | state
    entry["basis"] = basis
    entry["note"] = note | (OTHER_SIDE if side else 0)


@helper
def state_in(entry):
    """The state that an entry leaves the endpoint in."""
    return np.int64(entry["states"]) & 15


@helper
def state_before(entry):
    """The state that it found the endpoint in."""
    return np.int64(entry["states"]) >> 4


@helper
def side_in(entry):
    """The endpoint's side."""
    return np.int64(1) if np.int64(entry["note"]) & OTHER_SIDE else np.int64(0)


@helper
def note_in(entry):
    """What else is to be said of it (Note)."""
    return np.int64(entry["note"]) & (OTHER_SIDE - 1)


@helper
def is_void(entry):
    """Whether a later segment took it back."""
    return np.int64(entry["note"]) & VOID != 0


@helper
def make_void(entry):
    entry["note"] = np.int64(entry["note"]) | VOID


@helper
def block_at(context, block):
    """A block of the log."""
    return _block(context["blocks"], np.int64(block))


@helper
def first_block(context, f):
    """The first block of the log of flow ``f``, 0 where it has none: the chain of its blocks is closed to a ring."""
    return np.int64(block_at(context, np.int64(f["last_block"]))["next_block"])


@helper
def new_log_row(context, f):
    """The next row of the log of flow ``f``. The caller has made sure that there is room."""
    place = np.int64(f["log_rows"]) % ROWS_A_BLOCK
    if place == 0:
        block = take(context, BLOCKS)
        last = np.int64(f["last_block"])
        block_at(context, block)["block_before"] = last
        block_at(context, block)["next_block"] = first_block(context, f) if last > 0 else block
        if last > 0:
            block_at(context, last)["next_block"] = block
        f["last_block"] = block
        prefetch_rows(context)
    f["log_rows"] = f["log_rows"] + 1
    return np.int64(f["last_block"]) * ROWS_A_BLOCK + place


@helper
def prefetch_rows(context):
    """Have the rows brought near that whoever wants a block next will be given: they were last used a minute ago."""
    block = next_free(context, BLOCKS)
    if block >= 0:
        for offset in range(0, ROWS_A_BLOCK * LOG_BYTES, LINE):
            prefetch(context["log"] + block * ROWS_A_BLOCK * LOG_BYTES + offset)


@helper
def row_before(context, row):
    """The row of the same endpoint before ``row``, 0 where there is none."""
    side = side_in(log_at(context, row))
    while row > 0:
        if row % ROWS_A_BLOCK > 0:
            row -= 1
        else:
            row = np.int64(block_at(context, row // ROWS_A_BLOCK)["block_before"]) * ROWS_A_BLOCK
            row += ROWS_A_BLOCK - 1 if row > 0 else 0
        if row > 0 and side_in(log_at(context, row)) == side:
            return row
    return np.int64(0)


@helper
def earliest_of(context, entry):
    """The moment before which an entry did not happen, 0 where there is no bound."""
    if entry["early"] == ELSEWHERE:
        return np.int64(_far(context["far"], np.int64(entry["late"]))["earliest"])
    return np.int64(0) if entry["early"] == UNBOUNDED else np.int64(entry["time"]) - np.int64(entry["early"])


@helper
def latest_of(context, entry):
    """The moment after which an entry did not happen."""
    if entry["early"] == ELSEWHERE:
        return np.int64(_far(context["far"], np.int64(entry["late"]))["latest"])
    return np.int64(entry["time"]) + np.int64(entry["late"])


@helper
def bound(context, entry, earliest, latest):
    """Set the bounds of an entry whose best time is set; a best time beyond them counts as the bound."""
    free_bounds(context, entry)
    set_bounds(context, entry, np.int64(entry["time"]), earliest, latest)


@helper
def set_bounds(context, entry, time, earliest, latest):
    """The same of a new entry, whose best time is ``time``."""
    earliest = max(earliest, np.int64(0))  # what was counted back from something that never happened is no bound either
    early = min(time - earliest, ELSEWHERE) if earliest > 0 else UNBOUNDED
    late = max(np.int64(0), latest - time)
    if (early < ELSEWHERE or early == UNBOUNDED) and late < ELSEWHERE:
        entry["early"], entry["late"] = max(np.int64(0), early), late
        return
    row = take(context, FARS)
    far = _far(context["far"], row)
    far["earliest"], far["latest"] = earliest, max(latest, time)
    entry["early"], entry["late"] = ELSEWHERE, row


@helper
def free_bounds(context, entry):
    """Give back what an entry's bounds have taken."""
    if entry["early"] == ELSEWHERE:
        give_back(context, FARS, np.int64(entry["late"]))
        entry["early"] = 0
