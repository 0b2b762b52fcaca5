"""How much of what is written stays in the system's memory: a tenth of it, and no more.

A system keeps what is written in free memory and brings it to the disk in its own time. From a tenth of the memory on
Linux hurries with that, from a fifth on the writer has to wait (vm.dirty_background_ratio and vm.dirty_ratio as they
usually are). So nothing is gained by keeping more than a tenth, and it costs: every page has to be given, which takes
longer than writing where a virtual machine's host gives it, and is taken from all else on the machine. What goes beyond
is sent to the disk as soon as it is written, and its memory taken for what is written next.
"""

import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

SHARE = 10
AT_ONCE = 4 << 20  # bytes sent to the disk


class CacheBudget:
    """What may still be kept in memory of files that are written together; ``used`` bytes are by others of ours.

    A system that cannot be told about it keeps all."""

    def __init__(self, used: int = 0) -> None:
        told = hasattr(os, "posix_fadvise")
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if told else SHARE * sys.maxsize
        self._left = memory // SHARE - used

    def take(self, size: int) -> bool:
        """Whether so many bytes may be kept; once they may not, no others may. Threads that meet here take a little
        more than there is."""
        self._left -= size
        return self._left >= 0


class CachedFile(io.FileIO):
    """A new file. Of what is written, so much stays in memory as there is room; nobody waits for the rest."""

    def __init__(self, path: Path, room: CacheBudget) -> None:
        super().__init__(path, "x")
        self._room = room
        self._kept = self._waiting = 0  # bytes: at the file's beginning; not sent yet
        self._sender = Thread()

    def write(self, data: Any) -> int:
        """Write what fits in one call of the system; returns how many bytes."""
        size = super().write(data)
        if self._room.take(size):
            self._kept += size
            return size
        self._waiting += size
        if self._waiting >= AT_ONCE and not self._sender.is_alive():
            self._waiting = 0
            with suppress(OSError):
                self._sender = Thread(target=send, args=(os.dup(self.fileno()), self._kept), daemon=True)
                self._sender.start()
        return size


def send(descriptor: int, begin: int) -> None:
    """Have the system send a file to the disk from byte ``begin`` on, and drop what is there; closes the descriptor.

    Linux does both when it is told that the pages are not needed: it begins to write those that it has not written,
    which may take as long as the disk does, and drops those that it has. What it cannot drop stays.
    """
    with suppress(OSError):
        os.posix_fadvise(descriptor, begin, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)
