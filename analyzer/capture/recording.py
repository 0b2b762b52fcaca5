"""What is known of how the packets came to be recorded: in which files, and when nobody did."""

from typing import NamedTuple

from analyzer.capture.frame_files import FrameFiles
from analyzer.capture.gaps import Gaps


class Recording(NamedTuple):
    """Of one file, a pipe or an interface there is nothing to say."""

    frame_files: FrameFiles
    gaps: Gaps


def unbroken() -> Recording:
    """Of packets that come from one place."""
    return Recording(FrameFiles(), Gaps())
