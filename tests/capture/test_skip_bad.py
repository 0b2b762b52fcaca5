"""Of several captures those that cannot be read are left out where that is asked for; else it is one error."""

import json
import os
from pathlib import Path

import pytest

import analyzer
from analyzer.capture import open_captures
from analyzer.capture.merge import OpenCapture
from analyzer.cli import guarded
from analyzer.errors import UnreadableCapture

CAPTURES = Path(__file__).parents[2] / "captures"
GOOD = (CAPTURES / "close-wait-leak.pcap").read_bytes()
BAD = {
    "text.pcap": b"no capture\n",
    "cut.pcap": GOOD[:10],
    "packed.pcap": b"\x1f\x8b\x08",
    "foreign.pcap": b"\xfd7zXZ\0" * 9,
}


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    (tmp_path / "a.pcap").write_bytes(GOOD)
    for name, content in BAD.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "locked.pcap").symlink_to(tmp_path / "gone")
    (tmp_path / "waiting.pcap").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize("command", [["analyze"], ["flows"], ["timeline", "--stream", "0"], ["netstat", "--at", "1"]])
def test_each_is_named_on_a_line_and_the_others_are_read(
    command: list[str], ring: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    name, *options = command
    pattern = str(ring / "*.pcap")
    assert guarded([name, pattern, *options, "--skip-bad"]) == 0
    out, err = capfd.readouterr()
    lines = err.splitlines()
    for bad in (*BAD, "locked.pcap", "waiting.pcap"):
        (line,) = (line for line in lines if f"/{bad} " in line or f"/{bad}:" in line)
        assert line.startswith("teardown: ") and "skipped" in line
        assert name != "analyze" or bad in out.split("\nNotices\n")[1]
    assert len(lines) == len(BAD) + 2
    assert "10.1.2.2:8080" in out
    assert guarded([name, pattern, *options]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1) and err.endswith("(--skip-bad reads the others)\n")


def test_the_next_command_skips_them_too(ring: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert guarded(["analyze", str(ring), "--skip-bad"]) == 0
    assert " --stream 0 --skip-bad\n" in capfd.readouterr().out
    assert guarded(["analyze", str(ring), "--skip-bad", "--json"]) == 0
    assert (
        sum("skipped" in text for text in json.loads(capfd.readouterr().out)["notices"]) == len(BAD) + 1
    )  # a link to nowhere is no file


def test_where_none_can_be_read_that_is_the_error(ring: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (ring / "a.pcap").unlink()
    assert guarded(["analyze", str(ring), "--skip-bad"]) == 2
    err = capfd.readouterr().err
    assert err.startswith("teardown: none of ") and err.count("\n") == 1
    assert guarded(["analyze", str(ring / "text.pcap"), "--skip-bad"]) == 2
    assert "is a text file" in capfd.readouterr().err


def test_python_skips_them(ring: Path) -> None:
    paths = sorted(map(str, ring.glob("[act]*.pcap")))
    with pytest.raises(UnreadableCapture, match="skip-bad"):
        analyzer.analyze(paths)
    assert len(analyzer.analyze(paths, skip_bad=True).flows) == 2


def test_a_file_that_goes_while_others_are_read_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [tmp_path / "a.pcap", tmp_path / "b.pcap"]
    for path in names:
        path.write_bytes(GOOD)
    for skip in (True, False):
        with open_captures(list(map(str, names)), skip_bad=skip) as capture:
            whole = OpenCapture.open

            def vanished(file: OpenCapture, *given: object, whole: object = whole) -> None:
                if file.path.endswith("b.pcap"):
                    raise UnreadableCapture(f"cannot read {file.path}")
                whole(file, *given)  # type: ignore[operator]

            with monkeypatch.context() as patched:
                patched.setattr(OpenCapture, "open", vanished)
                if skip:
                    assert sum(len(packets.rows) for packets in capture) == 20
                    assert [notice.skipped for notice in capture.notices] == [True]
                else:
                    with pytest.raises(UnreadableCapture):
                        list(capture)


def test_what_a_ring_lacks_for_it_is_a_gap(tmp_path: Path) -> None:
    """The file was written, but nobody knows what is in it."""
    parts = [tmp_path / f"x_0000{number}_20240131120000.pcap" for number in (1, 2, 3)]
    later = GOOD[:24] + b"".join(_later(GOOD, 600))
    for path, content in zip(parts, (GOOD, b"broken", later), strict=True):
        path.write_bytes(content)
    result = analyzer.analyze(list(map(str, parts)), skip_bad=True)
    (gap,) = result.recording.gaps.rows
    assert os.path.basename(gap.missing).startswith("x_00002")  # noqa: PTH119


def _later(capture: bytes, seconds: int) -> list[bytes]:
    """The records of a capture, so much later."""
    at, made = 24, []
    while at < len(capture):
        size = 16 + int.from_bytes(capture[at + 8 : at + 12], "little")
        when = int.from_bytes(capture[at : at + 4], "little") + seconds
        made.append(when.to_bytes(4, "little") + capture[at + 4 : at + size])
        at += size
    return made
