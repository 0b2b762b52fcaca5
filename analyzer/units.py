"""Numbers as the whole program has them: nanoseconds, the one that stands for "not known", and a count with its noun.

Imported by what starts first and by kernels, so it needs nothing.
"""

SECOND = 1_000_000_000  # in nanoseconds, as all times are
UNKNOWN = -(1 << 63)  # in the rows of tables: a time, a length of time or a number that is not known (numpy's NaT)


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 packet``, ``1,204 packets``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
