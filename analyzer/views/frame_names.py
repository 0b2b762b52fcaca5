"""What people read of frames and times where several captures were given: each frame by its number in its own file."""

from collections.abc import Iterable
from string import ascii_uppercase

import numpy as np

from analyzer.capture.frame_files import FrameFiles
from analyzer.capture.gaps import Gaps
from analyzer.views.console import duration
from analyzer.views.escape import safe


class FrameNames:
    """The frames of one ladder: ``12``, or ``B:12`` where they are in more than one file."""

    def __init__(self, files: FrameFiles, frames: Iterable[int]) -> None:
        numbers = np.array(sorted(set(frames)), np.int64)
        file, own = files.locate(numbers)
        used = list(dict.fromkeys(file[file >= 0].tolist()))
        self._letters = {number: _letters(place) for place, number in enumerate(used)}
        self._files = {letters: safe(files.files[number]) for number, letters in self._letters.items()}
        self._where = dict(zip(numbers.tolist(), zip(file.tolist(), own.tolist(), strict=True), strict=True))

    def __getitem__(self, frame: int) -> str:
        file, own = self._where.get(frame, (-1, 0))
        if file < 0:
            return str(frame)
        return str(own) if len(self._files) == 1 else f"{self._letters[file]}:{own}"

    @property
    def legend(self) -> list[str]:
        """Which files these are, a line each; none where only one capture was given."""
        names = self._files.items()
        if len(names) < 2:
            return [f"frames of {name}" for _, name in names]
        return [f"frames {letters}: of {name}" for letters, name in names]


def _letters(number: int) -> str:
    """A to Z, then AA, AB and so on."""
    whole, rest = divmod(number, len(ascii_uppercase))
    return (_letters(whole - 1) if whole else "") + ascii_uppercase[rest]


def silence(begin: int, end: int, gaps: Gaps) -> str:
    """The time from ``begin`` to ``end``, in which no segment passed, in words: as far as anybody listened."""
    unwatched = sum(max(0, min(end, gap.end) - max(begin, gap.begin)) for gap in gaps.rows)
    lasted = duration((end - begin) / 1e9)
    if not unwatched:
        return f"{lasted} of silence"
    return f"{lasted}, for {duration(unwatched / 1e9)} of it nothing was being captured"
