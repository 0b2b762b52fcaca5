"""The packets themselves, kept as pcapng (``--write``), all of them or those of connections with findings.

Whole blocks are written, so the file is complete at every moment, whatever ends the process. When the disk is full
the file is cut back to its last whole block and no more is kept; the watch goes on, and tells at its end what is there.

Which connections will have a finding is known only later. So everything is written into ``FILE.part`` first, and
when the watch ends, or the file is rotated, the packets of the chosen connections are copied into ``FILE``. The part is
removed when that is whole and on the disk; until then it is what there is, with everything in it.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analyzer.capture import open_captures
from analyzer.capture.interfaces import Interface
from analyzer.capture.packets import Packets
from analyzer.capture.pcapng_writer import SECTION, blocks, description, statistics
from analyzer.errors import TeardownError, UnwritableOutput
from analyzer.live.appended_file import AppendedFile, unused
from analyzer.live.sockets import End
from analyzer.segments import Decoder
from analyzer.units import counted

Pair = frozenset[End]


class PacketFile:
    """A pcapng file that grows. ``trouble`` says what could not be written, "" where everything was."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self.path, self.trouble = path, ""
        self._say = say
        self._file = AppendedFile(path, fresh=True)
        self._begin()

    def _begin(self) -> None:
        self._size = self._described = self._packets = 0
        self._full = False
        self._write(SECTION)

    def add(self, packets: Packets, interfaces: Sequence[Interface]) -> None:
        """Append packets; ``interfaces`` are those their rows name."""
        for interface in interfaces[self._described :]:
            self._write(description(interface))
        self._described = len(interfaces)
        self._write(blocks(packets))
        self._packets += 0 if self._full else len(packets.rows)

    def _write(self, data: bytes | memoryview) -> None:
        if self._full:
            return
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._full = True
            self._file.cut(self._size)
            kept = counted(self._packets, "packet")
            self._miss(f"cannot write {self.path}: {error.strerror}; it has the first {kept}")
            self._say(f"{self.path}: {error.strerror}; packets are no longer saved; the watch continues")
            return
        self._size += len(data)

    def _miss(self, trouble: str) -> None:
        self.trouble = self.trouble or trouble

    def close(self, lost: int = 0, time_ns: int = 0) -> None:
        """End the file; ``lost`` packets are written into it, so that whoever reads it knows."""
        if lost and self._described:
            self._write(statistics(0, time_ns, lost))
        try:
            self._file.sync()
            self._file.close()
        except OSError as error:
            self._miss(f"cannot write {self.path}: {error.strerror}")

    def rotate(self) -> Path | None:
        """Begin anew; returns the new name of what there was, None where it is not known or nothing was begun."""
        try:
            kept = self._file.renew(time.time())
        except OSError as error:
            self._say(f"cannot begin {self.path} anew: {error.strerror}; packets go on into the old file")
            return None
        self._begin()
        return kept


class PacketWriter:
    """``--write``: a packet file, filtered when it is done if only ``findings`` are wanted."""

    def __init__(self, path: Path, only_findings: bool, say: Callable[[str], None]) -> None:
        self._final = path if only_findings else None
        self._file = PacketFile(path.with_name(path.name + ".part") if only_findings else path, say)
        self._say = say
        self._wanted: set[Pair] = set()
        self._choosing: list[threading.Thread] = []
        self._troubles: list[str] = []

    def add(self, packets: Packets, interfaces: Sequence[Interface]) -> None:
        """Append packets; ``interfaces`` are those their rows name."""
        self._file.add(packets, interfaces)

    def want(self, pairs: Iterable[Pair]) -> None:
        """Findings were made about connections between these ends."""
        if self._final is not None:
            self._wanted.update(pairs)

    def rotate(self) -> None:
        """Begin anew; what is wanted of the packets so far is chosen beside the watch, which may take long."""
        part = self._file.rotate()
        if part is None or self._final is None:
            return
        name = unused(self._final.parent, self._final.stem, self._final.suffix.lstrip("."), time.time())
        work = threading.Thread(target=partial(self._choose, part, name, frozenset(self._wanted)), name="choosing")
        work.start()
        self._choosing.append(work)

    def close(self, lost: int, time_ns: int) -> None:
        """End the file. Raises UnwritableOutput where packets are missing, and says where they are."""
        self._file.close(lost, time_ns)
        for work in self._choosing:
            work.join()
        if self._final is not None:
            self._choose(self._file.path, self._final, frozenset(self._wanted))
        troubles = [*self._troubles, *filter(None, [self._file.trouble])]
        if troubles:
            raise UnwritableOutput(troubles[0])

    def _choose(self, part: Path, target: Path, wanted: frozenset[Pair]) -> None:
        """Copy what is ``wanted`` from ``part`` to ``target``. Nothing is removed before that is whole."""
        try:
            trouble = self._copy(part, target, wanted)
            if not trouble:
                part.unlink()
                return
            with contextlib.suppress(OSError):
                target.unlink()  # its packets are in the part, too
        except (TeardownError, OSError) as error:
            trouble = str(error)
        self._troubles.append(f"{trouble.split(';')[0]}; what was captured is in {part}")
        self._say(self._troubles[-1])

    def _copy(self, part: Path, target: Path, wanted: frozenset[Pair]) -> str:
        """Returns what went wrong."""
        chosen = PacketFile(target, lambda text: None)
        decoder = Decoder()
        with open_captures([part]) as capture:
            for packets in capture:
                rows = packets.rows[np.isin(packets.rows["frame"], _frames(decoder, packets, wanted))]
                chosen.add(Packets(packets.data, rows), capture.interfaces)
        chosen.close()
        return chosen.trouble


def _frames(decoder: Decoder, packets: Packets, wanted: frozenset[Pair]) -> NDArray[np.int64]:
    """Frames of the batch that belong to a wanted pair."""
    segments = decoder.decode(packets)
    if not len(segments):
        return np.zeros(0, np.int64)
    from_, to = (segments[ip].astype(np.int64) << 16 | segments[f"{ip}_port"] for ip in ("src", "dst"))
    ends, place = np.unique(np.concatenate([from_, to]), return_inverse=True)
    both = place[: len(from_)] * len(ends) + place[len(from_) :]
    pairs, of = np.unique(both, return_inverse=True)
    known = [(decoder.book.text(end >> 16), end & 0xFFFF) for end in ends.tolist()]
    chosen = [frozenset({known[one // len(ends)], known[one % len(ends)]}) in wanted for one in pairs.tolist()]
    return np.asarray(segments["frame"][np.array(chosen, np.bool_)[of]], np.int64)


def pair(finding: object) -> Pair:
    """The ends of the connection a finding is about."""
    ends = ((getattr(finding, f"{side}_ip"), getattr(finding, f"{side}_port")) for side in ("client", "server"))
    return frozenset((str(address), int(port)) for address, port in ends)
