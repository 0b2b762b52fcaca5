"""The ladder as a picture: it says what the ladder in words says."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from analyzer.engine.pipeline import analyze
from analyzer.settings import Settings
from analyzer.views.pictures.ladder import ladder_svg
from analyzer.views.pictures.time_scale import FOLDED, MOST, TimeScale
from tests.captures import CAPTURES_FOLDER as CAPTURES

SVG = "{http://www.w3.org/2000/svg}"


def picture(name: str, stream: int = 0) -> ElementTree.Element:
    result = analyze([str(CAPTURES / name)], Settings(keep_segments=True, keep_further=())).result()
    return ElementTree.fromstring(ladder_svg(result, stream))


def texts(made: ElementTree.Element) -> list[str]:
    return [entry.text or "" for entry in made.iter(f"{SVG}text")]


def test_states_segments_and_findings_stand_in_it() -> None:
    told = texts(picture("late-fin-answered-by-rst.pcapng"))
    for state in ("SYN_SENT", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSED~", "FIN_WAIT_2~", "CLOSED^"):
        assert state in told
    assert "FIN,ACK seq 441 ack 44" in told and "RST seq 442" in told
    assert "● TD102 late-fin-answered-by-rst" in told
    assert "… 4.96 s of silence …" in told


def test_each_row_is_told_in_words() -> None:
    rows = [title.text or "" for title in picture("late-fin-answered-by-rst.pcapng").iter(f"{SVG}title")]
    reset = rows[-1].split("\n")
    assert reset[1:] == ["11", "server → client", "RST seq 442", "client CLOSED", "TD102"]
    assert len(rows) == 12


@pytest.mark.parametrize(
    "name",
    ["starts-mid-stream.pcap", "zero-window-stall.pcap", "graceful-over-ipv6.pcap", "tuple-reused-in-time-wait.pcapng"],
)
def test_names_in_it_are_unique_and_nothing_is_outside(name: str) -> None:
    made = picture(name)
    ids = [entry.get("id") for entry in made.iter() if entry.get("id")]
    assert len(set(ids)) == len(ids)
    height = float(made.get("viewBox", "").split()[3])
    assert all(0 <= float(entry.get("y", "0")) <= height for entry in made.iter(f"{SVG}text"))
    for used in re.findall(r"url\(#([^)]+)\)", ElementTree.tostring(made, "unicode")):
        assert used in ids


def test_time_is_to_scale_but_for_short_steps_and_long_silences() -> None:
    scale = TimeScale([0, 10, 30, 60, 10_000], [20.0] * 5, 0)
    steps = [after - before for before, after in zip(scale.places, scale.places[1:], strict=False)]
    assert steps[2] == pytest.approx(30 * scale.scale) and 20 < steps[2] <= MOST
    assert steps[0] == steps[1] == 20  # their rows
    assert steps[3] == 20 + FOLDED and [fold.place for fold in scale.folds] == [3]
    assert scale.at(45) == pytest.approx((scale.places[2] + scale.places[3]) / 2)


def test_the_command_writes_it(tmp_path: Path) -> None:
    capture, file = str(CAPTURES / "late-fin-answered-by-rst.pcapng"), tmp_path / "l.svg"
    done = subprocess.run(
        [sys.executable, "-m", "analyzer", "timeline", capture, "--svg", str(file)], capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stderr == f"Wrote {file}\n" and done.stdout == ""
    assert ElementTree.parse(file).getroot().tag == f"{SVG}svg"
