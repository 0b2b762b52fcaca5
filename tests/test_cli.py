"""The command line: statuses, one-line errors, and what goes where. The pipeline is played by a sample result."""

import errno
import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from analyzer.cli import cli, guarded
from analyzer.command import Command
from analyzer.errors import UnreadableCapture
from analyzer.results.result import Analysed
from analyzer.settings import Settings
from analyzer.tcp.timer_catalogue import COLUMNS
from analyzer.vocabulary import FURTHER
from tests.results.listings import listing
from tests.results.sample import sample_analysed, sample_findings

CAPTURES = Path(__file__).parents[1] / "captures"
ONLY_FOUND = Settings(keep_flows=False, keep_timeline=False, keep_further=())  # all that a summary is made from
Run = Callable[..., tuple[int, str, str]]


class Pipeline:
    """Stands in for analyzer.engine.pipeline; remembers how it was called."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.settings = Settings()
        self.scratch: Path | None = None
        self.error: BaseException | None = None

    def analyze(
        self,
        paths: list[str],
        settings: Settings,
        progress: object = None,
        scratch: Path | None = None,
        each: object = None,
    ) -> Analysed:
        self.paths, self.settings, self.scratch = paths, settings, scratch
        if self.error:
            raise self.error
        return sample_analysed()


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    played = Pipeline()
    monkeypatch.setitem(sys.modules, "analyzer.engine.pipeline", SimpleNamespace(analyze=played.analyze))  # type: ignore[arg-type]
    return played


@pytest.fixture
def run(pipeline: Pipeline, capfd: pytest.CaptureFixture[str]) -> Run:
    def command(*arguments: str) -> tuple[int, str, str]:
        status = guarded(arguments)
        return status, *capfd.readouterr()

    return command


def teardown(*arguments: str, **more: Any) -> "subprocess.CompletedProcess[bytes]":
    """The real command in a process of its own."""
    command = [sys.executable, "-c", "from analyzer.cli import main; main()", *arguments]
    return subprocess.run(command, cwd=CAPTURES.parent, timeout=120, check=False, **more)


def test_help_answers_at_once() -> None:
    assert teardown("--help", capture_output=True).stdout.startswith(b"Usage: teardown")
    code = "import sys; from analyzer.cli import guarded; guarded(['--help']); print(len(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], cwd=CAPTURES.parent, capture_output=True, check=True)
    assert int(done.stderr) < 250  # click and the standard library are 158, in 0.05 s


@pytest.mark.parametrize("heavy", ["numpy", "pandas", "pyarrow", "numba", "rich", "scapy", "pyshark"])
def test_the_command_line_loads_nothing_heavy(heavy: str) -> None:
    code = f"import sys, analyzer, analyzer.cli; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=CAPTURES.parent, check=False).returncode == 0


def test_an_analysis_loads_only_what_it_needs(tmp_path: Path) -> None:
    capture, unneeded = CAPTURES / "close-wait-leak.pcap", {"pandas", "pyarrow", "numba", "rich"}
    if version("numpy") >= "2":  # before, numpy itself loads it
        unneeded.add("numpy.ma")
    arguments = ["analyze", str(capture), "--out", str(tmp_path)]
    code = f"import sys; from analyzer.cli import guarded; guarded({arguments}); print({unneeded} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CAPTURES.parent, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.endswith("\nset()\n")


def test_a_run_prints_the_summary(run: Run, pipeline: Pipeline) -> None:
    status, out, err = run("analyze", "a.pcap", "-")
    assert (status, err) == (0, "")
    assert "Findings: 1 error, 1 info" in out
    assert pipeline.paths == ["a.pcap", "-"]
    assert pipeline.settings == ONLY_FOUND


def test_thresholds_and_profile_reach_the_settings(run: Run, pipeline: Pipeline) -> None:
    run("analyze", "a", "--close-wait-leak", "2m", "--slow-close", "0.25", "--profile", "bsd")
    given = {"profile": "bsd", "close_wait_leak_ns": 120 * 10**9, "slow_close_ns": 250_000_000}
    assert pipeline.settings == replace(ONLY_FOUND, **given)
    run("analyze", "a", "--time-wait", "30", "--fin-timeout", "5s")
    assert pipeline.settings == replace(ONLY_FOUND, time_wait_ns=30 * 10**9, fin_timeout_ns=5 * 10**9)
    status, _, err = run("analyze", "a", "--time-wait", "25h")
    assert status == 2
    assert "--time-wait" in err


def test_what_does_not_fit_in_memory_goes_beside_the_tables(run: Run, pipeline: Pipeline, tmp_path: Path) -> None:
    run("analyze", "a", "--out", str(tmp_path))
    assert pipeline.scratch == tmp_path
    run("analyze", "a", "--out", str(tmp_path / "new"))
    assert pipeline.scratch is None


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (["--json"], (False, False, False)),
        (["--jsonl"], (True, False, False)),
        (["--jsonl", "--tables", "timeline", "--segments"], (True, True, True)),
        (["--out", "DIR"], (True, True, False)),
        (["--out", "DIR", "--segments"], (True, True, True)),
        (["--out", "DIR", "--tables", "findings"], (False, False, False)),
        (["--out", "DIR", "--tables", "flows"], (True, False, False)),
        (["--out", "DIR", "--tables", "timeline"], (True, True, False)),
        (["--out", "DIR", "--tables", "census"], (True, True, False)),
        (["--out", "DIR", "--tables", "reuse,timers"], (True, True, False)),
    ],
)
def test_only_what_is_written_is_kept(
    run: Run, pipeline: Pipeline, tmp_path: Path, options: list[str], kept: tuple[bool, bool, bool]
) -> None:
    assert run("analyze", "a", *(str(tmp_path) if word == "DIR" else word for word in options))[0] == 0
    made = pipeline.settings
    assert (made.keep_flows, made.keep_timeline, made.keep_segments) == kept
    assert made.keep_further == tuple(name for name in FURTHER if name in options[-1].split(","))


def test_out_writes_the_tables(run: Run, tmp_path: Path) -> None:
    status, out, _ = run("analyze", "a", "--out", str(tmp_path / "out"), "--segments")
    assert status == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("findings.csv", "flows.csv", "segments.csv", "timeline.csv"),
    ]
    assert f"Wrote {tmp_path}/out/flows.csv, " in out


def test_parquet_and_quiet(run: Run, tmp_path: Path) -> None:
    status, out, err = run("analyze", "a", "--out", str(tmp_path), "--format", "parquet", "--quiet")
    assert (status, out, err) == (0, "", "")
    assert (tmp_path / "flows.parquet").exists()


def test_json_is_one_document(run: Run) -> None:
    status, out, _ = run("analyze", "a", "--json")
    assert (status, json.loads(out)["flows"]) == (0, 4)


@pytest.mark.parametrize(("severity", "expected"), [("error", 1), ("warning", 1), ("info", 1)])
def test_fail_on_is_met_by_anything_as_grave(run: Run, severity: str, expected: int) -> None:
    assert run("analyze", "a", "--fail-on", severity, "--quiet")[0] == expected


def test_fail_on_is_not_met_by_less(run: Run, pipeline: Pipeline) -> None:
    only_info = sample_analysed()
    only_info.listing = listing([entry for entry in sample_findings() if entry["severity"] == "info"])
    sys.modules["analyzer.engine.pipeline"].analyze = lambda *_, **__: only_info  # type: ignore[attr-defined]
    assert run("analyze", "a", "--fail-on", "warning", "--quiet")[0] == 0


def test_code_prints_every_finding_of_it_on_a_line_of_its_own(run: Run) -> None:
    found = run("analyze", "a", "--code", "td102, TD101")
    message = 'client 10.1.0.2:40112 in CLOSE_WAIT for 61.2 s; its "late" FIN (7) met a RST [high confidence]'
    assert found == (0, f"error    TD102 stream 7: {message}\n", "")
    both = run("analyze", "a", "--code", "TD307,TD102")[1].splitlines()
    assert [line.split()[1] for line in both] == ["TD307", "TD102"]  # in the order of time
    assert run("analyze", "a", "--code", "TD402") == (0, "", "")


def test_code_prints_as_many_lines_as_json_has_findings(capfd: pytest.CaptureFixture[str]) -> None:
    capture = str(CAPTURES / "reconnect-loop-leaks.pcapng")
    assert guarded(["analyze", capture, "--json"]) == 0
    rows = json.loads(capfd.readouterr().out)["findings"]
    assert guarded(["analyze", capture, "--code", "TD101"]) == 0
    lines = capfd.readouterr().out.splitlines()
    told = [(row["stream"], row["message"], row["confidence"]) for row in rows if row["code"] == "TD101"]
    assert len(told) > 10
    assert lines == [f"error    TD101 stream {one}: {text} [{level} confidence]" for one, text, level in told]


def test_timeline_asks_for_the_segments_of_one_stream(run: Run, pipeline: Pipeline) -> None:
    status, out, _ = run("timeline", "a", "--stream", "7")
    assert status == 0
    assert out.startswith("stream 7: client 10.1.0.2:40112, server 10.1.0.3:8080\n")
    assert (pipeline.settings.keep_segments, pipeline.settings.keep_stream) == (True, 7)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["analyze"], "teardown: Missing argument 'CAPTURE...'. Try 'teardown analyze --help'.\n"),
        (["analyze", "a", "--fail-on", "doom"], "teardown: Invalid value for '--fail-on': 'doom' is not one of"),
        (
            ["analyze", "a", "--slow-close", "soon"],
            "teardown: Invalid value for '--slow-close': 'soon' is not a duration",
        ),
        (["analyze", ""], "teardown: a CAPTURE is named by an empty word"),
        (
            ["flows", "a", "--between", "5"],
            "teardown: Option '--between' requires 2 arguments. Try 'teardown flows --help'",
        ),
        (["analyze", "a", "--segments"], "teardown: --segments needs --out DIR, the folder to write into\n"),
        (["analyze", "a", "--format", "csv"], "teardown: --format needs --out DIR"),
        (
            ["timeline", "a", "--stream", "99"],
            "teardown: there is no stream 99 in the capture; its streams are 0 to 3\n",
        ),
        (["explain"], "teardown: name a finding (teardown explain TD101), or timers "),
        (["explain", "TD000"], "teardown: "),
        (["explain", ""], "teardown: no finding ''; teardown explain --list shows all"),
        (["analyze", "a", "--pile-up", "0"], "teardown: Invalid value for '--pile-up': 0 is not in the range"),
        (
            ["timeline", "-", "--where", "turns > 1"],
            "teardown: standard input can be read only once: name the connection",
        ),
        (["frobnicate"], "teardown: No such command 'frobnicate'."),
    ],
)
def test_usage_errors_are_one_line_and_status_2(run: Run, arguments: list[str], said: str) -> None:
    status, out, err = run(*arguments)
    known = [f"teardown: {notice.text}" for notice in sample_analysed().summary.notices]
    told = [line for line in err.splitlines(keepends=True) if line.rstrip("\n") not in known]
    assert (status, out, len(told)) == (2, "", 1)
    assert told[0].startswith(said)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (UnreadableCapture("x\x1b[2J.pcap: not a capture"), 2, "teardown: x\\x1b[2J.pcap: not a capture\n"),
        (KeyboardInterrupt(), 130, "teardown: interrupted\n"),
        (OSError(errno.EIO, "Input/output error", "x.pcap"), 2, "teardown: x.pcap: Input/output error\n"),
        (BrokenPipeError(), 141, ""),
    ],
)
def test_trouble_is_one_line(run: Run, pipeline: Pipeline, error: BaseException, status: int, said: str) -> None:
    pipeline.error = error
    assert run("analyze", "a") == (status, "", said)


def test_a_fault_of_ours_asks_to_be_reported(run: Run, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEARDOWN_DEBUG", raising=False)
    pipeline.error = ZeroDivisionError("oh\nno")
    status, out, err = run("analyze", "a")
    assert (status, out, err.count("\n")) == (3, "", 1)
    assert "TEARDOWN_DEBUG=1" in err
    assert err.endswith("ZeroDivisionError: oh no\n")
    monkeypatch.setenv("TEARDOWN_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run("analyze", "a")


def test_an_unwritable_folder_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    status, out, err = run("analyze", "a", "--out", str(tmp_path / "file" / "x"))
    assert (status, out) == (2, "")
    assert err == f"teardown: cannot make the folder {tmp_path}/file/x: Not a directory\n"


def test_no_arguments_show_the_help(run: Run) -> None:
    status, _, err = run()
    assert status == 2
    assert "Commands:" in err


def test_a_reader_that_has_gone_ends_it_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        done = teardown("--help", stdout=gone, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (141, b"")


def test_standard_output_and_error_may_be_closed() -> None:
    command = f"exec {shlex.quote(sys.executable)} -m analyzer.cli"
    shut = "explain TD101 >&-", "explain TD000 >&- 2>&-"
    done = [subprocess.run(["sh", "-c", f"{command} {rest}"], cwd=CAPTURES.parent, check=False) for rest in shut]
    assert [one.returncode for one in done] == [0, 2]


def test_a_full_disk_under_standard_output_is_one_line() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full, which this system does not have")
    with Path("/dev/full").open("wb") as full:
        done = teardown("--help", stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (2, b"teardown: standard output: No space left on device\n")


def test_explain_prints_a_finding_by_code_or_name(run: Run) -> None:
    status, page, _ = run("explain", "td101")
    assert (status, run("explain", "close-wait-leak")[1]) == (0, page)
    assert page.startswith("TD101 close-wait-leak\n")
    assert "What to do next" in page
    assert "#" not in page


def test_explain_lists_all_findings(run: Run) -> None:
    status, listed, _ = run("explain", "--list")
    assert status == 0
    assert "TD102 late-fin-answered-by-rst (error)\n" in listed
    assert max(map(len, listed.splitlines())) <= 80


def test_every_command_has_help(run: Run) -> None:
    for name, command in cli.commands.items():
        assert (command.help or "").rstrip().endswith("."), name
        assert run(name, "--help")[0] == 0


def test_the_progress_bar_stays_away_from_files(capsys: pytest.CaptureFixture[str]) -> None:
    from analyzer.views.progress import ProgressBar

    with ProgressBar() as bar:
        bar._started -= 10
        bar(5, 10)
    assert capsys.readouterr() == ("", "")


def test_the_progress_bar_shows_on_a_terminal_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    from analyzer.views.progress import ProgressBar

    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    for what, unit in (("reading", "bytes"), ("writing", "rows")):
        terminal.truncate(0)
        with ProgressBar(what, unit) as bar:
            bar(1, 10)
            assert terminal.getvalue() == ""
            bar._started -= 10
            bar(5, 10)
        assert what in terminal.getvalue() and unit in terminal.getvalue()


def test_what_is_written_is_told_of(tmp_path: Path) -> None:
    from analyzer.engine.pipeline import analyze
    from analyzer.writers.tables import write_analysed

    analysed, told = analyze([str(CAPTURES / "reconnect-loop-leaks.pcapng")], Settings(keep_segments=True)), []
    write_analysed(analysed, tmp_path, progress=lambda done, total: told.append((done, total)))
    assert analysed.segments is not None
    whole = 2 * analysed.overview.flows + len(analysed.segments[0])
    assert told == sorted(told) and told[-1] == (whole, whole)


def test_a_terminated_run_leaves_nothing_behind(tmp_path: Path) -> None:
    code = f"""
import time
from pathlib import Path
import analyzer.cli, analyzer.writers.atomic_file as atomic
def command():
    with atomic.whole_file(Path({str(tmp_path)!r}) / "flows.csv") as file:
        file.write(b"half")
        print("writing", flush=True)
        time.sleep(60)
analyzer.cli._invoke = lambda arguments: command()
analyzer.cli.main([])
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=CAPTURES.parent, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"writing\n"
        assert len(list(tmp_path.iterdir())) == 1
        running.terminate()
        assert running.wait(10) == 143
    assert list(tmp_path.iterdir()) == []


def test_timers_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(["explain", "timers", "350"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("350 s\n") and "AWS Network Load Balancer" in said and "nginx" not in said
    assert guarded(["explain", "timers"]) == 0
    assert "432000 s (5 days)" in capsys.readouterr().out


def test_timers_are_found_by_name_and_with_those_of_the_site(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    own = tmp_path / "own.tsv"
    row = ("shop-lb", "Shop balancer", "device", "device between", "idle", "350", "fixed", "last packet either way")
    own.write_text("\t".join(COLUMNS) + "\n" + "\t".join((*row, "silent", "all", "wiki", "[D]")) + "\n")
    assert guarded(["explain", "timers", "NGINX"]) == 0
    said = capsys.readouterr().out
    assert "75 s\n" in said and "keepalive_timeout" in said and "AWS" not in said
    assert guarded(["explain", "timers", "350", "--timers", str(own)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("350 s\n  Shop balancer: idle (yours; device between)\n") and "AWS NAT gateway" in said
    assert guarded(["explain", "timers", "shop balancer", "--timers", str(own)]) == 0
    assert "AWS" not in capsys.readouterr().out
    assert guarded(["explain", "TD101", "--timers", str(own)]) == 2
    assert guarded(["explain", "timers", "--timers", str(tmp_path / "none")]) == 2


@pytest.mark.parametrize(
    "given",
    [*(["timers", value] for value in ("no such system", "0.01", "1e999999", "1e99999", "NaN")), ["TD101", "350"]],
)
def test_a_timer_that_is_not_known(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(["explain", *given]) == 2
    said = capsys.readouterr().err
    assert said.startswith("teardown: ") and "internal error" not in said


BY_COMMAS = {
    *("--tables", "--columns", "--host", "--port", "--stream", "--code", "--ending", "--select", "--ignore"),
    *("--states", "--findings"),
}


def valued_options() -> list[Any]:
    """All options of all commands that take a value, with a command's name each."""
    return [
        pytest.param(name, option, id=f"{name} {option.opts[-1]}")
        for name, command in cli.commands.items()
        for option in command.params
        if isinstance(option, click.Option) and not option.is_flag
    ]


@pytest.mark.parametrize(("name", "option"), valued_options())
def test_an_option_given_twice_is_no_option_lost(run: Run, name: str, option: click.Option) -> None:
    """Either both values are taken or it is an error that names it: click takes the last, and says nothing."""
    assert isinstance(cli.commands[name], Command)
    if option.multiple:
        return
    for opts in (option.opts[:1] * 2, (option.opts * 2)[:2]):
        given = [word for opt in opts for word in (opt, *["1"] * option.nargs)]
        status, out, err = run(name, *given)
        assert (status, out) == (2, "")
        assert f"{max(option.opts, key=len)} is given more than once" in err
        assert ("separate several values by commas" in err) == (option.opts[-1] in BY_COMMAS)
