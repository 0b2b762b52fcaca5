"""The second reader: what tshark says of a capture becomes the same segments as our own reading of it."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzer.capture import open_captures
from analyzer.capture.tshark import Row, TsharkStream, _headers, _nanoseconds, open_with_tshark
from analyzer.errors import UnreadableCapture, UsageError
from analyzer.segments import Decoder
from tests.shifted import shifted

CAPTURES = sorted((Path(__file__).parents[2] / "captures").glob("*.pcap*"))
COMPARED = ("time", "frame", "src_port", "dst_port", "seq", "ack", "payload_len", "window", "flags", "ip_id", "ttl")
COMPARED += ("window_scale", "ts_val", "ts_ecr")
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark, which is not installed")


def segments(stream: object) -> tuple[NDArray[np.void], list[tuple[str, str]]]:
    """All segments of a capture, and the addresses of each."""
    decoder = Decoder()
    with stream as capture:  # type: ignore[attr-defined]
        rows = np.concatenate([decoder.decode(packets).copy() for packets in capture])
    texts = decoder.book.texts()
    return rows, [(texts[row["src"]], texts[row["dst"]]) for row in rows]


@needs_tshark
@pytest.mark.parametrize("name", ["graceful-over-ipv6.pcap", "half-close-in-use.pcapng", "frames-cut-short.pcap"])
def test_both_readers_give_the_same_segments(name: str) -> None:
    path = str(CAPTURES[0].with_name(name))
    (own, own_ends), (theirs, their_ends) = segments(open_captures([path])), segments(open_with_tshark([path]))
    assert own_ends == their_ends
    for column in COMPARED:
        assert own[column].tolist() == theirs[column].tolist(), column


@needs_tshark
def test_a_format_of_others_is_read(tmp_path: Path) -> None:
    source, target = CAPTURES[0].with_name("graceful-client-first.pcap"), tmp_path / "capture.k12"
    subprocess.run(["editcap", "-F", "k12text", source, target], check=True, capture_output=True)
    assert len(segments(open_with_tshark([str(target)]))[0]) == 11


@needs_tshark
def test_what_tshark_cannot_read_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a capture at all, not even nearly\n" * 20)
    with (
        pytest.raises(UnreadableCapture, match=r"text: .*isn't a capture file") as caught,
        TsharkStream(str(tmp_path / "text")) as stream,
    ):
        list(stream)
    assert "\n" not in str(caught.value)


def test_several_captures_are_refused() -> None:
    with pytest.raises(UsageError, match="mergecap"):
        open_with_tshark(["a", "b"])


def test_a_missing_file_and_a_missing_tshark_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UnreadableCapture, match="no such file"):
        open_with_tshark([str(tmp_path / "none")])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="needs tshark, which is not installed"):
        open_with_tshark([str(CAPTURES[0])])


ROW = Row(
    *("7", "1700000000.5", "eth:ethertype:ip:tcp", "10.0.0.1", "10.0.0.2", "0x1234", "64", "1", "", "", ""),
    *("40000", "80", "1", "2", "0x0018", "512", "70000", ""),
)


def test_headers_are_written_as_they_were() -> None:
    headers = _headers(ROW._replace(payload="5"))
    assert headers[:20].hex() == "4500002d1234400040060000" + "0a000001" + "0a000002"
    assert headers[20:].hex() == "9c400050" + "00000001" + "00000002" + "50180200" + "00000000"


def test_an_offloaded_packet_has_no_length_in_its_header() -> None:
    assert _headers(ROW)[2:4] == b"\0\0"


def test_a_header_cut_short_is_left_out() -> None:
    assert _headers(ROW._replace(window="")) == b""


def test_times_are_exact() -> None:
    assert [_nanoseconds(text) for text in ("1700000000.123456789", "5", "5.5", "-2.250000000", "")] == [
        *(1_700_000_000_123_456_789, 5_000_000_000, 5_500_000_000, -1_750_000_000, None),
    ]


@needs_tshark
@pytest.mark.parametrize("second", [-12, -13, 0, 10_413_792_000])
def test_both_readers_give_the_same_times_whenever_it_was(second: int, tmp_path: Path) -> None:
    """Before 1970, across it, from it on, and beyond what can be told."""
    source, target = CAPTURES[0].with_name("close-wait-leak.pcap"), tmp_path / "moved.pcapng"
    shifted(source, target, lambda times: second * 10**9 - times[0])
    own, theirs = open_captures([str(target)]), open_with_tshark([str(target)])
    assert segments(own)[0]["time"].tolist() == segments(theirs)[0]["time"].tolist()
    assert [notice.text for notice in own.notices] == [notice.text for notice in theirs.notices]
    assert len(own.notices) == (second > 0)
