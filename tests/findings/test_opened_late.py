"""A SYN that had to be repeated is told where the client never used the connection: it may have given up by then."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.findings.filed import analyzed

LATE = "A S 0:1\n+1000 A S 0:1\n+20 B S. 0:1 ack 1"
PROMPT = "A S 0:1\n+20 B S. 0:1 ack 1"
OPEN = "A . 1:1 ack 1"
LEFT = "B P. 1:101 ack 1\nA . 1:1 ack 101\n+10000 B F. 101:102 ack 1\nA . 1:1 ack 102\n+60000 end"
OPENED_LATE = "the SYN was repeated, and the SYN-ACK came 1.02 s after the first (frame 3)."
TOLD = {
    "left in CLOSE_WAIT": (f"{LATE}\n{OPEN}\n{LEFT}", "TD101", True, "connect runs into its time-out"),
    "answered by RST": (f"{LATE}\nA R 1:1", "TD312", True, "suspect what left the first SYN without an answer"),
    "reset unused": (f"{LATE}\n{OPEN}\n+500 A R. 1:1 ack 1\n+1000 end", "TD301", True, "it never used the connection"),
    "prompt": (f"{PROMPT}\nA R 1:1", "TD312", False, "suspect nobody"),
    "prompt, left in CLOSE_WAIT": (f"{PROMPT}\n{OPEN}\n{LEFT}", "TD101", False, "on every path"),
    "used": (f"{LATE}\n{OPEN}\nA P. 1:101 ack 1\n{LEFT.replace('ack 1', 'ack 101')}", "TD101", False, "on every path"),
}


@pytest.mark.parametrize("story", TOLD)
def test_opened_late_and_never_used(story: str, tmp_path: Path) -> None:
    text, code, late, advice = TOLD[story]
    (row,) = analyzed(text, tmp_path).findings.query(f"code == '{code}'").to_dict("records")
    assert (OPENED_LATE in row["message"]) == late
    assert advice in row["advice"]
