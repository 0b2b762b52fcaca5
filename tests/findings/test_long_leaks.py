"""TD101 over more than a day: sure where other connections show that somebody captured all the time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.findings.filed import OPENED, analyzed

DAY = 86_400  # s
LEAK = f"{OPENED}\nA F. 101:102 ack 201\nB . 201:201 ack 102\n+{2 * DAY}000 end"


def refused(seconds: int) -> str:
    """A connection that ends so late."""
    return f"A S 0:1\n+{seconds}000 B R. 0:0 ack 1"


@pytest.mark.parametrize(
    ("ends", "confidence"),
    [
        (range(590, 2 * DAY, 590), "high"),
        ([], "low"),
        ([*range(590, DAY, 590), *range(DAY + 1200, 2 * DAY, 590)], "low"),
        (range(590, DAY, 590), "low"),
    ],
    ids=["all the time", "nothing else", "a hole", "only a day"],
)
def test_a_long_leak_is_sure_where_somebody_captured(ends: range | list[int], confidence: str, tmp_path: Path) -> None:
    text = "\n\n".join([LEAK, *map(refused, ends)])
    (row,) = analyzed(text, tmp_path).findings.query("code == 'TD101'").to_dict("records")
    assert row["confidence"] == confidence
    assert "in the 172800 s from then" in row["message"]
