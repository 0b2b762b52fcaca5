"""Compiles the kernels when the package is built; everything else about the package stands in pyproject.toml.

``TEARDOWN_TARGET`` names another kind of machine to make the wheel for: see docs/building.md.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Command, Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build import build

ROOT = Path(__file__).resolve().parent
KERNELS = Path("analyzer", "kernels")
sys.path.insert(0, str(ROOT))


def target() -> str:
    """The kind of machine that is built for."""
    from analyzer.kernels.link import here

    return os.environ.get("TEARDOWN_TARGET") or here()


def environment() -> dict[str, str]:
    """That of this process, without what would change how numba compiles, and from where Python imports."""
    unwanted = ("NUMBA_", "PYTHONSAFEPATH")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}


class BuildKernels(Command):
    """The library is made among the sources: there the next build finds it, and an editable installation uses it."""

    description = "compile the kernels into one shared library"
    user_options = ()
    editable_mode = False

    def initialize_options(self) -> None:
        self.build_lib: str | None = None

    def finalize_options(self) -> None:
        self.set_undefined_options("build", ("build_lib", "build_lib"))

    def run(self) -> None:
        from analyzer.kernels.link import here, library_name

        name = library_name(target())
        made = ROOT / (KERNELS if target() == here() else Path("build", target())) / name
        command = [sys.executable, "-m", "analyzer.kernels.build", "--target", target(), "--into", str(made.parent)]
        subprocess.run(command, cwd=ROOT, env=environment(), check=True)
        if not self.editable_mode:
            folder = self.folder()
            for other in folder.glob("library.*"):  # of another kind of machine, built before
                other.unlink()
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy2(made, folder / name)

    def folder(self) -> Path:
        """Where a wheel's library goes."""
        return Path(str(self.build_lib)) / KERNELS

    def get_outputs(self) -> list[str]:
        from analyzer.kernels.link import library_name

        return [str(self.folder() / library_name(target()))]

    def get_output_mapping(self) -> dict[str, str]:
        return {}

    def get_source_files(self) -> list[str]:
        return []


class Compiled(Distribution):
    """Not the same on every machine, though it has no extension modules."""

    def has_ext_modules(self) -> bool:
        return True


class Wheel(bdist_wheel):
    """One wheel for every Python: what is compiled knows nothing of Python."""

    def get_tag(self) -> tuple[str, str, str]:
        from analyzer.kernels.link import TARGETS

        return "py3", "none", TARGETS[target()].tag


build.sub_commands.append(("build_kernels", None))
setup(distclass=Compiled, cmdclass={"build_kernels": BuildKernels, "bdist_wheel": Wheel})
