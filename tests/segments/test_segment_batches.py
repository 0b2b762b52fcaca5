"""Batches collected from pieces: the same segments however they are collected, and memory that is used again."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzer.capture.packets import Packets
from analyzer.segments import SEGMENT, Decoder, segment_batches
from analyzer.segments.segment_batches import SegmentBatches
from tests.segments.build import batch
from tests.segments.test_batches import traffic


def supplied(pieces: Sequence[Packets]) -> list[NDArray[np.void]]:
    """Batches as their receiver finds them: each copied, and then written over, when it comes."""
    source, found = SegmentBatches(Decoder()), []
    for piece in pieces:
        for given in source.add(piece):
            found.append(given.copy())
            given.view(np.uint8)[:] = 0xEE
    return [*found, source.rest().copy()]


@pytest.mark.parametrize("size", [1, 2, 7, 30, 1000])
@pytest.mark.parametrize("piece", [1, 5, 29, 500])
def test_same_segments(monkeypatch: pytest.MonkeyPatch, size: int, piece: int) -> None:
    monkeypatch.setattr(segment_batches, "BATCH", size)
    frames = traffic()
    pieces = [batch(frames[at : at + piece], at + 1) for at in range(0, len(frames), piece)]
    found = supplied(pieces)
    assert max(map(len, found)) <= size
    assert np.concatenate(found).tobytes() == Decoder().decode(batch(frames)).tobytes()


def test_a_batch_stays_while_somebody_has_a_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_batches, "BATCH", 4)
    source = SegmentBatches(Decoder())
    kept: list[NDArray[np.void]] = []
    copies: list[bytes] = []
    for given in source.add(batch(traffic())):
        kept.append(given[1:3])
        copies.append(kept[-1].tobytes())
    assert [one.tobytes() for one in kept] == copies
    assert len({one.ctypes.data for one in kept}) == len(kept) > 3
    assert kept[0].dtype == SEGMENT


def test_a_batch_that_nobody_has_any_more_makes_room_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_batches, "BATCH", 4)
    source = SegmentBatches(Decoder())
    places = [given.ctypes.data for given in source.add(batch(traffic()))]
    assert len(set(places)) < 4 < len(places)
