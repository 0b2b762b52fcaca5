"""What is measured: command lines of whole programs, this one and others.

``{capture}`` stands for the capture, ``{out}`` for a folder that is not there yet.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILTER = "tcp[tcpflags]&(tcp-syn|tcp-fin|tcp-rst)!=0"
FIELDS = ("frame.number", "tcp.stream", "tcp.seq_raw", "tcp.flags", "tcp.completeness")
TSHARK = ("tshark", "-n", "-r", "{capture}", "-T", "fields", *(word for field in FIELDS for word in ("-e", field)))
TEARDOWN = (str(Path(sys.executable).with_name("teardown")), "analyze", "{capture}")
LIBRARIES = ("{python}", str(Path(__file__).with_name("libraries.py")))


@dataclass(frozen=True)
class Program:
    """One way to go through a capture; ``needs`` are other programs, ``option`` an option teardown must have."""

    name: str
    title: str
    words: tuple[str, ...]
    needs: tuple[str, ...] = ()
    option: str = ""

    def command(self, capture: Path, out: str, python: str = sys.executable) -> list[str]:
        """The command line; ``python`` is the interpreter that has the libraries compared."""
        given = {"{capture}": str(capture), "{out}": out, "{python}": python}
        return [re.sub(r"\{\w+\}", lambda found: given[found[0]], word) for word in self.words]

    def missing(self, python: str = sys.executable) -> str:
        """What is not there to run it; empty when all is."""
        absent = [name for name in (self.words[0].replace("{python}", python), *self.needs) if not shutil.which(name)]
        if self.words[0] == "{python}" and not library_version(python, self.words[2]):
            absent.append(f"{self.words[2]} for Python")
        if self.option and self.option not in _help():
            absent.append(f"option {self.option}")
        return ", ".join(absent)


@cache
def _help() -> str:
    return subprocess.run([*TEARDOWN[:2], "--help"], capture_output=True, text=True, check=True).stdout


@cache
def library_version(python: str, name: str) -> str:
    """The version of a library that ``python`` has; empty if it has not."""
    code = f"from importlib.metadata import version; print(version({name!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=False).stdout.strip()


def _ours(name: str, title: str, *words: str, option: str = "") -> Program:
    return Program(f"teardown{name}", f"teardown, {title}", (*TEARDOWN, *words), option=option)


def _library(name: str, title: str) -> Program:
    return Program(name, title, (*LIBRARIES, name, "{capture}"))


BASE = Program("tcpdump", "tcpdump, filter SYN/FIN/RST", ("tcpdump", "-r", "{capture}", "-w", "/dev/null", FILTER))
FULL = _ours("-csv", "everything as CSV", "--out", "{out}")
OURS = (
    _ours("", "analysis alone", "--quiet"),
    _ours("-findings", "summary and findings.csv", "--out", "{out}", "--tables", "findings", option="--tables"),
    _ours("-flows-parquet", "flows as Parquet", "--out", "{out}", "--format", "parquet", "--tables", "flows,findings",
          option="--tables"),
    _ours("-flows-csv", "flows as CSV", "--out", "{out}", "--tables", "flows,findings", option="--tables"),
    FULL,
    _ours("-parquet", "everything as Parquet", "--out", "{out}", "--format", "parquet"),
)  # fmt: skip
OTHERS = (
    Program("capinfos", "capinfos, counts and times", ("capinfos", "-c", "-u", "-z", "-o", "{capture}")),
    Program("tcptrace", "tcptrace -n -l", ("tcptrace", "-n", "-l", "{capture}")),
    Program("argus", "argus and ra", ("sh", "-c", "argus -r {capture} -w - | ra -n -r -"), needs=("argus", "ra")),
    Program("tshark", "tshark, fields with stream and completeness", TSHARK),
)
SIDE_BY_SIDE = (BASE, *OURS, *OTHERS)
PYTHON = (
    _library("dpkt", "dpkt (Python)"),
    _library("scapy", "scapy (Python)"),
    _library("pyshark", "pyshark (Python, tshark)"),
    _library("nfstream", "nfstream (Python, C)"),
)
SMALL = (BASE, _ours("-summary", "summary"), FULL, OTHERS[-1])
ONE_CPU, TWO_CPUS = ("taskset", "-c", "0"), ("taskset", "-c", "0,1")
CPUS = tuple(
    Program(f"{one.name}-{label}", f"{one.title}, {label} CPU{'s' * (label == 'two')}", (*prefix, *one.words))
    for one in (OURS[0], FULL)
    for label, prefix in (("one", ONE_CPU), ("two", TWO_CPUS))
)
TITLES = {one.name: one.title for one in (*SIDE_BY_SIDE, *PYTHON, *SMALL, *CPUS)}
