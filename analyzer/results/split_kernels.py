"""Rows turned into columns: some fields of each row, those of one name behind one another.

It is done block by block, so that a row is read from memory once, not once for each of its fields.

Fence: only numpy and addresses inside; the typed wrapper is ``store.SpooledColumns``.
"""

import numpy as np

from analyzer.kernels import const, helper, kernel, record_at

FIELD = np.dtype([("offset", "<i8"), ("size", "<i8"), ("to", "<i8")])  # in a row; bytes; where its column stands
BLOCK = 64  # rows, which the processor's first cache holds
_u1, _u2, _u4, _i8 = (record_at(np.dtype([("value", kind)])) for kind in ("u1", "<u2", "<u4", "<i8"))


@kernel(int, int, int, int, const(FIELD))
def split(rows, size, count, begin, fields):
    """Write the ``fields`` of ``count`` rows of ``size`` bytes, which stand at the address ``rows``, to their columns,
    from the place ``begin`` on."""
    for first in range(0, count, BLOCK):
        some = min(BLOCK, count - first)
        for number in range(len(fields)):
            field = fields[number]
            copy_field(
                rows + first * size + field["offset"],
                size,
                some,
                np.int64(field["size"]),
                np.int64(field["to"]),
                begin + first,
            )


@helper
def copy_field(address, size, count, width, column, place):
    """Write one field of ``count`` rows; a loop for each width."""
    if width == 8:
        for row in range(count):
            _i8(column, place + row)["value"] = _i8(address + row * size, np.int64(0))["value"]
    elif width == 4:
        for row in range(count):
            _u4(column, place + row)["value"] = _u4(address + row * size, np.int64(0))["value"]
    elif width == 2:
        for row in range(count):
            _u2(column, place + row)["value"] = _u2(address + row * size, np.int64(0))["value"]
    else:
        for row in range(count):
            _u1(column, place + row)["value"] = _u1(address + row * size, np.int64(0))["value"]
