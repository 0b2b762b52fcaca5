"""Any way of cutting the capture into batches gives the same table, the same addresses and the same counts."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analyzer.capture.packets import Packets
from analyzer.segments import AddressBook, Decoder
from tests.segments.build import TIMESTAMP, Frame, batch, ethernet, ipv4, ipv6, tcp, udp


def in_pieces(
    data: bytes, size: int, ip_id: int, protocol: int = 6, ends: tuple[str, str] = ("1.1.1.1", "2.2.2.2")
) -> list[Frame]:
    """A datagram's payload as IPv4 fragments of ``size`` bytes (a multiple of eight)."""
    starts = range(0, len(data), size)
    return [
        Frame(
            ethernet(
                ipv4(
                    data[at : at + size],
                    protocol=protocol,
                    ip_id=ip_id,
                    ends=ends,
                    fragment=at // 8 | (0x2000 if at + size < len(data) else 0),
                )
            )
        )
        for at in starts
    ]


def traffic() -> list[Frame]:
    """Segments of many hosts, other packets, datagrams in fragments among them, one of them within a tunnel."""
    frames = [
        Frame(ethernet(ipv4(tcp(b"x" * (n % 3), seq=n, options=TIMESTAMP), ends=(f"10.0.{n % 7}.{n}", "10.1.0.1"))))
        for n in range(40)
    ]
    frames[5:5] = [Frame(ethernet(ipv6(tcp(), ends=(f"fd00::{n}", "fd00::ffff")), 0x86DD)) for n in range(5)]
    frames[9:9] = [Frame(ethernet(bytes(28), 0x0806)), Frame(ethernet(ipv4(udp(b"x"), protocol=17))), Frame(b"")]
    first, second, third = in_pieces(tcp(bytes(100)), 48, 1)
    frames[12:12], frames[16:16], frames[20:20] = [second], [first], [third]
    inner = in_pieces(tcp(bytes(100)), 80, 2, ends=("3.3.3.3", "4.4.4.4"))
    for place, piece in zip((24, 30), inner, strict=True):
        tunnel = udp(b"\x08" + bytes(7) + piece.data, ports=(7, 4789))
        frames[place:place] = in_pieces(tunnel, 64, 3 + place, protocol=17)
    return frames


def decoded(frames: list[Frame], cuts: list[int]) -> tuple[NDArray[np.void], list[str], dict[str, int]]:
    decoder = Decoder(AddressBook(capacity=2))
    edges = [0, *sorted(cuts), len(frames)]
    tables = [decoder.decode(batch(frames[start:stop], first=start + 1)) for start, stop in pairwise(edges)]
    decoder.finish()
    return np.concatenate(tables), decoder.book.texts(), decoder.counts


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_cut_anywhere(data: st.DataObject) -> None:
    frames = traffic()
    whole = decoded(frames, [])
    cuts = data.draw(st.lists(st.integers(0, len(frames)), max_size=10))
    table, texts, counts = decoded(frames, cuts)
    assert table.tolist() == whole[0].tolist()
    assert texts == whole[1]
    assert counts == whole[2]


def test_packet_by_packet() -> None:
    frames = traffic()
    one, whole = decoded(frames, list(range(len(frames)))), decoded(frames, [])
    assert one[0].tolist() == whole[0].tolist()
    assert one[1:] == whole[1:]


def test_frames_stand_in_order_and_all_are_accounted_for() -> None:
    frames = traffic()
    table, texts, counts = decoded(frames, [])
    assert (np.diff(table["frame"]) > 0).all()
    assert len(table) + sum(counts.values()) == len(frames)
    assert len(table) == 40 + 5 + 2
    flat = np.stack([table["src"], table["dst"]], axis=1).ravel()
    _, first = np.unique(flat, return_index=True)
    assert (np.diff(first) > 0).all(), "addresses are not numbered in order of first appearance"
    assert len(texts) == len(set(texts)) == len(first)


def test_an_empty_batch() -> None:
    assert len(Decoder().decode(batch([]))) == 0


def test_the_batch_s_memory_may_be_used_again() -> None:
    packets = batch([Frame(ethernet(ipv4(tcp(b"hello"))))] * 3)
    data = packets.data.copy()
    decoder = Decoder()
    rows = decoder.decode(Packets(data, packets.rows))
    before = rows.tolist()
    data[:] = 0
    assert rows.tolist() == before
