"""What every program of the terminal does: completion, interrupts, wrapped pages, folders that are written again."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from analyzer.cli import cli, guarded
from analyzer.findings.loading import rules

CAPTURES = Path(__file__).parents[1] / "captures"
LEAK = str(CAPTURES / "close-wait-leak.pcap")
INTERRUPTED_IN = """
import os, signal, sys
from analyzer.__main__ import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run behind a shell, which ignores it
wanted, capture = sys.argv[1:]
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == wanted:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
sys.argv[:] = ["teardown", "analyze", capture]
main()
"""


@pytest.mark.parametrize("module", ["click", "analyzer.cli", "analyzer.engine.pipeline", "analyzer.views.summary"])
def test_an_interrupt_is_one_line_whatever_is_being_imported(module: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED_IN, module, LEAK]
    done = subprocess.run(command, cwd=CAPTURES.parent, capture_output=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"teardown: interrupted\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_what_the_shell_takes(shell: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert guarded(["completion", shell]) == 0
    text = capfd.readouterr().out
    assert "_TEARDOWN_COMPLETE" in text
    if there := shutil.which(shell):
        done = subprocess.run([there, "-n"], input=text, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_completion_knows_commands_and_options() -> None:
    def completed(words: str) -> set[str]:
        asked = {"_TEARDOWN_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        done = subprocess.run(
            [sys.executable, "-m", "analyzer"],
            cwd=CAPTURES.parent,
            env=os.environ | asked,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stderr == ""
        return {line.partition(",")[2] for line in done.stdout.splitlines()}

    assert completed("teardown ") >= set(cli.commands)
    assert completed("teardown analyze --fa") == {"--fail-on"}
    assert completed("teardown analyze --fail-on ") == {"error", "warning", "info"}


def test_pages_are_wrapped_and_grouped(capfd: pytest.CaptureFixture[str]) -> None:
    for code in rules():
        assert guarded(["explain", code]) == 0
        lines = capfd.readouterr().out.splitlines()
        assert all(len(line) <= 100 for line in lines if "`" not in line and "|" not in line), code
    assert guarded(["explain", "--list"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line[:4] in rules() or line[:5] in rules()] == list(rules())
    assert [line[:5] for line in lines if line[3:5] == "xx"] == [f"TD{n}xx"[:5] for n in "123459"]


def test_a_folder_written_again_has_no_table_of_an_earlier_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert guarded(["analyze", LEAK, "--out", str(tmp_path), "--segments"]) == 0
    mine = tmp_path / "census.csv"
    mine.write_text("my own,columns,of people\n1,2,3\n")
    capfd.readouterr()
    assert guarded(["analyze", LEAK, "--out", str(tmp_path), "--tables", "flows,reuse"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["census.csv", "flows.csv", "reuse.csv"]
    out = capfd.readouterr().out
    assert "(replaced flows.csv)" in out
    assert (
        f"Removed {tmp_path}/timeline.csv, {tmp_path}/findings.csv, {tmp_path}/segments.csv: of an earlier run" in out
    )
    assert guarded(["analyze", LEAK, "--out", str(tmp_path), "--format", "parquet", "--tables", "flows"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["census.csv", "flows.parquet"]
