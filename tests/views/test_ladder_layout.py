"""Columns, colours and times of a ladder: from 60 to 200 columns, and with the longest numbers there are."""

import dataclasses
import io
import re

import pandas as pd
import pytest

from analyzer.results.result import ResultTables
from analyzer.views.console import Line
from analyzer.views.ladder import ladder_lines
from tests.results.sample import ACK, FIN, PSH, RST, SYN, rows, sample_result, segment

WIDTHS = (60, 72, 80, 100, 120, 200)
ADDRESSES = {
    "client_ip": "2001:db8:85a3:1111:2222:8a2e:370:7334",
    "server_ip": "fd00:1234:5678:9abc:def0:1111:2222:3333",
}
FAR, LATE = 10_000_000, 172_800.25  # frames from here on, offsets up to 48 hours


def long_numbers() -> ResultTables:
    """A connection with wide numbers everywhere: 3 GB each way, for two days, over IPv6."""
    made = sample_result()
    piece, big = 500_000_000, 3_000_000_001
    segments = [
        segment(FAR, 0, True, SYN, 0, 0),
        segment(FAR + 1, 0.1, False, SYN | ACK, 0, 1),
        *(segment(FAR + 2 + n, 1 + n, True, PSH | ACK, 1 + n * piece, 1, piece) for n in range(6)),
        *(segment(FAR + 8 + n, 7 + n, False, PSH | ACK, 1 + n * piece, big, piece) for n in range(6)),
        segment(FAR + 14, 20, True, PSH | ACK, big, big, 65_483),
        segment(FAR + 15, 20.1, True, PSH | ACK, big, big, 65_483),
        segment(FAR + 16, 20.2, False, PSH | ACK, big, big + 65_483, 65_483, window=0),
        segment(FAR + 17, LATE, False, FIN | ACK, big + 65_483, big + 65_483),
        segment(FAR + 18, LATE, True, RST | ACK, big + 65_483, big + 65_484),
    ]
    flows = made.flows.astype(dict.fromkeys(ADDRESSES, object)).assign(**ADDRESSES)
    own = rows("segments", segments).astype({"src_ip": object, "dst_ip": object})
    up = own["src_port"] == 40112
    own["src_ip"] = [ADDRESSES["client_ip" if side else "server_ip"] for side in up]
    empty = made.timeline.iloc[:0], made.findings.iloc[:0]
    return dataclasses.replace(made, flows=flows, segments=own, timeline=empty[0], findings=empty[1])


def drawn(made: ResultTables, **options: object) -> list[Line]:
    return ladder_lines(made, 7, **{"columns": 80, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("times", ["offset", "absolute", "delta"])
@pytest.mark.parametrize("columns", WIDTHS)
def test_nothing_is_cut_off_and_no_line_is_too_long(columns: int, times: str) -> None:
    lines = [line.plain for line in drawn(long_numbers(), columns=columns, times=times, everything=True)]
    assert max(map(len, lines)) <= columns
    text = " ".join(" ".join(lines).split())
    for number in (*range(FAR, FAR + 19), 3_000_000_001, 3_000_065_484, *ADDRESSES.values()):
        assert str(number) in text
    for words in ("len 65483", "retransmission", "zero window", "of silence", "RST"):
        assert words in text
    assert " FIN,ACK seq" in text or " F. seq" in text


@pytest.mark.parametrize("columns", WIDTHS)
def test_columns_stay_in_line(columns: int) -> None:
    lines = [line.plain for line in drawn(long_numbers(), columns=columns)]
    steps = [line for line in lines if re.match(r" *\d+\.\d{6} ", line)]
    assert len({re.match(r" *\d+\.\d{6} +\d+", line).end() for line in steps}) == 1  # type: ignore[union-attr]
    heads = [re.search("[─━◀\N{MULTIPLICATION SIGN}]", line).start() for line in steps]  # type: ignore[union-attr]
    tails = [len(line) for line in steps if line.endswith(("▶", "─", "━", "\N{MULTIPLICATION SIGN}"))]
    assert len(set(heads)) == len(set(tails)) == 1 and len(tails) == len(steps)


def test_wide_terminals_show_windows() -> None:
    assert not any(" win " in line.plain for line in drawn(sample_result(), columns=100))
    assert sum(" win " in line.plain for line in drawn(sample_result(), columns=120)) == 6  # not those without ACK


def test_times_as_offset_absolute_and_delta() -> None:
    shown = {
        times: [
            line.plain[:15].split()[0]
            for line in drawn(sample_result(), times=times)
            if "SYN" in line.plain.replace("SYN_", "")
        ]
        for times in ("offset", "absolute", "delta")
    }
    assert shown["offset"] == ["0.000000", "0.000120"]
    assert shown["absolute"] == ["22:13:20.123457", "22:13:20.123577"]
    assert shown["delta"] == ["0.000000", "0.000120"]
    delta = "\n".join(line.plain for line in drawn(sample_result(), times="delta"))
    assert "   1.199970      7  LAST_ACK " in delta  # since the timer's line before it


def test_a_day_that_begins_is_told_among_absolute_times() -> None:
    lines = [line.plain for line in drawn(long_numbers(), times="absolute")]
    days = [line.strip() for line in lines if re.fullmatch(r" *\d{4}-\d\d-\d\d", line)]
    assert days == ["2023-11-14", "2023-11-16"]
    assert lines[lines.index(f"{days[1]:>15}") + 1].startswith("22:13:20.373457")


def test_brief_has_the_ladder_and_the_codes_alone() -> None:
    lines = [line.plain for line in drawn(sample_result(), brief=True)]
    whole = [line.plain for line in drawn(sample_result())]
    assert [line for line in whole if re.match(r" *\d+\.\d{6} ", line)] == [
        line for line in lines if re.match(r" *\d+\.\d{6} ", line)
    ]
    assert lines[0].startswith("stream 7: client 10.1.0.2:40112, server 10.1.0.3:8080")
    assert lines[-1].strip() == "!! error TD102 late-fin-answered-by-rst"
    assert not any(words in " ".join(lines) for words in ("peer closed", "CLOSE_WAIT for", "What to do", "assumed:"))


@pytest.mark.parametrize("columns", [60, 100])
def test_colours_say_what_a_segment_is_and_words_do_too(columns: int) -> None:
    styles = {"SYN seq": "green", "FIN,ACK": "bright_blue", "RST seq": "red", "ACK seq 79 ack 2": "dim", "len 78": ""}
    pieces = [piece for line in drawn(sample_result(), columns=columns) for piece in line.pieces]
    for words, style in styles.items():
        found = {own for text, own in pieces if words in text and "FIN" not in text.replace(words, "")}
        assert found == {style}, words
    for state, style in {"CLOSE_WAIT": "bold yellow", "LAST_ACK": "bold magenta", "CLOSED~": "bold red"}.items():
        assert {own for text, own in pieces if text.strip() == state} == {style}
    assert all(line.coloured.count("\x1b[") % 2 == 0 for line in drawn(sample_result(), columns=columns))


def test_an_address_from_a_file_of_segments_gives_no_control_codes() -> None:
    made = long_numbers()
    made.flows["client_ip"] = made.flows["client_ip"].map(lambda text: f"{text}\x1b[31m")
    buffer = io.StringIO("\n".join(line.plain for line in drawn(made)))
    assert "\x1b" not in buffer.read()


def test_states_stand_below_where_they_take_fewer_lines_so() -> None:
    """Beside the arrows if their words fit there, else below; each state once."""
    for made, beside in ((sample_result(), True), (long_numbers(), False)):
        head = next(line.plain for line in drawn(made) if "frame" in line.plain and "client" in line.plain)
        assert head.endswith("         server") == beside or len(head) == (69 if beside else 80)
    narrow = [line.plain for line in drawn(sample_result(), columns=60)]
    place = next(at for at, line in enumerate(narrow) if "ACK seq 79 ack 2" in line and "FIN" not in line)
    assert narrow[place + 1].split() == ["CLOSE_WAIT", "FIN_WAIT_2~"] and len(narrow[place + 1]) == 60


def test_times_before_1970_are_told() -> None:
    made = sample_result()
    assert made.segments is not None
    shift = pd.Timedelta(days=365 * 60)
    made.segments["time_epoch"] -= shift
    made.timeline[["time_epoch", "earliest_epoch", "latest_epoch"]] -= shift
    made.findings["time_epoch"] -= shift
    assert any("22:13:20.123457      1" in line.plain for line in drawn(made, times="absolute"))
