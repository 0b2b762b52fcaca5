"""IP fragments: put together where they can be, refused where they lie, forgotten in time, always accounted for."""

import struct
from collections.abc import Callable
from itertools import permutations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.segments import Decoder
from analyzer.segments.fragments import SECOND, Fragment, Reassembler
from analyzer.segments.table import IPV6, QUOTED, REASSEMBLED, TUNNELLED
from analyzer.times import inner
from tests.segments.build import A6, B6, Frame, batch, ethernet, extension, ipv4, ipv6, tcp, udp
from tests.segments.test_batches import in_pieces

SEGMENT = tcp(bytes(range(100)))
HEADER = ipv4(b"")


def in_pieces6(data: bytes, size: int, ip_id: int = 9, protocol: int = 6) -> list[Frame]:
    """A payload as IPv6 fragments, with a hop-by-hop header before the fragment header."""
    frames = []
    for at in range(0, len(data), size):
        field = at | (1 if at + size < len(data) else 0)
        body = bytes([protocol, 0]) + struct.pack(">HI", field, ip_id) + data[at : at + size]
        frames.append(Frame(ethernet(ipv6(extension(44, body), following=0), 0x86DD)))
    return frames


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_segment_stands_on_the_frame_that_completes_it(order: tuple[int, ...]) -> None:
    for pieces, marks in ((in_pieces(SEGMENT, 48, 1), 0), (in_pieces6(SEGMENT, 48), IPV6)):
        decoder = Decoder()
        rows = decoder.decode(batch([pieces[index] for index in order]))
        assert (rows["frame"].tolist(), rows["time"].tolist()) == ([3], [inner(3_000_000)])
        assert rows["payload_len"].tolist() == [100]
        assert rows["marks"][0] & (REASSEMBLED | IPV6 | TUNNELLED) == REASSEMBLED | marks
        assert decoder.counts == {"IP fragments joined": 2}


def test_ipv6_ends_survive() -> None:
    decoder = Decoder()
    decoder.decode(batch(in_pieces6(SEGMENT, 64)))
    assert decoder.book.texts() == [A6, B6]


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 8), st.integers(2, 6))
def test_any_order_of_many_datagrams(random: Random, words: int, count: int) -> None:
    segments = [tcp(bytes(random.randrange(200)), seq=n) for n in range(count)]
    frames = [piece for n, data in enumerate(segments) for piece in in_pieces(data, words * 8, n)]
    random.shuffle(frames)
    decoder = Decoder()
    rows = decoder.decode(batch(frames))
    assert sorted(rows["seq"].tolist()) == list(range(count))
    assert all(row["payload_len"] == len(segments[row["seq"]]) - 20 for row in rows)
    assert len(rows) + sum(decoder.counts.values()) == len(frames)


def test_missing_fragments_are_counted() -> None:
    decoder = Decoder()
    assert len(decoder.decode(batch(in_pieces(SEGMENT, 48, 1)[:2] + in_pieces(SEGMENT, 48, 2)[1:]))) == 0
    decoder.finish()
    assert decoder.counts == {"IP fragments missing": 4}


def test_repeated_fragments_do_no_harm() -> None:
    first, second, third = in_pieces(SEGMENT, 48, 1)
    decoder = Decoder()
    assert decoder.decode(batch([first, second, second, first, third]))["frame"].tolist() == [5]
    assert decoder.counts == {"IP fragments joined": 4}


def test_agreeing_overlap_is_accepted_and_lying_overlap_refused() -> None:
    data = SEGMENT
    pieces = [(0, data[:64], True), (32, data[32:96], True), (88, data[88:], False)]
    for lie in (False, True):
        frames = []
        for at, part, more in pieces:
            part = b"?" * len(part) if lie and at == 32 else part
            frames.append(Frame(ethernet(ipv4(part, fragment=at // 8 | (0x2000 if more else 0)))))
        decoder = Decoder()
        assert len(decoder.decode(batch(frames))) == (not lie)
        assert decoder.counts == ({"IP fragments refused": 3} if lie else {"IP fragments joined": 2})


def test_other_protocols_are_not_kept() -> None:
    decoder = Decoder()
    decoder.decode(batch(in_pieces(bytes(200), 48, 1, protocol=1)))
    assert decoder.counts == {"ICMP": 5}


@pytest.mark.parametrize("pieces", [in_pieces, in_pieces6], ids=["IPv4", "IPv6"])
def test_udp_without_a_tunnel_is_not_kept(pieces: Callable[..., list[Frame]]) -> None:
    """Known by its first fragment, and forgotten with its last: the number may be used again for a tunnel."""
    tunnel = udp(b"\x08" + bytes(7) + ethernet(ipv4(SEGMENT)), ports=(9, 4789))
    plain = pieces(udp(bytes(100)), 48, 1, protocol=17)
    decoder = Decoder()
    rows = decoder.decode(batch([*plain, *pieces(tunnel, 48, 1, protocol=17)]))
    assert rows["payload_len"].tolist() == [100]
    assert decoder.counts == {"UDP": len(plain), "IP fragments joined": 3}
    late = Decoder()
    assert len(late.decode(batch([plain[1], plain[0], plain[2]]))) == 0
    assert late.counts == {"UDP": 2, "IP fragments missing": 1}


def test_addresses_of_an_error_in_a_fragmented_tunnel_are_numbered_in_order() -> None:
    """Its segment is put together after the batch, and stands before the segment of the last frame."""
    error = ipv4(b"\3\1" + bytes(6) + ipv4(SEGMENT), ends=("192.0.2.9", "10.0.0.1"), protocol=1)
    other = Frame(ethernet(ipv4(SEGMENT, ends=("10.0.0.8", "10.0.0.9"))))
    decoder = Decoder()
    quoted, plain = decoder.decode(batch([*in_pieces(error, 48, 1, protocol=4), other]))
    assert quoted["marks"] & (QUOTED | REASSEMBLED) == QUOTED | REASSEMBLED
    assert (quoted["src"], quoted["dst"], quoted["ts_ecr"]) == (0, 1, 2)
    assert (plain["src"], plain["dst"]) == (3, 4)
    assert decoder.book.texts() == ["10.0.0.1", "10.0.0.2", "192.0.2.9", "10.0.0.8", "10.0.0.9"]


def test_cut_fragments_are_counted() -> None:
    first, second, third = in_pieces(SEGMENT, 48, 1)
    cut = Frame(second.data[:40], length=len(second.data))
    decoder = Decoder()
    decoder.decode(batch([first, cut, third]))
    assert decoder.counts == {"IP fragments cut": 1, "IP fragments missing": 2}


def fragment(offset: int, payload: bytes, more: bool = True, time: int = 0, ip_id: int = 1) -> Fragment:
    return Fragment(HEADER, ip_id, 6, offset, more, payload, time)


@pytest.mark.parametrize(
    "last",
    [
        fragment(65528, bytes(8), more=False),  # ends beyond the 65535 bytes that any datagram has
        fragment(16, bytes(7)),  # not the last, and no multiple of eight
        fragment(0, b"?" * 8),  # other bytes at the same place
        fragment(8, bytes(4), more=False),  # ends before what is known already
    ],
    ids=["too long", "odd length", "lie", "too short"],
)
def test_a_datagram_that_lies_is_refused_for_good(last: Fragment) -> None:
    reassembler = Reassembler()
    assert reassembler.add(fragment(0, bytes(8))).packet is None
    assert not reassembler.add(fragment(8, bytes(8))).refused
    refusal = reassembler.add(last)
    assert (refusal.refused, refusal.fragments) == (True, 3)
    late = reassembler.add(fragment(16, bytes(8), more=False))
    assert (late.refused, late.fragments) == (True, 1)


def test_a_datagram_too_long_with_its_header() -> None:
    reassembler = Reassembler()
    assert not reassembler.add(fragment(0, bytes(65520))).refused
    assert reassembler.add(fragment(65520, bytes(8), more=False)).refused


def test_what_waits_longer_than_a_minute_is_given_up() -> None:
    reassembler = Reassembler()
    reassembler.add(fragment(0, bytes(8)))
    assert reassembler.add(fragment(8, bytes(8), more=False, time=61 * SECOND)).packet is None
    reassembler = Reassembler()
    reassembler.add(fragment(0, bytes(8)))
    assert reassembler.add(fragment(8, bytes(8), more=False, time=60 * SECOND)).packet is not None


def test_memory_is_bounded() -> None:
    reassembler = Reassembler(datagrams=10, memory=100_000)
    for number in range(1000):
        reassembler.add(fragment(8 * number, bytes(800), ip_id=number))
        assert reassembler.waiting <= 10
        assert reassembler.bytes_held <= 100_000 + 32_000
    newest = fragment(0, bytes(7992))._replace(ip_id=999)
    assert reassembler.add(newest).packet is None
    assert reassembler.add(newest._replace(offset=8792, payload=b"end", more=False)).packet is not None


def test_the_largest_datagram_is_joined() -> None:
    """Its last fragments begin beyond half of what the field can say."""
    data = tcp(bytes(65_000))
    for pieces in (in_pieces(data, 1480, 1), in_pieces6(data, 1440)):
        rows = Decoder().decode(batch(pieces))
        assert rows["payload_len"].tolist() == [65_000]
