"""The files of a capture: one, or all in the folder of that name, which are given together."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def files_of(name: str) -> list[Path]:
    """``name`` with its suffix or without."""
    path = FOLDER / name
    if path.is_dir():
        return sorted(path.glob("*.pcap*"))
    return [path] if path.is_file() else sorted(FOLDER.glob(f"{name}.pcap*"))


def sets() -> list[str]:
    """The folders."""
    return sorted({path.parent.name for path in FOLDER.glob("*/*.pcap*")})
