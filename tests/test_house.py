"""The rules of the house: style, types, one-way imports, small functions and files, headed modules."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

from tests import mutate

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "analyzer").rglob("*.py"))
FILE_LINES = 400
FUNCTION_LINES = 40
COMPILED = {"kernel", "helper", "inlined"}  # the decorators of analyzer.kernels
KERNEL_LINES = 120  # compiled numeric kernels run two to three times longer


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff() -> None:
    run(
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--no-cache",
        "analyzer",
        "tests",
        "docs",
        "captures",
        "benchmarks",
        "notebooks",
        "setup.py",
    )


def test_mypy(tmp_path: Path) -> None:
    run(sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path))


def test_stages_import_one_way() -> None:
    run(sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint(['--no-cache'])")


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions and those for types count as well."""
    graph = grimp.build_graph("analyzer", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        list(TopologicalSorter(imports).static_order())
    except CycleError as circle:
        pytest.fail(" imports ".join(reversed(circle.args[1])))


def test_class_names_are_unique() -> None:
    """One name, one meaning: who searches for a class finds one."""
    trees = [ast.parse(path.read_text()) for path in MODULES]
    names = Counter(node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    assert {name for name, count in names.items() if count > 1} == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_are_small_and_open_with_what_they_are_for(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= FILE_LINES
    tree = ast.parse(text)
    if tree.body:
        assert ast.get_docstring(tree)
    long = [f"{node.name}: {length} lines" for node, length, limit in functions(tree) if length > limit]
    assert long == []


def functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, int, int]]:
    """Each function with its length and the length it may have (options and docstring not counted)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            marks = (mark.func if isinstance(mark, ast.Call) else mark for mark in node.decorator_list)
            kernel = any(isinstance(mark, ast.Name) and mark.id in COMPILED for mark in marks)
            yield node, (node.end_lineno or 0) - first.lineno + 1, KERNEL_LINES if kernel else FUNCTION_LINES


def test_kernels_say_what_they_take() -> None:
    """Else numba would be imported, and would compile, whenever they are first called."""
    bare = [
        f"{path.name}: {name}"
        for path in MODULES
        for name in re.findall(r"^@kernel\ndef (\w+)", path.read_text(), re.M)
    ]
    assert bare == []


@pytest.mark.parametrize("fault", mutate.faults(), ids=lambda fault: f"{fault.number}-{fault.file}")
def test_faults_can_still_be_put_in(fault: mutate.Fault) -> None:
    """Else mutate.py tries fewer than it seems."""
    assert fault.put_into(mutate.source(ROOT, fault).read_text("utf8"))
