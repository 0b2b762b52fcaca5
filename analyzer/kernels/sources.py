"""Which source files kernels are made of, and which of them are no longer what they were.

A kernel calls helpers, and folds in constants, of other files. So what it is made of is the file it stands in, and all
that this one imports of this package, and so on. A library of kernels names each of these files with a digest.
"""

import ast
import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
MAKERS = ("kernels/by_numba.py", "kernels/emit.py", "kernels/link.py")  # what turns any kernel into machine code
KERNEL = re.compile(r"^@kernel\(", re.MULTILINE)


def kernel_modules() -> list[str]:
    """The modules in which kernels stand, those first that reach most: they take longest to compile."""
    found = [path for path in sorted(PACKAGE.rglob("*.py")) if KERNEL.search(path.read_text("utf8"))]
    return sorted(map(_module_name, found), key=lambda module: -len(made_of(module)))


@cache
def made_of(module: str) -> frozenset[str]:
    """The files that the kernels of ``module`` are made of, as paths inside the package."""
    found: set[str] = set(MAKERS)
    left = {_path_of(module)}
    while left:
        found |= left
        left = {path for name in left for path in _imported(name)} - found
    return frozenset(found)


def digests() -> dict[str, str]:
    """All files that kernels are made of, each with a digest of what stands in it now."""
    names = frozenset().union(*map(made_of, kernel_modules()))
    return {name: digest(name) for name in sorted(names)}


def digest(name: str) -> str:
    """A digest of what stands in a file of the package; nothing where there is no such file."""
    try:
        return hashlib.blake2b((PACKAGE / name).read_bytes(), digest_size=8).hexdigest()
    except OSError:
        return ""


def changed(known: Mapping[str, str]) -> frozenset[str]:
    """The files whose digests are no longer those ``known``."""
    return frozenset(name for name, before in known.items() if digest(name) != before)


def in_checkout() -> bool:
    """Whether these are sources that somebody works on, not those that a wheel has put in place."""
    return PACKAGE.with_name("pyproject.toml").is_file()


def _module_name(path: Path) -> str:
    return ".".join((PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts))


def _path_of(module: str) -> str:
    """The file of a module of this package; nothing where there is none of that name."""
    at = PACKAGE.parent.joinpath(*module.split("."))
    paths = (path for path in (at.with_suffix(".py"), at / "__init__.py") if path.is_file())
    return next((path.relative_to(PACKAGE).as_posix() for path in paths), "")


def _imported(name: str) -> Iterator[str]:
    """The files of this package that one of them imports when it is itself imported."""
    for node in ast.parse((PACKAGE / name).read_text("utf8")).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE.name:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            yield from filter(None, map(_path_of, modules))
