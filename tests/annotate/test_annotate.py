"""``teardown annotate``: what it writes, read again by tshark and by our own reader."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from analyzer.annotate.kernels import place_states
from analyzer.cli import cli

CAPTURE = Path(__file__).parents[2] / "captures" / "late-fin-answered-by-rst.pcapng"
PLUGIN = Path(__file__).parents[2] / "analyzer" / "annotate" / "files" / "teardown.lua"


def annotated(*arguments: str) -> None:
    done = CliRunner().invoke(cli, ["annotate", *arguments])
    assert done.exit_code == 0, done.output


def fields(path: Path, *wanted: str, options: tuple[str, ...] = ()) -> list[list[str]]:
    shown = [part for name in wanted for part in ("-e", name)]
    told = subprocess.run(
        ["tshark", "-r", str(path), *options, "-T", "fields", *shown], capture_output=True, text=True, check=True
    )
    return [line.split("\t") for line in told.stdout.splitlines()]


def test_packets_and_times_stay_and_frames_have_comments(tmp_path: Path) -> None:
    out = tmp_path / "out.pcapng"
    annotated(str(CAPTURE), str(out))
    same = ("frame.time_epoch", "frame.len", "tcp.seq_raw", "tcp.checksum")
    assert fields(out, *same) == fields(CAPTURE, *same)
    comments = [line[0] for line in fields(out, "frame.comment")]
    assert "teardown: server enters FIN_WAIT_1" in comments[7]
    assert "teardown: TD102 late-fin-answered-by-rst: error, blames the client" in comments[10]


def test_plugin_shows_the_states(tmp_path: Path) -> None:
    out = tmp_path / "out.pcapng"
    annotated(str(CAPTURE), str(out))
    told = fields(
        out, "teardown.client_state", "teardown.server_state", "teardown.blamed", options=("-X", f"lua_script:{PLUGIN}")
    )
    assert told[3] == ["ESTABLISHED", "ESTABLISHED", ""]
    assert told[8][:2] == ["CLOSE_WAIT", "FIN_WAIT_2~"]
    assert told[10] == ["CLOSED~", "CLOSED^", "client"]


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_a_capture_is_not_overwritten(tmp_path: Path, link: str) -> None:
    source, out = tmp_path / "in.pcapng", tmp_path / "out.pcapng"
    source.write_bytes(CAPTURE.read_bytes())
    getattr(out, link)(source)
    assert CliRunner().invoke(cli, ["annotate", str(source), str(out)]).exit_code != 0
    assert source.read_bytes() == CAPTURE.read_bytes()


def test_a_state_that_a_timer_ended_is_shown_at_the_next_frame_of_the_connection() -> None:
    """The timer ends at 60 s: the frame before has the old state, the one behind the new one, whichever is commented.
    Behind the last frame it is told there, as what comes after it."""
    frames, times = np.array([1, 2, 5, 7], np.uint32), np.array([0, 10, 70, 80], np.int64)
    frame, after = np.array([1, 0, 7, 0, 7], np.int64), np.zeros(5, np.bool_)
    moments, ends = np.array([0, 60, 65, 90, 5], np.int64), np.array([0, 0, 1, 1, 2], np.uint32)
    timers = np.array([False, True, False, True, False])
    starts = np.array([0, 4], np.int64)
    place_states(moments, ends, np.zeros(5, np.int64), timers, starts, frames, times, frame, after)
    assert frame.tolist() == [1, 5, 5, 7, 2]
    assert after.tolist() == [False, False, False, True, False]


def test_an_extract_keeps_what_the_filter_chooses(tmp_path: Path) -> None:
    out = tmp_path / "out.pcapng"
    annotated(str(CAPTURE.with_name("tuple-reused-in-time-wait.pcapng")), str(out), "--stream", "0")
    assert len(fields(out, "frame.number")) == 11
