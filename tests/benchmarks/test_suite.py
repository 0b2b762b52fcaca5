"""The benchmark suite: what it makes of single runs, that it runs programs, and that the page is current."""

import argparse
import json
import sys
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from benchmarks import libraries, machine, report, suite
from benchmarks.aims import AIMS
from benchmarks.measure import Bench, Failed, run
from benchmarks.plot import LINE_HEIGHT, Line, _apart, figure
from benchmarks.programs import CPUS, PYTHON, SIDE_BY_SIDE, SMALL, TITLES, Program
from benchmarks.records import head
from benchmarks.results import Results
from tests.lab.pcapfile import read

from .test_multiply import recorded

TRUE = Program("true", "nothing", ("true",))
FALSE = Program("false", "nothing, but fails", ("false",))


def raw() -> dict[str, Any]:
    """Two programs on two captures, three rounds; round 1 was disturbed, for both alike."""
    runs = []
    for capture, seconds in (("mix-4m.pcap", 1.0), ("mix-16m.pcap", 3.0)):
        for turn, slower in enumerate((1, 10, 1.5)):
            for program, times in (("tcpdump", 1), ("teardown-csv", 3)):
                row = {"part": "sizes", "capture": capture, "program": program, "round": turn}
                runs.append({**row, "wall": seconds * times * slower, "cpu": seconds, "peak": 10**6 * (turn + 1)})
    facts = {"bytes": 1, "connections": 2, "repeated": 0}
    captures = {f"mix-{n}m.pcap": {"packets": n * 10**6, **facts} for n in (4, 16)}
    return {"machine": {"cores": "2"}, "versions": {"ra": "5"}, "captures": captures, "left_out": [], "runs": runs}


def test_medians_count_and_ratios_are_of_the_same_round() -> None:
    found = Results(raw()).summary("sizes", "mix-4m.pcap", "teardown-csv")
    assert found == (3, 4.5, 1.0, 3 * 10**6, 3.0)
    assert Results(raw()).summary("sizes", "mix-4m.pcap", "tshark") is None


def test_what_each_packet_more_costs() -> None:
    results = Results(raw())
    assert results.marginal("tcpdump", "mix-4m.pcap", "mix-16m.pcap") == pytest.approx(3.0 / 12e6)
    assert results.marginal_ratio("teardown-csv", "mix-4m.pcap", "mix-16m.pcap") == pytest.approx(3)
    assert results.marginal_ratio("tshark", "mix-4m.pcap", "mix-16m.pcap") is None
    assert results.doubling("tcpdump", "mix-4m.pcap", "mix-16m.pcap") == pytest.approx(3**0.5)


def test_aims_are_judged_and_those_not_measured_are_left_blank() -> None:
    rows = {aim.text: aim.row(Results(raw()))[2:] for aim in AIMS}
    assert rows["an additional packet, mix, everything as CSV"] == ["3.00 x tcpdump", "yes"]
    assert rows["the same: against tcptrace"] == ["", ""]
    assert rows["time when the mix doubles"] == ["1.73 x", "yes"]


def test_the_page_changes_between_its_marks_only() -> None:
    text = f"# Speed\n\n{report.BEGIN}old\n{report.END}\nprose\n"
    made = report.page(text, raw())
    assert made.startswith("# Speed\n") and made.endswith("prose\n") and "old" not in made
    assert "| everything" not in made and "| teardown, everything as CSV | 3 | 4.50 | 1.00 | 0.89 | 3.0 | 3 |" in made
    assert report.page(made, raw()) == made


def test_the_figure_is_svg_that_names_every_program() -> None:
    root = ET.fromstring(report.plot(raw()))
    words = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert {"tcpdump, filter SYN/FIN/RST", "teardown, everything as CSV", "10 million"} <= set(words)
    ET.fromstring(figure([], "x", "y"))
    ET.fromstring(figure([Line("a < b", [(1, 1)], True)], "x", "y"))


def test_names_in_the_figure_keep_apart() -> None:
    heights = _apart([495.0, 496.0, 497.0, 498.0])
    assert all(b - a >= LINE_HEIGHT for a, b in pairwise(heights))
    assert heights[-1] <= 500


def test_the_page_is_made_from_the_results() -> None:
    results = json.loads(suite.RESULTS.read_text())
    assert report.PAGE.read_text() == report.page(report.PAGE.read_text(), results), (
        "python benchmarks/suite.py FOLDER --report"
    )
    assert report.FIGURE.read_text() == report.plot(results)


def test_every_program_has_a_name_of_its_own_and_its_command_is_whole() -> None:
    for group in (SIDE_BY_SIDE, CPUS, PYTHON, SMALL):
        assert len({one.name for one in group}) == len(group)
        for one in group:
            assert TITLES[one.name] == one.title
            words = one.command(Path("a b.pcap"), "out", "py")
            assert "a b.pcap" in " ".join(words) and not any("{" in word for word in words)


def test_what_is_missing_is_said() -> None:
    assert Program("x", "x", ("true",), needs=("no-such-program",)).missing() == "no-such-program"
    assert Program("x", "x", ("{python}", "libraries.py", "no-such-library")).missing() == "no-such-library for Python"
    assert Program("x", "x", ("true",), option="--no-such-option").missing() == "option --no-such-option"
    assert TRUE.missing() == ""


def test_runs_are_weighed_with_their_children(tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'b = bytearray(100_000_000)'], check=True)"
    assert run([sys.executable, "-c", code], 60).peak > 100_000_000


def test_failure_and_endless_running_are_told_apart() -> None:
    with pytest.raises(Failed, match="status 1"):
        run(["false"], 60)
    with pytest.raises(Failed, match="more than 0 s"):
        run(["sleep", "60"], 0.1)


def test_rounds_leave_out_what_fails_and_what_would_take_too_long(tmp_path: Path) -> None:
    recorded(tmp_path / "mix-1m.pcap")
    bench = Bench(patience=1e6)
    bench.rounds("sizes", tmp_path / "mix-1m.pcap", 240, [TRUE, FALSE], 2)
    assert [(row["program"], row["round"]) for row in bench.rows] == [("true", 0), ("true", 1)]
    bench.patience = 0
    bench.rounds("sizes", tmp_path / "mix-1m.pcap", 10**9, [TRUE], 2)
    assert [(row["program"], row["reason"].split()[0]) for row in bench.left_out] == [
        ("false", "ended"),
        ("true", "about"),
    ]
    again = suite.merged(
        {"runs": [{"part": "sizes", "capture": "mix-1m.pcap"}], "left_out": []}, bench, {"machine": {}}
    )
    assert json.loads(suite.written(again)) == {"machine": {}, "left_out": bench.left_out, "runs": bench.rows}


def test_captures_are_taken_shorter_ones_first(tmp_path: Path) -> None:
    names = {"mix-16m.pcap": 16, "mix-4m.pcap": 4, "bulk-4m.pcap": 4, "mix-64m.pcap": 64}
    facts = {name: {"packets": millions * 10**6} for name, millions in names.items()}
    (tmp_path / "captures.json").write_text(json.dumps(facts))
    for name in names:
        (tmp_path / name).touch()
    found = suite.captures_in(tmp_path, ["bulk", "mix"], 16)
    assert [path.name for path in found] == ["bulk-4m.pcap", "mix-4m.pcap", "mix-16m.pcap"]


def test_the_machine_is_described() -> None:
    assert {"processor", "cores", "memory", "kernel", "Python", "load before"} == set(machine.machine())
    assert machine._version("Python", (sys.executable, "--version")) == machine.machine()["Python"]
    assert machine._version("none", ("no-such-program",)) == ""


def test_scapy_reads_what_was_recorded(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    packets = recorded(tmp_path / "slice.pcap")
    head(tmp_path / "slice.pcap", tmp_path / "head.pcap", 12)
    assert read(tmp_path / "head.pcap")[1] == packets[:12]
    monkeypatch.setattr(sys, "argv", ["libraries.py", "scapy", str(tmp_path / "head.pcap")])
    libraries.main()
    assert capsys.readouterr().out == "4 senders, 2 with FIN, 4 with SYN, 2 with RST\n"


def test_options_have_defaults() -> None:
    options: argparse.Namespace = suite.parser().parse_args(["folder"])
    assert (options.runs, options.only, options.results) == (5, suite.PARTS, suite.RESULTS)
