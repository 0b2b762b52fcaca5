"""The capture as its user sees it: any number of files as one stream of packets, and what is to be said of them."""

import io
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.byte_stream import ByteStream, RawBytes
from analyzer.capture.compression import unpacked
from analyzer.capture.frame_files import FrameFiles
from analyzer.capture.gaps import Gaps
from analyzer.capture.interfaces import Interface, harmless
from analyzer.capture.merge import MERGE_MEMORY, Merge, OpenCapture, natural
from analyzer.capture.packet_source import BATCH, PacketSource
from analyzer.capture.packets import Packets
from analyzer.capture.parser import CaptureInfo
from analyzer.capture.recording import Recording
from analyzer.errors import Notice, UnreadableCapture, UsageError
from analyzer.units import counted

PROBE = 256 * 1024  # size of the buffer with which a file's first packet is looked for


class CaptureStream:
    """The packets of all files as batches, in order; what is to be said about them grows while they are read.

    An iterator and a context manager. A batch's memory is used again for the next one.
    """

    def __init__(
        self,
        files: Sequence[OpenCapture],
        info: CaptureInfo,
        given: Sequence[str] = (),
        gap_ns: int = 0,
        skip_bad: bool = False,
    ) -> None:
        self.packets = 0  # handed out so far
        self.only: NDArray[np.int64] | None = None  # the frames that are wanted, where that is not all of them
        self._info = info
        self._files = sorted(files, key=lambda file: (file.first_time, natural(file.path)))
        several = len(given) > 1
        self.recording = Recording(FrameFiles([file.path for file in self._files], several), Gaps(gap_ns, given))
        self._batches: Iterator[Packets] = Merge(self._files, info, self.recording, skip_bad).batches()

    @property
    def paths(self) -> list[str]:
        """The files in the order in which they are read."""
        return [file.path for file in self._files]

    @property
    def notices(self) -> list[Notice]:
        return self._info.notices

    @property
    def interfaces(self) -> list[Interface]:
        return self._info.interfaces.listed

    @property
    def link_types(self) -> Counter[int]:
        """Packets read so far by link type."""
        return self._info.interfaces.link_types()

    @property
    def bytes_read(self) -> int:
        """Bytes of the files as they lie on disk, read so far."""
        return sum(file.taken for file in self._files)

    @property
    def bytes_total(self) -> int | None:
        """Bytes of all files as they lie on disk; None where one of them is a pipe."""
        sizes = [file.size for file in self._files]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def __iter__(self) -> "CaptureStream":
        return self

    def __next__(self) -> Packets:
        batch = next(self._batches, None)
        if batch is None:
            self._note_lost()
            self.recording.frame_files.settle()
            raise StopIteration
        if self.only is not None:
            batch = Packets(batch.data, batch.rows[np.isin(batch.rows["frame"], self.only)])
        self.packets += len(batch.rows)
        return batch

    def __enter__(self) -> "CaptureStream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all files; nothing comes after it."""
        self._batches = iter(())
        for file in self._files:
            file.close()

    def _note_lost(self) -> None:
        for number, interface in enumerate(self.interfaces):
            if interface.dropped:
                self._info.note(
                    f"the capture reports {counted(interface.dropped, 'packet')} lost on interface {number}"
                    f"{' ' + interface.name if interface.name else ''}"
                )


def open_files(paths: Sequence[str | os.PathLike[str]], gap_ns: int, skip_bad: bool = False) -> CaptureStream:
    """All captures named as one. See :func:`analyzer.capture.open_captures`."""
    info, given = CaptureInfo(), [os.fspath(path) for path in paths]
    names = chosen(given, info)
    files = [OpenCapture(name) for name in names]
    if len(files) == 1:
        files[0].open(info, BATCH)
        return CaptureStream(files, info, given)
    bad = []
    try:
        for file in sorted(files, key=lambda file: natural(file.path)):
            try:
                look_ahead(file, info)
            except UnreadableCapture as error:
                if not skip_bad:
                    raise UnreadableCapture(f"{error} (--skip-bad reads the others)") from None
                info.skip(error)
                bad.append(file)
        if len(bad) == len(files):
            raise UnreadableCapture(f"none of {len(files)} captures can be read; {info.notices[0].text}")
    except BaseException:
        for file in files:
            file.close()
        raise
    # what a ring had in a file that was skipped is missing
    known = [name for name in given if name not in {file.path for file in bad}]
    return CaptureStream([file for file in files if file not in bad], info, known, gap_ns, skip_bad)


def open_file(file: io.FileIO, name: str) -> CaptureStream:
    """See :func:`analyzer.capture.open_pipe`."""
    return open_stream(unpacked(RawBytes(file, name)), name)


def open_stream(stream: ByteStream, name: str) -> CaptureStream:
    """The capture whose bytes ``stream`` gives. ``name`` is the file that commands are to name, ``-`` where there is
    none."""
    info = CaptureInfo()
    only = OpenCapture(name)
    try:
        only.source = PacketSource(stream, info)
    except BaseException:
        stream.close()
        raise
    only.size = stream.size
    only.start()
    return CaptureStream([only], info)


def chosen(names: Sequence[str], info: CaptureInfo) -> list[str]:
    """The files to read: each once, and among several no empty ones (a ring's next file may be waiting)."""
    if not names:
        raise UsageError("no capture was named")
    if names.count("-") > 1:
        raise UsageError("standard input (-) can be read only once")
    kept: dict[object, str] = {}
    empty = []
    for name in names:
        facts = facts_of(name)
        key = name if facts is None else (facts.st_dev, facts.st_ino)
        if key in kept:
            info.note(_twice(name, kept[key]))
        elif facts is not None and facts.st_size == 0 and len(names) > 1:
            empty.append(name)
        else:
            kept[key] = name
    if not kept:
        raise UnreadableCapture(f"{harmless(empty[0])} and all other files named are empty: nothing was captured yet")
    for name in empty:
        info.note(f"{harmless(name)} is empty; it was skipped", skipped=True)
    return list(kept.values())


def _twice(name: str, before: str) -> str:
    if name == before:
        return f"{harmless(name)} is named twice; it was read once"
    return f"{harmless(name)} is the same file as {harmless(before)}; it was read once"


def facts_of(name: str) -> os.stat_result | None:
    """What the system knows of a regular file; None for anything else, or nothing at all."""
    try:
        facts = Path(name).stat() if name != "-" else None
    except (OSError, ValueError):
        return None
    return facts if facts is not None and stat.S_ISREG(facts.st_mode) else None


def look_ahead(file: OpenCapture, info: CaptureInfo) -> None:
    """Find the time of a file's first packet. A pipe stays open, as it can be read only once."""
    is_pipe = facts_of(file.path) is None
    if is_pipe:
        file.open(info, MERGE_MEMORY // 4)
    probe = file if is_pipe else OpenCapture(file.path)
    if not is_pipe:
        probe.open(CaptureInfo(info.time_origin), PROBE)
    file.probe(probe)
    if not is_pipe:
        probe.close()
