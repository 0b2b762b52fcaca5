"""The library: not made twice, noticed where its sources have changed, and made for other machines as well."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analyzer.kernels import build, link, load, sources

ROOT = Path(__file__).parents[2]
CAPTURE = ROOT / "captures" / "late-fin-answered-by-rst.pcapng"
PROGRAM = """import sys
if {without}:
    sys.modules["numba"] = None
from analyzer.cli import guarded
status = guarded({arguments})
print("numba" in sys.modules)
sys.exit(status)
"""
RUN = "Run: pip install -e ."


def analysed(tree: Path, *more: str, without: bool = False, **environment: str) -> "subprocess.CompletedProcess[str]":
    """An analysis by the program in ``tree``; the last line says whether numba was imported."""
    program = PROGRAM.format(without=without, arguments=["analyze", str(CAPTURE), *more])
    environment = {**os.environ, "PYTHONPATH": str(tree), **environment}
    return subprocess.run(
        [sys.executable, "-c", program], cwd="/", env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A check-out of its own, with its library."""
    shutil.copytree(ROOT / "analyzer", tmp_path / "analyzer", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def change(tree: Path, name: str) -> None:
    with (tree / "analyzer" / name).open("a") as file:
        file.write("\n# another version\n")


def test_a_run_needs_no_numba_and_keeps_nothing(checkout: Path, tmp_path: Path) -> None:
    done = analysed(checkout, without=True, HOME=str(tmp_path / "home"), XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 connection" in done.stdout
    assert not (tmp_path / "home").exists()
    assert not (tmp_path / "cache").exists()


def test_a_changed_kernel_is_noticed_and_compiled(checkout: Path) -> None:
    change(checkout, "results/packed_entries.py")  # quickly compiled
    done = analysed(checkout, "--out", str(checkout / "out"))
    assert done.returncode == 0
    assert (
        done.stderr
        == f"source changed: results/packed_entries.py. {RUN} Until then each start compiles it again (slow).\n"
    )
    assert done.stdout.endswith("True\n")
    again = analysed(ROOT, "--out", str(checkout / "other"))
    assert again.stderr == ""
    for name in ("flows.csv", "timeline.csv", "findings.csv"):
        assert (checkout / "out" / name).read_bytes() == (checkout / "other" / name).read_bytes()


def test_only_kernels_made_of_what_changed_are_compiled_anew(checkout: Path) -> None:
    change(checkout, "results/packed_entries.py")
    done = analysed(checkout)  # which calls none of that file
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("False\n")


def test_a_changed_kernel_without_numba_is_an_error(checkout: Path) -> None:
    change(checkout, "flows/row.py")  # the kernels of flows/kernels.py take a type from it
    done = analysed(checkout, without=True)
    assert done.returncode == 2
    assert done.stderr == f"teardown: source changed: flows/row.py. {RUN} (or NUMBA_DISABLE_JIT=1, which is slow)\n"


def test_no_library_is_an_error_without_numba(checkout: Path) -> None:
    (checkout / "analyzer" / "kernels" / link.library_name(link.here())).unlink()
    done = analysed(checkout, without=True)
    assert done.returncode == 2
    assert "the compiled kernels cannot be loaded" in done.stderr
    assert "run: pip install -e ." in done.stderr
    assert done.stderr.count("\n") == 1


def test_uncompiled_it_needs_neither(checkout: Path) -> None:
    (checkout / "analyzer" / "kernels" / link.library_name(link.here())).unlink()
    done = analysed(checkout, without=True, NUMBA_DISABLE_JIT="1")
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_installed_from_a_wheel_is_not_compared(checkout: Path) -> None:
    (checkout / "pyproject.toml").unlink()
    change(checkout, "flows/row.py")
    done = analysed(checkout, without=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_is_compiled_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Any:
        raise AssertionError("it compiles")

    monkeypatch.setattr(build, "_workers", refuse)
    assert build.build(link.here(), build.HERE) is False
    with pytest.raises(AssertionError, match="it compiles"):
        build.build("aarch64-linux" if link.here() != "aarch64-linux" else "x86_64-linux", build.HERE)
    monkeypatch.setattr(sources, "digest", lambda name: "another")
    with pytest.raises(AssertionError, match="it compiles"):
        build.build(link.here(), build.HERE)


def test_a_library_says_what_is_in_it() -> None:
    about = load.described(load.LIBRARY)
    declared = {kernel.name for module in sources.kernel_modules() for kernel in build.kernels_of(module)}
    assert about["kernels"].keys() == declared
    assert set(about["kernels"].values()) <= load.RESULTS.keys()
    assert about["files"] == sources.digests()
    library = load.opened(load.LIBRARY)
    assert library.code is not None
    assert library.missing == ""


@pytest.mark.parametrize("damage", [b"", b"not a library", load.DESCRIPTION + b"{}}", load.DESCRIPTION + b"{}}\0"])
def test_a_damaged_library_is_not_loaded(damage: bytes, tmp_path: Path) -> None:
    place = tmp_path / "library.so"
    place.write_bytes(damage)
    library = load.opened(place)
    assert library.code is None
    assert "cannot be loaded" in library.missing


def test_what_kernels_are_made_of() -> None:
    """Compared with what Python has imported when it has imported the module, and nothing else."""
    made = sources.made_of("analyzer.flows.kernels")
    assert {"flows/kernels.py", "flows/row.py", "segments/table.py", "kernels/decorated.py", "kernels/emit.py"} <= made
    assert "views/console.py" not in made
    program = "import sys, analyzer.flows.kernels; print(*(m for m in sys.modules if m.startswith('analyzer.')))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {sources._path_of(module) for module in done.stdout.split()}
    assert made - {"__init__.py", *sources.MAKERS} <= imported


@pytest.mark.parametrize(
    "target, magic",
    [
        ("x86_64-linux", b"\x7fELF"),
        ("aarch64-linux", b"\x7fELF"),
        ("x86_64-windows", b"MZ"),
        ("x86_64-macos", b"\xcf\xfa\xed\xfe"),
        ("aarch64-macos", b"\xcf\xfa\xed\xfe"),
    ],
)
def test_other_machines(target: str, magic: bytes, tmp_path: Path) -> None:
    """One small kernel for each; that it runs is shown for this machine only."""
    program = (
        "import sys; from pathlib import Path; from analyzer.kernels import build, link\n"
        f"target, at = {target!r}, Path({str(tmp_path)!r})\n"
        "build._compile(target, 'analyzer.results.packed_entries', at)\n"
        "link.link(target, sorted(at.glob('*.o')), ['analyzer_results_packed_entries_pack'], at / 'library')\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
    made = (tmp_path / "library").read_bytes()
    assert made.startswith(magic)
    assert b"analyzer_results_packed_entries_pack" in made
