"""What ``import analyzer`` gives, what it costs, and what editors and type checkers learn of it."""

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import pytest

import analyzer
from analyzer.engine.segments_from_dataframe import REQUIRED
from analyzer.filters import HELP
from analyzer.keywords import Keywords, Seconds
from analyzer.settings import Settings, settings_of

ROOT = Path(__file__).parents[2]
HEAVY = ("numpy", "pandas", "pyarrow", "numba", "scapy", "pyshark")
INNER = {"read_on_host", "settings_file"}  # fields that nobody sets by hand


def python(code: str, *options: str) -> str:
    done = subprocess.run([sys.executable, *options, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def test_importing_it_imports_nothing_heavy() -> None:
    code = "import sys, analyzer; from analyzer import analyze; print(*sys.modules)"
    assert not set(python(code).split()) & set(HEAVY)


def test_analysing_a_path_imports_neither_scapy_nor_pyshark() -> None:
    code = f"import sys, analyzer; analyzer.analyze({str(next(ROOT.glob('captures/*.pcap')))!r}); print(*sys.modules)"
    assert not set(python(code).split()) & {"scapy", "pyshark"}


def test_the_result_is_exported() -> None:
    from analyzer import Result
    from analyzer.engine.result import Result as Own

    assert Result is Own
    assert "Result" in analyzer.__all__
    assert all(hasattr(analyzer, name) for name in analyzer.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        analyzer.Nothing  # noqa: B018


def test_it_says_that_it_is_typed() -> None:
    assert (ROOT / "analyzer" / "py.typed").is_file()
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert "py.typed" in shipped["analyzer"]


def spoken(name: str) -> str:
    return name.removesuffix("_ns") + "_s" if name.endswith("_ns") else name


def expected(entry: Any, hint: Any) -> Any:
    """The type of a keyword by its field: a duration as people write it, or one of the choices."""
    if "seconds" in entry.metadata:
        return Seconds if entry.default is not None else Seconds | None
    choices = entry.metadata.get("choices")
    if entry.name == "timers":
        return hint | os.PathLike[str]  # a file
    return Literal[choices] if choices else hint


def test_the_keywords_are_the_settings() -> None:
    hints = get_type_hints(Settings)
    by_field = {
        spoken(entry.name): expected(entry, hints[entry.name]) for entry in fields(Settings) if entry.name not in INNER
    }
    taken = get_type_hints(Keywords)
    lists = {*HELP, "select", "ignore"}  # take numbers or lists, too
    several = {name: kind for name, kind in taken.items() if name in lists}
    assert set(several) == lists and all(str in get_args(kind) or name == "between" for name, kind in several.items())
    assert taken == by_field | several


@pytest.mark.parametrize("kind", get_args(Seconds))
def test_a_duration_may_be_of_each_of_its_types(kind: type) -> None:
    assert settings_of(close_wait_leak_s=kind("2")) == settings_of(close_wait_leak_s=Decimal(2))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("analyzer.analyze('a', close_wait_leak_s=3, engine='tshark').packets(0)", ""),
        ("analyzer.analyze(b'', time_wait_s='2m').flows", ""),
        ("analyzer.analyze(['a'], close_wait_leek_s=3)", "close_wait_leek_s"),
        ("analyzer.analyze('a', profile='plan9')", "plan9"),
        ("analyzer.analyze(5)", "int"),
    ],
)
def test_a_type_checker_knows_the_keywords(call: str, said: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"import analyzer\n{call}\n")
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(ROOT / ".mypy_cache"), "--follow-imports", "silent"]
    done = subprocess.run([*command, str(script)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (said in done.stdout) and (done.returncode == 0) == (said == ""), done.stdout


def test_the_examples_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "captures").symlink_to(ROOT / "captures")
    monkeypatch.chdir(tmp_path)
    for code in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.S):
        exec(code, {})
    assert "TCP:11 UDP:0" in capsys.readouterr().out


def test_the_page_has_every_column_that_is_needed_and_every_kind_that_is_accepted() -> None:
    page = " ".join((ROOT / "docs" / "python.md").read_text().split())
    needed = ", ".join(f"`{name}`" for name in REQUIRED[:-1])
    assert set(needed.split(", ")) <= set(re.findall(r"`\w+`", page))
    for kind in ("a path, or several", "`bytes`", "an open binary file", "packets of scapy", "a capture of pyshark"):
        assert f"| {kind} |" in page
