"""What counts as data sent again, what as the same packet captured twice, and what shows that packets are missing."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzer.flows.table import FLOW
from analyzer.settings import Settings
from analyzer.tracker.track import Tracker

from .stories import batch, told

OPENED = """
{}
A S 0:1 |
B S. 0:1 ack 1 |
A . 1:1 ack 1 |
"""


def first_end(rows: NDArray[np.void]) -> Any:
    """What is known of A."""
    rows["sender"] = rows["src"]
    table = np.zeros(1, FLOW)
    table["previous"] = -1
    tracker = Tracker(Settings())
    tracker.feed(rows.copy(), table)
    return tracker._ledger_rows(tracker.held).ends[0]


def test_the_first_acknowledgment_of_missing_bytes_shows_them() -> None:
    lost = "A . 1:101 ack 1 |\nB . 1:1 ack 201 |\nA . 201:301 ack 1 |\nB . 1:1 ack 401 |\n"
    end = first_end(batch(told(OPENED.format("two losses") + lost)[0]))
    assert (end["missing_bytes"], end["missing_frame"]) == (200, 5)


@pytest.mark.parametrize("size", [1, 2, 100])
def test_old_data_sent_again_is_a_repeat_however_short(size: int) -> None:
    story = OPENED.format("old data") + f"A . 1:201 ack 1 |\nB . 1:1 ack 201 |\nA . 11:{11 + size} ack 1 |\n"
    assert first_end(batch(told(story)[0]))["repeats"] == 1


@pytest.mark.parametrize(("step", "copies"), [(0, 0), (1, 1)])
def test_a_number_that_stays_the_same_identifies_no_packet(step: int, copies: int) -> None:
    """The same acknowledgment a while later: the same packet only where IP identifications move."""
    rows = batch(told(OPENED.format("one acknowledgment twice") + "+40 A . 1:1 ack 1 |\n")[0])
    rows["ip_id"] = 7 + step * np.arange(len(rows))
    rows["ip_id"][-1] = rows["ip_id"][2]
    rows["window"][-1] = rows["window"][2]
    assert first_end(rows)["duplicates"] == copies
