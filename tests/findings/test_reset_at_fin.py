"""A RST after the other side's FIN is only worth knowing where nothing more was due to that side."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.findings.filed import OPENED, analyzed

CLOSED = f"{OPENED}\nA F. 101:102 ack 201\nB . 201:201 ack 102"
ASKED = "A P. 101:{end} ack 201\n+{wait} A F. {end}:{fin} ack 201\nB . 201:201 ack {fin}\nB R. 201:201 ack {fin}"
CASES = {
    "after the whole answer": (f"{CLOSED}\nB R. 201:201 ack 102", "info", "often harmless. "),
    "the server closed": (
        f"{OPENED}\nB F. 201:202 ack 101\nA . 101:101 ack 202\nA R. 101:101 ack 202",
        "info",
        "often harmless. ",
    ),
    "by 100 bytes": (f"{OPENED}\n{ASKED.format(end=201, fin=202, wait=0)}", "info", "as short as a farewell"),
    "by 101 bytes": (f"{OPENED}\n{ASKED.format(end=202, fin=203, wait=0)}", "warning", "did not answer"),
    "after a wait": (f"{OPENED}\n{ASKED.format(end=113, fin=114, wait=1000)}", "warning", "did not answer"),
    "without its acknowledgment": (f"{CLOSED}\nB R. 201:201 ack 102".replace("ack 102", "ack 101"), "warning", "too."),
    "in the end": (f"{CLOSED}\n+10000 B R. 201:201 ack 102", "warning", "in the end"),
    "more was answered": (
        f"{CLOSED}\nB P. 201:301 ack 102\nA . 102:102 ack 301\nB R. 301:301 ack 102",
        "info",
        "often harmless. ",
    ),
}


@pytest.mark.parametrize(("story", "severity", "words"), CASES.values(), ids=CASES)
def test_a_reset_after_a_fin(story: str, severity: str, words: str, tmp_path: Path) -> None:
    told = analyzed(f"{story}\n+500 end", tmp_path).findings.set_index("code").loc["TD301"]
    assert "the other side had sent its FIN" in told["message"]
    assert (told["severity"], words in told["advice"]) == (severity, True), told["advice"]


@pytest.mark.parametrize(("sender", "severity"), [("A", "info"), ("B", "warning")])
def test_a_reset_of_a_connection_without_data(sender: str, severity: str, tmp_path: Path) -> None:
    """A health check does that; of a server it is no such thing."""
    story = f"A S 0:1\nB S. 0:1 ack 1\nA . 1:1 ack 1\n+500 {sender} R. 1:1 ack 1\n+500 end"
    told = analyzed(story, tmp_path).findings.set_index("code").loc["TD301"]
    assert "neither side had sent any data" in told["message"]
    assert (told["severity"], "health checks" in told["advice"]) == (severity, sender == "A")
