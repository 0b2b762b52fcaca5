"""A thread that makes items beforehand gives the same items, the same errors, and never keeps the program from ending;
a worker does everything in order, and is not there where nothing is left to do; and two threads that share work do each
piece once, in order."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from analyzer.threads import BackgroundTask, BackgroundWorker, computed_in_order, prefetched


def test_same_items() -> None:
    assert list(prefetched(iter(range(1000)))) == list(range(1000))
    assert list(prefetched(iter([]))) == []


def test_error_comes_after_what_was_made() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("cut")

    items = prefetched(broken())
    assert next(items) == 1
    with pytest.raises(ValueError, match="cut"):
        next(items)


def test_at_most_one_beforehand() -> None:
    made: list[int] = []

    def counting() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    items = prefetched(counting())
    assert next(items) == 0
    time.sleep(0.2)
    assert made == [0, 1]
    items.close()  # type: ignore[attr-defined]


def test_thread_ends_when_left() -> None:
    before = threading.active_count()
    items = prefetched(iter(range(10)))
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

    items = prefetched(counting(), most=3)
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
    for number in computed_in_order(calls(), 4, 1):
        time.sleep(0.001 if slow == "caller" else 0)
        given.append(number)
    assert given == made == list(range(40))
    assert (threading.current_thread().name in by) if slow == "other" else ("prefetch" in by)


def test_an_error_of_work_in_turn_comes_where_it_belongs() -> None:
    def make(number: int) -> int:
        if number == 5:
            raise ValueError("five")
        return number

    given = []
    with pytest.raises(ValueError, match="five"):
        for number in computed_in_order((partial(make, number) for number in range(10)), 8, 2):
            time.sleep(0.01)  # so that the other thread makes some
            given.append(number)
    assert given == list(range(5))


def workers() -> int:
    return sum(thread.name == "worker" for thread in threading.enumerate())


def no_worker() -> bool:
    """Whether no such thread is left before long."""
    deadline = time.monotonic() + 10
    while workers() and time.monotonic() < deadline:
        time.sleep(0.001)
    return not workers()


def test_worker_everything_is_done_in_order() -> None:
    done: list[int] = []
    worker = BackgroundWorker(done.append, 3)
    for number in range(1000):
        worker.submit(number)
    worker.wait()
    worker.wait()
    assert done == list(range(1000))
    worker.submit(1000)
    worker.wait()
    assert done[-1] == 1000


def test_worker_no_more_than_so_many_wait_and_nothing_is_left_over() -> None:
    begun, may_go = threading.Semaphore(0), threading.Semaphore(0)
    given: list[int] = []

    def work(number: int) -> None:
        begun.release()
        may_go.acquire()

    def give(worker: BackgroundWorker[int]) -> None:
        for number in range(5):
            worker.submit(number)
            given.append(number)

    assert no_worker()
    worker = BackgroundWorker(work, 2)
    giver = threading.Thread(target=give, args=(worker,))
    giver.start()
    begun.acquire()
    time.sleep(0.05)
    assert given == [0, 1] and workers() == 1
    for _ in range(5):
        may_go.release()
    giver.join()
    worker.wait()
    assert given == list(range(5)) and no_worker()


def test_worker_thread_waits_for_more() -> None:
    doing: list[threading.Thread] = []
    worker: BackgroundWorker[None] = BackgroundWorker(lambda _: doing.append(threading.current_thread()), 2)
    for _ in range(5):
        worker.submit(None)
        worker.wait()
        assert not worker.busy
    assert len(doing) == 5 and len({*doing}) < 5
    assert no_worker()
    worker.submit(None)
    worker.wait()
    assert doing[-1] is not doing[0]


def test_worker_an_error_reaches_the_caller_and_what_follows_is_not_done() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        if number == 1:
            raise OSError("no room")
        done.append(number)

    worker = BackgroundWorker(work, 10)
    with pytest.raises(OSError, match="no room"):
        for number in range(3):
            worker.submit(number)
        worker.wait()
    with pytest.raises(OSError, match="no room"):
        worker.submit(3)
    with pytest.raises(OSError, match="no room"):
        worker.wait()
    assert done == [0]


def test_beside_is_done_once_at_a_time() -> None:
    begun, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def work() -> None:
        begun.release()
        go_on.acquire()

    task = BackgroundTask(work)
    task.request()
    assert begun.acquire(timeout=10)
    task.request()  # it is being done
    assert not begun.acquire(timeout=0.1)
    go_on.release()
    deadline = time.monotonic() + 10
    while not begun.acquire(timeout=0.01):  # its thread may not have ended yet
        assert time.monotonic() < deadline
        task.request()
    go_on.release()
