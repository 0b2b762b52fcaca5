"""A second thread one step ahead gives the same items, the same errors, and never keeps the program from ending; one
that is behind does everything in order, and is not there where nothing is left to do; and two that share work do each
piece once, in its turn."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from analyzer.ahead import Behind, Beside, ahead, in_turn


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


@pytest.mark.parametrize("slow", ["caller", "other"])
def test_work_in_turn_is_done_by_whoever_has_time(slow: str) -> None:
    made: list[int] = []
    by: set[str] = set()

    def make(number: int) -> int:
        made.append(number)
        by.add(threading.current_thread().name)
        return number

    def calls() -> Iterator[Callable[[], int]]:
        for number in range(40):
            time.sleep(0.001 if slow == "other" else 0)
            yield partial(make, number)

    given = []
    for number in in_turn(calls(), 4, 1):
        time.sleep(0.001 if slow == "caller" else 0)
        given.append(number)
    assert given == made == list(range(40))
    assert (threading.current_thread().name in by) if slow == "other" else ("ahead" in by)


def test_an_error_of_work_in_turn_comes_where_it_belongs() -> None:
    def make(number: int) -> int:
        if number == 5:
            raise ValueError("five")
        return number

    given = []
    with pytest.raises(ValueError, match="five"):
        for number in in_turn((partial(make, number) for number in range(10)), 8, 2):
            time.sleep(0.01)  # so that the other thread makes some
            given.append(number)
    assert given == list(range(5))


def threads_behind() -> int:
    return sum(thread.name == "behind" for thread in threading.enumerate())


def none_behind() -> bool:
    """Whether no such thread is left before long."""
    deadline = time.monotonic() + 10
    while threads_behind() and time.monotonic() < deadline:
        time.sleep(0.001)
    return not threads_behind()


def test_behind_everything_is_done_in_order() -> None:
    done: list[int] = []
    behind = Behind(done.append, 3)
    for number in range(1000):
        behind.give(number)
    behind.finish()
    behind.finish()
    assert done == list(range(1000))
    behind.give(1000)
    behind.finish()
    assert done[-1] == 1000


def test_behind_no_more_than_so_many_wait_and_nothing_is_left_over() -> None:
    begun, may_go = threading.Semaphore(0), threading.Semaphore(0)
    given: list[int] = []

    def work(number: int) -> None:
        begun.release()
        may_go.acquire()

    def give(behind: Behind[int]) -> None:
        for number in range(5):
            behind.give(number)
            given.append(number)

    assert none_behind()
    behind = Behind(work, 2)
    giver = threading.Thread(target=give, args=(behind,))
    giver.start()
    begun.acquire()
    time.sleep(0.05)
    assert given == [0, 1] and threads_behind() == 1
    for _ in range(5):
        may_go.release()
    giver.join()
    behind.finish()
    assert given == list(range(5)) and none_behind()


def test_behind_a_thread_waits_for_more() -> None:
    doing: list[threading.Thread] = []
    behind: Behind[None] = Behind(lambda _: doing.append(threading.current_thread()), 2)
    for _ in range(5):
        behind.give(None)
        behind.finish()
        assert not behind.busy
    assert len(doing) == 5 and len({*doing}) < 5
    assert none_behind()
    behind.give(None)
    behind.finish()
    assert doing[-1] is not doing[0]


def test_behind_an_error_reaches_the_caller_and_what_follows_is_not_done() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        if number == 1:
            raise OSError("no room")
        done.append(number)

    behind = Behind(work, 10)
    with pytest.raises(OSError, match="no room"):
        for number in range(3):
            behind.give(number)
        behind.finish()
    with pytest.raises(OSError, match="no room"):
        behind.give(3)
    with pytest.raises(OSError, match="no room"):
        behind.finish()
    assert done == [0]


def test_beside_is_done_once_at_a_time() -> None:
    begun, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def work() -> None:
        begun.release()
        go_on.acquire()

    beside = Beside(work)
    beside.ask()
    assert begun.acquire(timeout=10)
    beside.ask()  # it is being done
    assert not begun.acquire(timeout=0.1)
    go_on.release()
    deadline = time.monotonic() + 10
    while not begun.acquire(timeout=0.01):  # its thread may not have ended yet
        assert time.monotonic() < deadline
        beside.ask()
    go_on.release()
