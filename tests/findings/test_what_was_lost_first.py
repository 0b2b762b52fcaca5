"""TD201 names what was not acknowledged first: the FIN, or what came before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.findings.filed import OPENED, analyzed

FINS = "+4000 A F. 111:112 ack 201\n+8000 A FP. 101:112 ack 201\n+16000 A FP. 101:112 ack 201\n+1000 end"
DATA = "+120000 A P. 101:111 ack 201\n+500 A P. 101:111 ack 201\n+1000 A P. 101:111 ack 201"
ALONE = "+120000 A F. 101:102 ack 201\n+8000 A F. 101:102 ack 201\n+16000 A F. 101:102 ack 201\n+1000 end"
PROBE = "+60000 A . 100:100 ack 201"
SAID = {
    "data after a silence": (
        f"{OPENED}\n{DATA}\n{FINS}",
        "nor of anything that it had sent from frame 7 on, 5.5 s before the FIN, after 120 s of silence",
        "nothing of the other side was captured after frame 5",
        "a device between the two first",
    ),
    "data, without a silence": (
        f"{OPENED}\n{DATA.replace('120000', '20')}\n{FINS}",
        "nor of anything that it had sent from frame 7 on, 5.5 s before the FIN; nothing of the other side",
        "after frame 5",
        "the network between the two",
    ),
    "one direction only": (
        f"{OPENED}\n{DATA}\n{FINS.replace('+1000 end', '+500 B . 201:201 ack 101')}\n+1000 end",
        "the acknowledgment number of the other side does not cover frame 7 either",
        "the other side still sent, last in frame 13",
        "a device that drops what goes in this direction",
    ),
    "the FIN, after a repeat of what had arrived": (
        f"{OPENED}\nA P. 1:101 ack 201\nB . 201:201 ack 101\n{ALONE}",
        "after 120 s of silence",
        "no acknowledgment of it was captured. It",
        "device",
    ),
    "the FIN": (f"{OPENED}\n{ALONE}", "after 120 s of silence", "no acknowledgment of it was captured. It", "device"),
    "probes": (
        f"{OPENED}\n{PROBE}\n{PROBE}\n{ALONE.replace('120000', '60000')}",
        "; 2 probes before it had not been answered either",
        "nothing of the other side was captured after frame 5",
        "Suspect",
    ),
}


@pytest.mark.parametrize("story", SAID)
def test_what_was_lost_first(story: str, tmp_path: Path) -> None:
    text, first, heard, suspect = SAID[story]
    (row,) = analyzed(text, tmp_path).findings.to_dict("records")
    assert (row["code"], row["confidence"]) == ("TD201", "high")
    assert first in row["message"]
    assert heard in row["message"]
    assert suspect in row["advice"]
    assert ("whether anything arrives" in row["advice"]) == (" frame 7 " in row["message"])
