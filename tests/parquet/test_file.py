"""Columns written and read back by pyarrow, which shares no code with the writer."""

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analyzer.lines import Words
from analyzer.lines.kernels import UNKNOWN
from analyzer.parquet import Field, File, Form, Pages, Texts, Values, dictionary

WORDS = ["", "open", "grün", "x" * 300, "reset"]
LOOKUP = np.array([3, -1, 0, 4], np.int64)  # what codes mean; those beyond mean nothing
LARGEST = np.iinfo(np.int64).max
lengths = st.sampled_from([0, 1, 2, 7, 8, 31, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 700])


class Given(NamedTuple):
    """Some rows: a number and a code each."""

    numbers: NDArray[np.int64]
    codes: NDArray[np.uint8]


@st.composite
def rows(draw: st.DrawFn) -> Given:
    """Numbers as they occur, near or far from each other, and runs of the same; some are none."""
    count = draw(lengths)
    chance = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    bits = draw(st.sampled_from([0, 1, 5, 31, 32, 33, 47, 63]))
    numbers = chance.integers(0, 1 << bits, count, np.int64, endpoint=bits < 63)
    numbers = draw(st.sampled_from([np.cumsum, np.negative, np.sort, np.asarray]))(numbers)
    if draw(st.booleans()):
        numbers[chance.random(count) < draw(st.sampled_from([0.01, 0.5, 0.99, 1]))] = UNKNOWN
    codes = np.repeat(chance.integers(0, 6, count, np.uint8), draw(st.sampled_from([1, 90])))[:count]
    return Given(numbers, codes)


def written(groups: Sequence[Sequence[Values]], forms: Sequence[Form]) -> pq.ParquetFile:
    """The groups as a file."""
    fields = [Field(f"column {k}", form, {}) for k, form in enumerate(forms)]
    text, pages = io.BytesIO(), Pages(fields)
    file = File(text, fields, {"key": "value"})
    with np.errstate(over="ignore"):  # compiled numbers wrap around without a word
        for group in groups:
            file.write(pages.group(len(group[0].numbers), group))
    file.finish()
    return pq.ParquetFile(text)


def values(given: Given) -> list[Values]:
    """A column of each form."""
    table = np.zeros(len(given.codes), np.dtype([("a", "u1"), ("b", "<i8"), ("c", "u1")]))  # columns at odd places
    table["a"], table["b"], table["c"] = given.codes, given.numbers, given.codes & 1
    words = dictionary(Words.of(WORDS))
    return [
        Values(table["b"]),
        Values(table["b"]),
        Values(table["a"], -1, words, LOOKUP),
        Values(given.codes.astype(np.int32) - 1, -1, words),
        Values(table["c"], -1),
    ]


def twins(given: Given) -> list[list[Any]]:
    """What is to be read of them."""
    numbers = [None if number == UNKNOWN else number for number in given.numbers.tolist()]
    meant = [LOOKUP[code] if code < len(LOOKUP) else -1 for code in given.codes]
    return [
        numbers,
        [None if number is None else number / 1e9 for number in numbers],
        [None if place < 0 else WORDS[place].encode() for place in meant],
        [None if code == 0 else WORDS[code - 1].encode() for code in given.codes],
        [bool(code & 1) for code in given.codes],
    ]


FORMS = (Form.NUMBERS, Form.SECONDS, Form.PLACES, Form.PLACES, Form.FLAGS)


@given(st.lists(rows(), min_size=1, max_size=3))
@settings(deadline=None, max_examples=60)
def test_what_was_written_is_read(groups: list[Given]) -> None:
    file = written([values(some) for some in groups], FORMS)
    assert file.num_row_groups == len(groups)
    for place, some in enumerate(groups):
        read = file.read_row_group(place)
        read.validate(full=True)
        assert [column.to_pylist() for column in read.columns] == twins(some)
        for column, twin in enumerate(twins(some)):
            bounds = file.metadata.row_group(place).column(column).statistics
            known = [value for value in twin if value is not None]
            if FORMS[column] == Form.PLACES:
                assert bounds is None
                continue
            assert bounds.null_count == len(twin) - len(known)
            assert bounds.has_min_max == bool(known)
            if known:
                assert (bounds.min, bounds.max) == (min(known), max(known))


@pytest.mark.parametrize("numbers", [[-LARGEST, LARGEST, -LARGEST, 0], [LARGEST], [UNKNOWN] * 3, [0, 1 << 62, -1]])
def test_numbers_at_the_edges(numbers: list[int]) -> None:
    given = np.array(numbers, np.int64)
    read = written([[Values(given)]], [Form.NUMBERS]).read()
    assert read.column(0).to_pylist() == [None if number == UNKNOWN else number for number in numbers]


@pytest.mark.parametrize("kind", ["u1", "<u2", "<u4", "<i4", "<i8"])
def test_numbers_of_every_size(kind: str) -> None:
    given = np.array([0, 1, np.iinfo(kind).max, np.iinfo(kind).min + 1, 5], kind)
    read = written([[Values(given)]], [Form.NUMBERS]).read()
    assert read.column(0).to_pylist() == given.tolist()


def test_a_file_without_rows_has_its_columns() -> None:
    file = written([], FORMS)
    assert file.metadata.num_rows == file.num_row_groups == 0
    assert file.schema_arrow.names == [f"column {k}" for k in range(len(FORMS))]
    assert file.metadata.metadata[b"key"] == b"value"
    assert file.read().num_rows == 0


def test_a_dictionary_of_many_words_in_another_order() -> None:
    words = [f"word {number}" for number in range(70_000)]
    order = np.arange(70_000)[::-1]
    values = Values(np.arange(70_000, dtype=np.int32), -1, dictionary(Words.of(words), order))
    field = Field("word", Form.PLACES, {6: 0})
    file = io.BytesIO()
    made = File(file, [field], {})
    made.write(Pages([field]).group(70_000, [values]))
    made.finish()
    assert pq.read_table(file).column("word").to_pylist() == words[::-1]
    assert pq.read_schema(file).field("word").type == pa.string()


def test_a_smaller_group_after_a_larger_one() -> None:
    groups = [np.arange(size, dtype=np.int64) * 1001 % 997 for size in (300, 5, 4000, 0, 129)]
    read = written([[Values(numbers)] for numbers in groups], [Form.NUMBERS]).read()
    assert read.column(0).to_pylist() == np.concatenate(groups).tolist()


def test_texts() -> None:
    texts = ["", "grün", "x" * 70_000, "a,b"]
    fields = [Field("text", Form.TEXTS, {6: 0}), Field("number", Form.NUMBERS, {})]
    file = io.BytesIO()
    made = File(file, fields, {})
    made.write(Pages(fields).group(4, [Texts(Words.of(texts)), Values(np.arange(4))]))
    made.finish()
    assert pq.read_table(file).to_pylist() == [{"text": text, "number": k} for k, text in enumerate(texts)]
    assert pq.read_metadata(file).row_group(0).column(0).statistics is None
