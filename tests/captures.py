"""The captures at hand, for tests that try something on every one.

The project's own are always there. The public ones and the cases stand beside the checkout (``../shared``), or they do
not: then one skipped test says how many were not tried, so that a list that has shrunk shows in the test report.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.oracle import FOLDER as PUBLIC_FOLDER
from tests.oracle import names
from tests.segments.test_public_captures import OTHER_FORMATS

ROOT = Path(__file__).parents[1]
CAPTURES_FOLDER = ROOT / "captures"
OWN = sorted(path for path in CAPTURES_FOLDER.iterdir() if path.suffix in (".pcap", ".pcapng"))
RECORDINGS = sorted((ROOT / "tests" / "lab" / "recordings").glob("*.pcap.gz"))
CASES_FOLDER = PUBLIC_FOLDER.parent / "cases"
PUBLIC, CASES = 281, 75  # so many stand in each, at least
CASE_ENDINGS = (".pcap", ".pcapng", ".cap", ".erf.gz")


def own() -> list[Any]:
    """The project's own captures, as parameters of a test."""
    return [pytest.param(path, id=path.name) for path in OWN]


def public() -> list[Any]:
    """The public captures that can be read, or one that is skipped."""
    found = [PUBLIC_FOLDER / name for name in names() if name not in OTHER_FORMATS]
    return _given(found, PUBLIC - len(OTHER_FORMATS), PUBLIC_FOLDER)


def cases() -> list[Any]:
    """The cases, whatever their format, or one that is skipped."""
    found = sorted(path for path in CASES_FOLDER.rglob("*") if path.name.endswith(CASE_ENDINGS))
    return _given(found, CASES, CASES_FOLDER)


def _given(found: list[Path], least: int, folder: Path) -> list[Any]:
    if not folder.is_dir():
        reason = f"{least} captures were not tried: they are not beside this checkout (../shared/{folder.name})"
        return [pytest.param(None, id=f"no-{folder.name}", marks=pytest.mark.skip(reason=reason))]
    assert len(found) >= least, f"{folder} holds {len(found)} captures, not {least}"
    return [pytest.param(path, id=str(path.relative_to(folder))) for path in found]
