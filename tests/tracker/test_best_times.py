"""A best time is an estimate: what is concluded may not depend on which way a connection is tracked, and what is taken
back leaves no time behind."""

from pathlib import Path

import pandas as pd
import pytest

from tests.findings.filed import analyzed, codes

BOTH = pytest.mark.parametrize("fast", [True, False], ids=["fast path", "no fast path"])
INFERRED_FIN_TAKEN_BACK = """
A . 1:2 ack 201
+90 B P. 201:1661 ack 2
+30 A P. 2:3 ack 1662
+30 B . 1662:1762 ack 103
+0.2 A F. 153:454 ack 1762
+30 B F. 1762:1763 ack 454
+0 A . 454:454 ack 1763
+1000000 end
"""
QUICK_CLOSE = """
A S 0:1
+30.05 B S. 0:1 ack 1
+0.324068 A F. 1:2 ack 1
+0 B . 1:1 ack 2
+X B F. 1:2 ack 2
+30.05 A . 2:2 ack 2
"""
REUSED_AT_ONCE = """
A S 0:1
+5000.0929 B S. 0:1 ack 1
+120.986 A P. 1512:1513 ack 101
+149.577 A F. 1513:1514 ack 151
+4.985 B . 152:152 ack 1514
+0.322 A . 1514:1514 ack 152
+1799.368 A S 900000:900001
+0.000001 B S. 900000:900001 ack 900001
+20 B P. 900001:900101 ack 900001
+5 A . 900001:900001 ack 900101
"""


@BOTH
def test_a_state_that_is_taken_back_leaves_no_time(fast: bool, tmp_path: Path) -> None:
    """The server seemed to have sent a FIN before its last data, and to wait in FIN_WAIT_2."""
    flows = analyzed(INFERRED_FIN_TAKEN_BACK, tmp_path, fast_path=fast).flows
    assert flows["teardown"].tolist() == ["graceful"]
    assert pd.isna(flows["server_fin_wait_2_s"][0])


@BOTH
@pytest.mark.parametrize(("pause", "said"), [("1000", []), ("1000.000001", ["TD105"]), ("1001", ["TD105"])])
def test_a_late_fin_is_measured_at_the_tap(fast: bool, pause: str, said: list[str], tmp_path: Path) -> None:
    """The server is 30 ms away: by the best times the FIN was sent 15 ms before it passed, and was not late yet."""
    assert codes(analyzed(QUICK_CLOSE.replace("X", pause), tmp_path, fast_path=fast)) == said


@BOTH
def test_time_wait_that_begins_by_its_best_time_after_the_new_syn(fast: bool, tmp_path: Path) -> None:
    """The client is 5 s away: the FIN that takes it to TIME_WAIT reaches it, at best, after its next SYN."""
    findings = analyzed(REUSED_AT_ONCE, tmp_path, fast_path=fast).findings
    (row,) = findings[(findings["code"] == "TD501") & (findings["endpoint"] == "client")].itertuples()
    assert "TIME_WAIT at the client 0 µs before" in row.message
    assert row.confidence == "medium"
