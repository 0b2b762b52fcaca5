"""The packets themselves, kept as pcapng (``--write``), all of them or those of connections with findings.

Whole blocks are written, so the file is complete at every moment, whatever ends the process. When the disk is full
the file is cut back to its last whole block and no more is kept; the watch goes on.

Which connections will have a finding is known only later. So everything is written into ``FILE.part`` first, and
when the watch ends, or the file is rotated, the packets of the chosen connections are copied into ``FILE`` and the
part is removed. If the process dies, the part is what is left, with everything in it.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analyzer.capture import open_captures
from analyzer.capture.interfaces import Interface
from analyzer.capture.packets import Packets
from analyzer.capture.pcapng_writer import SECTION, blocks, description, statistics
from analyzer.errors import UnwritableOutput
from analyzer.live.growing_tables import unused
from analyzer.segments import Decoder

End = tuple[str, int]  # address and port
Pair = frozenset[End]


class PacketFile:
    """A pcapng file that grows."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self.path = path
        self._say = say
        self._described = 0
        self._full = False
        self._begin()

    def _begin(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        try:
            self._descriptor = os.open(self.path, flags, 0o666)
        except OSError as error:
            raise UnwritableOutput(f"cannot write {self.path}: {error.strerror}") from error
        self._size, self._described, self._full = 0, 0, False
        self._write(SECTION)

    def add(self, packets: Packets, interfaces: Sequence[Interface]) -> None:
        """Append packets; ``interfaces`` are those their rows name."""
        for interface in interfaces[self._described :]:
            self._write(description(interface))
        self._described = len(interfaces)
        self._write(blocks(packets))

    def _write(self, data: bytes | memoryview) -> None:
        if self._full:
            return
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            self._full = True
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            self._say(f"{self.path}: {error.strerror}; packets are no longer saved; the watch continues")
            return
        self._size += len(data)

    def close(self, lost: int = 0, time_ns: int = 0) -> None:
        """End the file; ``lost`` packets are written into it, so that whoever reads it knows."""
        if lost and self._described:
            self._write(statistics(0, time_ns, lost))
        os.close(self._descriptor)

    def rotate(self) -> Path:
        """Begin anew; returns the new name of what there was."""
        self.close()
        kept = unused(self.path.parent, self.path.stem, self.path.suffix.lstrip(".") or "pcapng", time.time())
        self.path.rename(kept)
        self._begin()
        return kept


class PacketWriter:
    """``--write``: a packet file, filtered when it is done if only ``findings`` are wanted."""

    def __init__(self, path: Path, only_findings: bool, say: Callable[[str], None]) -> None:
        self._final = path if only_findings else None
        self._file = PacketFile(path.with_name(path.name + ".part") if only_findings else path, say)
        self._say = say
        self._wanted: set[Pair] = set()

    def add(self, packets: Packets, interfaces: Sequence[Interface]) -> None:
        self._file.add(packets, interfaces)

    def want(self, pairs: Iterable[Pair]) -> None:
        """Findings were made about connections between these ends."""
        if self._final is not None:
            self._wanted.update(pairs)

    def rotate(self) -> None:
        part = self._file.rotate()
        if self._final is not None:
            name = unused(self._final.parent, self._final.stem, self._final.suffix.lstrip(".") or "pcapng", time.time())
            self._choose(part, name)

    def close(self, lost: int, time_ns: int) -> None:
        self._file.close(lost, time_ns)
        if self._final is not None:
            self._choose(self._file.path, self._final)

    def _choose(self, part: Path, target: Path) -> None:
        """Copy what is wanted from ``part`` to ``target``, and remove ``part``."""
        chosen = PacketFile(target, self._say)
        decoder = Decoder()
        with open_captures([part]) as capture:
            for packets in capture:
                rows = packets.rows[np.isin(packets.rows["frame"], self._frames(decoder, packets))]
                chosen.add(Packets(packets.data, rows), capture.interfaces)
        chosen.close()
        part.unlink()

    def _frames(self, decoder: Decoder, packets: Packets) -> NDArray[np.int64]:
        """Frames of the batch that belong to a wanted pair."""
        segments = decoder.decode(packets)
        columns = np.stack([segments[name].astype(np.int64) for name in ("src", "src_port", "dst", "dst_port")], axis=1)
        ends, place = np.unique(columns, axis=0, return_inverse=True)
        text = decoder.book.text
        wanted = [frozenset({(text(src), port), (text(dst), other)}) in self._wanted for src, port, dst, other in ends]
        return np.asarray(segments["frame"][np.array(wanted, np.bool_)[place.ravel()]], np.int64)


def pair(finding: object) -> Pair:
    """The ends of the connection a finding is about."""
    ends = ((getattr(finding, f"{side}_ip"), getattr(finding, f"{side}_port")) for side in ("client", "server"))
    return frozenset((str(address), int(port)) for address, port in ends)
