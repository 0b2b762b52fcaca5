"""The rows on which the predicates rest are those of tshark, wherever its answers stand beside a capture."""

import numpy as np
import pytest

import analyzer
from analyzer.errors import UnreadableCapture
from tests import oracle

KNOWN = {"seq": -1, "ack": -1, "flags": 0x1FF, "payload_len": -1}  # columns and the bits of them that are compared
NOT_SOUND = ("rows_in_icmp", "rows_multi_tcp", "rows_cut")


@oracle.needs_captures
@pytest.mark.parametrize("name", oracle.names() or ["none"])
def test_segments_are_those_that_tshark_shows(name: str) -> None:
    answers = oracle.Oracle(name)
    try:
        segments = analyzer.analyze(answers.path, keep_segments=True).segments
    except UnreadableCapture:
        pytest.skip("a format that the program does not read")
    assert segments is not None
    theirs = answers.segments
    sound = ~np.any([answers.marked(kind) for kind in NOT_SOUND], axis=0)
    rows = {int(row["frame"]): row for row in theirs[sound]}
    ours = {int(row["frame"]): row for row in segments.to_dict("records")}
    odd = set(theirs["frame"][answers.marked("rows_time_odd")].tolist())
    for frame in sorted(rows.keys() & ours.keys()):  # which frames hold TCP is decided in tests/segments
        mine, other = ours[frame], rows[frame]
        assert [int(mine[name]) & KNOWN[name] for name in KNOWN] == [int(other[name]) & KNOWN[name] for name in KNOWN]
        late = frame in odd or other["time"] == oracle.LAST
        assert late or abs(mine["time_epoch"].value - int(other["time"])) <= 1, frame
