"""Beyond a tenth of the memory, what is written is sent to the disk and dropped: the same files, where that works."""

import errno
import gc
import os
import resource
import tempfile
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread

import pytest

from analyzer.engine.pipeline import analyze
from analyzer.errors import UnwritableOutput
from analyzer.settings import Settings
from analyzer.writers import page_cache
from analyzer.writers.atomic_file import whole_file
from analyzer.writers.page_cache import CacheBudget
from analyzer.writers.tables import write_analysed

CAPTURE = Path(__file__).parents[2] / "captures" / "time-wait-beside-close-wait.pcap"
Advice = tuple[int, int, int]  # offset, length, how long the file was


@pytest.fixture
def advised(monkeypatch: pytest.MonkeyPatch) -> list[Advice]:
    """What the system is told, while the writer waits; 100 bytes at a time are sent."""
    told: list[Advice] = []

    def fadvise(descriptor: int, offset: int, length: int, advice: int) -> None:
        assert advice == os.POSIX_FADV_DONTNEED
        told.append((offset, length, os.fstat(descriptor).st_size))

    class AtOnce(Thread):
        def start(self) -> None:
            self.run()

    monkeypatch.setattr(os, "posix_fadvise", fadvise)
    monkeypatch.setattr(page_cache, "Thread", AtOnce)
    monkeypatch.setattr(page_cache, "AT_ONCE", 100)
    return told


def memory(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """The machine has so many bytes."""
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": size, "SC_PAGE_SIZE": 1}.__getitem__)


def written(path: Path, room: CacheBudget | None = None) -> bytes:
    """A file made of ten pieces of 30,000 bytes, more than is put together before it is written."""
    with whole_file(path, forced=False, room=room) as file:
        for piece in range(10):
            file.write(bytes([piece]) * 30_000)
    return path.read_bytes()


WHOLE = b"".join(bytes([piece]) * 30_000 for piece in range(10))


def test_little_is_left_to_the_system(advised: list[Advice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory(monkeypatch, 3_000_000)
    assert written(tmp_path / "file") == WHOLE
    assert advised == []


def test_what_goes_beyond_a_tenth_of_the_memory_is_sent_and_dropped(
    advised: list[Advice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory(monkeypatch, 2_500_000)
    assert written(tmp_path / "file") == WHOLE
    assert advised == [(240_000, 0, 270_000), (240_000, 0, 300_000)]


def test_nothing_is_sent_in_small_pieces(
    advised: list[Advice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory(monkeypatch, 0)
    monkeypatch.setattr(page_cache, "AT_ONCE", 80_000)
    assert written(tmp_path / "file") == WHOLE
    assert advised == [(0, 0, 90_000), (0, 0, 180_000), (0, 0, 270_000)]


def test_files_written_together_share_the_room(
    advised: list[Advice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory(monkeypatch, 4_000_000)
    room = CacheBudget(used=50_000)
    assert written(tmp_path / "first", room) == WHOLE and advised == []
    assert written(tmp_path / "second", room) == WHOLE
    assert [length for _, _, length in advised] == list(range(60_000, 300_001, 30_000))
    assert {offset for offset, _, _ in advised} == {30_000}


def test_nobody_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second sending begins only after the first, and whoever is late does no harm to other files."""
    asked, disk = SimpleQueue[tuple[int, int]](), Event()

    def slow(descriptor: int, *_: int) -> None:
        asked.put((descriptor, os.fstat(descriptor).st_ino))
        disk.wait()

    memory(monkeypatch, 0)
    monkeypatch.setattr(os, "posix_fadvise", slow)
    monkeypatch.setattr(page_cache, "AT_ONCE", 100)
    assert written(tmp_path / "file") == WHOLE
    descriptor, node = asked.get()
    assert asked.empty() and node == (tmp_path / "file").stat().st_ino == os.fstat(descriptor).st_ino
    disk.set()


def test_no_descriptors_are_left_open(advised: list[Advice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory(monkeypatch, 0)
    gc.collect()  # what other tests left open may go now, not in between
    before = sorted(Path("/dev/fd").iterdir())
    assert written(tmp_path / "file") == WHOLE and advised
    assert sorted(Path("/dev/fd").iterdir()) == before


def test_where_no_more_descriptors_are_to_be_had_nothing_is_sent(
    advised: list[Advice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    memory(monkeypatch, 0)
    monkeypatch.setattr(os, "dup", refused)
    assert written(tmp_path / "file") == WHOLE
    assert advised == []


@pytest.mark.parametrize("there", [True, False])
def test_a_system_without_that_keeps_all(there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: int) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    memory(monkeypatch, 0)
    monkeypatch.setattr(os, "posix_fadvise", refused)
    if not there:
        monkeypatch.delattr(os, "posix_fadvise")
        monkeypatch.delattr(os, "sysconf")
    monkeypatch.setattr(page_cache, "AT_ONCE", 100)
    assert written(tmp_path / "file") == WHOLE


@pytest.mark.parametrize("folder", [tempfile.gettempdir(), "/dev/shm"])
def test_a_file_is_whole_on_the_disk_and_where_there_is_none(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    memory(monkeypatch, 0)
    monkeypatch.setattr(page_cache, "AT_ONCE", 100)
    if not Path(folder).is_dir():
        pytest.skip("a system without it")
    with tempfile.TemporaryDirectory(dir=folder) as name:
        assert written(Path(name, "file")) == WHOLE


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_tables_are_the_same(
    format: str, advised: list[Advice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysed = analyze([str(CAPTURE)], Settings(keep_segments=True))
    kept = [path.read_bytes() for path in write_analysed(analysed, tmp_path, format)]
    assert advised == []
    memory(monkeypatch, 0)
    assert [path.read_bytes() for path in write_analysed(analysed, tmp_path / "sent", format)] == kept
    assert len(advised) >= 4


def test_a_full_disk_is_one_clear_line(advised: list[Advice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory(monkeypatch, 0)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(UnwritableOutput, match=r"^cannot write .*/file: File too large$"):
            written(tmp_path / "file")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == [] and advised != []
