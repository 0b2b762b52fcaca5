"""What docs/architecture.md says of the house: the files are there, and a finding is one file."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf8")
FOLDERS = ("", "capture", "engine", "segments", "segments/kernels", "flows", "tcp", "tracker", "findings", "results")
RULE = '''"""The server's first segment came.

## What it sees

A server that spoke.

## Why it matters

It does not.

## When it is harmless

Always.

## What to do next

Nothing.
"""

from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger

CODE = "TD999"
NAME = "server-spoke"
SEVERITY = "info"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = ("fin_count",)
EXAMPLE = "close-wait-leak.pcap"
NEAR_MISS = "starts-mid-stream.pcap"
MESSAGE = "The {blamed} spoke first in frame {frame}."
ADVICE = "Nothing to do for {blamed_ip}."


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    frame = ledger.own("first_frame")
    spoke = (frame > 0) & (ledger.own("syn_ack") == 1)
    return Verdict(fires=spoke, when=ledger.own("syn_time"), frames=[frame], values={"frame": frame})
'''
SHOWN = """
import analyzer
found = analyzer.analyze("captures/close-wait-leak.pcap").findings
print(found.loc[found["code"] == "TD999", "message"].tolist())
"""


def test_every_file_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"[\w/]+\.py\b", PAGE))
    assert len(named) > 20
    assert [name for name in named if not any((ROOT / "analyzer" / folder / name).exists() for folder in FOLDERS)] == []
    tree = PAGE.split("    analyzer/\n")[1].split("\n\n")[0]
    shown = {line.split()[0].rstrip("/") for line in tree.splitlines()}
    there = {path.name for path in (ROOT / "analyzer").iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert there <= shown


def test_a_finding_is_one_file(tmp_path: Path) -> None:
    copy = tmp_path / "analyzer"
    shutil.copytree(ROOT / "analyzer", copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "findings" / "rules" / "td999_server_spoke.py").write_text(RULE)
    (tmp_path / "captures").symlink_to(ROOT / "captures")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", SHOWN]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == "['The server 10.1.2.2:8080 spoke first in frame 2.']\n"
    told = [sys.executable, "-m", "analyzer.cli", "explain", "TD999"]
    page = subprocess.run(told, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert "The server's first segment came." in page
