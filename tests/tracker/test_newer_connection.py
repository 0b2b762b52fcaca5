"""Two connections on the same addresses and ports, of which the second SYN was not captured: what comes of the second
is counted, and nothing is concluded from it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzer.segments.table import ACK, FIN, RST, SYN
from analyzer.tracker.ledger import Known

from .stories import batch, told
from .test_padding import outcome

OPENED = """
two in one
A S 0:1               |
B S. 0:1 ack 1        |
A . 1:1 ack 1         |
A P. 1:101 ack 1      |
B P. 1:301 ack 101    |
A . 101:101 ack 301   |
"""
ENDS = {
    "closed": "A F. 101:102 ack 301 |\nB F. 301:302 ack 102 |\nA . 102:102 ack 302 |\n",
    "reset": "A R 101:101 |\n",
}
PAUSE = 5_000_000_000


def followed_by(end: str, left_out: int, forth: int, back: int) -> NDArray[np.void]:
    """The connection that ends by ``end``, and a moment later another without its first ``left_out`` segments, whose
    numbers lie ``forth`` (of A) and ``back`` (of B) ahead."""
    first = batch(told(OPENED + ENDS[end])[0])
    second = batch(told(OPENED)[0])[left_out:].copy()
    from_a = second["src"] == first["src"][0]
    shift = np.where(from_a, forth, back)
    other = np.where(from_a, back, forth)
    second["seq"] = (second["seq"] + shift) % (1 << 32)
    second["ack"] = np.where(second["flags"] & ACK, (second["ack"] + other) % (1 << 32), second["ack"])
    second["time"] += first["time"][-1] - first["time"][0] + PAUSE
    second["frame"] += len(first)
    rows = np.concatenate([first, second])
    rows["sender"] = rows["src"]
    return rows


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("left_out", [1, 2, 3])
@pytest.mark.parametrize(("forth", "back"), [(400_000, 500_000), (2_000_000_000, 1_500_000_000)])
def test_a_newer_connection_is_not_taken_for_this(end: str, left_out: int, forth: int, back: int) -> None:
    alone = outcome(followed_by(end, 6, forth, back))
    both = outcome(followed_by(end, left_out, forth, back))
    for side in (0, 1):
        assert both[side]["known"] & Known.MIXED
        for name in (
            "state",
            "snd_nxt",
            "fin_count",
            "missing_bytes",
            "half_close_bytes",
            "rst_verdict",
            "third_party",
        ):
            assert both[side][name] == alone[side][name], name


def test_what_belongs_to_it_is_not_taken_for_a_newer() -> None:
    """The same FIN again, a keep-alive probe of the last number, the SYN-ACK once more."""
    rows = followed_by("closed", 6, 0, 0)
    assert set(rows["flags"] & (SYN | FIN | RST)) == {0, SYN, FIN}
    again = np.concatenate([rows, rows[[1, 6, 7]]])
    again["time"][len(rows) :] = rows["time"][-1] + PAUSE
    again["frame"][len(rows) :] += len(rows)
    assert not any(end["known"] & Known.MIXED for end in outcome(again))
