"""What a ladder names: repeats, gaps, probes, windows, SACK; and what it folds."""

import re
from struct import pack

import numpy as np

from analyzer.capture.packets import PACKET, Packets
from analyzer.engine.sack_blocks import sack_blocks, wanted_headers
from analyzer.views.ladder_folds import fold_text, folds
from analyzer.views.ladder_segments import LadderSegments, ladder_segments, said
from tests.results.sample import ACK, FIN, PSH, SYN, rows, sample_result, segment

Sacked = dict[int, list[tuple[int, int]]]


def talk(*segments: dict[str, object], sacks: Sacked | None = None) -> LadderSegments:
    return ladder_segments(rows("segments", list(segments)), sample_result().flows.iloc[0], sacks)


def remarks(*segments: dict[str, object], sacks: Sacked | None = None) -> list[str]:
    made = talk(*segments, sacks=sacks)
    return [", ".join(made.texts(row)) for row in range(len(segments))]


def opened(scale: int = -1) -> list[dict[str, object]]:
    """A handshake of 10 ms; both sides offer that scale."""
    made = [
        segment(1, 0, True, SYN, 0, 0),
        segment(2, 0.009, False, SYN | ACK, 0, 1),
        segment(3, 0.01, True, ACK, 1, 1),
    ]
    return [{**row, "window_scale": scale} for row in made]


def test_what_fills_a_gap_within_a_round_trip_is_out_of_order_and_later_a_retransmission() -> None:
    for pause, word in ((0.009, "out of order"), (0.011, "retransmission, original not captured")):
        assert remarks(
            *opened(),
            segment(4, 1, True, ACK, 101, 1, 100),
            segment(5, 1 + pause, True, ACK, 1, 1, 100),
        )[3:] == ["after a gap of 100", word]


def test_a_syn_with_another_number_follows_no_gap() -> None:
    answers = [segment(4, 1, False, SYN | ACK, 5000, 1), segment(5, 1.1, False, SYN | ACK, 0, 1)]
    assert remarks(*opened(), *answers)[3:] == ["another initial number", "retransmission"]


def test_a_syn_ack_tells_the_number_of_a_syn_that_was_not_captured() -> None:
    made = talk(segment(1, 0, False, SYN | ACK, 0, 1), segment(2, 0.1, True, ACK, 46, 1, 10))
    assert made.ack.tolist() == [1, 1] and made.seq.tolist() == [0, 46]


def test_what_comes_after_its_acknowledgment_is_out_of_order() -> None:
    assert remarks(*opened(), segment(4, 1, False, ACK, 1, 101), segment(5, 1.0001, True, ACK, 1, 1, 100))[3:] == [
        "acks 100 not captured so far",
        "out of order",
    ]


def test_zero_windows_probes_and_the_window_that_opens_again() -> None:
    assert (
        remarks(
            *opened(2),
            segment(4, 1, True, ACK, 1, 1, 100),
            segment(5, 1.1, False, ACK, 1, 101, window=0),
            segment(6, 2, True, ACK, 101, 1, 1),  # with the next byte
            segment(7, 2.1, False, ACK, 1, 101, window=0),
            segment(8, 3, True, ACK, 100, 1),  # before what is acknowledged: Linux
            segment(9, 3.1, False, ACK, 1, 101, window=0),
            segment(10, 4, False, ACK, 1, 101, window=500),
            segment(11, 4.1, True, ACK, 101, 1, 100),
        )[3:]
        == [
            "",
            "zero window",
            "window probe",
            "window probe ACK, zero window",
            "window probe",
            "window probe ACK, zero window",
            "window open again: 2,000",
            "",
        ]
    )


def test_the_byte_of_a_probe_counts_once_it_is_acknowledged() -> None:
    """Before, it is neither data sent nor, where it comes again, a retransmission."""
    closed = [*opened(), segment(4, 1, False, ACK, 1, 101, window=0), segment(5, 2, True, ACK, 101, 1, 1)]
    asked = [*opened(), segment(4, 1, True, ACK, 1, 1, 100), *closed[3:], segment(6, 2.2, True, ACK, 101, 1, 1)]
    assert remarks(*asked)[5:] == ["window probe", "window probe"]
    taken = segment(7, 2.3, False, ACK, 1, 102, window=500)
    assert remarks(*asked, taken, segment(8, 3, True, ACK, 102, 1, 100))[7:] == ["window open again: 500", ""]
    refused = segment(7, 2.3, False, ACK, 1, 101, window=500)
    assert remarks(*asked, refused, segment(8, 3, True, ACK, 101, 1, 100))[7:] == ["window open again: 500", ""]


def test_a_window_shrinks_where_its_right_edge_goes_back_by_more_than_the_scale_rounds() -> None:
    shrunk = [segment(4, 1, False, ACK, 1, 1, window=1000), segment(5, 2, False, ACK, 1, 1, window=999)]
    assert remarks(*opened(3), *shrunk)[4] == ""
    assert remarks(*opened(3), *shrunk, segment(6, 3, False, ACK, 1, 1, window=900))[5] == "window shrunk by 800"
    assert "window shrunk" not in "".join(remarks(*shrunk, segment(6, 3, False, ACK, 1, 1, window=9)))  # no scale known


def test_duplicate_acknowledgments_are_those_while_data_are_under_way() -> None:
    assert remarks(
        *opened(),
        segment(4, 1, True, ACK, 1, 1, 100),
        segment(5, 1.01, False, ACK, 1, 101),
        segment(6, 1.02, False, ACK, 1, 101),
        segment(7, 1.1, True, ACK, 201, 1, 100),
        segment(8, 1.11, False, ACK, 1, 101),
    )[3:] == ["", "", "", "after a gap of 100", "duplicate ACK"]


def test_keep_alives_and_their_answers() -> None:
    assert remarks(*opened(), segment(4, 9, True, ACK, 0, 1), segment(5, 9.1, False, ACK, 1, 1))[3:] == [
        "keep-alive",
        "keep-alive ACK",
    ]


def test_sack_blocks_are_relative_and_what_came_twice_is_told_apart() -> None:
    base = 4294967000  # the client's first number, so that the blocks wrap
    blocks = {
        5: [((base + 201) % 2**32, (base + 301) % 2**32)],
        6: [((base + 1) % 2**32, (base + 101) % 2**32), ((base + 201) % 2**32, (base + 301) % 2**32)],
    }
    made = talk(
        *opened(),
        segment(4, 1, True, ACK, 1, 1, 100),
        segment(5, 1.1, False, ACK, 1, 101),
        segment(6, 1.2, False, ACK, 1, 101),
        sacks=blocks,
    )
    assert [said(made, row) for row in (4, 5)] == [
        "ACK seq 1 ack 101 SACK 201-301",
        "ACK seq 1 ack 101 D-SACK 1-101, SACK 201-301".replace(", ", " "),
    ]


def test_sack_options_are_read_from_the_packets_of_repeated_acknowledgments() -> None:
    table = rows("segments", [*opened(), segment(4, 1, False, ACK, 1, 101), segment(5, 2, False, ACK, 1, 101)])
    headers = wanted_headers(table, 7)
    assert set(headers) == {3, 4, 5}
    assert wanted_headers(rows("segments", opened()), 7) == {}
    options = bytes([1, 1, 5, 10]) + pack(">II", 7, 9)
    whole = b"\0" * 34 + headers[5] + bytes([0x80, ACK]) + b"\0" * 6 + options
    packets = [(4, b"\0" * 34 + headers[4] + bytes([0x50, ACK]) + b"\0" * 6), (5, whole), (6, whole), (3, whole[:50])]
    data = b"".join(packet for _, packet in packets)
    begins = np.cumsum([0, *(len(packet) for _, packet in packets)]).tolist()
    made = [(0, frame, begin, len(p), len(p), 1, 0, 0) for (frame, p), begin in zip(packets, begins, strict=False)]
    capture = [Packets(np.frombuffer(data, np.uint8), np.array(made, PACKET))]
    assert sack_blocks(capture, headers) == {5: [(7, 9)]}


def test_a_broken_sack_option_says_nothing() -> None:
    table = rows("segments", [segment(4, 1, False, ACK, 1, 101), segment(5, 2, False, ACK, 1, 101)])
    headers = wanted_headers(table, 7)
    for options in (
        b"\5",
        b"\5\0",
        b"\5\x09" + b"\0" * 7,
        b"\5\2\0\0",
        b"\5\x0a\0\0",
        b"\2\0\1\1",
        b"\0\5\x0a" + b"\1" * 9,
    ):
        packet = headers[5] + bytes([(5 + (len(options) + 3) // 4) << 4, ACK]) + b"\0" * 6 + options
        row = np.array([(0, 5, 0, len(packet), len(packet), 1, 0, 0)], PACKET)
        assert sack_blocks([Packets(np.frombuffer(packet, np.uint8), row)], headers) == {}


def bulk() -> LadderSegments:
    """2,000 segments of data with a repeat in every hundred, and one long silence."""
    made = opened()
    for n in range(2000):
        later = 350 if n >= 1000 else 0
        made.append(segment(4 + 2 * n, 1 + n * 0.001 + later, True, ACK, 1 + 1000 * n, 1, 1000))
        again = n % 100 == 50
        made.append(
            segment(5 + 2 * n, 1.0005 + n * 0.001 + later, again, ACK, 1000 * n - 999 if again else 1, 1, 1000 * again)
        )
    return talk(*made, segment(9000, 400, True, FIN | PSH | ACK, 2_000_001, 1))


def test_a_fold_counts_what_is_in_it_and_leaves_the_first_and_last_of_a_kind_and_silences() -> None:
    made = bulk()
    hidden = folds(made, set())
    shown = set(range(len(made.frame))) - {row for start, end in hidden for row in range(start, end)}
    repeats = [row for row, word in enumerate(made.word) if word == "retransmission"]
    assert len(repeats) == 20 and [row for row in repeats if row in shown] == [*repeats[:2], *repeats[-2:]]
    pauses = np.flatnonzero(np.diff(made.time) >= 10**9).tolist()
    assert all({row, row + 1} <= shown for row in pauses) and len(shown) < 60
    texts = [fold_text(made, start, end, "7") for start, end in hidden]
    assert sum(int(found[1]) for text in texts if (found := re.search(r"(\d+) retransmissions?\b", text))) == 16
    assert all(" MB from the client" in text or " kB from the client" in text for text in texts)


def test_a_packet_captured_twice_counts_once_in_a_fold() -> None:
    made = talk(*opened(), *(segment(4 + n, 1 + n // 2, True, ACK, 1 + 100 * (n // 2), 1, 100) for n in range(40)))
    assert (
        fold_text(made, 3, 43, "43").split(": ")[1] == "2.0 kB from the client; 20 captured twice; longest silence 1 s"
    )
