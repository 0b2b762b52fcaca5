"""``teardown annotate``: what it writes, read again by tshark and by our own reader."""

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

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
    assert "server enters FIN_WAIT_1" in comments[7]
    assert "TD102 late-fin-answered-by-rst: error, blames the client" in comments[10]


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
