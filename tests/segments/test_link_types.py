"""Every link type of the table has a name and is read; any other is counted under its number."""

import numpy as np

from analyzer.capture.packets import Packets
from analyzer.segments import Decoder
from analyzer.segments.link_types import LINK_TYPES, link_name
from tests.segments.build import Frame, batch


def counts(number: int) -> dict[str, int]:
    """What becomes of a frame of this link type that is all zeros."""
    packets: Packets = batch([Frame(bytes(64), link=number)])
    decoder = Decoder()
    assert len(decoder.decode(packets)) == 0
    return decoder.counts


def test_every_link_type_of_the_table_is_read() -> None:
    assert len({each.number for each in LINK_TYPES}) == len(LINK_TYPES)
    assert [each for each in LINK_TYPES if f"link type {each.number} not supported" in counts(each.number)] == []


def test_any_other_is_counted_under_its_number() -> None:
    known = [each.number for each in LINK_TYPES]
    for number in np.setdiff1d(np.arange(300), known).tolist():
        assert counts(number) == {f"link type {number} not supported": 1}


def test_names() -> None:
    assert [link_name(number) for number in (1, 113, 147)] == ["Ethernet", "Linux cooked", "link type 147"]
