"""However a capture is cut into files, the tables are those of the whole, and every frame that is named is found: in
the file that is named, under the number that is told, stands the same packet."""

import csv
import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from analyzer.engine.pipeline import analyze
from analyzer.findings.loading import rules
from analyzer.results.result import Analysed
from analyzer.settings import Settings
from analyzer.views.ladder import ladder_lines
from analyzer.views.summary import summary_lines
from analyzer.writers.tables import write_analysed
from tests.lab.pcapfile import Packet
from tests.several.parts import Cut, cut, read

CAPTURES = sorted((Path(__file__).parents[2] / "captures").glob("*.pcap*"))
RING = [f"ring_{number:05}_20240101000000.pcap" for number in range(1, 6)]
IN_FILE = re.compile(r"\b(frame |frames |to |and )?(\d+) of (ring_\d+_\d+\.pcap|[a-e]\.pcap)")
NUMBER_OF_FRAME = re.compile(r"\bframes? \d++(?! of )|\(\d+\)")
TEXTS = ("message", "advice", "file", "file_frame", "first_file", "first_file_frame")
Row = dict[str, str]


def in_order(place: int, _: Packet) -> int:
    return place if place < 2 else min(2 + place // 6, 4)


def in_turns(place: int, _: Packet) -> int:
    return place * 7 // 2 % 4


def by_length(place: int, packet: Packet) -> int:
    return packet.length % 2 if place else 2


CUTS = {
    "one after the other": (in_order, RING),
    "in turns": (in_turns, [f"{letter}.pcap" for letter in "abcde"]),
    "by length": (by_length, [f"{letter}.pcap" for letter in "cab"]),
}


def tables(analysed: Analysed, folder: Path) -> dict[str, list[Row]]:
    folder.mkdir()
    paths = write_analysed(analysed, folder)
    return {path.stem: list(csv.DictReader(path.read_text("utf8").splitlines())) for path in paths}


def ordered(path: Path) -> bool:
    """Whether no packet is dated before or with another: else the order of the whole is not that of its parts."""
    times = [packet.time for packet in read(path)[1]]
    return all(earlier < later for earlier, later in pairwise(times))


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_tables_and_frames(path: Path, how: str, tmp_path: Path) -> None:
    if not ordered(path):
        pytest.skip("its packets are not in the order of time")
    which, names = CUTS[how]
    whole = tables(analyze([str(path)], Settings(keep_segments=True)), tmp_path / "whole")
    parts = cut(path, tmp_path, which, names)
    analysed = analyze(parts.files, Settings(keep_segments=True))
    told = tables(analysed, tmp_path / "parts")
    packets = read(path)[1]
    for name, rows in whole.items():
        assert [plain(row) for row in told[name]] == [plain(row) for row in rows], name
    for ours, theirs in zip(told["findings"], whole["findings"], strict=True):
        check_finding(ours, theirs, parts, packets)
    for row in told["flows"]:
        first = packet_of(parts, row["first_file"], row["first_file_frame"])
        assert packets.index(first) + 1 == int(row["first_frame"])
    check_ladders(analysed, parts, packets)


def plain(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in TEXTS}


def packet_of(parts: Cut, name: str, frame: str) -> Packet:
    return parts.packets[parts.files.index(name)][int(frame) - 1]


def check_finding(ours: Row, theirs: Row, parts: Cut, packets: list[Packet]) -> None:
    short = {Path(name).name: name for name in parts.files}
    message = ours["message"]
    assert not NUMBER_OF_FRAME.search(message), message
    named = [(frame, packet_of(parts, short[name], frame)) for _, frame, name in IN_FILE.findall(message)]
    places = iter([packets.index(packet) + 1 for _, packet in named])
    translated = IN_FILE.sub(lambda found: f"{found[1] or ''}{next(places)}", message)
    assert translated == theirs["message"]
    numbers = {int(frame) for frame in ours["frames"].split(";")}
    assert {packets.index(packet) + 1 for _, packet in named} <= numbers
    decides = packet_of(parts, ours["file"], ours["file_frame"])
    assert packets.index(decides) + 1 in numbers
    times = {seconds(packets[number - 1].time) for number in numbers}
    assert ours["time_epoch"] not in times or seconds(decides.time) == ours["time_epoch"]
    assert "CAPTURE" not in ours["advice"] and "tcp.stream ==" not in ours["advice"]


def seconds(time: int) -> str:
    return f"{time // 10**9}.{time % 10**9:09}"


LINE = re.compile(r"^ *-?\d+\.\d{6} +(?:([A-Z]+):)?(\d+) ")


def check_ladders(analysed: Analysed, parts: Cut, packets: list[Packet]) -> None:
    """Each line of a ladder that shows a segment names its packet."""
    result = analysed.result()
    assert result.segments is not None
    for stream, segments in result.segments.groupby("stream"):
        lines = [line.plain for line in ladder_lines(result, int(str(stream)), everything=True)]
        files = dict(re.findall(r"^frames (?:([A-Z]+): )?of (.*)$", line)[0] for line in lines if line[:7] == "frames ")
        shown = [LINE.match(line) for line in lines]
        found = [packets.index(packet_of(parts, files[line[1] or ""], line[2])) + 1 for line in shown if line]
        own = set(segments["frame"])
        assert [frame for frame in found if frame in own] == segments["frame"].tolist()
        others = {*result.timeline["frame"].dropna(), *analysed.quoted["frame"]}  # ICMP errors; one that took its place
        assert set(found) - own <= others


def test_a_capture_alone_is_not_told_of(tmp_path: Path) -> None:
    """Its frames are its own."""
    path = next(path for path in CAPTURES if path.stem == "write-to-closed-peer")
    told = tables(analyze([str(path)], Settings()), tmp_path / "alone")
    assert {row["file"] + row["file_frame"] for row in told["findings"]} == {""}
    assert {row["first_file"] + row["first_file_frame"] for row in told["flows"]} == {""}
    assert (
        shlex.quote(str(path)) in told["findings"][0]["advice"]
        and f" of {path.name}" not in told["findings"][0]["message"]
    )


def test_names_that_need_quotes(tmp_path: Path) -> None:
    """In a cell, and in a command."""
    path = next(path for path in CAPTURES if path.stem == "write-to-closed-peer")
    names = ['a "b", c.pcap', "d{e} f'g.pcap"]
    parts = cut(path, tmp_path, lambda place, _: place % 2, names)
    analysed = analyze(parts.files, Settings())
    (finding,) = tables(analysed, tmp_path / "tables")["findings"]
    assert finding["file"] in parts.files and f" of {Path(finding['file']).name}" in finding["message"]
    command = finding["advice"][finding["advice"].index("tshark -r") :]
    assert shlex.split(command)[:3] == ["tshark", "-r", finding["file"]]
    frame = analysed.result().findings.iloc[0]
    assert {name: str(frame[name]) for name in finding if name not in ("time_epoch", "stream")} == {
        name: value for name, value in finding.items() if name not in ("time_epoch", "stream")
    }


def test_names_are_told_apart(tmp_path: Path) -> None:
    """By their folders where the names are the same; and twice the same file is one."""
    path = next(path for path in CAPTURES if path.stem == "slow-close")
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
    parts = cut(path, tmp_path, lambda place, _: place % 2, ["x/c.pcap", "y/c.pcap"])
    findings = analyze([*parts.files, parts.files[0]], Settings()).result().findings
    assert re.findall(r"\d+ of (\S+/[xy]/c\.pcap)", findings["message"][0])


def test_the_summary_shows_the_example_in_its_file(tmp_path: Path) -> None:
    path = next(path for path in CAPTURES if path.stem == "close-wait-leak")
    parts = cut(path, tmp_path, in_order, RING)
    analysed = analyze(parts.files, Settings())
    lines = [line.plain.strip() for line in summary_lines(analysed.summary, analysed.overview, analysed.listing)]
    (filter_,) = [line for line in lines if line.startswith("ip.addr == ")]
    row = analysed.result().findings.iloc[0]
    ends = f"tcp.port == {row['client_port']} && tcp.port == {row['server_port']}"
    assert filter_ == f"ip.addr == {row['client_ip']} && ip.addr == {row['server_ip']} && {ends}  (in {row['file']})"


def values(rule: Any) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", rule.message))


@pytest.mark.parametrize("code", rules())
def test_a_bare_number_that_is_a_frame_stands_behind_the_word(code: str) -> None:
    """As ``wording`` takes it for one only there; what a name like this says is a frame, is one."""
    message = rules()[code].message
    frames = {"fin", "ack", "own_fin", "rst", "data", "syn", "answer", "again", "reack", "first", "last", "probe"}
    frames |= {"answered", "frame", "client_fin", "server_fin"}
    for name in values(rules()[code]) & frames:
        assert re.search(rf"\bframes? (\{{\w+\}} to )?\{{{name}\}}", message), (name, message)
