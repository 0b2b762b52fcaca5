"""Where and with what was measured: processor, memory, kernel, versions of the programs."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.programs import PYTHON, TEARDOWN, library_version

VERSIONS = {
    "teardown": (TEARDOWN[0], "--version"),
    "tcpdump": ("tcpdump", "--version"),
    "libpcap": ("tcpdump", "--version"),
    "tshark": ("tshark", "--version"),
    "tcptrace": ("tcptrace", "-v"),
    "argus": ("argus", "-h"),
    "ra": ("ra", "-h"),
}
OURS = ("numpy", "pyarrow", "pandas")


def facts(folder: Path, python: str) -> dict[str, Any]:
    """The machine, the versions and the captures, as results.json holds them."""
    libraries = {one.words[2]: library_version(python, one.words[2]) for one in PYTHON}
    ours = {name: library_version(str(Path(TEARDOWN[0]).with_name("python")), name) for name in OURS}
    return {
        "machine": machine(),
        "versions": {name: said for name, words in VERSIONS.items() if (said := _version(name, words))}
        | {name: version for name, version in (libraries | ours).items() if version},
        "captures": json.loads((folder / "captures.json").read_text()),
    }


def machine() -> dict[str, str]:
    """Processor, cores, memory, kernel, Python; and how busy the machine was before, for a busy one measures badly."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": f"{os.cpu_count()}",
        "memory": f"{memory / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        "Python": platform.python_version(),
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def _version(name: str, words: tuple[str, ...]) -> str:
    """The version in what a program says of itself: the number behind its name, else the first there is."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    said = done.stdout + done.stderr
    found = re.search(rf"{name}\S* .*?(\d+(?:\.\d+)+)", said, re.I) or re.search(r"(\d+(?:\.\d+)+)", said)
    return found[1] if found else ""
