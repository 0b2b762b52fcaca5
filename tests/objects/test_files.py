"""Bytes and open files: where reading begins, what stays open, and what is said of things that cannot be read."""

import gzip
import io
import os
from pathlib import Path

import pytest

import analyzer
from analyzer.errors import UnreadableCapture, UsageError
from tests.objects.tables import LATE_FIN, tables

DATA = LATE_FIN.read_bytes()
EXPECTED = tables(analyzer.analyze(LATE_FIN), LATE_FIN)


def test_an_open_file_is_read_from_where_it_stands() -> None:
    file = io.BytesIO(b"a header of somebody else" + DATA)
    file.seek(len(b"a header of somebody else"))
    result = analyzer.analyze(file)
    assert tables(result) == EXPECTED
    assert len(result.packets(0)) == 11
    assert not file.closed


def test_a_pipe_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file:
        with os.fdopen(writing, "wb") as feed:
            feed.write(DATA)
        result = analyzer.analyze(file)
        assert tables(result) == EXPECTED
    with pytest.raises(UsageError, match="cannot be rewound"):
        result.packets(0)


class Trickle(io.RawIOBase):
    """A file that gives a few bytes at a time and cannot seek, as a connection does."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def read(self, size: int = -1) -> bytes:
        some, self._rest = self._rest[:7], self._rest[7:]
        return some


def test_short_reads_are_no_end() -> None:
    assert tables(analyzer.analyze(Trickle(DATA))) == EXPECTED  # type: ignore[arg-type]


@pytest.mark.parametrize("packed", [False, True])
def test_packed_bytes_are_unpacked(packed: bool, tmp_path: Path) -> None:
    assert tables(analyzer.analyze(gzip.compress(DATA))) == EXPECTED
    path = tmp_path / "capture.gz"
    path.write_bytes(gzip.compress(DATA))
    with gzip.open(path) if packed else path.open("rb") as file:
        assert tables(analyzer.analyze(file)) == EXPECTED  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_other_kinds_of_bytes(kind: type) -> None:
    assert tables(analyzer.analyze(kind(DATA))) == EXPECTED


def test_a_cut_capture_is_told_up_to_the_cut() -> None:
    result = analyzer.analyze(DATA[:-5])
    assert result.summary.packets == 10
    assert [notice.text[:60] for notice in result.summary.notices] == [
        "the capture given as bytes: cut short in the middle of packe"
    ]


def test_what_cannot_be_read_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCapture, match="is empty"):
        analyzer.analyze(b"")
    with pytest.raises(UnreadableCapture, match="is a text file"):
        analyzer.analyze(b"no capture at all, but a text")
    with LATE_FIN.open(encoding="latin-1") as text, pytest.raises(UsageError, match='open it with mode "rb"'):
        analyzer.analyze(text)  # type: ignore[arg-type]
    file = io.BytesIO(DATA)
    file.close()
    with pytest.raises(UnreadableCapture, match="cannot read the open file: I/O operation on closed file"):
        analyzer.analyze(file)
    broken = io.BytesIO(gzip.compress(DATA)[:-20])
    with gzip.open(broken) as packed, pytest.raises(UnreadableCapture, match="end-of-stream"):
        analyzer.analyze(packed)  # type: ignore[arg-type]


def test_a_file_that_was_closed_cannot_be_read_again() -> None:
    with LATE_FIN.open("rb") as file:
        result = analyzer.analyze(file)
    with pytest.raises(UnreadableCapture, match="closed file"):
        result.packets(0)


def test_tshark_is_asked_about_files_alone() -> None:
    with pytest.raises(UsageError, match="reads capture files"):
        analyzer.analyze(DATA, engine="tshark")


@pytest.mark.parametrize("thing", [5, None, 1.5, {}, object(), [5], [b"a", b"b"], {"a": 1}])
def test_anything_else_is_told_what_is_accepted(thing: object) -> None:
    with pytest.raises(
        UsageError, match="takes a path, several paths, an open binary file, bytes, scapy packets, a py"
    ):
        analyzer.analyze(thing)  # type: ignore[arg-type]


def test_nothing_at_all() -> None:
    with pytest.raises(UsageError, match="no capture was named"):
        analyzer.analyze([])


def test_paths_are_what_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tables(analyzer.analyze(str(LATE_FIN)), LATE_FIN) == EXPECTED
    assert tables(analyzer.analyze(path for path in [LATE_FIN]), LATE_FIN) == EXPECTED
    with LATE_FIN.open("rb") as file:
        monkeypatch.setattr("os.isatty", lambda number: False)
        before = os.dup(0)
        os.dup2(file.fileno(), 0)
        try:
            result = analyzer.analyze("-")
        finally:
            os.dup2(before, 0)
            os.close(before)
    assert tables(result) == EXPECTED
    with pytest.raises(UsageError, match="standard input can be read only once"):
        result.packets(0)
