"""Sentences: each kind of field against a slow, obvious twin."""

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.findings.words import sentences


def say(template: str, start: int = 0, **values: object) -> str:
    columns = {name: np.array([value], None if isinstance(value, int) else object) for name, value in values.items()}
    (text,) = sentences(template, columns, np.array([start], np.int64), 1).to_pylist()
    return str(text)


def duration_twin(ns: int) -> str:
    unit, name = next(
        (size, name) for size, name in ((10**9, "s"), (10**6, "ms"), (1000, "µs")) if ns >= size or name == "µs"
    )
    value = (Decimal(ns) / unit).quantize(Decimal("0.001"), ROUND_HALF_UP)
    return f"{value.normalize():f} {name}"


@given(st.integers(0, 10**15))
def test_a_duration_has_the_unit_that_fits_and_three_decimals_at_most(ns: int) -> None:
    assert say("{held:duration}", held=ns) == duration_twin(ns)


@given(st.integers(0, 10**15), st.integers(1, 2 * 10**18))
def test_a_moment_is_told_in_seconds_since_the_flows_first_frame(after: int, start: int) -> None:
    rounded = (Decimal(after) / 10**9).quantize(Decimal("0.000001"), ROUND_HALF_UP)
    assert say("{when:into}", start, when=start + after) == f"{rounded:f} s"


@pytest.mark.parametrize(
    ("template", "value", "text"),
    [
        ("{n}", 8000, "8000"),
        ("{n:byte}", 1, "1 byte"),
        ("{n:byte}", 8000, "8000 bytes"),
        ("{n:keep-alive probe}", 3, "3 keep-alive probes"),
        ("{n:times}", 1, "once"),
        ("{n:times}", 2, "twice"),
        ("{n:times}", 7, "7 times"),
        ("{n:frame}", 8, "frame 8"),
        ("{n:frame}", 0, "not captured"),
        ("x{n:shown}.", 8, "x (frame 8)."),
        ("x{n:shown}.", 0, "x."),
        ("x{n:silence}", 612_000_000_000, "x, after 612 s of silence"),
        ("x{n:silence}", 0, "x"),
        ("{n:state}", 10, "CLOSE_WAIT"),
        ("{n}", "as it is", "as it is"),
        ("{{{n}}}", 1, "{1}"),
        ("no field", 1, "no field"),
    ],
)
def test_each_kind_of_field(template: str, value: object, text: str) -> None:
    assert say(template, n=value) == text


def test_no_rows_make_no_sentences() -> None:
    empty = np.zeros(0, np.int64)
    assert sentences("{n:duration} in {n:frame}", {"n": empty}, empty, 0).to_pylist() == []


def test_one_value_for_all_rows_is_repeated() -> None:
    start = np.zeros(2, np.int64)
    assert sentences("{n}", {"n": np.asarray(5)}, start, 2).to_pylist() == ["5", "5"]
