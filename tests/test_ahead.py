"""A second thread one step ahead gives the same items, the same errors, and never keeps the program from ending."""

import threading
import time
from collections.abc import Iterator

import pytest

from analyzer.ahead import ahead


def test_same_items() -> None:
    assert list(ahead(iter(range(1000)))) == list(range(1000))
    assert list(ahead(iter([]))) == []


def test_error_comes_after_what_was_made() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("cut")

    items = ahead(broken())
    assert next(items) == 1
    with pytest.raises(ValueError, match="cut"):
        next(items)


def test_at_most_one_beforehand() -> None:
    made: list[int] = []

    def counting() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    items = ahead(counting())
    assert next(items) == 0
    time.sleep(0.2)
    assert made == [0, 1]
    items.close()  # type: ignore[attr-defined]


def test_thread_ends_when_left() -> None:
    before = threading.active_count()
    items = ahead(iter(range(10)))
    next(items)
    items.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_several_beforehand() -> None:
    made: list[int] = []

    def counting() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    items = ahead(counting(), most=3)
    assert next(items) == 0
    time.sleep(0.2)
    assert made == [0, 1, 2, 3]
    assert list(items) == list(range(1, 10))
