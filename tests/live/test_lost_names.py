"""Files that others move or remove while they grow, disks that are full, readers that do not read."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from analyzer.errors import UnwritableOutput
from analyzer.live.growing_tables import GrowingTables
from analyzer.live.line_output import LineOutput
from analyzer.live.packet_file import PacketWriter
from tests.live.test_growing_tables import CAPTURE, COLUMNS, packets_of, rows, save

LEAKING = [frozenset({("10.1.1.2", port), ("10.1.2.2", 8080)}) for port in range(1, 65536)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"a small disk cannot be mounted: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_what_cannot_be_chosen_on_a_full_disk_is_kept_whole(small_disk: Path) -> None:
    saver = PacketWriter(small_disk / "kept.pcapng", True, [].append)
    for _ in range(3):
        save(saver)
    saver.want(LEAKING)
    room = os.statvfs(small_disk)
    (small_disk / "other").write_bytes(bytes(room.f_bavail * room.f_frsize))
    with pytest.raises(UnwritableOutput, match=r"No space left on device; what was captured is in .*kept.pcapng.part"):
        saver.close(0, 0)
    assert packets_of(small_disk / "kept.pcapng.part") == 3 * packets_of(CAPTURE)
    assert not (small_disk / "kept.pcapng").exists()


def test_a_disk_too_small_for_the_packets_is_an_error_at_the_end(small_disk: Path) -> None:
    said: list[str] = []
    saver = PacketWriter(small_disk / "kept.pcapng", False, said.append)
    for _ in range(60):
        save(saver)
    with pytest.raises(UnwritableOutput, match=r"No space left on device; it has the first [\d,]+ packets"):
        saver.close(0, 0)
    assert len(said) == 1
    kept = packets_of(small_disk / "kept.pcapng")
    assert kept == (60 * packets_of(CAPTURE))[: len(kept)]


@pytest.mark.parametrize("only_findings", [False, True], ids=["all", "only findings"])
def test_packets_moved_away_before_the_rotation(tmp_path: Path, only_findings: bool) -> None:
    saver = PacketWriter(tmp_path / "kept.pcapng", only_findings, print)
    name = "kept.pcapng.part" if only_findings else "kept.pcapng"
    save(saver)
    (tmp_path / name).rename(tmp_path / "moved.pcapng")
    saver.rotate()
    save(saver)
    saver.want(LEAKING)
    saver.close(0, 0)
    assert packets_of(tmp_path / "moved.pcapng") == packets_of(CAPTURE)
    assert 0 < len(packets_of(tmp_path / "kept.pcapng")) <= len(packets_of(CAPTURE))


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_tables_moved_away_before_the_rotation(tmp_path: Path, format: str) -> None:
    said: list[str] = []
    growing = GrowingTables(tmp_path, format, COLUMNS, said.append)
    growing.add("flows", rows())
    (tmp_path / "flows.csv").rename(tmp_path / "flows.csv.1")
    growing.rotate()
    growing.add("flows", rows())
    growing.close()
    assert len(pd.read_csv(tmp_path / "flows.csv.1")) == len(rows())
    if format == "csv":
        assert len(pd.read_csv(tmp_path / "flows.csv")) == len(rows())
    else:
        assert len(list(tmp_path.glob("flows-*.parquet"))) == 2
    assert not said


def test_a_folder_that_was_removed_is_made_again(tmp_path: Path) -> None:
    said: list[str] = []
    growing = GrowingTables(tmp_path / "out", "csv", COLUMNS, said.append)
    (tmp_path / "out" / "flows.csv").unlink()
    (tmp_path / "out").rmdir()
    growing.tick()
    growing.add("flows", rows())
    growing.close()
    assert len(pd.read_csv(tmp_path / "out" / "flows.csv")) == len(rows())
    assert [text.partition(" was removed")[1] for text in said] == [" was removed"]


def test_a_name_that_cannot_be_taken_again_leaves_the_old_file(tmp_path: Path) -> None:
    said: list[str] = []
    growing = GrowingTables(tmp_path / "out", "csv", COLUMNS, said.append)
    (tmp_path / "out").rename(tmp_path / "away")
    (tmp_path / "out").write_text("a file where the folder was")
    growing.rotate()
    growing.add("flows", rows())
    growing.close()
    assert len(pd.read_csv(tmp_path / "away" / "flows.csv")) == len(rows())
    assert "rows go on into the old file" in said[0]


def test_who_does_not_read_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.live.line_output.MOST_WAITING", 10)
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as file:
        lines = LineOutput(file, as_json=True)
        for _ in range(100):
            lines.note("x" * 9000)  # the pipe holds seven of them
        with pytest.raises(UnwritableOutput, match=r"nobody reads the output: \d+ lines were not written"):
            lines.close(lambda: True)
    os.close(reader)


def test_lines_left_out_are_counted_for_who_reads_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.live.line_output.MOST_WAITING", 10)
    reader, writer = os.pipe()
    heard: list[str] = []
    with os.fdopen(writer, "w") as file:
        lines = LineOutput(file, as_json=True)
        for _ in range(100):
            lines.note("x" * 9000)

        def listen() -> None:
            with os.fdopen(reader) as there:
                heard.extend(there)

        listener = threading.Thread(target=listen)
        listener.start()
        while lines._waiting.qsize():
            time.sleep(0.01)
        lines.note("last")
        lines.close()
    listener.join()
    assert len(heard) < 100
    left_out = 100 - (len(heard) - 2)
    assert f"{left_out} lines were left out here" in heard[-2]
    assert "last" in heard[-1]
