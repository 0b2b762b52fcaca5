"""Lines of text from rows of numbers: against the same lines made by Python, cell by cell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analyzer.text import ParentRows, Template, TextLines, Words, code, in_order, number, quoted, run_on, seconds
from analyzer.text.words import SLACK
from analyzer.units import UNKNOWN

ROW = np.dtype(
    [
        ("flag", "u1"),
        ("port", "<u2"),
        ("step", "<i4"),
        ("frame", "<u4"),
        ("time", "<i8"),
        ("back", "<i2"),
        ("word", "u1"),
        ("other", "i1"),
    ]
)
EDGES = [0, 1, 9, 10, 99, 100, 9999, 10**4, 10**8 - 1, 10**8, 10**9 - 1, 10**9, 10**16 - 1, 10**16, 10**17, 2**63 - 1]
TEXTS = ["", "a", "server", "x" * 16, "y" * 17, "seventeen bytes and more of it, µ" * 3]
VOCABULARY = Words.of(TEXTS)


def numbers_of(dtype: np.dtype[np.generic]) -> st.SearchStrategy[int]:
    limits = np.iinfo(dtype)
    low, high = int(limits.min), int(limits.max)
    edges = [value for edge in EDGES for value in (edge, -edge) if low <= value <= high]
    return st.sampled_from([low, high, *edges]) | st.integers(low, high)


fields = {name: numbers_of(ROW[name]) for name in ROW.names or ()}
tables = st.lists(st.tuples(*fields.values()), min_size=1, max_size=6).map(lambda rows: np.array(rows, ROW))


def naive_number(value: int, none: int = UNKNOWN) -> str:
    return "" if value in (UNKNOWN, none) else str(value)


def naive_seconds(value: int, none: int = UNKNOWN) -> str:
    if value in (UNKNOWN, none):
        return ""
    whole, rest = divmod(abs(value), 10**9)
    return f"{'-' * (value < 0)}{whole}.{rest:09d}"


def naive_code(value: int) -> str:
    return TEXTS[value] if 0 <= value < len(TEXTS) else ""


def all_of(lines: TextLines) -> list[str]:
    words = lines.words()
    texts = [words[k].decode() for k in range(len(words))]
    assert b"".join(bytes(part) for part in lines.parts()) == "".join(texts).encode() == bytes(words.text)
    return texts


@settings(deadline=None)
@given(tables)
def test_numbers_and_times_of_every_size(rows: NDArray[np.void]) -> None:
    names = ROW.names or ()
    plain = Template([piece for name in names for piece in (number(name), ",")])
    assert all_of(plain.bind(rows)) == ["".join(naive_number(int(row[n])) + "," for n in names) for row in rows]
    times = Template([piece for name in names for piece in (seconds(name, none=0), ", ")])
    assert all_of(times.bind(rows)) == ["".join(naive_seconds(int(row[n]), 0) + ", " for n in names) for row in rows]


@settings(deadline=None)
@given(tables)
def test_a_dict_of_arrays_is_as_good_as_rows(rows: NDArray[np.void]) -> None:
    template = Template(["at ", seconds("time"), number("back", none=0), code("word", "w", ("flag", 2))])
    arrays = {name: rows[name] for name in ROW.names or ()}
    assert all_of(template.bind(arrays, {"w": VOCABULARY})) == all_of(template.bind(rows, {"w": VOCABULARY}))


@settings(deadline=None)
@given(tables)
def test_codes_are_looked_up_and_unknown_ones_are_nothing(rows: NDArray[np.void]) -> None:
    one = Template([code("word", "w"), ";", code("other", "w"), "\n"])
    two = Template([code("word", "w", ("flag", 3)), "."])
    three = Template([code("other", "w", ("flag", 3), ("port", 2)), "."])
    words = {"w": VOCABULARY}
    assert all_of(one.bind(rows, words)) == [f"{naive_code(r['word'])};{naive_code(r['other'])}\n" for r in rows]
    assert all_of(two.bind(rows, words)) == [naive_code(int(r["word"]) * 3 + int(r["flag"])) + "." for r in rows]
    codes = [(int(r["other"]) * 3 + int(r["flag"])) * 2 + int(r["port"]) for r in rows]
    assert all_of(three.bind(rows, words)) == [naive_code(each) + "." for each in codes]


@settings(deadline=None)
@given(tables, st.lists(st.integers(0, 20), min_size=1, max_size=8), st.integers(0, 2))
def test_a_column_of_a_parent_is_read_from_the_row_that_belongs(
    parents: NDArray[np.void], places: list[int], shift: int
) -> None:
    template = Template([number("place"), ":", number("step", of="parent"), "\n"])
    rows = {"place": np.array(places, np.int64)}
    lines = template.bind(rows, parents={"parent": ParentRows(parents, "place", shift)})
    steps = [str(parents["step"][place >> shift]) if place >> shift < len(parents) else "" for place in places]
    assert all_of(lines) == [f"{place}:{step}\n" for place, step in zip(places, steps, strict=True)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-(10**9), 10**9)), min_size=2, max_size=30))
def test_times_that_share_their_second_with_the_one_before(times: list[tuple[int, int]]) -> None:
    values = [1_700_000_000_000_000_000 + second * 10**9 + rest for second, rest in times]
    values += [second * 10**9 + rest for second, rest in times]
    lines = Template([seconds("t"), ",", seconds("u"), "\n"]).bind({"t": np.array(values), "u": np.array(values[::-1])})
    assert all_of(lines) == [
        f"{naive_seconds(t)},{naive_seconds(u)}\n" for t, u in zip(values, values[::-1], strict=True)
    ]


@pytest.mark.parametrize("text", ["", "short", "eight by", "nine byte", "a text that is quite long: " * 5])
def test_literals_of_every_length(text: str) -> None:
    lines = Template([text, number("k"), text, "|", text]).bind({"k": np.arange(3)})
    assert all_of(lines) == [f"{text}{k}{text}|{text}" for k in range(3)]


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 300))
def test_it_stops_where_there_is_no_room_and_goes_on_from_there(count: int, room: int) -> None:
    rows = {"k": np.arange(count) * 12345}
    lines = Template(["<", number("k"), ">"]).bind(rows)
    out = np.full(room + 8, 0xEE, np.uint8)
    starts = np.zeros(count + 1, np.int64)
    done, text = 0, ""
    while done < count:
        some = lines.fill(done, out[:room], starts[: count - done + 1])
        assert (out[room:] == 0xEE).all()
        if not some:
            assert room < lines.widest
            return
        text += bytes(out[: starts[some]]).decode()
        done += some
    assert text == "".join(f"<{k * 12345}>" for k in range(count))


def test_lines_in_another_order() -> None:
    words = Template([number("k"), "\n"]).bind({"k": np.arange(12)}).words()
    lines = in_order(words, np.array([11, 0, 5]))
    assert [bytes(part) for part in lines.parts()] == [b"11\n0\n5\n"]


def test_a_row_may_have_several_lines() -> None:
    rows = {"k": np.arange(3)}
    words = Template([number("k"), "\n"], [], ["and ", number("k", none=1)]).bind(rows).words()
    assert [words[k] for k in range(len(words))] == [b"0\n", b"", b"and 0", b"1\n", b"", b"and ", b"2\n", b"", b"and 2"]


@given(st.lists(st.sampled_from(TEXTS)), st.lists(st.sampled_from(TEXTS)))
def test_pairs_of_words(heads: list[str], tails: list[str]) -> None:
    made, expected = Words.pairs(heads, tails), Words.of([head + tail for head in heads for tail in tails])
    assert made.starts.tolist() == expected.starts.tolist()
    assert bytes(made.data) == bytes(expected.data)


def test_lines_of_several_templates_in_a_buffer_that_is_large_enough() -> None:
    one = Template([number("k"), ";"]).bind({"k": np.arange(5)})
    two = Template([number("k")], ["(", number("k"), ")"]).bind({"k": np.arange(2)})
    words, out = run_on([one, two], np.empty(0, np.uint8))
    assert bytes(words.text) == b"0;1;2;3;4;0(0)1(1)"
    assert [words[k] for k in range(len(words))] == [b"0;", b"1;", b"2;", b"3;", b"4;", b"0", b"(0)", b"1", b"(1)"]
    assert run_on([one], out)[1] is out
    nothing, _ = run_on([], np.empty(0, np.uint8))
    assert len(nothing) == 0 and len(nothing.data) == SLACK


def test_no_rows_are_no_lines() -> None:
    lines = Template([number("step"), "\n"]).bind(np.zeros(0, ROW))
    assert list(lines.parts()) == [] and len(lines.words()) == 0


def test_words_keep_room_behind_them_and_cells_are_quoted_when_they_must_be() -> None:
    assert len(VOCABULARY.data) == VOCABULARY.starts[-1] + SLACK and VOCABULARY[2] == b"server"
    assert [quoted(text) for text in ("plain", 'a "b", c', "two\nlines")] == ["plain", '"a ""b"", c"', '"two\nlines"']
