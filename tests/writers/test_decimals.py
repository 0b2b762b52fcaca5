"""Times are written by integer arithmetic: every digit is the capture's."""

from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analyzer.times import decimal
from analyzer.units import UNKNOWN
from tests.writers.naive_files import decimal_text


def naive(nanoseconds: int) -> str | None:
    return None if nanoseconds == UNKNOWN else f"{Decimal(nanoseconds).scaleb(-9):.9f}"


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_every_int64_has_its_own_digits(numbers: list[int]) -> None:
    assert decimal_text(np.array(numbers, np.int64)).to_pylist() == [naive(number) for number in numbers]


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_one_number_reads_like_a_column(number: int) -> None:
    assert decimal(number) == naive(number)


def test_a_date_of_today_keeps_its_last_nanosecond() -> None:
    assert decimal_text(np.array([1_700_000_000_000_000_001])).to_pylist() == ["1700000000.000000001"]
