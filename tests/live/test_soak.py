"""A short soak: rotation, a killed engine and a full disk under mixed traffic, all tables as `analyze` has them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.network import missing

ROOT = Path(__file__).parents[2]
SOAK = ROOT / "benchmarks" / "soak.py"


@pytest.mark.skipif(bool(missing("tc")), reason=missing("tc") or "-")
@pytest.mark.skipif(not SOAK.exists(), reason="a copy without the benchmarks")
def test_a_short_soak_holds() -> None:
    done = subprocess.run([sys.executable, str(SOAK), "--short"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
