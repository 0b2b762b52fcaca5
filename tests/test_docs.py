"""The documentation is tested against the program: generated pages are current, commands and names exist."""

import importlib.util
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType

import click
import pytest

from analyzer.cli import cli
from analyzer.results.schema import TABLES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted((ROOT / "docs").rglob("*.md"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_docs", ROOT / "docs" / "make.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_current(make: ModuleType) -> None:
    assert make.stale() == [], "run: python docs/make.py"


def test_the_first_code_block_is_the_two_commands() -> None:
    block = re.search(r"^```\w*\n(.*?)^```$", README, re.M | re.S)
    assert block
    first, second = block[1].splitlines()
    assert first.startswith("python3 -m venv .venv && ")
    assert second.startswith("python3 -m venv .venv && ")
    assert second.endswith("-m pytest -n auto")
    capture = shlex.split(first)[-1]
    assert (ROOT / capture).is_file()


def test_the_check_runs_the_readmes_second_command() -> None:
    assert "README.md" in (ROOT / ".ci" / "run").read_text()
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def commands_in(text: str) -> list[str]:
    return re.findall(r"^\s*(?:\.venv/bin/)?(teardown [a-z].*)$", text, re.M)


@pytest.mark.parametrize("path", [ROOT / "README.md", *PAGES], ids=lambda path: path.name)
def test_commands_in_the_docs_exist_with_their_options(path: Path) -> None:
    for line in commands_in(path.read_text()):
        name, *words = shlex.split(line.split("|")[0].split("#")[0])[1:]
        assert name in cli.commands, line
        known = {option for param in cli.commands[name].params for option in param.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_the_man_page_has_every_command_and_option_and_no_fault(make: ModuleType) -> None:
    page = make.manual_page()["teardown.1"]
    for name, command in cli.commands.items():
        assert f"\n.SS {name}\n" in page
        options = [param for param in command.params if isinstance(param, click.Option) and not param.hidden]
        for spelled in (name for option in options for name in option.opts):
            assert f"\\fB{spelled.replace('-', chr(92) + '-')}\\fR" in page
    for line in commands_in(re.sub(r"(?m)^\.B ", "", page.replace("\\-", "-"))):
        name, *words = shlex.split(line)[1:]
        known = {option for param in cli.commands[name].params for option in param.opts}
        assert {word for word in words if word.startswith("--")} <= known, line
    if there := shutil.which("groff"):
        done = subprocess.run(
            [there, "-man", "-ww", "-Tutf8", "-z"], input=page.encode(), capture_output=True, check=True
        )
        assert done.stderr == b""
    assert PYPROJECT["tool"]["setuptools"]["data-files"]["share/man/man1"] == ["docs/teardown.1"]


def test_every_command_is_in_the_readme() -> None:
    named = {line.split()[1] for line in commands_in(README)}
    assert named >= set(cli.commands)


@pytest.mark.parametrize("path", [ROOT / "README.md", *PAGES], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    for path in PAGES:
        folder = path.relative_to(ROOT / "docs").parts[0]
        assert path.name == "README.md" or f"({folder}" in index, path.name


def test_every_column_is_documented() -> None:
    page = (ROOT / "docs" / "columns.md").read_text()
    for columns in TABLES.values():
        for column in columns:
            assert f"| `{column.name}` |" in page
            assert column.meaning.endswith(".")


def test_every_dependency_is_justified() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text()
    extra = PROJECT["optional-dependencies"]["test"]
    for requirement in PROJECT["dependencies"]:
        assert f"| {re.split('[>=]', requirement)[0]} |" in page
    for requirement in extra:
        assert re.split("[>=]", requirement)[0] in page


def test_every_release_is_in_the_changelog() -> None:
    from analyzer import __version__

    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_readmes_python_runs(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    for code in re.findall(r"```python\n(.*?)```", README, re.S):
        exec(code, {})
    assert "The server 10.1.2.2:8080 acknowledged" in capfd.readouterr().out
