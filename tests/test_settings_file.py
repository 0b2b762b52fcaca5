"""A project's settings file, and the findings that are told or left out."""

import csv
import json
from pathlib import Path

import pytest

import analyzer
from analyzer.cli import guarded
from analyzer.errors import UsageError
from analyzer.settings import Settings, SettingsFile, file_text, options_text

CAPTURES = Path(__file__).parents[1] / "captures"
LEAK = str(CAPTURES / "close-wait-leak.pcap")
MANY = str(CAPTURES / "reconnect-loop-leaks.pcapng")  # TD101 of each, TD106 of all


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, and in it the working directory."""
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    return tmp_path


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = guarded(arguments)
    return status, *capfd.readouterr()


@pytest.mark.parametrize(
    ("name", "head"), [("teardown.toml", ""), ("pyproject.toml", "[tool.teardown]\n"), ("sub/teardown.toml", "")]
)
def test_the_nearest_file_is_read_and_named(
    name: str, head: str, project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (project / name).write_text(f'{head}close-wait-leak = 30\nignore = ["TD107"]\nprofile = "bsd"\n')
    shown = "teardown.toml" if name.startswith("sub") else project / name
    said = " ".join(run(capfd, "analyze", LEAK)[1].split())
    assert f"Settings from {shown}: close-wait-leak 30, ignore TD107, profile bsd" in said
    assert "Findings that are told: all but TD107" in said
    assert "No findings" in said


def test_options_override_it_and_no_config_goes_without(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "teardown.toml").write_text("close-wait-leak = 30\nslow-close = 2\n")
    overridden = run(capfd, "analyze", LEAK, "--close-wait-leak", "10")[1]
    assert "TD101" in overridden
    assert "teardown.toml: slow-close 2 20" in " ".join(overridden.split())  # the date comes next
    assert f"timeline {LEAK} --stream 0 --close-wait-leak 10\n" in overridden
    without = run(capfd, "analyze", LEAK, "--no-config")[1]
    assert "Settings from" not in without
    assert f"timeline {LEAK} --stream 0 --no-config\n" in without


def test_suggested_commands_leave_out_what_the_file_says(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "teardown.toml").write_text("slow-close = 2\n")
    assert f"timeline {LEAK} --stream 0\n" in run(capfd, "analyze", LEAK)[1]


def test_commands_without_a_summary_say_so_on_standard_error(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "teardown.toml").write_text("slow-close = 2\n")
    for arguments in (["flows", LEAK, "--csv"], ["timeline", LEAK, "--port", "8080"]):
        _, out, err = run(capfd, *arguments)
        assert "Settings from" not in out
        assert err == f"Settings from {project / 'teardown.toml'}: slow-close 2\n"
    assert json.loads(run(capfd, "analyze", LEAK, "--json")[1])["settings_from"].endswith(": slow-close 2")


def test_a_project_without_settings_is_passed_by(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "sub" / "pyproject.toml").write_text('[project]\nname = "teardown"\n')
    (project / "teardown.toml").write_text("close-wait-leak = 30\n")
    assert "close-wait-leak 30" in run(capfd, "analyze", LEAK)[1]
    (project / "sub" / "pyproject.toml").write_text("no toml at all")
    assert "close-wait-leak 30" in run(capfd, "analyze", LEAK)[1]


def test_a_files_name_counts_from_the_settings(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "teardown.toml").write_text('timers = "own.tsv"\n')
    _, _, err = run(capfd, "analyze", LEAK)
    assert str(project / "own.tsv") in err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("close-wait-leek = 3", "unknown setting 'close-wait-leek'; did you mean close-wait-leak?"),
        ("xyzzy = 3", "unknown setting 'xyzzy'; there are profile, "),
        ('slow-close = "fast"', "slow-close: 'fast' is not a duration"),
        ("slow-close = -1", "slow-close: a duration must not be negative"),
        ("pile-up = true", "pile-up: it cannot be True"),
        ("pile-up = 0", "pile-up: --pile-up must be a whole number from 1"),
        ('profile = "plan9"', "profile: profile is one of linux"),
        ('host = "10.0.0.1"', "host is a filter, which only the option --host sets"),
        ('ignore = ["TD998"]', "ignore: no finding TD998"),
        ("ignore = 7", "ignore: "),
        ("ignore = []", "ignore: --ignore names no code"),
        ("[tool.teardown]\nslow-close = 2", "unknown setting 'tool'"),
        ("slow-close = ", "Invalid value"),
    ],
)
def test_what_means_nothing_is_one_line(text: str, said: str, project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "sub" / "teardown.toml").write_text(text)
    status, out, err = run(capfd, "analyze", LEAK)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "teardown.toml: " in err
    assert said in err
    assert run(capfd, "analyze", LEAK, "--no-config")[0] == 0


def test_python_reads_no_file(project: Path) -> None:
    (project / "sub" / "teardown.toml").write_text("close-wait-leak = 30\n")
    assert "TD101" in set(analyzer.analyze(LEAK).findings["code"])


def test_what_is_left_out_is_told_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(capfd, "analyze", LEAK, "--fail-on", "error")[0] == 1
    status, out, _ = run(capfd, "analyze", LEAK, "--fail-on", "error", "--ignore", "td101", "--out", str(tmp_path))
    assert (status, "TD101 " in out) == (0, False)
    assert "Findings that are told: all but td101" in out
    for table in ("flows", "findings"):
        rows = list(csv.DictReader((tmp_path / f"{table}.csv").read_text().splitlines()))
        assert not any("TD101" in value for row in rows for value in row.values())
    document = json.loads(run(capfd, "analyze", LEAK, "--ignore", "TD101", "--json")[1])
    assert (document["findings"], document["told"]) == ([], "all but TD101")


def test_what_is_selected_is_told_alone() -> None:
    whole, some, many = (analyzer.analyze(MANY, select=codes) for codes in (None, ["TD101"], "TD106"))
    assert set(whole.findings["code"]) == {"TD101", "TD106"}
    assert (set(some.findings["code"]), set(many.findings["code"])) == ({"TD101"}, {"TD106"})
    assert (set(some.flows["findings"]), set(many.flows["findings"])) == ({"", "TD101"}, {""})
    assert len(some.flows) == len(many.flows) == len(whole.flows)
    assert analyzer.analyze(LEAK, select="TD101", ignore="TD101").findings.empty


@pytest.mark.parametrize("option", ["--select", "--ignore"])
def test_an_unknown_code_is_one_line(option: str, capfd: pytest.CaptureFixture[str]) -> None:
    for command in (["analyze", LEAK], ["compare", LEAK, LEAK]):
        status, out, err = run(capfd, *command, option, "TD101,TD998")
        assert (status, out) == (2, "")
        assert err == f"teardown: {option}: no finding TD998; teardown explain --list shows all\n"


def test_what_is_left_out_does_not_count_in_comparisons(capfd: pytest.CaptureFixture[str]) -> None:
    names = ("every-response-closed", "one-response-in-three-not-closed")
    pair = [str(CAPTURES / f"{name}.pcapng") for name in names]
    assert run(capfd, "compare", *pair, "--fail-on", "worse")[0] == 1
    status, out, _ = run(capfd, "compare", *pair, "--fail-on", "worse", "--ignore", "TD102")
    assert (status, "late-fin" in out) == (0, False)


def test_text_of_options() -> None:
    file = SettingsFile("teardown.toml", (("slow_close_ns", 2 * 10**9),))
    assert file_text(Settings()) == file_text(Settings(settings_file=file)) == ""
    settings = Settings(slow_close_ns=2 * 10**9, settings_file=file)
    assert (file_text(settings), options_text(settings)) == ("Settings from teardown.toml: slow-close 2", [])
    assert options_text(Settings(settings_file=file)) == ["--slow-close 1"]
    assert options_text(Settings(settings_file=SettingsFile(""))) == ["--no-config"]
    with pytest.raises(UsageError, match="names no code"):
        analyzer.analyze(LEAK, ignore=" ,")
