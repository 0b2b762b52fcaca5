"""What a ladder calls a retransmission, a keep-alive, a probe or a zero window is what tshark calls so; where not, it
is one of the differences that docs/ladder.md explains."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import analyzer
from analyzer.views.ladder_segments import ladder_segments
from analyzer.views.sent_side import (
    AGAIN,
    COPY,
    KEEP_ALIVE,
    KEEP_ALIVE_ACK,
    LATE,
    PARTLY,
    PROBE,
    PROBE_ACK,
    UNSEEN,
    ZERO,
)
from tests.views.tshark_analysis import CAPTURES, answers

PATHS = {name: folder / name for folder, names in CAPTURES.items() for name in names if (folder / name).is_file()}
SAME = {
    "retransmission": {AGAIN, PARTLY, UNSEEN},
    "out_of_order": {LATE},
    "keep_alive": {KEEP_ALIVE},
    "keep_alive_ack": {KEEP_ALIVE_ACK},
    "zero_window": {ZERO},
    "zero_window_probe": {PROBE},
    "zero_window_probe_ack": {PROBE_ACK},
}
RETRANSMISSIONS = ("retransmission", "fast_retransmission", "spurious_retransmission")
EXPLAINED = {  # (the ladder's, tshark's)
    (COPY, "retransmission"): "one packet captured twice was sent once",
    (COPY, "out_of_order"): "one packet captured twice was sent once",
    (AGAIN, "out_of_order"): "all of it had been captured before, so it was sent twice",
    (AGAIN, "keep_alive"): "its byte had not been acknowledged",
    (LATE, "retransmission"): "it was never captured before and came within a round trip",
    (KEEP_ALIVE_ACK, ""): "the capture begins with a keep-alive: tshark misses the byte before the answer",
    ("", "out_of_order"): "a RST with another number came before; nothing precedes it that follows it",
}


def kinds(flags: list[str]) -> set[str]:
    """tshark's words, its three kinds of retransmission as one."""
    return {"retransmission" if flag in RETRANSMISSIONS else flag for flag in flags}


def words(path: Path) -> Iterator[tuple[int, set[str]]]:
    result = analyzer.analyze(path, keep_segments=True)
    assert result.segments is not None
    for _, flow in result.flows.iterrows():
        talk = ladder_segments(result.segments[result.segments["stream"] == flow["stream"]], flow)
        for row, frame in enumerate(talk.frame.tolist()):
            yield frame, {talk.word[row], *(remark.kind for remark in talk.remarks.get(row, ()))}


@pytest.mark.parametrize("name", sorted(PATHS))
def test_segments_are_named_as_tshark_names_them(name: str) -> None:
    theirs = answers()[name]
    for frame, ours in words(PATHS[name]):
        told = kinds(theirs.get(str(frame), []))
        for flag, same in SAME.items():
            if (flag in told) == bool(ours & same):
                continue
            if flag in told:
                word = next(iter(ours & {COPY, AGAIN, LATE}), "")
                assert (word, flag) in EXPLAINED, f"frame {frame}: tshark says {flag}, the ladder {ours}"
            else:
                word = next(iter(ours & same))
                assert any((word, other) in EXPLAINED for other in told or {""}), (
                    f"frame {frame}: {word}; tshark: {told}"
                )


def test_the_answers_have_something_of_every_kind() -> None:
    """Over all captures, at hand or not."""
    said = [flag for frames in answers().values() for flags in frames.values() for flag in kinds(flags)]
    assert all(said.count(flag) >= 6 for flag in SAME)
