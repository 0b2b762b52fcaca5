"""The oldest versions that pyproject.toml declares, tried: ``python -m tests.minimum``.

Makes an environment with exactly the declared minimum of each dependency, the extras ``live`` and ``page`` included,
installs this check-out there, and runs the tests that meet these libraries: decoding, analysis, tables, DataFrames,
objects, live, browse, page.
``.ci/run`` does this once, after the whole suite has run with the newest versions.
"""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
EXTRAS = ("live", "page")
TOOLS = ("hypothesis", "numba", "pytest", "pytest-xdist")  # the tests' own, in any version
TESTS = (
    *("browse", "capture/test_capturing.py", "capture/test_parsing.py", "engine", "kernels/test_kernels.py"),
    *(f"live/test_{name}.py" for name in ("announcements", "growing_tables", "kernel_evidence", "metrics", "screen")),
    *("objects", "page", "results", "segments/test_checked.py", "segments/test_twin.py", "text", "views", "writers"),
    *("test_cli.py", "test_contract.py", "test_golden.py", "test_settings.py", "test_times.py"),
)
LEFT_OUT = "not type_checker"  # no mypy is there


def minimum() -> Iterator[str]:
    """``numpy==1.26`` for ``numpy>=1.26``, and so on. Raises ValueError for anything but one lower bound."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    for extra in EXTRAS:
        project["dependencies"] += project["optional-dependencies"][extra]
    for declared in project["dependencies"]:
        name, bound, version = declared.partition(">=")
        if not bound or not all(part.isdigit() for part in version.split(".")):
            raise ValueError(f"pyproject.toml: {declared} does not declare a minimum and nothing else")
        yield f"{name}=={version}"


def oldest_python() -> str | None:
    """The interpreter of the oldest version that pyproject.toml declares, if there is one."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]["requires-python"]
    version = declared.removeprefix(">=")
    running = ".".join(map(str, sys.version_info[:2]))
    return sys.executable if running == version else shutil.which(f"python{version}")


def run(*command: str | Path) -> int:
    """Run a program in the check-out; its exit status."""
    print("+", *command, flush=True)
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def main() -> int:
    """The exit status of the tests, or of pip where it cannot install these versions; 0 without the oldest Python."""
    interpreter = oldest_python()
    if interpreter is None:
        print("minimum versions not tried: only the oldest Python has wheels of them, and it is not installed")
        return 0
    with TemporaryDirectory() as folder:
        pins = Path(folder, "minimum.txt")
        pins.write_text("\n".join(minimum()) + "\n")
        environment = Path(folder, "venv")
        run(interpreter, "-m", "venv", environment)
        python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        wanted = f".[{','.join(EXTRAS)}]"
        failed = run(python, "-m", "pip", "install", "-q", "-e", wanted, "-c", pins, *TOOLS)
        failed = failed or run(python, "-m", "pip", "freeze", "--exclude-editable")
        chosen = ("-k", LEFT_OUT, *(f"tests/{name}" for name in TESTS))
        return failed or run(python, "-m", "pytest", "-n", "auto", *chosen)


if __name__ == "__main__":
    sys.exit(main())
