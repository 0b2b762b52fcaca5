"""The ladder, line by line."""

import io

import pytest

from analyzer.errors import UsageError
from analyzer.reports.conversation import conversation, said
from analyzer.reports.ladder import ladder_lines
from analyzer.reports.text import show
from tests.reports.sample import ACK, PSH, rows, sample_result, segment

EXPECTED = """
stream 7: client 10.1.0.2:40112, server 10.1.0.3:8080
began 2023-11-14 22:13:20.123456789 UTC, lasted 63.3 s
ended: reset, the server closed first

       time  frame  client                                         server
   0.000000      1  SYN_SENT      ── SYN seq 0 ──────────────────▶
   0.000120      2                ◀──────── SYN,ACK seq 0 ack 1 ── SYN_RECEIVED
   0.000150      3  ESTABLISHED   ── ACK seq 1 ack 1 ────────────▶ ESTABLISHED~
   0.001000      4                ── PSH,ACK seq 1 ack 1 len 78 ─▶
        ... 2.1 s of silence
   2.100000      5                ◀─────── FIN,ACK seq 1 ack 79 ── FIN_WAIT_1
                    server: closed first
   2.100030      6  CLOSE_WAIT    ── ACK seq 79 ack 2 ───────────▶ FIN_WAIT_2~
                    client: peer closed
        ... 61.2 s of silence
  62.100030                                                        CLOSED*
                    server: orphan, linux 60 s
  63.300000      7  LAST_ACK      ── FIN,ACK seq 79 ack 2 ───────▶
                    client: after 61.199970 s
  63.300040      8  CLOSED~       ◀────────────────── RST seq 2 ──
                    !! error TD102 late-fin-answered-by-rst
                       client 10.1.0.2:40112 in CLOSE_WAIT for 61.2 s; its
                       "late" FIN (7) met a RST

~ assumed: it crossed the tap; nothing contradicts that it arrived
* timer: no packet can show it; the profile of timers in force says so

What to do
TD102: Look at the client first: close the connection on every path.
Next, on 10.1.0.2: ss -tnp state close-wait '( dport = :8080 )'
"""


def printed(bulk: int = 0, **options: object) -> str:
    file = io.StringIO()
    show(ladder_lines(sample_result(bulk), 7, **{"columns": 80, **options}), file)  # type: ignore[arg-type]
    return file.getvalue()


def test_the_whole_ladder() -> None:
    assert printed() == EXPECTED.removeprefix("\n")


def test_a_terminal_without_unicode_gets_plain_arrows() -> None:
    text = printed(unicode=False)
    assert text.isascii()
    assert "SYN_SENT      -- SYN seq 0 ------------------>\n" in text
    assert "<-------- SYN,ACK seq 0 ack 1 -- SYN_RECEIVED" in text


def test_long_data_is_folded_into_one_line_that_accounts_for_it() -> None:
    lines = printed(700).splitlines()
    fold = next(place for place, line in enumerate(lines) if "1,397 segments" in line)
    assert lines[fold].strip() == "... 1,397 segments up to 1402 in 698 ms: client 0, server 698,000 bytes"
    shown = [line[11:18].strip() for line in (lines[fold - 1], lines[fold + 1])]
    assert shown == ["5", "1403"]


def test_everything_shows_every_segment() -> None:
    text = printed(30, everything=True)
    assert sum("seq " in line for line in text.splitlines()) == 68
    assert "segments up to" not in text


def test_a_wider_terminal_is_used_and_nothing_exceeds_it() -> None:
    assert max(map(len, printed(700, columns=100).splitlines())) == 99
    assert max(map(len, printed(700, columns=80).splitlines())) <= 80


def test_an_unknown_stream_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="there is no stream 99 in the capture; its streams are 0 to 9"):
        ladder_lines(sample_result(), 99)


def words(*segments: dict[str, object]) -> list[str]:
    talk = conversation(rows("segments", list(segments)), sample_result().flows.iloc[0])
    return [said(talk, row) for row in range(len(segments))]


def test_numbers_start_at_one_where_the_opening_is_missing() -> None:
    assert words(segment(1, 0, True, ACK, 5000, 700), segment(2, 1, False, ACK, 700, 5000)) == [
        "ACK seq 1 ack 1",
        "ACK seq 1 ack 1",
    ]


def test_one_direction_alone_has_relative_numbers_too() -> None:
    assert words(segment(1, 0, True, ACK, 5000, 700), segment(2, 1, True, ACK, 5000, 800)) == [
        "ACK seq 1 ack 1",
        "ACK seq 1 ack 101",
    ]


def test_repeats_and_keep_alives_are_told_apart() -> None:
    said_of = words(
        segment(1, 0, True, PSH | ACK, 1, 1, 100),
        segment(2, 1, True, PSH | ACK, 1, 1, 100),
        segment(3, 9, True, ACK, 100, 1, 1),
        segment(4, 9, True, ACK, 101, 1),
    )
    assert said_of == [
        "PSH,ACK seq 1 ack 1 len 100",
        "PSH,ACK seq 1 ack 1 len 100 again",
        "ACK seq 100 ack 1 len 1 keep-alive",
        "ACK seq 101 ack 1",
    ]
