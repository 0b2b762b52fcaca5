"""The captures at hand, by the set they belong to."""

from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
NO_CAPTURES = {".txt", ".json", ".toml", ".md", ".py", ".tsv", ".pyc"}
SETS: Mapping[str, Path] = {
    "own": ROOT / "captures",
    "laboratory": ROOT / "tests" / "lab" / "recordings",
    "cases": SHARED / "cases",
    "public": SHARED / "captures",
}
OURS = ("own", "laboratory")  # what stands in a bare clone


def captures(name: str) -> list[Path]:
    """All captures of a set, in order; none where the set is not at hand."""
    folder = SETS[name]
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix not in NO_CAPTURES)


def set_of(path: Path) -> str:
    found = (name for name, folder in SETS.items() if path.resolve().is_relative_to(folder.resolve()))
    return next(found, "given")


def short(path: Path) -> str:
    """A capture's name within its set."""
    name = set_of(path)
    return str(path) if name == "given" else f"{name}/{path.resolve().relative_to(SETS[name].resolve())}"
