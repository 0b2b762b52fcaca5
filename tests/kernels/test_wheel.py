"""What setup.py makes: a wheel for every Python on one platform, and an editable installation."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from analyzer.kernels import link

ROOT = Path(__file__).parents[2]
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "docs/teardown.1")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A check-out of its own, with its library."""
    at = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "analyzer", at / "analyzer", ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        (at / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, at / name)
    return at


def built(tree: Path, hook: str, into: Path) -> zipfile.ZipFile:
    """What a hook of PEP 517 or PEP 660 makes; it must not compile."""
    program = f"from setuptools import build_meta; build_meta.{hook}({str(into)!r})"
    done = subprocess.run([sys.executable, "-c", program], cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "were compiled before" in done.stdout
    (wheel,) = into.glob("*.whl")
    return zipfile.ZipFile(wheel)


def test_the_wheel(tree: Path, tmp_path: Path) -> None:
    library = link.library_name(link.here())
    other = tree / "build" / "lib" / "analyzer" / "kernels" / "library.other"  # of another machine, built before
    other.parent.mkdir(parents=True)
    other.touch()
    with built(tree, "build_wheel", tmp_path) as wheel:
        names = set(wheel.namelist())
        assert wheel.read(f"analyzer/kernels/{library}") == (tree / "analyzer" / "kernels" / library).read_bytes()
        about = next(wheel.read(name).decode() for name in names if name.endswith(".dist-info/WHEEL"))
        needs = next(wheel.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
    assert [name for name in names if name.startswith("analyzer/kernels/library")] == [f"analyzer/kernels/{library}"]
    sources = {path.relative_to(tree).as_posix() for path in (tree / "analyzer").rglob("*.py")}
    assert sources <= names
    tags = {line.removeprefix("Tag: ") for line in about.splitlines() if line.startswith("Tag: ")}
    assert tags == {f"py3-none-{tag}" for tag in link.TARGETS[link.here()].tag.split(".")}
    assert "Root-Is-Purelib: false" in about
    always = [line for line in needs.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
    assert not [line for line in always if "numba" in line or "llvmlite" in line or "ziglang" in line]


def test_an_editable_installation(tree: Path, tmp_path: Path) -> None:
    library = tree / "analyzer" / "kernels" / link.library_name(link.here())
    before = library.stat()
    with built(tree, "build_editable", tmp_path) as wheel:
        assert not [name for name in wheel.namelist() if "library" in name]
    assert library.stat() == before
