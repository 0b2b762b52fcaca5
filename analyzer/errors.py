"""What can go wrong with the input, as exceptions, and what goes partly wrong, as notices.

    TeardownError                 base: one line for the user, exit status 2
    ├── UnreadableCapture         the file cannot be analysed at all
    ├── UsageError                what was asked for does not fit the capture or the options
    ├── UnwritableOutput          a result cannot be written: no room, no permission
    ├── UnusableRule              a rule of findings cannot work: its file says what it could never see
    └── NotCompiled               there is no machine code for the loops over packets, and no numba to make it

A message says what is wrong, where (file, byte offset, packet) and what to do. Trouble after which the analysis
goes on is no exception but a :class:`Notice`; the reports print all of them.
"""

import errno
from typing import NamedTuple

MAY_NOT = "; name another folder, or run as a user who may write there"
TO_DO = {errno.EACCES: MAY_NOT, errno.EPERM: MAY_NOT, errno.EROFS: "; name a folder on another file system"}


class TeardownError(Exception):
    """Base of every error whose text is written for the user."""


class UnreadableCapture(TeardownError):
    """The capture cannot be analysed at all: missing, empty, not a capture, or of an unknown format."""


class UsageError(TeardownError):
    """What was asked for does not fit: an unknown stream, an unknown code, a bad time."""


class UnwritableOutput(TeardownError):
    """A result cannot be written: the disk is full, the folder is not ours, the reader has gone."""


def unwritable(what: str, error: OSError) -> UnwritableOutput:
    """What the operating system said of an output, as one line for the user."""
    return UnwritableOutput(f"{what}: {error.strerror or error}{TO_DO.get(error.errno or 0, '')}")


class UnusableRule(TeardownError):
    """A file of a finding cannot work as it stands: it asks for what no rule is given, or lacks something."""


class NotCompiled(TeardownError):
    """The kernels that were compiled are missing or of other sources, and numba is not installed."""


class Notice(NamedTuple):
    """Something the user must know about the input that did not stop the analysis.

    ``text`` is one line, complete in itself: it names the file, the byte offset and the packet where they matter.
    ``skipped``: it says that a file was left out.
    """

    text: str
    skipped: bool = False
