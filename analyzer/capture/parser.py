"""What the parsers of all formats have in common, and what they note of the capture."""

from typing import Any, Protocol

from numpy.typing import NDArray

from analyzer.capture.interfaces import Interfaces
from analyzer.errors import Notice, UnreadableCapture
from analyzer.units import counted

# A packet larger than this is a damaged length, unless the file's own snapshot length says otherwise. It is what
# tcpdump and Wireshark write at most and what Wireshark believes at most, so that both stop at the same place.
LARGEST_PACKET = 262_144
# No file is believed beyond this: Wireshark's limit for the largest link types (USB, D-Bus) and for pcapng blocks,
# and with it the most that a buffer grows to for one record.
LARGEST_RECORD = 128 * 1024 * 1024


class TimeOrigin:
    """The moment from which times count in files whose dates cannot be told (see ``dates``); one for all files of a
    capture, so that a ring of them stays in order."""

    def __init__(self) -> None:
        self.second: int | None = None  # since 1970; None while there is no such file


class CaptureInfo:
    """What is known of the capture as a whole, for all of its files: notices and interfaces."""

    def __init__(self, time_origin: TimeOrigin | None = None) -> None:
        self.notices: list[Notice] = []
        self._said: set[str] = set()
        self.interfaces = Interfaces()
        self.time_origin = time_origin or TimeOrigin()

    def note(self, text: str, skipped: bool = False) -> None:
        """Add a notice once."""
        if text not in self._said:
            self._said.add(text)
            self.notices.append(Notice(text, skipped))

    def skip(self, error: UnreadableCapture) -> None:
        """Note that a file was left out, and why."""
        self.note(f"skipped: {error}", skipped=True)


class Parser(Protocol):
    """Turns the bytes of one file into rows, chunk by chunk."""

    finished: bool  # nothing more can be read, whatever bytes follow

    @property
    def tick(self) -> int:
        """Nanoseconds in the unit of the file's times; 1 where each interface has its own."""

    @property
    def frames(self) -> int:
        """Frame numbers used so far."""

    @property
    def captured_until(self) -> int | None:
        """Until when the file says that it was captured into, by what was read so far; None where it does not."""

    def parse(self, data: NDArray[Any], at: int, end: int, base: int, rows: NDArray[Any]) -> tuple[int, int]:
        """Fill ``rows`` from ``data[at:end]``; return where the first record not read begins, and rows filled.

        ``base`` is the place of ``data[0]`` in the capture, for messages. Stops when the rows are full, when the
        next record is not wholly there, or when nothing more can be read (then ``finished`` is set).
        """

    def end(self, left: int, at: int) -> None:
        """The bytes end here, ``left`` of them unread from byte ``at`` on: note what is to be said of the file."""


def note_cut(info: CaptureInfo, name: str, left: int, at: int, frames: int) -> None:
    """The file ends in the middle of a record."""
    if left:
        info.note(
            f"{name}: cut short in the middle of packet {frames + 1:,}, which begins at byte {at:,} "
            f"(only {counted(left, 'byte')} of it {'is' if left == 1 else 'are'} in the file); everything before it "
            "was analysed"
        )
