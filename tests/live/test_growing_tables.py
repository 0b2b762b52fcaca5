"""Tables and packets that grow on disk: whole at every moment, rotated, and unharmed by a full disk."""

import errno
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analyzer.capture import open_captures
from analyzer.errors import UnwritableOutput
from analyzer.live.growing_tables import GrowingTables
from analyzer.live.packet_file import PacketFile, PacketWriter
from analyzer.results.pandas_types import empty
from analyzer.tracker.flow_record import FLOW_COLUMNS as FLOWS
from tests.results.sample import sample_result

CAPTURE = Path(__file__).parents[2] / "captures" / "close-wait-leak.pcap"
COLUMNS = {"flows": FLOWS}


def rows() -> pd.DataFrame:
    return sample_result().flows


def store(folder: Path, format: str = "csv", said: list[str] | None = None) -> GrowingTables:
    return GrowingTables(folder, format, COLUMNS, (said if said is not None else []).append)


def test_rows_are_on_disk_at_once(tmp_path: Path) -> None:
    growing = store(tmp_path)
    growing.add("flows", rows())
    growing.add("flows", rows())
    assert len(pd.read_csv(tmp_path / "flows.csv")) == 2 * len(rows())
    growing.close()


def test_a_rotation_begins_new_files_and_an_old_run_is_kept(tmp_path: Path) -> None:
    growing = store(tmp_path)
    growing.add("flows", rows())
    growing.rotate()
    growing.close()
    store(tmp_path).close()
    lengths = sorted(len(pd.read_csv(path)) for path in tmp_path.iterdir())
    assert lengths == [0, 0, len(rows())]


def test_parquet_has_the_same_rows_and_csv_until_then(tmp_path: Path) -> None:
    growing = store(tmp_path, "parquet")
    growing.add("flows", rows())
    assert len(pd.read_csv(tmp_path / "flows.csv")) == len(rows())
    growing.rotate()
    growing.add("flows", rows())
    growing.close()
    files = sorted(tmp_path.iterdir())
    assert [path.suffix for path in files] == [".parquet", ".parquet"]
    for path in files:
        pd.testing.assert_frame_equal(pd.read_parquet(path)[["stream"]], rows()[["stream"]], check_dtype=False)


class Disk:
    """os.write on a disk with room for so many bytes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._write = os.write

    def __call__(self, descriptor: int, data: Any) -> int:
        if descriptor <= 2:
            return self._write(descriptor, data)
        if self.room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = self._write(descriptor, bytes(data)[: self.room])
        self.room -= count
        return count


def test_rows_wait_while_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, said = Disk(2000), list[str]()
    monkeypatch.setattr(os, "write", disk)
    growing = store(tmp_path, said=said)
    for _ in range(9):
        growing.add("flows", rows())
    assert len(said) == 1
    assert "No space left on device; the rows wait in memory" in said[0]
    disk.room = 10**9
    growing.add("flows", rows())
    growing.close()
    assert len(pd.read_csv(tmp_path / "flows.csv")) == 10 * len(rows())


def test_a_disk_that_stays_full_is_one_line_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", Disk(500))
    growing = store(tmp_path)
    growing.add("flows", rows())
    with pytest.raises(UnwritableOutput, match=r"flows.csv: No space left on device: [\d,]+ bytes are missing"):
        growing.close()
    assert empty("flows").columns[0] == "stream"


def packets_of(path: Path) -> list[tuple[int, bytes, int, int]]:
    """Time, bytes, length on the wire and link type of every packet."""
    with open_captures([path]) as capture:
        return [
            (int(r["time"]), batch.data[r["offset"] :][: r["captured"]].tobytes(), int(r["length"]), int(r["link"]))
            for batch in capture
            for r in batch.rows
        ]


def save(target: PacketWriter | PacketFile, path: Path = CAPTURE) -> None:
    with open_captures([path]) as capture:
        for batch in capture:
            target.add(batch, capture.interfaces)


def test_saved_packets_are_the_packets(tmp_path: Path) -> None:
    saver = PacketWriter(tmp_path / "kept.pcapng", False, print)
    save(saver)
    saver.rotate()
    save(saver)
    saver.close(3, 10**18)
    first, second = sorted(tmp_path.iterdir())
    assert packets_of(first) == packets_of(second) == packets_of(CAPTURE)


def test_only_connections_with_findings(tmp_path: Path) -> None:
    saver = PacketWriter(tmp_path / "kept.pcapng", True, print)
    save(saver)
    saver.want([frozenset({("10.1.1.2", 0), ("10.1.2.2", 8080)})])
    leaking = {port for port in range(65536) if port}
    with open_captures([CAPTURE]):
        saver.want(frozenset({("10.1.1.2", port), ("10.1.2.2", 8080)}) for port in leaking)
    saver.close(0, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.pcapng"]
    kept, everything = packets_of(tmp_path / "kept.pcapng"), packets_of(CAPTURE)
    assert 0 < len(kept) < len(everything)
    assert set(kept) < set(everything)


def test_a_full_disk_ends_the_packets_at_a_whole_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(os, "write", Disk(700))
    file = PacketFile(tmp_path / "kept.pcapng", said.append)
    with open_captures([CAPTURE]) as capture:
        for batch in capture:
            for place in range(len(batch.rows)):
                file.add(type(batch)(batch.data, batch.rows[place : place + 1]), capture.interfaces)
    file.close()
    assert len(said) == 1
    assert "packets are no longer saved" in said[0]
    assert "No space left on device; it has the first" in file.trouble
    kept = packets_of(tmp_path / "kept.pcapng")
    assert kept == packets_of(CAPTURE)[: len(kept)]
    assert kept
